//! Against the direct sums of the definition.

use std::sync::Arc;

use super::*;
use crate::Real;
use crate::fused::arena::Arena;
use crate::fused::simd;

fn geometry(height: usize, width: usize, c_in: usize, c_out: usize) -> Geometry {
    Geometry {
        height,
        width,
        c_in,
        c_out,
        inputs: c_in,
        outputs: c_out,
        kernel: 3,
        stride: 1,
    }
}

/// Repeatable values in `(-1, 1)`.
fn values<T: Real>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            T::of((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// Random inside, zero on the border.
fn padded<T: Real>(n: usize, c: usize, g: &Geometry, seed: u64) -> Vec<T> {
    let inside = values::<T>(n * g.height * g.width * c, seed);
    let mut map = vec![T::ZERO; n * g.padded_pixels() * c];
    for (p, pixel) in inside.chunks_exact(c).enumerate() {
        let (image, p) = (p / (g.height * g.width), p % (g.height * g.width));
        let at = (image * g.padded_pixels() + g.center(p)) * c;
        map[at..][..c].copy_from_slice(pixel);
    }
    map
}

/// `y[p][o] = sum over taps and inputs of x[window(p) + tap][i] * w[o][i][tap]`, in f64.
fn direct<T: Real>(x: &[T], w: &[T], g: &Geometry) -> Vec<f64> {
    let mut y = Vec::new();
    for x in x.chunks_exact(g.in_len()) {
        for p in 0..g.out_pixels() {
            for o in 0..g.c_out {
                let mut sum = 0.0;
                for tap in 0..9 {
                    let pixel = g.window(p) + tap / 3 * g.padded_width() + tap % 3;
                    for i in 0..g.c_in {
                        sum += x[pixel * g.c_in + i].wide() * w[(o * g.c_in + i) * 9 + tap].wide();
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

/// `dw[o][i][tap] = sum over p of x[window(p) + tap][i] * gradient[center(p)][o]`, in f64.
fn direct_gradient<T: Real>(x: &[T], gradient: &[T], g: &Geometry) -> Vec<f64> {
    let mut dw = vec![0.0; g.n_weights()];
    let images = x.chunks_exact(g.in_len());
    for (x, gradient) in images.zip(gradient.chunks_exact(g.gradient_len())) {
        for p in 0..g.out_pixels() {
            for o in 0..g.c_out {
                let gradient = gradient[g.center(p) * g.c_out + o].wide();
                for tap in 0..9 {
                    let pixel = g.window(p) + tap / 3 * g.padded_width() + tap % 3;
                    for i in 0..g.c_in {
                        dw[(o * g.c_in + i) * 9 + tap] += x[pixel * g.c_in + i].wide() * gradient;
                    }
                }
            }
        }
    }
    dw
}

fn largest_error<T: Real>(got: &[T], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(0.0_f64, |max, y| max.max(y.abs()));
    let error = got
        .iter()
        .zip(expected)
        .fold(0.0_f64, |max, (got, y)| max.max((got.wide() - y).abs()));
    error / scale
}

fn check<T: Real>(g: &Geometry, n: usize, tolerance: f64) {
    let arena = Arc::new(Arena::default());
    let mut scratch = Scratch::new(&arena, g);
    let x = padded::<T>(n, g.c_in, g, 1);
    let w = values::<T>(g.n_weights(), 2);
    let gradient = padded::<T>(n, g.c_out, g, 3);

    let filter = Filter::pack(&w, g, &arena);
    let mut y = vec![T::ZERO; n * g.out_len()];
    let run = |y: &mut [T], accumulate, scratch: &mut Scratch<T>| {
        simd::dispatch(
            #[inline(always)]
            || match filter.lanes() {
                32 => convolve::<T, 32>(&x, &filter, y, g, accumulate, scratch),
                _ => convolve::<T, 16>(&x, &filter, y, g, accumulate, scratch),
            },
        );
    };
    run(&mut y, false, &mut scratch);
    let expected = direct(&x, &w, g);
    let error = largest_error(&y, &expected);
    assert!(error < tolerance, "{g:?}: {error:e}");
    run(&mut y, true, &mut scratch);
    let twice: Vec<f64> = expected.iter().map(|y| 2.0 * y).collect();
    let error = largest_error(&y, &twice);
    assert!(error < tolerance, "{g:?}, accumulated: {error:e}");

    let mut sums = vec![T::ZERO; g.n_weights()];
    simd::dispatch(
        #[inline(always)]
        || match simd::lanes::<T>(g.c_out) {
            32 => weight_gradient::<T, 32>(&x, &gradient, &mut sums, g, false, &mut scratch),
            _ => weight_gradient::<T, 16>(&x, &gradient, &mut sums, g, false, &mut scratch),
        },
    );
    let mut dw = vec![T::ZERO; g.n_weights()];
    crate::fused::conv_weight::add_in_torch_order(&[sums], &mut dw, g);
    let error = largest_error(&dw, &direct_gradient(&x, &gradient, g));
    assert!(error < tolerance, "{g:?}, weights: {error:e}");

    // The gradient at the input is the convolution of the gradient map with the turned weights.
    let back = g.transposed();
    let filter = Filter::pack_transposed(&w, g, &arena);
    let mut dx = vec![T::ZERO; n * back.out_len()];
    simd::dispatch(
        #[inline(always)]
        || match filter.lanes() {
            32 => convolve::<T, 32>(&gradient, &filter, &mut dx, &back, false, &mut scratch),
            _ => convolve::<T, 16>(&gradient, &filter, &mut dx, &back, false, &mut scratch),
        },
    );
    let mut turned = vec![T::ZERO; w.len()];
    for o in 0..g.c_out {
        for i in 0..g.c_in {
            for tap in 0..9 {
                turned[(i * g.c_out + o) * 9 + tap] = w[(o * g.c_in + i) * 9 + 8 - tap];
            }
        }
    }
    let error = largest_error(&dx, &direct(&gradient, &turned, &back));
    assert!(error < tolerance, "{g:?}, input: {error:e}");
}

#[test]
fn every_shape_equals_the_direct_sum() {
    for (height, width) in [(14, 14), (7, 7), (2, 2), (1, 1), (5, 8), (9, 3)] {
        for (c_in, c_out) in [(16, 16), (64, 64), (16, 48), (48, 32), (32, 16)] {
            let g = geometry(height, width, c_in, c_out);
            check::<f64>(&g, 3, 1e-13);
            check::<f32>(&g, 3, 1e-5);
        }
    }
}

#[test]
fn it_is_taken_where_it_saves_multiplications() {
    assert!(pays(&geometry(14, 14, 64, 64)));
    assert!(pays(&geometry(7, 7, 64, 64)));
    // One tile for 3x3 outputs: more weights to transform than products saved.
    assert!(!pays(&geometry(3, 3, 64, 64)));
    assert!(!pays(&geometry(28, 28, 1, 64)));
    let strided = Geometry {
        stride: 2,
        ..geometry(14, 14, 64, 64)
    };
    assert!(!pays(&strided));
}
