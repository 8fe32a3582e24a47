//! Plugins brought here and away, seen from outside, with a registry that this test starts.

use serde_json::Value;

use super::plugins::from_outside;
use crate::harness::Sandbox;

#[path = "../../host/registry/tests/support/mod.rs"]
mod support;

use support::{Door, Lie, Server};

/// A registry that ends with the test.
fn registry() -> (tokio::runtime::Runtime, Server) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start());
    (runtime, server)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn a_plugin_goes_through_a_registry_and_is_held_to_what_was_installed() {
    let (_runtime, server) = registry();
    let sandbox = Sandbox::new();
    from_outside(&sandbox);
    sandbox.spec("docker.yaml");
    sandbox.run(["plugin", "annotate", "theirs.wasm", "-o", "said.wasm"]).expect(0);
    let at = server.address.to_string();
    let name = format!("{at}/acme/docker:1");
    let with = |args: &[&str]| {
        let args: Vec<String> =
            args.iter().map(|a| (*a).to_owned()).chain(["--plain-http".into(), at.clone()]).collect();
        sandbox.run(args)
    };
    let pushed = json(&with(&["plugin", "push", "theirs.wasm", &name, "-o", "json"]).expect(0).stdout);
    let by_digest = pushed["reference"].as_str().unwrap();
    assert!(by_digest.contains("@sha256:"), "{pushed}");

    // It can be looked at where it is, and got into a file.
    let shown = json(&with(&["plugin", "inspect", by_digest, "-o", "json"]).expect(0).stdout);
    assert_eq!(format!("sha256:{}", shown["file"]["digest"].as_str().unwrap()), pushed["digest"], "{shown}");
    with(&["plugin", "pull", &name, "-f", "back.wasm"]).expect(0);
    assert_eq!(
        std::fs::read(sandbox.path().join("back.wasm")).unwrap(),
        std::fs::read(sandbox.path().join("theirs.wasm")).unwrap()
    );

    // Installing asks as the first use does.
    let asked = with(&["plugin", "install", &name]).expect(3);
    assert!(asked.stderr.contains("container engine") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    sandbox.run(["plugin", "verify", "docker"]).expect(3);
    with(&["plugin", "install", &name, "--yes", "--record", "r.jsonl"]).expect(0);
    let verified = json(&sandbox.run(["plugin", "verify", "docker", "-o", "json"]).expect(0).stdout);
    assert_eq!((&verified["digest"], &verified["manifest"]), (&pushed["digest"], &pushed["manifest"]));
    let listed = json(&sandbox.run(["plugin", "list", "-o", "json"]).expect(0).stdout);
    let installed = listed.as_array().unwrap().iter().find(|p| p["source"] == *name).expect("it is listed");
    assert_eq!(installed["digest"], pushed["digest"]);
    sandbox.run(["validate", "-f", "docker.yaml"]).expect(0);

    // Another one under the same tag.
    with(&["plugin", "push", "said.wasm", &name]).expect(0);
    let kept = with(&["plugin", "update", "docker"]).expect(3);
    assert!(kept.stderr.contains("changed"), "{}", kept.stderr);
    assert_eq!(
        json(&sandbox.run(["plugin", "verify", "docker", "-o", "json"]).expect(0).stdout)["digest"],
        pushed["digest"]
    );
    let updated = with(&["plugin", "update", "docker", "--yes"]).expect(0);
    assert!(updated.stdout.contains("before"), "{}", updated.stdout);
    let same = with(&["plugin", "update", "docker"]).expect(0);
    assert!(same.stdout.contains("newest"), "{}", same.stdout);

    // One byte of it changed by hand: it is used no more.
    let file = sandbox.path().join("home/.local/share/kedge/plugins/docker.wasm");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for args in [["plugin", "verify", "docker", "-o", "json"], ["validate", "-f", "docker.yaml", "-v", "0"]] {
        let refused = sandbox.run(args).expect(3);
        assert!(refused.stderr.contains("not the one that was locked or installed"), "{}", refused.stderr);
    }
    sandbox.run(["plugin", "remove", "docker"]).expect(0);
    sandbox.run(["validate", "-f", "docker.yaml"]).expect(0);
    sandbox.run(["plugin", "remove", "docker"]).expect(3);
}

#[test]
fn a_machine_without_a_registry_installs_from_a_layout() {
    let (runtime, server) = registry();
    let sandbox = Sandbox::new();
    from_outside(&sandbox);
    let at = server.address.to_string();
    let name = format!("{at}/acme/docker:1");
    sandbox.run(["plugin", "push", "theirs.wasm", &name, "--plain-http", &at]).expect(0);
    for layout in ["layout", "layout.tar"] {
        sandbox.run(["plugin", "pull", &name, "--layout", layout, "--plain-http", &at]).expect(0);
    }
    drop(runtime);
    for layout in ["layout", "layout.tar"] {
        sandbox.run(["plugin", "install", &name, "--offline", layout, "--yes"]).expect(0);
        sandbox.run(["plugin", "update", "docker", "--offline", layout]).expect(0);
        sandbox.run(["plugin", "remove", "docker"]).expect(0);
    }
    sandbox.run(["plugin", "install", "--offline", "layout.tar", "--yes"]).expect(0);
    let absent =
        sandbox.run(["plugin", "install", &format!("{at}/acme/docker:2"), "--offline", "layout.tar"]).expect(3);
    assert!(absent.stderr.contains("layout.tar"), "{}", absent.stderr);
    let none = sandbox.run(["plugin", "install", "--offline", "theirs.wasm"]).expect(3);
    assert!(none.stderr.contains("OCI layout"), "{}", none.stderr);
}

#[test]
fn what_registries_do_wrong_is_said_with_what_to_do() {
    let (_runtime, server) = registry();
    let sandbox = Sandbox::new();
    from_outside(&sandbox);
    let at = server.address.to_string();
    let name = format!("{at}/acme/docker:1");
    let far = sandbox
        .run(["plugin", "pull", "registry.example/x:1", "-f", "x.wasm", "--plain-http", "registry.example"])
        .expect(3);
    assert!(far.stderr.contains("not on this machine"), "{}", far.stderr);
    let nameless = sandbox.run(["plugin", "install", "acme/docker:1"]).expect(3);
    assert!(nameless.stderr.contains("names no registry"), "{}", nameless.stderr);
    sandbox.run(["plugin", "push", "theirs.wasm", &name, "--plain-http", &at]).expect(0);
    server.lie(Some(Lie::OtherBlob));
    let lie = sandbox.run(["plugin", "install", &name, "--yes", "--plain-http", &at]).expect(3);
    assert!(lie.stderr.contains("something else") && lie.stderr.contains("Do not use it"), "{}", lie.stderr);
    assert!(!sandbox.path().join("home/.local/share/kedge/plugins/docker.wasm").exists());
    server.lie(None);

    // What `docker login` left is used, and never shown.
    server.door(Door::Basic("me".into(), "hunter2hunter2".into()));
    let denied = sandbox.run(["plugin", "pull", &name, "-f", "x.wasm", "--plain-http", &at]).expect(3);
    assert!(denied.stderr.contains("docker login"), "{}", denied.stderr);
    std::fs::create_dir_all(sandbox.path().join("home/.docker")).unwrap();
    let login = format!(r#"{{"auths":{{"{at}":{{"auth":"bWU6aHVudGVyMmh1bnRlcjI="}}}}}}"#);
    sandbox.file("home/.docker/config.json", login);
    let pulled = sandbox.run(["plugin", "pull", &name, "-f", "x.wasm", "--plain-http", &at, "-v", "9"]).expect(0);
    for never in ["hunter2", "bWU6aHVudGVyMmh1bnRlcjI"] {
        assert!(!pulled.stderr.contains(never) && !pulled.stdout.contains(never), "{}", pulled.stderr);
    }
}
