//! What components say: into the log, of themselves, as answers.

use kedge_plugin::{Catalog, LimitKind, PluginError};
use serde_json::json;

use crate::bed::Bed;
use crate::files::with_section;
use crate::support::{Parts, limits, ok_text, provider};

#[tokio::test]
async fn row_14_a_flood_of_log_ends_the_session() {
    let bed = Bed::new().await;
    let body = "(loop (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 3)) (br 0)) unreachable";
    let error = bed.schema(body).await;
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::LogRecords, allowed: 1_000, .. }),
        "{error:?}"
    );
    assert_eq!(bed.logged().len(), 1_000);
    bed.survived("log records").await;
}

#[tokio::test]
async fn row_15_a_log_record_is_one_line_and_steers_nothing() {
    let bed = Bed::new().await;
    // A line end, an escape sequence, and a mark that turns the direction of writing.
    let fields = r#"(data (i32.const 512) "ok\0aERROR forged\1b[2J\e2\80\ae") (data (i32.const 600) "{}")"#.to_owned();
    let body = format!(
        "(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 22)) {}",
        ok_text(600, 2)
    );
    let plugin = bed.load(&Parts { schema: Some(body), fields, ..Parts::default() }).await.unwrap();
    assert_eq!(plugin.schema("x").await.unwrap(), json!({}));
    assert_eq!(bed.logged(), ["ok\\nERROR forged\\u{1b}[2J\\u{202e}"]);
    bed.recorded("warn").await;
}

#[tokio::test]
async fn row_42_a_description_that_lies_or_steers_is_not_taken() {
    let bed = Bed::new().await;
    let good = provider(&Parts::default());
    let honest = bed.host.load_bytes("good", &good).await.unwrap().description().clone();
    let section = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::to_value(&honest).unwrap();
        change(&mut value);
        with_section(&good, "kedge:description", value.to_string().as_bytes())
    };
    // The honest one is taken.
    let same = bed.host.load_bytes("x", &section(&|_| {})).await.unwrap();
    assert_eq!(same.description(), &honest);
    for (change, wanted) in [
        (
            &(|v: &mut serde_json::Value| v["secrets"] = json!([])) as &dyn Fn(&mut serde_json::Value),
            "says another thing",
        ),
        (&|v: &mut serde_json::Value| v["title"] = json!("L\u{1b}[2J"), "steer a terminal"),
        (&|v: &mut serde_json::Value| v["title"] = json!(7), "can't be read"),
    ] {
        let error = bed.host.load_bytes("x", &section(change)).await.unwrap_err();
        assert!(matches!(&error, PluginError::ContractViolation { why, .. } if why.contains(wanted)), "{error:?}");
        bed.survived(wanted).await;
    }
    // A name that is a path, by changing the good one's own bytes.
    let mut bytes = good.clone();
    let at = bytes.windows(6).position(|w| w == b"1.2.3\0" || w.starts_with(b"1.2.3")).unwrap();
    bytes[at..at + 5].copy_from_slice(b"../..");
    let error = bed.host.load_bytes("x", &bytes).await.unwrap_err();
    assert!(matches!(error, PluginError::Nonsense { .. }), "{error:?}");
    bed.survived("semantic version").await;
}

#[tokio::test]
async fn row_43_an_answer_that_is_too_large_or_no_object_is_refused() {
    let bed = Bed::with(kedge_plugin::Limits { text_bytes: 1_000, ..limits() }).await;
    let long = format!("(data (i32.const 512) \"\\\"{}\\\"\")", "a".repeat(1_500));
    let error = bed.schema_of(&Parts { schema: Some(ok_text(512, 1_502)), fields: long, ..Parts::default() }).await;
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::TextBytes, allowed: 1_000, .. }),
        "{error:?}"
    );
    bed.survived("bytes in one text").await;
    for text in ["[]", "nonsense"] {
        let fields = format!("(data (i32.const 512) \"{text}\")");
        let parts = Parts { run: Some(ok_text(512, u32::try_from(text.len()).unwrap())), fields, ..Parts::default() };
        let error = bed.run(&parts, kedge_plugin::Environment::nothing()).await.unwrap_err();
        assert!(matches!(error, PluginError::Nonsense { .. }), "{error:?}");
    }
    bed.survived("not JSON").await;
}

#[tokio::test]
async fn row_44_the_same_question_has_the_same_answer() {
    let bed = Bed::new().await;
    let catalog = Catalog::new().with_built_ins();
    assert!(!catalog.list().is_empty());
    for entry in catalog.list() {
        let plugin = bed.host.load(entry).await.unwrap();
        let settings = [("kubernetes-version".to_owned(), "1.34".to_owned())];
        let first = plugin.generate("same", &settings).await.unwrap();
        assert_eq!(first, plugin.generate("same", &settings).await.unwrap(), "{}", entry.name);
    }
    bed.recorded("built-in").await;
}

#[tokio::test]
async fn row_46_no_bytes_of_a_component_make_the_host_panic() {
    let bed = Bed::new().await;
    let whole = provider(&Parts::default());
    let mut refused = 0;
    for at in (8..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xa5;
        // Some damage is harmless (a letter in a text): what matters is that it is answered.
        match bed.host.load_bytes("x.wasm", &bytes).await {
            Ok(plugin) => drop(plugin.schema("LabDatacenter").await),
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
            }
        }
    }
    assert!(refused > 0);
    bed.survived("").await;
}
