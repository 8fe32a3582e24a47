//! Files: of components, of native code, of locks. What is no component, or is not what it was.

use std::fs;
use std::path::Path;

use kedge_plugin::{Catalog, Entry, HostOptions, LimitKind, Lock, PluginError, PluginHost};

use crate::bed::Bed;
use crate::support::{Parts, limits, provider};

/// The same component with a section of this kind behind everything else.
fn with(bytes: &[u8], id: u8, content: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.push(id);
    leb(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

pub(crate) fn with_section(bytes: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    with(bytes, 0, &body)
}

pub(crate) fn with_module(bytes: &[u8], module: &str) -> Vec<u8> {
    with(bytes, 1, &wat::parse_str(module).unwrap())
}

#[tokio::test]
async fn row_35_what_is_no_component_is_told_apart() {
    let bed = Bed::new().await;
    let whole = provider(&Parts::default());
    for (bytes, wanted) in [
        (b"".to_vec(), "empty"),
        (b"apiVersion: v1\n".to_vec(), "text file"),
        (b"(component)".to_vec(), "text file"),
        (b"PK\x03\x04\0\0".to_vec(), "archive"),
        (vec![1, 2, 3, 0xff], "does not start as WebAssembly"),
        (wat::parse_str("(module)").unwrap(), "core module"),
        (whole[..whole.len() / 2].to_vec(), "damaged or cut off"),
        (whole[..whole.len() - 1].to_vec(), "damaged or cut off"),
    ] {
        let error = bed.host.load_bytes("x.wasm", &bytes).await.unwrap_err();
        assert!(
            matches!(&error, PluginError::NotAComponent { why, .. } if why.contains(wanted)),
            "{wanted}: {error:?}"
        );
        bed.survived(wanted).await;
    }
}

#[tokio::test]
async fn row_36_a_huge_file_is_not_read() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.wasm");
    // No disk holds it: the file is one hole.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = bed.host.load(&Entry::file(&path)).await.unwrap_err();
    assert!(
        matches!(error, PluginError::LimitExceeded { limit: LimitKind::ComponentBytes, asked: Some(size), .. } if size == 1 << 40),
        "{error:?}"
    );
    bed.survived("bytes of component").await;
}

fn cached(bed: &Bed, cache: &Path) -> PluginHost {
    let options = HostOptions {
        cache_dir: Some(cache.to_owned()),
        limits: limits(),
        audit: bed.audit.clone(),
        ..HostOptions::default()
    };
    PluginHost::new(options).unwrap()
}

fn native_code(cache: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(cache).unwrap().map(|f| f.unwrap().path());
    files.into_iter().find(|p| p.extension().is_some_and(|e| e == "cwasm")).unwrap()
}

#[tokio::test]
async fn row_39_native_code_is_never_taken_from_outside() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    cached(&bed, &cache).load_bytes("x", &provider(&Parts::default())).await.unwrap();
    // As it is kept, and without the checksum in front.
    let kept = native_code(&cache);
    let bare = folder.path().join("bare.cwasm");
    fs::write(&bare, &fs::read(&kept).unwrap()[32..]).unwrap();
    let error = bed.host.load(&Entry::file(kept)).await.unwrap_err();
    assert!(matches!(&error, PluginError::NotAComponent { .. }), "{error:?}");
    let error = bed.host.load(&Entry::file(bare)).await.unwrap_err();
    assert!(matches!(&error, PluginError::NotAComponent { why, .. } if why.contains("native code")), "{error:?}");
    bed.survived("native code").await;
}

#[cfg(unix)]
#[tokio::test]
async fn row_40_a_cache_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let bytes = provider(&Parts::default());
    cached(&bed, &cache).load_bytes("x", &bytes).await.unwrap();
    let file = native_code(&cache);
    let refused = async |folder: &Path, words: &str| {
        let error = cached(&bed, folder).load_bytes("x", &bytes).await.unwrap_err();
        assert!(matches!(&error, PluginError::Cache { why, .. } if why.contains(words)), "{words}: {error:?}");
        bed.survived(words).await;
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    refused(&cache, "others can write").await;
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &file).unwrap();
    refused(&cache, "symbolic links").await;
    fs::remove_file(&file).unwrap();
    let link = folder.path().join("link");
    symlink(&cache, &link).unwrap();
    refused(&link, "symbolic links").await;
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    refused(&cache, "others can write").await;
}

#[tokio::test]
async fn a_cache_entry_with_one_bit_flipped_is_made_again() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let bytes = provider(&Parts::default());
    cached(&bed, &cache).load_bytes("x", &bytes).await.unwrap();
    let file = native_code(&cache);
    let whole = fs::read(&file).unwrap();
    // In the middle, where the machine code is: nothing but a checksum sees it there.
    for at in [whole.len() / 3, whole.len() / 2, whole.len() - 10] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&file, &flipped).unwrap();
        let plugin = cached(&bed, &cache).load_bytes("x", &bytes).await.unwrap();
        assert_eq!(plugin.schema("LabDatacenter").await.unwrap(), serde_json::json!({}));
        assert_ne!(fs::read(&file).unwrap(), flipped, "it was made again, at {at}");
    }
}

#[tokio::test]
async fn row_41_another_file_under_a_locked_name_is_refused() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, lock_file) = (folder.path().join("lab.wasm"), folder.path().join("lock.toml"));
    fs::write(&file, provider(&Parts::default())).unwrap();
    let plugin = bed.host.load(&Entry::file(&file)).await.unwrap();
    let mut lock = Lock::default();
    lock.add(&plugin);
    lock.write(&lock_file).unwrap();
    fs::write(&file, provider(&Parts { fields: "(func)".into(), ..Parts::default() })).unwrap();
    let catalog = Catalog::new().with_lock(&lock_file).unwrap();
    let error = bed.host.claiming(&catalog, "LabDatacenter").await.unwrap_err();
    assert!(matches!(&error, PluginError::Changed { expected, .. } if expected == plugin.digest()), "{error:?}");
    bed.survived("is not the one that was locked").await;
}

#[tokio::test]
async fn a_lock_changed_by_hand_grants_nothing() {
    use kedge_plugin::{Consent, Rules};

    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, lock_file) = (folder.path().join("lab.wasm"), folder.path().join("lock.toml"));
    fs::write(&file, provider(&Parts::default())).unwrap();
    let plugin = bed.host.load(&Entry::file(&file)).await.unwrap();
    let mut lock = Lock::default();
    lock.add(&plugin);
    lock.write(&lock_file).unwrap();
    // A lock from elsewhere says that all was granted: this user granted nothing.
    let grants = folder.path().join("grants.toml");
    let nobody = Rules { grants: Some(grants.clone()), ..Rules::default() };
    let error = nobody.admit(&plugin, Some(&lock_file)).unwrap_err();
    assert!(matches!(&error, PluginError::NotGranted { asks, .. } if asks.len() == 3), "{error:?}");
    // After a yes, a lock with less narrows it again.
    let yes = Rules { consent: Consent::Yes, ..nobody.clone() };
    yes.admit(&plugin, Some(&lock_file)).unwrap();
    nobody.admit(&plugin, Some(&lock_file)).unwrap();
    let text = fs::read_to_string(&lock_file).unwrap();
    lock.plugins[0].grants.retain(|g| !g.starts_with("secret"));
    lock.write(&lock_file).unwrap();
    assert_ne!(text, fs::read_to_string(&lock_file).unwrap());
    assert!(matches!(nobody.admit(&plugin, Some(&lock_file)), Err(PluginError::NotGranted { known: true, .. })));
    // And what is no lock any more is an error, not a grant.
    fs::write(&lock_file, "version = 1\n[[plugin]]\nname = 1\n").unwrap();
    assert!(matches!(nobody.admit(&plugin, Some(&lock_file)), Err(PluginError::Lock { .. })));
}
