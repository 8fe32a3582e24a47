//! A spec for a new cluster.

use crate::{DATACENTER, MACHINE};

/// What a new spec says of the vCenter, as text that stands behind the field's name: a value, or a blank with a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) endpoint: String,
    pub(crate) server: String,
    pub(crate) datacenter: String,
    pub(crate) network: String,
    pub(crate) insecure: String,
    pub(crate) thumbprint: String,
    pub(crate) datastore: String,
    pub(crate) folder: String,
    pub(crate) resource_pool: String,
    pub(crate) template: String,
    /// One word, and what it means for users.
    pub(crate) os_family: String,
    pub(crate) key: String,
}

impl Default for Choices {
    /// Nothing is known.
    fn default() -> Self {
        let blank = |comment: &str| format!("\"\" # {comment}");
        Self {
            endpoint: blank("Required: a free IP address in the machines' network, outside of its DHCP range"),
            server: blank("Required: the vCenter's host name or IP address, without https://"),
            datacenter: blank("Required: the datacenter's name in the vCenter's inventory"),
            network: blank(
                "Required: the machines' network, with DHCP: its name, or its path /DATACENTER/network/NAME",
            ),
            insecure: "false # true accepts any certificate".into(),
            thumbprint: blank(
                "The SHA-1 thumbprint of the vCenter's certificate; required if it is self-signed and insecure is false",
            ),
            datastore: blank("Required: a name, or a path below /DATACENTER/datastore/"),
            folder: blank("The machines' folder: a name, or a path below /DATACENTER/vm/; it is made if it is missing"),
            resource_pool: blank("Required: a name, the end of a path such as \"*/Resources\", or a whole path"),
            template: blank(
                "The imported template, tagged os:OSFAMILY and eksdRelease:RELEASE; for Bottlerocket a create imports it",
            ),
            os_family: "bottlerocket".into(),
            key: "ssh-rsa AAAA... # Required: a public key that may log in".into(),
        }
    }
}

/// The spec of EKS Anywhere's documentation: three control plane machines, three of etcd, two workers, Bottlerocket.
pub(crate) fn generate(name: &str, kubernetes_version: &str) -> String {
    with(name, kubernetes_version, &Choices::default())
}

/// The same with what is known already.
pub(crate) fn with(name: &str, kubernetes_version: &str, choices: &Choices) -> String {
    let Choices { endpoint, server, datacenter, network, insecure, thumbprint, .. } = choices;
    let cluster = format!(
        r#"apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Cluster
metadata:
  name: {name}
spec:
  kubernetesVersion: "{kubernetes_version}"
  controlPlaneConfiguration:
    count: 2
    endpoint:
      host: {endpoint}
    machineGroupRef:
      kind: {MACHINE}
      name: {name}-cp
  externalEtcdConfiguration: # Remove it, and {MACHINE} {name}-etcd, to run etcd on an odd number of control plane machines
    count: 3
    machineGroupRef:
      kind: {MACHINE}
      name: {name}-etcd
  workerNodeGroupConfigurations:
  - name: md-0
    count: 2
    machineGroupRef:
      kind: {MACHINE}
      name: {name}
  clusterNetwork:
    cniConfig:
      cilium: {{}}
    pods:
      cidrBlocks:
      - 192.168.0.0/16
    services:
      cidrBlocks:
      - 10.96.0.0/12
  datacenterRef:
    kind: {DATACENTER}
    name: {name}
  managementCluster:
    name: {name}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: {DATACENTER}
metadata:
  name: {name}
spec:
  server: {server}
  datacenter: {datacenter}
  network: {network}
  insecure: {insecure}
  thumbprint: {thumbprint}
"#
    );
    let machines = [format!("{name}-cp"), name.to_owned(), format!("{name}-etcd")];
    machines.iter().fold(cluster, |spec, machine| spec + &machine_config(machine, choices))
}

fn machine_config(name: &str, choices: &Choices) -> String {
    let Choices { datastore, folder, resource_pool, template, os_family, key, .. } = choices;
    let user = if os_family == "bottlerocket" { "ec2-user" } else { "capv" };
    format!(
        r"---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: {MACHINE}
metadata:
  name: {name}
spec:
  datastore: {datastore}
  folder: {folder}
  resourcePool: {resource_pool}
  template: {template}
  osFamily: {os_family} # bottlerocket, ubuntu or redhat
  numCPUs: 2
  memoryMiB: 8192
  diskGiB: 25
  users:
  - name: {user} # ec2-user for bottlerocket, capv for the others
    sshAuthorizedKeys:
    - {key}
"
    )
}

#[cfg(test)]
mod tests {
    use kedge_sdk::testing::{documents, yaml};

    use super::*;

    #[test]
    fn it_is_valid_yaml_with_three_machine_configs() {
        let kinds: Vec<String> = yaml(&generate("prod", "1.31"))
            .iter()
            .map(|document| format!("{} {}", document["kind"], document["metadata"]["name"]).replace('"', ""))
            .collect();
        assert_eq!(
            kinds,
            [
                "Cluster prod",
                "VSphereDatacenterConfig prod",
                "VSphereMachineConfig prod-cp",
                "VSphereMachineConfig prod",
                "VSphereMachineConfig prod-etcd",
            ]
        );
    }

    #[test]
    fn every_blank_has_a_comment() {
        for line in generate("prod", "1.31").lines().filter(|line| line.contains("\"\"")) {
            assert!(line.contains("# "), "{line}");
        }
    }

    #[test]
    fn what_is_left_to_fill_in_is_said_field_by_field() {
        let mut findings = kedge_sdk::Findings::new();
        crate::check::check(&documents(&generate("prod", "1.31")), &mut findings);
        let paths: Vec<&str> = findings.iter().filter(|f| f.is_error()).map(|f| f.path.as_str()).collect();
        for path in ["spec.server", "spec.datacenter", "spec.network", "spec.datastore", "spec.resourcePool"] {
            assert!(paths.contains(&path), "{path} not in {paths:?}");
        }
    }
}
