//! The two floating-point types that everything numerical is generic over.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// What the portable backend asks of a number; nothing without the feature `candle`.
#[cfg(feature = "candle")]
pub trait Portable: candle_core::WithDType {}
#[cfg(feature = "candle")]
impl<T: candle_core::WithDType> Portable for T {}

/// What the portable backend asks of a number; nothing without the feature `candle`.
#[cfg(not(feature = "candle"))]
pub trait Portable {}
#[cfg(not(feature = "candle"))]
impl<T> Portable for T {}

/// `f32` (training) or `f64` (derivative checks and golden values).
///
/// What each backend asks of a number rides along, so that code above needs one bound.
pub trait Real:
    crate::Vector
    + Portable
    + Copy
    + Default
    + Send
    + Sync
    + Debug
    + Display
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Nearest value of this type.
    fn of(x: f64) -> Self;
    /// The same number in double precision.
    fn wide(self) -> f64;
    /// `self * a + b`, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// e to the power of `self`.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

macro_rules! real {
    ($float:ty) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rounding to the working precision is the purpose"
            )]
            fn of(x: f64) -> Self {
                x as $float
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                self.mul_add(a, b)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                <$float>::sqrt(self)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                <$float>::exp(self)
            }

            #[inline(always)]
            fn ln(self) -> Self {
                <$float>::ln(self)
            }

            #[inline(always)]
            fn is_finite(self) -> bool {
                <$float>::is_finite(self)
            }
        }
    };
}

real!(f32);
real!(f64);
