//! Commands that look at nothing but files.

use crate::harness::{Sandbox, spec};

#[test]
fn what_generate_writes_validates_once_the_blanks_are_filled() {
    let sandbox = Sandbox::new();
    let docker = sandbox.run(["generate", "clusterconfig", "dev", "-p", "docker"]).expect(0);
    sandbox.file("dev.yaml", &docker.stdout);
    sandbox.run(["validate", "-f", "dev.yaml"]).expect(0);

    let vsphere = sandbox.run(["generate", "clusterconfig", "prod", "-p", "vsphere"]).expect(0);
    sandbox.file("prod.yaml", &vsphere.stdout);
    // The blanks are blanks: each is found, with its line.
    let blank = sandbox.run(["validate", "-f", "prod.yaml", "-o", "json"]).expect(3);
    let findings: serde_json::Value = serde_json::from_str(&blank.stdout).unwrap();
    for path in ["spec.server", "spec.datacenter", "spec.network", "spec.datastore", "spec.resourcePool"] {
        let found = findings.as_array().unwrap().iter().find(|f| f["path"] == path);
        let line =
            found.unwrap_or_else(|| panic!("nothing is said of {path}: {}", blank.stdout))["line"].as_u64().unwrap();
        let text = vsphere.stdout.lines().nth(usize::try_from(line).unwrap() - 1).unwrap();
        assert!(text.contains(path.rsplit('.').next().unwrap()), "{path} points at `{text}`");
        assert!(text.contains('#'), "the blank of {path} has a comment: `{text}`");
    }
    let filled = vsphere.stdout.lines().map(fill).collect::<Vec<_>>().join("\n");
    sandbox.file("filled.yaml", filled);
    sandbox.run(["validate", "-f", "filled.yaml"]).expect(0);
}

/// Fills a blank as a user would.
fn fill(line: &str) -> String {
    let blank = |key: &str| line.trim_start().starts_with(&format!("{key}:")) && line.contains("\"\"");
    let with = |value: &str| line.replacen("\"\"", &format!("\"{value}\""), 1);
    match () {
        () if blank("server") => with("vcenter.example.com"),
        () if blank("datacenter") => with("SDDC"),
        () if blank("network") => with("/SDDC/network/nodes"),
        () if blank("datastore") => with("/SDDC/datastore/nodes"),
        () if blank("folder") => with("/SDDC/vm/nodes"),
        () if blank("resourcePool") => with("*/Resources/nodes"),
        () if blank("template") => with("/SDDC/vm/Templates/node"),
        () if blank("host") => with("198.51.100.10"),
        () => line.to_owned(),
    }
}

#[test]
fn editors_get_the_schema_of_every_kind() {
    let sandbox = Sandbox::new();
    let schema = |args: &[&str]| -> serde_json::Value {
        let ran = sandbox.run([&["schema"][..], args].concat()).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let whole = schema(&[]);
    for kind in ["Cluster", "OIDCConfig", "FluxConfig", "VSphereMachineConfig", "DockerDatacenterConfig"] {
        assert!(whole["$defs"][kind]["properties"]["spec"].is_object(), "{kind}");
        let one = schema(&[kind]);
        assert_eq!(one["properties"]["kind"]["const"], kind);
        assert_eq!(one["properties"]["spec"]["additionalProperties"], false, "{kind}");
    }
    let unknown = sandbox.run(["schema", "Nonsense"]).expect(3);
    assert!(unknown.stderr.contains("`Nonsense`") && unknown.stderr.contains("`Cluster`"), "{}", unknown.stderr);
    let generated = sandbox.run(["generate", "clusterconfig", "prod", "-p", "vsphere"]).expect(0).stdout;
    let documents = generated.split("---\n").count();
    assert_eq!(generated.matches("# yaml-language-server: $schema=kedge.schema.json\n").count(), documents);
}

#[test]
fn the_three_specs_validate() {
    for name in ["vsphere-ubuntu-stacked.yaml", "vsphere-external-etcd.yaml", "docker.yaml"] {
        let sandbox = Sandbox::new();
        sandbox.spec(name);
        let ran = sandbox.run(["validate", "-f", name]).expect(0);
        assert!(ran.stdout.contains("is valid"), "{}", ran.stdout);
        assert_eq!(sandbox.left_behind(&[name, "home"]), Vec::<String>::new(), "validate leaves nothing");
    }
}

#[test]
fn the_same_spec_renders_to_the_same_bytes() {
    for name in ["vsphere-ubuntu-stacked.yaml", "vsphere-external-etcd.yaml", "docker.yaml"] {
        let sandbox = Sandbox::new();
        sandbox.spec(name);
        let first = sandbox.run(["render", "-f", name]).expect(0);
        let second = sandbox.run(["render", "-f", name]).expect(0);
        assert_eq!(first.stdout, second.stdout);
        // Standard input is the same spec.
        let piped = sandbox.run_with_input(["render", "-f", "-"], spec(name).as_bytes()).expect(0);
        assert_eq!(first.stdout, piped.stdout);
    }
}

#[test]
fn render_writes_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.spec("docker.yaml");
    let whole = sandbox.run(["render", "-f", "docker.yaml"]).expect(0).stdout;
    sandbox.run(["render", "-f", "docker.yaml", "--output-dir", "out"]).expect(0);
    let mut joined = Vec::new();
    for file in std::fs::read_dir(sandbox.path().join("out")).unwrap() {
        joined.extend(documents(&std::fs::read_to_string(file.unwrap().path()).unwrap()));
    }
    let mut parts = documents(&whole);
    joined.sort();
    parts.sort();
    assert_eq!(joined, parts);
}

#[test]
fn version_and_completion() {
    let sandbox = Sandbox::new();
    let version = sandbox.run(["version", "-o", "json"]).expect(0);
    let version: serde_json::Value = serde_json::from_str(&version.stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(["completion", shell]).expect(0);
        assert!(script.stdout.contains("kedge"), "{shell}");
    }
}

#[test]
fn help_is_as_it_was() {
    let sandbox = Sandbox::new();
    for (name, args) in [("help", vec!["--help"]), ("help-create", vec!["create", "cluster", "--help"])] {
        let ran = sandbox.run(args).expect(0);
        insta::assert_snapshot!(name, ran.stdout);
    }
}

#[test]
fn wrong_arguments_are_usage() {
    let sandbox = Sandbox::new();
    for args in [
        vec!["create", "cluster"],
        vec!["frobnicate"],
        vec!["create", "cluster", "-f", "x", "--per-machine-wait-timeout", "soon"],
        vec!["generate", "clusterconfig"],
        vec!["create", "cluster", "-f", "x", "-v", "12"],
    ] {
        let ran = sandbox.run(args.clone()).expect(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_named_as_the_eksctl_plugin_is_that_plugin() {
    let sandbox = Sandbox::new();
    let link = sandbox.path().join("eksctl-anywhere");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kedge"), &link).unwrap();
    let output =
        std::process::Command::new(&link).args(["generate", "clusterconfig", "dev", "-p", "docker"]).output().unwrap();
    assert!(output.status.success());
    let own = sandbox.run(["generate", "clusterconfig", "dev", "-p", "docker"]).expect(0);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), own.stdout);
    let help = std::process::Command::new(&link).args(["create", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("eksctl anywhere create"));
}

/// The documents of a YAML text.
fn documents(text: &str) -> Vec<String> {
    let normal = format!("\n{text}");
    normal.split("\n---\n").map(|d| d.trim().to_owned()).filter(|d| !d.is_empty()).collect()
}
