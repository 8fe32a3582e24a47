//! A stream cut into documents, so that a flaw in one does not hide those of the others.

use std::borrow::Cow;

use crate::source::Span;

/// The text of one or more documents, and where its characters stand in the file.
pub(super) struct Chunk<'a> {
    /// The whole file.
    file: &'a str,
    pub(super) text: Cow<'a, str>,
    /// Where the chunk starts in the file, in bytes.
    start: usize,
    /// Byte offsets from `start` of each character of `text`, and of its end; none when all are one byte wide.
    offsets: Option<Vec<u32>>,
}

impl Chunk<'_> {
    /// The place in the file of a range of characters.
    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        let start = self.offset(from);
        // The end is where the last character ends: between it and the next one a carriage return may stand.
        let last = if to > from { self.offset(to - 1) } else { start };
        let width = self.file.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Span::new(start, if to > from { last + width } else { start })
    }

    /// Whether the character at an index is one of these.
    pub(super) fn starts_with(&self, index: usize, any: &[char]) -> bool {
        self.file.get(self.offset(index)..).is_some_and(|rest| rest.starts_with(any))
    }

    /// The first tab among what indents the line up to a place in the file, if nothing else stands before that place.
    pub(super) fn indenting_tab(&self, place: usize) -> Option<usize> {
        let before = self.file.get(..place)?;
        let indent = before.len() - before.trim_end_matches([' ', '\t', '-', '?']).len();
        let start = place - indent;
        let at_line_start = start == 0 || self.file.get(..start)?.ends_with(['\n', '\u{feff}']);
        if !at_line_start {
            return None;
        }
        // The place may be the tab itself.
        self.file
            .get(start..)?
            .char_indices()
            .find(|(_, c)| !matches!(c, ' ' | '-' | '?'))
            .and_then(|(at, c)| (c == '\t').then_some(start + at))
    }

    fn offset(&self, index: usize) -> usize {
        let within = match &self.offsets {
            None => index.min(self.text.len()),
            Some(offsets) => offsets.get(index).or_else(|| offsets.last()).map_or(0, |o| *o as usize),
        };
        self.start + within
    }
}

/// Cuts at every line that starts a document. `---` at the start of a line is always one, whatever stands around it.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut cuts = vec![bom];
    let mut at = bom;
    let mut only_directives = true;
    let mut any_directive = false;
    for line in text.get(bom..).unwrap_or_default().split_inclusive('\n') {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker {
            // `%YAML` and `%TAG` lines belong to the document that follows them.
            if at > bom && !(only_directives && any_directive) {
                cuts.push(at);
            }
            (only_directives, any_directive) = (false, false);
        } else if line.starts_with('%') {
            any_directive = true;
        } else if line.trim_end() == "..." {
            at += line.len();
            cuts.push(at);
            (only_directives, any_directive) = (true, false);
            continue;
        } else if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            only_directives = false;
        }
        at += line.len();
    }
    cuts.push(text.len());
    (1..cuts.len()).filter_map(move |end| {
        let (start, end) = (*cuts.get(end - 1)?, *cuts.get(end)?);
        let piece = text.get(start..end)?;
        (!is_blank(piece)).then(|| chunk(text, piece, start))
    })
}

/// Whether nothing but comments, blank lines and document markers stands there.
fn is_blank(piece: &str) -> bool {
    piece.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..." || is_marked_comment(line)
    })
}

fn is_marked_comment(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#'))
}

fn chunk<'a>(file: &'a str, piece: &'a str, start: usize) -> Chunk<'a> {
    let json = is_json(piece) && piece.contains('\t');
    let windows = piece.contains("\r\n");
    if piece.is_ascii() && !json && !windows {
        return Chunk { file, text: Cow::Borrowed(piece), start, offsets: None };
    }
    let mut text = String::with_capacity(piece.len());
    let mut offsets = Vec::with_capacity(piece.len() + 1);
    let mut quoted = false;
    let mut escaped = false;
    let mut characters = piece.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\r' && characters.peek().is_some_and(|(_, next)| *next == '\n') {
            continue;
        }
        let kept = if json && !quoted && c == '\t' { ' ' } else { c };
        (quoted, escaped) = match c {
            '"' if !escaped => (!quoted, false),
            '\\' if quoted && !escaped => (quoted, true),
            _ => (quoted, false),
        };
        text.push(kept);
        offsets.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
    offsets.push(u32::try_from(piece.len()).unwrap_or(u32::MAX));
    Chunk { file, text: Cow::Owned(text), start, offsets: Some(offsets) }
}

/// JSON may be indented with tabs, YAML may not.
fn is_json(piece: &str) -> bool {
    let body = piece.strip_prefix("---").unwrap_or(piece).trim_start();
    body.starts_with('{') || body.starts_with('[')
}
