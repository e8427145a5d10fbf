//! Mask keys (RFC 6455 sections 5.3 and 10.3): unpredictable, and generated in blocks.

use core::fmt;

use rand_chacha::ChaCha8Core;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::rand_core::block::Generator;

/// Keys in a block: the output of one generator call.
const BLOCK_KEYS: usize = 64;

/// The source of mask keys of a client. Except for one key in each block, a key costs one load.
pub(crate) struct MaskKeys {
    generator: ChaCha8Core,
    block: [u32; BLOCK_KEYS],
    /// Number of keys of the block that are used.
    used: usize,
}

impl MaskKeys {
    /// `seed` must come from a cryptographically secure generator. A test may use a fixed seed.
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

    /// Generates a new block and returns its first key.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> u32 {
        self.generator.generate(&mut self.block);
        self.used = 0;
        self.block[0]
    }
}

/// Prints no key: unsent keys are secret.
impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskKeys").finish_non_exhaustive()
    }
}
