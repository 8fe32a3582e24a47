//! This program's preflight against a vCenter that somebody else wrote.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::harness::{Sandbox, spec};
use crate::{peer, succeeds};

const USER: &str = "administrator@vsphere.local";
const PASSWORD: &str = "Tr1cky<&\"pass";

/// A running vcsim, with an inventory like the one that the specs name.
struct Vcsim {
    child: Child,
    address: String,
}

impl Drop for Vcsim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Vcsim {
    fn start(sandbox: &Sandbox) -> Self {
        let certificate =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let cert = sandbox.file("vcsim.pem", certificate.cert.pem());
        let key = sandbox.file("vcsim.key", certificate.signing_key.serialize_pem());
        let mut child = peer("vcsim", sandbox)
            .args(["-username", "administrator", "-password", PASSWORD, "-tlscert"])
            .arg(cert)
            .arg("-tlskey")
            .arg(key)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.next().expect("vcsim says where it listens").unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let vcsim = Self { child, address };
        vcsim.fill(sandbox);
        vcsim
    }

    fn govc(&self, sandbox: &Sandbox, args: &str) -> String {
        let mut command = peer("govc", sandbox);
        command.env("GOVC_URL", &self.address).env("GOVC_INSECURE", "true").env("GOVC_PERSIST_SESSION", "false");
        command.env("GOVC_USERNAME", USER).env("GOVC_PASSWORD", PASSWORD);
        succeeds(command.args(args.split_whitespace()))
    }

    fn fill(&self, sandbox: &Sandbox) {
        let root = "/SDDC-Datacenter";
        std::fs::create_dir_all(sandbox.path().join("ds")).unwrap();
        let ds = sandbox.path().join("ds").display().to_string();
        let pool = format!("{root}/host/Cluster-1/Resources/Compute-ResourcePool");
        for args in [
            "object.rename /DC0 SDDC-Datacenter".to_owned(),
            format!("object.rename {root}/host/DC0_C0 Cluster-1"),
            format!("datastore.create -type local -name WorkloadDatastore -path {ds} {root}/host/Cluster-1"),
            "dvs.portgroup.add -dvs DVS0 -type earlyBinding -nports 64 sddc-cgw-network-1".to_owned(),
            format!("pool.create {pool}"),
            format!("folder.create {root}/vm/Templates"),
            format!("folder.create {root}/vm/capv"),
            format!("folder.create {root}/vm/capv/prod"),
            "tags.category.create -t VirtualMachine os".to_owned(),
            "tags.category.create -t VirtualMachine eksdRelease".to_owned(),
            "tags.create -c os os:ubuntu".to_owned(),
            "tags.create -c eksdRelease eksdRelease:kubernetes-1-35-eks-10".to_owned(),
            format!(
                "vm.create -on=false -m 2048 -c 2 -g ubuntu64Guest -net sddc-cgw-network-1 -ds WorkloadDatastore -pool {pool} -folder {root}/vm/Templates -disk 25GB ubuntu-2204-kube-v1-35"
            ),
            format!("snapshot.create -m=false -vm {root}/vm/Templates/ubuntu-2204-kube-v1-35 root"),
            format!("vm.markastemplate {root}/vm/Templates/ubuntu-2204-kube-v1-35"),
            format!("tags.attach -c os os:ubuntu {root}/vm/Templates/ubuntu-2204-kube-v1-35"),
        ] {
            self.govc(sandbox, &args);
        }
    }

    fn sessions(&self, sandbox: &Sandbox) -> usize {
        // govc's own session is in the list.
        self.govc(sandbox, "session.ls").lines().filter(|l| l.contains("administrator")).count() - 1
    }
}

fn spec_for(vcsim: &Vcsim) -> String {
    spec("vsphere-external-etcd.yaml")
        .replace("server: vcenter.example.com", &format!("server: {}", vcsim.address))
        .replace("insecure: false", "insecure: true")
}

#[test]
fn a_preflight_against_vcsim() {
    let sandbox = Sandbox::new();
    let vcsim = Vcsim::start(&sandbox);
    let sandbox = sandbox.env("EKSA_VSPHERE_USERNAME", USER).env("EKSA_VSPHERE_PASSWORD", PASSWORD);
    let bundles = sandbox.file("spec.yaml", spec_for(&vcsim));
    let before = vcsim.sessions(&sandbox);

    // The template has no tag of its release yet.
    let args = [
        "preflight",
        "-f",
        bundles.to_str().unwrap(),
        "--bundles-override",
        "embedded:bundles.yaml",
        "--skip-ip-check",
    ];
    let untagged = sandbox.run(args).expect(4);
    assert!(untagged.stdout.contains("✅ Authenticated to vSphere"), "{}", untagged.stdout);
    assert!(untagged.stderr.contains("eksdRelease:kubernetes-1-35-eks-10"), "{}", untagged.stderr);

    vcsim.govc(&sandbox, "tags.attach -c eksdRelease eksdRelease:kubernetes-1-35-eks-10 /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35");
    let passed = sandbox.run(args).expect(0);
    assert!(passed.stdout.contains("✅ Control plane and Workload templates validated"), "{}", passed.stdout);
    assert!(passed.stdout.ends_with("✅ Vsphere Provider setup is valid\n"), "{}", passed.stdout);

    assert_eq!(vcsim.sessions(&sandbox), before, "no session is left behind");
}

#[test]
fn a_wrong_password_at_vcsim() {
    let sandbox = Sandbox::new();
    let vcsim = Vcsim::start(&sandbox);
    let sandbox = sandbox.env("EKSA_VSPHERE_USERNAME", USER).env("EKSA_VSPHERE_PASSWORD", "wrong");
    sandbox.file("spec.yaml", spec_for(&vcsim));
    let ran = sandbox
        .run(["preflight", "-f", "spec.yaml", "--bundles-override", "embedded:bundles.yaml", "--skip-ip-check"])
        .expect(4);
    assert!(ran.stdout.contains("✅ Connected to server") && !ran.stdout.contains("Authenticated"), "{}", ran.stdout);
    assert!(ran.stderr.contains("EKSA_VSPHERE_PASSWORD"), "{}", ran.stderr);
}
