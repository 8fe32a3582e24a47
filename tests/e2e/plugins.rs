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
