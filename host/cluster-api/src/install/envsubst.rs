//! `${VAR:=default}` in component manifests, with every quirk of what clusterctl uses (drone/envsubst v2): a manifest has to
//! come out as clusterctl would make it. The table of tests was made by running that library.

use std::collections::{BTreeMap, BTreeSet};

/// A part of a text.
enum Part<'a> {
    Text(String),
    Call(Call<'a>),
}

/// `${name…}`.
struct Call<'a> {
    name: &'a str,
    function: &'a str,
    arguments: Vec<Part<'a>>,
}

/// Why a text can't be substituted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Not a form that is known; the piece of text that begins it.
    Form(String),
    /// Variables without a value and without a default.
    Missing(Vec<String>),
}

/// Puts values in. A variable that occurs first without a default has to have one.
pub(super) fn substitute(text: &str, values: &BTreeMap<String, String>) -> Result<String, Flaw> {
    let text = without_spaces(text);
    let mut reader = Reader { rest: &text };
    let parts = reader.text()?;
    let mut seen = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for part in &parts {
        if let Part::Call(call) = part
            && seen.insert(call.name)
            && call.arguments.iter().all(|a| matches!(a, Part::Text(t) if t.is_empty()))
            && !values.contains_key(call.name)
        {
            missing.insert(call.name.to_owned());
        }
    }
    if missing.is_empty() { Ok(join(&parts, values)) } else { Err(Flaw::Missing(missing.into_iter().collect())) }
}

/// `${ VAR }` is `${VAR}`, if nothing else stands between the braces.
fn without_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, call) = rest.split_at(start + 2);
        out.push_str(before);
        rest = call;
        if let Some(end) = call.find('}') {
            let (inner, after) = call.split_at(end);
            let name = inner.trim();
            if name.len() < inner.len()
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
            {
                out.push_str(name);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Text outside of any call: `$$` stands for `$`.
    fn text(&mut self) -> Result<Vec<Part<'a>>, Flaw> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        while let Some(at) = self.rest.find('$') {
            let (before, rest) = self.rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = rest.strip_prefix("$$") {
                plain.push('$');
                self.rest = after;
            } else if rest.starts_with("${") {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                self.rest = rest;
                parts.push(Part::Call(self.call()?));
            } else {
                plain.push('$');
                self.rest = rest.get(1..).unwrap_or_default();
            }
        }
        plain.push_str(self.rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(parts)
    }

    /// A call; the rest begins with `${`.
    fn call(&mut self) -> Result<Call<'a>, Flaw> {
        let whole = self.rest;
        let bad = || Flaw::Form(whole.lines().next().unwrap_or_default().chars().take(40).collect());
        self.rest = whole.strip_prefix("${").unwrap_or(whole);
        if self.rest.starts_with('#') {
            self.skip(1);
            let name = self.name();
            if name.is_empty() || !self.eat("}") {
                return Err(bad());
            }
            return Ok(Call { name, function: "#length", arguments: Vec::new() });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(bad());
        }
        if self.eat("}") {
            return Ok(Call { name, function: "", arguments: Vec::new() });
        }
        let function =
            [":=", ":-", ":?", ":+", "=", ":", "^^", "^", ",,", ",", "##", "#", "%%", "%", "//", "/#", "/%", "/"]
                .into_iter()
                .find(|f| self.rest.starts_with(f))
                .ok_or_else(bad)?;
        self.skip(function.len());
        let mut arguments = Vec::new();
        match function {
            ":=" | ":-" | ":?" | ":+" | "=" => {
                while !self.rest.starts_with('}') {
                    arguments.push(self.argument(|c| c == '}', false).ok_or_else(bad)??);
                }
            }
            ":" => {
                arguments.push(self.argument(|c| c == ':' || c == '}', false).ok_or_else(bad)??);
                if self.eat(":") {
                    arguments.push(self.argument(|c| c == '}', false).ok_or_else(bad)??);
                }
            }
            "#" | "##" | "%" | "%%" => arguments.push(self.argument(|c| c == '}', false).ok_or_else(bad)??),
            "/" | "//" | "/#" | "/%" => {
                arguments.push(self.argument(|c| c == '/', true).ok_or_else(bad)??);
                if !self.eat("/") {
                    return Err(bad());
                }
                if !self.rest.starts_with('}') {
                    arguments.push(self.argument(|c| c == '}', true).ok_or_else(bad)??);
                }
            }
            _ => {}
        }
        if self.eat("}") { Ok(Call { name, function, arguments }) } else { Err(bad()) }
    }

    /// One argument: a call, or text up to `end` or the next call. None if there is neither.
    fn argument(&mut self, end: impl Fn(char) -> bool, escapes: bool) -> Option<Result<Part<'a>, Flaw>> {
        if self.rest.starts_with("${") {
            return Some(self.call().map(Part::Call));
        }
        let mut text = String::new();
        let mut chars = self.rest.char_indices().peekable();
        let mut used = 0;
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map(|(_, c)| *c);
            if end(c) && !(text.is_empty() && at == 0 && c == ':') || (c == '$' && next == Some('{')) {
                break;
            }
            used = at + c.len_utf8();
            let taken_literally = escapes && matches!((c, next), ('\\', Some('/' | '\\')) | ('$', Some('$')));
            if taken_literally {
                if let Some((at, c)) = chars.next() {
                    text.push(c);
                    used = at + c.len_utf8();
                }
            } else {
                text.push(c);
            }
        }
        self.skip(used);
        (used > 0).then_some(Ok(Part::Text(text)))
    }

    fn name(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

fn join(parts: &[Part<'_>], values: &BTreeMap<String, String>) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Call(call) => evaluate(call, values),
        })
        .collect()
}

fn evaluate(call: &Call<'_>, values: &BTreeMap<String, String>) -> String {
    let value = values.get(call.name).cloned().unwrap_or_default();
    let argument = |n: usize| call.arguments.get(n).map(|a| join(std::slice::from_ref(a), values));
    let first = argument(0).unwrap_or_default();
    match call.function {
        ":=" | ":-" | ":?" | ":+" | "=" if value.is_empty() => join(&call.arguments, values),
        "#length" => value.len().to_string(),
        "^^" => value.to_uppercase(),
        ",," => value.to_lowercase(),
        "^" => first_letter(&value, |c| c.to_uppercase().collect()),
        "," => first_letter(&value, |c| c.to_lowercase().collect()),
        ":" => substring(&value, &first, argument(1).as_deref()),
        "#" => cut(&value, &first, false, false),
        "##" => cut(&value, &first, true, false),
        "%" => cut(&value, &first, false, true),
        "%%" => cut(&value, &first, true, true),
        "/" => value.replacen(&first, &argument(1).unwrap_or_default(), 1),
        "//" => value.replace(&first, &argument(1).unwrap_or_default()),
        "/#" => match (value.strip_prefix(&first), argument(1)) {
            (Some(rest), Some(new)) => new + rest,
            _ => value,
        },
        "/%" => match (value.strip_suffix(&first), argument(1)) {
            (Some(rest), Some(new)) => rest.to_owned() + &new,
            _ => value,
        },
        _ => value,
    }
}

fn first_letter(value: &str, change: impl Fn(char) -> String) -> String {
    let mut chars = value.chars();
    chars.next().map_or_else(String::new, |c| change(c) + chars.as_str())
}

/// Bytes from `offset` on, at most `length`. What is not a number leaves the value as it is.
fn substring(value: &str, offset: &str, length: Option<&str>) -> String {
    let Ok(offset) = offset.parse::<i64>() else { return value.to_owned() };
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { (size + offset).max(0) } else { offset.min(size) };
    let end = match length {
        None => size,
        Some(length) => match length.parse::<i64>() {
            Ok(length) => start.saturating_add(length).clamp(start, size),
            Err(_) => return value.to_owned(),
        },
    };
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    value.get(range).unwrap_or(value).to_owned()
}

/// Cuts off the shortest or longest beginning (or end) that a pattern matches.
fn cut(value: &str, pattern: &str, longest: bool, at_end: bool) -> String {
    let mut ends: Vec<usize> =
        value.char_indices().map(|(at, c)| if at_end { at } else { at + c.len_utf8() }).collect();
    // From the shortest piece to the longest.
    if at_end {
        ends.reverse();
    }
    if longest {
        ends.reverse();
    }
    for end in ends {
        let (left, right) = value.split_at(end);
        let (piece, rest) = if at_end { (right, left) } else { (left, right) };
        if matches_pattern(pattern, piece) {
            return rest.to_owned();
        }
    }
    value.to_owned()
}

/// Shell patterns: `*`, `?`, `[a-z]`, `[^a]`, `\x`. `*` matches `/` too.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut p = pattern.chars();
    match p.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = p.as_str();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| text.get(at..).is_some_and(|t| matches_pattern(rest, t)))
        }
        Some(expected) => {
            let mut t = text.chars();
            let Some(c) = t.next() else { return false };
            let (fits, rest) = match expected {
                '?' => (true, p.as_str()),
                '[' => match class(p.as_str(), c) {
                    Some(found) => found,
                    None => return false,
                },
                '\\' => (p.next() == Some(c), p.as_str()),
                literal => (literal == c, p.as_str()),
            };
            fits && matches_pattern(rest, t.as_str())
        }
    }
}

/// Whether a character is in the class that begins here, and what follows the class.
fn class(pattern: &str, c: char) -> Option<(bool, &str)> {
    let (negated, pattern) = pattern.strip_prefix('^').map_or((false, pattern), |rest| (true, rest));
    let (inside, rest) = pattern.split_once(']')?;
    let mut chars = inside.chars().peekable();
    let mut found = false;
    while let Some(low) = chars.next() {
        let mut high = low;
        if chars.peek() == Some(&'-') {
            chars.next();
            high = chars.next()?;
        }
        found |= (low..=high).contains(&c);
    }
    Some((found != negated, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, Flaw> {
        let values = [("A", "alpha"), ("E", ""), ("U", "uPPer"), ("P", "path/to/file"), ("X", "abc"), ("N", "inner")];
        substitute(text, &values.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    /// Each row as drone/envsubst v2 answered it.
    #[test]
    fn forms_as_the_library_has_them() {
        for (text, expected) in [
            ("$A", "$A"),
            ("$$A", "$A"),
            ("$${A}", "${A}"),
            ("a$$b", "a$b"),
            ("${A}", "alpha"),
            ("${M=d}", "d"),
            ("${M:=d}", "d"),
            ("${M:-d}", "d"),
            ("${E=d}", "d"),
            ("${E:=d}", "d"),
            ("${A:=d}", "alpha"),
            ("${M:?x}", "x"),
            ("${M:+x}", "x"),
            ("${A:?x}", "alpha"),
            ("${A:+x}", "alpha"),
            ("${M:=\"\"}", "\"\""),
            ("${E:=}", ""),
            ("${M:=${A}}", "alpha"),
            ("${M:=a${A}b${X}c}", "aalphababcc"),
            ("${M:=${Q:=deep}}", "deep"),
            ("${U^}", "UPPer"),
            ("${U^^}", "UPPER"),
            ("${U,}", "uPPer"),
            ("${U,,}", "upper"),
            ("${X^}", "Abc"),
            ("${#A}", "5"),
            ("${A:1}", "lpha"),
            ("${A:1:2}", "lp"),
            ("${A:9}", ""),
            ("${A:1:99}", "lpha"),
            ("${A: -2}", "alpha"),
            ("${A:x}", "alpha"),
            ("${A:1:x}", "alpha"),
            ("${A:1:2:3}", "alpha"),
            ("${X:0:0}", ""),
            ("${P#*/}", "to/file"),
            ("${P##*/}", "file"),
            ("${P%/*}", "path/to"),
            ("${P%%/*}", "path"),
            ("${X#abc}", ""),
            ("${X##abc}", ""),
            ("${X%abc}", ""),
            ("${X%%abc}", ""),
            ("${X#a}", "bc"),
            ("${X%c}", "ab"),
            ("${X#?}", "bc"),
            ("${X#[ab]}", "bc"),
            ("${X#zz}", "abc"),
            ("${X##a*}", ""),
            ("${X%%*c}", ""),
            ("${P/t/T}", "paTh/to/file"),
            ("${P//t/T}", "paTh/To/file"),
            ("${P/#path/P}", "P/to/file"),
            ("${P/%file/F}", "path/to/F"),
            ("${P/t/}", "pah/to/file"),
            ("${P//\\//-}", "path-to-file"),
            ("${M:=a:b}", "a:b"),
            ("${M:=$$x}", "$$x"),
            ("${M:=$x}", "$x"),
            ("${M:={}}", "{}"),
            ("${M=a=b}", "a=b"),
            ("x${A}y${X}z", "xalphayabcz"),
            ("\\${A}", "\\alpha"),
            ("${M:='q'}", "'q'"),
            ("${ A }", "alpha"),
            ("${A }", "alpha"),
        ] {
            assert_eq!(run(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn forms_that_are_refused() {
        for text in ["${M-d}", "${M+d}", "${M?d}", "${A.b}", "${A", "${}", "${A-b}", "${#}", "${X#}", "${M:=a"] {
            assert!(matches!(run(text), Err(Flaw::Form(_))), "{text}: {:?}", run(text));
        }
    }

    #[test]
    fn what_has_no_value_is_listed_all_at_once() {
        assert_eq!(run("${Z} ${Y} ${A} ${W:=w} ${W}"), Err(Flaw::Missing(vec!["Y".into(), "Z".into()])));
    }

    /// An empty default is none; the first occurrence decides.
    #[test]
    fn only_the_first_occurrence_decides() {
        assert_eq!(run("${M:=}"), Err(Flaw::Missing(vec!["M".into()])));
        assert_eq!(run("${M} ${M:=d}"), Err(Flaw::Missing(vec!["M".into()])));
        assert_eq!(run("${M:=d} ${M}").as_deref(), Ok("d "));
    }
}
