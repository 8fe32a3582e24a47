//! Each spec's manifests as they were last reviewed.

use kedge_spec::yaml_document;
use serde_json::Value;

use super::{prepared, specs};

/// Specs whose manifests are shown whole: one of each way. Elsewhere long texts that are the same everywhere are shown by
/// their first line.
const WHOLE: [&str; 3] = ["vsphere-ubuntu-whole", "vsphere-bottlerocket-external-etcd", "docker-whole"];

/// Texts with more lines are long.
const LONG: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn every_spec_renders_as_it_was_reviewed() {
    for (name, text) in specs() {
        let manifests = prepared(&name, &text).await.render(&Value::Null).await.unwrap();
        let mut shown = String::new();
        for rendered in &manifests.objects {
            let mut object = rendered.object.clone();
            if !WHOLE.contains(&name.as_str()) {
                shorten(&mut object);
            }
            shown.push_str(&format!("--- # {}\n{}", rendered.file_name, yaml_document(&object)));
        }
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(shorten),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::String(text) if text.lines().count() > LONG => {
            *text = format!("{} … {} lines", text.lines().next().unwrap_or_default(), text.lines().count());
        }
        _ => {}
    }
}
