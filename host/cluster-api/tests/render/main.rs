//! The objects of whole specs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

mod scene;
mod schema;

use kedge_cluster_api::render::Manifests;
use kedge_spec::provider::{Placement, Role};
use scene::{Scene, text, worker};
use serde_json::{Value, json};

const OIDC: &str = "  identityProviderRefs: [{kind: OIDCConfig, name: people}]\n";
const ETCD: &str = "  externalEtcdConfiguration: {count: 3, machineGroupRef: {kind: ThingMachineConfig, name: prod}}\n";
const PROXY: &str = "  proxyConfiguration: {httpProxy: \"10.0.0.2:3128\", httpsProxy: \"10.0.0.2:3128\", noProxy: [10.0.0.0/24, 127.0.0.1]}\n";
const MIRROR: &str = "  registryMirrorConfiguration: {endpoint: 10.0.0.3, port: \"5000\", caCertContent: \"-----BEGIN CERTIFICATE-----\"}\n";
const POD_IAM: &str = "  podIamConfig: {serviceAccountIssuer: \"https://issuer.example.com\"}\n";
const RICH_WORKER: &str = r#"  - name: big
    count: 1
    autoscalingConfiguration: {minCount: 1, maxCount: 5}
    kubernetesVersion: "1.30"
    labels: {zone: a, team: ops}
    taints: [{key: only, value: big, effect: NoSchedule}]
    upgradeRolloutStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}
    machineHealthCheck: {unhealthyMachineTimeout: 1m30s, maxUnhealthy: 2}
    machineGroupRef: {kind: ThingMachineConfig, name: prod}
"#;

fn object<'a>(manifests: &'a Manifests, kind: &str, name: &str) -> &'a Value {
    manifests
        .objects
        .iter()
        .map(|r| &r.object)
        .find(|o| o["kind"] == kind && o["metadata"]["name"].as_str().unwrap().starts_with(name))
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn argument<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.as_array()?.iter().find(|a| a["name"] == name)?["value"].as_str()
}

fn all() -> Vec<(&'static str, Scene)> {
    let two = worker("md-0") + RICH_WORKER;
    vec![
        ("stacked", Scene::new(&text(&two, ""), "ubuntu")),
        ("external", Scene::new(&text(&worker("md-0"), &[ETCD, OIDC, PROXY, MIRROR, POD_IAM].concat()), "ubuntu")),
        ("bottlerocket", Scene::new(&text(&worker("md-0"), &[ETCD, PROXY, MIRROR].concat()), "bottlerocket")),
        ("container", Scene::new(&text(&worker("md-0"), ""), "container")),
    ]
}

#[test]
fn whole_clusters() {
    for (name, scene) in all() {
        insta::assert_snapshot!(name, scene.render().unwrap().to_yaml());
    }
}

/// A server would drop or refuse nothing.
#[test]
fn everything_fits_its_definition() {
    let schemas = schema::schemas();
    for (name, scene) in all() {
        let mut checked = 0;
        for rendered in scene.render().unwrap().objects {
            let object = rendered.object;
            let key = (object["kind"].as_str().unwrap().to_owned(), object["apiVersion"].as_str().unwrap().to_owned());
            let Some(schema) = schemas.get(&key) else { continue };
            assert_eq!(schema::misfits(&object, schema, &key.0), Vec::<String>::new(), "{name}");
            checked += 1;
        }
        assert!(checked >= 5, "{name}: {checked}");
    }
}

#[test]
fn the_order_is_that_of_applying() {
    let scene = Scene::new(&text(&worker("md-0"), ETCD), "ubuntu");
    let manifests = scene.render().unwrap();
    let order: Vec<String> = manifests.objects.iter().map(|r| r.object["kind"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "Namespace",
        "Secret",
        "Cluster",
        "ThingCluster",
        "ThingMachineTemplate",
        "KubeadmControlPlane",
        "MachineHealthCheck",
        "ThingMachineTemplate",
        "EtcdadmCluster",
        "KubeadmConfigTemplate",
        "ThingMachineTemplate",
        "MachineDeployment",
        "MachineHealthCheck",
        "StorageClass",
    ];
    assert_eq!(order, expected);
    assert_eq!(manifests.placed(Placement::WorkloadCluster).count(), 1);
    let files: Vec<String> = manifests.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        files,
        [
            "before-cluster.yaml",
            "cluster.yaml",
            "control-plane.yaml",
            "etcd.yaml",
            "workers-md-0.yaml",
            "workload-cluster.yaml"
        ]
    );
}

#[test]
fn the_same_input_gives_the_same_bytes_and_a_change_only_new_names_where_it_counts() {
    let scene = || Scene::new(&text(&(worker("md-0") + &worker("md-1")), ""), "ubuntu");
    let first = scene().render().unwrap();
    assert_eq!(first.to_yaml(), scene().render().unwrap().to_yaml());

    let mut changed = scene();
    for template in &mut changed.contributions.templates {
        if template.role == Role::Worker("md-0".into()) {
            template.object["spec"]["template"]["spec"]["cpus"] = json!(8);
        } else {
            template.object["spec"]["template"]["spec"]["tags"] = json!(["b"]);
        }
    }
    let second = changed.render().unwrap();
    let template_of = |m: &Manifests, group: &str| {
        object(m, "MachineDeployment", &format!("prod-{group}"))["spec"]["template"]["spec"]["infrastructureRef"]["name"].clone()
    };
    assert_ne!(template_of(&first, "md-0"), template_of(&second, "md-0"));
    assert_eq!(template_of(&first, "md-1"), template_of(&second, "md-1"));
    let control_plane = |m: &Manifests| object(m, "KubeadmControlPlane", "prod")["spec"]["machineTemplate"].clone();
    assert_eq!(control_plane(&first), control_plane(&second));
    assert!(template_of(&first, "md-0").as_str().unwrap().starts_with("prod-md-0-"));
}

#[test]
fn absent_taints_are_the_usual_and_an_empty_list_is_none() {
    let with = |line: &str| {
        let text = text(&worker("md-0"), "").replace("    count: 3\n", &format!("    count: 3\n{line}"));
        let manifests = Scene::new(&text, "ubuntu").render().unwrap();
        object(&manifests, "KubeadmControlPlane", "prod")["spec"]["kubeadmConfigSpec"]["initConfiguration"]["nodeRegistration"].get("taints").cloned()
    };
    assert_eq!(with(""), Some(json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])));
    assert_eq!(with("    taints: []\n"), Some(json!([])));
    assert_eq!(with("    taints: [{key: a, effect: NoExecute}]\n"), Some(json!([{"key": "a", "effect": "NoExecute"}])));
}

#[test]
fn later_arguments_win_and_stand_in_order() {
    let mut scene = Scene::new(&text(&worker("md-0"), OIDC), "ubuntu");
    for node in scene.contributions.nodes.values_mut() {
        node.arguments.push(kedge_spec::provider::Argument {
            component: "kubelet".into(),
            name: "read-only-port".into(),
            value: "10255".into(),
        });
    }
    let manifests = scene.render().unwrap();
    let config = &object(&manifests, "KubeadmControlPlane", "prod")["spec"]["kubeadmConfigSpec"];
    let kubelet = &config["joinConfiguration"]["nodeRegistration"]["kubeletExtraArgs"];
    assert_eq!(argument(kubelet, "read-only-port"), Some("10255"));
    let names: Vec<&str> = kubelet.as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let server = &config["clusterConfiguration"]["apiServer"]["extraArgs"];
    assert_eq!(argument(server, "oidc-required-claim"), Some("team=ops"));
    assert_eq!(argument(server, "oidc-issuer-url"), Some("https://id.example.com"));
    assert_eq!(argument(server, "profiling"), Some("false"));
}

#[test]
fn the_proxy_leaves_out_what_is_near() {
    let scene = Scene::new(&text(&worker("md-0"), PROXY), "ubuntu");
    let manifests = scene.render().unwrap();
    let files = &object(&manifests, "KubeadmConfigTemplate", "prod-md-0")["spec"]["template"]["spec"]["files"];
    let content = files[0]["content"].as_str().unwrap();
    assert!(
        content.contains(
            "NO_PROXY=192.168.0.0/16,10.96.0.0/12,10.0.0.0/24,127.0.0.1,localhost,.svc,things.example.com,10.0.0.10\""
        ),
        "{content}"
    );
}

#[test]
fn a_group_of_another_version_gets_its_own_images() {
    let scene = Scene::new(&text(RICH_WORKER, ""), "ubuntu");
    let manifests = scene.render().unwrap();
    let version =
        |kind: &str, at: &str| object(&manifests, kind, "prod").pointer(at).unwrap().as_str().unwrap().to_owned();
    assert!(version("KubeadmControlPlane", "/spec/version").starts_with("v1.31."));
    assert!(version("MachineDeployment", "/spec/template/spec/version").starts_with("v1.30."));
    let deployment = object(&manifests, "MachineDeployment", "prod-big");
    assert_eq!(deployment["spec"].get("replicas"), None);
    assert_eq!(
        deployment["metadata"]["annotations"]["cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"],
        "5"
    );
}

#[test]
fn what_does_not_fit_together_is_said() {
    let base = || Scene::new(&text(&worker("md-0"), ""), "ubuntu");
    let said = |scene: &Scene| scene.render().unwrap_err().to_string();

    let mut scene = base();
    scene.contributions.templates.retain(|t| t.role == Role::ControlPlane);
    assert_eq!(said(&scene), "the provider gave no machine template for the worker node group `md-0`");

    let mut scene = base();
    scene.contributions.nodes.get_mut(&Role::ControlPlane).unwrap().os_family = "plan9".into();
    assert!(said(&scene).contains("`plan9`"));

    let mut scene = base();
    let twice = scene.contributions.infrastructure.others[0].clone();
    scene.contributions.infrastructure.others.push(twice);
    assert_eq!(said(&scene), "two objects of this cluster are both called Secret eksa-system/prod-credentials");

    let mut scene = base();
    scene.contributions.infrastructure.cluster["kind"] = json!("OtherCluster");
    assert!(said(&scene).contains("`OtherCluster`"));

    let mut scene = base();
    let files = &mut scene.contributions.nodes.get_mut(&Role::ControlPlane).unwrap().files;
    files[0].path = "/etc/kubernetes/audit-policy.yaml".into();
    assert!(said(&scene).contains("both written to `/etc/kubernetes/audit-policy.yaml`"));

    let checked = text("", "").replace("  workerNodeGroupConfigurations:\n", "");
    let scene = Scene::new(
        &(checked
            .replace("  managementCluster", "  machineHealthCheck: {nodeStartupTimeout: soon}\n  managementCluster")),
        "ubuntu",
    );
    assert!(said(&scene).contains("`soon` is not a time"));
}

/// Ten times the groups are ten times the objects, each with its own name.
#[test]
fn many_groups() {
    let groups: String = (0..200).map(|n| worker(&format!("g-{n}"))).collect();
    let manifests = Scene::new(&text(&groups, ""), "ubuntu").render().unwrap();
    assert_eq!(manifests.objects.iter().filter(|r| r.object["kind"] == "MachineDeployment").count(), 200);
}
