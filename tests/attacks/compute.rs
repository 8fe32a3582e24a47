//! Time: endless loops, servers that never finish, recursion; and what is left of a session afterwards.

use std::time::{Duration, Instant};

use kedge_plugin::{Decision, LimitKind, Limits, PluginError};
use serde_json::json;

use crate::bed::{Bed, input};
use crate::server::{Reply, Server};
use crate::support::{Parts, limits, ok_text};
use crate::wat::{Ask, asking};

#[tokio::test]
async fn row_01_a_loop_in_an_export_is_ended() {
    let bed = Bed::new().await;
    let begun = Instant::now();
    let error = bed.schema("(loop (br 0)) unreachable").await;
    assert!(
        matches!(&error, PluginError::Timeout { function, computing: true, .. } if function == "config.schema"),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(error.remedy().contains("compute-time"), "it says how there is more: {}", error.remedy());
    bed.survived("did not come back").await;
}

#[tokio::test]
async fn row_02_a_loop_at_the_start_is_ended() {
    let bed = Bed::new().await;
    let fields = "(func $spin (loop (br 0))) (start $spin)".to_owned();
    let error = bed.load(&Parts { fields, ..Parts::default() }).await.unwrap_err();
    assert!(matches!(&error, PluginError::Timeout { function, .. } if function == "start"), "{error:?}");
    bed.survived("`start`").await;
}

#[tokio::test]
async fn row_03_calls_during_the_start_reach_nothing() {
    let bed = Bed::new().await;
    let fields = r#"(data (i32.const 512) "lab") (func $eager (call $open (i32.const 512) (i32.const 3) (i32.const 64))) (start $eager)"#;
    let loaded = bed.load(&Parts { fields: fields.to_owned(), ..Parts::default() }).await;
    let events = bed.events();
    let opened: Vec<_> = events.iter().filter(|e| e.function == "open").collect();
    match loaded {
        Ok(_) => assert!(opened.iter().all(|e| e.during == "start" && matches!(e.decision, Decision::Refused(_)))),
        Err(error) => assert!(matches!(error, PluginError::Trap { .. }), "{error:?}"),
    }
    assert!(opened.iter().all(|e| matches!(e.decision, Decision::Refused(_))), "{opened:?}");
    bed.survived("").await;
}

#[tokio::test]
async fn row_04_a_server_that_drips_does_not_hold_the_host() {
    let server = Server::start(|_| Reply::Drip(Duration::from_millis(20))).await;
    let bed = Bed::with(Limits { session_time: Duration::from_millis(600), ..limits() }).await;
    let begun = Instant::now();
    let error = bed.run(&asking(&[Ask::get("/slow")]), server.environment()).await.unwrap_err();
    assert!(matches!(error, PluginError::Timeout { computing: false, .. }), "{error:?}");
    assert!(error.remedy().contains("session-time"));
    assert!(begun.elapsed() < Duration::from_secs(20));
    bed.survived("did not come back").await;
    // One request has a bound of its own, which the component is told.
    let bed = Bed::with(Limits { request_time: Duration::from_millis(300), ..limits() }).await;
    assert_eq!(bed.run(&asking(&[Ask::get("/slow")]), server.environment()).await.unwrap(), json!({}));
    assert!(bed.logged()[0].contains("did not answer"), "{:?}", bed.logged());
    bed.survived("timed out").await;
}

#[tokio::test]
async fn row_09_recursion_is_bounded() {
    let bed = Bed::new().await;
    let parts = Parts {
        fields: "(func $deep (result i32) (call $deep) (i32.const 1) i32.add)".into(),
        schema: Some("(call $deep)".into()),
        ..Parts::default()
    };
    let error = bed.schema_of(&parts).await;
    assert!(matches!(error, PluginError::LimitExceeded { limit: LimitKind::Stack, .. }), "{error:?}");
    bed.survived("call stack").await;
}

#[tokio::test]
async fn row_16_nothing_is_used_after_a_trap() {
    let bed = Bed::new().await;
    // Traps for a kind that begins with `b`, and remembers in its memory that it did.
    let body = format!(
        "(if (i32.load (i32.const 700)) (then unreachable)) (i32.store (i32.const 700) (i32.const 1)) (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 98)) (then unreachable)) {}",
        ok_text(600, 2)
    );
    let parts = Parts { schema: Some(body), fields: r#"(data (i32.const 600) "{}")"#.into(), ..Parts::default() };
    let plugin = bed.load(&parts).await.unwrap();
    for _ in 0..2 {
        let error = plugin.schema("bad").await.unwrap_err();
        assert!(matches!(error, PluginError::Trap { .. }), "{error:?}");
        assert_eq!(plugin.schema("good").await.unwrap(), json!({}), "a new store for every call");
    }
    bed.survived("crashed").await;
}

#[tokio::test]
async fn row_17_a_call_that_is_given_up_leaves_nothing_behind() {
    let server = Server::start(|_| Reply::Drip(Duration::from_millis(20))).await;
    let bed = Bed::new().await;
    let plugin = bed.load(&asking(&[Ask::get("/slow")])).await.unwrap();
    let environment = server.environment();
    let (outcomes, _nobody) = tokio::sync::mpsc::unbounded_channel();
    let (input, nothing) = (input(), []);
    let call = plugin.preflight_run(&input, &nothing, &environment, outcomes);
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err(), "it is dropped in the middle");
    assert_eq!(plugin.schema("LabDatacenter").await.unwrap(), json!({}));
    // That it was loaded is on record; what was given up had not ended, so it has no end there.
    bed.recorded("memory").await;
}
