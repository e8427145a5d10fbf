//! TCP segments in the order of their sequence numbers.
//!
//! Segments of a capture may be late, repeated or missing. This module keeps early segments up to a limit,
//! drops repeated bytes, and reports missing bytes as a gap.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::packet::Segment;
use super::{Flow, Packets, Payload};

/// Bytes of one stream that wait for those before them; beyond it, those are given up. A receive window
/// is rarely more.
const PENDING_BYTES_MAX: usize = 1 << 20;
/// Segments of one stream that wait.
const PENDING_SEGMENTS_MAX: usize = 1 << 12;
/// Streams that are followed at a time. One that was closed makes room for a new one; segments of more
/// are counted.
const STREAMS_MAX: usize = 1 << 12;
/// Further from the expected byte, a segment is of another connection of the same ports: no window is
/// larger (RFC 7323, section 2.3).
const WINDOW_BYTES_MAX: u32 = 1 << 30;

#[derive(Default)]
pub(super) struct Streams {
    all: HashMap<Flow, Stream>,
    /// Those of them that are over.
    over: usize,
}

/// Positions count from the first byte of the stream that was seen.
#[derive(Default)]
struct Stream {
    /// The sequence number of the byte at `at`.
    next: u32,
    at: u64,
    /// Early segments, by position.
    pending: BTreeMap<u64, Vec<u8>>,
    pending_bytes: usize,
    /// The sequence number behind its last byte.
    end: Option<u32>,
    /// Everything up to its end was handed on. It is kept for what is sent again.
    is_over: bool,
}

impl Streams {
    /// Takes a segment and hands on what is in order.
    pub(super) fn push(
        &mut self,
        segment: Segment<'_>,
        packets: &mut Packets,
        each: &mut dyn FnMut(Payload<'_>),
    ) {
        let flow = segment.flow;
        let first = segment.sequence.wrapping_add(segment.is_first.into());
        if self.all.len() >= STREAMS_MAX && self.over > 0 && !self.all.contains_key(&flow) {
            self.all.retain(|_, stream| !stream.is_over);
            self.over = 0;
        }
        let is_full = self.all.len() >= STREAMS_MAX;
        let stream = match self.all.entry(flow) {
            Entry::Occupied(known) => known.into_mut(),
            // The last acknowledgement of a closed stream, say: there is nothing to follow yet.
            Entry::Vacant(_) if segment.payload.is_empty() && !segment.is_first => {
                packets.segments += 1;
                return;
            }
            Entry::Vacant(new) if !is_full => new.insert(Stream::starting(first)),
            Entry::Vacant(_) => {
                packets.unfollowed += 1;
                return;
            }
        };
        packets.segments += 1;
        let ahead = first.wrapping_sub(stream.next);
        let is_other = ahead > WINDOW_BYTES_MAX && ahead.wrapping_neg() > WINDOW_BYTES_MAX;
        // A SYN that is sent again is the same beginning, whatever has come behind it.
        let is_anew = segment.is_first && first != stream.start();
        if is_other || is_anew {
            self.over -= usize::from(stream.is_over);
            stream.close(flow, packets, each);
            *stream = Stream::starting(first);
        }
        let (was_over, at) = (stream.is_over, stream.at);
        stream.take(flow, first, segment.payload, packets, each);
        if stream.at != at || !stream.pending.is_empty() {
            // A stream with new bytes has not ended.
            (stream.is_over, stream.end) = (false, stream.end.filter(|_| !was_over));
        }
        if segment.is_last {
            stream.end = Some(first.wrapping_add(segment.payload.len() as u32));
        }
        if stream.end == Some(stream.next) && stream.pending.is_empty() {
            stream.close(flow, packets, each);
        }
        self.over = self.over + usize::from(stream.is_over) - usize::from(was_over);
    }

    /// The end of the capture: emits the waiting segments behind their gaps.
    pub(super) fn finish(&mut self, packets: &mut Packets, each: &mut dyn FnMut(Payload<'_>)) {
        let mut all: Vec<_> = self.all.drain().collect();
        all.sort_by_key(|(flow, _)| *flow);
        for (flow, mut stream) in all {
            stream.close(flow, packets, each);
        }
    }
}

impl Stream {
    fn starting(next: u32) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The sequence number of its first byte.
    fn start(&self) -> u32 {
        self.next.wrapping_sub(self.at as u32)
    }

    fn take(
        &mut self,
        flow: Flow,
        first: u32,
        payload: &[u8],
        packets: &mut Packets,
        each: &mut dyn FnMut(Payload<'_>),
    ) {
        let ahead = first.wrapping_sub(self.next);
        if ahead > WINDOW_BYTES_MAX {
            // Before the expected byte: sent again, whole or in part.
            let seen = usize::try_from(ahead.wrapping_neg()).unwrap_or(usize::MAX);
            let seen = seen.min(payload.len());
            packets.retransmitted += seen as u64;
            self.hand_on(flow, payload.get(seen..).unwrap_or_default(), each);
        } else if ahead == 0 {
            self.hand_on(flow, payload, each);
        } else if !payload.is_empty() {
            self.keep(self.at + u64::from(ahead), payload, packets);
        }
        self.drain(flow, packets, each);
        while self.pending_bytes > PENDING_BYTES_MAX || self.pending.len() > PENDING_SEGMENTS_MAX {
            self.skip_gap(flow, packets, each);
        }
    }

    fn keep(&mut self, at: u64, payload: &[u8], packets: &mut Packets) {
        let kept = self.pending.entry(at).or_default();
        let (short, long) = (kept.len().min(payload.len()), kept.len().max(payload.len()));
        packets.retransmitted += short as u64;
        if payload.len() > kept.len() {
            self.pending_bytes += long - kept.len();
            *kept = payload.to_vec();
        }
    }

    fn hand_on(&mut self, flow: Flow, bytes: &[u8], each: &mut dyn FnMut(Payload<'_>)) {
        if !bytes.is_empty() {
            self.at += bytes.len() as u64;
            self.next = self.next.wrapping_add(bytes.len() as u32);
            each(Payload::Stream { flow, bytes });
        }
    }

    /// Emits the segments that are next.
    fn drain(&mut self, flow: Flow, packets: &mut Packets, each: &mut dyn FnMut(Payload<'_>)) {
        while let Some(entry) = self.pending.first_entry() {
            if *entry.key() > self.at {
                break;
            }
            let (at, bytes) = entry.remove_entry();
            self.pending_bytes -= bytes.len();
            let seen = usize::try_from(self.at - at).unwrap_or(usize::MAX);
            let seen = seen.min(bytes.len());
            packets.retransmitted += seen as u64;
            self.hand_on(flow, bytes.get(seen..).unwrap_or_default(), each);
        }
    }

    /// Reports the bytes before the first waiting segment as a gap.
    fn skip_gap(&mut self, flow: Flow, packets: &mut Packets, each: &mut dyn FnMut(Payload<'_>)) {
        if let Some((&at, _)) = self.pending.first_key_value() {
            let bytes = at - self.at;
            packets.gaps += 1;
            each(Payload::Gap { flow, bytes });
            self.at = at;
            self.next = self.next.wrapping_add(bytes as u32);
            self.drain(flow, packets, each);
        }
    }

    /// Emits the waiting segments behind their gaps, and the end of the stream once.
    fn close(&mut self, flow: Flow, packets: &mut Packets, each: &mut dyn FnMut(Payload<'_>)) {
        while !self.pending.is_empty() {
            self.skip_gap(flow, packets, each);
        }
        if !std::mem::replace(&mut self.is_over, true) {
            each(Payload::End { flow });
        }
    }
}
