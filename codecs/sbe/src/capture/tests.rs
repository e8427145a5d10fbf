use super::*;

/// A pcapng file of one Ethernet interface with these packets.
pub(super) fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    pcapng_of(1, packets)
}

fn pcapng_of(link: u16, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = block(
        0x0a0d_0d0a,
        &[
            0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
        ],
    );
    let link = link.to_le_bytes();
    file.extend(block(1, &[link[0], link[1], 0, 0, 0, 0, 0, 0]));
    for packet in packets {
        let mut body = vec![0; 12];
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

/// Datagrams alone, as most of these tests send nothing else.
fn datagrams(file: &[u8]) -> (Vec<Vec<u8>>, Result<Packets, CaptureError>) {
    let mut seen = Vec::new();
    let packets = payloads(file, |payload| match payload {
        Payload::Datagram(bytes) => seen.push(bytes.to_vec()),
        other => panic!("{other:?}"),
    });
    (seen, packets)
}

/// Ethernet, IPv4, UDP; `flags` is the field of RFC 791 that says more fragments.
pub(super) fn udp_packet(payload: &[u8], protocol: u8, flags: u16) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend([0x08, 0x00, 0x45, 0]);
    packet.extend((28 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(flags.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2]);
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    // Ethernet pads short frames: the payload must not grow by it.
    packet.resize(packet.len().max(60), 0);
    packet
}

#[test]
fn payloads_of_udp_only() {
    let mut tagged = udp_packet(b"vlan", 17, 0);
    tagged.splice(12..12, [0x81, 0x00, 0, 5]);
    let mut cut_short = udp_packet(&[7; 100], 17, 0);
    cut_short.truncate(80);
    let file = pcapng(&[
        udp_packet(b"one", 17, 0x4000),
        udp_packet(b"icmp", 1, 0),
        udp_packet(b"fragment", 17, 0x2000),
        tagged,
        cut_short,
        vec![1, 2, 3],
    ]);
    assert!(is_capture(&file));
    let (seen, packets) = datagrams(&file);
    assert_eq!(seen, [b"one".to_vec(), b"vlan".to_vec()]);
    let expected = Packets {
        datagrams: 2,
        skipped: 4,
        ..Packets::default()
    };
    assert_eq!(packets.unwrap(), expected);
}

/// A pipe gives what it has.
struct Drip<'b>(&'b [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn captures_are_read_however_little_comes_at_a_time() {
    let file = pcapng(&[udp_packet(b"one", 17, 0), udp_packet(b"two", 17, 0)]);
    let mut seen = Vec::new();
    let packets = payloads(Drip(&file), |payload| match payload {
        Payload::Datagram(bytes) => seen.push(bytes.to_vec()),
        other => panic!("{other:?}"),
    });
    assert_eq!(packets.unwrap().all(), 2);
    assert_eq!(seen, [b"one", b"two"]);
}

/// A pcap file of one Ethernet packet in both byte orders, with microseconds and with nanoseconds.
#[test]
fn pcap_of_every_byte_order_and_resolution() {
    let packet = udp_packet(b"one", 17, 0);
    for magic in [0xa1b2_c3d4u32, 0xa1b2_3c4d] {
        for order in [u32::to_le_bytes, u32::to_be_bytes] {
            let version = match order(1) {
                [1, ..] => [2, 0, 4, 0],
                _ => [0, 2, 0, 4],
            };
            let len = packet.len() as u32;
            let head = [order(magic), version, order(0), order(0), order(65_535)];
            let rest = [order(1), order(0), order(0), order(len), order(len)];
            let file = [head.concat(), rest.concat(), packet.clone()].concat();
            assert!(is_capture(&file), "{:02x?}", &file[..4]);
            let (seen, packets) = datagrams(&file);
            assert_eq!((seen, packets.unwrap().all()), (vec![b"one".to_vec()], 1));
        }
    }
}

#[test]
fn broken_captures_end_in_an_error() {
    let file = pcapng(&[udp_packet(b"one", 17, 0), udp_packet(b"two", 17, 0)]);
    let whole_blocks = [28, 48, 140, 232];
    assert_eq!(file.len(), whole_blocks[3]);
    for len in 0..file.len() {
        let read = payloads(&file[..len], |_| ());
        assert_eq!(read.is_ok(), whole_blocks.contains(&len), "cut to {len}");
    }
    assert!(
        payloads(
            b"no capture at all, but long enough to look".as_slice(),
            |_| ()
        )
        .is_err()
    );
}

/// The same IP packet behind every link layer; RFC 8200 has the header of the last.
#[test]
fn link_layers() {
    let ethernet = udp_packet(b"one", 17, 0);
    let ip = &ethernet[14..];
    let mut six = vec![0x60, 0, 0, 0, 0, 11, 17, 64];
    six.extend([9; 32]);
    six.extend([0, 1, 0, 2, 0, 11, 0, 0]);
    six.extend(b"one");
    let sll = [&[0; 14][..], &[8, 0]].concat();
    let sll2 = [&[8, 0][..], &[0; 18]].concat();
    let cases: [(u16, &[u8], &[u8]); 8] = [
        (1, &ethernet[..14], ip),
        (101, &[], ip),
        (101, &[], &six),
        (228, &[], ip),
        (113, &sll, ip),
        (276, &sll2, ip),
        (0, &[2, 0, 0, 0], ip),
        (108, &[0, 0, 0, 30], &six),
    ];
    for (link, before, ip) in cases {
        let (seen, packets) = datagrams(&pcapng_of(link, &[[before, ip].concat()]));
        assert_eq!(seen, [b"one"], "link type {link}");
        assert_eq!(packets.unwrap().all(), 1);
        for len in 0..before.len() + ip.len() {
            let cut = [before, ip].concat()[..len].to_vec();
            let (seen, packets) = datagrams(&pcapng_of(link, &[cut]));
            // What Ethernet pads is none of the packet.
            let is_whole = len >= before.len() + ip.len().min(31) && ip.len() != 51
                || len == before.len() + 51;
            assert_eq!(
                (seen.len() == 1, packets.unwrap().all()),
                (is_whole, 1),
                "{link} cut to {len}"
            );
        }
    }
    let unknown = datagrams(&pcapng_of(147, &[ethernet]));
    assert_eq!((unknown.0.len(), unknown.1.unwrap().skipped), (0, 1));
}
