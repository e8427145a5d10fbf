//! Recordings: gzip of lines `<local receive time, ns> <JSON object>`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::Tape;

/// Bytes of one line: several times the largest book snapshot that exchanges send.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// How a gzip file begins (RFC 1952 section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Reads a recording.
///
/// # Errors
/// One line that names the file, and the line of it that is wrong.
pub(crate) fn load(path: &Path) -> Result<Tape, String> {
    let told = |what: String| format!("tape {}: {what}", path.display());
    let file = File::open(path).map_err(|e| told(e.to_string()))?;
    parse(BufReader::new(file)).map_err(told)
}

/// Reads a recording from its gzip bytes.
pub(super) fn parse(mut gzip: impl BufRead) -> Result<Tape, String> {
    let magic = gzip.fill_buf().map_err(|e| e.to_string())?;
    if magic.is_empty() {
        return Err("the file is empty".into());
    }
    if !magic.starts_with(&GZIP_MAGIC) {
        return Err("not a gzip file".into());
    }
    let mut lines = BufReader::new(MultiGzDecoder::new(gzip));
    let mut tape = Tape::default();
    let mut line = Vec::new();
    let mut first_ns = None;
    for number in 1_u64.. {
        line.clear();
        let read = (&mut lines)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line);
        match read {
            Ok(0) => break,
            Ok(_) if line.len() as u64 > LINE_BYTES_MAX => {
                return Err(format!("line {number} is over {LINE_BYTES_MAX} bytes"));
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(format!(
                    "the gzip data is cut off after line {}",
                    number - 1
                ));
            }
            Err(e) => return Err(format!("bad gzip data in line {number}: {e}")),
        }
        let told = |what: String| format!("line {number}: {what}");
        let (at_ns, payload) = split(&line).map_err(|what| told(what.into()))?;
        let first_ns = *first_ns.get_or_insert(at_ns);
        let at_ns = at_ns
            .checked_sub(first_ns)
            .ok_or_else(|| told("its time is before that of the first line".into()))?;
        tape.push(at_ns, payload).map_err(told)?;
    }
    if tape.len() == 0 {
        return Err("there is no line in it".into());
    }
    Ok(tape)
}

/// `<digits> {...}` as the time and the object.
fn split(line: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    const FORM: &str = "not of the form `<nanoseconds> <JSON object>`";
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let space = line.iter().position(|&b| b == b' ').ok_or(FORM)?;
    let (digits, payload) = (&line[..space], &line[space + 1..]);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(FORM);
    }
    let at_ns = str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or("its time is not a number of nanoseconds that fits in 64 bits")?;
    match payload {
        [b'{', .., b'}'] => Ok((at_ns, payload)),
        _ => Err(FORM),
    }
}
