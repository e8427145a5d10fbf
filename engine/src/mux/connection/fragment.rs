//! How much of a queued message the next frame takes, limited by the record's room and the credit.

use super::super::channel::{Channel, SendState};
use super::super::credit;
use super::super::open::Unit;
use super::super::queue::Front;
use super::super::wire::{self, Hello};
use super::send::{RUN_HEAD_MAX, SHARED_BYTES_MIN};

/// Why a channel's turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TurnEnd {
    /// Nothing more to send, or no credit.
    Done,
    /// The quantum is spent.
    QuantumSpent,
    /// The record is full.
    RecordFull,
}

/// The next frame of a channel.
pub(super) enum NextFrame {
    /// This many payload bytes.
    Payload(usize),
    End(TurnEnd),
}

/// The largest cost of a message. Its first fragment is sent only when the credit covers this cost:
/// a receiver that releases whole messages returns no credit before the last fragment.
fn whole_charge(len: usize, peer: &Hello, fragment_min: u32) -> u64 {
    credit::message_charge(len as u64, peer.overhead, fragment_min.into())
}

/// The cost of a message in one frame, if it fits a record of its own.
fn single_charge(channel: &Channel, front: &Front, peer: &Hello) -> Option<u64> {
    let alias = channel.local_alias.unwrap_or(0);
    let head = wire::data_head_len(alias, Some(front.rest), channel.send.skip) as u64;
    let fits = head + front.rest as u64 <= peer.record_bytes_max;
    fits.then_some(front.rest as u64 + peer.overhead)
}

/// The shared frame at the front of the queue, if it can be sent as a record.
pub(super) fn shared_record(channel: &Channel, max: usize) -> Option<bytes::Bytes> {
    let queue = channel.send.queue.as_ref()?;
    let frame = queue.front_frame()?;
    let fits = frame.frame().len() <= max
        && frame.payload().len() >= SHARED_BYTES_MIN
        && frame.payload().len() <= channel.send.message_max as usize
        && channel.local_alias == Some(frame.alias())
        && channel.send.skip == 0
        && channel.send.state == SendState::Sending;
    fits.then(|| frame.frame().clone())
}

/// How much of a message fits the record now: `room` bytes are free here, `next` in the next
/// record.
pub(super) fn part_of_message(
    channel: &Channel,
    front: &Front,
    peer: &Hello,
    (room, next): (usize, usize),
) -> NextFrame {
    let send = &channel.send;
    let head = wire::data_head_len(
        channel.local_alias.unwrap_or(0),
        Some(front.rest),
        send.skip,
    );
    let fits = head + front.rest <= room;
    let fragment = (send.fragment_min as usize).max(1);
    if front.at_start {
        let cost = if fits {
            front.rest as u64 + peer.overhead
        } else {
            whole_charge(front.rest, peer, send.fragment_min)
        };
        if send.credit.available() < channel.unit.cost(cost, 1) {
            let single = single_charge(channel, front, peer);
            let whole_next = single
                .is_some_and(|cost| send.credit.available() >= channel.unit.cost(cost, 1))
                && !fits;
            return NextFrame::End(if whole_next {
                TurnEnd::RecordFull
            } else {
                TurnEnd::Done
            });
        }
    }
    if fits {
        return NextFrame::Payload(front.rest);
    }
    if front.at_start && head + front.rest <= next {
        return NextFrame::End(TurnEnd::RecordFull);
    }
    let room = room.saturating_sub(head);
    if room < fragment || front.rest <= fragment {
        return NextFrame::End(TurnEnd::RecordFull);
    }
    // A remainder of at most the minimum fragment is not cut further.
    NextFrame::Payload(room.min(front.rest))
}

/// The fewest elements of a run that are sent together: all queued ones, or a minimum fragment's
/// worth, or one.
fn run_least(front: &Front, fragment_min: u32, peer: &Hello) -> usize {
    let elem = (front.elem as usize).max(1);
    // The limit of an ACCEPT includes what was consumed before. A minimum fragment computed from it
    // may exceed half of the window. For messages both ends agreed on that; for runs the default
    // window bounds it.
    let fragment = u64::from(fragment_min).min(peer.channel_limit / 4) as usize;
    (front.rest / elem).min((fragment / elem).max(1))
}

/// How many bytes of a run, in whole elements, fit the record now.
pub(super) fn part_of_run(
    channel: &Channel,
    front: &Front,
    peer: &Hello,
    room: usize,
) -> NextFrame {
    let send = &channel.send;
    let elem = front.elem as usize;
    let waiting = front.rest / elem.max(1);
    let by_room = room.saturating_sub(RUN_HEAD_MAX) / elem.max(1);
    let available = send.credit.available();
    let least = run_least(front, send.fragment_min, peer);
    let (by_credit, least_of_credit) = match channel.unit {
        Unit::Bytes => {
            let bytes = available.saturating_sub(peer.overhead);
            (bytes / (elem as u64).max(1), least)
        }
        // A window of messages can be smaller than the minimum.
        Unit::Messages => (available, 1),
    };
    let by_credit = usize::try_from(by_credit).unwrap_or(usize::MAX);
    if by_credit < least_of_credit {
        return NextFrame::End(TurnEnd::Done);
    }
    if by_room < least {
        return NextFrame::End(TurnEnd::RecordFull);
    }
    let most = if peer.features & wire::FEATURE_RUN == 0 {
        1
    } else {
        usize::MAX
    };
    let share = (send.deficit.max(0) as usize / elem.max(1)).max(least);
    let count = waiting.min(by_room).min(by_credit).min(share).min(most);
    NextFrame::Payload(count * elem)
}
