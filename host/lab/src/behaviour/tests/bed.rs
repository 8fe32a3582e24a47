//! A lab in a test: a bootstrap cluster with components installed, and a way to wait that is no sleep.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::behaviour::conditions::is_true;
use crate::behaviour::kinds::{CLUSTER, DEPLOYMENT, MACHINE};
use crate::behaviour::objects::Refused;
use crate::behaviour::{ClusterRole, Pace, World, WorldOptions, yaml};
use crate::kube::{Kind, KubeCluster, LabelSelector, Store, SystemClock, object};
use crate::{Fault, Faults};

pub(super) const NAMESPACE: &str = "eksa-system";
/// Far longer than anything takes here; what is over it hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const MANAGER: &str = "test";

pub(super) const COMPONENTS: &[&str] = &[
    "cluster-api-core.yaml",
    "bootstrap-kubeadm.yaml",
    "control-plane-kubeadm.yaml",
    "etcdadm-bootstrap.yaml",
    "etcdadm-controller.yaml",
];

pub(super) struct Bed {
    pub(super) world: Arc<World>,
    pub(super) bootstrap: KubeCluster,
}

pub(super) fn world(faults: &[&str], speed: f64) -> Arc<World> {
    let faults: Vec<Fault> = faults.iter().map(|one| one.parse().unwrap()).collect();
    World::new(WorldOptions {
        pace: Pace::new(speed),
        faults: Faults::new(faults),
        listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
        clock: Arc::new(SystemClock),
    })
}

impl Bed {
    /// A bootstrap cluster with everything installed that the infrastructure provider `provider` needs.
    pub(super) async fn new(provider: &str, faults: &[&str]) -> Self {
        let world = world(faults, 0.0);
        let bootstrap = world.start_bootstrap("prod", "v1.34.6").await.unwrap();
        let bed = Self { world, bootstrap };
        install(bed.bootstrap.store(), provider).await;
        bed
    }

    pub(super) fn store(&self) -> &Store {
        self.bootstrap.store()
    }

    pub(super) fn workload(&self) -> KubeCluster {
        self.world.cluster(ClusterRole::Workload, "prod").expect("the workload cluster runs")
    }

    /// Waits until the control plane's API answers and brings the pod network to it.
    pub(super) async fn network(&self) -> KubeCluster {
        until(self.store(), "the control plane is initialized", |store| {
            get(store, &CLUSTER, "prod")
                .is_some_and(|one| one.pointer("/status/initialization/controlPlaneInitialized") == Some(&json!(true)))
        })
        .await;
        let workload = self.workload();
        apply_file(workload.store(), "cilium.yaml");
        workload
    }

    pub(super) async fn available(&self) {
        until(self.store(), "the cluster is available", |store| {
            get(store, &CLUSTER, "prod").is_some_and(|one| is_true(&one, "Available"))
        })
        .await;
        until(self.store(), "all machines are running", |store| {
            let machines = machines(store);
            !machines.is_empty() && machines.iter().all(|one| one.pointer("/status/phase") == Some(&json!("Running")))
        })
        .await;
    }
}

/// Waits for a change of the store until `holds`; says what was awaited, and what the clusters say, if it never does.
pub(super) async fn until(store: &Store, what: &str, mut holds: impl FnMut(&Store) -> bool) {
    let mut changed = store.changed();
    let waiting = async {
        while !holds(store) {
            changed.changed().await.expect("the store lives");
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        let state: Vec<String> = [
            CLUSTER,
            MACHINE,
            crate::behaviour::kinds::CONTROL_PLANE,
            crate::behaviour::kinds::ETCD_CLUSTER,
            crate::behaviour::kinds::MACHINE_DEPLOYMENT,
            DEPLOYMENT,
        ]
        .iter()
        .flat_map(|kind| store.list(kind, None, &LabelSelector::everything()))
        .map(|one| {
            format!("{} {}: {}", object::kind(&one), object::name(&one), one.get("status").cloned().unwrap_or_default())
        })
        .collect();
        panic!("never: {what}\n{}", state.join("\n"));
    }
}

pub(super) fn get(store: &Store, kind: &Kind, name: &str) -> Option<Value> {
    store.get(kind, Some(NAMESPACE), name)
}

pub(super) fn machines(store: &Store) -> Vec<Value> {
    store.list(&MACHINE, Some(NAMESPACE), &LabelSelector::everything())
}

pub(super) fn names(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|one| object::name(one).to_owned()).collect()
}

pub(super) fn apply(store: &Store, manifest: Value) -> Result<Value, Refused> {
    Ok(store.apply(manifest, MANAGER)?)
}

/// Applies a file of the embedded release, with its variables at their defaults.
pub(super) fn apply_file(store: &Store, path: &str) {
    let text = crate::release::embedded().file(&format!("embedded:{path}")).expect(path);
    for document in
        yaml::documents(&text.replace("${VSPHERE_USERNAME}", "user").replace("${VSPHERE_PASSWORD}", "secret")).unwrap()
    {
        let what = format!("{path}: {} {}", object::kind(&document), object::name(&document));
        apply(store, document).unwrap_or_else(|refused| panic!("{what}: {refused}"));
    }
}

async fn deployments_available(store: &Store) {
    until(store, "all deployments are available", |store| {
        let all = store.list(&DEPLOYMENT, None, &LabelSelector::everything());
        all.len() > 1 && all.iter().all(|one| is_true(one, "Available"))
    })
    .await;
}

/// Installs what a management cluster needs.
pub(super) async fn install(store: &Store, provider: &str) {
    apply_file(store, "cert-manager.yaml");
    deployments_available(store).await;
    until(store, "the webhook of cert-manager has its authority", |store| injected(store, "cert-manager-webhook"))
        .await;
    for one in COMPONENTS {
        apply_file(store, one);
    }
    apply_file(store, &format!("infrastructure-{provider}.yaml"));
    deployments_available(store).await;
    until(store, "every webhook has its authority", |store| {
        let all = store.list(&crate::behaviour::kinds::VALIDATING, None, &LabelSelector::everything());
        all.iter().all(|one| injected(store, object::name(one)))
    })
    .await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    apply(store, namespace).unwrap();
}

fn injected(store: &Store, name: &str) -> bool {
    let configuration = store.get(&crate::behaviour::kinds::VALIDATING, None, name);
    configuration.is_some_and(|one| {
        one["webhooks"].as_array().unwrap().iter().all(|hook| hook.pointer("/clientConfig/caBundle").is_some())
    })
}

/// What a cluster is made of.
pub(super) struct Sample {
    pub(super) control_plane: u32,
    pub(super) etcd: Option<u32>,
    pub(super) workers: u32,
    pub(super) version: &'static str,
}

impl Default for Sample {
    fn default() -> Self {
        Self { control_plane: 1, etcd: None, workers: 1, version: "v1.34.6-eks-1-34-19" }
    }
}

impl Sample {
    fn meta(name: &str) -> Value {
        json!({"name": name, "namespace": NAMESPACE})
    }

    fn template(name: &str) -> Value {
        json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "VSphereMachineTemplate", "metadata": Self::meta(name), "spec": {"template": {"spec": {
            "template": "/dc/vm/Templates/ubuntu", "datacenter": "dc", "server": "vcenter.example", "network": {"devices": [{"networkName": "net", "dhcp4": true}]}, "numCPUs": 2, "memoryMiB": 8192, "diskGiB": 25,
        }}}})
    }

    pub(super) fn control_plane_object(&self) -> Value {
        let etcd = if self.etcd.is_some() {
            json!({"external": {"endpoints": ["https://placeholder:2379"], "caFile": "/etc/kubernetes/pki/etcd/ca.crt", "certFile": "/etc/kubernetes/pki/apiserver-etcd-client.crt", "keyFile": "/etc/kubernetes/pki/apiserver-etcd-client.key"}})
        } else {
            json!({"local": {"imageRepository": "public.ecr.aws/eks-distro/etcd-io", "imageTag": "v3.5.26-eks-1-34-19"}})
        };
        let node = json!({"nodeRegistration": {"kubeletExtraArgs": [{"name": "cloud-provider", "value": "external"}], "name": "{{ ds.meta_data.hostname }}"}});
        json!({"apiVersion": "controlplane.cluster.x-k8s.io/v1beta2", "kind": "KubeadmControlPlane", "metadata": Self::meta("prod"), "spec": {
            "replicas": self.control_plane, "version": self.version,
            "machineTemplate": {"spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VSphereMachineTemplate", "name": "prod-control-plane-1"}}},
            "kubeadmConfigSpec": {
                "clusterConfiguration": {"imageRepository": "public.ecr.aws/eks-distro/kubernetes", "etcd": etcd, "dns": {"imageRepository": "public.ecr.aws/eks-distro/coredns", "imageTag": "v1.13.2"}},
                "initConfiguration": node, "joinConfiguration": node,
                "files": [{"path": "/etc/kubernetes/manifests/kube-vip.yaml", "content": "apiVersion: v1\nkind: Pod\n", "owner": "root:root"}],
                "users": [{"name": "ec2-user", "sshAuthorizedKeys": ["ssh-rsa AAAA"], "sudo": "ALL=(ALL) NOPASSWD:ALL"}],
            },
        }})
    }

    pub(super) fn deployment_object(&self) -> Value {
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineDeployment", "metadata": {"name": "prod-md-0", "namespace": NAMESPACE, "labels": {"cluster.x-k8s.io/cluster-name": "prod"}}, "spec": {
            "clusterName": "prod", "replicas": self.workers, "selector": {"matchLabels": {}},
            "template": {"metadata": {"labels": {"cluster.x-k8s.io/cluster-name": "prod"}}, "spec": {
                "clusterName": "prod", "version": self.version,
                "bootstrap": {"configRef": {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfigTemplate", "name": "prod-md-0-1"}},
                "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "VSphereMachineTemplate", "name": "prod-md-0-1"},
            }},
        }})
    }

    /// The objects in an order in which they can be applied.
    pub(super) fn objects(&self) -> Vec<Value> {
        let infrastructure =
            |kind: &str, name: &str| json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": kind, "name": name});
        let mut spec = json!({
            "clusterNetwork": {"pods": {"cidrBlocks": ["192.168.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/12"]}},
            "controlPlaneEndpoint": {"host": "198.18.200.1", "port": 6443},
            "infrastructureRef": infrastructure("VSphereCluster", "prod"),
            "controlPlaneRef": {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "prod"},
        });
        if self.etcd.is_some() {
            spec["managedExternalEtcdRef"] =
                json!({"apiGroup": "etcdcluster.cluster.x-k8s.io", "kind": "EtcdadmCluster", "name": "prod-etcd"});
        }
        let mut objects = vec![
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": Self::meta("prod-vsphere-credentials"), "stringData": {"username": "user", "password": "secret"}}),
            json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "prod", "namespace": NAMESPACE, "labels": {"cluster.x-k8s.io/cluster-name": "prod"}}, "spec": spec}),
            json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "VSphereCluster", "metadata": Self::meta("prod"), "spec": {
                "server": "vcenter.example", "thumbprint": "", "controlPlaneEndpoint": {"host": "198.18.200.1", "port": 6443}, "identityRef": {"kind": "Secret", "name": "prod-vsphere-credentials"}}}),
            Self::template("prod-control-plane-1"),
            self.control_plane_object(),
            json!({"apiVersion": "addons.cluster.x-k8s.io/v1beta2", "kind": "ClusterResourceSet", "metadata": Self::meta("prod-cpi"), "spec": {
                "strategy": "Reconcile", "clusterSelector": {"matchLabels": {"cluster.x-k8s.io/cluster-name": "prod"}}, "resources": [{"kind": "ConfigMap", "name": "prod-cpi-manifests"}]}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": Self::meta("prod-cpi-manifests"), "data": {"data": CLOUD_PROVIDER}}),
        ];
        if let Some(members) = self.etcd {
            objects.push(Self::template("prod-etcd-1"));
            objects.push(json!({"apiVersion": "etcdcluster.cluster.x-k8s.io/v1beta1", "kind": "EtcdadmCluster", "metadata": Self::meta("prod-etcd"), "spec": {
                "replicas": members, "infrastructureTemplate": {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "VSphereMachineTemplate", "name": "prod-etcd-1"},
                "etcdadmConfigSpec": {"etcdadmBuiltin": true, "format": "cloud-config", "cloudInitConfig": {"version": "3.5.26", "installDir": "/usr/bin"}, "preEtcdadmCommands": ["hostname x"]}}}));
        }
        objects.push(json!({"apiVersion": "bootstrap.cluster.x-k8s.io/v1beta2", "kind": "KubeadmConfigTemplate", "metadata": Self::meta("prod-md-0-1"), "spec": {"template": {"spec": {
            "joinConfiguration": {"nodeRegistration": {"taints": [], "kubeletExtraArgs": [{"name": "cloud-provider", "value": "external"}]}}}}}}));
        objects.push(Self::template("prod-md-0-1"));
        objects.push(self.deployment_object());
        objects.push(json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineHealthCheck", "metadata": Self::meta("prod-kcp-unhealthy"), "spec": {
            "clusterName": "prod", "selector": {"matchLabels": {"cluster.x-k8s.io/control-plane": ""}},
            "checks": {"nodeStartupTimeoutSeconds": 600, "unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 300}]}}}));
        objects
    }

    pub(super) fn create(&self, store: &Store) {
        for one in self.objects() {
            let what = format!("{} {}", object::kind(&one), object::name(&one));
            apply(store, one).unwrap_or_else(|refused| panic!("{what}: {refused}"));
        }
    }
}

const CLOUD_PROVIDER: &str = r"
apiVersion: v1
kind: ServiceAccount
metadata: {name: cloud-controller-manager, namespace: kube-system}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: vsphere-cloud-controller-manager, namespace: kube-system}
spec:
  selector: {matchLabels: {name: vsphere-cloud-controller-manager}}
  template:
    metadata: {labels: {name: vsphere-cloud-controller-manager}}
    spec:
      hostNetwork: true
      nodeSelector: {node-role.kubernetes.io/control-plane: ''}
      tolerations:
      - {key: node.cloudprovider.kubernetes.io/uninitialized, value: 'true', effect: NoSchedule}
      - {key: node-role.kubernetes.io/control-plane, effect: NoSchedule, operator: Exists}
      - {key: node.kubernetes.io/not-ready, effect: NoSchedule, operator: Exists}
      containers:
      - {name: vsphere-cloud-controller-manager, image: 'public.ecr.aws/eks-anywhere/kubernetes/cloud-provider-vsphere/cpi/manager:v1'}
";
