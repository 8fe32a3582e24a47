//! What one call session of a plugin may use.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of one call session, and of the file a plugin comes in.
///
/// The defaults leave room for interpreters (Python, JavaScript) inside a component: those need up to 200 pages of
/// memory, 8 000 table elements and 40 core instances before they do anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory of all memories together, bytes.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Core instances.
    pub instances: usize,
    /// Resource handles that live at one time.
    pub handles: usize,
    /// Bytes that one call may copy out of the component, in either direction of calling.
    pub copy_bytes: usize,
    /// Log records.
    pub log_records: u64,
    /// Bytes of log.
    pub log_bytes: u64,
    /// Results that may be reported.
    pub reports: u64,
    /// Calls into the host, of every kind.
    pub host_calls: u64,
    /// Bytes of one text that the host has to parse: a document, an object, facts.
    pub text_bytes: u64,
    /// Levels of nesting in such a text.
    pub depth: u64,
    /// Time the component itself may compute.
    pub compute_time: Duration,
    /// Time a session with an environment may take, waiting for servers included.
    pub session_time: Duration,
    /// Requests to endpoints.
    pub requests: u64,
    /// Bytes of one request's body.
    pub request_bytes: usize,
    /// Bytes of one response's body.
    pub response_bytes: usize,
    /// Bytes of all response bodies.
    pub total_response_bytes: u64,
    /// Requests at the same time.
    pub parallel_requests: usize,
    /// Time for connection and handshake.
    pub connect_time: Duration,
    /// Time for one request, connecting included.
    pub request_time: Duration,
    /// Bytes of a component's file.
    pub component_bytes: u64,
    /// Bytes of one function: the time to compile grows with its square.
    pub function_bytes: u64,
    /// Functions of a component.
    pub functions: u64,
    /// Core modules of a component.
    pub modules: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            table_elements: 20_000,
            memories: 4,
            tables: 16,
            instances: 128,
            handles: 4_096,
            copy_bytes: 16 << 20,
            log_records: 1_000,
            log_bytes: 1 << 20,
            reports: 10_000,
            host_calls: 100_000,
            text_bytes: 4 << 20,
            depth: 64,
            compute_time: Duration::from_secs(30),
            session_time: Duration::from_mins(15),
            requests: 10_000,
            request_bytes: 4 << 20,
            response_bytes: 8 << 20,
            total_response_bytes: 512 << 20,
            parallel_requests: 8,
            connect_time: Duration::from_secs(10),
            request_time: Duration::from_mins(1),
            component_bytes: 64 << 20,
            function_bytes: 512 << 10,
            functions: 200_000,
            modules: 128,
        }
    }
}

/// Which bound a plugin ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// Linear memory, bytes.
    Memory,
    /// Table elements.
    TableElements,
    /// Linear memories.
    Memories,
    /// Tables.
    Tables,
    /// Core instances.
    Instances,
    /// Resource handles.
    Handles,
    /// Bytes copied by one call.
    Copy,
    /// Depth of calls.
    Stack,
    /// Log records.
    LogRecords,
    /// Bytes of log.
    LogBytes,
    /// Reported results.
    Reports,
    /// Calls into the host.
    HostCalls,
    /// Bytes of one text that the host parses.
    TextBytes,
    /// Levels of nesting in such a text.
    Depth,
    /// Bytes of the component's file.
    ComponentBytes,
    /// Bytes of one function.
    FunctionBytes,
    /// Functions.
    Functions,
    /// Core modules.
    Modules,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "bytes of memory",
            Self::TableElements => "table elements",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::Instances => "core instances",
            Self::Handles => "resource handles",
            Self::Copy => "bytes passed in one call",
            Self::Stack => "bytes of call stack",
            Self::LogRecords => "log records",
            Self::LogBytes => "bytes of log",
            Self::Reports => "reported results",
            Self::HostCalls => "calls into the host",
            Self::TextBytes => "bytes in one text",
            Self::Depth => "levels of nesting in one text",
            Self::ComponentBytes => "bytes of component",
            Self::FunctionBytes => "bytes in one function",
            Self::Functions => "functions",
            Self::Modules => "core modules",
        })
    }
}

impl LimitKind {
    /// The name under `[limits]` of a policy file that sets it; none for what is the same for all.
    pub fn key(self) -> Option<&'static str> {
        Some(match self {
            Self::Memory => "memory-bytes",
            Self::TableElements => "table-elements",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::Instances => "instances",
            Self::Handles => "handles",
            Self::Copy => "copy-bytes",
            Self::Stack => return None,
            Self::LogRecords => "log-records",
            Self::LogBytes => "log-bytes",
            Self::Reports => "reports",
            Self::HostCalls => "host-calls",
            Self::TextBytes => "text-bytes",
            Self::Depth => "depth",
            Self::ComponentBytes => "component-bytes",
            Self::FunctionBytes => "function-bytes",
            Self::Functions => "functions",
            Self::Modules => "modules",
        })
    }
}

/// Bytes of call stack of every component: a part of how its native code is made, so the same for all.
pub(crate) const STACK_BYTES: usize = 512 << 10;
