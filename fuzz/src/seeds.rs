//! Inputs that are accepted, small ones: what the mutations start from.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, ImageFormat};
use metastable_models::{Architecture, Checkpoint, ImageShape, NetworkConfig, Norm, Params};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// One of each network, without its digest.
pub(crate) fn checkpoints() -> Vec<Vec<u8>> {
    let norms = [
        Norm::Batch,
        Norm::Running,
        Norm::PerStep { n_steps: 2 },
        Norm::None,
    ];
    let mut seeds = Vec::new();
    for (name, norm) in ["conv4", "conv4-strided", "mlp", "conv4"]
        .into_iter()
        .zip(norms)
    {
        let config = NetworkConfig {
            name: name.to_owned(),
            image: ImageShape {
                height: 4,
                width: 4,
                channels: 1,
            },
            n_blocks: 1,
            width: 2,
            norm,
            n_way: Some(2),
            form: None,
        };
        let Ok(architecture) = Architecture::new(&config) else {
            continue;
        };
        let params = Params::<f32>::zeros(architecture.layout());
        let buffers = Params::<f32>::zeros(architecture.buffers());
        let bytes = Checkpoint::to_bytes(&architecture, &params, &buffers, &BTreeMap::new());
        seeds.extend(bytes.ok().and_then(|bytes| without_digest(&bytes)));
    }
    seeds
}

fn without_digest(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (header, data) =
        rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut header: Value = serde_json::from_slice(header).ok()?;
    let metadata = header.get_mut("__metadata__")?.as_object_mut()?;
    metadata.retain(|key, _| !key.contains("sha256") && !key.contains("digest"));
    let header = header.to_string();
    let mut sealed = (header.len() as u64).to_le_bytes().to_vec();
    sealed.extend(header.bytes());
    sealed.extend(data);
    Some(sealed)
}

/// What a hub would serve.
pub(crate) fn parquet_images() -> Vec<Vec<u8>> {
    let pictures: Vec<ByteArray> = pictures()
        .into_iter()
        .take(3)
        .map(ByteArray::from)
        .collect();
    let schema =
        "message m { required group image { required binary bytes; } required int64 label; }";
    let write = || -> parquet::errors::Result<Vec<u8>> {
        let schema = Arc::new(parse_message_type(schema)?);
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::new()))?;
        let mut group = writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column
                .typed::<ByteArrayType>()
                .write_batch(&pictures, None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            column
                .typed::<Int64Type>()
                .write_batch(&[0, 1, 2], None, None)?;
            column.close()?;
        }
        group.close()?;
        writer.into_inner()
    };
    let served = include_bytes!("../corpus/sample.parquet").to_vec();
    write().into_iter().chain([served]).collect()
}

/// Scores as pandas writes them.
pub(crate) fn parquet_tables() -> Vec<Vec<u8>> {
    let schema =
        "message m { required binary learner (UTF8); required int64 seed; optional double score; }";
    let write = |is_snappy: bool| -> parquet::errors::Result<Vec<u8>> {
        let schema = Arc::new(parse_message_type(schema)?);
        let mut properties = WriterProperties::builder();
        if is_snappy {
            properties = properties.set_compression(parquet::basic::Compression::SNAPPY);
        }
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?;
        let mut group = writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            let names: Vec<ByteArray> = ["a", "a", "b", "b"].map(ByteArray::from).to_vec();
            column
                .typed::<ByteArrayType>()
                .write_batch(&names, None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            column
                .typed::<Int64Type>()
                .write_batch(&[0, 1, 0, 1], None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            let scores = column.typed::<DoubleType>();
            scores.write_batch(&[0.5, 0.25, 0.75, 1.0], Some(&[1, 1, 1, 1]), None)?;
            column.close()?;
        }
        group.close()?;
        writer.into_inner()
    };
    [write(false), write(true)].into_iter().flatten().collect()
}

/// Images files, unpacked; one gzipped.
pub(crate) fn idx() -> Vec<Vec<u8>> {
    let file = |n: u32, height: u32, width: u32| {
        let mut bytes = vec![0, 0, 8, 3];
        for length in [n, height, width] {
            bytes.extend(length.to_be_bytes());
        }
        bytes.extend((0..n * height * width).map(|at| (at * 7) as u8));
        bytes
    };
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packer
        .write_all(&file(3, 5, 5))
        .and_then(|()| packer.finish());
    [file(3, 5, 4), file(6, 2, 2)]
        .into_iter()
        .chain(packed)
        .collect()
}

/// Every format, several kinds of pixels.
pub(crate) fn pictures() -> Vec<Vec<u8>> {
    let grey = image::GrayImage::from_fn(9, 7, |x, y| image::Luma([(x * 20 + y) as u8]));
    let grey = DynamicImage::ImageLuma8(grey);
    let colour = DynamicImage::ImageRgba8(grey.to_rgba8());
    let deep = DynamicImage::ImageRgb16(grey.to_rgb16());
    let plain = DynamicImage::ImageRgb8(grey.to_rgb8());
    let pictures = [
        (&grey, ImageFormat::Png),
        (&colour, ImageFormat::Png),
        (&deep, ImageFormat::Png),
        (&plain, ImageFormat::Bmp),
        (&plain, ImageFormat::Jpeg),
        (&plain, ImageFormat::Tiff),
        (&deep, ImageFormat::Tiff),
        (&colour, ImageFormat::WebP),
    ];
    let write = |(picture, format): (&DynamicImage, ImageFormat)| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).ok()?;
        Some(bytes.into_inner())
    };
    pictures.into_iter().filter_map(write).collect()
}

/// Arrays, lists and dicts that Python wrote.
pub(crate) fn pickles() -> Vec<Vec<u8>> {
    let kept: [&[u8]; 5] = [
        include_bytes!("../../crates/data/tests/arrays/cache-protocol-0.pkl"),
        include_bytes!("../../crates/data/tests/arrays/cache-protocol-2.pkl"),
        include_bytes!("../../crates/data/tests/arrays/cache-protocol-5.pkl"),
        include_bytes!("../../crates/data/tests/arrays/cifar.pkl"),
        include_bytes!("../../crates/data/tests/arrays/encoded.pkl"),
    ];
    kept.map(<[u8]>::to_vec).into()
}

/// Archives of arrays that numpy wrote.
pub(crate) fn npzs() -> Vec<Vec<u8>> {
    let kept: [&[u8]; 3] = [
        include_bytes!("../../crates/data/tests/arrays/medmnist.npz"),
        include_bytes!("../../crates/data/tests/arrays/keras.npz"),
        include_bytes!("../../crates/data/tests/arrays/planar.npz"),
    ];
    kept.map(<[u8]>::to_vec).into()
}

/// Stored and deflated entries, a folder, a link.
pub(crate) fn zips() -> Vec<Vec<u8>> {
    let write = |is_stored: bool| -> zip::result::ZipResult<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let method = match is_stored {
            true => zip::CompressionMethod::Stored,
            false => zip::CompressionMethod::Deflated,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.add_directory("images/", options)?;
        for (name, byte) in [("images/a.png", 1), ("images/b.png", 2)] {
            writer.start_file(name, options)?;
            writer.write_all(&[byte; 300])?;
        }
        if is_stored {
            writer.add_symlink("link", "images/a.png", options)?;
        }
        Ok(writer.finish()?.into_inner())
    };
    [write(false), write(true)].into_iter().flatten().collect()
}

/// The built-in studies, and one with every table.
pub(crate) fn studies() -> Vec<Vec<u8>> {
    [
        include_str!("../../docs/studies/quick.toml"),
        include_str!("../../docs/studies/omniglot.toml"),
        include_str!("../../docs/studies/stability.toml"),
        include_str!("../../docs/studies/seeds.toml"),
        include_str!("../../docs/studies/factors.toml"),
        include_str!("../../docs/studies/replace.toml"),
        "seeds = 2\n[streams]\nplan = \"nested\"\ninit = 2\ntask = 3\n[learners.maml]\n[probe]\nfamilies = [\"c\"]\ntasks = 3\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// What people write behind `--set`.
pub(crate) fn sets() -> Vec<Vec<u8>> {
    [
        "learner.inner_lr=0.1",
        "learners.maml.outer_steps=500",
        "test.way=20",
        "probe.families=[\"c\", \"g\"]",
        "data.set=\"folder:mine\"",
        "factors.\"learner.inner_lr\"={ low = 0.1, high = 1.0, levels = 4 }",
        "streams.init=3",
        "replace.pools=[100, 300]",
        "network.norm=per-step",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Tables of scores in every dress.
pub(crate) fn scores() -> Vec<Vec<u8>> {
    let plain = "run,learner,seed,task,score\na0,a,0,0,0.5\na0,a,0,1,0.25\na1,a,1,0,0.5\na1,a,1,1,1.0\nb0,b,0,0,0.1\nb0,b,0,1,0.2\n";
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packer
        .write_all(plain.as_bytes())
        .and_then(|()| packer.finish());
    let mut seeds = vec![
        plain.as_bytes().to_vec(),
        plain.replace(',', ";").replace('.', ",").into_bytes(),
        plain.replace(',', "\t").into_bytes(),
        [vec![0xff, 0xfe], wide].concat(),
        b"{\"learner\":\"a\",\"seed\":0,\"score\":0.5}\n{\"learner\":\"a\",\"seed\":1,\"score\":0.25}\n".to_vec(),
        b"learner,seed,query,hit,task\na,0,0,1,0\na,0,1,0,0\na,1,0,1,0\na,1,1,1,0\n".to_vec(),
        b"learner,seed,score,failed\na,0,0.5,false\na,1,,true\nb,0,\"0.5\",false\n".to_vec(),
    ];
    seeds.extend(packed);
    seeds
}

/// Answers of a tiny study, without their seal.
pub(crate) fn answers() -> Vec<Vec<u8>> {
    [
        include_str!("../corpus/answers/kinship.json"),
        include_str!("../corpus/answers/sensitivity.json"),
        include_str!("../corpus/answers/certificate.json"),
    ]
    .into_iter()
    .filter_map(|text| {
        let mut answers: Value = serde_json::from_str(text).ok()?;
        answers.as_object_mut()?.remove("sha256");
        Some(answers.to_string().into_bytes())
    })
    .collect()
}

/// Between a map and its weights.
pub(crate) const WEIGHTS_MARK: &[u8] = b"\n# weights:\n";

/// Weights that PyTorch wrote.
pub(crate) const IMPORTED: &[u8] =
    include_bytes!("../../crates/metastable/tests/golden/import.safetensors");

const MAP: &str = r#"
[data]
size = 8
[network]
width = 4
blocks = 3
norm = "running"
[learners.protonet]
[tensors]
"blocks.{i}.conv" = "features.{i}.0"
"blocks.{i}.norm" = "features.{i}.1"
[input]
mean = [0.3, 0.45, 0.6]
std = [0.2, 0.25, 0.3]
order = "bgr"
[import]
ignore = ["fc."]
"#;

/// Maps alone, and with their weights.
pub(crate) fn imports() -> Vec<Vec<u8>> {
    let with_weights = [MAP.as_bytes(), WEIGHTS_MARK, IMPORTED].concat();
    vec![MAP.as_bytes().to_vec(), with_weights]
}

/// Answers of a guest: its greeting, a step, scores, and several in a row.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let scores = |name: &str, shape: &str| {
        let header = format!(
            "{{\"{name}\":{{\"dtype\":\"F64\",\"shape\":{shape},\"data_offsets\":[0,32]}}}}"
        );
        let mut payload = (header.len() as u64).to_le_bytes().to_vec();
        payload.extend(header.bytes());
        payload.extend([0.5_f64.ln(); 4].iter().flat_map(|it| it.to_le_bytes()));
        payload
    };
    let messages = [
        (
            "{\"type\":\"ready\",\"protocol\":1,\"name\":\"g\",\"offers\":[\"predict\",\"save\"],\"max_batch\":8,\"fixed_way\":5,\"modules\":{\"m\":\"00\"}}",
            Vec::new(),
        ),
        (
            "{\"type\":\"trained\",\"id\":3,\"loss\":1.5,\"accuracy\":null,\"gradient_norm\":2}",
            Vec::new(),
        ),
        (
            "{\"type\":\"progress\",\"id\":4,\"step\":7,\"loss\":1.5,\"accuracy\":0.5}",
            Vec::new(),
        ),
        (
            "{\"type\":\"prediction\",\"id\":5}",
            scores("0.log_probabilities", "[2,2]"),
        ),
        (
            "{\"type\":\"prediction\",\"id\":5}",
            scores("0.logits", "[2,2]"),
        ),
        (
            "{\"type\":\"features\",\"id\":6}",
            scores("embeddings", "[2,2]"),
        ),
    ];
    let frames = messages.map(|(header, payload)| {
        let mut frame = (header.len() as u32).to_le_bytes().to_vec();
        frame.extend((payload.len() as u64).to_le_bytes());
        frame.extend(header.bytes());
        frame.extend(payload);
        frame
    });
    let all = frames.concat();
    frames.into_iter().chain([all]).collect()
}
