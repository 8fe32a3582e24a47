//! Machine templates.

use kedge_sdk::prelude::*;

use super::INFRASTRUCTURE;
use crate::facts::Facts;
use crate::paths::{self, Branch};
use crate::spec::Spec;

/// Fields that tell how to reach the vCenter and not what a machine is: new ones replace no machine.
const IN_PLACE: [&str; 2] = ["spec.template.spec.server", "spec.template.spec.thumbprint"];

pub(crate) fn templates(input: &Input) -> Result<Vec<MachineTemplate>, Failure> {
    let spec = Spec::of(input)?;
    let facts = Facts::of(input)?;
    spec.groups
        .iter()
        .map(|group| {
            Ok(MachineTemplate {
                role: group.role.clone(),
                object: template(&spec, &facts, group)?,
                in_place: IN_PLACE.map(str::to_owned).to_vec(),
            })
        })
        .collect()
}

fn template(spec: &Spec, facts: &Facts, group: &Group) -> Result<Value, Failure> {
    let datacenter = &spec.datacenter;
    let machine = spec.machine(group)?;
    let place = facts.machine(datacenter, machine);
    let networks = if machine.networks.is_empty() {
        vec![facts.network(datacenter)]
    } else {
        machine.networks.iter().map(|network| paths::full(&datacenter.datacenter, Branch::Network, network)).collect()
    };
    let devices: Vec<Value> = networks.iter().map(|network| json!({"dhcp4": true, "networkName": network})).collect();
    let some = |text: &str| (!text.is_empty()).then(|| json!(text));
    let field = |name: &str| format!("spec.template.spec.{name}");
    Ok(Manifest::unnamed(INFRASTRUCTURE, "VSphereMachineTemplate")
        .set(&field("cloneMode"), json!(place.clone_mode))
        .set(&field("datacenter"), json!(datacenter.datacenter))
        .set(&field("datastore"), json!(place.datastore))
        .set(&field("diskGiB"), json!(place.disk_gib))
        .set(&field("folder"), json!(place.folder))
        .set(&field("memoryMiB"), json!(machine.memory_mib))
        .set(&field("network.devices"), json!(devices))
        .set(&field("numCPUs"), json!(machine.num_cpus))
        .set(&field("resourcePool"), json!(place.resource_pool))
        .set(&field("server"), json!(datacenter.server))
        .set_some(&field("storagePolicyName"), some(&machine.storage_policy))
        .set_some(&field("tagIDs"), (!machine.tags.is_empty()).then(|| json!(machine.tags)))
        .set(&field("template"), json!(place.template))
        .set_some(&field("thumbprint"), some(&datacenter.thumbprint))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{edit, input_of, spec};

    #[test]
    fn without_preflight_the_path_rules_decide() {
        let templates = templates(&input_of(spec())).unwrap();
        let roles: Vec<&Role> = templates.iter().map(|template| &template.role).collect();
        assert_eq!(roles, [&Role::ControlPlane, &Role::Etcd, &Role::Worker("md-0".into())]);
        assert_eq!(
            templates[0].object,
            json!({
                "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
                "kind": "VSphereMachineTemplate",
                "spec": {"template": {"spec": {
                    "cloneMode": "fullClone",
                    "datacenter": "SDDC-Datacenter",
                    "datastore": "/SDDC-Datacenter/datastore/WorkloadDatastore",
                    "diskGiB": 25,
                    "folder": "/SDDC-Datacenter/vm/Workloads",
                    "memoryMiB": 8192,
                    "network": {"devices": [{"dhcp4": true, "networkName": "/SDDC-Datacenter/network/sddc-cgw-network-1"}]},
                    "numCPUs": 2,
                    "resourcePool": "*/Compute-ResourcePool",
                    "server": "vcenter.example.com",
                    "template": "Templates/ubuntu-2204-kube-v1-34",
                    "thumbprint": "AA:BB:CC",
                }}},
            })
        );
    }

    #[test]
    fn what_preflight_found_wins() {
        let mut input = input_of(spec());
        input.facts = json!({
            "network": "/SDDC-Datacenter/network/sddc-cgw-network-1",
            "machines": {"prod-cp": {
                "resourcePool": "/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool",
                "template": "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34",
                "cloneMode": "linkedClone",
                "diskGiB": 30,
            }},
        });
        let object = &templates(&input).unwrap()[0].object["spec"]["template"]["spec"];
        assert_eq!(object["resourcePool"], "/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool");
        assert_eq!(object["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
        assert_eq!(object["cloneMode"], "linkedClone");
        assert_eq!(object["diskGiB"], 30);
    }

    #[test]
    fn workers_may_have_two_networks_tags_and_a_policy() {
        let more = "  networks: [a, /SDDC-Datacenter/network/b]\n  tags: ['urn:vmomi:InventoryServiceTag:x:GLOBAL']\n  storagePolicyName: gold\n  cloneMode: linkedClone\n";
        let text = edit(
            spec(),
            &[(
                "  folder: /SDDC-Datacenter/vm/Workloads\n",
                &format!("  folder: /SDDC-Datacenter/vm/Workloads\n{more}"),
            )],
        );
        let object = &templates(&input_of(&text)).unwrap()[2].object["spec"]["template"]["spec"];
        let names: Vec<&str> = object["network"]["devices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["networkName"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["/SDDC-Datacenter/network/a", "/SDDC-Datacenter/network/b"]);
        assert_eq!(object["tagIDs"], json!(["urn:vmomi:InventoryServiceTag:x:GLOBAL"]));
        assert_eq!(object["storagePolicyName"], "gold");
        assert_eq!(object["cloneMode"], "linkedClone");
    }

    #[test]
    fn a_group_without_machines_is_refused() {
        let text = edit(spec(), &[("      name: prod-cp\n", "      name: gone\n")]);
        let Err(Failure::Invalid(findings)) = templates(&input_of(&text)) else { panic!("rendered") };
        assert_eq!(findings[0].code, "reference-missing");
    }
}
