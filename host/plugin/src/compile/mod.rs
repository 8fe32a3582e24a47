//! Compiling somebody else's code: in a process of its own, which can be killed and can reach nothing.
//!
//! The child is this very program, started with [`ARGUMENT`]. It gives up what it can ([`child`]), reads the component from
//! its input, and writes native code to its output. The parent bounds both in size and time. The time to compile grows
//! with the square of a function's size, and a compiler is a large program that reads untrusted bytes: both are reasons to
//! keep it apart.

mod child;
pub(crate) mod confine;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

pub use child::entry;

use crate::engine::Engine;
use crate::inspect;

/// The argument that makes this program the compiler of one plugin.
pub const ARGUMENT: &str = "__compile-plugin";
/// The longest time for one plugin.
const TIME: Duration = Duration::from_mins(2);
/// The most native code of one plugin.
const MOST: u64 = 512 << 20;

/// Where plugins are compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process: for programs that are not kedge, and have no child to start.
    #[default]
    Here,
    /// In a child: this program, which has to call [`entry`] first of all.
    Child {
        /// Its path.
        program: PathBuf,
        /// The longest time for one plugin; none for the usual one.
        time: Option<Duration>,
    },
}

/// What the child says before the code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// How it is confined, in words.
    confined: Vec<String>,
    /// How it is not, and why.
    unconfined: Vec<String>,
    /// Bytes of code that follow and their SHA-256, or why there is none.
    code: Result<(u64, String), String>,
}

/// Native code, and how the child that made it was confined.
pub(crate) struct Compiled {
    pub(crate) code: Vec<u8>,
    pub(crate) confined: String,
}

/// Compiles in a child.
///
/// # Errors
/// Why there is no code, in words.
pub(crate) async fn in_child(
    program: &PathBuf,
    time: Option<Duration>,
    engine: &Engine,
    wasm: &[u8],
) -> Result<Compiled, String> {
    let time = time.unwrap_or(TIME);
    let arguments: [OsString; 3] =
        [ARGUMENT.into(), engine.compatibility().into(), time.as_secs().max(1).to_string().into()];
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("the compiler `{}` does not start: {e}", program.display()))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the compiler has no pipes".to_owned());
    };
    let work = async {
        let write = async {
            // A child that ends early says why itself.
            let _ = input.write_all(wasm).await;
            drop(input);
        };
        let mut answer = Vec::new();
        let mut output = output.take(MOST + (64 << 10));
        let read = output.read_to_end(&mut answer);
        let ((), read) = tokio::join!(write, read);
        read.map_err(|e| format!("the compiler can't be heard: {e}"))?;
        let status = child.wait().await.map_err(|e| e.to_string())?;
        Ok::<_, String>((answer, status))
    };
    let Ok(finished) = tokio::time::timeout(time, work).await else {
        return Err(format!("the compiler was ended: it took more than {} s", time.as_secs_f64()));
    };
    let (answer, status) = finished?;
    if answer.is_empty() {
        return Err(format!("the compiler was ended ({status}): it wanted more time or memory than it may have"));
    }
    take(&answer)
}

/// The answer of a child: a line, and the code it speaks of.
fn take(answer: &[u8]) -> Result<Compiled, String> {
    let nonsense = || "the compiler answered nonsense".to_owned();
    let end = answer.iter().position(|b| *b == b'\n').ok_or_else(nonsense)?;
    let (line, rest) = answer.split_at(end);
    let code = rest.get(1..).unwrap_or_default();
    let said: Answer = serde_json::from_slice(line).map_err(|_| nonsense())?;
    let (size, sum) = said.code?;
    if code.len() as u64 != size || inspect::digest(code) != sum {
        return Err("the compiler broke off its answer".to_owned());
    }
    let mut confined = said.confined.join(", ");
    if !said.unconfined.is_empty() {
        confined = format!("{confined}; without {}", said.unconfined.join(", "));
    }
    Ok(Compiled { code: code.to_vec(), confined })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_whole_or_not_at_all() {
        let said = |code: Result<(u64, String), String>| {
            let answer = Answer { confined: vec!["limits".into()], unconfined: vec!["landlock".into()], code };
            serde_json::to_string(&answer).unwrap()
        };
        let good = format!("{}\ncode", said(Ok((4, inspect::digest(b"code")))));
        let compiled = take(good.as_bytes()).unwrap();
        assert_eq!(
            (compiled.code.as_slice(), compiled.confined.as_str()),
            (b"code".as_slice(), "limits; without landlock")
        );
        for (bad, wanted) in [
            (good[..good.len() - 1].to_owned(), "broke off"),
            (format!("{good}x"), "broke off"),
            (good.replace("\ncode", "\ncodf"), "broke off"),
            (format!("{}\n", said(Err("no".into()))), "no"),
            ("{}\n".to_owned(), "nonsense"),
            ("code".to_owned(), "nonsense"),
        ] {
            assert!(take(bad.as_bytes()).err().unwrap().contains(wanted), "{bad}");
        }
    }
}
