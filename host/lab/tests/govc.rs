//! A stock `govc` looks around in the lab's vCenter: what it prints is what it prints of a real one with the same things in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what is not as expected is to end it"
)]

use std::path::{Path, PathBuf};

use kedge_lab::{Lab, LabOptions};
use serde_json::{Value, json};

fn spec() -> Vec<Value> {
    let machine =
        |name: &str, spec: Value| json!({"kind": "VSphereMachineConfig", "metadata": {"name": name}, "spec": spec});
    vec![
        json!({"kind": "Cluster", "metadata": {"name": "prod"}, "spec": {
            "kubernetesVersion": "1.34",
            "controlPlaneConfiguration": {"count": 3, "machineGroupRef": {"name": "cp"}},
            "workerNodeGroupConfigurations": [{"name": "md-0", "count": 2, "machineGroupRef": {"name": "md"}}],
        }}),
        json!({"kind": "VSphereDatacenterConfig", "metadata": {"name": "prod"}, "spec": {
            "datacenter": "SDDC-Datacenter", "network": "sddc-net", "server": "vcenter.example.com",
        }}),
        machine(
            "cp",
            json!({"datastore": "WorkloadDatastore", "folder": "Workloads", "resourcePool": "*/Compute",
                "template": "Templates/ubuntu-1-34", "osFamily": "ubuntu", "diskGiB": 25}),
        ),
        machine(
            "md",
            json!({"datastore": "/SDDC-Datacenter/datastore/WorkloadDatastore", "folder": "Workloads",
                "resourcePool": "/SDDC-Datacenter/host/Cluster-A/Resources/Compute",
                "template": "/SDDC-Datacenter/vm/Templates/ubuntu-1-34", "osFamily": "ubuntu"}),
        ),
    ]
}

#[derive(Clone)]
struct Govc {
    program: PathBuf,
    home: PathBuf,
    url: String,
    credentials: (String, String),
    /// The authority that it trusts; without one it trusts everybody.
    ca: Option<PathBuf>,
}

impl Govc {
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(arguments).env_clear().env("HOME", &self.home).env("GOVC_URL", &self.url);
        command.env("GOVC_USERNAME", &self.credentials.0).env("GOVC_PASSWORD", &self.credentials.1);
        command.env("GOVC_PERSIST_SESSION", "false").env("GOVC_DATACENTER", "SDDC-Datacenter");
        match &self.ca {
            Some(ca) => command.env("GOVC_TLS_CA_CERTS", ca),
            None => command.env("GOVC_INSECURE", "true"),
        };
        let output = command.output().await.expect("govc can be run");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    async fn says(&self, arguments: &[&str]) -> String {
        let (ok, text) = self.run(arguments).await;
        assert!(ok, "govc {arguments:?}: {text}");
        text
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments).await).unwrap()
    }
}

/// The value of a line `Key:   value`.
fn line<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn govc_finds_its_way_around() {
    let bin = std::env::var("KEDGE_PEERS").expect("`KEDGE_PEERS` names the folder that `tests/peers/build` printed");
    let home = std::env::temp_dir().join(format!("kedge-govc-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&home).unwrap();
    let lab = Lab::start(LabOptions { documents: spec(), ..LabOptions::default() }).await.unwrap();
    let vcenter = lab.vcenter().unwrap();
    let ca = home.join("ca.pem");
    std::fs::write(&ca, vcenter.ca_pem()).unwrap();
    let govc = Govc {
        program: Path::new(&bin).join("govc"),
        home: home.clone(),
        url: vcenter.url(),
        credentials: (vcenter.credentials().username.clone(), vcenter.credentials().password.clone()),
        ca: Some(ca),
    };

    looks_at_the_server(&govc).await;
    looks_at_the_inventory(&govc).await;
    looks_at_a_template(&govc).await;
    is_told_what_is_wrong(&govc).await;

    // Without a kept session each of these commands logs in and out again; only tag commands leave their REST session, as on a real vCenter.
    assert_eq!(vcenter.sessions().soap, 0, "a session was left open");
    lab.stop().await;
    std::fs::remove_dir_all(&home).unwrap();
}

async fn looks_at_the_server(govc: &Govc) {
    let about = govc.says(&["about"]).await;
    assert_eq!(line(&about, "API type"), Some("VirtualCenter"));
    assert_eq!(line(&about, "API version"), Some("8.0.2.0"));
    let certificate = govc.says(&["about.cert"]).await;
    assert_eq!(line(&certificate, "Certificate Status"), Some("good"));
    assert_eq!(line(&certificate, "Common Name (CN)"), Some("vcenter.example.com"));
    let sessions = govc.says(&["session.ls"]).await;
    assert_eq!(sessions.lines().count(), 2, "{sessions}");
    assert!(sessions.contains("administrator@vsphere.local"));
    assert!(govc.says(&["permissions.ls", "/"]).await.contains("Admin"));
}

async fn looks_at_the_inventory(govc: &Govc) {
    let folders = govc.says(&["ls", "/SDDC-Datacenter"]).await;
    assert_eq!(
        folders.lines().collect::<Vec<_>>(),
        ["/SDDC-Datacenter/vm", "/SDDC-Datacenter/host", "/SDDC-Datacenter/datastore", "/SDDC-Datacenter/network"]
    );
    let find = ["find", "-maxdepth=1", "/SDDC-Datacenter/network", "-type", "n", "-name", "sddc-net"];
    assert_eq!(govc.says(&find).await.trim(), "/SDDC-Datacenter/network/sddc-net");
    for (kind, name, path) in [
        ("p", "Compute", "/SDDC-Datacenter/host/Cluster-A/Resources/Compute"),
        ("c", "Cluster-A", "/SDDC-Datacenter/host/Cluster-A"),
        ("VirtualMachine", "ubuntu-1-34", "/SDDC-Datacenter/vm/Templates/ubuntu-1-34"),
    ] {
        let found = govc.json(&["find", "-json", "/SDDC-Datacenter", "-type", kind, "-name", name]).await;
        assert_eq!(found, json!([path]));
    }
    let datacenter = govc.says(&["datacenter.info", "SDDC-Datacenter"]).await;
    assert_eq!(
        (line(&datacenter, "Hosts"), line(&datacenter, "Clusters"), line(&datacenter, "Datastores")),
        (Some("3"), Some("1"), Some("1"))
    );
    let folder = govc.says(&["folder.info", "/SDDC-Datacenter/vm/Workloads"]).await;
    assert_eq!(line(&folder, "Path"), Some("/SDDC-Datacenter/vm/Workloads"));
    let pool = govc.says(&["pool.info", "/SDDC-Datacenter/host/Cluster-A/Resources/Compute"]).await;
    assert_eq!((line(&pool, "Mem Limit"), line(&pool, "Name")), (Some("-1MB"), Some("Compute")));
    let datastore = govc.json(&["datastore.info", "-json=true", "/SDDC-Datacenter/datastore/WorkloadDatastore"]).await;
    let summary = &datastore["datastores"][0]["summary"];
    assert!(summary["freeSpace"].as_i64() > Some((5 * 25) << 30), "{summary}");
}

async fn looks_at_a_template(govc: &Govc) {
    let path = "/SDDC-Datacenter/vm/Templates/ubuntu-1-34";
    let machine = govc.says(&["vm.info", path]).await;
    assert_eq!((line(&machine, "Power state"), line(&machine, "CPU")), (Some("poweredOff"), Some("2 vCPU(s)")));
    let disks = govc.json(&["device.info", "-vm", path, "-json", "disk-*"]).await;
    assert_eq!(disks["devices"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&disks["devices"][0]["name"], &disks["devices"][0]["capacityInKB"]),
        (&json!("disk-1000-0"), &json!(26_214_400))
    );
    assert!(govc.says(&["snapshot.tree", "-vm", path]).await.starts_with("root"));
    let tags = govc.json(&["tags.attached.ls", "-json", "-r", path]).await;
    let tags: Vec<&str> = tags.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(tags.contains(&"os:ubuntu"), "{tags:?}");
    assert!(tags.iter().any(|tag| tag.starts_with("eksdRelease:kubernetes-1-34-eks-")), "{tags:?}");
    let all = govc.json(&["tags.ls", "-json"]).await;
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|tag| tag["id"].as_str().is_some_and(|id| id.starts_with("urn:vmomi:InventoryServiceTag:")))
    );
    assert!(govc.says(&["library.ls"]).await.contains("/eks-a-templates"));
}

async fn is_told_what_is_wrong(govc: &Govc) {
    for (arguments, expected) in [
        (["datacenter.info", "nope"], "datacenter 'nope' not found"),
        (
            ["datastore.info", "/SDDC-Datacenter/datastore/nope"],
            "datastore '/SDDC-Datacenter/datastore/nope' not found",
        ),
        (["folder.info", "/SDDC-Datacenter/vm/nope"], "folder '/SDDC-Datacenter/vm/nope' not found"),
        (["folder.create", "/SDDC-Datacenter/vm/new"], "does not do `CreateFolder`"),
    ] {
        let (ok, text) = govc.run(&arguments).await;
        assert!(!ok && text.contains(expected), "govc {arguments:?}: {text}");
    }
    let untrusting = Govc { ca: Some(govc.home.join("none.pem")), ..govc.clone() };
    std::fs::write(govc.home.join("none.pem"), "").unwrap();
    let (ok, text) = untrusting.run(&["about"]).await;
    assert!(!ok, "{text}");
    let stranger = Govc { credentials: (govc.credentials.0.clone(), "wrong".to_owned()), ca: None, ..govc.clone() };
    let (ok, text) = stranger.run(&["about"]).await;
    assert!(!ok && text.contains("incorrect user name or password"), "{text}");
}
