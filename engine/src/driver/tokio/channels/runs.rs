//! Runs of messages as slices of the application's types, checked by zerocopy.

use zerocopy::{FromBytes, Immutable, Unaligned};

use super::batch::BatchRun;

impl<'b> BatchRun<'b> {
    /// The messages as values, without a copy; `None` if the size of `T` is not
    /// [`elem`](Self::elem). The bytes are not aligned: use field types that need no alignment,
    /// such as `zerocopy::little_endian::U64`.
    ///
    /// ```
    /// # use tickwire::channels::BatchRun;
    /// use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian::U64};
    ///
    /// #[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
    /// #[repr(C)]
    /// struct Tick {
    ///     at: U64,
    ///     price: U64,
    /// }
    ///
    /// fn last(run: &BatchRun<'_>) -> Option<u64> {
    ///     Some(run.as_slice::<Tick>()?.last()?.price.get())
    /// }
    /// ```
    #[must_use]
    pub fn as_slice<T: FromBytes + Immutable + Unaligned>(&self) -> Option<&'b [T]> {
        if self.elem != size_of::<T>() {
            return None;
        }
        <[T]>::ref_from_bytes(self.bytes).ok()
    }
}
