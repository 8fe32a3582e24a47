//! Pods, services, and the CNI.

use ipnet::IpNet;

use super::Findings;
use crate::cluster::{CidrBlocks, CiliumConfig, Cluster, ClusterNetwork};
use crate::provider::Description;
use crate::{path, suggest};

const AT: &str = "spec.clusterNetwork";

/// Kubernetes hands out at most 2^16 ranges of nodes.
const NODE_BITS: i64 = 16;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let network = &cluster.spec.cluster_network;
    let pods = range("pods", "192.168.0.0/16", &network.pods, findings);
    let services = range("services", "10.96.0.0/12", &network.services, findings);
    if let (Some(pods), Some(services)) = (pods, services)
        && overlap(pods, services)
    {
        findings.error(
            "cidr-overlap",
            "spec.clusterNetwork.services.cidrBlocks[0]",
            format!("the services' range `{services}` overlaps the pods' range `{pods}`"),
            "choose ranges that share no address",
        );
    }
    if let Some(pods) = pods {
        nodes(network, pods, findings);
    }
    cni(network, findings);
    if let Some(path) = network.dns.as_ref().and_then(|d| d.resolv_conf.as_ref()).map(|r| r.path.as_str())
        && !path.is_empty()
        && !path.starts_with('/')
    {
        findings.error(
            "resolv-conf",
            "spec.clusterNetwork.dns.resolvConf.path",
            format!("`{path}` is not an absolute path"),
            "write the whole path of a file on the nodes, starting with `/`",
        );
    }
}

/// The ranges that can be read.
pub(super) fn ranges(blocks: &CidrBlocks) -> impl Iterator<Item = IpNet> {
    blocks.cidr_blocks.iter().filter_map(|text| text.parse::<IpNet>().ok())
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// Exactly one range, well formed.
fn range(what: &str, usual: &str, blocks: &CidrBlocks, findings: &mut Findings<'_>) -> Option<IpNet> {
    let at = path::join(&path::join(AT, what), "cidrBlocks");
    match blocks.cidr_blocks.as_slice() {
        [] => {
            findings.error(
                "cidr-missing",
                &at,
                format!("there is no range of addresses for {what}"),
                format!(
                    "set `clusterNetwork.{what}.cidrBlocks: [{usual}]`, or another range that your network does not use"
                ),
            );
            None
        }
        [one] => {
            let parsed = one.parse::<IpNet>().ok();
            match parsed {
                None => findings.error(
                    "cidr-malformed",
                    &path::item(&at, 0),
                    format!("`{one}` is not a range of addresses"),
                    format!("write address and length, for example `{usual}`"),
                ),
                Some(net) if net.addr() != net.network() => findings.warning(
                    "cidr-host-bits",
                    &path::item(&at, 0),
                    format!("`{one}` names an address within the range `{}`", net.trunc()),
                    format!("write `{}`", net.trunc()),
                ),
                Some(_) => {}
            }
            parsed.map(|net| net.trunc())
        }
        several => {
            findings.error(
                "cidr-several",
                &at,
                format!("there can be one range for {what}, and here are {}", several.len()),
                "keep one",
            );
            for (index, text) in several.iter().enumerate() {
                if text.parse::<IpNet>().is_err() {
                    findings.error(
                        "cidr-malformed",
                        &path::item(&at, index),
                        format!("`{text}` is not a range of addresses"),
                        format!("write address and length, for example `{usual}`"),
                    );
                }
            }
            None
        }
    }
}

/// The pods' range has to be larger than a node's, and not too much so.
fn nodes(network: &ClusterNetwork, pods: IpNet, findings: &mut Findings<'_>) {
    let said = network.nodes.as_ref().is_some_and(|n| n.cidr_mask_size.is_some());
    let mask = network.node_cidr_mask_size();
    let length = i64::from(pods.prefix_len());
    let at = if said { "spec.clusterNetwork.nodes.cidrMaskSize" } else { "spec.clusterNetwork.pods.cidrBlocks[0]" };
    if mask > i64::from(pods.max_prefix_len()) || mask <= 0 {
        findings.error(
            "node-mask",
            at,
            format!("a node can't have a range of `/{mask}`"),
            "use a length between that of the pods' range and that of an address, for example 24",
        );
    } else if length >= mask {
        findings.error(
            "node-mask",
            at,
            format!("the pods' range `{pods}` has no room for ranges of nodes of `/{mask}`"),
            "use a larger range for pods (a smaller number after the slash), or a greater `nodes.cidrMaskSize`",
        );
    } else if mask - length > NODE_BITS {
        findings.error(
            "node-mask",
            at,
            format!("between the pods' range `{pods}` and a node's `/{mask}` lie more than {NODE_BITS} bits"),
            "use a smaller `nodes.cidrMaskSize`, or a smaller range for pods",
        );
    }
}

fn cni(network: &ClusterNetwork, findings: &mut Findings<'_>) {
    let at = "spec.clusterNetwork.cniConfig";
    let old = network.cni.as_deref().filter(|name| !name.is_empty());
    match (&network.cni_config, old) {
        (Some(_), Some(_)) => findings.error(
            "cni-twice",
            "spec.clusterNetwork.cni",
            "the CNI is named twice, by `cni` and by `cniConfig`",
            "remove `cni`, which is the old form",
        ),
        (None, Some(name)) => findings.error(
            "cni-unknown",
            "spec.clusterNetwork.cni",
            format!("the CNI `{name}` is not supported"),
            format!("write `cniConfig: {{cilium: {{}}}}`{}", near(name)),
        ),
        (None, None) => findings.error("cni-missing", at, "the cluster has no CNI", "add `cniConfig: {cilium: {}}`"),
        (Some(config), None) => match (&config.cilium, &config.kindnetd) {
            (None, None) => findings.error(
                "cni-missing",
                at,
                "`cniConfig` names no CNI",
                "write `cilium: {}` there: `cilium:` alone is nothing",
            ),
            (Some(_), Some(_)) => {
                findings.error(
                    "cni-twice",
                    at,
                    "there can be one CNI, and here are two",
                    "keep `cilium` or `kindnetd`",
                );
            }
            _ => {}
        },
    }
    if let Some(cilium) = network.cni_config.as_ref().and_then(|c| c.cilium.as_ref()) {
        self::cilium(cilium, &path::join(at, "cilium"), findings);
    }
}

fn near(name: &str) -> String {
    suggest::nearest(name, ["cilium", "kindnetd"]).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
}

fn one_of(value: Option<&String>, allowed: &[&str], code: &str, at: &str, findings: &mut Findings<'_>) {
    if let Some(value) = value.filter(|v| !v.is_empty() && !allowed.contains(&v.as_str())) {
        let remedy = match suggest::nearest(value, allowed.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", suggest::list(allowed.iter().copied()).unwrap_or_default()),
        };
        findings.error(code, at, format!("`{value}` is not supported here"), remedy);
    }
}

fn cilium(cilium: &CiliumConfig, at: &str, findings: &mut Findings<'_>) {
    let here = |field: &str| path::join(at, field);
    let modes = ["default", "always", "never"];
    one_of(
        cilium.policy_enforcement_mode.as_ref(),
        &modes,
        "cilium-policy-mode",
        &here("policyEnforcementMode"),
        findings,
    );
    one_of(cilium.routing_mode.as_ref(), &["overlay", "direct"], "cilium-routing", &here("routingMode"), findings);
    for (field, value) in [
        ("ipv4NativeRoutingCIDR", &cilium.ipv4_native_routing_cidr),
        ("ipv6NativeRoutingCIDR", &cilium.ipv6_native_routing_cidr),
    ] {
        let Some(text) = value.as_ref().filter(|t| !t.is_empty()) else { continue };
        if text.parse::<IpNet>().is_err() {
            findings.error(
                "cidr-malformed",
                &here(field),
                format!("`{text}` is not a range of addresses"),
                "write address and length, for example `192.168.0.0/16`",
            );
        }
    }
    if cilium.routing_mode.as_deref() == Some("direct")
        && cilium.ipv4_native_routing_cidr.as_deref().is_none_or(str::is_empty)
    {
        findings.error(
            "cilium-routing",
            &here("ipv4NativeRoutingCIDR"),
            "direct routing needs to know which range is routed without a tunnel",
            "set `ipv4NativeRoutingCIDR`, usually to the pods' range",
        );
    }
    let others = CiliumConfig { skip_upgrade: cilium.skip_upgrade, ..CiliumConfig::default() };
    if cilium.skip_upgrade == Some(true) && *cilium != others {
        findings.error(
            "cilium-skip-upgrade",
            &here("skipUpgrade"),
            "`skipUpgrade` leaves Cilium to you, and yet other settings of it stand here",
            "remove the other settings of `cilium`, or `skipUpgrade`",
        );
    }
}

/// Which CNI a provider allows besides Cilium.
pub(super) fn cni_of_provider(cluster: &Cluster, provider: &Description, findings: &mut Findings<'_>) {
    if let Some(name) = cluster.spec.cluster_network.cni_name()
        && name != "cilium"
        && !provider.extra_cni.iter().any(|extra| extra == name)
    {
        findings.error(
            "cni-not-for-provider",
            &path::join("spec.clusterNetwork.cniConfig", name),
            format!("{} does not go with the CNI `{name}`", provider.title),
            "use `cniConfig: {cilium: {}}`",
        );
    }
}
