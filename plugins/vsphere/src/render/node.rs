//! What nodes need.

use kedge_sdk::prelude::*;

use super::cluster::failure_domain_name;
use super::kube_vip;
use crate::spec::{Machine, Spec};
use crate::ssh;

/// A template of cloud-init: the machine's name as the vCenter has it.
const HOST_NAME: &str = "{{ ds.meta_data.hostname }}";
/// The container that configures a second network interface.
const SECOND_NETWORK: &str = "bottlerocketBootstrapContainers.multiNetworkBootstrap";
const SUDO: &str = "ALL=(ALL) NOPASSWD:ALL";

/// The nodes of an input whose documents are read.
pub(crate) struct Nodes<'i> {
    input: &'i Input,
    spec: Spec,
}

impl<'i> Nodes<'i> {
    pub(crate) fn of(input: &'i Input) -> Result<Self, Failure> {
        Ok(Self { input, spec: Spec::of(input)? })
    }

    pub(crate) fn node(&self, role: &Role) -> Result<NodeContribution, Failure> {
        let group = self.spec.group(role)?;
        node(self.input, &self.spec, group, self.spec.machine(group)?)
    }
}

fn node(input: &Input, spec: &Spec, group: &Group, machine: &Machine) -> Result<NodeContribution, Failure> {
    let role = &group.role;
    let bottlerocket = machine.os_family == "bottlerocket";

    let mut node = NodeContribution::for_os(&machine.os_family);
    node.users = users(group, machine)?;
    node.ntp_servers.clone_from(&machine.ntp_servers);
    node.certificates = machine.cert_bundles.iter().map(|bundle| bundle.data.clone()).collect();
    if !machine.cert_bundles.is_empty() {
        let names: Vec<&str> = machine.cert_bundles.iter().map(|bundle| bundle.name.as_str()).collect();
        node = node.extension("certificate-names", json!(names).to_string());
    }
    if let Some(settings) = &machine.bottlerocket {
        node = node.extension("bottlerocket-settings", settings.to_string());
    }
    // Bottlerocket takes its name from the vCenter by itself; what its bootstrap provider can't run it leaves out.
    if *role != Role::Etcd || !bottlerocket {
        node = name_host(node);
    }
    if *role != Role::Etcd {
        node = node.argument("kubelet", "cloud-provider", "external");
        node.node_name = Some(HOST_NAME.into());
    }
    match role {
        Role::ControlPlane => control_plane(input, node, bottlerocket),
        Role::Worker(group) => worker(input, spec, group, machine, node),
        _ => Ok(node),
    }
}

/// Where the group's machines are, and what a second network needs where no command can set it up.
fn worker(
    input: &Input,
    spec: &Spec,
    group: &str,
    machine: &Machine,
    mut node: NodeContribution,
) -> Result<NodeContribution, Failure> {
    if let Some(domain) = failure_domain(input, group)? {
        node = node.extension("failure-domain", failure_domain_name(&input.cluster_name, &spec.datacenter, domain));
    }
    if machine.os_family == "bottlerocket" && machine.networks.len() > 1 {
        let image = input.release_for(&Role::Worker(group.into())).image(SECOND_NETWORK)?;
        let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
        let containers = json!([{
            "name": "second-network-interface-bootstrap-container",
            "mode": "once",
            "imageRepository": repository,
            "imageTag": tag,
        }]);
        node = node.extension("bottlerocket-bootstrap-containers", containers.to_string());
    }
    Ok(node)
}

/// The failure domain of a worker node group, by its name in the spec.
fn failure_domain<'i>(input: &'i Input, group: &str) -> Result<Option<&'i str>, Failure> {
    let cluster = input.cluster()?;
    let groups = cluster.at("spec.workerNodeGroupConfigurations").and_then(Value::as_array);
    let own = groups.into_iter().flatten().find(|own| own.get("name").and_then(Value::as_str) == Some(group));
    Ok(own.and_then(|own| own.pointer("/failureDomains/0")).and_then(Value::as_str))
}

fn control_plane(input: &Input, node: NodeContribution, bottlerocket: bool) -> Result<NodeContribution, Failure> {
    let minor = input.release.kubernetes_minor();
    let image = input.release.image("vSphere.kubeVip")?;
    let address = input.cluster()?.required_str("spec.controlPlaneConfiguration.endpoint.host")?;
    let mut node = node.argument("controller-manager", "cloud-provider", "external");
    if minor < 33 {
        node = node.argument("api-server", "cloud-provider", "external");
    }
    node = node.file(kube_vip::PATH, "", kube_vip::manifest(&image, address, bottlerocket));
    if minor >= 29 && !bottlerocket {
        node = node.pre_command(kube_vip::FIRST_NODE_COMMAND);
    }
    Ok(node)
}

/// Clones wake up with the template's name; theirs is in the metadata that the vCenter hands them.
fn name_host(node: NodeContribution) -> NodeContribution {
    node.pre_command(&format!("hostname \"{HOST_NAME}\""))
        .pre_command("echo \"::1         ipv6-localhost ipv6-loopback\" >/etc/hosts")
        .pre_command("echo \"127.0.0.1   localhost\" >>/etc/hosts")
        .pre_command(&format!("echo \"127.0.0.1   {HOST_NAME}\" >>/etc/hosts"))
        .pre_command(&format!("echo \"{HOST_NAME}\" >/etc/hostname"))
}

fn users(group: &Group, machine: &Machine) -> Result<Vec<NodeUser>, Failure> {
    machine
        .users
        .iter()
        .map(|user| {
            let keys = user.keys.iter().filter(|key| !key.trim().is_empty()).map(|key| {
                ssh::without_comment(key).map_err(|why| {
                    let message = format!("An SSH key of `{}` for {} is none: {why}", user.name, group.path);
                    Failure::from(
                        Finding::error("ssh-key", message)
                            .at(crate::spec::machine_ref(&machine.name), "spec.users")
                            .remedy("Paste the content of a `.pub` file"),
                    )
                })
            });
            Ok(NodeUser {
                name: user.name.clone(),
                ssh_authorized_keys: keys.collect::<Result<_, _>>()?,
                sudo: Some(SUDO.into()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(input: &Input, role: &Role) -> Result<NodeContribution, Failure> {
        Nodes::of(input)?.node(role)
    }

    use crate::testing::{edit, input_of, spec};

    fn arguments(node: &NodeContribution) -> Vec<String> {
        node.arguments.iter().map(|a| format!("{} {}={}", a.component, a.name, a.value)).collect()
    }

    #[test]
    fn the_control_plane_announces_its_endpoint() {
        let node = node(&input_of(spec()), &Role::ControlPlane).unwrap();
        assert_eq!(node.files.len(), 1);
        assert_eq!(node.files[0].path, "/etc/kubernetes/manifests/kube-vip.yaml");
        assert!(node.files[0].content.contains("value: \"198.51.100.10\""));
        assert!(node.files[0].content.contains("image: example.com/kube-vip:v1.2.0"));
        assert_eq!(arguments(&node), ["kubelet cloud-provider=external", "controller-manager cloud-provider=external"]);
        assert!(node.pre_commands.iter().any(|command| command.contains("super-admin.conf")));
        assert_eq!(node.node_name.as_deref(), Some("{{ ds.meta_data.hostname }}"));
    }

    #[test]
    fn keys_lose_their_comment() {
        let node = node(&input_of(spec()), &Role::Worker("md-0".into())).unwrap();
        assert_eq!(node.os_family, "ubuntu");
        assert_eq!(node.users[0].name, "capv");
        assert!(node.users[0].ssh_authorized_keys[0].starts_with("ssh-rsa AAAA"));
        assert!(!node.users[0].ssh_authorized_keys[0].contains("testuser"));
        assert!(node.files.is_empty());
    }

    #[test]
    fn etcd_machines_get_a_name_and_no_kubelet() {
        let node = node(&input_of(spec()), &Role::Etcd).unwrap();
        assert_eq!(node.pre_commands.len(), 5);
        assert!(node.arguments.is_empty() && node.node_name.is_none());
    }

    #[test]
    fn bottlerocket_has_its_own_paths_and_settings() {
        let config = "  osFamily: bottlerocket\n  hostOSConfiguration:\n    ntpConfiguration:\n      servers: [time.example.com]\n    bottlerocketConfiguration:\n      kubernetes:\n        maxPods: 50\n";
        let text = edit(spec(), &[("  osFamily: ubuntu\n", config)]);
        let node = node(&input_of(&text), &Role::ControlPlane).unwrap();
        assert!(node.pre_commands.iter().all(|command| !command.contains("super-admin.conf")));
        assert!(node.files[0].content.contains("path: /var/lib/kubeadm/admin.conf"));
        assert_eq!(node.ntp_servers, ["time.example.com"]);
        assert_eq!(
            node.extensions,
            [("bottlerocket-settings".to_owned(), r#"{"kubernetes":{"maxPods":50}}"#.to_owned())]
        );
    }

    #[test]
    fn a_worker_group_knows_its_failure_domain_and_its_second_network() {
        let bottlerocket = "  osFamily: bottlerocket\n  networks: [a, b]\n";
        let text = edit(
            spec(),
            &[
                ("  osFamily: ubuntu\n", bottlerocket),
                ("    name: md-0\n", "    name: md-0\n    failureDomains: [east]\n"),
            ],
        );
        let node = node(&input_of(&text), &Role::Worker("md-0".into())).unwrap();
        let extension =
            |name: &str| node.extensions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(extension("failure-domain"), Some("prod-prod-east"));
        assert!(extension("bottlerocket-bootstrap-containers").unwrap().contains("second-network"));
    }

    #[test]
    fn an_unknown_role_is_unsupported() {
        let unknown = node(&input_of(spec()), &Role::Other("edge".into()));
        assert!(matches!(unknown, Err(Failure::Unsupported(_))), "{unknown:?}");
    }
}
