//! The messages, and the digest that both ends compute.
//!
//! The digest of a channel covers every byte and the order of its messages. The digest of a run is
//! the sum over the channels, so that the order between channels does not count.

/// Number of places on the tape at which messages begin.
const PLACES: usize = 64;
/// Bytes between two places.
const STEP: usize = 8;
/// An odd factor: multiplication by it loses no state.
const ORDER: u64 = 0x9e37_79b9_7f4a_7c15;
/// Messages between two readings of the clock.
const CLOCK_EVERY: u64 = 1024;

/// The digest of one message: the sum of every word times an odd number for its place.
#[inline]
pub(crate) fn digest(message: &[u8]) -> u64 {
    let (words, rest) = message.as_chunks::<8>();
    let mut sum = message.len() as u64;
    let mut place = 1_u64;
    for word in words {
        sum = sum.wrapping_add(u64::from_le_bytes(*word).wrapping_mul(place));
        place = place.wrapping_add(2);
    }
    let mut last = [0; 8];
    if let Some(last) = last.get_mut(..rest.len()) {
        last.copy_from_slice(rest);
    }
    sum.wrapping_add(u64::from_le_bytes(last).wrapping_mul(place))
}

/// Adds a message's digest to the digest of its channel; returns what it adds to the digest of the
/// run.
#[inline]
pub(crate) fn follow(lane: &mut u64, message: u64) -> u64 {
    let before = *lane;
    *lane = before.wrapping_mul(ORDER).wrapping_add(message);
    lane.wrapping_sub(before)
}

/// An endless sequence of messages of one size.
#[derive(Debug)]
pub(crate) struct Load {
    tape: Vec<u8>,
    bytes: usize,
    digests: Vec<u64>,
    next: usize,
    /// The digest of each channel.
    lanes: Vec<u64>,
    /// Messages of one turn of a channel.
    share: usize,
    /// Messages of the current turn that are sent.
    in_turn: usize,
    /// The channel whose turn it is.
    lane: usize,
    /// The count at which the clock is read next.
    clock_at: u64,
    pub(crate) count: u64,
    pub(crate) digest: u64,
}

impl Load {
    /// `burst` messages are ready at once, in turn over the channels: a turn of a channel has
    /// `burst / channels` messages, at least one.
    pub(crate) fn new(bytes: usize, channels: usize, burst: usize) -> Load {
        let mut state = 0x0123_4567_89ab_cdef_u64;
        let mut byte = || {
            state = state.wrapping_mul(ORDER).wrapping_add(ORDER);
            (state >> 56) as u8
        };
        let tape: Vec<u8> = (0..bytes + PLACES * STEP).map(|_| byte()).collect();
        let digests = (0..PLACES)
            .map(|place| digest(&tape[place * STEP..][..bytes]))
            .collect();
        Load {
            tape,
            bytes,
            digests,
            next: 0,
            lanes: vec![0; channels],
            share: (burst / channels).max(1),
            in_turn: 0,
            lane: 0,
            clock_at: 0,
            count: 0,
            digest: 0,
        }
    }

    /// The message to send next.
    #[inline]
    pub(crate) fn peek(&self) -> &[u8] {
        self.upcoming(0)
    }

    /// The message behind the next `messages` ones.
    #[inline]
    pub(crate) fn upcoming(&self, messages: usize) -> &[u8] {
        &self.tape[(self.next + messages) % PLACES * STEP..][..self.bytes]
    }

    /// Counts the message as sent. After the last message of a turn, the next channel has its turn.
    #[inline]
    pub(crate) fn sent(&mut self) {
        let added = follow(&mut self.lanes[self.lane], self.digests[self.next]);
        self.digest = self.digest.wrapping_add(added);
        self.count += 1;
        self.next = (self.next + 1) % PLACES;
        self.in_turn += 1;
        if self.in_turn == self.share {
            self.in_turn = 0;
            self.lane += 1;
            if self.lane == self.lanes.len() {
                self.lane = 0;
            }
        }
    }

    /// The channel whose turn it is.
    pub(crate) fn lane(&self) -> usize {
        self.lane
    }

    pub(crate) fn channels(&self) -> usize {
        self.lanes.len()
    }

    /// Messages of one turn of a channel.
    pub(crate) fn share(&self) -> usize {
        self.share
    }

    /// After a turn: whether to read the clock. That is so after a whole round over the channels,
    /// and not more often than every [`CLOCK_EVERY`] messages.
    pub(crate) fn reads_clock(&mut self) -> bool {
        let is_due = self.lane == 0 && self.in_turn == 0 && self.count >= self.clock_at;
        if is_due {
            self.clock_at = self.count + CLOCK_EVERY;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_order_count() {
        for len in [1, 7, 8, 9, 40, 64] {
            let message: Vec<u8> = (1..=len as u8).collect();
            let whole = digest(&message);
            for at in 0..len {
                let mut other = message.clone();
                other[at] ^= 0x80;
                assert_ne!(digest(&other), whole, "byte {at} of {len}");
            }
            assert_ne!(digest(&message[..len - 1]), whole, "{len}");
        }
        let (mut one, mut two) = (0, 0);
        for (a, b) in [(5, 9), (9, 5)] {
            follow(&mut one, a);
            follow(&mut two, b);
        }
        assert_ne!(one, two);
    }

    #[test]
    fn what_is_sent_is_what_a_receiver_adds_up() {
        let mut load = Load::new(40, 3, 8);
        assert_eq!(load.share(), 2);
        let (mut lanes, mut total, mut count) = ([0; 3], 0_u64, 0);
        for at in 0..100 {
            let (lane, message) = (load.lane(), load.peek());
            assert_eq!(lane, at / 2 % 3);
            total = total.wrapping_add(follow(&mut lanes[lane], digest(message)));
            count += 1;
            load.sent();
        }
        assert_eq!((load.digest, load.count), (total, count));
    }
}
