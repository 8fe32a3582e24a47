//! What components import and export: only what was asked for, because hosts probe for each optional interface.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::DecodedWasm;
use wit_parser::WorldItem;

/// Interfaces of the standard library's WASI that a host links as inert stand-ins.
const INERT: [&str; 4] = ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds a component and says what it imports and exports.
fn component(arguments: &[&str], file: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let target = workspace().join("target/plugins");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--profile", "component", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .args(arguments)
        .current_dir(workspace())
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?} does not build");
    let bytes = std::fs::read(target.join("wasm32-wasip2/component").join(file)).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
        panic!("{file} is no component");
    };
    let names = |items: Vec<(&wit_parser::WorldKey, &WorldItem)>| {
        items.into_iter().map(|(key, _)| resolve.name_world_key(key)).collect::<BTreeSet<String>>()
    };
    let world = &resolve.worlds[world];
    (names(world.imports.iter().collect()), names(world.exports.iter().collect()))
}

fn interfaces(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("kedge:provider/{name}@0.1.0")).collect()
}

const REQUIRED: [&str; 4] = ["config", "describe", "machines", "manifests"];

#[test]
fn a_provider_without_optional_parts_exports_none() {
    let (imports, exports) = component(&["-p", "kedge-sdk", "--example", "minimal"], "examples/minimal.wasm");
    assert_eq!(exports, interfaces(&REQUIRED));
    assert!(!imports.contains("kedge:provider/endpoints@0.1.0"), "{imports:?}");
}

#[test]
fn the_providers_of_this_repository_export_what_they_have() {
    for (package, file) in
        [("kedge-plugin-docker", "kedge_plugin_docker.wasm"), ("kedge-plugin-vsphere", "kedge_plugin_vsphere.wasm")]
    {
        let (imports, exports) = component(&["-p", package], file);
        let optional =
            if package.ends_with("docker") { ["preflight", "upgrade"].as_slice() } else { VSPHERE.as_slice() };
        assert_eq!(exports, interfaces(&[REQUIRED.as_slice(), optional].concat()), "{package}");
        for import in &imports {
            let known = import.starts_with("kedge:provider/") || INERT.iter().any(|inert| import.starts_with(inert));
            assert!(known, "{package} imports {import}");
        }
    }
}

const VSPHERE: [&str; 4] = ["commands", "lifecycle", "preflight", "upgrade"];
