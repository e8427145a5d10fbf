//! Mask keys (RFC 6455 sections 5.3 and 10.3): unpredictable, and drawn in blocks.

use core::fmt;

use rand_chacha::ChaCha8Core;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::rand_core::block::Generator;

/// Keys of a block: what the generator makes at a time.
const BLOCK_KEYS: usize = 64;

/// The source of a client's mask keys. All but one key of a block cost a load.
pub(crate) struct MaskKeys {
    generator: ChaCha8Core,
    block: [u32; BLOCK_KEYS],
    /// Keys of the block that are used.
    used: usize,
}

impl MaskKeys {
    /// `seed` comes from the operating system's generator, or from a test.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            generator: ChaCha8Core::from_seed(seed),
            block: [0; BLOCK_KEYS],
            used: BLOCK_KEYS,
        }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> [u8; 4] {
        let key = match self.block.get(self.used) {
            Some(&key) => key,
            None => self.refill(),
        };
        self.used += 1;
        key.to_ne_bytes()
    }

    /// The first key of a new block.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> u32 {
        self.generator.generate(&mut self.block);
        self.used = 0;
        self.block[0]
    }
}

/// Keys that were not sent are secret.
impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}
