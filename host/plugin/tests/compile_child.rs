//! Compiling in a child. This file is its own compiler: started with the compiler's argument, it is that and nothing else.
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

use kedge_plugin::{Compiler, HostOptions, Limits, PluginError, PluginHost};
use support::{Audited, Parts, provider};

fn main() -> ExitCode {
    if let Some(code) = kedge_plugin::compiler_entry(std::env::args_os()) {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        a_plugin_is_compiled_in_a_child().await;
        a_compiler_that_takes_too_long_is_ended().await;
        what_does_not_compile_says_why().await;
        a_compiler_that_is_none_is_named().await;
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
