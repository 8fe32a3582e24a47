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
    AuditEvent, AuditSink, CallResult, Catalog, Decision, Entry, FileAudit, HostOptions, Lock, Origin, PluginError,
    PluginHost,
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
    assert_eq!(
        (read.plugins[0].name.as_str(), read.plugins[0].endpoints.as_slice()),
        ("lab", ["lab".to_owned()].as_slice())
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

#[test]
fn the_audit_file_is_json_lines_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let event = AuditEvent {
        seq: 1,
        plugin: "lab".into(),
        digest: "00".into(),
        during: "preflight.run".into(),
        interface: "endpoints".into(),
        function: "send".into(),
        target: "lab GET /".into(),
        decision: Decision::Allowed,
        result: CallResult::Status(200),
        secrets: vec!["password".into()],
        bytes_out: 3,
        bytes_in: 4,
        duration_us: 5,
    };
    let fixed = || jiff::Timestamp::from_second(1_767_225_600).unwrap();
    for _ in 0..2 {
        let audit: Arc<dyn AuditSink> = Arc::new(FileAudit::with_clock(&path, fixed).unwrap());
        audit.event(&event);
    }
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[0],
        r#"{"time":"2026-01-01T00:00:00Z","seq":1,"plugin":"lab","digest":"00","during":"preflight.run","interface":"endpoints","function":"send","target":"lab GET /","decision":"allowed","result":{"status":200},"secrets":["password"],"bytesOut":3,"bytesIn":4,"durationUs":5}"#
    );
    assert_eq!(serde_json::from_str::<AuditEvent>(lines[1]).unwrap(), event);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    assert!(matches!(FileAudit::open("/nonexistent/audit"), Err(PluginError::Audit { .. })));
}
