//! Mask keys (RFC 6455 sections 5.3 and 10.3): unpredictable, and drawn in blocks.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The source of a client's mask keys. The generator makes 64 keys at a time, so that a key
/// costs a load.
#[derive(Debug)]
pub(crate) struct MaskKeys(ChaCha8Rng);

impl MaskKeys {
    /// `seed` comes from the operating system's generator, or from a test.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    #[inline]
    pub(crate) fn next(&mut self) -> [u8; 4] {
        self.0.next_u32().to_ne_bytes()
    }
}
