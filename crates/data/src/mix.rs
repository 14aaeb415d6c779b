//! Several domains as one data set: their classes side by side, each under the name of its domain.
//!
//! An episode comes from one domain, drawn uniformly ([`crate::Sampler`]), so that a large domain is seen no more often than a small one.
//! Each domain is split by itself ([`crate::Split`]).

use std::path::PathBuf;

use crate::receipt::{Decoding, Place, Receipt};
use crate::{Class, DataError, Dataset, Domain, digest};

/// Puts domains side by side, each under its name. Where one has three channels, the grey of the others is repeated.
///
/// The digest is SHA-256 over the names and digests of the domains, a line each, and the number of channels.
///
/// # Errors
/// [`DataError::Invalid`] for fewer than two domains, two of one name, or images of different sizes.
pub fn mix(domains: Vec<(String, Dataset)>) -> Result<Dataset, DataError> {
    let names: Vec<&str> = domains.iter().map(|(name, _)| name.as_str()).collect();
    let invalid = |problem: String, next_step: &str| DataError::Invalid {
        setting: "mix",
        value: names.join(", "),
        problem,
        next_step: next_step.into(),
    };
    if names.len() < 2 {
        return Err(invalid(
            "a mix has two domains or more".into(),
            "name another data set, or take `set` for one",
        ));
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(invalid(
                format!("two domains are called {name}"),
                "give their folders or files different names",
            ));
        }
    }
    let size = domains[0].1.size;
    if let Some((name, other)) = domains.iter().find(|(_, it)| it.size != size) {
        return Err(invalid(
            format!(
                "images of {name} have {}x{} pixels, those of the first {}x{}",
                other.size.height, other.size.width, size.height, size.width
            ),
            "load all of them with one `size`",
        ));
    }
    let channels = domains.iter().map(|(_, it)| it.channels).max().unwrap_or(1);
    let mut text = format!("mix in {channels} channels\n");
    let mut mixed = Dataset::empty(names.join("+"), size, channels);
    let mut receipt = Receipt {
        root: PathBuf::from(&mixed.name),
        ..Receipt::default()
    };
    let mut has_receipt = false;
    for (name, dataset) in domains {
        text += &format!("{name} {}\n", dataset.digest);
        has_receipt |= dataset.receipt.is_some();
        add_receipt(&mut receipt, &name, &dataset);
        let (first_image, first_alphabet) = (mixed.n_images(), mixed.alphabets.len());
        let first_class = mixed.classes.len();
        let dataset = dataset.with_channels(channels);
        mixed.pixels.extend_from_slice(&dataset.pixels);
        if u32::try_from(mixed.n_images()).is_err() {
            return Err(DataError::Invalid {
                setting: "mix",
                value: mixed.name,
                problem: "more than 4,294,967,295 images".into(),
                next_step: "leave a domain out".into(),
            });
        }
        let alphabets = dataset.alphabets.iter();
        mixed
            .alphabets
            .extend(alphabets.map(|alphabet| format!("{name}/{alphabet}")));
        let classes = dataset.classes.into_iter();
        mixed.classes.extend(classes.map(|class| Class {
            name: format!("{name}/{}", class.name),
            alphabet_idx: first_alphabet + class.alphabet_idx,
            first_image: first_image + class.first_image,
            n_images: class.n_images,
        }));
        mixed.domains.push(Domain {
            name,
            classes: first_class..mixed.classes.len(),
        });
    }
    mixed.digest = digest::sha256(text.as_bytes());
    mixed.receipt = has_receipt.then(|| Box::new(receipt));
    Ok(mixed)
}

/// Adds what is known of the files of a domain, under its name.
fn add_receipt(all: &mut Receipt, name: &str, dataset: &Dataset) {
    let below = |file: &PathBuf| PathBuf::from(name).join(file);
    let of_class = |class: &String| format!("{name}/{class}");
    let Some(own) = &dataset.receipt else {
        let classes = dataset.classes.iter();
        all.classes
            .extend(classes.map(|class| (of_class(&class.name), class.n_images)));
        let images = 0..dataset.n_images();
        all.files
            .extend(images.map(|image| PathBuf::from(name).join(dataset.image_name(image))));
        return;
    };
    let place = |place: &Place| Place {
        class: of_class(&place.class),
        file: below(&place.file),
    };
    let named = |(class, n): &(String, usize)| (of_class(class), *n);
    all.classes.extend(own.classes.iter().map(named));
    all.left_out.extend(own.left_out.iter().map(named));
    all.headers.extend_from_slice(&own.headers);
    all.n_without_header += own.n_without_header;
    for (ending, files) in &own.skipped {
        let known = all.skipped.entry(ending.clone()).or_default();
        known.extend(files.iter().map(below));
    }
    all.unlisted.extend(own.unlisted.iter().map(below));
    all.without_images
        .extend(own.without_images.iter().map(below));
    let groups = own.equal.iter();
    all.equal
        .extend(groups.map(|group| group.iter().map(place).collect::<Vec<_>>()));
    all.constant.extend(own.constant.iter().map(place));
    let before = all.decoding;
    all.decoding = Decoding {
        n_colour: before.n_colour + own.decoding.n_colour,
        channels: before.channels.max(own.decoding.channels),
        ..own.decoding
    };
    all.files.extend(own.files.iter().map(below));
}

impl Dataset {
    /// The domain of a class; none where the set is no mix.
    #[must_use]
    pub fn domain_of(&self, class_idx: u32) -> Option<usize> {
        let holds = |domain: &Domain| domain.classes.contains(&(class_idx as usize));
        self.domains.iter().position(holds)
    }

    /// The classes of one domain by themselves, without their images: what a split looks at.
    pub(crate) fn outline(&self, domain: &Domain) -> Self {
        let own = &self.classes[domain.classes.clone()];
        let plain = |name: &str| {
            let rest = name.strip_prefix(&domain.name);
            rest.and_then(|rest| rest.strip_prefix('/'))
                .unwrap_or(name)
                .to_owned()
        };
        let first = own
            .iter()
            .map(|class| class.alphabet_idx)
            .min()
            .unwrap_or(0);
        let last = own.iter().map(|class| class.alphabet_idx + 1).max();
        Self {
            classes: own
                .iter()
                .map(|class| Class {
                    name: plain(&class.name),
                    alphabet_idx: class.alphabet_idx - first,
                    ..class.clone()
                })
                .collect(),
            alphabets: self.alphabets[first..last.unwrap_or(first)]
                .iter()
                .map(|name| plain(name))
                .collect(),
            ..Self::empty(domain.name.clone(), self.size, self.channels)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::dataset;
    use crate::{EpisodeShape, MetaSplit, Rotations, Sampler, Seeds, Split};

    fn mixed() -> Dataset {
        let domains = [("small", 6), ("large", 60)];
        let domains = domains.map(|(name, n)| (name.to_owned(), dataset(3, n, 20)));
        mix(domains.to_vec()).unwrap()
    }

    #[test]
    fn every_image_keeps_its_class_and_its_bytes() {
        let (mixed, large) = (mixed(), dataset(3, 60, 20));
        assert_eq!(
            (mixed.name.as_str(), mixed.classes.len()),
            ("small+large", 198)
        );
        let class = &mixed.classes[18 + 7];
        assert_eq!(class.name, format!("large/{}", large.classes[7].name));
        assert_eq!(mixed.alphabets[class.alphabet_idx], "large/alphabet00");
        assert_eq!(
            mixed.image(class.first_image + 3),
            large.image(large.classes[7].first_image + 3)
        );
        assert_eq!(mixed.domain_of(17), Some(0));
        assert_eq!(mixed.domain_of(18), Some(1));
        assert_eq!(large.domain_of(18), None);
        assert_eq!(
            mixed.image_name(class.first_image),
            "large/alphabet00/character08/01"
        );
    }

    /// Each domain is split as it would be alone, and as often drawn from, however large it is.
    #[test]
    fn domains_are_split_alone_and_drawn_alike() {
        let mixed = mixed();
        let rule = "random:0.5,0.25,0.25".parse().unwrap();
        let split = Split::new(&mixed, &rule, &Seeds::all(3)).unwrap();
        let alone = Split::new(&dataset(3, 60, 20), &rule, &Seeds::all(3)).unwrap();
        for part in MetaSplit::ALL {
            let of_large: Vec<u32> = split
                .classes(part)
                .iter()
                .filter(|class| **class >= 18)
                .map(|class| class - 18)
                .collect();
            assert_eq!(of_large, alone.classes(part));
        }
        let shape = EpisodeShape {
            n_way: 4,
            k_shot: 1,
            n_query: 1,
        };
        let train = split.classes(MetaSplit::Train);
        let sampler = Sampler::new(&mixed, train, shape, Rotations::Off, false).unwrap();
        let mut counts = [0_i32; 2];
        for index in 0..1000 {
            let episode = sampler.episode(&Seeds::all(1), index);
            let of = |class: &crate::ClassRef| mixed.domain_of(class.class_idx);
            let first = of(&episode.classes[0]).unwrap();
            assert!(episode.classes.iter().all(|class| of(class) == Some(first)));
            counts[first] += 1;
        }
        // SD 15.8.
        assert!((counts[0] - 500).abs() < 80, "{counts:?}");
        let held_out = split.without_training_of(&mixed, "large").unwrap();
        assert!(
            held_out
                .train
                .iter()
                .chain(&held_out.validation)
                .all(|class| *class < 18)
        );
        assert_eq!(held_out.test, split.test);
        let said = split.without_training_of(&mixed, "lagre").unwrap_err();
        assert!(said.to_string().contains("large"), "{said}");
        // A domain that cannot give an episode is named.
        let wide = EpisodeShape { n_way: 10, ..shape };
        let said = Sampler::new(&mixed, train, wide, Rotations::Off, false);
        assert!(said.unwrap_err().to_string().contains("small"));
    }

    #[test]
    fn colour_makes_all_colour_and_mistakes_are_named() {
        let grey = dataset(1, 2, 2);
        let colour = dataset(1, 2, 2).with_channels(3);
        let both = vec![("a".to_owned(), grey.clone()), ("b".to_owned(), colour)];
        let mixed = mix(both).unwrap();
        assert_eq!((mixed.channels, mixed.n_images()), (3, 8));
        let image = mixed.image(0);
        assert!(
            image
                .chunks_exact(3)
                .all(|it| it[0] == it[1] && it[1] == it[2])
        );
        let twice = vec![
            ("a".to_owned(), grey.clone()),
            ("a".to_owned(), grey.clone()),
        ];
        assert!(
            mix(twice)
                .unwrap_err()
                .to_string()
                .contains("two domains are called a")
        );
        assert!(mix(vec![("a".to_owned(), grey)]).is_err());
    }
}
