//! The output that is written before a message is delivered.

use super::*;

/// Records the bytes that were written to the socket when each message was delivered.
#[derive(Default)]
struct Recorder {
    pipe: Rc<std::cell::RefCell<fake::Pipe>>,
    seen: Vec<(u8, Vec<u8>)>,
    batches: usize,
}

impl Handler for Recorder {
    type Conn = ();
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) {}

    fn message(&mut self, _: &mut (), cx: &mut Cx<'_>, message: Message<'_>) {
        let kind = match message {
            Message::Ping(_) => 9,
            Message::Close(_) => 8,
            _ => 2,
        };
        self.seen.push((kind, self.pipe.borrow().written.clone()));
        if kind == 2 {
            cx.send(b"answer").unwrap();
        }
    }

    fn batch_end(&mut self, _: &mut (), _: &mut Cx<'_>) {
        self.batches += 1;
    }
}

/// The answers to earlier messages are written first.
#[test]
fn pings_and_closes_are_answered_before_they_are_delivered() {
    let config = calm();
    let mut rig = fake::Rig::empty(Recorder::default(), config, RECV_BYTES);
    rig.open(Role::Server, None);
    rig.core.handler.pipe = rig.pipe.clone();
    let frame = |opcode: u8, payload: &[u8]| {
        let mut bytes = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes
    };
    let code = 1000_u16.to_be_bytes();
    let sent = [
        frame(2, b"x"),
        frame(9, b"?"),
        frame(2, b"y"),
        frame(8, &code),
    ]
    .concat();
    rig.pipe.borrow_mut().incoming = sent;
    rig.readable();
    let answer = [&[0x82, 6][..], b"answer"].concat();
    let pong = [0x8a, 1, b'?'].to_vec();
    let (first, close) = ([pong, answer.clone()].concat(), [0x88, 2, code[0], code[1]]);
    let second = [&first[..], &answer, &close].concat();
    let expected = [(2, vec![]), (9, first.clone()), (2, first), (8, second)];
    assert_eq!(rig.core.handler.seen, expected);
    assert_eq!(rig.core.handler.batches, 3);
}
