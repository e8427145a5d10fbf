//! Topic names and topic filters (section 4.7 of both versions), shared subscriptions (section 4.8.2
//! of MQTT 5).

use super::{fault::Fault, version::Version};

/// The prefix of a shared subscription.
const SHARE: &str = "$share/";

fn is_wildcard(byte: &u8) -> bool {
    matches!(byte, b'+' | b'#')
}

/// A topic name has no wildcards.
pub(super) fn without_wildcards(name: &str) -> Result<(), Fault> {
    match name.bytes().enumerate().find(|(_, byte)| is_wildcard(byte)) {
        Some((index, byte)) => {
            Err(Fault::new("wildcard in a topic name", byte.into()).behind(index))
        }
        None => Ok(()),
    }
}

/// A topic name without an alias has at least one character.
pub(super) const fn not_empty(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::new("length of a topic name", 0));
    }
    Ok(())
}

/// Both rules of a topic name.
pub(super) fn name(name: &str) -> Result<(), Fault> {
    not_empty(name)?;
    without_wildcards(name)
}

/// A wildcard is a whole level of the filter, and `#` is the last level.
fn levels(filter: &str) -> Result<(), Fault> {
    if filter.is_empty() {
        return Err(Fault::new("length of a topic filter", 0));
    }
    let bytes = filter.as_bytes();
    let is_separator = |index: Option<usize>| match index {
        Some(index) => bytes.get(index).is_none_or(|byte| *byte == b'/'),
        None => true,
    };
    for (index, byte) in bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| is_wildcard(byte))
    {
        let alone = is_separator(index.checked_sub(1)) && is_separator(Some(index + 1));
        let last = *byte != b'#' || index + 1 == bytes.len();
        if !alone || !last {
            let fault = Fault::new("place of a wildcard in a topic filter", (*byte).into());
            return Err(fault.behind(index));
        }
    }
    Ok(())
}

pub(super) fn filter(filter: &str, version: Version) -> Result<(), Fault> {
    match filter.strip_prefix(SHARE) {
        Some(shared) if version == Version::V5 => {
            share(shared).map_err(|fault| fault.behind(SHARE.len()))
        }
        _ => levels(filter),
    }
}

/// The share name, then a filter that is not empty.
fn share(shared: &str) -> Result<(), Fault> {
    let (name, filter) = match shared.split_once('/') {
        Some((name, filter)) => (name, Some(filter)),
        None => (shared, None),
    };
    if name.is_empty() {
        return Err(Fault::new("length of a share name", 0));
    }
    if let Some((index, byte)) = name.bytes().enumerate().find(|(_, byte)| is_wildcard(byte)) {
        return Err(Fault::new("wildcard in a share name", byte.into()).behind(index));
    }
    match filter {
        Some(filter) => levels(filter).map_err(|fault| fault.behind(name.len() + 1)),
        None => Err(Fault::new("share name without a topic filter", 0)),
    }
}

/// Options of a subscription. MQTT 5 (section 3.8.3.1): two bits are reserved, no field of two bits is 3, and
/// a shared subscription does not have No Local. MQTT 3.1.1 (section 3.8.3): the quality of service only.
pub(super) fn options(filter: &str, options: u8, version: Version) -> Result<(), Fault> {
    let bits = match version {
        Version::V311 => options & 0xfc,
        Version::V5 => options & 0xc0,
    };
    if bits != 0 || options & 0x03 == 0x03 || options & 0x30 == 0x30 {
        return Err(Fault::new("subscription options", options.into()));
    }
    if options & 0x04 != 0 && filter.starts_with(SHARE) {
        return Err(Fault::new(
            "No Local on a shared subscription",
            options.into(),
        ));
    }
    Ok(())
}
