//! etcd: outside of the control plane, and encrypted.

use super::Findings;
use crate::cluster::{Cluster, Kms, go_seconds};
use crate::finding::{Finding, ObjectRef};
use crate::path;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let at = "spec.externalEtcdConfiguration.count";
    if let Some(etcd) = &cluster.spec.external_etcd_configuration {
        let count = etcd.count;
        if count <= 0 {
            findings.error("etcd-count", at, format!("an etcd cluster of {count} members is none"), "use 3 or 5");
        } else if count % 2 == 0 {
            findings.error(
                "etcd-count-even",
                at,
                format!("an etcd cluster has an odd number of members, but here are {count}"),
                format!("use {} or {}: an even number bears no more failures", count - 1, count + 1),
            );
        } else if count != 3 && count != 5 {
            findings.warning(
                "etcd-count-unusual",
                at,
                format!(
                    "an etcd cluster of {count} {} is not what is recommended",
                    if count == 1 { "member" } else { "members" }
                ),
                "use 3 or 5",
            );
        }
    }
    encryption(cluster, findings);
}

/// Encryption of etcd: EKS Anywhere refuses it at this point, too.
pub(crate) fn not_at_create(cluster: &Cluster, own: &ObjectRef) -> Vec<Finding> {
    if cluster.spec.etcd_encryption.is_empty() {
        return Vec::new();
    }
    let message = "`spec.etcdEncryption` can't be set when a cluster is created: its API servers would wait for a KMS plugin, and only a running cluster can have one";
    let remedy = "remove it; once the cluster is there and a KMS plugin runs on its control plane's nodes, encryption can be added with an upgrade";
    vec![Finding::error("not-at-create", message).at(own, "spec.etcdEncryption").remedy(remedy)]
}

/// One encryption with one KMS plugin, which listens on a socket.
fn encryption(cluster: &Cluster, findings: &mut Findings<'_>) {
    let encryption = &cluster.spec.etcd_encryption;
    if encryption.len() > 1 {
        findings.error(
            "etcd-encryption",
            "spec.etcdEncryption",
            format!("there can be one encryption of etcd, and here are {}", encryption.len()),
            "keep one",
        );
    }
    for (index, entry) in encryption.iter().enumerate() {
        let at = path::item("spec.etcdEncryption", index);
        let providers = path::join(&at, "providers");
        if entry.providers.len() != 1 {
            findings.error(
                "etcd-encryption",
                &providers,
                format!("an encryption has one provider, and here are {}", entry.providers.len()),
                "name exactly one `kms` provider",
            );
        }
        if entry.resources.is_empty() {
            findings.error(
                "etcd-encryption",
                &path::join(&at, "resources"),
                "the encryption does not say what is encrypted",
                "list resources, for example `resources: [secrets]`",
            );
        }
        for (which, provider) in entry.providers.iter().enumerate() {
            kms(provider.kms.as_ref(), &path::join(&path::item(&providers, which), "kms"), findings);
        }
    }
}

fn kms(kms: Option<&Kms>, at: &str, findings: &mut Findings<'_>) {
    let Some(kms) = kms else {
        findings.error(
            "etcd-encryption",
            at,
            "the provider has no KMS plugin",
            "add `kms: {name: …, socketListenAddress: unix:///…}`",
        );
        return;
    };
    if kms.name.is_empty() {
        findings.error("etcd-encryption", &path::join(at, "name"), "the KMS plugin has no name", "name it");
    }
    let socket = kms.socket_listen_address.as_str();
    if !socket.strip_prefix("unix://").is_some_and(|path| path.starts_with(['/', '@'])) {
        findings.error(
            "etcd-encryption",
            &path::join(at, "socketListenAddress"),
            format!("`{socket}` is not the address of a socket"),
            "write `unix://` and the absolute path of the socket",
        );
    }
    if let Some(text) = kms.timeout.as_deref().filter(|t| !go_seconds(t).is_some_and(|seconds| seconds > 0.0)) {
        findings.error(
            "duration",
            &path::join(at, "timeout"),
            format!("`{text}` is not a duration"),
            "write it with a unit, for example `3s`",
        );
    }
}
