//! One call session: a store with its limits, used once and thrown away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, Trap, UpdateDeadline};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::error::PluginError;
use crate::host_calls::{HostCall, HostCalls, Stop};
use crate::inert::{self, Output};
use crate::isolate::Explained;
use crate::limits::{LimitKind, Limits, STACK_BYTES};
use crate::log_line;

/// What a store holds.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) calls: HostCalls,
    pub(crate) limits: Arc<Limits>,
    output: Output,
    limiter: Limiter,
    started: Instant,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl State {
    /// Time that the component itself has computed.
    fn computed(&self) -> Duration {
        let waiting = self.calls.entered.map_or(Duration::ZERO, |e| e.elapsed());
        self.started.elapsed().saturating_sub(self.calls.host_time + waiting)
    }
}

/// The component computed for too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("computing for longer than {} s", .0.as_secs_f64())]
struct TimeUp(Duration);

/// A store with every limit set, before any code of the component can run.
pub(crate) fn store(engine: &Engine, calls: HostCalls, limits: &Arc<Limits>) -> Store<State> {
    let (wasi, output) = inert::context(usize::try_from(limits.log_bytes).unwrap_or(usize::MAX));
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.handles);
    let limiter = Limiter { limits: limits.clone(), memory: 0, elements: 0, denied: None };
    let state = State { wasi, table, calls, limits: limits.clone(), output, limiter, started: Instant::now() };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limits.copy_bytes);
    store.set_max_component_handles(limits.handles);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        let state = context.data();
        let allowed = state.limits.compute_time;
        if state.computed() > allowed {
            return Err(wasmtime::Error::new(TimeUp(allowed)));
        }
        // Others get their turn, timers among them.
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Passes on what the component wrote to its standard streams. Returns the last line of standard error.
pub(crate) async fn drain(state: &mut State) -> Option<String> {
    let mut last = None;
    for (stream, text) in state.output.take() {
        if stream == "stderr" {
            last = Some(log_line::clean(&text));
        }
        // What doesn't fit any more is left out: the session is over.
        if state.calls.call(HostCall::Output { stream: stream.into(), text }).await.is_err() {
            break;
        }
    }
    last
}

/// What went wrong, in the terms of this crate.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, last_words: Option<String>) -> PluginError {
    let plugin = state.calls.plugin.to_string();
    let function = state.calls.during.to_owned();
    let limits = &state.limits;
    let over = |limit, allowed: u64, asked| PluginError::LimitExceeded {
        plugin: plugin.clone(),
        function: function.clone(),
        limit,
        allowed,
        asked,
    };
    if let Some(explained) = error.downcast_ref::<Explained>() {
        return explained.error(plugin, function);
    }
    if let Some(Stop::Flood(flood)) = error.downcast_ref::<Stop>() {
        return over(flood.limit, flood.allowed, Some(flood.asked));
    }
    if let Some(TimeUp(after)) = error.downcast_ref() {
        return PluginError::Timeout { plugin, function, after: *after, computing: true };
    }
    // A component that is denied memory usually crashes a moment later: the limit is the reason, not the crash.
    if let Some((limit, allowed, asked)) = state.limiter.denied {
        return over(limit, allowed, Some(asked));
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        let why = format!("it ended itself with exit code {code}");
        return PluginError::Trap { plugin, function, why, frames: Vec::new() };
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::StackOverflow) {
        return over(LimitKind::Stack, STACK_BYTES as u64, None);
    }
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let text = chain.join(": ");
    // These have no types of their own.
    if text.contains("too much data") {
        return over(LimitKind::Copy, limits.copy_bytes as u64, None);
    }
    if text.contains("store handle limit exceeded") || text.contains("resource table has no free keys") {
        return over(LimitKind::Handles, limits.handles as u64, None);
    }
    for (word, limit, allowed) in [
        ("instance count too high", LimitKind::Instances, limits.instances),
        ("memory count too high", LimitKind::Memories, limits.memories),
        ("table count too high", LimitKind::Tables, limits.tables),
    ] {
        if text.contains(word) {
            return over(limit, allowed as u64, None);
        }
    }
    let frames = error
        .downcast_ref::<wasmtime::WasmBacktrace>()
        .map(|b| b.frames().iter().filter_map(|f| f.func_name().map(str::to_owned)).take(16).collect())
        .unwrap_or_default();
    let why = match (trap, last_words) {
        (Some(trap), Some(words)) => format!("{} (its last words: {words})", trap_words(*trap)),
        (Some(trap), None) => trap_words(*trap),
        // Not a trap of the code: what it handed over could not be read as what the contract says.
        (None, _) => {
            let why = chain.last().cloned().unwrap_or_default();
            return PluginError::Nonsense { plugin, function, why };
        }
    };
    PluginError::Trap { plugin, function, why, frames }
}

fn trap_words(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "it gave up (a panic or an impossible branch)".to_owned(),
        Trap::MemoryOutOfBounds => "it reached outside its memory".to_owned(),
        Trap::IntegerDivisionByZero => "it divided by zero".to_owned(),
        other => {
            let text = other.to_string();
            text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
        }
    }
}

/// Bounds over all memories and tables of a store together.
struct Limiter {
    limits: Arc<Limits>,
    memory: u64,
    elements: u64,
    /// What was asked for in vain: limit, allowed, asked.
    denied: Option<(LimitKind, u64, u64)>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.memory.saturating_add((desired as u64).saturating_sub(current as u64));
        if asked > self.limits.memory_bytes {
            self.denied = Some((LimitKind::Memory, self.limits.memory_bytes, asked));
            return Ok(false);
        }
        self.memory = asked;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let asked = self.elements.saturating_add((desired as u64).saturating_sub(current as u64));
        if asked > self.limits.table_elements {
            self.denied = Some((LimitKind::TableElements, self.limits.table_elements, asked));
            return Ok(false);
        }
        self.elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}
