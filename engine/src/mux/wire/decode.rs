//! Decodes a record into frames.

use core::iter::FusedIterator;
use core::str;

use super::error::WireError;
use super::frame::{
    ALIAS_MAX, ALIGN_MAX, Accept, Credit, CreditKind, Data, Frame, GOAWAY_REASON_BYTES_MAX, GoAway,
    Open, PAD_RUN_MAX, Profile, Reset, Run, flag, kind,
};
use super::hello::{HELLO_BYTES_MAX, Hello};
use super::options::{OPTIONS_BYTES_MAX, Options};
use super::reader::Reader;
use super::varint::unpack;

/// The frames of one record, in order, without PAD. After an error, no frame follows.
#[derive(Clone, Debug)]
pub(crate) struct Frames<'r> {
    /// The unread bytes, from a frame boundary on.
    rest: &'r [u8],
}

impl<'r> Frames<'r> {
    /// The frames of a complete `record`.
    #[inline]
    pub(crate) const fn new(record: &'r [u8]) -> Self {
        Self { rest: record }
    }

    /// The next frame, if it is a short whole message, the usual case, and the frames after it;
    /// else `None`: [`next`](Self::next) reads any frame. It avoids moving a whole [`Frame`] for
    /// each message.
    // Always inline: returning `Data` through memory costs as much as parsing it.
    #[inline(always)]
    pub(crate) fn message(&self) -> Option<(Data<'r>, Self)> {
        let (data, rest) = short_message(self.rest)?;
        Some((data, Self { rest }))
    }

    /// Whether no bytes are left.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next frame, without PAD.
    #[inline(never)]
    fn any(&mut self) -> Option<Result<Frame<'r>, WireError>> {
        let pad = self.rest.iter().take_while(|&&b| b == kind::PAD);
        // Counting one more than allowed is enough.
        let pad_len = pad.take(PAD_RUN_MAX.saturating_add(1)).count();
        let mut reader = Reader::new(self.rest, WireError::Truncated);
        // Empty until the frame is found legal: no frame follows an error.
        self.rest = &[];
        if pad_len > PAD_RUN_MAX {
            return Some(Err(WireError::TooMuchPad));
        }
        reader.rest = reader.rest.get(pad_len..)?;
        let byte0 = reader.byte().ok()?;
        let frame = frame(byte0 & 0xF, byte0 >> 4, &mut reader);
        if frame.is_ok() {
            self.rest = reader.rest;
        }
        Some(frame)
    }
}

impl<'r> Iterator for Frames<'r> {
    type Item = Result<Frame<'r>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((data, behind)) = self.message() {
            *self = behind;
            return Some(Ok(Frame::Data(data)));
        }
        if self.is_empty() {
            return None;
        }
        self.any()
    }
}

impl FusedIterator for Frames<'_> {}

const BOTH_ENDS: u8 = flag::FIN | flag::MORE;

/// Reads DATA that is a whole message without SKIP and FIN, shorter than 2^14 bytes, with a header
/// within 8 readable bytes: the usual case. Also returns the bytes after it.
///
/// One load. No branch on the length of the alias, which is hard to predict where channels take
/// turns. A branch on the length of the length, because consecutive messages are alike.
#[inline(always)]
fn short_message(bytes: &[u8]) -> Option<(Data<'_>, &[u8])> {
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    let byte0 = word as u8;
    if byte0 & !(flag::LEN << 4) != kind::DATA {
        return None;
    }
    let word = word >> 8;
    let (alias, alias_len) = unpack(word);
    // The last byte of an 8-byte alias is not in the word.
    if alias_len == 8 || alias >= ALIAS_MAX as u64 {
        return None;
    }
    let (payload, rest) = if byte0 & (flag::LEN << 4) == 0 {
        (bytes.get(alias_len.wrapping_add(1)..)?, [].as_slice())
    } else {
        let word = word.wrapping_shr((alias_len as u32).wrapping_mul(8));
        let (len, head_len) = match word & 3 {
            0 => ((word >> 2) & 0x3F, alias_len.wrapping_add(2)),
            1 => ((word >> 2) & 0x3FFF, alias_len.wrapping_add(3)),
            _ => return None,
        };
        let after = bytes.get(head_len..)?;
        after.split_at_checked(len as usize)?
    };
    let data = Data {
        alias: alias as u32,
        more: false,
        fin: false,
        skip: 0,
        payload,
    };
    Some((data, rest))
}

/// The flags that a type defines.
const fn flags_of(kind: u8) -> Result<u8, WireError> {
    Ok(match kind {
        kind::DATA => flag::LEN | flag::MORE | flag::FIN | flag::SKIP,
        kind::RUN => flag::LEN | flag::SKIP,
        kind::CREDIT => flag::NARROW | flag::BLOCKED | flag::ACK | flag::RETURN,
        kind::RESET => flag::ABORT | flag::STOP,
        kind::PING => flag::PONG,
        kind::EXT => flag::IGNORE,
        kind::REJECT => flag::INFO,
        kind::PAD | kind::OPEN | kind::ACCEPT | kind::SEQ | kind::GOAWAY | kind::HELLO => 0,
        _ => return Err(WireError::ReservedType),
    })
}

/// Reads a frame after its first byte.
fn frame<'r>(kind: u8, flags: u8, r: &mut Reader<'r>) -> Result<Frame<'r>, WireError> {
    if flags & !flags_of(kind)? != 0 {
        return Err(WireError::UnknownFlags);
    }
    Ok(match kind {
        kind::DATA => Frame::Data(data(flags, r)?),
        kind::RUN => Frame::Run(run(flags, r)?),
        kind::CREDIT => Frame::Credit(credit(flags, r)?),
        kind::OPEN => Frame::Open(open(r)?),
        kind::ACCEPT => Frame::Accept(Accept {
            peer_alias: r.alias()?,
            alias: r.alias()?,
            limit: r.varint()?,
            max_msg: r.varint()?,
            options: options(r)?,
        }),
        kind::REJECT => Frame::Reject {
            peer_alias: r.alias()?,
            code: r.u32(WireError::CodeTooLarge)?,
            metadata: match flags & flag::INFO {
                0 => &[],
                _ => counted(r, OPTIONS_BYTES_MAX, WireError::OptionsTooLong)?,
            },
        },
        kind::RESET if flags == 0 => return Err(WireError::ResetOfNothing),
        kind::RESET => Frame::Reset(Reset {
            alias: r.alias()?,
            code: r.u32(WireError::CodeTooLarge)?,
            abort: flags & flag::ABORT != 0,
            stop: flags & flag::STOP != 0,
        }),
        kind::SEQ => Frame::Seq {
            alias: r.alias()?,
            epoch: r.varint()?,
            next_seq: r.varint()?,
        },
        kind::PING => Frame::Ping {
            value: u64::from_le_bytes(r.array()?),
            pong: flags & flag::PONG != 0,
        },
        kind::GOAWAY => Frame::GoAway(go_away(r)?),
        kind::HELLO => Frame::Hello(Hello::parse(counted(
            r,
            HELLO_BYTES_MAX,
            WireError::HelloTooLong,
        )?)?),
        kind::EXT => Frame::Ext {
            kind: r.varint()?,
            ignorable: flags & flag::IGNORE != 0,
            body: {
                let len = r.varint()?;
                r.bytes(len)?
            },
        },
        _ => return Err(WireError::ReservedType),
    })
}

fn data<'r>(flags: u8, r: &mut Reader<'r>) -> Result<Data<'r>, WireError> {
    if flags & BOTH_ENDS == BOTH_ENDS {
        return Err(WireError::FinWithMore);
    }
    let alias = r.alias()?;
    let len = match flags & flag::LEN {
        0 => None,
        _ => Some(r.varint()?),
    };
    let skip = skip(flags, r)?;
    let payload = match len {
        None => r.take_rest(),
        Some(len) => r.bytes(len)?,
    };
    Ok(Data {
        alias,
        more: flags & flag::MORE != 0,
        fin: flags & flag::FIN != 0,
        skip,
        payload,
    })
}

fn run<'r>(flags: u8, r: &mut Reader<'r>) -> Result<Run<'r>, WireError> {
    let alias = r.alias()?;
    let elem = r.u32(WireError::RunTooLarge)?;
    if elem == 0 {
        return Err(WireError::RunElementEmpty);
    }
    let count = match flags & flag::LEN {
        0 => None,
        _ => Some(r.u32(WireError::RunTooLarge)?),
    };
    let skip = skip(flags, r)?;
    let count = match count {
        Some(count) => count,
        None => count_to_end(r.rest.len() as u64, elem)?,
    };
    if count == 0 {
        return Err(WireError::RunEmpty);
    }
    // Both are below 2^32, so the product is below 2^64.
    let bytes = r.bytes(u64::from(elem).saturating_mul(u64::from(count)))?;
    Ok(Run {
        alias,
        elem,
        count,
        skip,
        bytes,
    })
}

/// The number of elements of `elem` bytes in the last `len` bytes of a record.
fn count_to_end(len: u64, elem: u32) -> Result<u32, WireError> {
    let elem = u64::from(elem);
    if len.checked_rem(elem) != Some(0) {
        return Err(WireError::RunNotWhole);
    }
    let count = len.checked_div(elem).unwrap_or(0);
    u32::try_from(count).map_err(|_| WireError::RunTooLarge)
}

fn skip(flags: u8, r: &mut Reader<'_>) -> Result<u64, WireError> {
    if flags & flag::SKIP == 0 {
        return Ok(0);
    }
    match r.varint()? {
        0 => Err(WireError::SkipZero),
        skip => Ok(skip),
    }
}

fn credit(flags: u8, r: &mut Reader<'_>) -> Result<Credit, WireError> {
    let kind = match flags & !flag::ACK {
        0 => CreditKind::Grant,
        flag::NARROW => CreditKind::Narrow,
        flag::BLOCKED => CreditKind::Blocked,
        flag::RETURN => CreditKind::Return,
        _ => return Err(WireError::CreditOfTwoKinds),
    };
    Ok(Credit {
        alias: r.alias()?,
        kind,
        total: r.varint()?,
        ack: match flags & flag::ACK {
            0 => None,
            _ => Some(r.varint()?),
        },
    })
}

fn open<'r>(r: &mut Reader<'r>) -> Result<Open<'r>, WireError> {
    let alias = r.alias()?;
    let profile = Profile::from_byte(r.byte()?)?;
    let mode = r.byte()?;
    if mode >> 4 != 0 {
        return Err(WireError::ReservedMode);
    }
    if mode > ALIGN_MAX {
        return Err(WireError::AlignTooLarge);
    }
    let open = Open {
        alias,
        profile,
        align: mode,
        limit: r.varint()?,
        max_msg: r.varint()?,
        options: options(r)?,
    };
    if open.options.wants.is_some() {
        return Err(WireError::WantsInOpen);
    }
    Ok(open)
}

fn options<'r>(r: &mut Reader<'r>) -> Result<Options<'r>, WireError> {
    let bytes = counted(r, OPTIONS_BYTES_MAX, WireError::OptionsTooLong)?;
    Options::parse(bytes)
}

fn go_away<'r>(r: &mut Reader<'r>) -> Result<GoAway<'r>, WireError> {
    let opens_seen = r.varint()?;
    let code = r.u32(WireError::CodeTooLarge)?;
    let len = r.byte()?;
    if usize::from(len) > GOAWAY_REASON_BYTES_MAX {
        return Err(WireError::ReasonTooLong);
    }
    let reason = r.bytes(u64::from(len))?;
    Ok(GoAway {
        opens_seen,
        code,
        reason: str::from_utf8(reason).map_err(|_| WireError::ReasonNotUtf8)?,
    })
}

/// Reads a length and as many bytes, at most `max`; else the error `long`.
fn counted<'r>(r: &mut Reader<'r>, max: usize, long: WireError) -> Result<&'r [u8], WireError> {
    let len = r.varint()?;
    if len > max as u64 {
        return Err(long);
    }
    r.bytes(len)
}
