//! Names: of the cluster and its worker node groups, of labels and taints.

use std::collections::{BTreeMap, HashSet};

use super::Findings;
use crate::cluster::{Cluster, Taint};
use crate::path;

/// EKS Anywhere's bound: names of machines and Secrets are made from the cluster's.
const CLUSTER_NAME: usize = 35;

/// Kubernetes' bound for what becomes part of a host name.
const DNS_LABEL: usize = 63;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let name = cluster.name.as_str();
    let length = name.chars().count();
    if length > CLUSTER_NAME {
        findings.error(
            "cluster-name-too-long",
            "metadata.name",
            format!("the cluster's name `{name}` has {length} characters, and at most {CLUSTER_NAME} are allowed"),
            "choose a shorter name: names of machines are made from it",
        );
    }
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let characters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !starts || !characters || length < 2 {
        findings.error(
            "cluster-name-malformed",
            "metadata.name",
            format!("`{name}` can't be the name of a cluster"),
            "start with a letter, go on with letters, digits and dashes, two characters at least",
        );
    } else if !is_dns_label(name) && length <= CLUSTER_NAME {
        findings.error(
            "cluster-name-malformed",
            "metadata.name",
            format!("`{name}` can't be the name of Kubernetes objects, which are made from the cluster's name"),
            format!("use lower-case letters, digits and dashes, and end with a letter or digit: `{}`", repaired(name)),
        );
    }
    if !is_dns_label(&cluster.namespace) {
        findings.error(
            "namespace-malformed",
            "metadata.namespace",
            format!("`{}` can't be the name of a namespace", cluster.namespace),
            "use lower-case letters, digits and dashes, or leave the namespace out",
        );
    }
}

/// RFC 1123.
pub(super) fn is_dns_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= DNS_LABEL
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || c == '-')
}

fn repaired(name: &str) -> String {
    name.to_ascii_lowercase().trim_matches('-').to_owned()
}

/// Names like `example.com`.
pub(super) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

pub(super) fn labels(labels: &BTreeMap<String, String>, at: &str, findings: &mut Findings<'_>) {
    for (key, value) in labels {
        let here = path::join(at, key);
        key_rule(key, "a label", &here, findings);
        value_rule(value, "label", key, &here, findings);
    }
}

pub(super) fn taints(taints: &[Taint], at: &str, findings: &mut Findings<'_>) {
    let mut seen = HashSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let here = path::item(at, index);
        key_rule(&taint.key, "a taint", &path::join(&here, "key"), findings);
        value_rule(&taint.value, "taint", &taint.key, &path::join(&here, "value"), findings);
        if !seen.insert((&taint.key, &taint.effect)) {
            findings.error(
                "taint-twice",
                &here,
                format!("the taint `{}` with the effect `{}` stands here twice", taint.key, taint.effect),
                "keep one of the two",
            );
        }
    }
}

/// A qualified name: an optional DNS name and a slash, then the name itself.
fn key_rule(key: &str, what: &str, at: &str, findings: &mut Findings<'_>) {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|p| !is_dns_subdomain(p)) || !is_name_part(name) {
        findings.error(
            "label-malformed",
            at,
            format!("`{key}` can't be the key of {what}"),
            "use letters, digits, `-`, `_` and `.`, at most 63, starting and ending with a letter or digit; a DNS name and `/` may stand before it",
        );
    }
}

fn value_rule(value: &str, what: &str, key: &str, at: &str, findings: &mut Findings<'_>) {
    if !value.is_empty() && !is_name_part(value) {
        findings.error(
            "label-malformed",
            at,
            format!("the value `{value}` of the {what} `{key}` is not allowed"),
            "use letters, digits, `-`, `_` and `.`, at most 63, starting and ending with a letter or digit",
        );
    }
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    !text.is_empty()
        && text.len() <= DNS_LABEL
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}
