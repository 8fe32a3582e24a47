//! A disk that fills up in the middle of a create: said with the file and the remedy, and gone on from once there is room.
#![cfg(target_os = "linux")]

use std::process::Command;

use crate::harness::{Sandbox, ServedLab};

/// Runs a create on a small disk, makes room, and runs it again. The disk is a file system in memory, mounted in a
/// namespace that ends with the shell.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs -o size="$SIZE" tmpfs disk
cd disk
cp ../docker.yaml .
set +e
"$KEDGE" create cluster -f docker.yaml "$LAB" >../first.out 2>../first.err; echo $? >../first.code
mount -o remount,size=64m .
"$KEDGE" create cluster -f docker.yaml "$LAB" >../second.out 2>../second.err; echo $? >../second.code
"$KEDGE" delete cluster mgmt "$LAB" >../third.out 2>../third.err; echo $? >../third.code
"#;

#[test]
fn a_full_disk_is_said_and_gone_on_from() {
    let possible = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !possible {
        eprintln!("skipped, because this machine lets nobody mount a file system of his own (`unshare -rm`)");
        return;
    }
    let mut failed = 0;
    for size in ["20k", "60k", "120k", "180k", "400k"] {
        let sandbox = Sandbox::new();
        let spec = sandbox.spec("docker.yaml");
        let lab = ServedLab::start(&sandbox, &spec, &[]);
        std::fs::create_dir(sandbox.path().join("disk")).unwrap();
        let status = Command::new("unshare")
            .args(["-rm", "sh", "-c", SCRIPT])
            .current_dir(sandbox.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", sandbox.path().join("home"))
            .env("KEDGE", env!("CARGO_BIN_EXE_kedge"))
            .env("LAB", lab.flag())
            .env("SIZE", size)
            .status()
            .unwrap();
        assert!(status.success(), "{size}: the script did not run");
        let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).unwrap();
        let code = read("first.code");
        let said = read("first.err");
        if code.trim() != "0" {
            failed += 1;
            assert!(["3", "5"].contains(&code.trim()), "{size}: exit code {code}\n{said}");
            assert!(said.contains("No space left on device"), "{size}: {said}");
            assert!(said.contains("make room on the disk"), "{size}: {said}");
            assert!(!said.contains("panicked") && !said.contains("defect"), "{size}: {said}");
        }
        assert_eq!(read("second.code").trim(), "0", "{size}: {}\n{}", said, read("second.err"));
        assert_eq!(read("third.code").trim(), "0", "{size}: {}", read("third.err"));
    }
    assert!(failed >= 3, "only {failed} of the disks were too small: the test tests too little");
}
