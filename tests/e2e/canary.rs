//! A secret that everything has to keep to itself: it goes through whole creates and failed ones, and afterwards nothing
//! that was written or said holds it, in any spelling.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::harness::{Sandbox, ServedLab};

/// With what every encoding writes in another way.
const CANARY: &str = "c4n4ry<&\"' wörd/+";

/// The spellings of a secret.
fn spellings(secret: &str) -> Vec<String> {
    let percent = secret.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    });
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quoted = serde_json::to_string(secret).unwrap();
    let mut all = vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        percent.replace("%20", "+"),
        percent.to_lowercase(),
        percent,
        xml.replace('"', "&quot;").replace('\'', "&apos;"),
        xml.replace('"', "&quot;").replace('\'', "&#39;"),
        xml,
        quoted.trim_matches('"').to_owned(),
    ];
    all.sort();
    all.dedup();
    all
}

fn holds(content: &[u8], spellings: &[String]) -> Option<String> {
    let holds = |form: &str| content.windows(form.len()).any(|w| w == form.as_bytes());
    spellings.iter().find(|form| holds(form)).cloned()
}

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn sweep(fault: Option<&str>, code: i32, more: &[&str]) {
    let sandbox = Sandbox::new().env("EKSA_VSPHERE_CP_USERNAME", "someone").env("EKSA_VSPHERE_CP_PASSWORD", CANARY);
    let spec = sandbox.spec("vsphere-ubuntu-stacked.yaml");
    let flags: Vec<&str> = fault.map(|f| vec!["--lab-fault", f]).unwrap_or_default();
    let lab = ServedLab::start(&sandbox, &spec, &flags);
    let flag = lab.flag();
    let mut args = vec!["create", "cluster", "-f", "vsphere-ubuntu-stacked.yaml", &flag, "-v", "9"];
    args.extend(["--record", "recording.jsonl", "--audit", "audit.jsonl"]);
    args.extend(more);
    let ran = sandbox.run(args).expect(code);

    let connection = std::fs::read(&lab.connection).unwrap();
    let password =
        serde_json::from_slice::<serde_json::Value>(&connection).unwrap()["credentials"]["EKSA_VSPHERE_PASSWORD"]
            .as_str()
            .unwrap()
            .to_owned();
    let mut forms = spellings(CANARY);
    forms.extend(spellings(&password));
    // The search finds what is there.
    assert!(holds(&connection, &forms).is_some());

    for (name, said) in [("standard output", &ran.stdout), ("standard error", &ran.stderr)] {
        assert_eq!(holds(said.as_bytes(), &forms), None, "{name} of {fault:?}");
    }
    let mut written = Vec::new();
    files(sandbox.path(), &mut written);
    let names: Vec<String> = written.iter().map(|p| p.display().to_string()).collect();
    for wanted in ["recording.jsonl", "audit.jsonl"] {
        assert!(names.iter().any(|n| n.ends_with(wanted)), "{wanted} is looked at: {names:?}");
    }
    for path in written.iter().filter(|p| **p != lab.connection) {
        assert_eq!(holds(&std::fs::read(path).unwrap(), &forms), None, "{} of {fault:?}", path.display());
    }
    // What was done with it is on record, by its name.
    sandbox.run(["audit", "verify", "audit.jsonl"]).expect(0);
    let shown = sandbox.run(["audit", "show", "audit.jsonl", "-o", "json"]).expect(0);
    assert!(shown.stdout.contains("\"password\""), "the password was used, and the audit says so");
}

#[test]
fn a_create_keeps_its_secrets() {
    sweep(None, 0, &[]);
}

#[test]
fn a_refused_login_keeps_its_secrets() {
    sweep(Some("vcenter-wrong-password"), 4, &[]);
}

#[test]
fn a_failed_preflight_keeps_its_secrets() {
    sweep(Some("template-missing"), 4, &[]);
}

#[test]
fn a_stuck_create_keeps_its_secrets() {
    let waits = ["--control-plane-wait-timeout", "5s", "--per-machine-wait-timeout", "3s"];
    sweep(Some("machine-stuck"), 5, &waits);
}

#[test]
fn a_recorded_create_is_replayed_offline() {
    let sandbox = Sandbox::new();
    sandbox.spec("vsphere-ubuntu-stacked.yaml");
    let args = ["preflight", "-f", "vsphere-ubuntu-stacked.yaml", "--lab", "--record", "recording.jsonl"];
    sandbox.run(args).expect(0);
    let same = sandbox.run(["plugin", "replay", "recording.jsonl"]).expect(0);
    assert!(same.stdout.contains("are the same"), "{}", same.stdout);
    // A recorded answer that was another one: what the plugin then says is another thing too.
    let text = std::fs::read_to_string(sandbox.path().join("recording.jsonl")).unwrap();
    let changed = text.replacen("\"title\":\"", "\"title\":\"Another ", 1);
    assert_ne!(text, changed);
    sandbox.file("changed.jsonl", changed);
    let other = sandbox.run(["plugin", "replay", "changed.jsonl"]).expect(3);
    assert!(other.stdout.contains("- ") && other.stdout.contains("Another "), "{}", other.stdout);
    let again = sandbox.run(args).expect(3);
    assert!(again.stderr.contains("recording"), "nothing is written over: {}", again.stderr);
}
