//! The provider's own commands.

use serde_json::{Value, json};

use super::{USER, Vcsim, sandbox, sandbox_of};
use crate::harness::Sandbox;

fn report(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_inventory_shows_templates_with_their_kubernetes_version() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let at = ["--vcenter", &vcsim.address, "--thumbprint", &vcsim.thumbprint];
    let mut args = vec!["vsphere", "inventory", "-o", "json"];
    args.extend(at);
    let data = report(&sandbox.run(&args).expect(0).stdout);
    let datacenter = &data["datacenters"][0];
    let templates = datacenter["templates"].as_array().unwrap();
    let of = |name: &str| templates.iter().find(|t| t["path"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!(of("/ubuntu-2204-kube-v1-35")["kubernetesVersion"], "1.35");
    assert_eq!(of("/bottlerocket-kube-v1-34")["osFamily"], "bottlerocket");
    assert_eq!(of("/untagged-template")["kubernetesVersion"], "");
    assert!(!templates.iter().any(|t| t["path"].as_str().unwrap().ends_with("/no-template")));
    let sorts: Vec<&Value> = datacenter["networks"].as_array().unwrap().iter().map(|n| &n["sort"]).collect();
    for sort in ["standard", "distributed", "opaque"] {
        assert!(sorts.contains(&&json!(sort)), "{sort}: {sorts:?}");
    }
    vcsim.assert_no_session();

    // A spec says where the vCenter is, too.
    sandbox.file("spec.yaml", vcsim.spec(&[]));
    let ran = sandbox.run(["vsphere", "inventory", "-f", "spec.yaml"]).expect(0);
    assert!(ran.stdout.contains("Kubernetes 1.35 (kubernetes-1-35-eks-10), ubuntu"), "{}", ran.stdout);
    // Without either there is nobody to ask.
    let ran = sandbox.run(["vsphere", "inventory"]).expect(4);
    assert!(ran.stderr.contains("--vcenter"), "{}", ran.stderr);
}

#[test]
fn a_spec_from_a_vcenter_passes_its_preflight() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let key = sandbox.file("key.pub", format!("ssh-ed25519 {} me\n", "AAAAC3NzaC1lZDI1NTE5AAAAI".repeat(3)));
    let ran = sandbox
        .run([
            "generate",
            "clusterconfig",
            "prod",
            "-p",
            "vsphere",
            "--bundles-override",
            "embedded:bundles.yaml",
            "--from-vcenter",
            &format!("https://{}/", vcsim.address),
            "--thumbprint",
            &vcsim.thumbprint,
            "--network",
            "/SDDC-Datacenter/network/sddc-cgw-network-1",
            "--resource-pool",
            "*/Compute-ResourcePool",
            "--folder",
            "/SDDC-Datacenter/vm/capv/prod",
            "--endpoint-host",
            "198.18.99.49",
            "--ssh-key",
            key.to_str().unwrap(),
        ])
        .expect(0);
    sandbox.file("spec.yaml", &ran.stdout);
    sandbox.run(super::PREFLIGHT).expect(0);
    vcsim.assert_no_session();
}

#[test]
fn a_user_is_made_once_and_can_then_work() {
    let password = "N3w<&\"user";
    let sandbox = sandbox().env("EKSA_VSPHERE_NEW_USER_PASSWORD", password);
    let vcsim = Vcsim::start(&sandbox);
    sandbox.file("spec.yaml", vcsim.spec(&[]));
    let command = ["vsphere", "setup-user", "-f", "spec.yaml", "--user", "builder"];
    let mut dry = command.to_vec();
    dry.push("--dry-run");
    vcsim.rules(&json!([]));
    let ran = sandbox.run(&dry).expect(0);
    assert!(ran.stdout.contains("Datastore.AllocateSpace: disks of machines are made"), "{}", ran.stdout);
    let changed = ["CreateLocal", "AddAuthorizationRole", "SetEntityPermissions"];
    let requests = vcsim.state().requests;
    assert!(!requests.iter().any(|line| changed.iter().any(|one| line.contains(one))), "{requests:#?}");

    let ran = sandbox.run(command).expect(0);
    assert!(ran.stdout.contains("user builder@vsphere.local made"), "{}", ran.stdout);
    assert!(ran.stdout.contains("role EKSANetwork made"), "{}", ran.stdout);
    let again = sandbox.run(command).expect(0);
    assert!(again.stdout.contains("user builder@vsphere.local was there"), "{}", again.stdout);
    for text in [&ran.stdout, &ran.stderr, &again.stdout, &again.stderr] {
        assert!(!text.contains(password), "{text}");
    }
    vcsim.assert_no_session();

    let builder = sandbox_of("builder@vsphere.local", password);
    let (checks, _) = vcsim.preflight(&builder, &[], 0);
    assert_eq!(checks.not_passed(), Vec::<String>::new());
    let roles = govc(&vcsim, &sandbox, "role.ls -i");
    assert!(roles.contains("EKSANetwork") && roles.contains("EKSATemplate"), "{roles}");
    let permissions = govc(&vcsim, &sandbox, "permissions.ls /SDDC-Datacenter/vm/capv/prod");
    assert!(permissions.contains("EKSAFolder") && permissions.contains("VSPHERE.LOCAL\\EKSAUsers"), "{permissions}");
}

fn govc(vcsim: &Vcsim, sandbox: &Sandbox, args: &str) -> String {
    let mut command = crate::peer("govc", sandbox);
    command.env("GOVC_URL", &vcsim.address).env("GOVC_INSECURE", "true").env("GOVC_PERSIST_SESSION", "false");
    command.env("GOVC_USERNAME", USER).env("GOVC_PASSWORD", super::PASSWORD);
    crate::succeeds(command.args(args.split_whitespace()))
}

#[test]
fn what_is_no_command_is_said_with_what_there_is() {
    let sandbox = sandbox();
    let ran = sandbox.run(["vsphere"]).expect(2);
    for command in ["inventory", "setup-user", "import-template", "generate"] {
        assert!(ran.stderr.contains(command), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("List what could stand in a spec"), "{}", ran.stderr);
    assert!(sandbox.run(["vsphere", "nothing"]).expect(2).stderr.contains("nothing"));
    assert!(sandbox.run(["nobody", "inventory"]).expect(2).stderr.contains("neither a command nor a provider"));
    assert!(sandbox.run(["docker", "inventory"]).expect(2).stderr.contains("no commands of its own"));
}
