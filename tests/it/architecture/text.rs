//! Source text without comments and strings, and what can be counted in it.

/// The text without comments and strings; lines stay lines.
pub(super) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|&c| c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            '"' => {
                let hashes = out.len() - out.trim_end_matches('#').len();
                let raw = out.trim_end_matches('#').ends_with('r');
                string(&mut chars, &mut out, raw.then_some(hashes));
            }
            '\'' => character(&mut chars),
            c => out.push(c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn string(chars: &mut Chars<'_>, out: &mut String, raw: Option<usize>) {
    while let Some(c) = chars.next() {
        match (c, raw) {
            ('\n', _) => out.push('\n'),
            ('\\', None) => out.extend(chars.next().filter(|&c| c == '\n')),
            ('"', None) => return,
            ('"', Some(hashes)) => {
                let closing = chars.clone().take(hashes).filter(|&c| c == '#').count();
                if closing == hashes {
                    let _ = chars.by_ref().take(hashes).count();
                    return;
                }
            }
            _ => {}
        }
    }
}

/// A character literal; a lifetime is left alone.
fn character(chars: &mut Chars<'_>) {
    let mut ahead = chars.clone();
    let first = ahead.next();
    if first == Some('\\') {
        chars.next();
        chars.next();
        while chars.next_if(|&c| c != '\'').is_some() {}
        chars.next();
    } else if ahead.next() == Some('\'') {
        chars.next();
        chars.next();
    }
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Lines, from 1, on which `name` stands as a whole word.
pub(super) fn lines_that_name(code: &str, name: &str) -> Vec<usize> {
    let names = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + name.len()..].chars().next();
            let ends = !name.ends_with(is_word) || !after.is_some_and(is_word);
            !before.is_some_and(is_word) && ends
        })
    };
    let numbered = code.lines().enumerate();
    numbered
        .filter(|(_, l)| names(l))
        .map(|(i, _)| i + 1)
        .collect()
}

/// Name, first line and number of lines of every function with a body.
pub(super) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    // Functions that are open: name, line, depth outside of the body, body begun.
    let mut open: Vec<(String, usize, usize, bool)> = Vec::new();
    let mut depth = 0;
    for (i, line) in code.lines().enumerate() {
        if let Some(name) = fn_name(line) {
            open.push((name, i + 1, depth, false));
        }
        for c in line.chars() {
            match c {
                '{' => {
                    depth += 1;
                    if let Some(f) = open.last_mut() {
                        f.3 = true;
                    }
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if let Some((name, at, ..)) =
                        open.pop_if(|(_, _, outside, begun)| *begun && *outside == depth)
                    {
                        found.push((name, at, i + 2 - at));
                    }
                }
                // Declared without a body.
                ';' => drop(open.pop_if(|(_, _, outside, begun)| !*begun && *outside == depth)),
                _ => {}
            }
        }
    }
    found
}

fn fn_name(line: &str) -> Option<String> {
    let before = line.match_indices("fn ").find(|(at, _)| {
        let before = line[..*at].chars().next_back();
        !before.is_some_and(|c| is_word(c) || c == '(' || c == '&' || c == '<')
    })?;
    let name: String = line[before.0 + 3..]
        .chars()
        .take_while(|&c| is_word(c))
        .collect();
    (!name.is_empty()).then_some(name)
}
