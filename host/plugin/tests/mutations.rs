//! Files that somebody may have changed, and bytes that somebody else sends: whatever is in them, reading them ends with
//! an answer or an error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails panics"
)]

mod support;

use std::fs;
use std::path::Path;

use kedge_plugin::{
    Catalog, Entry, FileAudit, HostOptions, Installed, Lock, LockedPlugin, PluginHost, Policy, Recorder, Recording,
    verify_audit,
};
use support::{Parts, provider};

/// Changed versions of each text.
const ROUNDS: u32 = 300;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
    }
}

/// A text with a few bytes changed, cut, doubled or moved.
fn mutated(text: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const TOKENS: [&[u8]; 10] =
        [b"\"", b"{", b"}", b"[", b"\n", b"\0", b"-1", b"18446744073709551616", b"\\u0000", "\u{202e}".as_bytes()];
    let mut out = text.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(out.len());
        match numbers.below(5) {
            0 if !out.is_empty() => out[at] ^= 1 << numbers.below(8),
            1 => out.truncate(at),
            2 => {
                let token = TOKENS[numbers.below(TOKENS.len())];
                out.splice(at..at, token.iter().copied());
            }
            3 => {
                let end = at + numbers.below(out.len() - at.min(out.len()));
                let piece: Vec<u8> = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            _ => {
                let end = at + numbers.below(out.len() - at.min(out.len()));
                out.drain(at..end);
            }
        }
    }
    out
}

/// Writes changed versions of a file and reads each.
fn sweep(path: &Path, text: &[u8], mut read: impl FnMut(&[u8])) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let changed = mutated(text, &mut numbers);
        fs::write(path, &changed).unwrap();
        read(&changed);
    }
}

#[test]
fn an_audit_that_was_changed_never_passes_for_the_one_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for _ in 0..3 {
        drop(FileAudit::open(&path).unwrap());
    }
    let text = fs::read(&path).unwrap();
    let head = verify_audit(&path).unwrap().head;
    sweep(&path, &text, |changed| {
        if let Ok(verified) = verify_audit(&path) {
            // What is whole and ends the same is the same, but for what does not count in JSON.
            let same = verified.head == head;
            assert!(!same || verified.lines == 6, "{}", String::from_utf8_lossy(changed));
        }
        if let Ok(audit) = FileAudit::open(&path) {
            drop(audit);
            assert!(fs::read(&path).unwrap().starts_with(changed), "nothing that was there is touched");
        }
    });
}

#[test]
fn lists_locks_policies_and_recordings_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let locked = LockedPlugin {
        name: "lab".into(),
        version: "1.2.3".into(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        origin: "/nowhere/lab.wasm".into(),
        signer: None,
        kinds: vec!["LabDatacenter".into()],
        imports: vec![],
        grants: vec!["endpoint lab".into()],
    };
    let path = folder.path().join("lock.toml");
    Lock { version: 1, plugins: vec![locked] }.write(&path).unwrap();
    let text = fs::read(&path).unwrap();
    sweep(&path, &text, |_| {
        if let Ok(Some(lock)) = Lock::read(&path) {
            assert_eq!(lock.version, 1);
        }
        let _ = Catalog::new().with_lock(&path);
    });

    let path = folder.path().join("installed.toml");
    let text = b"version = 1\n[[plugin]]\nname = 'lab'\nversion = '1'\ndigest = 'sha256:ab'\nsource = 'registry.example/lab:1'\n";
    sweep(&path, text, |_| drop(Installed::at(folder.path()).list()));

    let path = folder.path().join("policy.toml");
    let text =
        b"version = 1\n[plugins]\nallow = ['built-in']\n[addresses]\nallow = ['10.0.0.0/8']\n[limits]\ndepth = 10\n";
    sweep(&path, text, |_| drop(Policy::read(std::slice::from_ref(&path))));

    let path = folder.path().join("r.jsonl");
    drop(Recorder::create(&path).unwrap());
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(br#"{"plugin":"lab","digest":"00","function":"config.schema","question":{"kind":"x"},"calls":[{"call":"now","answer":{"now":5}}],"said":{"Ok":{}}}"#);
    text.push(b'\n');
    sweep(&path, &text, |_| drop(Recording::read(&path)));
}

/// Components and what lies beside them, as they may come from anywhere: looked at, never compiled.
#[test]
fn components_and_what_vouches_for_them_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let host = PluginHost::new(HostOptions::default()).unwrap();
    let path = folder.path().join("lab.wasm");
    let wasm = provider(&Parts::default());
    sweep(&path, &wasm, |_| drop(host.inspect(&Entry::file(&path))));
    fs::write(&path, &wasm).unwrap();
    let beside = folder.path().join("lab.wasm.oci.json");
    let text = br#"{"version":1,"manifest":"{\"schemaVersion\":2,\"layers\":[{\"digest\":\"sha256:00\"}]}","signatures":[{"cosign":{"payload":"{}","signature":"AAAA"}},{"bundle":"{}"}]}"#;
    sweep(&beside, text, |_| drop(host.inspect(&Entry::file(&path))));
}
