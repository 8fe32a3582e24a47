//! Files: the cache of compiled plugins, the catalog, the lock, the audit.
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
use std::sync::Arc;

use kedge_plugin::{
    AuditEvent, AuditFault, AuditSink, CallResult, Catalog, Consent, Decision, Entry, Evidence, FileAudit, HostOptions,
    Lock, ManifestSignature, Origin, PluginError, PluginHost, Policy, Record, Recorder, Recording, Rules, Trail,
    read_audit, replay, verify_audit,
};
use support::{Parts, ok_text, provider};

fn cached(folder: &Path) -> PluginHost {
    PluginHost::new(HostOptions { cache_dir: Some(folder.to_owned()), ..HostOptions::default() }).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn compiled_plugins_are_kept_in_a_private_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a/b/plugins");
    let bytes = provider(&Parts::default());
    let plugin = cached(&cache).load_bytes("x", &bytes).await.unwrap();
    let kept = files(&cache);
    assert_eq!(kept.len(), 1);
    assert!(kept[0].starts_with(&format!("{}-", plugin.digest())), "{kept:?}");
    cached(&cache).load_bytes("x", &bytes).await.unwrap();
    assert_eq!(files(&cache), kept);

    // A file that is no native code is made again.
    fs::write(cache.join(&kept[0]), b"rubbish").unwrap();
    cached(&cache).load_bytes("x", &bytes).await.unwrap();
    assert!(fs::metadata(cache.join(&kept[0])).unwrap().len() > 1_000);
}

#[cfg(unix)]
#[tokio::test]
async fn a_cache_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("plugins");
    let bytes = provider(&Parts::default());
    cached(&cache).load_bytes("x", &bytes).await.unwrap();
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let file = cache.join(&files(&cache)[0]);

    let refused =
        |error: PluginError| matches!(&error, PluginError::Cache { .. }) && error.remedy().contains("chmod 700");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(refused(cached(&cache).load_bytes("x", &bytes).await.unwrap_err()));
    let target = folder.path().join("elsewhere");
    fs::rename(&file, &target).unwrap();
    symlink(&target, &file).unwrap();
    assert!(refused(cached(&cache).load_bytes("x", &bytes).await.unwrap_err()));
    fs::remove_file(&file).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(refused(cached(&cache).load_bytes("x", &bytes).await.unwrap_err()));
    let link = folder.path().join("link");
    symlink(&cache, &link).unwrap();
    assert!(refused(cached(&link).load_bytes("x", &bytes).await.unwrap_err()));
}

#[tokio::test]
async fn the_catalog_asks_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (installed, named) = (folder.path().join("installed"), folder.path().join("mine.wasm"));
    fs::create_dir(&installed).unwrap();
    let bytes = provider(&Parts::default());
    fs::write(installed.join("lab.wasm"), &bytes).unwrap();
    fs::write(installed.join("broken.wasm"), b"no").unwrap();
    fs::write(installed.join("notes.txt"), b"no").unwrap();
    fs::write(&named, provider(&Parts { fields: "(func)".into(), ..Parts::default() })).unwrap();

    let host = cached(&folder.path().join("cache"));
    assert!(!host.is_warm());
    let catalog = Catalog::new().with_installed(&installed).unwrap().with_built_ins();
    assert_eq!(catalog.list().iter().filter(|e| matches!(e.origin, Origin::Installed(_))).count(), 2);
    // The broken one is passed over.
    let plugin = host.claiming(&catalog, "LabDatacenter").await.unwrap();
    assert_eq!(plugin.origin(), &Origin::Installed(installed.join("lab.wasm")));
    assert_eq!(host.named(&catalog, "lab").await.unwrap().digest(), plugin.digest());

    let catalog = Catalog::new().with_file(&named).with_installed(&installed).unwrap();
    assert_eq!(host.claiming(&catalog, "LabDatacenter").await.unwrap().origin(), &Origin::File(named.clone()));

    let error = host.claiming(&catalog, "NoSuchKind").await.unwrap_err();
    assert!(matches!(&error, PluginError::NotFound { known, .. } if known == &["LabDatacenter"]), "{error:?}");
    assert!(error.remedy().contains("LabDatacenter"));
    let missing = host.load(&Entry::file("/nonexistent/x.wasm")).await.unwrap_err();
    assert!(matches!(&missing, PluginError::Unreadable { path, .. } if path.ends_with("x.wasm")), "{missing:?}");
}

#[tokio::test]
async fn a_locked_plugin_must_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let (file, lock_file) = (folder.path().join("lab.wasm"), folder.path().join("plugins.lock"));
    fs::write(&file, provider(&Parts::default())).unwrap();
    let host = cached(&folder.path().join("cache"));
    let plugin = host.load(&Entry::file(&file)).await.unwrap();
    assert_eq!(Lock::read(&lock_file).unwrap(), None);
    let mut lock = Lock::default();
    lock.add(&plugin);
    lock.add(&plugin);
    lock.write(&lock_file).unwrap();
    let read = Lock::read(&lock_file).unwrap().unwrap();
    assert_eq!(read, lock);
    assert_eq!(read.plugins.len(), 1);
    assert_eq!(read.plugins[0].name, "lab");
    assert_eq!(
        read.plugins[0].grants,
        [
            "endpoint lab: the server in `spec.server` of LabDatacenter, port 443 unless it names one",
            "secret password: LAB_PASSWORD, into requests to lab and Secret objects, never seen",
            "container engine: its version, facts and networks, read only",
        ]
    );
    assert_eq!(read.plugins[0].digest, format!("sha256:{}", plugin.digest()));

    let catalog = Catalog::new().with_lock(&lock_file).unwrap();
    assert_eq!(host.claiming(&catalog, "LabDatacenter").await.unwrap().digest(), plugin.digest());
    fs::write(&file, provider(&Parts { schema: Some(ok_text(0, 1)), ..Parts::default() })).unwrap();
    let error = host.claiming(&catalog, "LabDatacenter").await.unwrap_err();
    assert!(matches!(&error, PluginError::Changed { expected, .. } if expected == plugin.digest()), "{error:?}");
    assert!(
        matches!(host.claiming(&catalog, "Other").await, Err(PluginError::NotFound { .. })),
        "it isn't even looked at"
    );

    fs::write(&lock_file, "version = 2").unwrap();
    assert!(Catalog::new().with_lock(&lock_file).unwrap_err().to_string().contains("version 2"));
    fs::write(&lock_file, "not toml at all [").unwrap();
    assert!(matches!(Catalog::new().with_lock(&lock_file), Err(PluginError::Lock { .. })));
}

fn event(target: &str) -> AuditEvent {
    AuditEvent {
        seq: 1,
        plugin: "lab".into(),
        digest: "00".into(),
        during: "preflight.run".into(),
        interface: "endpoints".into(),
        function: "send".into(),
        target: target.into(),
        decision: Decision::Allowed,
        result: CallResult::Status(200),
        secrets: vec!["password".into()],
        bytes_out: 3,
        bytes_in: 4,
        duration_us: 5,
        payload: None,
        reply: None,
    }
}

/// Two runs with two calls each.
fn audited(path: &Path) {
    let fixed = || jiff::Timestamp::from_second(1_767_225_600).unwrap();
    for run in 0..2 {
        let audit: Arc<dyn AuditSink> = Arc::new(FileAudit::with_clock(path, fixed).unwrap());
        audit.event(&event(&format!("lab GET /{run}")));
        audit.event(&event("lab GET /x"));
    }
}

#[test]
fn the_audit_file_is_a_chain_of_json_lines_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    audited(&path);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(
        lines[0],
        format!(r#"{{"n":1,"prev":"{}","time":"2026-01-01T00:00:00Z","begin":"0.1.0"}}"#, "0".repeat(64))
    );
    assert!(lines[1].starts_with(r#"{"n":2,"prev":""#), "{}", lines[1]);
    assert!(
        lines[1].ends_with(
            r#""call":{"seq":1,"plugin":"lab","digest":"00","during":"preflight.run","interface":"endpoints","function":"send","target":"lab GET /0","decision":"allowed","result":{"status":200},"secrets":["password"],"bytesOut":3,"bytesIn":4,"durationUs":5}}"#
        ),
        "{}",
        lines[1]
    );
    let mut calls = Vec::new();
    let verified = read_audit(&path, |line| {
        if let Record::Call(event) = line.record {
            calls.push(event.target);
        }
    })
    .unwrap();
    assert_eq!(calls, ["lab GET /0", "lab GET /x", "lab GET /1", "lab GET /x"]);
    assert_eq!((verified.lines, verified.runs, verified.unended, verified.summary.calls), (8, 2, 0, 4));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    assert!(matches!(FileAudit::open("/nonexistent/audit"), Err(PluginError::Audit { .. })));
}

#[test]
fn whatever_is_done_to_an_audit_file_by_hand_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    audited(&path);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let whole = verify_audit(&path).unwrap();
    let with = |lines: &[&str]| {
        fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
        verify_audit(&path)
    };
    let at = |result: Result<kedge_plugin::Verified, AuditFault>| match result.unwrap_err() {
        AuditFault::Broken { line, .. } | AuditFault::NotARecord { line, .. } => line,
        other => panic!("{other}"),
    };
    for index in 0..lines.len() - 1 {
        let changed = lines[index].replace("2026-01-01", "2026-01-02");
        let mut forged = lines.clone();
        forged[index] = &changed;
        assert_eq!(at(with(&forged)), index as u64 + 2, "line {} changed", index + 1);
        let mut shorter = lines.clone();
        shorter.remove(index);
        assert_eq!(at(with(&shorter)), index as u64 + 1, "line {} left out", index + 1);
        let mut swapped = lines.clone();
        swapped.swap(index, index + 1);
        assert_eq!(at(with(&swapped)), index as u64 + 1, "lines {} and the next swapped", index + 1);
    }
    let mut more = lines.clone();
    more.insert(3, lines[2]);
    assert_eq!(at(with(&more)), 4, "a line twice");
    // What is cut off the end leaves a run without an end, or another head.
    let cut = with(&lines[..7]).unwrap();
    assert_eq!(cut.unended, 1);
    assert_ne!(with(&lines[..4]).unwrap().head, whole.head);
    // A line that was cut in the middle, and something else altogether.
    fs::write(&path, &text[..text.len() - 20]).unwrap();
    assert!(matches!(verify_audit(&path), Err(AuditFault::NotARecord { line: 8, .. })));
    fs::write(&path, "hello\n").unwrap();
    assert_eq!(at(verify_audit(&path)), 1);
}

/// What a machine that goes down leaves: a line without its end. The next run goes on, and says so.
#[test]
fn a_line_that_was_cut_off_is_kept_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    audited(&path);
    let text = fs::read_to_string(&path).unwrap();
    let end = text.trim_end().rfind('\n').unwrap() + 1;
    // Half a line, one that lacks nothing but its end, one that is nothing but zeros, and the very first one.
    for (left, torn, lines) in [
        (text[..text.len() - 20].to_owned(), 1, 12),
        (text[..text.len() - 1].to_owned(), 0, 10),
        (format!("{}{}", &text[..end], "\0".repeat(50)), 1, 12),
        (text[..10].to_owned(), 1, 4),
    ] {
        fs::write(&path, &left).unwrap();
        let audit = FileAudit::open(&path).unwrap();
        assert_eq!(audit.notice().is_some(), torn == 1);
        drop(audit);
        let now = fs::read_to_string(&path).unwrap();
        assert!(now.starts_with(&left), "what was there is there");
        let verified = verify_audit(&path).unwrap();
        let lines = if torn == 1 && left.len() > 10 { lines - 1 } else { lines };
        assert_eq!((verified.torn, verified.lines), (torn, lines), "{now}");
        // The part of a line is held on to like every other: changed, or gone, it shows.
        if torn == 1 {
            let bytes = fs::read(&path).unwrap();
            let mut changed = bytes.clone();
            changed[left.len() - 1] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(verify_audit(&path).is_err());
            let without: Vec<&str> = now.lines().filter(|line| !left.ends_with(line)).collect();
            fs::write(&path, format!("{}\n", without.join("\n"))).unwrap();
            assert!(verify_audit(&path).is_err());
            fs::write(&path, &bytes).unwrap();
            assert_eq!(verify_audit(&path).unwrap(), verified);
        }
        // And the run after it finds nothing to say.
        assert!(FileAudit::open(&path).unwrap().notice().is_none());
        verify_audit(&path).unwrap();
    }
}

#[test]
fn a_trail_keeps_what_happened_before_there_was_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let trail = Trail::default();
    trail.event(&event("before"));
    trail.write_to(&first).unwrap();
    trail.event(&event("after"));
    trail.write_to(&second).unwrap();
    trail.write_to(&first).unwrap();
    assert_eq!(trail.summary().calls, 2);
    drop(trail);
    for path in [first, second] {
        let verified = verify_audit(&path).unwrap();
        assert_eq!((verified.lines, verified.runs, verified.unended, verified.summary.calls), (4, 1, 0, 2));
    }
}

/// What a site's policy, a person and a lock say together.
#[tokio::test]
async fn a_plugin_from_outside_is_asked_about_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.wasm");
    fs::write(&file, provider(&Parts::default())).unwrap();
    let grants = folder.path().join("config/grants.toml");
    let host = cached(&folder.path().join("cache"));
    let plugin = host.load(&Entry::file(&file)).await.unwrap();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let rules = |answer: bool| {
        let asked = asked.clone();
        Rules {
            consent: Consent::Ask(Arc::new(move |request| {
                asked.lock().unwrap().push((request.known, request.asks.len(), request.new.len()));
                answer
            })),
            grants: Some(grants.clone()),
            ..Rules::default()
        }
    };
    let error = rules(false).admit(&plugin, None).unwrap_err();
    assert!(matches!(&error, PluginError::NotGranted { known: false, asks, .. } if asks.len() == 3), "{error:?}");
    assert!(error.remedy().contains("--yes"));
    rules(true).admit(&plugin, None).unwrap();
    // Kept: nobody is asked again, and a later run with nobody there goes on too.
    rules(false).admit(&plugin, None).unwrap();
    assert_eq!(*asked.lock().unwrap(), [(false, 3, 3), (false, 3, 3)]);
    // Another file of nobody's signature is another plugin.
    fs::write(&file, provider(&Parts { fields: "(func)".into(), ..Parts::default() })).unwrap();
    let other = host.load(&Entry::file(&file)).await.unwrap();
    assert!(matches!(rules(false).admit(&other, None), Err(PluginError::NotGranted { known: true, .. })));
    // A built-in goes the same way, and is granted by being there.
    let catalog = Catalog::new().with_built_ins();
    let built_in = host.load(catalog.list()[0]).await.unwrap();
    Rules::default().admit(&built_in, None).unwrap();
    // Unless the policy does not want it.
    let path = folder.path().join("policy.toml");
    fs::write(&path, format!("version = 1\n[plugins]\nallow = ['sha256:{}']\n", other.digest())).unwrap();
    let policy = Arc::new(Policy::read(&[path]).unwrap());
    let strict = PluginHost::new(HostOptions { policy, ..HostOptions::default() }).unwrap();
    let error = strict.load(catalog.list()[0]).await.unwrap_err();
    assert!(matches!(error, PluginError::Forbidden { .. }), "{error:?}");
    let allowed = strict.load(&Entry::file(&file)).await.unwrap();
    Rules::default().admit(&allowed, None).unwrap();
}

#[tokio::test]
async fn a_signature_is_verified_by_the_keys_of_the_policy() {
    use base64::Engine as _;
    use ring::signature::Ed25519KeyPair;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.wasm");
    let bytes = provider(&Parts::default());
    fs::write(&file, &bytes).unwrap();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.serialize_der()).unwrap();
    fs::write(folder.path().join("acme.pem"), key.public_key_pem()).unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(
        &policy,
        "version = 1\n[plugins]\nrequire-signature = true\npublishers = [{ name = 'acme', key = 'acme.pem' }]\n",
    )
    .unwrap();
    let policy = Arc::new(Policy::read(&[policy]).unwrap());
    let host = PluginHost::new(HostOptions { policy, ..HostOptions::default() }).unwrap();
    let signature = folder.path().join("lab.wasm.sig");
    let sign = |what: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(pair.sign(what).as_ref());
        fs::write(&signature, format!("{text}\n")).unwrap();
    };
    let error = host.load(&Entry::file(&file)).await.unwrap_err();
    assert!(matches!(&error, PluginError::Forbidden { why, .. } if why.contains("not signed")), "{error:?}");
    sign(b"something else");
    let error = host.load(&Entry::file(&file)).await.unwrap_err();
    assert!(matches!(&error, PluginError::Forbidden { why, .. } if why.contains("not a publisher's")), "{error:?}");
    fs::write(&signature, "not base64!").unwrap();
    assert!(matches!(host.load(&Entry::file(&file)).await, Err(PluginError::Signature { .. })));
    sign(&bytes);
    let plugin = host.load(&Entry::file(&file)).await.unwrap();
    assert_eq!(plugin.signer().publisher(), Some("acme"));
    Rules::default().admit(&plugin, None).unwrap();
    assert!(host.inspect(&Entry::file(&file)).unwrap().signer.starts_with("acme (sha256:"));
    // Another file of the same publisher needs no new yes.
    let mut lock = Lock::default();
    lock.add(&plugin);
    assert!(lock.plugins[0].signer.as_ref().is_some_and(|s| s.starts_with("sha256:")));
}

/// What came from a registry: a signature over the manifest is one over the component that the manifest names.
#[tokio::test]
async fn a_signature_over_a_manifest_is_one_over_its_component() {
    use base64::Engine as _;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use sha2::{Digest, Sha256};

    const IMAGE: &str = "cosign container image signature";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.wasm");
    let bytes = provider(&Parts::default());
    fs::write(&file, &bytes).unwrap();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let random = ring::rand::SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der(), &random).unwrap();
    fs::write(folder.path().join("acme.pem"), key.public_key_pem()).unwrap();
    let policy = |more: &str| {
        let path = folder.path().join("policy.toml");
        let text = format!(
            "version = 1\n[plugins]\nrequire-signature = true\npublishers = [{{ name = 'acme', key = 'acme.pem'{more} }}]\n"
        );
        fs::write(&path, text).unwrap();
        let policy = Arc::new(Policy::read(&[path]).unwrap());
        PluginHost::new(HostOptions { policy, ..HostOptions::default() }).unwrap()
    };
    let host = policy("");
    let sha = |bytes: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    let manifest = |of: &[u8]| format!(r#"{{"schemaVersion":2,"layers":[{{"digest":"{}"}}]}}"#, sha(of));
    let evidence = |manifest: &str, signed: &str, kind: &str| {
        let payload = format!(
            r#"{{"critical":{{"identity":{{}},"image":{{"docker-manifest-digest":"{}"}},"type":"{kind}"}},"optional":null}}"#,
            sha(signed.as_bytes())
        );
        let signature = pair.sign(&random, payload.as_bytes()).unwrap();
        let signature = base64::engine::general_purpose::STANDARD.encode(signature.as_ref());
        Evidence {
            version: 1,
            manifest: manifest.to_owned(),
            signatures: vec![ManifestSignature::Cosign { payload, signature }],
        }
    };
    let put = |evidence: &Evidence| {
        fs::write(folder.path().join("lab.wasm.oci.json"), serde_json::to_vec(evidence).unwrap()).unwrap();
    };
    let own = manifest(&bytes);
    put(&evidence(&own, &own, IMAGE));
    assert_eq!(host.load(&Entry::file(&file)).await.unwrap().signer().publisher(), Some("acme"));
    // Over another manifest, and of another kind: signed by the same key, and no word about this one.
    for (signed, kind) in [("{}", IMAGE), (own.as_str(), "something else")] {
        put(&evidence(&own, signed, kind));
        let error = host.load(&Entry::file(&file)).await.unwrap_err();
        assert!(matches!(&error, PluginError::Forbidden { .. }), "{error:?}");
    }
    // A manifest of another component lies beside the wrong file.
    let other = manifest(b"other");
    put(&evidence(&other, &other, IMAGE));
    let error = host.load(&Entry::file(&file)).await.unwrap_err();
    assert!(matches!(&error, PluginError::Signature { why, .. } if why.contains("another component")), "{error:?}");
    fs::write(folder.path().join("lab.wasm.oci.json"), "{}").unwrap();
    assert!(matches!(host.load(&Entry::file(&file)).await, Err(PluginError::Signature { .. })));
    // A publisher may be trusted with its own names alone.
    put(&evidence(&own, &own, IMAGE));
    policy(", plugins = ['la*']").load(&Entry::file(&file)).await.unwrap();
    let error = policy(", plugins = ['acme-*']").load(&Entry::file(&file)).await.unwrap_err();
    assert!(matches!(&error, PluginError::Forbidden { why, .. } if why.contains("of that name")), "{error:?}");
}

#[tokio::test]
async fn a_recording_is_asked_again_and_shows_the_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.jsonl");
    let recorder = Arc::new(Recorder::create(&path).unwrap());
    assert!(matches!(Recorder::create(&path), Err(PluginError::Recording { .. })), "nothing is written over");
    let options = HostOptions { recorder: Some(recorder), ..HostOptions::default() };
    let host = PluginHost::new(options).unwrap();
    let opening = |name: &str| Parts {
        run: Some(format!(
            "(call $open (i32.const 512) (i32.const 3) (i32.const 64)) (drop (call $available (i32.const 520) (i32.const 8))) {}",
            ok_text(600, 2)
        )),
        fields: format!(
            "(data (i32.const 512) \"{name}\") (data (i32.const 520) \"password\") (data (i32.const 600) \"{{}}\")"
        ),
        ..Parts::default()
    };
    let plugin = host.load_bytes("x", &provider(&opening("lab"))).await.unwrap();
    plugin.schema("LabDatacenter").await.unwrap();
    let input = kedge_spec::provider::ProviderInput {
        cluster_name: "c".into(),
        namespace: "n".into(),
        documents: vec![],
        release: serde_json::json!({}),
        facts: serde_json::json!({}),
        features: vec![],
    };
    let (outcomes, _nobody) = tokio::sync::mpsc::unbounded_channel();
    plugin.preflight_run(&input, &[], &kedge_plugin::Environment::nothing(), outcomes).await.unwrap();

    let recording = Recording::read(&path).unwrap();
    assert_eq!(recording.plugins(), [("lab", plugin.digest())]);
    let offline = cached(&folder.path().join("cache"));
    let same = offline.load_bytes("x", &provider(&opening("lab"))).await.unwrap();
    let replayed = replay(&same, &recording).await.unwrap();
    assert_eq!((replayed.same, replayed.calls, replayed.difference), (3, 2, None));

    let other = offline.load_bytes("x", &provider(&opening("bal"))).await.unwrap();
    let difference = replay(&other, &recording).await.unwrap().difference.unwrap();
    assert_eq!((difference.function.as_str(), difference.place.as_str()), ("preflight.run", "call 1"));
    assert_eq!(difference.recorded, Some(serde_json::json!({"open": {"name": "lab"}})));
    assert_eq!(difference.now, Some(serde_json::json!({"open": {"name": "bal"}})));

    let quiet =
        Parts { run: Some(ok_text(600, 2)), fields: "(data (i32.const 600) \"{}\")".into(), ..Parts::default() };
    let quiet = offline.load_bytes("x", &provider(&quiet)).await.unwrap();
    let difference = replay(&quiet, &recording).await.unwrap().difference.unwrap();
    assert_eq!((difference.place.as_str(), difference.now), ("call 1", None));

    let schema = Parts {
        schema: Some(ok_text(700, 8)),
        fields: "(data (i32.const 700) \"{\\22a\\22: 1}\")".into(),
        ..Parts::default()
    };
    let schema = offline.load_bytes("x", &provider(&schema)).await.unwrap();
    let difference = replay(&schema, &recording).await.unwrap().difference.unwrap();
    assert_eq!((difference.place.as_str(), difference.now), ("the answer", Some(serde_json::json!({"a": 1}))));

    for (text, wanted) in [("", "empty"), ("{}", "line 1"), ("{\"kedgeRecording\":2,\"kedge\":\"x\"}\n", "version 2")] {
        fs::write(&path, text).unwrap();
        let error = Recording::read(&path).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
}
