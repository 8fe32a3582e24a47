use kedge_sdk::testing::{FakeEngine, FakeHost, documents, input, yaml};

use super::*;

fn spec() -> Documents {
    documents(&Docker.generate("dev", &Options::new(vec![("kubernetes-version".into(), "1.31".into())])).unwrap())
}

fn dev() -> Input {
    let mut input = input("dev", spec());
    input.release = Release::new(json!({
        "kubernetesVersion": "v1.31.4-eks-1-31-45",
        "versionsBundle": {
            "eksD": {"kindNode": {"name": "kind-node", "uri": "example.com/kind/node:v1.31.4"}},
            "haproxy": {"image": {"name": "haproxy", "uri": "example.com:5000/kind/haproxy:v0.32.0"}},
            "docker": {"version": "v1.13.2+abcdef1"},
        },
    }));
    input
}

#[test]
fn a_generated_spec_is_complete_and_passes_its_own_checks() {
    let text = Docker.generate("dev", &Options::new(vec![("kubernetes-version".into(), "1.31".into())])).unwrap();
    let kinds: Vec<Value> = yaml(&text).into_iter().map(|document| document["kind"].clone()).collect();
    assert_eq!(kinds, ["Cluster", DATACENTER]);

    let mut findings = Findings::new();
    Docker.check(&spec(), &mut findings);
    assert!(!findings.has_errors(), "{findings:?}");
    assert_eq!(spec().cluster().unwrap().text("spec.kubernetesVersion"), "1.31");
}

#[test]
fn a_proxy_that_is_not_used_is_said_with_a_remedy() {
    let mut values: Vec<Value> = spec().iter().map(|document| document.body.clone()).collect();
    values[0]["spec"]["proxyConfiguration"] = json!({"httpProxy": "proxy:3128"});
    let mut findings = Findings::new();
    Docker.check(&kedge_sdk::testing::documents_of(values), &mut findings);
    let said = findings.iter().find(|finding| finding.code == "proxy-unused").unwrap();
    assert_eq!((said.is_error(), said.path.as_str()), (false, "spec.proxyConfiguration"));
    assert!(!said.remedy.is_empty());
}

#[test]
fn every_group_gets_a_template_with_the_node_image() {
    let templates = Docker.templates(&dev()).unwrap();
    let roles: Vec<&Role> = templates.iter().map(|template| &template.role).collect();
    assert_eq!(roles, [&Role::ControlPlane, &Role::Etcd, &Role::Worker("md-0".into())]);
    let object = &templates[0].object;
    assert_eq!(object["apiVersion"], "infrastructure.cluster.x-k8s.io/v1beta2");
    assert_eq!(object["spec"]["template"]["spec"]["customImage"], "example.com/kind/node:v1.31.4");
    assert_eq!(object["spec"]["template"]["spec"]["extraMounts"][0]["hostPath"], "/var/run/docker.sock");
    assert!(object.get("metadata").is_none());
}

#[test]
fn a_provider_before_1_11_gets_the_old_version() {
    let release = |version: &str| Release::new(json!({"versionsBundle": {"docker": {"version": version}}}));
    assert!(api_version(&release("v1.10.2+abc")).ends_with("/v1beta1"));
    assert!(api_version(&release("v1.11.0")).ends_with("/v1beta2"));
    assert!(api_version(&release("v2.0.0")).ends_with("/v1beta2"));
}

#[test]
fn the_control_plane_is_good_for_the_loopback_address() {
    let node = Docker.node(&dev(), &Role::ControlPlane).unwrap();
    assert_eq!(node.cert_sans, ["localhost", "127.0.0.1"]);
    let arguments: Vec<String> =
        node.arguments.iter().map(|a| format!("{} {}={}", a.component, a.name, a.value)).collect();
    assert!(arguments.contains(&"kubelet cgroup-driver=systemd".to_owned()), "{arguments:?}");
    assert!(arguments.contains(&"kubelet fail-cgroupv1=false".to_owned()), "{arguments:?}");
    assert!(arguments.contains(&"controller-manager enable-hostpath-provisioner=true".to_owned()), "{arguments:?}");

    assert!(Docker.node(&dev(), &Role::Worker("md-0".into())).unwrap().cert_sans.is_empty());
    assert!(Docker.node(&dev(), &Role::Etcd).unwrap().arguments.is_empty());
}

#[test]
fn the_load_balancer_is_the_image_of_the_release() {
    let cluster = Docker.infrastructure(&dev()).unwrap().cluster;
    assert_eq!(cluster["metadata"], json!({"name": "dev", "namespace": "eksa-system"}));
    let balancer = json!({"imageRepository": "example.com:5000/kind", "imageTag": "v0.32.0"});
    assert_eq!(cluster["spec"]["loadBalancer"], balancer);
}

#[test]
fn volumes_work_on_the_workload_cluster() {
    let addons = Docker.addons(&dev()).unwrap();
    assert_eq!(addons.len(), 1);
    assert_eq!(addons[0].placement, Placement::WorkloadCluster);
    assert_eq!(addons[0].object["kind"], "StorageClass");
}

#[test]
fn an_engine_that_is_missing_old_or_small_warns_and_never_fails() {
    let summary = |mut host: FakeHost| {
        Docker.run(&dev(), &[], &mut host).unwrap();
        host.summary()
    };
    let engine = |version: &str, memory| FakeHost::new().engine(FakeEngine { version: version.into(), memory });
    assert_eq!(summary(FakeHost::new()), ["container-engine: warned [engine-unreachable]"]);
    assert_eq!(summary(engine("19.03.1", 1 << 30)), ["container-engine: warned [engine-old, engine-memory]"]);
    assert_eq!(summary(engine("27.5.1", 16 << 30)), ["container-engine: passed"]);
}

#[test]
fn a_check_can_be_left_out() {
    let mut host = FakeHost::new();
    Docker.run(&dev(), &["container-engine".into()], &mut host).unwrap();
    assert_eq!(host.summary(), ["container-engine: skipped (left out on request)"]);
}

#[test]
fn the_schema_knows_its_kind_alone() {
    assert_eq!(Docker.schema(DATACENTER).unwrap()["properties"]["spec"]["additionalProperties"], false);
    assert!(matches!(Docker.schema("Other"), Err(Failure::Unsupported(_))));
}
