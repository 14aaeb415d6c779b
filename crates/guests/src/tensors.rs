//! Payloads: images and labels out, scores in.

use metastable_algorithms::Task;
use metastable_models::{ImageShape, Real};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::order::order;

/// Values that are turned into bytes before it is asked whether they were bytes.
const AT_ONCE: usize = 4096;

/// A tensor on its way out.
pub(crate) struct Out {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Out {
    pub(crate) fn labels(name: String, labels: impl Iterator<Item = usize>) -> Self {
        let bytes: Vec<u8> = labels
            .flat_map(|label| (label as i64).to_le_bytes())
            .collect();
        Self {
            name,
            dtype: Dtype::I64,
            shape: vec![bytes.len() / 8],
            bytes,
        }
    }

    pub(crate) fn singles(name: String, shape: &[usize], values: &[f32]) -> Self {
        Self {
            name,
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    pub(crate) fn doubles(name: String, shape: &[usize], values: &[f64]) -> Self {
        Self {
            name,
            dtype: Dtype::F64,
            shape: shape.to_vec(),
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    pub(crate) fn images(name: String, images: Images) -> Self {
        let ImageShape {
            height,
            width,
            channels,
        } = images.shape;
        Self {
            name,
            dtype: images.dtype,
            shape: vec![images.len(), channels, height, width],
            bytes: images.bytes,
        }
    }
}

/// The payload of some tensors.
pub(crate) fn payload(tensors: &[Out]) -> Result<Vec<u8>, String> {
    let views = tensors
        .iter()
        .map(|out| {
            let view = TensorView::new(out.dtype, out.shape.clone(), &out.bytes);
            Ok((out.name.as_str(), view.map_err(|error| error.to_string())?))
        })
        .collect::<Result<Vec<_>, String>>()?;
    safetensors::serialize(views, None).map_err(|error| error.to_string())
}

/// Images as bytes, `(n, channels, height, width)`: `u8` where every pixel is a byte over 255, which is what images come from;
/// `f32` otherwise.
pub(crate) struct Images {
    dtype: Dtype,
    shape: ImageShape,
    bytes: Vec<u8>,
}

impl Images {
    /// Of rows `(height, width, channels)`.
    pub(crate) fn new<T: Real>(images: &[T], shape: ImageShape) -> Self {
        let (dtype, bytes) = match as_bytes(images) {
            Some(bytes) => (Dtype::U8, bytes),
            None => {
                let bytes = images.iter().flat_map(|value| single(*value).to_le_bytes());
                (Dtype::F32, bytes.collect())
            }
        };
        let mut images = Self {
            dtype,
            shape,
            bytes,
        };
        images.put_channels_first();
        images
    }

    /// Bytes of a value.
    fn value_width(&self) -> usize {
        if self.dtype == Dtype::U8 { 1 } else { 4 }
    }

    /// Bytes of an image.
    fn width(&self) -> usize {
        self.value_width() * self.shape.height * self.shape.width * self.shape.channels
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.width().max(1)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.width().max(1))
    }

    /// The same rows in another order, a permutation: row `order[at]` comes to place `at`. They are moved within their memory, cycle by
    /// cycle: new memory for each message costs more than the copying.
    pub(crate) fn ordered(mut self, order: &[usize]) -> Self {
        let width = self.width();
        let row = |at: usize| at * width..(at + 1) * width;
        let mut is_placed = vec![false; order.len()];
        let mut spare = vec![0; width];
        for start in 0..order.len() {
            if is_placed[start] {
                continue;
            }
            spare.copy_from_slice(&self.bytes[row(start)]);
            let mut at = start;
            loop {
                is_placed[at] = true;
                let from = order[at];
                if from == start {
                    self.bytes[row(at)].copy_from_slice(&spare);
                    break;
                }
                self.bytes.copy_within(row(from), row(at).start);
                at = from;
            }
        }
        self
    }

    fn put_channels_first(&mut self) {
        let (n_pixels, n_channels) = (self.shape.height * self.shape.width, self.shape.channels);
        if n_channels <= 1 {
            return;
        }
        let of_value = self.value_width();
        let mut turned = Vec::with_capacity(self.bytes.len());
        for row in self.bytes.chunks_exact(n_pixels * n_channels * of_value) {
            for channel in 0..n_channels {
                for pixel in 0..n_pixels {
                    let at = (pixel * n_channels + channel) * of_value;
                    turned.extend_from_slice(&row[at..at + of_value]);
                }
            }
        }
        self.bytes = turned;
    }
}

fn single<T: Real>(value: T) -> f32 {
    value.wide() as f32
}

/// Each value as the byte that it is a 255th of; none if one of them is no such thing.
fn as_bytes<T: Real>(values: &[T]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; values.len()];
    for (values, bytes) in values.chunks(AT_ONCE).zip(bytes.chunks_mut(AT_ONCE)) {
        // Without a branch in the loop it is one of vectors: this is most of what a message costs.
        let mut differing = 0;
        for (value, byte) in values.iter().zip(bytes) {
            let value = single(*value);
            // From 2^23 on the last bits of a number are those of an integer. What is no byte gives some byte, and is found out.
            #[allow(
                clippy::cast_possible_truncation,
                reason = "the last eight bits are meant"
            )]
            let last_bits = (value * 255.0 + 8_388_608.0).to_bits() as u8;
            *byte = last_bits;
            differing |= (f32::from(last_bits) / 255.0).to_bits() ^ value.to_bits();
        }
        if differing != 0 {
            return None;
        }
    }
    Some(bytes)
}

/// A task as it is sent, and how its queries are put back.
pub(crate) struct Sent {
    pub(crate) tensors: Vec<Out>,
    /// Row of the task of each query sent.
    pub(crate) queries: Vec<usize>,
}

/// Which labels of the queries go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryLabels {
    /// For training.
    Sent,
    /// For everything else.
    Kept,
}

/// The tensors of task `number` of a message.
pub(crate) fn task<T: Real>(
    number: usize,
    task: &Task<T>,
    shape: ImageShape,
    labels: QueryLabels,
) -> Sent {
    let key = task.arrangement();
    let name = |what: &str| format!("{number}.{what}");
    let supports = Images::new(task.support_images(), shape);
    let order_of_supports = order(supports.rows(), key);
    let queries = Images::new(task.query_images(), shape);
    let order_of_queries = order(queries.rows(), 0);
    let support_labels = order_of_supports
        .iter()
        .map(|at| task.support_labels()[*at]);
    let mut tensors = vec![
        Out::labels(name("support.labels"), support_labels),
        Out::images(name("support.images"), supports.ordered(&order_of_supports)),
        Out::images(name("query.images"), queries.ordered(&order_of_queries)),
    ];
    if labels == QueryLabels::Sent {
        let of_queries = order_of_queries.iter().map(|at| task.query_labels()[*at]);
        tensors.push(Out::labels(name("query.labels"), of_queries));
    }
    Sent {
        tensors,
        queries: order_of_queries,
    }
}

/// Numbers of a tensor that came, `f32` or `f64`, with its shape.
pub(crate) fn numbers(
    payload: &SafeTensors<'_>,
    name: &str,
) -> Result<(Vec<usize>, Vec<f64>), String> {
    let view = payload
        .tensor(name)
        .map_err(|_| format!("tensor {name} is missing; there are {:?}", payload.names()))?;
    let values = match view.dtype() {
        Dtype::F32 => view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into())
            .collect(),
        Dtype::F64 => view
            .data()
            .chunks_exact(8)
            .map(|bytes| {
                let mut eight = [0; 8];
                eight.copy_from_slice(bytes);
                f64::from_le_bytes(eight)
            })
            .collect(),
        other => {
            return Err(format!(
                "tensor {name} is {other:?}, and F32 or F64 is expected"
            ));
        }
    };
    Ok((view.shape().to_vec(), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape {
        height: 1,
        width: 2,
        channels: 1,
    };

    #[test]
    fn bytes_stay_bytes_and_other_values_are_not_rounded() {
        let grey = Images::new(&[0.0_f32, 1.0, 37.0 / 255.0, 254.0 / 255.0], SHAPE);
        assert_eq!(
            (grey.dtype, grey.bytes.as_slice()),
            (Dtype::U8, [0, 255, 37, 254].as_slice())
        );
        let near = f32::from_bits((37.0_f32 / 255.0).to_bits() + 1);
        for value in [
            0.5,
            near,
            -0.0,
            -0.1,
            1.1,
            256.0 / 255.0,
            1e30,
            f32::INFINITY,
            f32::NAN,
        ] {
            let other = Images::new(&[value, 0.0], SHAPE);
            assert_eq!(other.dtype, Dtype::F32);
            assert_eq!(other.bytes[..4], value.to_le_bytes());
        }
    }

    #[test]
    fn every_byte_comes_through_in_either_precision() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|at| (at % 256) as u8).collect();
        let single: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        let double: Vec<f64> = single.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(Images::new(&single, SHAPE).bytes, bytes);
        assert_eq!(Images::new(&double, SHAPE).bytes, bytes);
        // The last value is in another piece than the first.
        let mut other = single;
        other[19_999] += 0.001;
        assert_eq!(Images::new(&other, SHAPE).dtype, Dtype::F32);
    }

    #[test]
    fn rows_are_put_in_any_order() {
        let values = [0_u8, 1, 10, 11, 20, 21, 30, 31].map(|byte| f32::from(byte) / 255.0);
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0], [2, 0, 1, 3]] {
            let expected: Vec<u8> = order
                .iter()
                .flat_map(|at| [10 * *at as u8, 10 * *at as u8 + 1])
                .collect();
            assert_eq!(Images::new(&values, SHAPE).ordered(&order).bytes, expected);
        }
    }

    #[test]
    fn channels_come_first() {
        let shape = ImageShape {
            channels: 3,
            ..SHAPE
        };
        let values: Vec<f32> = [1, 2, 3, 11, 12, 13]
            .map(|byte: u8| f32::from(byte) / 255.0)
            .to_vec();
        assert_eq!(Images::new(&values, shape).bytes, [1, 11, 2, 12, 3, 13]);
    }
}
