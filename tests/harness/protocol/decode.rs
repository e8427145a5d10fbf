//! From the bytes of a record to its frames, or to the rule of `docs/protocol.md` that it breaks.

use super::frame::{Frame, Kind, Opt, Parameter};
use crate::frames_mux::flag;

/// The number of a rule.
pub type Rule = u32;

/// What a record says up to its end, or to the first frame that breaks a rule.
#[must_use]
pub fn decode(record: &[u8]) -> (Vec<Frame>, Option<Rule>) {
    let mut frames = Vec::new();
    let mut rest = Rest(record, 6);
    while !rest.0.is_empty() {
        match frame(&mut rest) {
            Ok(frame) => frames.push(frame),
            Err(rule) => return (frames, Some(rule)),
        }
    }
    (frames, None)
}

/// Bytes that are not read yet, and the rule that is broken if they end too early.
struct Rest<'a>(&'a [u8], Rule);

impl<'a> Rest<'a> {
    fn take(&mut self, n: u64) -> Result<&'a [u8], Rule> {
        if n > self.0.len() as u64 {
            return Err(self.1);
        }
        let (head, rest) = self.0.split_at(n as usize);
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, Rule> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self, n: u64) -> Result<u64, Rule> {
        let mut word = [0; 8];
        word[..n as usize].copy_from_slice(self.take(n)?);
        Ok(u64::from_le_bytes(word))
    }

    fn tv(&mut self) -> Result<u64, Rule> {
        let first = *self.0.first().ok_or(self.1)?;
        Ok(self.word(1 << (first & 3))? >> 2)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64, rule: Rule) -> Result<u64, Rule> {
        let value = self.tv()?;
        if value < end { Ok(value) } else { Err(rule) }
    }

    fn alias(&mut self) -> Result<u64, Rule> {
        self.below(1 << 20, 31)
    }

    fn code(&mut self) -> Result<u64, Rule> {
        self.below(1 << 32, 36)
    }

    /// Bytes behind their length, at most `max`.
    fn counted(&mut self, max: u64, rule: Rule) -> Result<&'a [u8], Rule> {
        let len = self.below(max + 1, rule)?;
        self.take(len)
    }

    fn skip(&mut self, flags: u8) -> Result<u64, Rule> {
        match flags & flag::SKIP {
            0 => Ok(0),
            _ => Some(self.tv()?).filter(|&skip| skip > 0).ok_or(38),
        }
    }
}

/// Flags by type; 0xFF where the type is reserved.
const FLAGS: [u8; 16] = [
    0, 0xF0, 0x90, 0xF0, 0, 0, 0x10, 0x30, 0, 0x10, 0, 0, 0xFF, 0xFF, 0xFF, 0x10,
];

fn frame(r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let b0 = r.byte()?;
    let (kind, flags) = (b0 & 0xF, b0 & 0xF0);
    let known = FLAGS[usize::from(kind)];
    if known == 0xFF {
        return Err(33);
    }
    if flags & !known != 0 {
        return Err(34);
    }
    Ok(match kind {
        0 => {
            let more = r.0.iter().take_while(|&&b| b == 0).count();
            r.0 = &r.0[more..];
            return if more < 63 {
                Ok(Frame::Pad(more + 1))
            } else {
                Err(35)
            };
        }
        1 => data(flags, r)?,
        2 => run(flags, r)?,
        3 => credit(flags, r)?,
        4 => open(r)?,
        5 => Frame::Accept {
            peer_alias: r.alias()?,
            alias: r.alias()?,
            limit: r.tv()?,
            max_msg: r.tv()?,
            options: options(r, false)?,
        },
        6 => Frame::Reject {
            peer_alias: r.alias()?,
            code: r.code()?,
            info: match flags & flag::INFO {
                0 => None,
                _ => Some(r.counted(4096, 43)?.to_vec()),
            },
        },
        7 if flags == 0 => return Err(41),
        7 => Frame::Reset {
            abort: flags & flag::ABORT != 0,
            stop: flags & flag::STOP != 0,
            alias: r.alias()?,
            code: r.code()?,
        },
        8 => Frame::Seq {
            alias: r.alias()?,
            epoch: r.tv()?,
            next_seq: r.tv()?,
        },
        9 => Frame::Ping {
            pong: flags != 0,
            value: r.word(8)?,
        },
        0xA => go_away(r)?,
        0xB => Frame::Hello(parameters(r.counted(1024, 46)?)?),
        _ => ext(flags != 0, r)?,
    })
}

fn data(flags: u8, r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let (len, more, fin) = (
        flags & flag::LEN != 0,
        flags & flag::MORE != 0,
        flags & flag::FIN != 0,
    );
    if more && fin {
        return Err(37);
    }
    let alias = r.alias()?;
    let size = if len { Some(r.tv()?) } else { None };
    let skip = r.skip(flags)?;
    let payload = r.take(size.unwrap_or(r.0.len() as u64))?.to_vec();
    Ok(Frame::Data {
        len,
        more,
        fin,
        alias,
        skip,
        payload,
    })
}

fn run(flags: u8, r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let alias = r.alias()?;
    let elem = r.below(1 << 32, 39)?;
    if elem == 0 {
        return Err(39);
    }
    let len = flags & flag::LEN != 0;
    let count = if len {
        Some(r.below(1 << 32, 39)?)
    } else {
        None
    };
    let skip = r.skip(flags)?;
    let rest = r.0.len() as u64;
    if count.is_none() && !rest.is_multiple_of(elem) {
        return Err(39);
    }
    let count = count.unwrap_or(rest / elem);
    if count == 0 {
        return Err(39);
    }
    let payload = r.take(elem * count)?.to_vec();
    Ok(Frame::Run {
        len,
        alias,
        elem,
        skip,
        payload,
    })
}

fn credit(flags: u8, r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let kind = match flags & !flag::ACK {
        0 => Kind::Grant,
        flag::NARROW => Kind::Narrow,
        flag::BLOCKED => Kind::Blocked,
        flag::RETURN => Kind::Return,
        _ => return Err(40),
    };
    Ok(Frame::Credit {
        kind,
        alias: r.alias()?,
        total: r.tv()?,
        ack: match flags & flag::ACK {
            0 => None,
            _ => Some(r.tv()?),
        },
    })
}

fn open(r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let (alias, profile, mode) = (r.alias()?, r.byte()?, r.byte()?);
    if profile >> 3 & 3 == 3 || mode > 6 {
        return Err(42);
    }
    let (limit, max_msg, options) = (r.tv()?, r.tv()?, options(r, true)?);
    let has = |wanted: fn(&Opt) -> bool| options.iter().any(wanted);
    let resumes = has(|option| matches!(option, Opt::Resume(..)));
    let dies = has(|option| matches!(option, Opt::Ttl(_)));
    if resumes && profile & 0x80 == 0 || dies && profile & 0x40 != 0 {
        return Err(44);
    }
    Ok(Frame::Open {
        alias,
        profile,
        align: mode,
        limit,
        max_msg,
        options,
    })
}

fn go_away(r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let (opens_seen, code, len) = (r.tv()?, r.code()?, r.byte()?);
    if len > 123 {
        return Err(48);
    }
    let reason = r.take(len.into())?.to_vec();
    Ok(Frame::GoAway {
        opens_seen,
        code,
        reason: String::from_utf8(reason).map_err(|_| 48_u32)?,
    })
}

/// No kind is known.
fn ext(ignore: bool, r: &mut Rest<'_>) -> Result<Frame, Rule> {
    let kind = r.tv()?;
    let body = r.counted(u64::MAX - 1, 6)?.to_vec();
    match ignore {
        true => Ok(Frame::Ext { ignore, kind, body }),
        false => Err(49),
    }
}

/// Members of `{id size value}*`; what ends too early breaks `rule`.
fn members(body: &[u8], rule: Rule) -> Result<Vec<(u64, &[u8])>, Rule> {
    let mut r = Rest(body, rule);
    let mut found = Vec::new();
    while !r.0.is_empty() {
        let id = r.tv()?;
        found.push((id, r.counted(u64::MAX - 1, rule)?));
    }
    Ok(found)
}

fn options(r: &mut Rest<'_>, in_open: bool) -> Result<Vec<Opt>, Rule> {
    let mut found: Vec<(u64, Opt)> = Vec::new();
    for (id, value) in members(r.counted(4096, 43)?, 43)? {
        if (1..=8).contains(&id) && found.iter().any(|(known, _)| *known == id) {
            return Err(43);
        }
        let mut r = Rest(value, 43);
        let option = match id {
            1 => Opt::Ttl(r.tv()?),
            2 => Opt::Resume(r.tv()?, r.tv()?),
            3 => Opt::Topic(r.0.to_vec()),
            4 => Opt::Metadata(r.0.to_vec()),
            5 => Opt::Replay(r.tv()?),
            6 => Opt::Snapshot(r.tv()?),
            7 => Opt::Fresh(r.tv()?, r.tv()?),
            8 => Opt::Wants(r.tv()?),
            _ => Opt::Unknown(id, r.0.to_vec()),
        };
        if matches!(id, 1 | 2 | 5..=8) && !r.0.is_empty() {
            return Err(43);
        }
        found.push((id, option));
    }
    let has = |ids: &[u64]| found.iter().filter(|(id, _)| ids.contains(id)).count();
    let wrong = if in_open {
        has(&[5, 6, 7, 8])
    } else {
        has(&[1, 2, 3])
    };
    if wrong > 0 || has(&[5, 6, 7]) > 1 {
        return Err(44);
    }
    Ok(found.into_iter().map(|(_, option)| option).collect())
}

/// Bounds of the parameters of HELLO, by id.
fn bounds(id: u64) -> Option<std::ops::RangeInclusive<u64>> {
    const MAX62: u64 = crate::frames_mux::MAX62;
    Some(match id {
        1 => 1 << 10..=1 << 20,
        2 | 9 => 1..=MAX62,
        3 | 4 => 0..=1 << 20,
        5 => 1..=1 << 20,
        7 => 0..=MAX62,
        8 => 16..=1024,
        10 => 0..=u64::MAX,
        _ => return None,
    })
}

fn parameters(body: &[u8]) -> Result<Vec<Parameter>, Rule> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for (id, bytes) in members(body, 46)? {
        let Some(bounds) = bounds(id) else {
            found.push(Parameter::Unknown(id, bytes.to_vec()));
            continue;
        };
        if seen.contains(&id) || bytes.is_empty() || bytes.len() > 8 {
            return Err(46);
        }
        seen.push(id);
        let value = Rest(bytes, 46).word(bytes.len() as u64)?;
        if !bounds.contains(&value) {
            return Err(47);
        }
        found.push(Parameter::Known(id, value, bytes.len()));
    }
    Ok(found)
}
