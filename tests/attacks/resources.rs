//! Memory, tables, handles, copies: whatever a component can ask for more of.

use std::fmt::Write as _;

use kedge_plugin::{Environment, HostOptions, LimitKind, Limits, PluginError, PluginHost};

use crate::bed::Bed;
use crate::server::named;
use crate::support::{Parts, limits, ok_text, provider};

fn over(error: &PluginError, wanted: LimitKind) {
    assert!(matches!(error, PluginError::LimitExceeded { limit, .. } if *limit == wanted), "{wanted:?}: {error:?}");
    let key = wanted.key().unwrap();
    assert!(error.remedy().contains(key), "it says how there is more: {}", error.remedy());
}

#[tokio::test]
async fn row_05_memory_is_bounded() {
    let bed = Bed::new().await;
    let error = bed.schema("(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable").await;
    over(&error, LimitKind::Memory);
    bed.survived("bytes of memory").await;
}

#[tokio::test]
async fn row_06_tables_are_bounded() {
    let bed = Bed::new().await;
    let body = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)) (then unreachable)) (i32.const 0)";
    let parts = Parts { fields: "(table $t 1 funcref)".into(), schema: Some(body.into()), ..Parts::default() };
    over(&bed.schema_of(&parts).await, LimitKind::TableElements);
    bed.survived("table elements").await;
}

#[tokio::test]
async fn row_07_instances_tables_and_memories_are_counted() {
    let bed = Bed::new().await;
    for (limits, wanted) in [
        (Limits { instances: 1, ..limits() }, LimitKind::Instances),
        (Limits { memories: 0, ..limits() }, LimitKind::Memories),
        (Limits { tables: 0, ..limits() }, LimitKind::Tables),
    ] {
        let options = HostOptions { limits, audit: bed.audit.clone(), ..HostOptions::default() };
        let host = PluginHost::new(options).unwrap();
        let error = host.load_bytes("bad", &provider(&Parts::default())).await.unwrap_err();
        over(&error, wanted);
    }
    for words in ["core instances", "memories", "tables"] {
        bed.survived(words).await;
    }
}

#[tokio::test]
async fn row_08_four_gigabytes_at_the_start_are_seen_before_compiling() {
    let bed = Bed::new().await;
    let error = bed.load(&Parts { pages: Some(65_536), ..Parts::default() }).await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::Memory, asked: Some(4_294_967_296), .. }),
        "{error:?}"
    );
    bed.survived("bytes of memory").await;
}

#[tokio::test]
async fn row_10_a_huge_argument_is_not_copied() {
    let bed = Bed::new().await;
    let body = "(call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2000000)) unreachable";
    let error = bed.schema_of(&Parts { pages: Some(40), schema: Some(body.into()), ..Parts::default() }).await;
    over(&error, LimitKind::Copy);
    bed.survived("bytes passed in one call").await;
}

#[tokio::test]
async fn row_11_a_huge_answer_is_not_copied() {
    let bed = Bed::new().await;
    let parts = Parts { pages: Some(40), schema: Some(ok_text(0, 2 << 20)), ..Parts::default() };
    over(&bed.schema_of(&parts).await, LimitKind::Copy);
    bed.survived("bytes passed in one call").await;
}

#[tokio::test]
async fn row_12_a_list_of_a_hundred_thousand_nothings_is_not_lifted() {
    let bed = Bed::new().await;
    // The findings of an outcome: all of it zeros, which are empty texts.
    let body = format!(
        "(call $outcome (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 131072) (i32.const 100000)) {}",
        ok_text(600, 2)
    );
    let parts = Parts { run: Some(body), pages: Some(240), ..Parts::default() };
    let error = bed.run(&parts, Environment::nothing()).await.unwrap_err();
    over(&error, LimitKind::Copy);
    // And a text whose brackets stand in each other.
    let deep = "[".repeat(200) + &"]".repeat(200);
    let fields = format!("(data (i32.const 512) \"{deep}\")");
    let error = bed.schema_of(&Parts { schema: Some(ok_text(512, 400)), fields, ..Parts::default() }).await;
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::Depth, allowed: 64, asked: Some(200), .. }),
        "{error:?}"
    );
    bed.survived("levels of nesting").await;
}

#[tokio::test]
async fn row_13_a_storm_of_handles_is_bounded() {
    let bed = Bed::new().await;
    let parts = Parts {
        run: Some("(loop (call $open (i32.const 512) (i32.const 3) (i32.const 64)) (br 0)) unreachable".into()),
        fields: r#"(data (i32.const 512) "lab")"#.into(),
        ..Parts::default()
    };
    over(&bed.run(&parts, named("lab.example", false)).await.unwrap_err(), LimitKind::Handles);
    bed.survived("resource handles").await;
    // Calls that make no handle are counted too.
    let bed = Bed::with(Limits { host_calls: 100, ..limits() }).await;
    let parts = Parts {
        run: Some("(loop (drop (call $available (i32.const 512) (i32.const 3))) (br 0)) unreachable".into()),
        fields: r#"(data (i32.const 512) "lab")"#.into(),
        ..Parts::default()
    };
    over(&bed.run(&parts, Environment::nothing()).await.unwrap_err(), LimitKind::HostCalls);
    bed.survived("calls into the host").await;
}

#[tokio::test]
async fn row_37_one_giant_function_is_not_compiled() {
    let bed = Bed::new().await;
    let body = format!("{} unreachable", "(drop (i32.add (i32.const 1) (i32.const 2)))".repeat(100_000));
    let error = bed.load(&Parts { schema: Some(body), ..Parts::default() }).await.unwrap_err();
    over(&error, LimitKind::FunctionBytes);
    bed.survived("bytes in one function").await;
}

#[tokio::test]
async fn row_38_functions_and_modules_are_counted() {
    let many = (0..300).fold(String::new(), |mut out, n| {
        let _ = write!(out, "(func $f{n})");
        out
    });
    let bed = Bed::with(Limits { functions: 200, ..limits() }).await;
    over(&bed.load(&Parts { fields: many, ..Parts::default() }).await.unwrap_err(), LimitKind::Functions);
    bed.survived("functions").await;
    let bed = Bed::new().await;
    let options =
        HostOptions { limits: Limits { modules: 1, ..limits() }, audit: bed.audit.clone(), ..HostOptions::default() };
    let error = PluginHost::new(options).unwrap().load_bytes("bad", &provider(&Parts::default())).await.unwrap_err();
    over(&error, LimitKind::Modules);
    bed.survived("core modules").await;
}
