//! What is not there: files, sockets, environment, time. A component that imports it is refused by the import's name, or
//! gets a stand-in.

use kedge_plugin::{ImportClass, PluginError};
use serde_json::json;

use crate::bed::Bed;
use crate::files::with_module;
use crate::support::{Parts, ok_text, provider};

fn empty_object() -> String {
    r#"(data (i32.const 600) "{}")"#.to_owned()
}

/// A component that imports one function of a WASI interface.
fn importing(interface: &str, function: &str, signature: &str, wit: &str) -> Parts {
    let (package, name) = interface.split_once('/').unwrap();
    Parts {
        imports: format!("(import \"{interface}@0.2.6\" \"{function}\" (func $wasi {signature}))"),
        world: format!("import {interface}@0.2.6;"),
        packages: format!("package {package}@0.2.6 {{ interface {name} {{ {function}: {wit}; }} }}"),
        fields: empty_object(),
        ..Parts::default()
    }
}

#[tokio::test]
async fn row_18_environment_and_arguments_are_empty() {
    let bed = Bed::new().await;
    for function in ["get-environment", "get-arguments"] {
        let list = if function == "get-environment" { "list<tuple<string, string>>" } else { "list<string>" };
        let wit = format!("func() -> {list}");
        let mut parts = importing("wasi:cli/environment", function, "(param i32)", &wit);
        // Crashes unless the list is empty.
        parts.schema = Some(format!(
            "(call $wasi (i32.const 64)) (if (i32.load (i32.const 68)) (then unreachable)) {}",
            ok_text(600, 2)
        ));
        let plugin = bed.load(&parts).await.unwrap();
        assert_eq!(plugin.schema("x").await.unwrap(), json!({}), "{function}");
    }
    bed.recorded("memory").await;
}

#[tokio::test]
async fn row_19_there_is_no_filesystem() {
    let bed = Bed::new().await;
    let parts =
        importing("wasi:filesystem/preopens", "get-directories", "(param i32)", "func() -> list<tuple<u32, string>>");
    let error = bed.load(&parts).await.unwrap_err();
    let PluginError::ForbiddenImports { imports, .. } = &error else { panic!("{error:?}") };
    assert_eq!(imports, &["wasi:filesystem/preopens@0.2.6"]);
    let seen = bed.host.inspect_bytes("bad", &provider(&parts)).unwrap();
    assert!(seen.imports.iter().any(|i| i.class == ImportClass::Refused && i.name.starts_with("wasi:filesystem/")));
    assert!(seen.unusual.iter().any(|u| u.what.contains("wasi:filesystem/preopens")), "{:?}", seen.unusual);
    bed.survived("wasi:filesystem/preopens").await;
}

#[tokio::test]
async fn row_20_there_are_no_sockets_and_no_names_to_look_up() {
    let bed = Bed::new().await;
    for (interface, function) in [
        ("wasi:sockets/instance-network", "instance-network"),
        ("wasi:sockets/ip-name-lookup", "resolve-addresses"),
        ("wasi:http/outgoing-handler", "handle"),
    ] {
        let error = bed.load(&importing(interface, function, "(result i32)", "func() -> u32")).await.unwrap_err();
        let PluginError::ForbiddenImports { imports, .. } = &error else { panic!("{error:?}") };
        assert_eq!(imports, &[format!("{interface}@0.2.6")]);
        bed.survived(interface).await;
    }
}

#[tokio::test]
async fn row_45_proposals_that_no_plugin_needs_are_switched_off() {
    let bed = Bed::new().await;
    let good = provider(&Parts::default());
    assert!(bed.host.load_bytes("x", &with_module(&good, "(module (memory 1))")).await.is_ok(), "a plain one is taken");
    for module in [
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd))",
        "(module (type (struct (field i32))))",
        "(module (tag))",
    ] {
        let error = bed.host.load_bytes("x", &with_module(&good, module)).await.unwrap_err();
        assert!(
            matches!(error, PluginError::Compile { .. } | PluginError::NotAComponent { .. }),
            "{module}: {error:?}"
        );
    }
    bed.survived("").await;
}

#[tokio::test]
async fn row_47_there_is_no_clock_to_measure_by() {
    // What is left of side channels is in `docs/security.md`: the answer to them is a process of one's own.
    let bed = Bed::new().await;
    let mut parts = importing("wasi:clocks/monotonic-clock", "now", "(result i64)", "func() -> u64");
    // Crashes if the clock moves within two million steps.
    parts.schema = Some(format!(
        "(local $i i32) (local $t i64) (local.set $t (call $wasi)) (loop (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000000)))) (if (i64.ne (local.get $t) (call $wasi)) (then unreachable)) {}",
        ok_text(600, 2)
    ));
    let plugin = bed.load(&parts).await.unwrap();
    assert_eq!(plugin.schema("x").await.unwrap(), json!({}));
    bed.recorded("memory").await;
}
