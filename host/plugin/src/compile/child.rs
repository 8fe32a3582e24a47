//! The child's side: give up everything, read, compile, write, end.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use super::{ARGUMENT, Answer, confine};
use crate::engine::{self, compatibility};
use crate::inspect;
use crate::isolate;

/// Bytes of memory that compiling may take.
const MEMORY: u64 = 4 << 30;
/// The largest component.
const MOST: u64 = 256 << 20;

/// The whole of the program if it was started as a child, to compile a plugin or to run one; none if it was not. Call this
/// before anything else: no thread may run yet, and nothing may be open.
pub fn entry(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let wanted = arguments.nth(1)?;
    if wanted == isolate::ARGUMENT {
        return Some(isolate::run());
    }
    if wanted != ARGUMENT {
        return None;
    }
    let wanted = arguments.next().unwrap_or_default();
    let seconds = arguments.next().and_then(|s| s.to_str()?.parse().ok()).unwrap_or(60);
    let confined = confine::confine(&confine::Bounds { address: Some(MEMORY), data: None, seconds, file: 0, open: 3 });
    let code = compile(&wanted);
    let said = Answer {
        confined: confined.done,
        unconfined: confined.missing,
        code: code.as_ref().map(|code| (code.len() as u64, inspect::digest(code))).map_err(Clone::clone),
    };
    let mut output = std::io::stdout().lock();
    let written = serde_json::to_vec(&said)
        .map_err(std::io::Error::other)
        .and_then(|line| output.write_all(&line))
        .and_then(|()| output.write_all(b"\n"))
        .and_then(|()| output.write_all(code.as_deref().unwrap_or_default()))
        .and_then(|()| output.flush());
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compile(wanted: &OsString) -> Result<Vec<u8>, String> {
    let mut wasm = Vec::new();
    let size = std::io::stdin().lock().take(MOST + 1).read_to_end(&mut wasm).map_err(|e| e.to_string())?;
    if size as u64 > MOST {
        return Err("the component is too large".to_owned());
    }
    let engine = engine::bare().map_err(|e| format!("{e:#}"))?;
    if compatibility(&engine).as_str() != wanted {
        return Err("the compiler is another version than this program: was it replaced while it ran?".to_owned());
    }
    engine.precompile_component(&wasm).map_err(|e| format!("{e:#}"))
}
