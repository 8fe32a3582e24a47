//! The Docker provider: machines are containers next to the bootstrap cluster. For development and tests.
//!
//! It is also the example to read first: a whole provider in one file. `describe` says who it is, `schema` to `check`
//! look after its documents, `templates` to `addons` render, and [`Preflight`] looks at the real environment.

use kedge_sdk::prelude::*;

const DATACENTER: &str = "DockerDatacenterConfig";
const INFRASTRUCTURE_GROUP: &str = "infrastructure.cluster.x-k8s.io";
const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// The provider.
#[derive(Debug, Default)]
pub struct Docker;

kedge_sdk::export!(Docker, with preflight, upgrade);

impl Provider for Docker {
    fn describe(&self) -> Description {
        let infrastructure = Infrastructure::new("docker", INFRASTRUCTURE_GROUP)
            .namespace("capd-system")
            .kinds("DockerCluster", "DockerMachineTemplate")
            .versions(&["v1beta2", "v1beta1"]);
        Description::new("docker", "Docker", env!("CARGO_PKG_VERSION"), infrastructure)
            .datacenter(DATACENTER, &["anywhere.eks.amazonaws.com/v1alpha1"])
            .own_endpoint()
            .engine_socket(ENGINE_SOCKET)
            .cni("kindnetd")
    }

    fn schema(&self, kind: &str) -> Result<Value, Failure> {
        match kind {
            DATACENTER => Ok(schema::object([]).describe("Containers need no settings").document()),
            other => Err(Failure::unknown_kind(other)),
        }
    }

    fn generate(&self, name: &str, options: &Options) -> Result<String, Failure> {
        let version = options.kubernetes_version()?;
        Ok(format!(
            r#"apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Cluster
metadata:
  name: {name}
spec:
  kubernetesVersion: "{version}"
  controlPlaneConfiguration:
    count: 1
  # Remove this block to run etcd on the control plane machines.
  externalEtcdConfiguration:
    count: 1
  workerNodeGroupConfigurations:
  - name: md-0
    count: 1
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
spec: {{}}
"#
        ))
    }

    fn check(&self, documents: &Documents, findings: &mut Findings) {
        let Ok(cluster) = documents.cluster() else {
            return;
        };
        if cluster.at("spec.proxyConfiguration").is_some() {
            findings.push(
                cluster
                    .warning("spec.proxyConfiguration", "proxy-unused", "Docker machines are not given the proxy")
                    .remedy("Remove `proxyConfiguration`; containers use the network of the container engine"),
            );
        }
        findings.push(
            cluster
                .warning(
                    "",
                    "not-for-production",
                    "The docker infrastructure provider is meant for local development and testing only",
                )
                .remedy("Use another provider for clusters that have to last"),
        );
    }

    fn templates(&self, input: &Input) -> Result<Vec<MachineTemplate>, Failure> {
        let template = |group: Group| {
            let release = input.release_for(&group.role);
            let spec = json!({"template": {"spec": {
                "customImage": release.image("eksD.kindNode")?,
                "extraMounts": [{"containerPath": ENGINE_SOCKET, "hostPath": ENGINE_SOCKET}],
            }}});
            let object = Manifest::unnamed(&api_version(&input.release), "DockerMachineTemplate").spec(spec).build();
            Ok(MachineTemplate { role: group.role, object, in_place: vec![] })
        };
        input.groups()?.into_iter().map(template).collect()
    }

    fn node(&self, input: &Input, role: &Role) -> Result<NodeContribution, Failure> {
        let node = NodeContribution::for_os("container");
        if *role == Role::Etcd {
            return Ok(node);
        }
        let minor = input.release_for(role).kubernetes_minor();
        // Containers share the disk of the machine they run on: pressure there is not theirs to answer.
        let mut node = node
            .argument("kubelet", "eviction-hard", "nodefs.available<0%,nodefs.inodesFree<0%,imagefs.available<0%")
            .argument("kubelet", "cgroup-driver", if minor >= 24 { "systemd" } else { "cgroupfs" });
        if minor >= 31 {
            node = node.argument("kubelet", "fail-cgroupv1", "false");
        }
        if *role == Role::ControlPlane {
            // The API server is reached through a port that the engine maps to the loopback address.
            node = node.cert_san("localhost").cert_san("127.0.0.1").argument(
                "controller-manager",
                "enable-hostpath-provisioner",
                "true",
            );
        }
        Ok(node)
    }

    fn infrastructure(&self, input: &Input) -> Result<InfrastructureObjects, Failure> {
        let image = input.release.image("haproxy.image")?;
        let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
        // The infrastructure provider takes the place alone, and looks for an image of this name there.
        let repository = repository.strip_suffix("/haproxy").ok_or_else(|| {
            Failure::Unsupported(format!(
                "the load balancer image `{image}` of the release: its name has to be `haproxy`"
            ))
        })?;
        let cluster = Manifest::new(&api_version(&input.release), "DockerCluster", &input.cluster_name)
            .namespace(&input.namespace)
            .spec(json!({"loadBalancer": {"imageRepository": repository, "imageTag": tag}}));
        Ok(InfrastructureObjects::new(cluster.build()))
    }

    fn addons(&self, _input: &Input) -> Result<Vec<Placed>, Failure> {
        // The provisioner that the controller manager's argument above switches on.
        let class = Manifest::new("storage.k8s.io/v1", "StorageClass", "standard")
            .set("metadata.annotations[storageclass.kubernetes.io/is-default-class]", json!("true"))
            .set("provisioner", json!("kubernetes.io/host-path"))
            .set("reclaimPolicy", json!("Delete"))
            .set("volumeBindingMode", json!("Immediate"));
        Ok(vec![class.place(Placement::WorkloadCluster)])
    }
}

/// The API version that the release's provider serves: `v1beta2` came with Cluster API 1.11.
fn api_version(release: &Release) -> String {
    let version = release.bundle("docker.version").and_then(Value::as_str).unwrap_or_default();
    let mut numbers = version.trim_start_matches('v').split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let old = match (numbers.next(), numbers.next()) {
        (Some(1), Some(minor)) => minor < 11,
        _ => false,
    };
    format!("{INFRASTRUCTURE_GROUP}/{}", if old { "v1beta1" } else { "v1beta2" })
}

const ENGINE_CHECK: &str = "container-engine";
/// Bytes a cluster of containers needs at least: 6 GiB and what the engine itself takes of 6.2 GB.
const MEMORY_WANTED: u64 = 6_200_000_000;

impl Preflight for Docker {
    fn plan(&self, _input: &Input) -> Result<Vec<Check>, Failure> {
        Ok(vec![Check::new(ENGINE_CHECK, "Container engine validated")])
    }

    fn run(&self, input: &Input, skip: &[String], host: &mut dyn Host) -> Result<Value, Failure> {
        let mut findings = Findings::new();
        // Where the machines will run is for the infrastructure provider to know; the engine next to kedge is a good
        // guess and no more. So what is wrong with it warns and never stops a create.
        match host.engine_ping().and_then(|()| host.engine_version()) {
            Err(error) => findings.push(
                Finding::warning(
                    "engine-unreachable",
                    format!("The container engine does not answer: {}", kedge_sdk::host::explain_engine(&error)),
                )
                .remedy("Start Docker, if the machines are to run on this computer"),
            ),
            Ok(engine) => {
                let major: u32 = engine.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
                if major < 20 {
                    let message = format!("Docker {} is older than 20", engine.version);
                    findings
                        .push(Finding::warning("engine-old", message).remedy("Upgrade Docker to version 20 or newer"));
                }
                if let Ok(info) = host.engine_info()
                    && info.memory < MEMORY_WANTED
                {
                    let message = format!(
                        "The container engine has {} MB of memory, 6200 MB are recommended",
                        info.memory / 1_000_000
                    );
                    findings.push(
                        Finding::warning("engine-memory", message).remedy("Give the container engine more memory"),
                    );
                }
            }
        }
        Reporter::new(host, self.plan(input)?, skip).concluded(ENGINE_CHECK, "", findings.into_vec());
        Ok(json!({}))
    }
}

impl Upgrade for Docker {
    fn compare(&self, _old: &Documents, _new: &Documents) -> Result<Vec<Compared>, Failure> {
        // DockerDatacenterConfig has no fields.
        Ok(vec![])
    }
}

#[cfg(test)]
mod tests;
