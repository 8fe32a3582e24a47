//! The control plane.

use std::net::IpAddr;

use super::{Findings, names, network};
use crate::cluster::Cluster;
use crate::path;
use crate::provider::Description;

const AT: &str = "spec.controlPlaneConfiguration";

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let plane = &cluster.spec.control_plane_configuration;
    let at = |field: &str| path::join(AT, field);
    let count = plane.count;
    if count <= 0 {
        findings.error(
            "control-plane-count",
            &at("count"),
            format!("a control plane of {count} nodes is none"),
            "use 1, 3 or 5",
        );
    } else if cluster.spec.external_etcd_configuration.is_none() && count % 2 == 0 {
        findings.error(
            "control-plane-count-even",
            &at("count"),
            format!("with etcd on the control plane its count must be odd, but is {count}"),
            format!("use {} or {}: an even number of etcd members bears no more failures", count - 1, count + 1),
        );
    } else if cluster.spec.external_etcd_configuration.is_none() && count != 3 && count != 5 {
        findings.warning(
            "control-plane-count-unusual",
            &at("count"),
            format!("a control plane of {count} nodes is not what is recommended"),
            "use 3 or 5 in production",
        );
    }
    if let Some(taints) = &plane.taints {
        names::taints(taints, &at("taints"), findings);
        if !taints.is_empty() && cluster.spec.worker_node_group_configurations.is_empty() {
            findings.error(
                "control-plane-taints",
                &at("taints"),
                "the control plane is the only place for pods, and taints would keep them away",
                "set `taints: []`, or add a worker node group",
            );
        }
    }
    names::labels(&plane.labels, &at("labels"), findings);
    for (index, name) in plane.cert_sans.iter().enumerate() {
        if name.parse::<IpAddr>().is_err() && !(is_domain(name) && name.contains('.')) {
            findings.error(
                "cert-san",
                &path::item(&at("certSans"), index),
                format!("`{name}` is neither an IP address nor a domain name"),
                "write the address or the whole name with its domain, without scheme, port or path",
            );
        }
    }
    oidc_flags(cluster, findings);
    if let Some(policy) = plane.audit_policy_content.as_deref().filter(|policy| !policy.is_empty()) {
        audit_policy(policy, &at("auditPolicyContent"), findings);
    }
}

/// The API server does not start with a policy that it can't use.
fn audit_policy(policy: &str, at: &str, findings: &mut Findings<'_>) {
    let parsed = crate::yaml_documents(&crate::Source::new("auditPolicyContent", policy));
    let document = parsed.ok().and_then(|documents| documents.into_iter().next()).unwrap_or_default();
    let text = |field: &str| document.get(field).and_then(serde_json::Value::as_str);
    let wrong = if !document.is_object() {
        "the audit policy is not YAML with fields"
    } else if text("kind") != Some("Policy") || text("apiVersion") != Some("audit.k8s.io/v1") {
        "the audit policy is no `Policy` of `audit.k8s.io/v1`"
    } else if document.get("rules").and_then(serde_json::Value::as_array).is_none_or(Vec::is_empty) {
        "the audit policy has no rules"
    } else {
        return;
    };
    findings.error(
        "audit-policy",
        at,
        wrong,
        "write a whole `audit.k8s.io/v1` Policy with its `rules` there as a block (`auditPolicyContent: |`)",
    );
}

/// OIDC is set up from an OIDCConfig, and not twice.
fn oidc_flags(cluster: &Cluster, findings: &mut Findings<'_>) {
    let plane = &cluster.spec.control_plane_configuration;
    if !cluster.spec.identity_provider_refs.iter().any(|r| r.kind == "OIDCConfig") {
        return;
    }
    for flag in plane.api_server_extra_args.keys().filter(|flag| flag.starts_with("oidc-")) {
        findings.error(
            "oidc-twice",
            &path::join(&path::join(AT, "apiServerExtraArgs"), flag),
            format!("`{flag}` is set here and by the OIDCConfig that the cluster refers to"),
            "keep it in one of the two places",
        );
    }
}

/// The address of the API server: the user's to choose, or the provider's.
pub(super) fn endpoint(cluster: &Cluster, provider: &Description, findings: &mut Findings<'_>) {
    let plane = &cluster.spec.control_plane_configuration;
    let at = "spec.controlPlaneConfiguration.endpoint.host";
    match plane.endpoint_host() {
        None if provider.user_endpoint => findings.error(
            "endpoint-missing",
            at,
            "the control plane has no address",
            "set `controlPlaneConfiguration.endpoint.host` to a free IP address of the machines' network, outside of any DHCP range",
        ),
        Some(host) if !provider.user_endpoint => findings.error(
            "endpoint-not-allowed",
            at,
            format!("{} picks the control plane's address itself, and here it is `{host}`", provider.title),
            "remove `controlPlaneConfiguration.endpoint`",
        ),
        Some(host) => inside(host, cluster, findings, at),
        None => {}
    }
}

/// An address that pods or services may have is not the API server's.
fn inside(host: &str, cluster: &Cluster, findings: &mut Findings<'_>, at: &str) {
    let Ok(address) = host.parse::<IpAddr>() else {
        if !is_domain(host) {
            findings.error(
                "endpoint-malformed",
                at,
                format!("`{host}` is neither an IP address nor a name"),
                "write the address alone, without scheme and port",
            );
        }
        return;
    };
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        findings.error(
            "endpoint-malformed",
            at,
            format!("`{host}` can't be the address of an API server"),
            "choose a free IP address of the machines' network",
        );
    }
    let network = &cluster.spec.cluster_network;
    for (what, blocks) in [("pods", &network.pods), ("services", &network.services)] {
        for block in network::ranges(blocks) {
            if block.contains(&address) {
                findings.error(
                    "endpoint-in-range",
                    at,
                    format!("the control plane's address `{host}` lies in the {what}' range `{block}`"),
                    format!("choose an address outside of it, or another range for {what}"),
                );
            }
        }
    }
}

/// A host name as certificates have it; a wildcard in front is one, too.
pub(super) fn is_domain(text: &str) -> bool {
    let body = text.strip_prefix("*.").unwrap_or(text);
    let lower = body.to_ascii_lowercase();
    names::is_dns_subdomain(&lower)
        && !lower.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}
