//! What went wrong in engines of the past, looked at through this host. The versions that had these faults are refused by
//! `deny.toml`; these tests say whether the host would notice.

use kedge_plugin::{LimitKind, PluginError};

use crate::bed::Bed;
use crate::server::{Server, ok};
use crate::support::{Parts, ok_text};
use crate::wat::{Ask, asking};

/// A text that begins in memory and ends outside, in every encoding of a length that overflows.
#[tokio::test]
async fn texts_outside_memory_are_refused() {
    let bed = Bed::new().await;
    for (at, length) in [(65_530, 100), (1 << 30, 5), (0x7fff_ffff, 1), (65_536, 1), (0, 0x7fff_ffff)] {
        let error = bed.schema(&ok_text(at, length)).await;
        let expected = matches!(
            error,
            PluginError::Nonsense { .. }
                | PluginError::Trap { .. }
                | PluginError::LimitExceeded { limit: LimitKind::Copy, .. }
        );
        assert!(expected, "{at} {length}: {error:?}");
    }
    bed.survived("").await;
}

/// A case that a variant does not have, and a handle that was never given.
#[tokio::test]
async fn forged_cases_and_handles_are_refused() {
    let bed = Bed::new().await;
    let error = bed.schema("(i32.store (i32.const 16) (i32.const 77)) (i32.const 16)").await;
    assert!(matches!(error, PluginError::Nonsense { .. }), "{error:?}");
    let call = "(call $send (i32.const 41) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 0)";
    let parts = Parts { run: Some(call.into()), ..Parts::default() };
    let error = bed.run(&parts, kedge_plugin::Environment::nothing()).await.unwrap_err();
    assert!(matches!(error, PluginError::Nonsense { .. } | PluginError::Trap { .. }), "{error:?}");
    let level = "(call $log (i32.const 99) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) unreachable";
    assert!(matches!(bed.schema(level).await, PluginError::Nonsense { .. } | PluginError::Trap { .. }));
    bed.survived("").await;
}

/// A reply with thousands of headers (one engine panicked at that).
#[tokio::test]
async fn a_reply_with_too_many_headers_is_an_error() {
    let headers = (0..5_000).map(|n| format!("x-h{n}: v\r\n")).collect::<Vec<_>>().concat();
    let server = Server::start(move |_| ok(&headers, "body")).await;
    let bed = Bed::new().await;
    bed.run(&asking(&[Ask::get("/")]), server.environment()).await.unwrap();
    assert!(bed.logged()[0].contains("broke off"), "{:?}", bed.logged());
    bed.survived("broke off").await;
}

/// A table as large as an index can say.
#[tokio::test]
async fn a_huge_table_is_refused() {
    let bed = Bed::new().await;
    let error = bed.load(&Parts { fields: "(table 4294967295 funcref)".into(), ..Parts::default() }).await.unwrap_err();
    assert!(
        matches!(
            error,
            PluginError::LimitExceeded { limit: LimitKind::TableElements, .. } | PluginError::Compile { .. }
        ),
        "{error:?}"
    );
    bed.survived("").await;
}

/// Bulk operations are looked at by the clock at their start alone: their size has to have a bound.
#[tokio::test]
async fn bulk_operations_in_a_loop_are_ended() {
    let bed = Bed::new().await;
    let error = bed
        .schema_of(&Parts {
            pages: Some(200),
            schema: Some(
                "(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 13000000)) (br 0)) unreachable".into(),
            ),
            ..Parts::default()
        })
        .await;
    assert!(matches!(error, PluginError::Timeout { computing: true, .. }), "{error:?}");
    bed.survived("did not come back").await;
}

/// The rule that needs no network: what the lock file names is not one of the engines with a known hole.
#[test]
fn no_engine_with_a_known_hole_is_linked() {
    let lock: toml::Table = include_str!("../../Cargo.lock").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let mut seen = 0;
    for package in packages {
        let name = package["name"].as_str().unwrap();
        if name != "wasmtime" && name != "wasmtime-wasi" {
            continue;
        }
        seen += 1;
        let version: semver::Version = package["version"].as_str().unwrap().parse().unwrap();
        assert!(version >= semver::Version::new(48, 0, 8), "{name} {version} has a sandbox advisory");
    }
    assert_eq!(seen, 2, "each of them once");
}
