//! The kubeconfig of a bootstrap cluster, and its entries in the user's own.

use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;
use serde_json::Value;

use super::address::Lookup;
use crate::BootstrapError;

/// The names of its entries, as kind has them.
pub(super) fn context(cluster: &str) -> String {
    format!("kind-{cluster}")
}

/// kubeadm's own kubeconfig, with the server as it is reached from here and kind's names. JSON is YAML.
pub(super) fn outside(cluster: &str, admin: &str, server: &str) -> Result<String, BootstrapError> {
    let origin = format!("what kubeadm wrote on the node of `{cluster}`");
    let wrong = |reason: String| BootstrapError::Kubeconfig { origin: origin.clone(), reason };
    let mut config = Kubeconfig::from_yaml(admin).map_err(|e| wrong(e.to_string()))?;
    let name = context(cluster);
    let [entry] = config.clusters.as_mut_slice() else { return Err(wrong("it has not one cluster".into())) };
    entry.name.clone_from(&name);
    if let Some(cluster) = entry.cluster.as_mut() {
        cluster.server = Some(server.to_owned());
    }
    let [user] = config.auth_infos.as_mut_slice() else { return Err(wrong("it has not one user".into())) };
    user.name.clone_from(&name);
    let [entry] = config.contexts.as_mut_slice() else { return Err(wrong("it has not one context".into())) };
    entry.name.clone_from(&name);
    if let Some(context) = entry.context.as_mut() {
        context.cluster.clone_from(&name);
        context.user = Some(name.clone());
    }
    config.current_context = Some(name);
    serde_json::to_string_pretty(&config).map_err(|e| wrong(e.to_string()))
}

/// Removes what `kind export kubeconfig` may have put into the user's kubeconfigs. A file that has none of it is left as
/// it is, to the byte.
pub(super) fn forget(cluster: &str, lookup: Lookup<'_>) -> Result<(), BootstrapError> {
    for path in files(lookup) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if let Some(without) = without(&context(cluster), &text) {
            replace(&path, &without).map_err(|source| BootstrapError::UserKubeconfig { path: path.clone(), source })?;
        }
    }
    Ok(())
}

fn files(lookup: Lookup<'_>) -> Vec<PathBuf> {
    match lookup("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(),
        None => lookup("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect(),
    }
}

/// The file without the entries of a name; none if it has no such entry, or is not a kubeconfig.
fn without(name: &str, text: &str) -> Option<String> {
    if !text.contains(name) {
        return None;
    }
    let source = kedge_spec::Source::new("kubeconfig", text);
    let mut config = kedge_spec::yaml_documents(&source).ok()?.into_iter().next()?;
    let mut removed = false;
    for list in ["clusters", "contexts", "users"] {
        if let Some(Value::Array(entries)) = config.get_mut(list) {
            let before = entries.len();
            entries.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
            removed |= entries.len() < before;
        }
    }
    if config.get("current-context").and_then(Value::as_str) == Some(name) {
        if let Some(fields) = config.as_object_mut() {
            fields.insert("current-context".to_owned(), Value::from(""));
        }
        removed = true;
    }
    removed.then(|| kedge_spec::yaml_document(&config))
}

/// Under the lock file that kubectl and kind use too, and in one step.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (lock, new) = (beside(".lock"), beside(".kedge-new"));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&lock)?;
    let work = || {
        std::fs::write(&new, text)?;
        std::fs::set_permissions(&new, std::fs::metadata(path)?.permissions())?;
        std::fs::rename(&new, path)
    };
    let result = work();
    std::fs::remove_file(&lock)?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "apiVersion: v1\nkind: Config\ncurrent-context: kubernetes-admin@x\npreferences: {}\nclusters:\n- name: x\n  cluster: {server: 'https://x-control-plane:6443', certificate-authority-data: QQ==}\ncontexts:\n- name: kubernetes-admin@x\n  context: {cluster: x, user: kubernetes-admin}\nusers:\n- name: kubernetes-admin\n  user: {client-certificate-data: Qg==, client-key-data: Qw==}\n";

    #[test]
    fn is_reached_from_outside_under_the_names_of_kind() {
        let text = outside("prod-eks-a-cluster", ADMIN, "https://127.0.0.1:4000").unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["clusters"][0]["cluster"]["server"], "https://127.0.0.1:4000");
        assert_eq!(value["clusters"][0]["cluster"]["certificate-authority-data"], "QQ==");
        assert_eq!(value["users"][0]["user"]["client-key-data"], "Qw==");
        for at in ["/clusters/0/name", "/contexts/0/name", "/contexts/0/context/user", "/current-context"] {
            assert_eq!(value.pointer(at).unwrap(), "kind-prod-eks-a-cluster", "{at}");
        }
        assert!(outside("x", "clusters: []", "https://h").is_err());
    }

    #[test]
    fn only_its_own_entries_go() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        let mine = ADMIN.replace("kubernetes-admin@x", "kind-x").replace("name: x\n", "name: kind-x\n");
        let both = mine.replace("clusters:\n", "clusters:\n- name: work\n  cluster: {server: 'https://work'}\n");
        std::fs::write(&file, &both).unwrap();
        let path = file.to_str().unwrap().to_owned();
        let lookup = move |name: &str| (name == "KUBECONFIG").then(|| path.clone());
        forget("y", &lookup).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), both, "nothing of it is there, so nothing changes");
        forget("x", &lookup).unwrap();
        let left = Kubeconfig::from_yaml(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(left.clusters.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["work"]);
        assert!(left.contexts.is_empty());
        assert_eq!(left.current_context.as_deref(), Some(""));
        assert_eq!(left.auth_infos.len(), 1, "a user of another name is not its");
        assert!(!home.path().join("config.lock").exists());
    }

    #[test]
    fn a_file_that_somebody_else_writes_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config");
        std::fs::write(&file, "contexts:\n- name: kind-x\n  context: {}\n").unwrap();
        std::fs::write(home.path().join("config.lock"), "").unwrap();
        let path = file.to_str().unwrap().to_owned();
        let error = forget("x", &move |name: &str| (name == "KUBECONFIG").then(|| path.clone())).unwrap_err();
        assert!(
            error.to_string().contains("config") && error.remedy().contains(".lock"),
            "{error}: {}",
            error.remedy()
        );
    }
}
