//! Run-time SIMD dispatch: one binary for every CPU, no `unsafe`, no intrinsics.
//!
//! The loops are plain arrays; compiled under pulp's feature detection they become AVX2, AVX-512 or NEON code. Every
//! closure handed to [`dispatch`] has to be `#[inline(always)]`, or it is compiled without fused multiply-add and
//! `mul_add` becomes a library call.

use pulp::{Arch, NullaryFnOnce};

struct Inlined<F>(F);

impl<R, F: FnOnce() -> R> NullaryFnOnce for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}

/// Runs `f` compiled for the best instruction set of this CPU.
#[inline(always)]
pub(crate) fn dispatch<R>(f: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Inlined(f))
}

/// Output channels of a register tile: as many as this CPU's registers hold, and not many more than there are. Their
/// number does not change any bit.
#[inline(always)]
pub(super) fn lanes<T>(channels: usize) -> usize {
    let is_wide = instruction_set() == "x86-64-v4" && size_of::<T>() == 4;
    if is_wide && channels > 16 { 32 } else { 16 }
}

/// Name of the instruction set that the kernels run under; other sets may round differently, so records state it.
#[must_use]
pub fn instruction_set() -> &'static str {
    match Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(_) => "x86-64-v4",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(_) => "x86-64-v3",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        _ => "scalar",
    }
}
