//! The bytes that a release's signature is made over.
//!
//! The signer reads a manifest into its own types, writes it as JSON with keys in order, without the fields that a site
//! may change, and in the escapes of Go's `encoding/json`. So what the types don't know is no part of the bytes, and what
//! they always write is, also when the manifest leaves it out.

use serde_json::{Map, Value, json};

/// What a manifest may have below `metadata` without any effect on its signature, besides its annotations.
const METADATA: [&str; 7] =
    ["creationTimestamp", "annotations", "generation", "managedFields", "uid", "resourceVersion", "namespace"];

/// The parts of `eksD` that are plain text and written only when they say something. `manifestUrl` and `components`
/// may be changed by a site.
const EKSD_TEXT: [&str; 4] = ["name", "channel", "kubeVersion", "gitCommit"];
/// Files and images; `kindNode` is an image.
const EKSD_FILES: [&str; 5] = ["kindNode", "etcdadm", "crictl", "imagebuilder", "containerd"];
/// Groups of one file.
const EKSD_GROUPS: [&str; 3] = ["ami", "ova", "raw"];
/// What an image or a file consists of.
const FILE: [&str; 9] = ["name", "description", "os", "osName", "arch", "uri", "sha512", "sha256", "imageDigest"];

/// Of a `Bundles` manifest: numbers, Kubernetes versions and what EKS-D brings to machines. Images of components, their
/// manifests and the place of the EKS-D manifest are left out.
pub(super) fn bundles(manifest: &Value) -> Vec<u8> {
    let text = |at: &str| manifest.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let listed = manifest.pointer("/spec/versionsBundles").and_then(Value::as_array);
    let listed: Vec<Value> = listed.into_iter().flatten().map(versions_bundle).collect();
    let spec = json!({
        "number": manifest.pointer("/spec/number").cloned().unwrap_or_else(|| json!(0)),
        "cliMinVersion": text("/spec/cliMinVersion"),
        "cliMaxVersion": text("/spec/cliMaxVersion"),
        "versionsBundles": listed,
    });
    signed(manifest, spec)
}

/// Of an EKS-D `Release`: its name, channel and number. Its list of images is in `status`, which no signature covers.
pub(super) fn eksd(manifest: &Value) -> Vec<u8> {
    let spec = manifest.get("spec");
    let mut known = Map::new();
    for key in ["channel", "buildRepoCommit", "number"] {
        if let Some(value) = spec.and_then(|s| s.get(key)).filter(|v| says_something(v)) {
            known.insert(key.to_owned(), value.clone());
        }
    }
    signed(manifest, Value::Object(known))
}

fn signed(manifest: &Value, spec: Value) -> Vec<u8> {
    let mut metadata = Map::new();
    for (key, value) in manifest.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        if !METADATA.contains(&key.as_str()) && says_something(value) {
            metadata.insert(key.clone(), value.clone());
        }
    }
    let mut whole = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = manifest.get(key).filter(|v| says_something(v)) {
            whole.insert(key.to_owned(), value.clone());
        }
    }
    whole.insert("metadata".to_owned(), Value::Object(metadata));
    whole.insert("spec".to_owned(), spec);
    let mut out = Vec::new();
    write(&Value::Object(whole), &mut out);
    out
}

fn versions_bundle(bundle: &Value) -> Value {
    let mut known = Map::new();
    known.insert("kubeVersion".to_owned(), bundle.get("kubeVersion").cloned().unwrap_or_else(|| json!("")));
    if let Some(end) = bundle.get("endOfStandardSupport").filter(|v| says_something(v)) {
        known.insert("endOfStandardSupport".to_owned(), end.clone());
    }
    if let Some(aws) = bundle.get("aws").filter(|v| !v.is_null()) {
        known.insert("aws".to_owned(), aws.clone());
    }
    let eksd = bundle.get("eksD");
    let part = |key: &str| eksd.and_then(|e| e.get(key));
    let mut out = Map::new();
    for key in EKSD_TEXT {
        if let Some(value) = part(key).filter(|v| says_something(v)) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    for key in EKSD_FILES {
        out.insert(key.to_owned(), file(part(key)));
    }
    for key in EKSD_GROUPS {
        out.insert(key.to_owned(), json!({"bottlerocket": file(part(key).and_then(|g| g.get("bottlerocket")))}));
    }
    known.insert("eksD".to_owned(), Value::Object(out));
    Value::Object(known)
}

fn file(value: Option<&Value>) -> Value {
    let fields = FILE.iter().filter_map(|key| {
        let value = value?.get(*key).filter(|v| says_something(v))?;
        Some(((*key).to_owned(), value.clone()))
    });
    Value::Object(fields.collect())
}

/// Whether Go writes a field that may be left out.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::String(text) => write_text(text, out),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// As Go escapes text: also what HTML and JavaScript take for markup.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_the_types_always_write_is_there_and_what_a_site_may_change_is_not() {
        let manifest = json!({
            "kind": "Bundles", "apiVersion": "a/v1",
            "metadata": {"name": "b", "namespace": "n", "labels": {"z": "1", "a": "<&>"}, "creationTimestamp": null,
                "annotations": {"x": "y"}},
            "spec": {"versionsBundles": [{
                "kubeVersion": "1.31", "cilium": {"version": "v1"}, "invented": true,
                "eksD": {"name": "k", "manifestUrl": "https://x", "components": "https://y",
                    "kindNode": {"uri": "r/kind:1", "arch": ["amd64"], "more": 1}, "gitCommit": ""},
            }], "number": 7},
            "status": {"a": 1},
        });
        assert_eq!(
            text(bundles(&manifest)),
            "{\"apiVersion\":\"a/v1\",\"kind\":\"Bundles\",\"metadata\":{\"labels\":{\"a\":\"\\u003c\\u0026\\u003e\",\"z\":\"1\"},\"name\":\"b\"},\
             \"spec\":{\"cliMaxVersion\":\"\",\"cliMinVersion\":\"\",\"number\":7,\"versionsBundles\":[{\"eksD\":{\"ami\":{\"bottlerocket\":{}},\
             \"containerd\":{},\"crictl\":{},\"etcdadm\":{},\"imagebuilder\":{},\"kindNode\":{\"arch\":[\"amd64\"],\"uri\":\"r/kind:1\"},\
             \"name\":\"k\",\"ova\":{\"bottlerocket\":{}},\"raw\":{\"bottlerocket\":{}}},\"kubeVersion\":\"1.31\"}]}}"
        );
    }

    #[test]
    fn the_status_of_eks_d_is_left_out() {
        let manifest = json!({"kind": "Release", "apiVersion": "d/v1", "metadata": {"name": "k"},
            "spec": {"channel": "1-31", "number": 4}, "status": {"components": [1]}});
        assert_eq!(
            text(eksd(&manifest)),
            "{\"apiVersion\":\"d/v1\",\"kind\":\"Release\",\"metadata\":{\"name\":\"k\"},\"spec\":{\"channel\":\"1-31\",\"number\":4}}"
        );
    }

    #[test]
    fn text_is_escaped_as_go_does_it() {
        let mut out = Vec::new();
        write_text("a\"\\\n\r\t\u{8}\u{c}\u{1}\u{2028}é", &mut out);
        assert_eq!(text(out), "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u2028é\"");
    }
}
