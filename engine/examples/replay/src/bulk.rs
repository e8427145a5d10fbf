//! The file that is sent beside the market data: at the lowest priority, again and again.

use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::generator::Random;
use crate::tape::hash;

/// Bytes of one message: with its header it fills a record of 16 KiB, and is received whole.
pub(crate) const CHUNK_BYTES: usize = 16_000;

/// Bytes of the largest file: it is held in memory, so that the disk is not measured.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 30;

/// Of the generated file.
const SEED: u64 = 64;

/// A file in memory.
pub(crate) struct Bulk {
    bytes: Bytes,
    checksum: u64,
}

impl Bulk {
    /// `mib` MiB that are the same every time.
    pub(crate) fn generated(mib: usize) -> Self {
        let mut random = Random(SEED);
        let mut bytes = Vec::with_capacity(mib << 20);
        for _ in 0..(mib << 20) / size_of::<u64>() {
            bytes.extend_from_slice(&random.next().to_le_bytes());
        }
        Self::of(bytes)
    }

    /// # Errors
    /// One line that names the file.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let told = |what: String| format!("--bulk-file {}: {what}", path.display());
        let len = fs::metadata(path).map_err(|e| told(e.to_string()))?.len();
        if len == 0 || len > FILE_BYTES_MAX {
            return Err(told(format!("{len} bytes: 1 to {FILE_BYTES_MAX} work")));
        }
        let bytes = fs::read(path).map_err(|e| told(e.to_string()))?;
        if bytes.is_empty() {
            return Err(told("the file is empty".into()));
        }
        Ok(Self::of(bytes))
    }

    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let checksum = bytes.chunks(CHUNK_BYTES).fold(0, hash);
        Self {
            bytes: bytes.into(),
            checksum,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Messages of one file.
    pub(crate) fn chunks(&self) -> u64 {
        self.bytes.len().div_ceil(CHUNK_BYTES) as u64
    }

    /// Message `number` of a file that is sent again and again. Shared, not copied.
    pub(crate) fn chunk(&self, number: u64) -> Bytes {
        let begin = (number % self.chunks().max(1)) as usize * CHUNK_BYTES;
        let end = self.bytes.len().min(begin + CHUNK_BYTES);
        self.bytes.slice(begin.min(end)..end)
    }
}

/// Receives the file, as often as it comes.
#[derive(Default)]
pub(crate) struct Receiving {
    bytes: usize,
    hash: u64,
    files: u64,
}

impl Receiving {
    /// The next message.
    ///
    /// # Errors
    /// In words, what is wrong with the file that it ends.
    #[inline]
    pub(crate) fn message(&mut self, file: &Bulk, payload: &[u8]) -> Result<(), String> {
        self.bytes += payload.len();
        self.hash = hash(self.hash, payload);
        if self.bytes < file.len() {
            return Ok(());
        }
        if self.bytes > file.len() || self.hash != file.checksum {
            return Err(format!(
                "file {} has {} bytes with checksum {:016x}, and not {} with {:016x}",
                self.files,
                self.bytes,
                self.hash,
                file.len(),
                file.checksum
            ));
        }
        *self = Self {
            files: self.files + 1,
            ..Self::default()
        };
        Ok(())
    }

    /// The channel has ended. Files that came whole.
    ///
    /// # Errors
    /// In words, what is missing.
    pub(crate) fn finish(&self) -> Result<u64, String> {
        if self.bytes > 0 || self.files == 0 {
            return Err(format!(
                "it ended {} bytes into file {}",
                self.bytes, self.files
            ));
        }
        Ok(self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(file: &Bulk, chunks: &[Bytes]) -> Result<u64, String> {
        let mut receiving = Receiving::default();
        for chunk in chunks {
            receiving.message(file, chunk)?;
        }
        receiving.finish()
    }

    #[test]
    fn a_file_comes_whole_as_often_as_it_is_sent() {
        for len in [1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1] {
            let file = Bulk::of((0..len).map(|i| i as u8).collect());
            let chunks: Vec<Bytes> = (0..2 * file.chunks()).map(|n| file.chunk(n)).collect();
            assert_eq!(receive(&file, &chunks), Ok(2), "{len}");
            for at in 0..chunks.len() {
                let mut some = chunks.clone();
                some.remove(at);
                assert_ne!(receive(&file, &some), Ok(2), "{len} without {at}");
                let mut flipped = chunks[at].to_vec();
                flipped[0] ^= 1;
                some.insert(at, flipped.into());
                assert!(receive(&file, &some).is_err(), "{len} flipped in {at}");
            }
        }
        let file = Bulk::of(vec![0; 10]);
        assert!(receive(&file, &[]).is_err());
    }

    #[test]
    fn the_generated_file_is_the_same_every_time_and_of_its_size() {
        let [a, b] = [(); 2].map(|()| Bulk::generated(1));
        assert_eq!((a.len(), a.checksum), (1 << 20, b.checksum));
    }

    #[test]
    fn a_file_that_cannot_be_sent_is_told_in_one_line() {
        for path in ["/no/such/file", "/dev/null", "/"] {
            let Err(told) = Bulk::load(Path::new(path)) else {
                panic!("{path}");
            };
            assert!(told.contains(path) && !told.contains('\n'), "{told}");
        }
    }
}
