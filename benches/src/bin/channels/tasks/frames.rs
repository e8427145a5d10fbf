//! Messages in a byte stream: a length of two bytes, then the message.

use anyhow::{Context as _, Result};
use bytes::BufMut;

/// Bytes of the length, little-endian: messages are below 64 KiB.
const LENGTH: usize = 2;

/// Appends a message.
pub(super) fn put(out: &mut impl BufMut, message: &[u8]) -> Result<()> {
    let len = u16::try_from(message.len()).context("messages are below 64 KiB")?;
    out.put_u16_le(len);
    out.put_slice(message);
    Ok(())
}

/// Takes messages out of chunks that may be cut anywhere. A message that is whole in one chunk is
/// lent from it.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    /// The start of an incomplete message, with its length.
    partial: Vec<u8>,
}

/// The first message, and the rest behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
}

impl Deframer {
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(&[u8])) {
        while !self.partial.is_empty() && !chunk.is_empty() {
            let need = match self.partial.first_chunk::<LENGTH>() {
                None => LENGTH - self.partial.len(),
                Some(len) => LENGTH + usize::from(u16::from_le_bytes(*len)) - self.partial.len(),
            };
            let (own, rest) = chunk.split_at(need.min(chunk.len()));
            self.partial.extend_from_slice(own);
            chunk = rest;
            if let Some((message, _)) = split(&self.partial) {
                each(message);
                self.partial.clear();
            }
        }
        while let Some((message, rest)) = split(chunk) {
            each(message);
            chunk = rest;
        }
        self.partial.extend_from_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_wherever_they_are_cut() {
        let messages: Vec<Vec<u8>> = [0, 1, 3, 300, 0, 7]
            .iter()
            .enumerate()
            .map(|(at, len)| vec![at as u8 + 1; *len])
            .collect();
        let mut bytes = Vec::new();
        for message in &messages {
            put(&mut bytes, message).unwrap();
        }
        for one in 0..=bytes.len() {
            for two in one..=bytes.len() {
                let mut deframer = Deframer::default();
                let mut came = Vec::new();
                for chunk in [&bytes[..one], &bytes[one..two], &bytes[two..]] {
                    deframer.feed(chunk, |message| came.push(message.to_vec()));
                }
                assert_eq!(came, messages, "cut at {one} and {two}");
            }
        }
    }
}
