//! The container that is a node: what the engine is asked to start.
//!
//! Names, labels and settings are those of kind, so that a stock kind lists, exports and deletes what is made here.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HostConfig, HostConfigCgroupnsModeEnum, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use sha2::{Digest, Sha256};

use super::engine::Info;
use super::kubeadm::{API_PORT, POD_SUBNET, SERVICE_SUBNET};
use crate::{Identity, Wanted};

/// The labels by which kind knows its containers.
pub(super) const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";
const ROLE_LABEL: &str = "io.x-k8s.kind.role";
/// Whose it is: [`Identity::owner`].
pub(super) const OWNER_LABEL: &str = "kedge.owner";
/// The cluster that it was made for, and the folder of that, for people.
const FOR_LABEL: &str = "kedge.cluster";
pub(super) const FOLDER_LABEL: &str = "kedge.folder";
/// How its node was started: [`Rights`].
pub(super) const RIGHTS_LABEL: &str = "kedge.rights";

/// A host name has at most so many characters.
const LONGEST: usize = 63;
const SUFFIX: &str = "-control-plane";

/// The bootstrap cluster of a cluster, as kind names it: EKS Anywhere's name for it, shortened where it would be no host
/// name.
pub(super) fn cluster_name(cluster: &str) -> String {
    let name = format!("{cluster}-eks-a-cluster");
    if name.len() + SUFFIX.len() <= LONGEST {
        return name;
    }
    let mut digest = hex::encode(Sha256::digest(name.as_bytes()));
    digest.truncate(8);
    let room = LONGEST - SUFFIX.len() - digest.len() - 1;
    format!("{}-{digest}", name.chars().take(room).collect::<String>().trim_end_matches('-'))
}

/// The one node of a bootstrap cluster.
pub(super) fn node_name(cluster: &str) -> String {
    format!("{}{SUFFIX}", cluster_name(cluster))
}

/// What a node may do on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// All of it, as kind asks for.
    Privileged,
    /// For hosts that can't give all of it: each capability by itself, and the kernel's files made writable inside.
    Listed,
}

impl Rights {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Listed => "listed",
        }
    }

    pub(super) fn from_label(word: Option<&String>) -> Self {
        if word.is_some_and(|w| w == Self::Listed.word()) { Self::Listed } else { Self::Privileged }
    }
}

/// Makes what the engine mounted for reading writable again, as far as it is the container's own, and goes on with what
/// the image starts. Each control group hierarchy is a mount of its own in version 1.
const OPEN_UP: &str = r#"set -e
mount -o remount,rw /sys
while read -r _ at _; do
  case "$at" in /sys/fs/cgroup|/sys/fs/cgroup/*) mount -o remount,bind,rw "$at" ;; esac
done < /proc/mounts
[ -e /dev/kmsg ] || mknod /dev/kmsg c 1 11
mount -o remount,rw /proc/sys || true
exec "$@"
"#;

/// What a node's container depends on.
pub(super) struct Plan<'a> {
    pub(super) identity: &'a Identity,
    pub(super) wanted: &'a Wanted,
    pub(super) info: &'a Info,
    pub(super) image: &'a str,
    /// What the image starts: its entrypoint and command.
    pub(super) starts: &'a [String],
    /// The id or name of the network, and its subnets.
    pub(super) network: &'a str,
    pub(super) subnets: &'a [String],
    /// The engine's socket on the engine's machine.
    pub(super) socket: &'a str,
    /// Where the API server is published.
    pub(super) listen: &'a str,
    pub(super) port: u16,
    pub(super) rights: Rights,
    /// The runtime, if it is not the engine's own choice.
    pub(super) runtime: Option<&'a str>,
    /// Variables that are handed on to the node as they are.
    pub(super) pass: &'a [(String, String)],
}

pub(super) fn body(plan: &Plan<'_>) -> ContainerCreateBody {
    let Identity { cluster, owner, folder } = plan.identity;
    let name = node_name(cluster);
    let labels = [
        (CLUSTER_LABEL, cluster_name(cluster)),
        (ROLE_LABEL, "control-plane".to_owned()),
        (OWNER_LABEL, owner.clone()),
        (FOR_LABEL, cluster.clone()),
        (FOLDER_LABEL, folder.clone()),
        (RIGHTS_LABEL, plan.rights.word().to_owned()),
    ];
    let listed = plan.rights == Rights::Listed;
    let entrypoint = listed.then(|| {
        ["/bin/bash", "-c", OPEN_UP, "open-up"].iter().map(ToString::to_string).chain(plan.starts.to_vec()).collect()
    });
    ContainerCreateBody {
        hostname: Some(name),
        image: Some(plan.image.to_owned()),
        entrypoint,
        cmd: listed.then(Vec::new),
        tty: Some(true),
        env: Some(environment(plan)),
        labels: Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        volumes: Some(vec!["/var".to_owned()]),
        exposed_ports: Some(vec![format!("{API_PORT}/tcp")]),
        host_config: Some(host(plan)),
        ..Default::default()
    }
}

fn host(plan: &Plan<'_>) -> HostConfig {
    let listed = plan.rights == Rights::Listed;
    let mut binds = vec!["/lib/modules:/lib/modules:ro".to_owned()];
    if let Some(path) = &plan.wanted.engine_socket {
        binds.push(format!("{}:{path}", plan.socket));
    }
    if matches!(plan.info.storage.as_str(), "btrfs" | "zfs" | "xfs" | "devicemapper") && !plan.info.rootless {
        binds.push("/dev/mapper:/dev/mapper".to_owned());
    }
    let security = vec!["seccomp=unconfined".to_owned(), "apparmor=unconfined".to_owned()];
    let tmpfs = |options: &str| ["/tmp", "/run"].map(|at| (at.to_owned(), options.to_owned())).into_iter().collect();
    let binding = PortBinding { host_ip: Some(plan.listen.to_owned()), host_port: Some(plan.port.to_string()) };
    HostConfig {
        binds: Some(binds),
        network_mode: Some(plan.network.to_owned()),
        port_bindings: Some(HashMap::from([(format!("{API_PORT}/tcp"), Some(vec![binding]))])),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ON_FAILURE),
            maximum_retry_count: Some(1),
        }),
        init: Some(false),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        privileged: Some(!listed),
        // No path of the system is hidden or for reading alone. The engine's client calls that `systempaths=unconfined`.
        masked_paths: listed.then(Vec::new),
        readonly_paths: listed.then(Vec::new),
        cap_add: listed.then(|| vec!["ALL".to_owned()]),
        // The one that hosts of this sort lack.
        cap_drop: listed.then(|| vec!["SYS_RESOURCE".to_owned()]),
        device_cgroup_rules: listed.then(|| vec!["a *:* rwm".to_owned()]),
        security_opt: Some(security),
        tmpfs: Some(tmpfs(if listed { "exec" } else { "" })),
        userns_mode: plan.info.userns_remap.then(|| "host".to_owned()),
        devices: plan.info.rootless.then(|| {
            vec![DeviceMapping {
                path_on_host: Some("/dev/fuse".into()),
                path_in_container: Some("/dev/fuse".into()),
                cgroup_permissions: Some("rwm".into()),
            }]
        }),
        sysctls: plan.subnets.iter().any(|s| s.contains(':')).then(|| {
            ["net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.all.forwarding"]
                .into_iter()
                .zip(["0", "1"])
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        }),
        runtime: plan.runtime.map(str::to_owned),
        ..Default::default()
    }
}

fn environment(plan: &Plan<'_>) -> Vec<String> {
    let mut variables = vec!["KUBECONFIG=/etc/kubernetes/admin.conf".to_owned()];
    variables.extend(plan.pass.iter().map(|(name, value)| format!("{name}={value}")));
    if let Some(proxy) = &plan.wanted.proxy {
        // What is inside is reached directly.
        let own = [".svc", ".svc.cluster", ".svc.cluster.local", POD_SUBNET, SERVICE_SUBNET, "127.0.0.1", "localhost"];
        let mut without = proxy.without.clone();
        without.extend(plan.subnets.iter().cloned());
        without.push(node_name(&plan.identity.cluster));
        without.extend(own.map(str::to_owned));
        let without = without.join(",");
        let all = [("HTTP_PROXY", &proxy.http), ("HTTPS_PROXY", &proxy.https), ("NO_PROXY", &without)];
        for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
            variables.push(format!("{name}={value}"));
            variables.push(format!("{}={value}", name.to_lowercase()));
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proxy;

    fn plan<'a>(identity: &'a Identity, wanted: &'a Wanted, info: &'a Info, rights: Rights) -> Plan<'a> {
        Plan {
            identity,
            wanted,
            info,
            image: "kindest/node:v1.34.0",
            starts: &[],
            network: "net",
            subnets: &[],
            socket: "/run/user/1/docker.sock",
            listen: "127.0.0.1",
            port: 40000,
            rights,
            runtime: None,
            pass: &[],
        }
    }

    fn identity() -> Identity {
        Identity { cluster: "prod".into(), owner: "abc".into(), folder: "/home/me/prod".into() }
    }

    #[test]
    fn names_are_host_names() {
        assert_eq!(node_name("prod"), "prod-eks-a-cluster-control-plane");
        let long = "a".repeat(60);
        let (one, other) = (node_name(&long), node_name(&format!("{long}b")));
        assert!(one.len() <= LONGEST && one.ends_with(SUFFIX), "{one}");
        assert_ne!(one, other, "clusters that differ at the end differ");
    }

    #[test]
    fn a_node_is_what_kind_expects() {
        let (identity, info) = (identity(), Info::default());
        let wanted = Wanted { engine_socket: Some("/var/run/docker.sock".into()), ..Wanted::default() };
        let body = body(&plan(&identity, &wanted, &info, Rights::Privileged));
        let labels = body.labels.unwrap();
        assert_eq!(labels["io.x-k8s.kind.cluster"], "prod-eks-a-cluster");
        assert_eq!(labels["io.x-k8s.kind.role"], "control-plane");
        assert_eq!(labels["kedge.owner"], "abc");
        assert_eq!(body.volumes.unwrap(), ["/var"]);
        assert!(body.entrypoint.is_none() && body.cmd.is_none(), "the image's own");
        let host = body.host_config.unwrap();
        assert_eq!(host.privileged, Some(true));
        assert!(host.binds.unwrap().contains(&"/run/user/1/docker.sock:/var/run/docker.sock".to_owned()));
        let port = &host.port_bindings.unwrap()["6443/tcp"].clone().unwrap()[0];
        assert_eq!((port.host_ip.as_deref(), port.host_port.as_deref()), (Some("127.0.0.1"), Some("40000")));
        assert!(host.sysctls.is_none());
    }

    #[test]
    fn without_privileges_each_right_is_named() {
        let (identity, wanted, info) = (identity(), Wanted::default(), Info::default());
        let starts = ["/usr/local/bin/entrypoint".to_owned(), "/sbin/init".to_owned()];
        let body = body(&Plan { starts: &starts, ..plan(&identity, &wanted, &info, Rights::Listed) });
        let entrypoint = body.entrypoint.unwrap();
        assert_eq!(entrypoint[entrypoint.len() - 2..], starts, "the image's own program comes last");
        let host = body.host_config.unwrap();
        assert_eq!(host.privileged, Some(false));
        assert_eq!(host.cap_add.unwrap(), ["ALL"]);
        assert_eq!(host.cap_drop.unwrap(), ["SYS_RESOURCE"]);
        assert_eq!(host.tmpfs.unwrap()["/run"], "exec");
        assert_eq!((host.masked_paths, host.readonly_paths), (Some(vec![]), Some(vec![])));
    }

    #[test]
    fn a_proxy_is_not_asked_for_what_is_inside() {
        let (identity, info) = (identity(), Info { rootless: true, userns_remap: true, ..Info::default() });
        let proxy = Proxy { http: "http://p:1".into(), https: String::new(), without: vec!["10.0.0.0/8".into()] };
        let wanted = Wanted { proxy: Some(proxy), ..Wanted::default() };
        let subnets = ["172.18.0.0/16".to_owned(), "fd00::/64".to_owned()];
        let body = body(&Plan { subnets: &subnets, ..plan(&identity, &wanted, &info, Rights::Privileged) });
        let env = body.env.unwrap();
        assert!(env.contains(&"HTTP_PROXY=http://p:1".to_owned()) && env.contains(&"http_proxy=http://p:1".to_owned()));
        assert!(!env.iter().any(|v| v.starts_with("HTTPS_PROXY")));
        let without = env.iter().find(|v| v.starts_with("NO_PROXY=")).unwrap();
        for part in ["10.0.0.0/8", "172.18.0.0/16", "prod-eks-a-cluster-control-plane", ".svc", SERVICE_SUBNET] {
            assert!(without.contains(part), "{without}");
        }
        let host = body.host_config.unwrap();
        assert_eq!(host.userns_mode.as_deref(), Some("host"));
        assert_eq!(host.devices.unwrap().len(), 1);
        assert_eq!(host.sysctls.unwrap()["net.ipv6.conf.all.forwarding"], "1");
    }
}
