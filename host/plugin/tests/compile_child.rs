//! Compiling in a child, and running in one. This file is its own child: started with a child's argument, it is that and
//! nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that fails panics"
)]

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kedge_plugin::{
    Compiler, Decision, Environment, HostOptions, Isolation, LimitKind, Limits, PluginError, PluginHost,
};
use kedge_spec::provider::ProviderInput;
use support::{Audited, Kept, Parts, ok_text, provider};

fn main() -> ExitCode {
    if let Some(code) = kedge_plugin::child_entry(std::env::args_os()) {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        a_plugin_is_compiled_in_a_child().await;
        a_compiler_that_takes_too_long_is_ended().await;
        what_does_not_compile_says_why().await;
        a_compiler_that_is_none_is_named().await;
        a_session_runs_in_a_process_of_its_own().await;
        limits_hold_in_a_process_too().await;
        a_process_that_is_none_is_named().await;
    });
    ExitCode::SUCCESS
}

fn host(time: Option<Duration>, limits: Limits) -> (PluginHost, Arc<Audited>) {
    let audit = Arc::new(Audited::default());
    let compiler = Compiler::Child { program: std::env::current_exe().unwrap(), time };
    let options = HostOptions { compiler, limits, audit: audit.clone(), ..HostOptions::default() };
    (PluginHost::new(options).unwrap(), audit)
}

async fn a_plugin_is_compiled_in_a_child() {
    let (host, audit) = host(None, Limits::default());
    let plugin = host.load_bytes("x", &provider(&Parts::default())).await.unwrap();
    assert_eq!(plugin.schema("LabDatacenter").await.unwrap(), serde_json::json!({}));
    let events = audit.0.lock().unwrap();
    let compiled = events.iter().find(|e| e.function == "compile").expect("that it was compiled is on record");
    assert!(compiled.target.contains("limits on memory, time and files"), "{}", compiled.target);
    #[cfg(target_os = "linux")]
    assert!(compiled.target.contains("seccomp"), "{}", compiled.target);
    println!("a_plugin_is_compiled_in_a_child: {}", compiled.target);
}

/// A function that keeps the compiler busy for longer than it has.
async fn a_compiler_that_takes_too_long_is_ended() {
    let limits = Limits { function_bytes: 64 << 20, ..Limits::default() };
    let (host, _) = host(Some(Duration::from_millis(700)), limits);
    let body = format!("{} unreachable", "(drop (i32.add (memory.grow (i32.const 0)) (i32.const 2)))".repeat(300_000));
    let bytes = provider(&Parts { schema: Some(body), ..Parts::default() });
    let begun = Instant::now();
    let error = host.load_bytes("slow", &bytes).await.unwrap_err();
    assert!(matches!(&error, PluginError::Compile { why, .. } if why.contains("was ended")), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    host.load_bytes("x", &provider(&Parts::default())).await.map_or_else(
        |e| match e {
            // A busy machine may take longer than that for a good one too.
            PluginError::Compile { why, .. } if why.contains("was ended") => {}
            other => panic!("{other:?}"),
        },
        drop,
    );
    println!("a_compiler_that_takes_too_long_is_ended: after {:?}", begun.elapsed());
}

async fn what_does_not_compile_says_why() {
    let (host, _) = host(None, Limits::default());
    let mut bytes = provider(&Parts::default());
    // A core module with a memory of 64 bits behind everything else.
    let module = wat::parse_str("(module (memory i64 1))").unwrap();
    bytes.push(1);
    bytes.push(u8::try_from(module.len()).unwrap());
    bytes.extend_from_slice(&module);
    let error = host.load_bytes("x", &bytes).await.unwrap_err();
    assert!(matches!(&error, PluginError::Compile { why, .. } if why.contains("memory64")), "{error:?}");
    println!("what_does_not_compile_says_why: {error}");
}

async fn a_compiler_that_is_none_is_named() {
    for (program, wanted) in
        [("/nonexistent/kedge", "does not start"), ("/bin/true", "was ended"), ("/bin/cat", "nonsense")]
    {
        let compiler = Compiler::Child { program: program.into(), time: None };
        let host = PluginHost::new(HostOptions { compiler, ..HostOptions::default() }).unwrap();
        let error = host.load_bytes("x", &provider(&Parts::default())).await.unwrap_err();
        let PluginError::Compile { why, .. } = &error else { panic!("{error:?}") };
        // `cat` does not know the argument and says nothing on standard output.
        assert!(why.contains(wanted) || why.contains("was ended"), "{program}: {why}");
    }
    println!("a_compiler_that_is_none_is_named");
}

fn apart(limits: Limits) -> (PluginHost, Arc<Kept>, Arc<Audited>) {
    let (log, audit) = (Arc::new(Kept::default()), Arc::new(Audited::default()));
    let isolation = Isolation::Process { program: std::env::current_exe().unwrap() };
    let options = HostOptions { isolation, limits, log: log.clone(), audit: audit.clone(), ..HostOptions::default() };
    (PluginHost::new(options).unwrap(), log, audit)
}

/// What it is asked, calls and says goes through the pipe; what it calls is decided and recorded here.
async fn a_session_runs_in_a_process_of_its_own() {
    let (host, log, audit) = apart(Limits::default());
    let parts = Parts {
        run: Some(format!(
            "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 8)) (call $open (i32.const 512) (i32.const 8) (i32.const 64)) (drop (call $available (i32.const 512) (i32.const 8))) {}",
            ok_text(600, 2)
        )),
        fields: r#"(data (i32.const 512) "password") (data (i32.const 600) "{}")"#.to_owned(),
        ..Parts::default()
    };
    let plugin = host.load_bytes("x", &provider(&parts)).await.unwrap();
    assert_eq!((plugin.description().name.as_str(), plugin.has_preflight()), ("lab", true));
    assert_eq!(plugin.schema("LabDatacenter").await.unwrap(), serde_json::json!({}));
    let input = ProviderInput {
        cluster_name: "c".into(),
        namespace: "eksa-system".into(),
        documents: vec![],
        release: serde_json::json!({}),
        facts: serde_json::json!({}),
        features: vec![],
    };
    let environment = Environment { audit: audit.clone(), ..Environment::nothing() };
    let (outcomes, _nobody) = tokio::sync::mpsc::unbounded_channel();
    let facts = plugin.preflight_run(&input, &[], &environment, outcomes).await.unwrap();
    assert_eq!(facts, serde_json::json!({}));
    assert!(log.0.lock().unwrap().iter().any(|(_, _, text)| text == "password"), "its log comes through");
    let events = audit.0.lock().unwrap();
    let refused = events.iter().find(|e| e.function == "open").expect("its calls are on record");
    assert!(matches!(&refused.decision, Decision::Refused(_)) && refused.during == "preflight.run", "{refused:?}");
    let isolated: Vec<_> = events.iter().filter(|e| e.function == "isolate").collect();
    assert_eq!(isolated.len(), 1, "said once");
    #[cfg(target_os = "linux")]
    assert!(isolated[0].target.contains("seccomp"), "{}", isolated[0].target);
    println!("a_session_runs_in_a_process_of_its_own: {}", isolated[0].target);
}

async fn limits_hold_in_a_process_too() {
    let limits = Limits { compute_time: Duration::from_millis(400), memory_bytes: 4 << 20, ..Limits::default() };
    let (host, _, audit) = apart(limits);
    let schema = async |body: &str| {
        let parts = Parts { schema: Some(body.to_owned()), ..Parts::default() };
        host.load_bytes("x", &provider(&parts)).await.unwrap().schema("LabDatacenter").await.unwrap_err()
    };
    let error = schema("(loop (br 0)) unreachable").await;
    assert!(matches!(error, PluginError::Timeout { computing: true, .. }), "{error:?}");
    let error = schema("(drop (memory.grow (i32.const 1000))) unreachable").await;
    assert!(matches!(error, PluginError::LimitExceeded { limit: LimitKind::Memory, .. }), "{error:?}");
    let error = schema("unreachable").await;
    assert!(matches!(error, PluginError::Trap { .. }), "{error:?}");
    let error = schema(
        "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (br 0)) unreachable",
    )
    .await;
    let flooded = matches!(error, PluginError::LimitExceeded { limit: LimitKind::LogRecords, .. });
    assert!(flooded || matches!(error, PluginError::Timeout { .. }), "{error:?}");
    let ended = audit.0.lock().unwrap().iter().filter(|e| e.function == "end-session").count();
    assert_eq!(ended, 4, "each is on record");
    println!("limits_hold_in_a_process_too");
}

async fn a_process_that_is_none_is_named() {
    for program in ["/nonexistent/kedge", "/bin/true", "/bin/cat"] {
        let isolation = Isolation::Process { program: program.into() };
        let host = PluginHost::new(HostOptions { isolation, ..HostOptions::default() }).unwrap();
        let error = host.load_bytes("x", &provider(&Parts::default())).await.unwrap_err();
        assert!(matches!(&error, PluginError::Trap { why, .. } if why.contains("its process")), "{program}: {error:?}");
    }
    println!("a_process_that_is_none_is_named");
}
