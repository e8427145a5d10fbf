use bytes::Bytes;

use super::pool::SPILL_BYTES;
use super::recv::RecvMem;
use super::send::Queue;
use super::{BufPool, RecvBuf, SendBuf, Side};

/// A test frame: one length byte, then that many payload bytes.
fn measure(frame: &[u8]) -> (usize, usize) {
    (1, usize::from(frame[0]))
}

fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*seed >> 33) as usize
}

fn all(buf: &SendBuf, side: Side) -> Vec<u8> {
    buf.chunks(side).flatten().copied().collect()
}

/// Number of random sequences. Miri runs about five steps in a second, so it gets two.
const HISTORIES: u64 = if cfg!(miri) { 2 } else { 400 };

/// Random frames, inline and shared, consumed in random steps, compared with a flat list of bytes.
#[test]
fn send_queue_matches_a_flat_list_with_frame_boundaries() {
    for seed in 0..HISTORIES {
        let mut r = seed;
        let mut pool = BufPool::new(0, 0);
        let mut buf = SendBuf::default();
        let mut flat: Vec<u8> = Vec::new();
        // Stream offsets of frame ends; bytes pushed and consumed so far.
        let (mut ends, mut pushed, mut taken) = (Vec::new(), 0, 0);
        for _ in 0..if cfg!(miri) { 60 } else { 300 } {
            let len = next(&mut r) % 200;
            let payload = vec![next(&mut r) as u8; len];
            match next(&mut r) % 7 {
                0 => {
                    let room = buf.room(1 + len);
                    room[0] = len as u8;
                    room[1..].copy_from_slice(&payload);
                    buf.commit(1 + len);
                }
                1 if len > 0 => {
                    buf.room(1)[0] = len as u8;
                    buf.commit(1);
                    buf.push_shared(Bytes::from(payload.clone()), false);
                }
                2 => {
                    let frame = [&[len as u8], &payload[..]].concat();
                    buf.push_shared(Bytes::from(frame), true);
                }
                3 => {
                    buf.attach(&mut pool, usize::MAX);
                    continue;
                }
                4 => {
                    buf.detach(&mut pool);
                    continue;
                }
                _ => {
                    let n = next(&mut r) % (flat.len() + 1);
                    buf.consume(n, measure);
                    flat.drain(..n);
                    taken += n;
                    check(&buf, &flat, &ends, taken);
                    continue;
                }
            }
            flat.push(len as u8);
            flat.extend_from_slice(&payload);
            pushed += 1 + len;
            ends.push(pushed);
            check(&buf, &flat, &ends, taken);
        }
    }
}

fn check(buf: &SendBuf, flat: &[u8], ends: &[usize], taken: usize) {
    assert_eq!(buf.queued(), flat.len());
    assert_eq!(buf.is_empty(), flat.is_empty());
    let (before, after) = (all(buf, Side::BeforeMark), all(buf, Side::FromMark));
    assert_eq!(before.len(), buf.bytes_before_mark());
    assert_eq!([before, after].concat(), flat);
    let boundary = taken + buf.bytes_before_mark();
    let mid = taken > 0 && !ends.contains(&taken);
    assert_eq!(
        buf.bytes_before_mark() > 0,
        mid,
        "only a partly written frame lies before the mark"
    );
    assert!(
        boundary == 0 || ends.contains(&boundary),
        "the mark is inside a frame"
    );
}

#[test]
fn send_buffers_return_to_the_pool_even_when_grown() {
    let mut pool = BufPool::new(0, 5000);
    let mut buf = SendBuf::default();
    buf.attach(&mut pool, usize::MAX);
    let first = buf.room(10).as_ptr();
    buf.detach(&mut pool);
    buf.attach(&mut pool, usize::MAX);
    assert_eq!(
        buf.room(10).as_ptr(),
        first,
        "the pool lends the same memory again"
    );
    let grown = buf.room(6000).as_ptr();
    buf.detach(&mut pool);
    buf.attach(&mut pool, usize::MAX);
    assert_eq!(buf.room(6000).as_ptr(), grown, "the grown buffer is reused");
    assert_eq!(pool.take_send().mem.len(), 5000);
}

/// Fills a receive buffer with a counter, consumes a part, and detaches at random: unconsumed bytes
/// stay, in order.
#[test]
fn receive_buffer_keeps_unconsumed_bytes() {
    for seed in 0..HISTORIES {
        let mut r = seed;
        let mut pool = BufPool::new(SPILL_BYTES + 1, 0);
        let mut buf = RecvBuf::default();
        let (mut written, mut read) = (0_usize, 0_usize);
        for _ in 0..if cfg!(miri) { 30 } else { 200 } {
            buf.attach(&mut pool);
            let limit = if next(&mut r).is_multiple_of(3) {
                5000
            } else {
                60
            };
            let space = buf.space();
            let n = (next(&mut r) % limit).min(space.len());
            for byte in &mut space[..n] {
                *byte = written as u8;
                written += 1;
            }
            buf.filled(n);
            assert_eq!(buf.len(), written - read);
            let (bytes, start) = buf.received_mut();
            let run = bytes
                .iter()
                .enumerate()
                .all(|(i, &b)| b == (read + i) as u8);
            assert!(run, "seed {seed}: bytes lost or moved");
            // A full buffer must be consumed to make progress.
            let least = usize::from(bytes.len() > SPILL_BYTES - 100) * bytes.len();
            let n = (next(&mut r) % (bytes.len() + 1)).max(least);
            *start += n;
            read += n;
            if next(&mut r).is_multiple_of(2) {
                buf.detach(&mut pool);
                assert!(
                    buf.capacity() == 0 || !buf.is_empty(),
                    "an empty buffer was not returned"
                );
            }
        }
    }
}

#[test]
fn unconsumed_bytes_move_to_a_buffer_of_their_size() {
    let mut pool = BufPool::default();
    let mut buf = RecvBuf::default();
    for (rest, capacity) in [(0, 0), (1, SPILL_BYTES), (4096, SPILL_BYTES), (5000, 5000)] {
        buf.clear();
        buf.attach(&mut pool);
        assert_eq!(buf.space().len(), BufPool::RECV_BYTES);
        buf.filled(6000);
        let (_, start) = buf.received_mut();
        *start += 6000 - rest;
        buf.detach(&mut pool);
        assert_eq!((buf.len(), buf.capacity()), (rest, capacity));
    }
}

#[test]
fn pool_keeps_a_bounded_number_of_spare_buffers() {
    let mut pool = BufPool::new(5000, 5000);
    for _ in 0..100 {
        for (byte, len) in [(0, 5000), (0, SPILL_BYTES), (1, 5001)] {
            pool.put_recv(RecvMem::empty(vec![byte; len].into()));
        }
        for (byte, len) in [(0, 5000), (1, 10_000), (1, (1 << 20) + 1), (1, 0)] {
            pool.put_send(Queue::empty(vec![byte; len].into()));
        }
    }
    let grown: Vec<usize> = (0..3).map(|_| pool.take_send().mem.len()).collect();
    assert_eq!(grown, [10_000, 10_000, 5000]);
    // Miri needs minutes for the text.
    if !cfg!(miri) {
        let text = format!("{pool:?}");
        let len_max = 16 * 3 * (5000 * 3 + 200) + 1000;
        assert!(text.len() < len_max, "more than 16 of each kind");
    }
    assert!((0..100).all(|_| pool.take_recv().mem.len() == 5000));
    assert!((0..100).all(|_| pool.take_send().mem.len() == 5000));
    assert!((0..100).all(|_| pool.take_spill(1).mem.len() == SPILL_BYTES));
    assert_eq!(pool.take_spill(9000).mem.len(), 9000);
}
