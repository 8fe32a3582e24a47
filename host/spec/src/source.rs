//! A file's text, and places in it.

use std::sync::Arc;

/// The text of a file and the name it goes by in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A path, or what stands for one (`<stdin>`).
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// A source from its name and text.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A source from the bytes of a file.
    ///
    /// # Errors
    /// One sentence when the bytes are not UTF-8 text.
    pub fn from_bytes(name: impl Into<String>, bytes: &[u8]) -> Result<Self, String> {
        let name = name.into();
        match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(format!("`{name}` is UTF-16 text; save it as UTF-8")),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Self::new(name, text)),
                Err(error) => Err(format!("`{name}` is not UTF-8 text: byte {} can't be read", error.valid_up_to())),
            },
        }
    }

    /// Line and column, both counted from 1 in characters, of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..floor_char(&self.text, offset)).unwrap_or_default();
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let mut column = before.get(start..).unwrap_or_default().chars().count() + 1;
        if line == 1 && before.starts_with('\u{feff}') {
            column -= 1;
        }
        (line, column)
    }
}

/// The nearest character border at or before an offset.
fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A range of bytes in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From `start` to before `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// How many bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether it holds nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}
