//! `docs/protocol.md` against the code and the vectors: rules, codes, limits, examples; and what
//! the repository says of rules against the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::protocol::{Step, encode, hex, invalid};
use tickwire::channels::{ChannelConfig, ErrorCode};

use super::{all_exchanges, root};

fn document() -> String {
    fs::read_to_string(root().join("docs/protocol.md")).expect("the document")
}

/// The numbers behind `R` in a text, where a word begins with it.
fn rules_in(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('R') {
        let before = text[..at].chars().next_back();
        let digits = text[at + 1..].chars().take_while(char::is_ascii_digit);
        let digits: String = digits.collect();
        let after = text[at + 1 + digits.len()..].chars().next();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if !digits.is_empty() && !before.is_some_and(word) && !after.is_some_and(word) {
            found.extend(digits.parse::<u32>());
        }
    }
    found
}

/// The number of the rule that a paragraph defines, and its text.
fn definitions(document: &str) -> Vec<(u32, &str)> {
    let paragraphs = document.split("\n\n");
    let bold = paragraphs.filter_map(|p| p.trim_start().strip_prefix("**R"));
    let split = bold.filter_map(|p| p.split_once(".**"));
    split
        .map(|(n, text)| (n.parse().expect("a number"), text))
        .collect()
}

/// Rows of the tables with this header line, as cells without spaces and backticks around them.
fn table(document: &str, header: &str) -> Vec<Vec<String>> {
    let (mut inside, mut rows) = (false, Vec::new());
    for line in document.lines() {
        if line == header {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|---") && !line.starts_with("|--:") {
            let cells = line.trim_matches('|').split('|');
            rows.push(
                cells
                    .map(|c| c.trim().trim_matches('`').to_owned())
                    .collect(),
            );
        }
    }
    assert!(!rows.is_empty(), "no table begins with {header}");
    rows
}

/// Every rule stands once, without a gap, and has a row in section 19.
#[test]
fn rules_are_numbered_without_a_gap() {
    let document = document();
    let mut defined: Vec<u32> = definitions(&document).iter().map(|(n, _)| *n).collect();
    defined.sort_unstable();
    let listed: Vec<u32> = proofs(&document).into_iter().map(|p| p.rule).collect();
    let all: Vec<u32> = (1..=defined.len() as u32).collect();
    assert_eq!(defined, all, "each once");
    assert_eq!(listed, all, "in the order of the numbers");
    let named: BTreeSet<u32> = rules_in(&document).into_iter().collect();
    assert!(named.is_subset(&all.into_iter().collect()), "{named:?}");
}

/// A row of section 19.
struct Proof {
    rule: u32,
    code: String,
    vectors: bool,
    tests: Vec<String>,
}

fn proofs(document: &str) -> Vec<Proof> {
    let rows = table(document, "| rule | in short | code | tested by |").into_iter();
    rows.map(|row| Proof {
        rule: rules_in(&row[0])[0],
        code: row[2].clone(),
        vectors: row[3].starts_with("vectors"),
        tests: row[3]
            .split('`')
            .filter(|t| t.contains('_'))
            .map(str::to_owned)
            .collect(),
    })
    .collect()
}

/// Rules that vectors name, and the codes of those that they break.
fn vectors() -> (BTreeSet<u32>, BTreeMap<u32, ErrorCode>) {
    let mut codes: BTreeMap<u32, ErrorCode> = invalid()
        .iter()
        .map(|i| (i.rule, ErrorCode::PROTOCOL))
        .collect();
    let mut shown = BTreeSet::new();
    for exchange in all_exchanges() {
        shown.extend(&exchange.rules);
        codes.extend(exchange.broken.map(|b| (b.rule, ErrorCode(b.code))));
    }
    shown.extend(codes.keys());
    (shown, codes)
}

#[test]
fn every_rule_has_vectors_or_a_test() {
    let document = document();
    let (shown, codes) = vectors();
    let sources = sources(&["tests", "engine"]);
    for proof in proofs(&document) {
        let rule = proof.rule;
        assert_eq!(proof.vectors, shown.contains(&rule), "R{rule}: vectors");
        assert!(
            proof.vectors || !proof.tests.is_empty(),
            "R{rule} is tested by nothing"
        );
        for test in &proof.tests {
            let name = format!("fn {test}(");
            let there = sources.iter().any(|(_, text)| text.contains(&name));
            assert!(there, "R{rule}: there is no test {test}");
        }
        if let Some(code) = codes.get(&rule) {
            assert_eq!(proof.code, code.to_string(), "R{rule}");
        }
    }
}

/// What the paragraph of a rule says of its code is what the table says.
#[test]
fn codes_of_rules_agree() {
    let document = document();
    let paragraphs: BTreeMap<u32, &str> = definitions(&document).into_iter().collect();
    for proof in proofs(&document) {
        let text = paragraphs[&proof.rule].replace('\n', " ");
        let arrows = text.split("→ ").skip(1);
        let codes: BTreeSet<String> = arrows
            .map(|rest| rest.chars().take_while(char::is_ascii_uppercase).collect())
            .collect();
        let expected: BTreeSet<String> = Some(proof.code)
            .filter(|c| !c.is_empty())
            .into_iter()
            .collect();
        assert_eq!(codes, expected, "R{}", proof.rule);
    }
}

#[test]
fn codes_are_those_of_the_code() {
    let document = document();
    let rows = table(
        &document,
        "| code | name | meaning | who sends it, and in what | what follows |",
    );
    let names: Vec<String> = rows.iter().map(|row| row[1].clone()).collect();
    for (n, row) in rows.iter().take(10).enumerate() {
        let code = ErrorCode(n as u32);
        assert_eq!(
            (row[0].clone(), row[1].clone()),
            (n.to_string(), code.to_string())
        );
        assert_eq!(code.close_code(), 4000 + n as u16);
    }
    assert_eq!(names.len(), 12);
    assert_eq!(ErrorCode(10).to_string(), "code 10", "no name yet");
    assert_eq!(rows[11][0], format!("{}..", ErrorCode::APPLICATION.0));
    assert_eq!(
        [999, 1000, u32::MAX].map(|n| ErrorCode(n).close_code()),
        [4999; 3]
    );
}

/// `2^n`, `2^n-1`, or a decimal number.
fn number(cell: &str) -> Option<u64> {
    if let Some(power) = cell.strip_prefix("2^") {
        let (power, less) = power.strip_suffix("-1").map_or((power, 0), |p| (p, 1));
        let power: u32 = power.parse().ok()?;
        return Some(((1_u128 << power) - less) as u64);
    }
    cell.parse().ok()
}

/// A field of `ChannelConfig`, set to a value, and others that must go with it.
fn configured(name: &str, value: u64) -> ChannelConfig {
    let mut config = ChannelConfig::default();
    let small = u32::try_from(value).unwrap_or(u32::MAX);
    match name {
        "record_bytes_max" => {
            config.record_bytes_max = small;
            config.metadata_bytes_max = 64;
        }
        "message_bytes_max" => config.message_bytes_max = small,
        "channels_max" => {
            config.channels_max = small;
            config.aliases_max = 1 << 20;
        }
        "pending_opens_max" => config.pending_opens_max = small,
        "aliases_max" => {
            config.aliases_max = small;
            config.channels_max = 1;
        }
        "channel_limit" => {
            config.channel_window_bytes = small;
            config.frame_overhead_bytes = 16;
            config.channel_window_bytes_max = small.max(config.channel_window_bytes_max);
        }
        "frame_overhead" => config.frame_overhead_bytes = small,
        "idle_timeout_ms" => config.idle_timeout = Duration::from_millis(value),
        "window of a channel that counts messages" => config.channel_window_messages = small,
        "window that growth may reach, bytes" => {
            config.channel_window_bytes_max = small;
        }
        "growth of all windows together, bytes" => config.window_growth_bytes_max = small,
        "topic and metadata of an OPEN, bytes (R45)" => config.metadata_bytes_max = small,
        "time between fragments (R30), ms" => config.partial_timeout = Duration::from_millis(value),
        "time to close (R26, R59), ms" => config.close_timeout = Duration::from_millis(value),
        other => panic!("no field is called {other}"),
    }
    config
}

/// The bound of a row: a number, or the default of another row.
fn bound(rows: &[Vec<String>], cell: &str) -> Option<u64> {
    let other = rows.iter().find(|row| row[0] == cell);
    number(other.map_or(cell, |row| &row[1]))
}

#[test]
fn limits_that_an_end_chooses_are_those_of_the_code() {
    let document = document();
    let rows = table(&document, "| limit | tickwire's default | least | most |");
    let mut checked = 0;
    for row in rows.iter().filter(|row| !row[0].contains("at once")) {
        let [default, least, most] = [1, 2, 3].map(|at| bound(&rows, &row[at]));
        let name = row[0].as_str();
        let default = default.expect("a default");
        let builds = |value| configured(name, value).check().is_ok();
        let same = configured(name, default);
        if !matches!(
            name,
            "record_bytes_max" | "channels_max" | "aliases_max" | "channel_limit"
        ) {
            assert_eq!(same, ChannelConfig::default(), "{name}");
        }
        // What goes with a value does not hide another default.
        assert!(defaults().contains(&(name, default)), "{name}: {default}");
        if name != "aliases_max" {
            let least = least.expect("a least value");
            assert!(builds(least), "{name}: {least}");
            assert!(least == 0 || !builds(least - 1), "{name}: below {least}");
        }
        if let Some(most) = most {
            assert!(builds(most) && !builds(most + 1), "{name}: {most}");
        }
        checked += 1;
    }
    assert_eq!(checked, 14);
}

/// What `ChannelConfig` says by itself.
fn defaults() -> [(&'static str, u64); 14] {
    let config = ChannelConfig::default();
    let ms = |time: Duration| u64::try_from(time.as_millis()).expect("short");
    [
        ("record_bytes_max", config.record_bytes_max.into()),
        ("message_bytes_max", config.message_bytes_max.into()),
        ("channels_max", config.channels_max.into()),
        ("pending_opens_max", config.pending_opens_max.into()),
        ("aliases_max", config.aliases_max.into()),
        ("channel_limit", config.channel_window_bytes.into()),
        ("frame_overhead", config.frame_overhead_bytes.into()),
        ("idle_timeout_ms", ms(config.idle_timeout)),
        (
            "window of a channel that counts messages",
            config.channel_window_messages.into(),
        ),
        (
            "window that growth may reach, bytes",
            config.channel_window_bytes_max.into(),
        ),
        (
            "growth of all windows together, bytes",
            config.window_growth_bytes_max.into(),
        ),
        (
            "topic and metadata of an OPEN, bytes (R45)",
            config.metadata_bytes_max.into(),
        ),
        (
            "time between fragments (R30), ms",
            ms(config.partial_timeout),
        ),
        ("time to close (R26, R59), ms", ms(config.close_timeout)),
    ]
}

/// The memory that section 16 speaks of.
#[test]
fn the_budget_by_default_is_as_said() {
    let config = ChannelConfig::default();
    let mebibytes = config.receive_budget_bytes() >> 20;
    assert!(
        document().contains(&format!("add up to {mebibytes} MiB")),
        "{mebibytes}"
    );
}

/// Each example has the bytes of the exchange of its name.
#[test]
fn examples_are_those_of_the_vectors() {
    let document = document();
    let mut examples = 0;
    for block in document.split("```text exchange ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name");
        let (block, _) = rest.split_once("```").expect("an end");
        let exchange = all_exchanges().find(|e| e.name == name).expect(name);
        let shown: Vec<(char, String)> = block.lines().filter_map(shown).collect();
        let mut said = Vec::new();
        for step in &exchange.steps {
            match step {
                Step::Receives(bytes, ..) => said.push(('P', hex(bytes))),
                Step::Sends(records) => said.extend(records.iter().map(|r| ('E', hex(&encode(r))))),
                _ => {}
            }
        }
        assert_eq!(shown, said, "{name}");
        examples += 1;
    }
    assert!(examples >= 3, "{examples}");
}

/// Who speaks in a line of an example, and the bytes. `(61 x 300)` is a byte many times.
fn shown(line: &str) -> Option<(char, String)> {
    let bytes = line.split("//").next().unwrap_or_default();
    let who = bytes
        .chars()
        .next()
        .filter(|who| matches!(who, 'E' | 'P'))?;
    let mut digits = String::new();
    for part in bytes[1..].split_inclusive(')') {
        let (plain, many) = part.split_once('(').unwrap_or((part, ""));
        digits.extend(plain.chars().filter(char::is_ascii_hexdigit));
        if let Some((byte, times)) = many.trim_end_matches(')').split_once(" x ") {
            digits += &byte.repeat(times.parse().expect("a number"));
        }
    }
    Some((who, digits))
}

/// Files of the repository, with their paths in it.
fn sources(dirs: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for dir in dirs {
        walk(&root().join(dir), dir, &mut found);
    }
    found
}

fn walk(at: &Path, name: &str, found: &mut Vec<(String, String)>) {
    let hidden = |name: &str| matches!(name, "target" | ".git" | "corpus" | "artifacts");
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = if name.is_empty() {
            file.clone()
        } else {
            format!("{name}/{file}")
        };
        if entry.path().is_dir() {
            if !hidden(&file) {
                walk(&entry.path(), &path, found);
            }
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            found.push((path, text));
        }
    }
}

/// Comments cite rules that are there.
#[test]
fn rules_in_comments_are_rules_of_the_document() {
    let document = document();
    let defined: BTreeSet<u32> = definitions(&document).iter().map(|(n, _)| *n).collect();
    let mut cited = 0;
    for (path, text) in sources(&["engine/src", "tests", "engine/ARCHITECTURE.md"]) {
        for (at, line) in text.lines().enumerate() {
            let comment = if path.ends_with(".rs") {
                line.split_once("//")
            } else {
                Some(("", line))
            };
            let Some((_, comment)) = comment.filter(|_| !path.ends_with(".json")) else {
                continue;
            };
            for rule in rules_in(comment) {
                assert!(defined.contains(&rule), "{path}:{}: R{rule}", at + 1);
                cited += 1;
            }
        }
    }
    // Fewer would mean that the search misses them.
    assert!(cited > 20, "{cited} rules are cited");
}

/// The repository stands alone: nothing refers to pages that are not in it.
#[test]
fn nothing_refers_to_pages_outside() {
    // Spelled so that this file does not name them.
    let outside = ["design ", "the framing ", "as the "].map(|before| format!("{before}page"));
    let outside = outside
        .into_iter()
        .chain(["shared/".to_owned() + "design", "mux".to_owned() + ".md"]);
    let outside: Vec<String> = outside.collect();
    let files = sources(&[""]);
    assert!(files.len() > 300, "{} files", files.len());
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path != "CHANGELOG.md") {
        for (at, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            let named = outside.iter().filter(|name| line.contains(name.as_str()));
            found.extend(named.map(|name| format!("{path}:{}: {name}", at + 1)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_readers_of_the_document_can_fail() {
    assert_eq!(rules_in("rule R20, (R3); R2a xR5 R_7 R"), [20, 3]);
    let text = "**R1.** a → FLOW\nb\n\n**R2.** c\n\nR3 **R4.** d";
    assert_eq!(definitions(text), [(1, " a → FLOW\nb"), (2, " c")]);
    assert_eq!(number("2^62-1"), Some((1 << 62) - 1));
    assert_eq!(number("2^64-1"), Some(u64::MAX));
    assert_eq!([number("16448"), number("many")], [Some(16_448), None]);
    assert_eq!(
        shown("E  0b 00 (61 x 2) 07 // HELLO"),
        Some(('E', "0b00616107".to_owned()))
    );
    assert_eq!(shown("   // E sends"), None);
    let rows = table(
        "| a | b |\n|---|---|\n| `x` | 1 |\n\n| y | 2 |",
        "| a | b |",
    );
    assert_eq!(rows, [["x", "1"]]);
}
