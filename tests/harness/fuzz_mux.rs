//! The bodies of the fuzz targets of channels. Each takes any bytes and panics where the core is
//! wrong.

use std::time::Duration;

use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelId, ChannelSendError, Charge, Direction, ErrorCode, Event,
    Mode, Mux, OpenOptions, Unit,
};

use crate::frames_mux::{Put, Said, flag, hello, profile, read, topic};

const RECORD_MAX: usize = 4096;

fn config() -> ChannelConfig {
    ChannelConfig::default()
        .record_bytes_max(RECORD_MAX as u32)
        .channels_max(8)
        .pending_opens_max(4)
        .aliases_max(16)
        .window_growth_bytes_max(20_000)
        .channel_window_bytes(16 << 10)
        .channel_queue_bytes_max(8 << 10)
        .connection_queue_bytes_max(32 << 10)
}

/// An end with an application that does a bit of everything, as the bytes say.
struct End {
    core: Mux,
    now: Timestamp,
    channels: Vec<ChannelId>,
    kept: Vec<(ChannelId, Charge)>,
    failed: bool,
}

impl End {
    fn new() -> Self {
        let now = Timestamp(1);
        Self {
            core: Mux::new(config(), now).expect("limits that work"),
            now,
            channels: Vec::new(),
            kept: Vec::new(),
            failed: false,
        }
    }

    fn note(&mut self, event: Event<'_>, accepts: bool) {
        assert!(!self.failed, "an event after the end: {event:?}");
        match event {
            Event::Open(opening) => {
                if accepts {
                    let _ = self.core.accept(opening.channel, AcceptOptions::new());
                }
                self.channels.push(opening.channel);
            }
            Event::Message(message) => {
                assert!(message.data.len() <= 1 << 20);
                self.kept.push((message.channel, message.charge));
            }
            Event::Run(run) => {
                assert!(run.count() > 0 && run.iter().all(|m| m.len() == run.elem));
                self.kept.push((run.channel, run.charge));
            }
            Event::Failed(_) => self.failed = true,
            _ => {}
        }
    }

    fn put(&mut self, record: &[u8], accepts: bool) {
        let mut incoming = self.core.receive(record, self.now);
        while let Some(event) = self.core.next(&mut incoming) {
            self.note(event, accepts);
        }
        self.poll(accepts);
        let stats = self.core.stats();
        assert!(stats.receive_reserved_bytes <= stats.receive_budget_bytes);
        assert!(stats.channels <= 24, "{} channels", stats.channels);
    }

    fn poll(&mut self, accepts: bool) {
        while let Some(event) = self.core.poll_event() {
            self.note(event, accepts);
        }
    }

    /// All that it has to say, each record legal and not too large.
    fn say(&mut self, peer_record_max: usize) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while let Some(record) = self.core.poll_record(self.now) {
            let record = record.as_slice();
            assert!(record.len() <= peer_record_max, "{} bytes", record.len());
            let _ = read(record);
            records.push(record.to_vec());
            assert!(records.len() < 10_000, "it never ends");
        }
        assert!(!self.core.wants_write(), "it wants to write, and does not");
        let mut writable = 0;
        while self.core.poll_writable().is_some() {
            writable += 1;
            assert!(writable < 1000, "told without end");
        }
        self.poll(true);
        let stats = self.core.stats();
        // And one message of each channel, the longest that is sent here.
        let max = (32 << 10) + stats.channels * (2600 + 64);
        assert!(stats.queued_bytes <= max, "{stats:?}");
        records
    }

    fn release(&mut self) {
        for (channel, charge) in self.kept.drain(..) {
            self.core.release(channel, charge);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.core.handle_timeout(self.now);
        self.poll(true);
    }

    fn pick(&self, byte: u8) -> Option<ChannelId> {
        let n = self.channels.len().max(1);
        self.channels.get(usize::from(byte) % n).copied()
    }

    fn let_go_of_all(&mut self) {
        for channel in std::mem::take(&mut self.channels) {
            self.core.close_channel(channel, ErrorCode::NO_ERROR);
        }
        self.kept.clear();
    }
}

/// What the peer said before the bytes come.
fn begin(end: &mut End, state: u8) {
    if state == 0 {
        return;
    }
    end.put(&hello(&[]).0, true);
    let ours = end.core.open(OpenOptions::new("ours")).expect("opened");
    end.channels.push(ours);
    end.say(16 << 10);
    if state == 1 {
        return;
    }
    // Busy: one of ours, one of each kind of the peer's, and a message half there.
    let record = Put::new()
        .pong(1)
        .accept(0, 9, 30_000, 5000, &[])
        .open(0, 0, 30_000, 5000, &topic(b"both"))
        .open(1, profile::OPENER_SENDS | 7, 0, 0, &[])
        .open(
            2,
            profile::ACCEPTOR_SENDS | profile::CONFLATE | profile::MESSAGES,
            8,
            99,
            &[],
        )
        .open(3, profile::OPENER_SENDS | profile::MESSAGES, 0, 0, &[])
        .data(0, 0, b"tick")
        .data(flag::MORE, 1, b"half");
    end.put(&record.0, true);
    for channel in end.channels.clone() {
        let _ = end.core.send(channel, [1; 900]);
        let _ = end.core.send_keyed(channel, 4, b"bid");
    }
    end.say(16 << 10);
}

/// Records of a peer's: the first byte says what was said before and what the application does,
/// then each record stands behind its length, two bytes, of which the top bits let time pass and
/// take what the core says.
pub fn records(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else {
        return;
    };
    let mut end = End::new();
    begin(&mut end, first & 3);
    let (accepts, reads) = (first & 4 == 0, first & 8 == 0);
    while let Some((head, tail)) = rest.split_first_chunk::<2>() {
        let head = u16::from_le_bytes(*head);
        let len = usize::from(head & 0xFFF).min(tail.len());
        let (record, tail) = tail.split_at(len);
        rest = tail;
        let alive = !end.failed;
        end.put(record, accepts);
        if alive && end.failed {
            ended(&mut end);
            break;
        }
        if reads {
            end.release();
        }
        if head & 0x1000 != 0 {
            end.say(16 << 10);
        }
        if head & 0x2000 != 0 {
            end.pass(Duration::from_millis(700));
        }
        if head & 0x4000 != 0
            && let Some(channel) = end.pick(head as u8)
        {
            end.core.close_channel(channel, ErrorCode::APPLICATION);
        }
    }
    end.release();
    end.let_go_of_all();
    end.say(16 << 10);
    let _ = format!("{:?}", end.core);
}

/// A violation is answered with GOAWAY, and the code is the close code below.
fn ended(end: &mut End) {
    let records = end.say(16 << 10);
    let last = records.last().map(|r| read(r));
    let closing = end.core.closing().expect("it is over");
    if let Some(Said::GoAway { code, .. }) = last.as_deref().and_then(<[Said]>::last) {
        assert_eq!(*code, u64::from(closing.0));
    }
    let before = end.core.stats().channels;
    end.put(&Put::new().open(9, 0, 1, 1, &[]).0, true);
    assert_eq!(
        end.core.stats().channels,
        before,
        "nothing is taken any more"
    );
}

/// The body of a HELLO up to a zero length byte, then options of an OPEN and of an ACCEPT.
pub fn hello_open(data: &[u8]) {
    let Some((&len, rest)) = data.split_first() else {
        return;
    };
    let (body, rest) = rest.split_at(usize::from(len).min(rest.len()));
    let mut end = End::new();
    let record = Put::new().raw(&[0x0B]).tv(body.len() as u64).raw(body);
    end.put(&record.0, true);
    let max = match end.core.record_max() {
        max if end.failed => max.max(1 << 10),
        max => max,
    };
    if end.failed {
        return ended(&mut end);
    }
    // Whatever its limits are, we can live with them.
    for mode in [Mode::Reliable, Mode::Conflated] {
        let options = OpenOptions::new("ours")
            .mode(mode)
            .resume(Default::default());
        end.channels.extend(end.core.open(options));
    }
    for channel in end.channels.clone() {
        let _ = end.core.send(channel, b"tick");
        let _ = end.core.send_run_bytes(channel, 4, &[5; 400]);
    }
    end.say(max);
    let (&[limit, profile, mode], options) = rest.split_first_chunk().unwrap_or((&[0; 3], &[]));
    let limit = u64::from(limit) << (limit & 31);
    let open = Put::new()
        .raw(&[4])
        .tv(3)
        .raw(&[profile, mode])
        .tv(limit)
        .tv(limit)
        .tv(options.len() as u64)
        .raw(options);
    end.put(&open.0, true);
    if !end.failed {
        end.put(&Put::new().accept(0, 4, limit, limit, options).0, true);
    }
    for channel in end.channels.clone() {
        let _ = end.core.send(channel, [9; 700]);
    }
    end.say(max);
    end.let_go_of_all();
    end.say(max);
}

/// More operations than this only take time.
const OPS_MAX: usize = 400;

/// For so long the wire may be silent: well below the idle timeout, and a Ping's way and back.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Two ends that keep to the rules, whatever their applications do: nobody is ever accused. Two
/// bytes per operation; the end of all is quiet, and holds nothing.
pub fn ops(data: &[u8]) {
    let mut ends = [End::new(), End::new()];
    let mut silence = Duration::ZERO;
    for (turn, op) in data.chunks_exact(2).take(OPS_MAX).enumerate() {
        let side = usize::from(op[0] >> 7);
        operate(&mut ends[side], op[0] & 0x1F, op[1], turn);
        // Who hears nothing for longer gives up, and may.
        if op[0] & 0x40 != 0 || silence > SILENCE_MAX {
            exchange(&mut ends);
            silence = Duration::ZERO;
        }
        if op[0] & 0x20 != 0 {
            let time = Duration::from_millis(u64::from(op[1]) + 1);
            silence += time;
            for end in &mut ends {
                end.pass(time);
            }
        }
    }
    // All goes home.
    for _ in 0..50 {
        exchange(&mut ends);
        for end in &mut ends {
            end.release();
            end.pass(Duration::from_millis(600));
        }
    }
    for end in &mut ends {
        end.release();
        end.let_go_of_all();
    }
    for _ in 0..10 {
        exchange(&mut ends);
        for end in &mut ends {
            // What was opened after the application had gone.
            end.let_go_of_all();
            end.pass(Duration::from_millis(600));
        }
    }
    for end in &ends {
        assert!(end.core.failure().is_none(), "{:?}", end.core);
        let stats = end.core.stats();
        assert_eq!(
            (stats.channels, stats.held_bytes, stats.queued_bytes),
            (0, 0, 0)
        );
        assert_eq!(
            stats.receive_reserved_bytes, 0,
            "nothing is reserved at rest"
        );
    }
}

fn operate(end: &mut End, kind: u8, value: u8, turn: usize) {
    let payload = vec![turn as u8; usize::from(value) * 13 % 2100];
    let Some(channel) = end.pick(value) else {
        end.channels
            .extend(end.core.open(OpenOptions::new("first")));
        return;
    };
    let sent = match kind {
        0 | 1 => {
            end.channels.extend(end.core.open(options(value)));
            Ok(())
        }
        2 => end.core.finish_sending(channel),
        3 => {
            end.core.reset(channel, ErrorCode(u32::from(value)));
            Ok(())
        }
        4 => {
            end.core.stop(channel, ErrorCode(u32::from(value)));
            Ok(())
        }
        5 => {
            end.channels.retain(|&id| id != channel);
            end.kept.retain(|&(id, _)| id != channel);
            end.core.close_channel(channel, ErrorCode::NO_ERROR);
            Ok(())
        }
        6 => end.core.rebase(channel, u64::from(value), u64::from(value)),
        7 => {
            end.core.acknowledge(channel, u64::from(value));
            end.core.ping();
            Ok(())
        }
        8 => {
            end.core.handle_backpressure();
            Ok(())
        }
        9..=12 => {
            end.release();
            Ok(())
        }
        13..=16 => {
            let elem = 1 + usize::from(value & 63);
            let run = vec![value; elem * (1 + turn % 40)];
            end.core.send_run_bytes(channel, elem, &run)
        }
        17..=20 => end.core.send_keyed(channel, u64::from(value & 3), &payload),
        21 | 22 => end.core.claim(channel, payload.len()).map(|mut claim| {
            claim.copy_from_slice(&payload);
            if value & 1 == 0 {
                claim.commit();
            }
        }),
        _ => end.core.send(channel, &payload),
    };
    assert!(
        !matches!(sent, Err(ChannelSendError::Closed(_))),
        "{sent:?}"
    );
}

fn options(value: u8) -> OpenOptions {
    let direction = [
        Direction::Both,
        Direction::OpenerSends,
        Direction::AcceptorSends,
    ];
    let mode = [
        Mode::Reliable,
        Mode::Conflated,
        Mode::Ttl(Duration::from_millis(50)),
        Mode::Reliable,
    ];
    let mut options = OpenOptions::new("x")
        .direction(direction[usize::from(value) % 3])
        .mode(mode[usize::from(value >> 2) & 3])
        .priority(value >> 5);
    if value & 16 != 0 {
        options = options.unit(Unit::Messages);
    }
    options
}

fn exchange(ends: &mut [End; 2]) {
    for _ in 0..20 {
        let mut quiet = true;
        for side in [0, 1] {
            for record in ends[side].say(RECORD_MAX) {
                quiet = false;
                ends[1 - side].put(&record, true);
                assert!(!ends[1 - side].failed, "accused: {:?}", ends[1 - side].core);
            }
        }
        if quiet {
            return;
        }
    }
}
