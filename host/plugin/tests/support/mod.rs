//! Components made for tests: a provider that behaves, with any part of it replaced by WebAssembly text.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own half")]

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kedge_plugin::{AuditEvent, AuditSink, HostOptions, Limits, LogLevel, LogSink, PluginHost};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where a component's own data starts; results are written below it.
const DATA: u32 = 4096;

/// What of the good provider is replaced, in core WebAssembly text.
#[derive(Default)]
pub struct Parts {
    /// Body of `describe`; the default returns the description.
    pub describe: Option<String>,
    /// Body of `schema` (locals 0 and 1 are the kind); the default returns `{}`.
    pub schema: Option<String>,
    /// Body of `run`; the default returns `{}`.
    pub run: Option<String>,
    /// Module fields: functions, tables, a start function.
    pub fields: String,
    /// Pages of memory at the start.
    pub pages: Option<u32>,
    /// Further imports of the core module.
    pub imports: String,
    /// Their interfaces, as the world has them: `import wasi:random/random@0.2.6;`.
    pub world: String,
    /// The packages of those.
    pub packages: String,
}

/// Static data and its addresses.
struct Data {
    bytes: Vec<u8>,
}

impl Data {
    fn place(&mut self, bytes: &[u8]) -> u32 {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        let at = DATA + u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(bytes);
        at
    }

    /// Address and length, as they stand in a record.
    fn text(&mut self, text: &str) -> Vec<u8> {
        let at = self.place(text.as_bytes());
        pair(at, u32::try_from(text.len()).unwrap())
    }

    fn list(&mut self, items: &[Vec<u8>]) -> Vec<u8> {
        let at = self.place(&items.concat());
        pair(at, u32::try_from(items.len()).unwrap())
    }
}

fn pair(a: u32, b: u32) -> Vec<u8> {
    [a.to_le_bytes(), b.to_le_bytes()].concat()
}

/// The description: name `lab`, kind `LabDatacenter`, endpoint `lab`, secrets `username` and `password`.
fn description(data: &mut Data) -> u32 {
    let versions = [data.text("example/v1")];
    let versions = data.list(&versions);
    let kind = [pair(0, 0), vec![0; 4], data.text("LabDatacenter"), versions].concat();
    let kinds = data.list(&[kind]);
    let endpoint = [
        data.text("lab"),
        data.text("to test"),
        data.text("LabDatacenter"),
        data.text("spec.server"),
        vec![0xbb, 1, 0, 0],
        vec![0; 24],
    ]
    .concat();
    let endpoints = data.list(&[endpoint]);
    let environment = [data.text("LAB_PASSWORD")];
    let environment = data.list(&environment);
    let owner = data.text("lab");
    let secret =
        [data.text("password"), data.text("to log in"), environment, vec![1, 0, 0, 0], owner, vec![1, 0, 0, 0]]
            .concat();
    let secrets = data.list(&[secret]);
    let api_versions = [data.text("v1beta1")];
    let api_versions = data.list(&api_versions);
    let provider = [
        data.text("lab"),
        data.text("Lab"),
        data.text("1.2.3"),
        kinds,
        endpoints,
        secrets,
        data.text("lab"),
        data.text("lab"),
        data.text("lab-system"),
        data.text("infrastructure.example"),
        data.text("LabCluster"),
        data.text("LabMachineTemplate"),
        api_versions,
        vec![0, 0, 0, 0],
        pair(0, 0),
        pair(0, 0),
    ]
    .concat();
    data.place(&provider)
}

/// `result<string, failure>` with this text.
pub fn ok_text(at: u32, length: u32) -> String {
    format!(
        "(i32.store (i32.const 16) (i32.const 0)) (i32.store (i32.const 20) (i32.const {at})) (i32.store (i32.const 24) (i32.const {length})) (i32.const 16)"
    )
}

/// A provider as a component.
pub fn provider(parts: &Parts) -> Vec<u8> {
    let mut data = Data { bytes: Vec::new() };
    let description = description(&mut data);
    let empty = data.place(b"{}");
    let inputs = "i32 ".repeat(12);
    let bytes = data.bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "\\{b:02x}");
        out
    });
    let module = format!(
        r#"(module
  (import "kedge:provider/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "kedge:provider/report@0.1.0" "outcome" (func $outcome (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "kedge:provider/endpoints@0.1.0" "open" (func $open (param i32 i32 i32)))
  (import "kedge:provider/secrets@0.1.0" "available" (func $available (param i32 i32) (result i32)))
  (import "kedge:provider/container-engine@0.1.0" "ping" (func $ping (param i32)))
  (import "kedge:provider/endpoints@0.1.0" "[method]endpoint.send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  {imports}
  (memory (export "memory") {pages})
  (data (i32.const {DATA}) "{bytes}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get 3)))
    (local.get $at))
  (global $heap (mut i32) (i32.const 32768))
  (func (export "kedge:provider/describe@0.1.0#describe") (result i32) {describe})
  (func (export "kedge:provider/config@0.1.0#schema") (param i32 i32) (result i32) {schema})
  (func (export "kedge:provider/config@0.1.0#generate") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "kedge:provider/config@0.1.0#defaults") (param i32 i32) (result i32) unreachable)
  (func (export "kedge:provider/config@0.1.0#check") (param i32 i32) (result i32) unreachable)
  (func (export "kedge:provider/machines@0.1.0#templates") (param {inputs}) (result i32) unreachable)
  (func (export "kedge:provider/machines@0.1.0#nodes") (param {inputs} i32 i32) (result i32) unreachable)
  (func (export "kedge:provider/manifests@0.1.0#infrastructure") (param {inputs}) (result i32) unreachable)
  (func (export "kedge:provider/manifests@0.1.0#addons") (param {inputs}) (result i32) unreachable)
  (func (export "kedge:provider/preflight@0.1.0#plan") (param {inputs}) (result i32) unreachable)
  (func (export "kedge:provider/preflight@0.1.0#run") (param {inputs} i32 i32) (result i32) {run})
  {fields}
)"#,
        pages = parts.pages.unwrap_or(1),
        describe = parts
            .describe
            .clone()
            .unwrap_or_else(|| format!("(i32.const {description})"))
            .replace("$DESCRIPTION", &description.to_string()),
        schema = parts.schema.clone().unwrap_or_else(|| ok_text(empty, 2)),
        run = parts.run.clone().unwrap_or_else(|| ok_text(empty, 2)),
        fields = parts.fields,
        imports = parts.imports,
    );
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_path(&folder).unwrap();
    let text = format!(
        "package kedge:test; world whole {{ include kedge:provider/provider@0.1.0; include kedge:provider/with-preflight@0.1.0; {} }} {}",
        parts.world, parts.packages
    );
    let extra = resolve.push_str("test.wit", &text).unwrap();
    let _ = package;
    encode(&module, &resolve, extra)
}

/// A component of a contract in one piece of text, with this core module.
pub fn component(wit: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    encode(module, &resolve, package)
}

fn encode(module: &str, resolve: &Resolve, package: wit_parser::PackageId) -> Vec<u8> {
    let world = resolve.select_world(&[package], None).unwrap();
    let mut core = wat::parse_str(module).unwrap_or_else(|e| panic!("{e}\n{module}"));
    embed_component_metadata(&mut core, resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().validate(true).module(&core).unwrap().encode().unwrap()
}

/// Keeps what plugins log.
#[derive(Default)]
pub struct Kept(pub Mutex<Vec<(String, LogLevel, String)>>);

impl LogSink for Kept {
    fn line(&self, plugin: &str, level: LogLevel, message: &str) {
        self.0.lock().unwrap().push((plugin.to_owned(), level, message.to_owned()));
    }
}

/// Keeps what is audited.
#[derive(Default)]
pub struct Audited(pub Mutex<Vec<AuditEvent>>);

impl AuditSink for Audited {
    fn event(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Small limits, so that tests are quick.
pub fn limits() -> Limits {
    Limits {
        memory_bytes: 16 << 20,
        table_elements: 1_000,
        compute_time: Duration::from_millis(500),
        copy_bytes: 1 << 20,
        ..Limits::default()
    }
}

/// A host with a log and an audit that tests can read.
pub fn host() -> (PluginHost, Arc<Kept>, Arc<Audited>) {
    let (log, audit) = (Arc::new(Kept::default()), Arc::new(Audited::default()));
    let options = HostOptions { limits: limits(), log: log.clone(), audit: audit.clone(), ..HostOptions::default() };
    (PluginHost::new(options).unwrap(), log, audit)
}
