//! Components that talk to the server `lab`: requests laid out in memory as the canonical ABI has them.

use std::fmt::Write as _;

use crate::support::{Parts, ok_text};

/// Where the requests are; below it is room for replies.
const DATA: u32 = 0x30_0000;
const PAGES: u32 = 64;

/// A piece of a body or header value.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// A secret, plain.
    Secret(&'a str),
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, Piece<'a>)],
    pub(crate) body: &'a [Piece<'a>],
}

impl<'a> Ask<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: &[], body: &[] }
    }
}

struct Memory(Vec<u8>);

impl Memory {
    fn place(&mut self, bytes: &[u8]) -> u32 {
        while !self.0.len().is_multiple_of(4) {
            self.0.push(0);
        }
        let at = DATA + u32::try_from(self.0.len()).unwrap();
        self.0.extend_from_slice(bytes);
        at
    }

    fn text(&mut self, text: &str) -> (u32, u32) {
        (self.place(text.as_bytes()), u32::try_from(text.len()).unwrap())
    }

    fn parts(&mut self, pieces: &[Piece]) -> (u32, u32) {
        let mut list = Vec::new();
        for piece in pieces {
            let (tag, text) = match piece {
                Piece::Text(text) => (0_u32, text),
                Piece::Secret(name) => (2, name),
            };
            let (at, length) = self.text(text);
            // Tag, then 20 bytes: what the largest case needs. The encoding `plain` is all zeros.
            for word in [tag, at, length, 0, 0, 0] {
                list.extend_from_slice(&word.to_le_bytes());
            }
        }
        (self.place(&list), u32::try_from(pieces.len()).unwrap())
    }
}

/// A provider whose preflight opens `lab` and sends these, one after the other. What comes back is logged: the body of a
/// reply, or the words of an error.
pub(crate) fn asking(asks: &[Ask]) -> Parts {
    let mut memory = Memory(Vec::new());
    let lab = memory.text("lab");
    let empty = memory.text("{}");
    let mut body = format!("(call $open (i32.const {}) (i32.const {}) (i32.const 64))\n", lab.0, lab.1);
    body.push_str(&log_unless_ok(64, None));
    body.push_str("(if (i32.eqz (i32.load8_u (i32.const 64))) (then (global.set $handle (i32.load (i32.const 68)))\n");
    for ask in asks {
        let method = memory.text(ask.method);
        let path = memory.text(ask.path);
        let mut list = Vec::new();
        for (name, value) in ask.headers {
            let (name, value) = (memory.text(name), memory.parts(&[*value]));
            for word in [name.0, name.1, value.0, value.1] {
                list.extend_from_slice(&word.to_le_bytes());
            }
        }
        let headers = (memory.place(&list), u32::try_from(ask.headers.len()).unwrap());
        let content = memory.parts(ask.body);
        let arguments = [method, path, headers, content].iter().fold(String::new(), |mut out, (at, length)| {
            let _ = write!(out, "(i32.const {at}) (i32.const {length}) ");
            out
        });
        let _ = writeln!(body, "(call $send (global.get $handle) {arguments} (i32.const 128))");
        body.push_str(&log_unless_ok(128, Some((144, 148))));
    }
    body.push_str("))\n");
    body.push_str(&ok_text(empty.0, empty.1));
    let bytes = memory.0.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "\\{b:02x}");
        out
    });
    Parts {
        run: Some(body),
        fields: format!("(global $handle (mut i32) (i32.const 0)) (data (i32.const {DATA}) \"{bytes}\")"),
        pages: Some(PAGES),
        ..Parts::default()
    }
}

/// Logs the error of a result at an address (level warn), or its good part (level info) if that is a text.
fn log_unless_ok(at: u32, good: Option<(u32, u32)>) -> String {
    let log = |level: u32, text: u32, length: u32| {
        format!(
            "(call $log (i32.const {level}) (i32.const 0) (i32.const 0) (i32.load (i32.const {text})) (i32.load (i32.const {length})))"
        )
    };
    let otherwise = good.map_or_else(String::new, |(text, length)| log(1, text, length));
    format!("(if (i32.load8_u (i32.const {at})) (then {}) (else {otherwise}))\n", log(2, at + 8, at + 12))
}
