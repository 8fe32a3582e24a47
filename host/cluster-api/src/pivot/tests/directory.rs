//! Into a folder and out of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{self, NAMESPACE, management};
use super::fake::pair;
use super::{content, folder, options, owners};
use crate::NoProgress;
use crate::object::{annotation, flag};
use crate::pivot::directory::{restore_to, save_from};
use crate::pivot::{MARK, PivotOptions};
use crate::readiness::Timeout;

const SOON: Timeout = Timeout::after(Duration::from_millis(10));

fn into(folder: &std::path::Path) -> PivotOptions {
    PivotOptions { cluster: None, snapshot_dir: folder.join("saved"), ..options(folder, false) }
}

#[tokio::test]
async fn what_is_saved_can_be_restored() {
    let (from, to) = pair();
    management(&from);
    management(&to);
    let count = cluster::cluster(&from, "prod", 1, &[1], 1) + cluster::cluster(&from, "other", 1, &[], 0);
    let (before, owned) = (content(&from), owners(&from));
    let folder = folder();
    let summary = save_from(&from, &into(folder.path()), &NoProgress).await.unwrap();
    assert_eq!((summary.clusters.len(), summary.objects), (2, count));
    // The clusters go on, and nothing is left of the pause.
    assert_eq!(content(&from), before);
    for name in ["prod", "other"] {
        let cluster = from.find("Cluster", name).unwrap();
        assert!(!flag(&cluster, "/spec/paused"), "{name}");
        assert_eq!(annotation(&cluster, MARK), None, "{name}");
    }
    let saved = folder.path().join("saved");
    assert_eq!(std::fs::read_dir(&saved).unwrap().count(), count);
    let file = saved.join(format!("Cluster_{NAMESPACE}_prod.yaml"));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    let cluster: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(cluster["spec"]["paused"], json!(true), "as clusterctl writes it");

    for _ in 0..2 {
        let summary = restore_to(&to, &saved, SOON, &NoProgress).await.unwrap();
        assert_eq!((summary.clusters.len(), summary.objects), (2, count));
        assert_eq!(content(&to), before);
        for name in before.keys() {
            assert_eq!(owners(&to)[name], owned[name], "{name}");
        }
        assert!(!flag(&to.find("Cluster", "prod").unwrap(), "/spec/paused"));
    }
}

#[tokio::test]
async fn a_folder_that_holds_something_is_left_alone() {
    let (from, _) = pair();
    management(&from);
    cluster::cluster(&from, "prod", 1, &[], 0);
    let folder = folder();
    let options = into(folder.path());
    std::fs::create_dir(&options.snapshot_dir).unwrap();
    std::fs::write(options.snapshot_dir.join("mine"), "").unwrap();
    let error = save_from(&from, &options, &NoProgress).await.unwrap_err();
    assert!(error.to_string().ends_with("is not empty"), "{error}");
    assert!(!flag(&from.find("Cluster", "prod").unwrap(), "/spec/paused"));
}

/// The clusters go on also when they could not be saved.
#[tokio::test]
async fn a_pause_that_nobody_sees_does_not_stay() {
    let (from, _) = pair();
    management(&from);
    cluster::cluster(&from, "prod", 1, &[], 0);
    from.world.lock().unwrap().deaf = true;
    let folder = folder();
    save_from(&from, &into(folder.path()), &NoProgress).await.unwrap_err();
    assert!(!flag(&from.find("Cluster", "prod").unwrap(), "/spec/paused"));
}

#[tokio::test]
async fn what_is_no_snapshot_is_said() {
    let (_, to) = pair();
    management(&to);
    let folder = folder();
    let text = restore_to(&to, folder.path(), SOON, &NoProgress).await.unwrap_err().to_string();
    assert!(text.starts_with("there are no objects in"), "{text}");
    std::fs::write(folder.path().join("x.yaml"), "kind: Secret\n").unwrap();
    let text = restore_to(&to, folder.path(), SOON, &NoProgress).await.unwrap_err().to_string();
    assert!(text.contains("is no object of a snapshot"), "{text}");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "n", "uid": "1", "ownerReferences": [{"kind": "Cluster", "name": "gone", "uid": "2"}]}});
    std::fs::write(folder.path().join("x.yaml"), secret.to_string()).unwrap();
    let text = restore_to(&to, folder.path(), SOON, &NoProgress).await.unwrap_err().to_string();
    assert!(text.contains("Secret n/a, owned by Cluster gone"), "{text}");
}
