//! Fields that are understood, checked, and not honoured yet: errors, so that nothing is dropped silently.

use serde_json::Value;

use crate::defaulted::DefaultedSpec;
use crate::document::Document;
use crate::finding::Finding;
use crate::path;

/// Fields of the Cluster by their path; `*` is every item of a list.
const FIELDS: [&str; 12] = [
    "spec.clusterNetwork.cniConfig.cilium.egressMasqueradeInterfaces",
    "spec.clusterNetwork.cniConfig.cilium.skipUpgrade",
    "spec.clusterNetwork.cniConfig.cilium.routingMode",
    "spec.clusterNetwork.cniConfig.cilium.ipv4NativeRoutingCIDR",
    "spec.clusterNetwork.cniConfig.cilium.ipv6NativeRoutingCIDR",
    "spec.clusterNetwork.cniConfig.cilium.cniExclusive",
    "spec.clusterNetwork.cniConfig.cilium.helmValues",
    "spec.gitOpsRef",
    "spec.packages.controller",
    "spec.packages.cronjob",
    "spec.etcdEncryption",
    "spec.licenseToken",
];

enum Usual {
    Bool(bool),
    Text(&'static str),
}

impl Usual {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Bool(usual) => value.as_bool() == Some(*usual),
            Self::Text(usual) => value.as_str() == Some(usual),
        }
    }
}

/// Values that say what holds anyhow, and how they are written.
const USUAL: [(&str, Usual); 3] =
    [("skipUpgrade", Usual::Bool(false)), ("routingMode", Usual::Text("overlay")), ("cniExclusive", Usual::Bool(true))];

pub(crate) fn findings(spec: &DefaultedSpec) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(document) = spec.documents().iter().find(|d| d.kind == crate::cluster::KIND) else { return found };
    for field in FIELDS {
        let parts: Vec<&str> = field.split('.').collect();
        visit(&document.body, &parts, "", &mut |at| found.push(refused(document, at)));
    }
    for (index, reference) in spec.cluster().spec.identity_provider_refs.iter().enumerate() {
        if reference.kind == "AWSIamConfig" {
            found.push(refused(document, &path::item("spec.identityProviderRefs", index)));
        }
    }
    if !spec.cluster().is_self_managed() {
        let message = format!(
            "the cluster `{}` is to be managed by `{}`, and clusters that do not manage themselves are not supported by this version yet",
            spec.cluster().name,
            spec.cluster().spec.management_cluster.name
        );
        found.push(
            Finding::error("not-supported-yet", message)
                .at(&document.reference(), "spec.managementCluster.name")
                .remedy(format!("set it to `{}`, or remove `managementCluster`", spec.cluster().name)),
        );
    }
    found
}

fn refused(document: &Document, at: &str) -> Finding {
    Finding::error("not-supported-yet", format!("`{at}` is not supported by this version yet"))
        .at(&document.reference(), at)
        .remedy("remove it, if the cluster can do without")
}

/// Calls with the path of every value that is set. What says the same as its absence counts as not set.
fn visit(value: &Value, parts: &[&str], at: &str, say: &mut dyn FnMut(&str)) {
    match parts.split_first() {
        None => {
            let usual = USUAL.iter().any(|(field, usual)| at.ends_with(field) && usual.is(value));
            let unset = match value {
                Value::Null => true,
                Value::String(text) => usual || text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                _ => usual,
            };
            if !unset {
                say(at);
            }
        }
        Some((&"*", rest)) => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                visit(item, rest, &path::item(at, index), say);
            }
        }
        Some((key, rest)) => {
            if let Some(inner) = value.get(*key) {
                visit(inner, rest, &path::join(at, key), say);
            }
        }
    }
}
