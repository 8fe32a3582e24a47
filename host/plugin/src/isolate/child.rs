//! The child's side: give up everything, take the code, do what is asked, end.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::dispatch::dispatch;
use super::wire::{Begin, Down, End, Line, Up, receive, send};
use crate::audit::NoAudit;
use crate::compile::confine::{Bounds, confine};
use crate::contract::{self, CallError, Session};
use crate::engine::Engine;
use crate::host_calls::{Grant, HostAnswer, HostCall, HostCalls, Stop};
use crate::limits::Limits;
use crate::log_line::TracingLog;
use crate::native;
use crate::recording::Tape;
use crate::session;

/// What the process needs besides the plugin's own memory: its code, stacks, what crosses the pipe.
const OWN_MEMORY: u64 = 1 << 30;
/// The most native code of one plugin.
const MOST_CODE: u64 = 512 << 20;

/// The whole of the program if it was started for a session.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // The parent says what it makes of a process that ended early.
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> std::io::Result<()> {
    let begin: Begin = receive(&mut std::io::stdin().lock())?;
    let computing = begin.limits.compute_time.saturating_add(Duration::from_secs(30));
    let confined = confine(&Bounds {
        data: Some(begin.limits.memory_bytes.saturating_add(OWN_MEMORY)),
        address: None,
        seconds: computing.as_secs(),
        // Images of memories are files without a name, which the kernel counts as such.
        file: MOST_CODE,
        open: 64,
    });
    if begin.code > MOST_CODE {
        return Err(std::io::Error::other("too much code"));
    }
    let mut code = Vec::new();
    std::io::stdin().lock().take(begin.code).read_to_end(&mut code)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(session(&begin, &code, &confined.words()))
}

/// The line of a component's calls to the parent.
struct Pipe;

impl Line for Pipe {
    fn ask(&mut self, during: &str, call: HostCall) -> Result<HostAnswer, Stop> {
        let asked = send(&mut std::io::stdout().lock(), &Up::Call { during: during.to_owned(), call });
        asked.map_err(|_| Stop::Gone)?;
        match receive(&mut std::io::stdin().lock()) {
            Ok(Down::Answer(answer)) => Ok(answer),
            Ok(Down::Ask { .. }) | Err(_) => Err(Stop::Gone),
        }
    }
}

async fn session(begin: &Begin, code: &[u8], confined: &str) -> std::io::Result<()> {
    let up = |up: Up| send(&mut std::io::stdout().lock(), &up);
    let limits = Arc::new(begin.limits.clone());
    let mut open = match open(begin, code, &limits).await {
        Ok(open) => open,
        Err(end) => return up(Up::End(end)),
    };
    up(Up::Opened(confined.to_owned()))?;
    let Down::Ask { function, question } = receive(&mut std::io::stdin().lock())? else {
        return Err(std::io::Error::other("an answer to nothing"));
    };
    let answer = dispatch(open.as_mut(), &function, &question).await;
    let words = session::drain(open.state()).await;
    up(match answer {
        Ok(said) => Up::Said(said),
        Err(error) => Up::End(end(error, open.as_mut(), words)),
    })?;
    std::io::stdout().lock().flush()
}

async fn open(begin: &Begin, code: &[u8], limits: &Arc<Limits>) -> Result<Box<dyn Session>, End> {
    let nonsense = |why: String| End::Nonsense(why);
    let engine = Engine::new().map_err(|e| nonsense(e.to_string()))?;
    if engine.compatibility() != begin.compatibility {
        return Err(nonsense(
            "its process is another version than this program: was it replaced while it ran?".to_owned(),
        ));
    }
    let contract = contract::versions().into_iter().find(|c| c.name() == begin.contract);
    let contract = contract.ok_or_else(|| nonsense(format!("there is no contract {}", begin.contract)))?;
    let component = native::trusted_code(&engine.engine, code).map_err(|e| nonsense(format!("{e:#}")))?;
    let linked = engine.link(contract, &component).map_err(|e| nonsense(format!("{e:#}")))?;
    let prepared = contract.prepare(linked).map_err(|e| nonsense(format!("{e:#}")))?;
    let mut calls = HostCalls::new(
        begin.plugin.as_str().into(),
        begin.digest.as_str().into(),
        Grant::Pure,
        Arc::new(TracingLog),
        Arc::new(NoAudit),
        limits.clone(),
        Tape::default(),
    );
    calls.line = Some(Box::new(Pipe));
    let store = session::store(&engine.engine, calls, limits);
    match prepared.open(store).await {
        Ok(session) => Ok(session),
        Err((error, mut store)) => {
            let words = session::drain(store.data_mut()).await;
            Err(session::explain(&error, store.data(), words).into())
        }
    }
}

fn end(error: CallError, session: &mut dyn Session, words: Option<String>) -> End {
    match error {
        CallError::Ended(error) => session::explain(&error, session.state(), words).into(),
        CallError::Failed(failure) => End::Failed(failure),
        CallError::Nonsense(why) => End::Nonsense(why),
        CallError::Over(limit, allowed, asked) => End::Limit { limit, allowed, asked: Some(asked) },
        CallError::Absent(what) => End::Absent(what.to_owned()),
    }
}
