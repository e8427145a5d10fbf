//! Messages of captures: pcap and pcapng files, UDP payloads, TCP streams, and the envelopes of venues.

mod framing;
mod packet;
mod streams;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walks;

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use packet::Carried;
use streams::Streams;

pub use framing::{Event, Framing, Walker, probe};

/// Room for one block of a capture. Packets are at most 64 KiB; their options are short.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// One direction of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// A part of a capture, in the order of the file. The parts of a stream are in the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'p> {
    /// A UDP payload.
    Datagram(&'p [u8]),
    /// The next bytes of a TCP stream. Their boundaries have no meaning.
    Stream {
        /// The stream.
        flow: Flow,
        /// The bytes.
        bytes: &'p [u8],
    },
    /// Bytes of a TCP stream that the capture does not have.
    Gap {
        /// The stream.
        flow: Flow,
        /// The number of missing bytes.
        bytes: u64,
    },
    /// The end of a TCP stream.
    End {
        /// The stream.
        flow: Flow,
    },
}

/// Counts of the packets of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packets {
    /// UDP datagrams.
    pub datagrams: u64,
    /// TCP segments, including those without payload.
    pub segments: u64,
    /// Retransmitted bytes.
    pub retransmitted: u64,
    /// Gaps in streams.
    pub gaps: u64,
    /// Packets that are not whole UDP or TCP packets over IP: another protocol, a fragment, or a truncated
    /// packet.
    pub skipped: u64,
    /// TCP segments of streams beyond the limit of simultaneous streams. Their payloads are lost.
    pub unfollowed: u64,
}

impl Packets {
    /// All packets read.
    pub fn all(&self) -> u64 {
        self.datagrams + self.segments + self.skipped + self.unfollowed
    }
}

/// The error of a capture that cannot be read to its end: the reason, and the number of packets before it.
#[derive(Debug)]
pub struct CaptureError(String);

impl CaptureError {
    fn new<I>(error: &PcapError<I>, read: Packets) -> Self {
        let why = match error {
            PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
                "the file ends inside a block".into()
            }
            PcapError::BufferTooSmall => format!("a block is longer than {BLOCK_BYTES_MAX} bytes"),
            PcapError::ReadError => "the rest of the file cannot be read".into(),
            PcapError::HeaderNotRecognized => "the file is neither pcap nor pcapng".into(),
            PcapError::NomError(..) | PcapError::OwnedNomError(..) => "a block is malformed".into(),
        };
        Self(format!("{why}, behind {} packets", read.all()))
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capture: {}", self.0)
    }
}

impl std::error::Error for CaptureError {}

/// Whether a file begins with the header of a pcapng or pcap capture.
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

/// Calls `each` for every UDP payload of a pcap or pcapng capture, in file order, and for the bytes of
/// every TCP stream, in the order of their sequence numbers.
///
/// Late segments wait for the segments before them, within limits. Retransmitted segments are dropped.
///
/// # Errors
/// [`CaptureError`] if the file ends inside a block or is not a capture. `each` was called for the parts
/// before the error.
pub fn payloads(
    input: impl Read + Send,
    mut each: impl FnMut(Payload<'_>),
) -> Result<Packets, CaptureError> {
    let (mut packets, mut streams) = (Packets::default(), Streams::default());
    let read = read(input, &mut packets, &mut streams, &mut each);
    streams.finish(&mut packets, &mut each);
    read.map(|()| packets)
}

fn read(
    input: impl Read + Send,
    packets: &mut Packets,
    streams: &mut Streams,
    each: &mut dyn FnMut(Payload<'_>),
) -> Result<(), CaptureError> {
    let mut reader = create_reader(BLOCK_BYTES_MAX, Filling(input))
        .map_err(|e| CaptureError::new(&e, *packets))?;
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
                        let link = links.get(packet.if_id as usize).copied();
                        Some((link, packet.packet_data()))
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        Some((links.first().copied(), packet.packet_data()))
                    }
                    PcapBlockOwned::LegacyHeader(header) => {
                        links.push(header.network);
                        None
                    }
                    PcapBlockOwned::Legacy(packet) => Some((links.first().copied(), packet.data)),
                    PcapBlockOwned::NG(_) => None,
                };
                // Of an interface that was not described, nothing can be read.
                match payload.map(|(link, frame)| packet::carried(link?, frame)) {
                    Some(Some(Carried::Datagram(bytes))) => {
                        packets.datagrams += 1;
                        each(Payload::Datagram(bytes));
                    }
                    Some(Some(Carried::Segment(segment))) => {
                        streams.push(segment, packets, each);
                    }
                    Some(None) => packets.skipped += 1,
                    None => {}
                }
                reader.consume(length);
                last_incomplete = false;
            }
            Err(PcapError::Eof) => return Ok(()),
            // The reader asks for more once; a second time without progress means the file ends here.
            Err(PcapError::Incomplete(_)) if !last_incomplete => {
                last_incomplete = true;
                reader
                    .refill()
                    .map_err(|e| CaptureError::new(&e, *packets))?;
            }
            Err(e) => return Err(CaptureError::new(&e, *packets)),
        }
    }
}
