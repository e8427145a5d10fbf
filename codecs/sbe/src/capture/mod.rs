//! Messages out of captures: pcap and pcapng files, UDP payloads, and what venues put around messages.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use crate::dynamic::{self, Decoded, DynamicError};
use crate::ir::Schema;

/// Room for one block of a capture. Packets are at most 64 KiB; their options are short.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// How messages lie in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The payload is one message with its header.
    Raw,
    /// Messages with their headers, one behind the other; each is as long as its schema says.
    BackToBack,
    /// CME MDP 3.0: `| sequence: u32 | time: u64 ns | (size: u16 | message: size - 2 bytes)* |`,
    /// little-endian.
    Cme,
}

/// What went through a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// UDP payloads handed on.
    pub payloads: u64,
    /// Packets that are not whole UDP over IP: another protocol, a fragment, cut short by the capture.
    pub skipped: u64,
}

/// A capture that cannot be read, or not to its end: says why, and behind how many packets.
#[derive(Debug)]
pub struct CaptureError(String);

impl CaptureError {
    fn new<I>(error: &PcapError<I>, read: Packets) -> Self {
        let why = match error {
            PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
                "the file ends inside a block".into()
            }
            PcapError::BufferTooSmall => format!("a block is longer than {BLOCK_BYTES_MAX} bytes"),
            PcapError::ReadError => "the file cannot be read on".into(),
            PcapError::HeaderNotRecognized => "the header is no pcap's and no pcapng's".into(),
            PcapError::NomError(..) | PcapError::OwnedNomError(..) => "a block is malformed".into(),
        };
        Self(format!(
            "{why}, behind {} packets",
            read.payloads + read.skipped
        ))
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capture: {}", self.0)
    }
}

impl std::error::Error for CaptureError {}

/// Whether a file begins like a pcapng or pcap capture.
pub fn is_capture(bytes: &[u8]) -> bool {
    matches!(
        bytes.first_chunk::<4>(),
        Some(
            [0x0a, 0x0d, 0x0d, 0x0a]
                | [0xd4, 0xc3, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0x3c, 0x4d]
        )
    )
}

/// Fills every buffer up to the end of the input: the parser takes a short read for that end.
struct Filling<R>(R);

impl<R: Read> Read for Filling<R> {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = Read::by_ref(&mut self.0).take(buffer.len() as u64);
        io::copy(&mut part, &mut buffer).map(|len| len as usize)
    }
}

/// Calls `each` for every UDP payload of a pcap or pcapng capture, in file order.
///
/// # Errors
/// [`CaptureError`] where the file ends inside a block or is no capture; `each` was called for what
/// comes before that.
pub fn payloads(
    input: impl Read + Send,
    mut each: impl FnMut(&[u8]),
) -> Result<Packets, CaptureError> {
    let mut packets = Packets::default();
    let mut reader = create_reader(BLOCK_BYTES_MAX, Filling(input))
        .map_err(|e| CaptureError::new(&e, packets))?;
    let mut links: Vec<Linktype> = Vec::new();
    let mut last_incomplete = false;
    loop {
        match reader.next() {
            Ok((length, block)) => {
                let payload = match &block {
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                        links.clear();
                        None
                    }
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype);
                        None
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let link = links
                            .get(packet.if_id as usize)
                            .copied()
                            .unwrap_or(Linktype::NULL);
                        Some((link, packet.packet_data()))
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => Some((
                        links.first().copied().unwrap_or(Linktype::NULL),
                        packet.packet_data(),
                    )),
                    PcapBlockOwned::LegacyHeader(header) => {
                        links.push(header.network);
                        None
                    }
                    PcapBlockOwned::Legacy(packet) => Some((
                        links.first().copied().unwrap_or(Linktype::NULL),
                        packet.data,
                    )),
                    PcapBlockOwned::NG(_) => None,
                };
                match payload.map(|(link, packet)| udp(link, packet)) {
                    Some(Some(bytes)) => {
                        packets.payloads += 1;
                        each(bytes);
                    }
                    Some(None) => packets.skipped += 1,
                    None => {}
                }
                reader.consume(length);
                last_incomplete = false;
            }
            Err(PcapError::Eof) => return Ok(packets),
            // The reader asks for more once; a second time without progress means the file ends here.
            Err(PcapError::Incomplete(_)) if !last_incomplete => {
                last_incomplete = true;
                reader
                    .refill()
                    .map_err(|e| CaptureError::new(&e, packets))?;
            }
            Err(e) => return Err(CaptureError::new(&e, packets)),
        }
    }
}

/// The UDP payload of a packet.
fn udp(link: Linktype, packet: &[u8]) -> Option<&[u8]> {
    let (mut kind, mut rest) = match link {
        Linktype::ETHERNET => (be16(packet, 12)?, packet.get(14..)?),
        Linktype::LINUX_SLL => (be16(packet, 14)?, packet.get(16..)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => match packet.first()? >> 4 {
            4 => (0x0800, packet),
            _ => (0x86dd, packet),
        },
        _ => return None,
    };
    // VLAN tags (IEEE 802.1Q), at most the two that 802.1ad stacks.
    for _ in 0..2 {
        if matches!(kind, 0x8100 | 0x88a8) {
            (kind, rest) = (be16(rest, 2)?, rest.get(4..)?);
        }
    }
    let datagram = match kind {
        0x0800 => {
            let header = usize::from(rest.first()? & 0x0f) * 4;
            let length = usize::from(be16(rest, 2)?);
            // RFC 791: more fragments, or not the first.
            let is_fragment = be16(rest, 6)? & 0x3fff != 0;
            (*rest.get(9)? == 17 && !is_fragment)
                .then(|| rest.get(header..length))
                .flatten()?
        }
        0x86dd if *rest.get(6)? == 17 => rest.get(40..)?,
        _ => return None,
    };
    let length = usize::from(be16(datagram, 4)?);
    datagram.get(8..length)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_be_bytes(*b))
}

/// Decodes every message of a payload.
///
/// A message that is refused ends the payload only where its length is not known from outside.
pub fn decode_payload(
    schema: &Schema,
    payload: &[u8],
    framing: Framing,
    mut each: impl FnMut(Result<Decoded, DynamicError>),
) {
    match framing {
        Framing::Raw => each(dynamic::decode(schema, payload)),
        Framing::BackToBack => {
            let mut rest = payload;
            while !rest.is_empty() {
                let decoded = dynamic::decode_first(schema, rest);
                // Nothing says how long an unknown or refused message is.
                let next = match &decoded {
                    Ok(message) if message.name.is_some() => {
                        rest.get(rest.len() - message.trailing..)
                    }
                    _ => None,
                };
                each(decoded.map(|m| Decoded { trailing: 0, ..m }));
                rest = next.unwrap_or_default();
            }
        }
        Framing::Cme => {
            let mut at = 12;
            if payload.len() < at {
                return each(Err(cut(payload, 0, "packet header")));
            }
            while at < payload.len() {
                let size = payload
                    .get(at..)
                    .and_then(|b| b.first_chunk())
                    .map(|b| usize::from(u16::from_le_bytes(*b)));
                match size.and_then(|size| {
                    payload
                        .get(at + 2..at + size)
                        .map(|message| (size, message))
                }) {
                    Some((size, message)) => {
                        each(dynamic::decode(schema, message));
                        at += size;
                    }
                    None => return each(Err(cut(payload, at, "message size"))),
                }
            }
        }
    }
}

fn cut(payload: &[u8], at: usize, part: &str) -> DynamicError {
    DynamicError {
        at,
        part: part.into(),
        what: format!("does not fit the packet of {} bytes", payload.len()),
    }
}
