//! WASI as inert stand-ins.
//!
//! A component built with a standard library imports these interfaces even when it uses none of them. They are linked one
//! by one: no environment, no arguments, closed input, output into the log, a clock that stands still, random numbers
//! that are always the same. Nothing else of WASI is there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx};

use crate::session::State;

/// The interfaces, without versions: all of 0.2 is compatible.
pub(crate) const INTERFACES: [&str; 18] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// Seconds since 1970 of every component's wall clock: 2026-01-01.
const NOW: u64 = 1_767_225_600;
const SEED: [u8; 32] = *b"every component gets these bytes";

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, clocks, io, random};
    let table: fn(&mut State) -> &mut ResourceTable = |s| &mut s.table;
    io::error::add_to_linker::<State, HasTable>(linker, table)?;
    io::poll::add_to_linker::<State, HasTable>(linker, table)?;
    io::streams::add_to_linker::<State, HasTable>(linker, table)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    Ok(())
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// A context that gives nothing away, and a place where output gathers until the session takes it.
pub(crate) fn context(most: usize) -> (WasiCtx, Output) {
    let output = Output { written: Arc::default(), most };
    let mut builder = WasiCtx::builder();
    builder
        .stdout(Stream { output: output.clone(), name: "stdout" })
        .stderr(Stream { output: output.clone(), name: "stderr" })
        .wall_clock(Still)
        .monotonic_clock(Still)
        .secure_random(Deterministic::new(SEED.to_vec()))
        .insecure_random(Deterministic::new(SEED.to_vec()))
        .insecure_random_seed(u128::from_le_bytes(*b"the same seed!!!"))
        .max_random_size(1 << 20);
    (builder.build(), output)
}

struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(NOW)
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// To which stream, and what.
type Written = (&'static str, Vec<u8>);

/// What a component wrote to its standard streams, in order.
#[derive(Clone)]
pub(crate) struct Output {
    written: Arc<Mutex<Vec<Written>>>,
    most: usize,
}

impl Output {
    fn push(&self, name: &'static str, bytes: &[u8]) -> StreamResult<()> {
        let mut lines = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.iter().map(|(_, l)| l.len()).sum::<usize>() + bytes.len() > self.most {
            return Err(StreamError::Trap(wasmtime::Error::new(crate::host_calls::Stop::Flood(
                crate::host_calls::Flood {
                    limit: crate::limits::LimitKind::LogBytes,
                    allowed: self.most as u64,
                    asked: self.most as u64 + 1,
                },
            ))));
        }
        match lines.last_mut() {
            Some((last, line)) if *last == name => line.extend_from_slice(bytes),
            _ => lines.push((name, bytes.to_vec())),
        }
        Ok(())
    }

    /// Takes what there is, line by line.
    pub(crate) fn take(&self) -> Vec<(&'static str, String)> {
        let taken = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        taken
            .into_iter()
            .flat_map(|(name, bytes)| {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                text.lines().filter(|l| !l.trim().is_empty()).map(|l| (name, l.to_owned())).collect::<Vec<_>>()
            })
            .collect()
    }
}

#[derive(Clone)]
struct Stream {
    output: Output,
    name: &'static str,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // For component-model async, which is off.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.push(self.name, &bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
