//! A whole cluster on real controllers: a management cluster with Cluster API and its provider for vSphere, whose
//! vCenter is this one. Machines are really cloned; who gives them addresses plays their nodes and API server in memory.

use std::process::Command;
use std::time::{Duration, Instant};

use kedge_cluster_api::install::{ComponentManifests, ImageOverrides, InstallTimeouts, install};
use kedge_spec::release::ComponentKind;
use serde_json::json;

use super::{PASSWORD, USER, Vcsim, sandbox};
use crate::apiserver::{ApiServer, Processes, found};
use crate::harness::{Sandbox, spec};
use crate::install::{Aloud, api_of, component, components, runtime, variables};
use crate::management::{documents, manifest, manifests};
use crate::players::Players;
use crate::{peer, skipped, succeeds};

const NAME: &str = "prod";
const CAPV: &str = "v1.16.1";

/// A management cluster, and who plays in it. All ends with it.
struct Management {
    server: ApiServer,
    _players: Players,
    _machines: Processes,
}

/// An address of this machine that no other test has: control plane endpoints have no port, theirs is 6443.
fn endpoint() -> String {
    let [a, b] = (std::process::id() as u16).to_be_bytes();
    format!("127.77.{a}.{}", b.max(1))
}

impl Management {
    fn start(endpoint: &str) -> Result<Self, String> {
        let machines = found("capv-machines")?;
        found("capv-manager")?;
        let mut all = components()?;
        all.pop();
        all.push(ComponentManifests {
            component: component("vsphere", ComponentKind::Infrastructure, "capv-system", CAPV),
            yaml: manifest("infrastructure-vsphere", CAPV, "infrastructure-components.yaml")?,
            images: ImageOverrides::default(),
        });
        let definitions = std::fs::read_to_string(manifests()?.join("vcsim/definitions.yaml"))
            .map_err(|e| format!("the definitions of vcsim: {e}"))?;
        let server = ApiServer::start("management")?;
        let players = Players::start(&server)?;
        let mut variables = variables();
        // Those of a cluster come with the cluster.
        variables.insert("VSPHERE_USERNAME".into(), "nobody".into());
        variables.insert("VSPHERE_PASSWORD".into(), "nothing".into());
        runtime().block_on(async {
            let api = api_of(&server).await;
            install(&api, &all, &variables, &Aloud, InstallTimeouts::default()).await.expect("it installs");
        });
        let client = server.client("harness");
        for definition in documents(&definitions) {
            let name = definition["metadata"]["name"].as_str().expect("a name");
            client.apply(&format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"), &definition);
        }
        let place = "/apis/vcsim.infrastructure.cluster.x-k8s.io/v1alpha1/namespaces/eksa-system/controlplaneendpoints";
        client.until("the definitions of vcsim are served", Duration::from_secs(30), |c| c.try_get(place).is_ok());
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eksa-system"}});
        client.apply("/api/v1/namespaces/eksa-system", &namespace);
        let mut processes = Processes::default();
        let mut command = Command::new(machines);
        command.args(["--leader-elect=false", "--diagnostics-address=127.0.0.1:0", "--insecure-diagnostics=true"]);
        command.args(["--health-addr=127.0.0.1:0"]).env("KUBECONFIG", server.kubeconfig("harness"));
        command.env("POD_IP", endpoint).env("MIN_PORT", "6443").env("POD_NAMESPACE", "capv-system");
        command.env("POD_NAME", "machines").env("POD_UID", "0");
        let log = server.path("capv-machines.log");
        processes.start("capv-machines", &log, &mut command);
        // The cluster's API server listens where this says.
        let own = json!({
            "apiVersion": "vcsim.infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "ControlPlaneEndpoint",
            "metadata": {"name": NAME, "namespace": "eksa-system"},
        });
        client.apply(&format!("{place}/{NAME}"), &own);
        client.until("the endpoint has its port", Duration::from_secs(60), |c| {
            let status = c.get(&format!("{place}/{NAME}"))["status"].clone();
            status["host"] == json!(endpoint) && status["port"] == json!(6443)
        });
        Ok(Self { server, _players: players, _machines: processes })
    }
}

/// Ubuntu, etcd on the control plane, one machine of each kind.
fn cluster(vcsim: &Vcsim, endpoint: &str) -> String {
    let edits = [
        ("server: \"vcenter.example.com\"", format!("server: \"{}\"", vcsim.address)),
        ("thumbprint: \"\"", format!("thumbprint: \"{}\"", vcsim.thumbprint)),
        ("198.18.100.10", endpoint.to_owned()),
        ("my-cluster-name", NAME.to_owned()),
        ("count: 3 ", "count: 1 ".to_owned()),
        ("- count: 2 ", "- count: 1 ".to_owned()),
        ("   kubernetesVersion: ", "   managementCluster: {name: management}\n   kubernetesVersion: ".to_owned()),
    ];
    edits.iter().fold(spec("vsphere-ubuntu-stacked.yaml"), |text, (from, to)| {
        assert!(text.contains(from), "the spec has no {from:?}");
        text.replace(from, to)
    })
}

/// The virtual machines of the cluster, as govc finds them.
fn machines(vcsim: &Vcsim, sandbox: &Sandbox) -> Vec<String> {
    let mut command = peer("govc", sandbox);
    command.env("GOVC_URL", &vcsim.address).env("GOVC_INSECURE", "true").env("GOVC_PERSIST_SESSION", "false");
    command.env("GOVC_USERNAME", USER).env("GOVC_PASSWORD", PASSWORD);
    let found = succeeds(command.args(["find", "/SDDC-Datacenter/vm", "-type", "m", "-name", "prod-*"]));
    found.lines().map(str::to_owned).collect()
}

#[test]
fn a_cluster_is_made_and_deleted_by_real_controllers() {
    let endpoint = endpoint();
    let sandbox = sandbox();
    let management = match Management::start(&endpoint) {
        Ok(management) => management,
        Err(why) => return skipped("a_cluster_is_made_and_deleted_by_real_controllers", &why),
    };
    let vcsim = Vcsim::start(&sandbox);
    sandbox.file("spec.yaml", cluster(&vcsim, &endpoint));
    let kubeconfig = management.server.kubeconfig("kedge");
    let kubeconfig = kubeconfig.to_str().unwrap();
    let begun = Instant::now();
    let create = ["create", "cluster", "-f", "spec.yaml", "--kubeconfig", kubeconfig, "--skip-ip-check"];
    let ran = sandbox.run(create.into_iter().chain(["--bundles-override", "embedded:bundles.yaml"]));
    if ran.code != 0 {
        // Whoever looks for the reason wants to see what the controllers said.
        for log in ["capv-machines.log", "capv-manager.log", "capi-core.log", "capi-kcp.log"] {
            let text = std::fs::read_to_string(management.server.path(log)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            println!("--- {log}\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
    let ran = ran.expect(0);
    println!("created in {:?}", begun.elapsed());
    assert!(ran.stdout.contains("Cluster created!"), "{}", ran.stdout);

    let client = management.server.client("harness");
    let path = format!("/apis/cluster.x-k8s.io/v1beta2/namespaces/eksa-system/clusters/{NAME}");
    client.until("the cluster is available", Duration::from_secs(120), |c| {
        let conditions = c.get(&path)["status"]["conditions"].clone();
        let available = |c: &serde_json::Value| c["type"] == "Available" && c["status"] == "True";
        conditions.as_array().is_some_and(|all| all.iter().any(available))
    });
    let cloned = machines(&vcsim, &sandbox);
    assert_eq!(cloned.len(), 2, "{cloned:?}");
    assert!(cloned.iter().all(|path| path.starts_with("/SDDC-Datacenter/vm/capv/prod/")), "{cloned:?}");
    // What was made needs nothing more.
    let again = sandbox.run(create.into_iter().chain(["--bundles-override", "embedded:bundles.yaml"])).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);

    let begun = Instant::now();
    sandbox.run(["delete", "cluster", NAME, "--kubeconfig", kubeconfig]).expect(0);
    println!("deleted in {:?}", begun.elapsed());
    assert_eq!(machines(&vcsim, &sandbox), Vec::<String>::new());
    assert!(client.try_get(&path).is_err(), "the cluster is still there");
}
