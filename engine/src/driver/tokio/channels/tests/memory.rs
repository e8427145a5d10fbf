//! Messages that wait for a reader take no more memory than they were charged.

use super::super::parked::{Entry, Form, Parked};
use super::*;
use crate::channels::Charge;

fn entry(form: Form, len: usize, seq: u64) -> Entry {
    Entry {
        form,
        len: len as u32,
        charge: Charge::default(),
        seq,
        skipped: 0,
        epoch: 0,
    }
}

#[test]
fn parked_memory_is_below_twice_the_charge() {
    for len in [0, 1, 8, 40, 100, 1000, 16_000] {
        let mut parked = Parked::default();
        let mut charged = 0;
        for n in 0.. {
            charged += len + 64;
            parked.copy(&vec![1; len], entry(Form::Copied, len, n));
            let footprint = parked.footprint();
            // A new queue allocates at least a few entries.
            assert!(
                footprint <= 2 * charged + 256,
                "{footprint} for {charged} of {len}"
            );
            if charged > 128 << 10 {
                break;
            }
        }
        while parked.pop().is_some() {}
        parked.sweep();
        parked.sweep();
        assert!(
            parked.footprint() <= 8192,
            "{len}: {} bytes are kept",
            parked.footprint()
        );
    }
}

#[test]
fn a_partly_consumed_ring_is_compacted() {
    let mut parked = Parked::default();
    let mut next = (0_u64, 0_u64);
    for round in 0..10_000_u64 {
        let bytes = message(next.0 as u32, 4 + (round % 90) as usize);
        parked.copy(&bytes, entry(Form::Copied, bytes.len(), next.0));
        next.0 += 1;
        if round % 8 != 0 || round > 5000 {
            let taken = parked.pop().unwrap();
            assert_eq!(taken.seq, next.1);
            assert_eq!(taken.bytes[..4], (next.1 as u32).to_le_bytes());
            next.1 += 1;
        }
    }
    let left = next.0 - next.1;
    assert_eq!(parked.iter().count() as u64, left);
    assert!(parked.footprint() < (left as usize) * 400 + 16_384);
}

/// A reader of batches does not allocate once its buffers have grown.
#[test]
fn batches_swap_buffers_without_allocating() {
    let (mut front, mut back) = (Parked::default(), Parked::default());
    let mut grown = 0;
    for round in 0..100 {
        for n in 0..50 {
            back.copy(&[1; 40], entry(Form::Copied, 40, n));
        }
        std::mem::swap(&mut front, &mut back);
        assert_eq!(front.iter().count(), 50);
        let _ = front.clear();
        if round == 1 {
            grown = front.footprint() + back.footprint();
        }
    }
    assert_eq!(front.footprint() + back.footprint(), grown);
}

/// A whole window of small unread messages beside large ones uses at most twice its charge.
#[tokio::test(start_paused = true)]
async fn an_unread_window_uses_twice_its_charge_at_most() {
    let (client, server) = pair(|_| {});
    let (mut small, remote) = open(&client, &server, OpenOptions::new("small")).await;
    let (mut bulk, mut read) = open(&client, &server, OpenOptions::new("bulk")).await;
    for _ in 0..2000 {
        let _ = small.try_send([1; 40]);
        bulk.send(&[2; 10_000]).await.unwrap();
        drop(within(read.recv()).await.unwrap());
    }
    let held = remote.stats().unwrap().held_bytes;
    assert!(held > 32 << 10, "{held} wait");
    let footprint = remote.footprint();
    assert!(footprint as u64 <= 2 * held, "{footprint} for {held}");
}

/// Bursts on one channel after another, each read at once: only the buffers of the last ones
/// remain.
#[tokio::test(start_paused = true)]
async fn bursts_on_many_channels_leave_little_memory() {
    const CHANNELS: usize = 200;
    let (client, server) = pair(|_| {});
    let mut ends = Vec::new();
    for _ in 0..CHANNELS {
        ends.push(open(&client, &server, OpenOptions::new("x")).await);
    }
    let mut most = 0;
    for at in 0..CHANNELS {
        let (local, remote) = &mut ends[at];
        for _ in 0..100 {
            local.try_send([1; 500]).unwrap();
        }
        run_until_idle().await;
        for _ in 0..100 {
            drop(within(remote.recv()).await.unwrap());
        }
        most = most.max(ends.iter().map(|(_, remote)| remote.footprint()).sum());
    }
    assert!(most <= 6 << 20, "{most} bytes are kept");
}
