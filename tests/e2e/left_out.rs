//! What a spec leaves out and a create makes: a key to log in with, a template.

use crate::harness::{Sandbox, spec};

const KEY: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDExampleKeyOfTheDocumentation admin@example.com";

#[test]
fn a_key_is_made_where_the_spec_has_none_and_used_again() {
    let sandbox = Sandbox::new();
    let text = spec("vsphere-ubuntu-stacked.yaml");
    assert!(text.contains(KEY));
    sandbox.file("spec.yaml", text.replace(KEY, ""));
    let create = ["create", "cluster", "-f", "spec.yaml", "--lab"];
    let dry = sandbox.run(create.into_iter().chain(["--dry-run"])).expect(0);
    assert!(dry.stderr.contains("would make a key to log in to nodes with"), "{}", dry.stderr);
    assert_eq!(sandbox.left_behind(&["spec.yaml", "home"]), Vec::<String>::new());

    let ran = sandbox.run(create).expect(0);
    let path = "my-cluster-name/eks-a-id_rsa";
    assert!(
        ran.stdout.starts_with("Provided sshAuthorizedKey is not set or is empty, auto-generating new key pair...\n")
    );
    assert!(ran.stdout.contains(&format!("Private key saved to {path}. Use 'ssh -i {path} ")), "{}", ran.stdout);
    let read = |file: &str| std::fs::read_to_string(sandbox.path().join(file)).unwrap();
    let public = read(&format!("{path}.pub"));
    let key = public.trim();
    assert!(key.starts_with("ssh-ed25519 AAAA"), "{key}");
    assert!(read("my-cluster-name/my-cluster-name-eks-a-cluster.yaml").contains(key));
    let folder = sandbox.path().join("my-cluster-name/generated");
    let rendered: String = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .collect();
    assert!(rendered.contains(key), "the nodes get it");

    // A key that is there is not replaced.
    let ran = sandbox.run(create).expect(0);
    assert!(!ran.stdout.contains("auto-generating"), "{}", ran.stdout);
    assert_eq!(read(&format!("{path}.pub")), public);
}

#[test]
fn bottlerocket_needs_no_template() {
    let sandbox = Sandbox::new();
    let text = spec("vsphere-ubuntu-stacked.yaml");
    let line = text.lines().find(|line| line.trim_start().starts_with("template:")).unwrap();
    let text = text.replace(line, "").replace("\"ubuntu\"", "\"bottlerocket\"").replace("\"capv\"", "\"ec2-user\"");
    sandbox.file("spec.yaml", text);
    let ran = sandbox.run(["preflight", "-f", "spec.yaml", "--lab", "-o", "json"]).expect(0);
    let name = "/SDDC-Datacenter/vm/Templates/bottlerocket-v1.34.";
    assert!(ran.stdout.contains(name), "{}", ran.stdout);
    sandbox.run(["create", "cluster", "-f", "spec.yaml", "--lab"]).expect(0);
}
