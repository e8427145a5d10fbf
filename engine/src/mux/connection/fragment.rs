//! How much of a queued message the next frame takes: what the record's room and the credit allow.

use super::super::channel::{Channel, SendState};
use super::super::credit;
use super::super::open::Unit;
use super::super::queue::Front;
use super::super::wire::{self, Hello};
use super::send::{RUN_HEAD_MAX, SHARED_BYTES_MIN};

/// What became of a channel's turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TurnEnd {
    /// Nothing more to send, or no credit of the channel's own.
    Done,
    /// It has had its share.
    QuantumSpent,
    /// The record is full.
    RecordFull,
}

/// What the next frame of a channel can be.
pub(super) enum NextFrame {
    /// Payload bytes.
    Payload(usize),
    End(TurnEnd),
}

/// What a message may cost at most: it is begun only when the channel's credit covers that, so that
/// a receiver of whole messages, who gives nothing back before the last fragment, gets that.
fn whole_charge(len: usize, peer: &Hello, fragment_min: u32) -> u64 {
    credit::message_charge(len as u64, peer.overhead, fragment_min.into())
}

/// What a message costs that fits a record of its own, in one frame.
fn single_charge(channel: &Channel, front: &Front, peer: &Hello) -> Option<u64> {
    let alias = channel.local_alias.unwrap_or(0);
    let head = wire::data_head_len(alias, Some(front.rest), channel.send.skip) as u64;
    let fits = head + front.rest as u64 <= peer.record_bytes_max;
    fits.then_some(front.rest as u64 + peer.overhead)
}

/// The shared frame at the front of the queue, if it can be a record as it is.
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

/// How much of a message goes into the record now, of which there is so much `room`, or whether
/// it waits for the `next`.
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
    // The last fragment may be short, but not for want of a byte of room here.
    NextFrame::Payload(room.min(front.rest))
}

/// Elements of a run that go together at least, so that it does not go in small_batch: all that
/// wait, or a fragment's worth, or one.
fn run_least(front: &Front, fragment_min: u32, peer: &Hello) -> usize {
    let elem = (front.elem as usize).max(1);
    // What was consumed before an ACCEPT is in the limit that it tells: taken for the window, it
    // makes a fragment for which half a window may have no room. That is well for messages, which
    // were agreed on; of a run only so much as the default window's.
    let fragment = u64::from(fragment_min).min(peer.channel_limit / 4) as usize;
    (front.rest / elem).min((fragment / elem).max(1))
}

/// How many bytes of a run, in whole elements, go into the record now.
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
        // A window of messages may be smaller than that.
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
