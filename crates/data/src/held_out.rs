//! Files of one name held out: a drawer, a style, a camera, whose images stand under one name in every class (`noto.png`).
//!
//! The classes of training and validation lose such images. Of a test class they are the queries, and its other images the supports: what
//! is measured is whether a class that is known from the others is known in the new style.

use std::path::Path;

use crate::{Class, DataError, Dataset, MetaSplit, Split, digest};

impl Dataset {
    /// The same with the images of files called `stem` (without the ending) held out of training and validation, and marked as the only
    /// queries of test classes. The classes stay, and so does the split.
    ///
    /// The digest becomes SHA-256 over the old one, the name, and the names of the test classes, a line each.
    ///
    /// # Errors
    /// [`DataError::Invalid`] where files have no names, a test class has no such file, or a class has no other.
    pub fn holding_out(&self, stem: &str, split: &Split) -> Result<Self, DataError> {
        let invalid = |problem: String, next_step: &str| DataError::Invalid {
            setting: "held_out_file",
            value: stem.to_owned(),
            problem,
            next_step: next_step.to_owned(),
        };
        let files = self.receipt.as_ref().map(|receipt| &receipt.files);
        let Some(files) = files.filter(|files| files.len() == self.n_images()) else {
            return Err(invalid(
                format!("the images of `{}` are no files of their own", self.name),
                "take a folder of images, e.g. emoji",
            ));
        };
        let is_held = |image: usize| stem_of(&files[image]) == Some(stem);
        let test = split.classes(MetaSplit::Test);
        let mut out = Self {
            pixels: Vec::with_capacity(self.pixels.len()),
            classes: Vec::with_capacity(self.classes.len()),
            alphabets: self.alphabets.clone(),
            decoding: self.decoding,
            receipt: self.receipt.clone(),
            domains: self.domains.clone(),
            held: Vec::with_capacity(self.classes.len()),
            ..Self::empty(self.name.clone(), self.size, self.channels)
        };
        let mut order = Vec::with_capacity(files.len());
        let mut text = format!("{} without {stem} but in the test of\n", self.digest);
        for (class_idx, class) in (0..).zip(&self.classes) {
            let (held, others): (Vec<usize>, Vec<usize>) =
                class.images().partition(|image| is_held(*image));
            let is_test = test.contains(&class_idx);
            if is_test && held.is_empty() {
                return Err(invalid(
                    format!("test class `{}` has no such file", class.name),
                    "write the name of a file that every class has, without its ending",
                ));
            }
            if others.is_empty() {
                return Err(invalid(
                    format!("class `{}` has no other file", class.name),
                    "write the name of a file that stands beside others",
                ));
            }
            let first_image = order.len();
            if is_test {
                text += &class.name;
                text.push('\n');
                out.held.push(held.len() as u32);
                order.extend(held);
            } else {
                out.held.push(0);
            }
            order.extend(others);
            out.classes.push(Class {
                first_image,
                n_images: order.len() - first_image,
                ..class.clone()
            });
        }
        for image in &order {
            out.pixels.extend_from_slice(self.image(*image));
        }
        if let Some(receipt) = &mut out.receipt {
            receipt.files = order.iter().map(|image| files[*image].clone()).collect();
        }
        out.digest = digest::sha256(text.as_bytes());
        Ok(out)
    }

    /// Images of a class, the first ones, that are the only queries of its episodes; 0 where any may be.
    #[must_use]
    pub fn n_held(&self, class_idx: u32) -> u32 {
        self.held.get(class_idx as usize).copied().unwrap_or(0)
    }
}

fn stem_of(file: &Path) -> Option<&str> {
    file.file_stem()?.to_str()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::test_data::dataset;
    use crate::{EpisodeShape, Receipt, Rotations, Sampler, Seeds};

    /// 12 classes of 6 files each, `a` to `f`.
    fn styled() -> Dataset {
        let mut made = dataset(2, 6, 6);
        let files = (0..72).map(|image| {
            let class = &made.classes[image / 6].name;
            PathBuf::from(class).join(format!("{}.png", ["a", "b", "c", "d", "e", "f"][image % 6]))
        });
        let files = files.collect();
        made.receipt = Some(Box::new(Receipt {
            files,
            ..Receipt::default()
        }));
        made
    }

    #[test]
    fn a_style_is_unseen_in_training_and_asked_in_the_test() {
        let whole = styled();
        let rule = "random:0.5,0.25,0.25".parse().unwrap();
        let split = Split::new(&whole, &rule, &Seeds::all(1)).unwrap();
        let held = whole.holding_out("c", &split).unwrap();
        assert_ne!(held.digest, whole.digest);
        let files = &held.receipt.as_ref().unwrap().files;
        let is_c = |image: &u32| files[*image as usize].ends_with("c.png");
        let shape = EpisodeShape {
            n_way: 3,
            k_shot: 2,
            n_query: 1,
        };
        for part in MetaSplit::ALL {
            let sampler =
                Sampler::new(&held, split.classes(part), shape, Rotations::Off, false).unwrap();
            for index in 0..50 {
                let episode = sampler.episode(&Seeds::all(1), index);
                assert!(!episode.support.iter().any(is_c));
                let asked = episode.query.iter().filter(|image| is_c(image)).count();
                assert_eq!(asked, if part == MetaSplit::Test { 3 } else { 0 });
                for (images, class) in episode.supports_by_label().zip(&episode.classes) {
                    let own = held.classes[class.class_idx as usize].images();
                    assert!(images.iter().all(|image| own.contains(&(*image as usize))));
                }
            }
        }
        // Every image is the one that it was.
        for (image, file) in files.iter().enumerate() {
            let of = &whole.receipt.as_ref().unwrap().files;
            let was = of.iter().position(|it| it == file).unwrap();
            assert_eq!(held.image(image), whole.image(was));
        }
        let two = EpisodeShape {
            n_query: 2,
            ..shape
        };
        let said = Sampler::new(
            &held,
            split.classes(MetaSplit::Test),
            two,
            Rotations::Off,
            false,
        );
        assert!(said.unwrap_err().to_string().contains("query 2"));
    }

    #[test]
    fn names_that_nothing_has_are_refused() {
        let whole = styled();
        let rule = "random".parse().unwrap();
        let split = Split::new(&whole, &rule, &Seeds::all(1)).unwrap();
        let said = whole.holding_out("z", &split).unwrap_err().to_string();
        assert!(
            said.contains("held_out_file = z") && said.contains("has no such file"),
            "{said}"
        );
        let plain = dataset(2, 6, 6);
        assert!(plain.holding_out("a", &split).is_err());
    }
}
