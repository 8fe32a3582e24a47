//! Specs, a release and a provider that exists only here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kedge_cluster_api::Error;
use kedge_cluster_api::render::{Manifests, RenderInput, render};
use kedge_spec::provider::{
    Argument, Contributions, Description, EndpointNeed, HostMount, Infrastructure, InfrastructureObjects, KindClaim,
    KindRole, MachineTemplate, Manifest, NodeContribution, NodeFile, NodeUser, Placement, Role,
};
use kedge_spec::release::{Bundles, Release, ReleaseView};
use kedge_spec::{DefaultedSpec, Source, Spec};
use serde_json::json;

const GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// The folder of the release that is embedded in the lab: the nearest thing to a real one.
pub(crate) fn release_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../lab/release")
}

pub(crate) fn release() -> Release {
    let folder = release_folder();
    let bundles = std::fs::read_to_string(folder.join("bundles.yaml")).unwrap();
    let bundles = Bundles::parse(&bundles, "bundles").unwrap();
    let eksd = bundles
        .eksd_urls()
        .map(|(_, url)| {
            let file = url.rsplit('/').next().unwrap().rsplit(':').next().unwrap().to_owned();
            let text = std::fs::read_to_string(folder.join("eksd").join(file)).unwrap();
            (url.to_owned(), text)
        })
        .collect();
    bundles.with_eksd(eksd).unwrap()
}

pub(crate) fn provider() -> Description {
    let claim = |role, kind: &str| KindClaim {
        role,
        kind: kind.into(),
        api_versions: vec!["anywhere.eks.amazonaws.com/v1alpha1".into()],
    };
    Description {
        name: "thing".into(),
        title: "Thing".into(),
        version: "1.0.0".into(),
        kinds: vec![
            claim(KindRole::Datacenter, "ThingDatacenterConfig"),
            claim(KindRole::Machine, "ThingMachineConfig"),
        ],
        endpoints: vec![EndpointNeed {
            name: "things".into(),
            purpose: "makes things".into(),
            kind: "ThingDatacenterConfig".into(),
            server_field: "spec.server".into(),
            default_port: 443,
            insecure_field: None,
            thumbprint_field: None,
        }],
        secrets: vec![],
        infrastructure: Infrastructure {
            name: "thing".into(),
            release_key: "thing".into(),
            namespace: "thing-system".into(),
            api_group: GROUP.into(),
            cluster_kind: "ThingCluster".into(),
            machine_template_kind: "ThingMachineTemplate".into(),
            api_versions: vec!["v1beta1".into()],
        },
        machine_documents: true,
        user_endpoint: true,
        extra_cni: vec![],
        extensions: BTreeMap::new(),
    }
}

/// A spec from its text.
pub(crate) fn spec(text: &str) -> DefaultedSpec {
    let spec = Spec::parse(Source::new("prod.yaml", text)).unwrap_or_else(|e| panic!("{e:?}"));
    let defaulted = spec.with_host_defaults(&provider(), None);
    let documents = defaulted.provider_documents();
    defaulted.complete(documents, vec![]).unwrap_or_else(|e| panic!("{e:?}"))
}

/// What the provider gives for each role of a spec.
pub(crate) fn contributions(spec: &DefaultedSpec, family: &str) -> Contributions {
    let cluster = &spec.cluster().spec;
    let mut roles = vec![Role::ControlPlane];
    if cluster.external_etcd_configuration.is_some() {
        roles.push(Role::Etcd);
    }
    roles.extend(cluster.worker_node_group_configurations.iter().map(|g| Role::Worker(g.name.clone())));
    let templates = roles.iter().map(|role| MachineTemplate {
        role: role.clone(),
        object: json!({
            "apiVersion": format!("{GROUP}/v1beta1"), "kind": "ThingMachineTemplate",
            "spec": {"template": {"spec": {"cpus": if *role == Role::ControlPlane { 4 } else { 2 }, "tags": ["a"]}}},
        }),
        in_place: vec!["spec.template.spec.tags".into()],
    });
    Contributions {
        templates: templates.collect(),
        nodes: roles.iter().map(|role| (role.clone(), node(role, family))).collect(),
        infrastructure: InfrastructureObjects {
            cluster: json!({
                "apiVersion": format!("{GROUP}/v1beta1"), "kind": "ThingCluster",
                "metadata": {"name": "prod", "namespace": "eksa-system"}, "spec": {"server": "things.example.com"},
            }),
            others: vec![Manifest {
                placement: Placement::BeforeCluster,
                object: json!({
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod-credentials", "namespace": "eksa-system"},
                    "stringData": {"password": "${kedge.secret/password}"},
                }),
            }],
        },
        addons: vec![Manifest {
            placement: Placement::WorkloadCluster,
            object: json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}, "provisioner": "things.example.com"}),
        }],
    }
}

fn node(role: &Role, family: &str) -> NodeContribution {
    let argument = |component: &str, name: &str, value: &str| Argument {
        component: component.into(),
        name: name.into(),
        value: value.into(),
    };
    let mut node = NodeContribution {
        os_family: family.into(),
        files: vec![],
        pre_commands: if family == "bottlerocket" {
            vec![]
        } else {
            vec!["hostname \"{{ ds.meta_data.hostname }}\"".into()]
        },
        post_commands: vec![],
        arguments: vec![],
        mounts: vec![],
        users: vec![NodeUser {
            name: "capi".into(),
            ssh_authorized_keys: vec!["ssh-ed25519 AAAA".into()],
            sudo: Some("ALL=(ALL) NOPASSWD:ALL".into()),
        }],
        ntp_servers: vec!["time.example.com".into()],
        certificates: vec![],
        cert_sans: vec![],
        node_name: (family == "ubuntu").then(|| "{{ ds.meta_data.hostname }}".into()),
        extensions: BTreeMap::new(),
    };
    if family == "bottlerocket" {
        node.certificates = vec!["-----BEGIN CERTIFICATE-----\n".into()];
        node.extensions.insert("certificate-names".into(), "[\"site\"]".into());
        node.extensions.insert("bottlerocket-settings".into(), "{\"kubernetes\":{\"maxPods\":50}}".into());
    }
    if *role != Role::Etcd {
        node.arguments.push(argument("kubelet", "cloud-provider", "external"));
    }
    if *role == Role::ControlPlane {
        node.arguments.push(argument("controller-manager", "cloud-provider", "external"));
        node.cert_sans = vec!["things.local".into()];
        node.mounts = vec![HostMount {
            component: "api-server".into(),
            name: "plugin".into(),
            host_path: "/var/run/plugin".into(),
            mount_path: "/var/run/plugin".into(),
            read_only: false,
        }];
        node.files.push(NodeFile {
            path: "/etc/kubernetes/manifests/vip.yaml".into(),
            owner: "root:root".into(),
            permissions: "0640".into(),
            content: "apiVersion: v1\nkind: Pod\n".into(),
        });
    }
    node
}

/// All of it.
pub(crate) struct Scene {
    pub(crate) spec: DefaultedSpec,
    pub(crate) view: ReleaseView,
    pub(crate) provider: Description,
    pub(crate) contributions: Contributions,
}

impl Scene {
    pub(crate) fn new(text: &str, family: &str) -> Self {
        let spec = spec(text);
        let view = release().view(&spec).unwrap_or_else(|f| panic!("{f:?}"));
        let contributions = contributions(&spec, family);
        Self { spec, view, provider: provider(), contributions }
    }

    pub(crate) fn render(&self) -> Result<Manifests, Error> {
        render(&RenderInput {
            spec: &self.spec,
            release: &self.view,
            provider: &self.provider,
            contributions: &self.contributions,
        })
    }
}

/// A spec with these worker node groups, and further lines below `spec`.
pub(crate) fn text(workers: &str, more: &str) -> String {
    format!(
        r#"apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: Cluster
metadata:
  name: prod
spec:
  kubernetesVersion: "1.31"
  controlPlaneConfiguration:
    count: 3
    endpoint:
      host: 10.0.0.10
    machineGroupRef: {{kind: ThingMachineConfig, name: prod}}
  datacenterRef: {{kind: ThingDatacenterConfig, name: prod}}
  clusterNetwork:
    cniConfig: {{cilium: {{}}}}
    pods: {{cidrBlocks: [192.168.0.0/16]}}
    services: {{cidrBlocks: [10.96.0.0/12]}}
  managementCluster: {{name: prod}}
  workerNodeGroupConfigurations:
{workers}{more}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: ThingDatacenterConfig
metadata: {{name: prod}}
spec: {{server: things.example.com}}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: ThingMachineConfig
metadata: {{name: prod}}
spec: {{}}
---
apiVersion: anywhere.eks.amazonaws.com/v1alpha1
kind: OIDCConfig
metadata: {{name: people}}
spec:
  clientId: kubernetes
  issuerUrl: https://id.example.com
  usernameClaim: email
  requiredClaims: [{{claim: team, value: ops}}]
"#
    )
}

/// A plain worker node group.
pub(crate) fn worker(name: &str) -> String {
    format!("  - {{name: {name}, count: 2, machineGroupRef: {{kind: ThingMachineConfig, name: prod}}}}\n")
}
