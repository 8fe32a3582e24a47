//! etcd: outside of the control plane, and encrypted.

use super::Findings;
use crate::cluster::Cluster;
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
        let providers = entry.get("providers").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        if providers != 1 {
            findings.error(
                "etcd-encryption",
                &path::join(&path::item("spec.etcdEncryption", index), "providers"),
                format!("an encryption has one provider, and here are {providers}"),
                "name exactly one `kms` provider",
            );
        }
    }
}
