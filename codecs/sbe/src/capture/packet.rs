//! From a captured frame to the UDP or TCP payload: link layers, VLAN tags, IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use pcap_parser::Linktype;

use super::Flow;

/// The transport payload of a frame.
pub(super) enum Carried<'p> {
    /// The payload of a UDP datagram.
    Datagram(&'p [u8]),
    /// A segment of a TCP stream.
    Segment(Segment<'p>),
}

/// A TCP segment (RFC 9293, section 3.1).
pub(super) struct Segment<'p> {
    pub(super) flow: Flow,
    /// The sequence number of the first byte; with `is_first`, of the SYN before it.
    pub(super) sequence: u32,
    /// SYN: the stream begins here.
    pub(super) is_first: bool,
    /// FIN or RST: the stream ends behind the payload.
    pub(super) is_last: bool,
    pub(super) payload: &'p [u8],
}

/// The link layer of `tcpdump -i any` on Linux (LINKTYPE_LINUX_SLL2 in the registry of the tcpdump group).
const LINUX_SLL2: Linktype = Linktype(276);
const UDP: u8 = 17;
const TCP: u8 = 6;

/// `None` for another protocol, a fragment, or a packet that the capture cut.
pub(super) fn carried(link: Linktype, frame: &[u8]) -> Option<Carried<'_>> {
    let (mut kind, mut rest) = match link {
        Linktype::ETHERNET => (be16(frame, 12)?, frame.get(14..)?),
        Linktype::LINUX_SLL => (be16(frame, 14)?, frame.get(16..)?),
        LINUX_SLL2 => (be16(frame, 0)?, frame.get(20..)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => of_ip(frame)?,
        // The loopback of BSD and macOS: an address family in the machine's byte order.
        Linktype::NULL | Linktype::LOOP => of_ip(frame.get(4..)?)?,
        _ => return None,
    };
    // VLAN tags (IEEE 802.1Q), at most the two that 802.1ad stacks.
    for _ in 0..2 {
        if matches!(kind, 0x8100 | 0x88a8) {
            (kind, rest) = (be16(rest, 2)?, rest.get(4..)?);
        }
    }
    match kind {
        0x0800 => {
            let header = usize::from(rest.first()? & 0x0f) * 4;
            // Segments that the network card cuts later are captured with a length of 0.
            let length = match usize::from(be16(rest, 2)?) {
                0 => rest.len(),
                length => length,
            };
            // RFC 791: more fragments, or not the first.
            let is_fragment = be16(rest, 6)? & 0x3fff != 0;
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 4] = *rest.get(at..)?.first_chunk()?;
                Some(Ipv4Addr::from(bytes).into())
            };
            let inside = rest.get(header..length).filter(|_| !is_fragment)?;
            transport(*rest.get(9)?, address(12)?, address(16)?, inside)
        }
        0x86dd => {
            let length = match usize::from(be16(rest, 4)?) {
                0 => rest.len().checked_sub(40)?,
                length => length,
            };
            let address = |at: usize| -> Option<IpAddr> {
                let bytes: [u8; 16] = *rest.get(at..)?.first_chunk()?;
                Some(Ipv6Addr::from(bytes).into())
            };
            let inside = rest.get(40..40 + length)?;
            transport(*rest.get(6)?, address(8)?, address(24)?, inside)
        }
        _ => None,
    }
}

/// The kind of an IP packet without a link layer.
fn of_ip(packet: &[u8]) -> Option<(u16, &[u8])> {
    match packet.first()? >> 4 {
        4 => Some((0x0800, packet)),
        6 => Some((0x86dd, packet)),
        _ => None,
    }
}

fn transport(protocol: u8, from: IpAddr, to: IpAddr, packet: &[u8]) -> Option<Carried<'_>> {
    match protocol {
        UDP => {
            let length = usize::from(be16(packet, 4)?);
            Some(Carried::Datagram(packet.get(8..length)?))
        }
        TCP => {
            let header = usize::from(packet.get(12)? >> 4) * 4;
            let sequence: [u8; 4] = *packet.get(4..)?.first_chunk()?;
            Some(Carried::Segment(Segment {
                flow: Flow {
                    from: SocketAddr::new(from, be16(packet, 0)?),
                    to: SocketAddr::new(to, be16(packet, 2)?),
                },
                sequence: u32::from_be_bytes(sequence),
                is_first: packet.get(13)? & 0x02 != 0,
                is_last: packet.get(13)? & 0x05 != 0,
                payload: packet.get(header.max(20)..)?,
            }))
        }
        _ => None,
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_be_bytes(*b))
}
