//! Released contracts are kept: a component that was built for one still fits.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wit_parser::Resolve;

/// Released versions with the fingerprint of their files. A line that is here is never edited.
const RELEASED: [(&str, &str); 1] = [("0.1.0", "72045a7e2e1a4387549677ff9db2df0a379045aabf5381104a1d0c2e8c3b5513")];

const WORLDS: [&str; 5] = ["provider", "with-preflight", "with-upgrade", "with-lifecycle", "with-commands"];

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The files of a contract by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wit"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no contract in {}", folder.display());
    files
}

/// Whether components built for `old` fit a host of `new`. Both get a version of their own: one collection of packages
/// holds each only once.
fn compatible(old: &[(String, String)], new: &[(String, String)]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut resolve = Resolve::default();
    let mut packages = vec![];
    for (version, files) in [("0.0.1", old), ("0.0.2", new)] {
        let folder = folder.path().join(version);
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            let (first, rest) = text.split_once('\n').unwrap();
            assert!(first.starts_with("package kedge:provider@"), "{name} starts with {first}");
            std::fs::write(folder.join(name), format!("package kedge:provider@{version};\n{rest}")).unwrap();
        }
        packages.push(resolve.push_dir(&folder).map_err(|error| format!("{error:#}"))?.0);
    }
    for world in WORLDS {
        let select =
            |package| resolve.select_world(&[package], Some(world)).map_err(|error| format!("{world}: {error:#}"));
        let (old, new) = (select(packages[0])?, select(packages[1])?);
        wit_component::semver_check(resolve.clone(), old, new).map_err(|error| format!("{world}: {error:#}"))?;
    }
    Ok(())
}

fn fingerprint(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        hash.update(format!("{name} {}\n{text}", text.len()));
    }
    format!("{:x}", hash.finalize())
}

#[test]
fn components_of_every_release_still_fit() {
    for (version, _) in RELEASED {
        let released = files(&wit().join("released").join(version));
        compatible(&released, &files(&wit())).unwrap_or_else(|error| panic!("{version} is broken: {error}"));
    }
}

#[test]
fn released_files_are_never_edited() {
    for (version, expected) in RELEASED {
        let found = fingerprint(&files(&wit().join("released").join(version)));
        assert_eq!(found, expected, "wit/released/{version} was edited; a change belongs into wit/ and a new version");
    }
    let folders = std::fs::read_dir(wit().join("released")).unwrap().count();
    assert_eq!(folders, RELEASED.len(), "every folder of wit/released has its line in RELEASED");
}

/// The files here with one change.
fn changed(file: &str, from: &str, to: &str) -> Vec<(String, String)> {
    let mut files = files(&wit());
    let (_, text) = files.iter_mut().find(|(name, _)| name == file).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    *text = text.replacen(from, to, 1);
    files
}

#[test]
fn what_breaks_a_component_is_noticed() {
    for (file, from, to) in [
        ("types.wit", "record object-ref {\n", "record object-ref {\n        uid: option<string>,\n"),
        ("types.wit", "        note,\n", "        note,\n        hint,\n"),
        ("types.wit", "features: list<string>,", "features: list<u32>,"),
        ("config.wit", "    check: func(", "    verify: func("),
        ("config.wit", "generate: func(name: string,", "generate: func(name: string, folder: string,"),
        ("machines.wit", "    nodes: func(", "    extra: func() -> string;\n    nodes: func("),
        ("host.wit", "    same: func(a: string, b: string) -> bool;\n", ""),
        ("preflight.wit", "title: string,", "title: option<string>,"),
        ("upgrade.wit", "refused(string),", "refused(list<string>),"),
        ("commands.wit", "%list: func() -> list<command>;", "%list: func() -> list<string>;"),
        ("lifecycle.wit", "steps: func() -> list<string>;", "steps: func() -> string;"),
        ("world.wit", "    import secrets;\n", ""),
        ("world.wit", "    export manifests;\n}", "    export manifests;\n    export preflight;\n}"),
    ] {
        let broken = compatible(&files(&wit()), &changed(file, from, to));
        assert!(broken.is_err(), "nothing noticed that {from:?} of {file} became {to:?}");
    }
}

#[test]
fn what_breaks_nothing_is_let_through() {
    for (file, from, to) in [
        ("types.wit", "/// Names one document of the spec.", "/// Said in other words."),
        ("host.wit", "    same: func(", "    length: func(name: string) -> u32;\n    same: func("),
        (
            "world.wit",
            "world with-upgrade {\n    import log;\n",
            "world with-upgrade {\n    import log;\n    import secrets;\n",
        ),
    ] {
        compatible(&files(&wit()), &changed(file, from, to)).unwrap_or_else(|error| panic!("{file} {to:?}: {error}"));
    }
}
