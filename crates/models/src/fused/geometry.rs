//! Shapes of one convolution in memory: channels last, the input padded, so that a row of a window is one run.

/// Images of one parallel unit. Fixed, and sums over units are added in order, so that no bit depends on the number of
/// threads.
pub(super) const GROUP: usize = 8;

/// Channels that the kernels take at a time. What a layer makes has a multiple of them: those past its width have weights of
/// zero, and are zero in every map and every derivative. So no kernel handles a remainder, and a width between two multiples
/// costs what the larger does.
pub(super) const LANES: usize = 16;

/// Channels in memory for `channels` with weights.
pub(super) fn padded_channels(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// A square convolution with "same" padding (`kernel / 2`).
///
/// Input of an image: `(height + 2 pad, width + 2 pad, c_in)`; output: `(out_height, out_width, c_out)`. A linear layer
/// is a 1x1 convolution of a 1x1 image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Channels in memory of the input and of the output.
    pub(super) c_in: usize,
    pub(super) c_out: usize,
    /// The first of them, which have weights; see [`LANES`].
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// 1 or 3.
    pub(super) kernel: usize,
    /// 1 or 2.
    pub(super) stride: usize,
}

impl Geometry {
    pub(super) fn pad(&self) -> usize {
        self.kernel / 2
    }

    /// Pixels of a padded row.
    pub(super) fn padded_width(&self) -> usize {
        self.width + 2 * self.pad()
    }

    /// Pixels of a padded image.
    pub(super) fn padded_pixels(&self) -> usize {
        (self.height + 2 * self.pad()) * self.padded_width()
    }

    /// Values of a padded input image.
    pub(super) fn in_len(&self) -> usize {
        self.padded_pixels() * self.c_in
    }

    pub(super) fn out_height(&self) -> usize {
        (self.height - 1) / self.stride + 1
    }

    pub(super) fn out_width(&self) -> usize {
        (self.width - 1) / self.stride + 1
    }

    pub(super) fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Values of an output image.
    pub(super) fn out_len(&self) -> usize {
        self.out_pixels() * self.c_out
    }

    /// Values of a weight gradient in kernel order, `(kernel row, kernel column, c_in, c_out)`.
    pub(super) fn n_weights(&self) -> usize {
        self.kernel * self.kernel * self.c_in * self.c_out
    }

    /// Which kernel of PyTorch's order `(outputs, inputs, kernel row, kernel column)` belongs to two channels; none if one of
    /// them has no weights.
    #[inline(always)]
    pub(super) fn kernel_of(&self, input: usize, out: usize) -> Option<usize> {
        if input < self.inputs && out < self.outputs {
            Some(out * self.inputs + input)
        } else {
            None
        }
    }

    /// Padded pixel at the top left of the window of output pixel `p`.
    #[inline(always)]
    pub(super) fn window(&self, p: usize) -> usize {
        let (row, column) = (p / self.out_width(), p % self.out_width());
        (row * self.padded_width() + column) * self.stride
    }

    /// Padded pixel at the center of that window: where the gradient of output pixel `p` lies in a map as large as the
    /// padded input (zeros between, if the stride is 2).
    #[inline(always)]
    pub(super) fn center(&self, p: usize) -> usize {
        self.window(p) + self.pad() * (self.padded_width() + 1)
    }

    /// Values of such a gradient map.
    pub(super) fn gradient_len(&self) -> usize {
        self.padded_pixels() * self.c_out
    }

    /// Makes zero whatever such a map holds besides the output pixels: the border, and what a stride leaves between them.
    pub(super) fn clear_gaps<E: Copy + Default>(&self, map: &mut [E]) {
        if self.stride == 1 {
            let (rows, columns) = (self.height + 2 * self.pad(), self.padded_width());
            clear_border(map, [rows, columns], self.pad(), self.c_out);
        } else {
            map.fill(E::default());
        }
    }

    /// The convolution that pulls a gradient map back to the (unpadded) input.
    pub(super) fn transposed(&self) -> Self {
        Self {
            c_in: self.c_out,
            c_out: self.c_in,
            inputs: self.outputs,
            outputs: self.inputs,
            stride: 1,
            ..*self
        }
    }
}

/// Copies `(n, height, width, inputs)` into a padded `(n, height + 2 pad, width + 2 pad, c_in)`; what is around it becomes zero.
pub(super) fn pad_images<E: Copy + Default>(from: &[E], to: &mut [E], g: &Geometry) {
    let size = [g.height + 2 * g.pad(), g.padded_width()];
    clear_border(to, size, g.pad(), g.c_in);
    let row = g.width * g.inputs;
    let (image, padded) = (g.height * row, g.in_len());
    for (from, to) in from.chunks_exact(image).zip(to.chunks_exact_mut(padded)) {
        for (y, from) in from.chunks_exact(row).enumerate() {
            let start = ((y + g.pad()) * g.padded_width() + g.pad()) * g.c_in;
            let to = &mut to[start..start + g.width * g.c_in];
            if g.inputs == g.c_in {
                to.copy_from_slice(from);
                continue;
            }
            for (from, to) in from.chunks_exact(g.inputs).zip(to.chunks_exact_mut(g.c_in)) {
                to[..g.inputs].copy_from_slice(from);
                to[g.inputs..].fill(E::default());
            }
        }
    }
}

/// Makes the border of images `(n, rows, columns, c)` zero, `pad` pixels on each side; `rows` and `columns` count it.
pub(super) fn clear_border<E: Copy + Default>(
    images: &mut [E],
    [rows, columns]: [usize; 2],
    pad: usize,
    c: usize,
) {
    let row = columns * c;
    let (above, beside) = (pad * row, pad * c);
    for image in images.chunks_exact_mut(rows * row) {
        let below = image.len() - above;
        image[..above].fill(E::default());
        image[below..].fill(E::default());
        for row in image[above..below].chunks_exact_mut(row) {
            let right = row.len() - beside;
            row[..beside].fill(E::default());
            row[right..].fill(E::default());
        }
    }
}
