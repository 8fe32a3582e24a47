//! The plugins, seen from outside.

use crate::harness::Sandbox;

#[test]
fn both_built_in_plugins_are_listed() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(["plugin", "list", "-o", "json"]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["docker", "vsphere"]);
}

#[test]
fn inspect_shows_everything_that_a_plugin_may_do() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(["plugin", "inspect", "vsphere", "-o", "json"]).expect(0);
    for said in ["vcenter", "EKSA_VSPHERE_PASSWORD", "kedge:provider/endpoints", "kedge:provider/preflight", "digest"] {
        assert!(ran.stdout.contains(said), "{said} is missing in\n{}", ran.stdout);
    }
    for never in ["wasi:filesystem", "wasi:sockets", "wasi:http"] {
        assert!(!ran.stdout.contains(never), "{never} is linked:\n{}", ran.stdout);
    }
}

/// A plugin as somebody else would send it: built with the SDK, with no section that says what it asks for.
pub(crate) fn from_outside(sandbox: &Sandbox) -> std::path::PathBuf {
    let target = std::path::Path::new(env!("CARGO_BIN_EXE_kedge")).parent().and_then(std::path::Path::parent).unwrap();
    let built = target.join("plugins/wasm32-wasip2/component/kedge_plugin_docker.wasm");
    sandbox.file("theirs.wasm", std::fs::read(&built).unwrap_or_else(|e| panic!("{}: {e}", built.display())))
}

#[test]
fn a_plugin_from_outside_is_asked_about_and_then_held_to_it() {
    let sandbox = Sandbox::new();
    from_outside(&sandbox);
    sandbox.spec("docker.yaml");
    let args = ["validate", "-f", "docker.yaml", "--plugin", "theirs.wasm"];
    // Nobody sits at a terminal here: the answer is no, and says what was asked for.
    let refused = sandbox.run(args.into_iter().chain(["--audit", "audit.jsonl"])).expect(3);
    assert!(refused.stderr.contains("container engine") && refused.stderr.contains("--yes"), "{}", refused.stderr);
    sandbox.run(args.into_iter().chain(["--yes"])).expect(0);
    let shown = sandbox.run(["audit", "show", "audit.jsonl"]).expect(0);
    let child = shown.stdout.contains("in a child with") && shown.stdout.contains("limits on memory, time and files");
    assert!(child, "{}", shown.stdout);
    sandbox.run(args).expect(0);

    // A file that says what it asks for is another file: it is asked about again.
    let before = sandbox.run(["plugin", "inspect", "theirs.wasm"]).expect(0);
    assert!(before.stdout.contains("does not say in its file"), "{}", before.stdout);
    sandbox.run(["plugin", "annotate", "theirs.wasm", "-o", "said.wasm"]).expect(0);
    let after = sandbox.run(["plugin", "inspect", "said.wasm"]).expect(0);
    assert!(after.stdout.contains("DockerDatacenterConfig") && !after.stdout.contains("Unusual"), "{}", after.stdout);
    let again = sandbox.run(["validate", "-f", "docker.yaml", "--plugin", "said.wasm"]).expect(3);
    assert!(again.stderr.contains("changed"), "{}", again.stderr);
}

#[test]
fn a_policy_has_the_last_word() {
    let sandbox = Sandbox::new();
    from_outside(&sandbox);
    sandbox.spec("docker.yaml");
    sandbox.file("policy.toml", "version = 1\n[plugins]\nallow = ['built-in']\n");
    let args = ["validate", "-f", "docker.yaml", "--plugin", "theirs.wasm", "--policy", "policy.toml", "--yes"];
    let refused = sandbox.run(args).expect(3);
    assert!(refused.stderr.contains("policy.toml"), "{}", refused.stderr);
    sandbox.run(["validate", "-f", "docker.yaml", "--policy", "policy.toml"]).expect(0);
    sandbox.file("small.toml", "version = 1\n[limits]\nmemory-bytes = 65536\n");
    let refused = sandbox.run(["validate", "-f", "docker.yaml", "--policy", "small.toml"]).expect(3);
    assert!(refused.stderr.contains("memory-bytes"), "{}", refused.stderr);
    let missing = sandbox.run(["validate", "-f", "docker.yaml", "--policy", "none.toml"]).expect(3);
    assert!(missing.stderr.contains("none.toml"), "{}", missing.stderr);
}

#[test]
fn a_process_for_each_session_changes_nothing_that_is_seen() {
    let sandbox = Sandbox::new();
    for spec in ["docker.yaml", "vsphere-ubuntu-stacked.yaml"] {
        sandbox.spec(spec);
        let here = sandbox.run(["render", "-f", spec]).expect(0);
        let apart =
            sandbox.run(["render", "-f", spec, "--isolate", "process", "--audit", &format!("{spec}.jsonl")]).expect(0);
        assert_eq!(apart.stdout, here.stdout);
        let shown = sandbox.run(["audit", "show", &format!("{spec}.jsonl")]).expect(0);
        assert!(shown.stdout.contains("in a process of its own with"), "{}", shown.stdout);
    }
    // With servers, secrets and results that are reported: a whole rehearsal.
    let args = ["create", "cluster", "-f", "vsphere-ubuntu-stacked.yaml", "--lab", "--isolate", "process"];
    sandbox.run(args).expect(0);
}
