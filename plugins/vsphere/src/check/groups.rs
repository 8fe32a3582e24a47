//! The groups of the Cluster and the machine configs they name.

use kedge_sdk::prelude::*;

use super::hosts;
use crate::MACHINE;
use crate::schemas::bottlerocket_kubelet_settings;
use crate::spec::{Machine, machine_ref};

pub(super) fn check(documents: &Documents, machines: &[Machine], findings: &mut Findings) {
    let (Ok(cluster), Ok(groups)) = (documents.cluster(), documents.groups()) else { return };
    endpoint(cluster, findings);
    for group in &groups {
        reference(cluster, group, machines, findings);
    }
    same_os_with_etcd(&groups, machines, findings);
    networks_for_workers(&groups, machines, findings);
    failure_domains(documents, cluster, &groups, findings);
    limits_of_bottlerocket(cluster, &groups, machines, findings);
    for machine in machines.iter().filter(|machine| !groups.iter().any(|group| names(group, machine))) {
        findings.push(
            Finding::warning("machine-unused", format!("No group of the Cluster uses {MACHINE} `{}`", machine.name))
                .at(machine_ref(&machine.name), "metadata.name")
                .remedy("Remove it, or name it in a machineGroupRef"),
        );
    }
}

fn names(group: &Group, machine: &Machine) -> bool {
    group.machine.as_ref().is_some_and(|named| named.name == machine.name)
}

fn endpoint(cluster: &Document, findings: &mut Findings) {
    let path = "spec.controlPlaneConfiguration.endpoint.host";
    let host = cluster.text(path);
    if !host.is_empty() && !hosts::is_ip(host) {
        findings.push(
            cluster
                .error(path, "endpoint-no-address", format!("The control plane's endpoint `{host}` is no IP address"))
                .remedy("Use a free IP address of the machines' network: kube-vip announces it there"),
        );
    }
}

fn reference(cluster: &Document, group: &Group, machines: &[Machine], findings: &mut Findings) {
    // The host says that a reference is missing altogether.
    let Some(named) = &group.machine else { return };
    let path = format!("{}.machineGroupRef", group.path);
    if named.kind != MACHINE {
        let message = format!("The kind `{}` is none of vSphere machines", named.kind);
        findings
            .push(cluster.error(&format!("{path}.kind"), "machine-kind", message).remedy(format!("Use `{MACHINE}`")));
    } else if !machines.iter().any(|machine| names(group, machine)) {
        let known: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
        let remedy = if known.is_empty() {
            format!("Add a {MACHINE} named `{}`", named.name)
        } else {
            format!("Add a {MACHINE} named `{}`, or use one of {}", named.name, known.join(", "))
        };
        let message = format!("{MACHINE} `{}` is not in the spec", named.name);
        findings.push(cluster.error(&format!("{path}.name"), "machine-missing", message).remedy(remedy));
    }
}

fn same_os_with_etcd(groups: &[Group], machines: &[Machine], findings: &mut Findings) {
    if !groups.iter().any(|group| group.role == Role::Etcd) {
        return;
    }
    let used: Vec<&Machine> =
        machines.iter().filter(|machine| groups.iter().any(|group| names(group, machine))).collect();
    let Some(first) = used.first() else { return };
    if let Some(other) = used.iter().find(|machine| machine.os_family != first.os_family) {
        let message = format!(
            "With external etcd all machines have the same osFamily; `{}` has {}, `{}` has {}",
            first.name, first.os_family, other.name, other.os_family
        );
        findings.push(
            Finding::error("os-family-mixed", message)
                .at(machine_ref(&other.name), "spec.osFamily")
                .remedy("Use one osFamily, or remove externalEtcdConfiguration from the Cluster"),
        );
    }
}

fn networks_for_workers(groups: &[Group], machines: &[Machine], findings: &mut Findings) {
    for machine in machines.iter().filter(|machine| !machine.networks.is_empty()) {
        let user = groups.iter().find(|group| names(group, machine) && !matches!(group.role, Role::Worker(_)));
        if let Some(group) = user {
            let whose = if group.role == Role::Etcd { "etcd" } else { "control plane" };
            findings.push(
                Finding::error(
                    "networks-workers-only",
                    format!("`networks` is for workers; `{}` also describes the {whose} machines", machine.name),
                )
                .at(machine_ref(&machine.name), "spec.networks")
                .remedy("Give the workers a machine config of their own; others use the datacenter's network"),
            );
        }
    }
}

/// What other operating systems can do and Bottlerocket can't.
fn limits_of_bottlerocket(cluster: &Document, groups: &[Group], machines: &[Machine], findings: &mut Findings) {
    let is_bottlerocket =
        |group: &Group| machines.iter().any(|machine| names(group, machine) && machine.os_family == "bottlerocket");
    let mine: Vec<&Group> = groups.iter().filter(|group| is_bottlerocket(group)).collect();
    if mine.is_empty() {
        return;
    }
    let path = "spec.registryMirrorConfiguration.insecureSkipVerify";
    if cluster.at(path) == Some(&json!(true)) {
        findings.push(
            cluster.error(path, "mirror-insecure", "Bottlerocket checks the certificate of every registry").remedy(
                "Set `insecureSkipVerify: false`, and `caCertContent` to the certificate that signed the mirror's",
            ),
        );
    }
    let known = bottlerocket_kubelet_settings();
    for group in mine {
        let path = format!("{}.kubeletConfiguration", group.path);
        let settings = cluster.at(&path).and_then(Value::as_object);
        for key in settings.into_iter().flat_map(serde_json::Map::keys) {
            if matches!(key.as_str(), "kind" | "apiVersion") || known.iter().any(|name| name.eq_ignore_ascii_case(key))
            {
                continue;
            }
            let message = format!("Bottlerocket has no setting for `{key}` of the kubelet");
            findings.push(
                cluster
                    .error(&format!("{path}.{key}"), "kubelet-not-for-bottlerocket", message)
                    .remedy("Remove it, or use another operating system for these machines"),
            );
        }
    }
}

fn failure_domains(documents: &Documents, cluster: &Document, groups: &[Group], findings: &mut Findings) {
    let Ok(datacenter) = documents.datacenter() else { return };
    let count = datacenter.list("spec.failureDomains").map_or(0, <[Value]>::len);
    let known: Vec<&str> =
        (0..count).map(|index| datacenter.text(&format!("spec.failureDomains[{index}].name"))).collect();
    for group in groups.iter().filter(|group| matches!(group.role, Role::Worker(_))) {
        let path = format!("{}.failureDomains", group.path);
        let Some(domains) = findings.take(cluster.strings(&path)) else { continue };
        if domains.len() > 1 {
            let message = format!("{} failure domains are named, a worker node group has at most one", domains.len());
            findings.push(cluster.error(&path, "too-many-failure-domains", message).remedy("Make a group for each"));
        }
        for (index, domain) in domains.iter().enumerate().filter(|(_, domain)| !known.contains(domain)) {
            let message = format!("The datacenter `{}` has no failure domain `{domain}`", datacenter.name);
            let remedy = if known.is_empty() { String::new() } else { format!("Use one of {}", known.join(", ")) };
            findings.push(cluster.error(&format!("{path}[{index}]"), "failure-domain-missing", message).remedy(remedy));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::codes;
    use crate::testing::{edit, spec};

    #[test]
    fn the_endpoint_is_an_address() {
        assert_eq!(
            codes(&edit(spec(), &[("host: 198.51.100.10", "host: prod.example.com")])),
            ["endpoint-no-address spec.controlPlaneConfiguration.endpoint.host"]
        );
    }

    #[test]
    fn references_have_to_lead_somewhere() {
        assert_eq!(
            codes(&edit(spec(), &[("      name: prod-cp\n", "      name: prod-control\n")])),
            ["machine-missing spec.controlPlaneConfiguration.machineGroupRef.name", "machine-unused metadata.name"]
        );
    }

    #[test]
    fn external_etcd_wants_one_operating_system() {
        let text = edit(
            spec(),
            &[(
                "  memoryMiB: 8192\n  numCPUs: 2\n  osFamily: ubuntu\n  resourcePool: Compute",
                "  memoryMiB: 8192\n  numCPUs: 2\n  osFamily: redhat\n  resourcePool: Compute",
            )],
        );
        assert_eq!(codes(&text), ["os-family-mixed spec.osFamily"]);
    }

    #[test]
    fn only_workers_have_networks() {
        let text = edit(spec(), &[("  template: Templates/ubuntu", "  networks: [a]\n  template: Templates/ubuntu")]);
        assert_eq!(codes(&text), ["networks-workers-only spec.networks"]);
    }

    #[test]
    fn a_failure_domain_has_to_be_known() {
        let text = edit(spec(), &[("    name: md-0\n", "    name: md-0\n    failureDomains: [a, b]\n")]);
        assert_eq!(
            codes(&text),
            [
                "too-many-failure-domains spec.workerNodeGroupConfigurations[0].failureDomains",
                "failure-domain-missing spec.workerNodeGroupConfigurations[0].failureDomains[0]",
                "failure-domain-missing spec.workerNodeGroupConfigurations[0].failureDomains[1]",
            ]
        );
    }
}
