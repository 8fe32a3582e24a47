//! Whatever stands in a file, nothing breaks; and what is written reads back the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::format_collect)]

mod common;

use common::{BASE, acme, defaulted, said};
use kedge_spec::{Source, Spec, yaml_document, yaml_documents};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        text().prop_map(Value::String),
    ]
}

/// Texts that a careless writer gets wrong.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        "\\PC{0,12}",
        "[a-z \t\n\r:#'\"|>-]{0,24}",
        "([a-z]{1,6}\n){1,4}",
        "[0-9+.:_eExXoO-]{1,8}",
        proptest::sample::select(vec![
            "yes", "No", "~", "null", "---", "...", "<<", "1.30", "0777", "- x", "? a", "a: b", "!x", "&a", "*a", "%Y"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Both sides as they can be: a version is text whatever it was.
fn comparable(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(value in value()) {
        let written = yaml_document(&value);
        let read = yaml_documents(&Source::new("w", written.as_str())).map_err(|e| TestCaseError::fail(format!("{e}\n{written}")))?;
        if value.is_null() {
            prop_assert!(read.is_empty());
        } else {
            prop_assert_eq!(read.len(), 1, "{}", written);
            prop_assert_eq!(comparable(&read[0]), comparable(&value), "{}", written);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = Spec::parse(Source::new("x", text));
    }

    #[test]
    fn yaml_like_text_is_read_or_refused(text in "[a-c{}\\[\\],:#&*!|>'\"%@` \t\r\n<?.~0-9-]{0,80}") {
        let _ = Spec::parse(Source::new("x", text));
    }

    #[test]
    fn a_damaged_spec_is_read_or_refused(cuts in prop::collection::vec((0..BASE.len(), 0..6usize, text()), 1..4)) {
        let mut text = BASE.to_owned();
        for (at, length, put) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &put);
            }
        }
        for diagnostic in said(&text, &acme()) {
            prop_assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
            if let Some(span) = diagnostic.span {
                prop_assert!(span.end <= text.len() && text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            }
            let mut out = String::new();
            miette::GraphicalReportHandler::new().render_report(&mut out, &diagnostic).unwrap();
        }
    }

    #[test]
    fn a_spec_in_any_order_writes_and_hashes_stably(labels in prop::collection::btree_map("[a-z]{1,8}", "[A-Za-z0-9]{0,8}", 0..6), workers in 0..20u32) {
        let listed: String = labels.iter().rev().map(|(k, v)| format!("\"{k}\": \"{v}\", ")).collect();
        let text = BASE.replacen("    count: 2", &format!("    count: {workers}\n    labels: {{{listed}}}"), 1);
        let spec = defaulted(&text, &acme()).unwrap();
        let written = spec.to_yaml();
        let again = defaulted(&written, &acme()).unwrap();
        prop_assert_eq!(again.to_yaml(), written);
        prop_assert_eq!(again.hash(), spec.hash());
        prop_assert_eq!(again.cluster(), spec.cluster());
        let bodies = |s: &kedge_spec::DefaultedSpec| s.documents().iter().map(|d| d.body.clone()).collect::<Vec<_>>();
        prop_assert_eq!(bodies(&again), bodies(&spec));
    }
}
