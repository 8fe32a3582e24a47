//! The tables of `tests/compat` say what EKS Anywhere makes of a spec. Here its own code is asked.

use std::path::Path;

use crate::cases::{self, Case, Decision, Table};
use crate::harness::Sandbox;
use crate::peer;

/// The release that the program carries, on the disk, as the referee reads one: with places of files alone.
fn release(folder: &Path) -> String {
    let embedded = kedge_lab::release::embedded();
    for (path, text) in embedded.files() {
        let at = folder.join(path);
        std::fs::create_dir_all(at.parent().expect("it is in a folder")).expect("it can be made");
        std::fs::write(at, text.replace(kedge_lab::release::SCHEME, "")).expect("it can be written");
    }
    folder.join("bundles.yaml").display().to_string()
}

#[test]
fn the_tables_say_of_the_reference_what_it_does() {
    let sandbox = Sandbox::new();
    let bundles = release(&sandbox.path().join("release"));
    let bases = cases::bases();
    let judge = |text: &str| {
        let file = sandbox.path().join("cluster.yaml");
        std::fs::write(&file, text).expect("it can be written");
        let output = peer("referee", &sandbox).args(["parse", "cluster.yaml", &bundles]).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => (true, said),
            Some(1) => (false, said),
            other => panic!("the referee ended with {other:?}: {said}"),
        }
    };
    for (name, text) in &bases {
        let (taken, said) = judge(text);
        assert!(taken, "the base {name} is refused: {said}");
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    for Table { cases, .. } in cases::tables() {
        for case in &cases {
            let Case { what, eks_anywhere, .. } = case;
            let (taken, said) = judge(&case.text(&bases));
            asked += 1;
            if taken != eks_anywhere.is_taken() {
                let decision = if taken { Decision::Accepts } else { Decision::Rejects };
                wrong.push(format!("{what}: the table has {eks_anywhere:?}, the reference {decision:?}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows are not true:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 100, "{asked} rows were asked about");
}
