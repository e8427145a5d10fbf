//! The messages, and the digest that both ends make of them.
//!
//! The digest of a channel takes every byte and the order of its messages; that of a run is the
//! sum over the channels, so that their order among each other does not count.

/// Messages begin at this many places of the tape.
const PLACES: usize = 64;
/// Bytes from one place to the next.
const STEP: usize = 8;
/// Odd, so that no state is lost by multiplying.
const ORDER: u64 = 0x9e37_79b9_7f4a_7c15;
/// Messages between two looks at the clock.
const LOOK_EVERY: u64 = 1024;

/// One number of a message: every word times an odd number of its place.
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

/// The digest of a channel so far, and how much a message adds to that of the run.
#[inline]
pub(crate) fn follow(lane: &mut u64, message: u64) -> u64 {
    let before = *lane;
    *lane = before.wrapping_mul(ORDER).wrapping_add(message);
    lane.wrapping_sub(before)
}

/// Messages of one size, without end.
#[derive(Debug)]
pub(crate) struct Load {
    tape: Vec<u8>,
    bytes: usize,
    digests: Vec<u64>,
    next: usize,
    /// The digest of each channel.
    lanes: Vec<u64>,
    /// Messages of a turn.
    share: usize,
    /// Of these, how many are sent.
    in_turn: usize,
    /// The channel whose turn it is.
    lane: usize,
    /// The count from which the clock is looked at next.
    look_at: u64,
    pub(crate) count: u64,
    pub(crate) digest: u64,
}

impl Load {
    /// An application has `burst` messages at once, in turn over its channels: so many of a
    /// channel can be sent in one go.
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
            look_at: 0,
            count: 0,
            digest: 0,
        }
    }

    /// The message to send next.
    #[inline]
    pub(crate) fn peek(&self) -> &[u8] {
        self.upcoming(0)
    }

    /// The message that is sent after `messages` others.
    #[inline]
    pub(crate) fn upcoming(&self, messages: usize) -> &[u8] {
        &self.tape[(self.next + messages) % PLACES * STEP..][..self.bytes]
    }

    /// The message is sent: after the last one of a turn it is the next channel's.
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

    /// Messages of a channel's turn.
    pub(crate) fn share(&self) -> usize {
        self.share
    }

    /// After a turn, whether to look at the clock: a round is over, so that all have sent, and it
    /// is not after every message.
    pub(crate) fn looks_at_clock(&mut self) -> bool {
        let looks = self.lane == 0 && self.in_turn == 0 && self.count >= self.look_at;
        if looks {
            self.look_at = self.count + LOOK_EVERY;
        }
        looks
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
