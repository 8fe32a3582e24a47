//! Broken input: each gives a reason with its place and a remedy, has its exit code, and leaves nothing behind.

mod specs;

use crate::harness::{Ran, Sandbox, spec};
use specs::{Case, DOCKER, SPECS, VSPHERE};

fn broken(case: &Case) -> String {
    let mut text = spec(case.base);
    for (from, to) in case.edits {
        // Some edits name two spellings of one place; the first that is there is taken.
        text = text.replacen(from, to, 1);
    }
    assert_ne!(text, spec(case.base), "{}: the edit changed nothing", case.name);
    text
}

/// What no message may hold: names of the program's own parts.
#[track_caller]
fn reads_well(name: &str, ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for never in [
        "panicked",
        "RUST_BACKTRACE",
        "::",
        "Some(",
        "None",
        "Err(",
        "unwrap",
        "serde",
        "struct ",
        "error: 404",
        "wasm trap",
    ] {
        assert!(!said.contains(never), "{name}: `{never}` reaches the user:\n{said}");
    }
    assert!(ran.stderr.contains("help:"), "{name}: there is no remedy:\n{}", ran.stderr);
}

#[test]
fn broken_specs_are_refused_with_place_reason_and_remedy() {
    let mut wrong = Vec::new();
    for case in SPECS {
        let sandbox = Sandbox::new();
        let text = broken(case);
        sandbox.file("bad.yaml", &text);
        let ran = sandbox.run(["validate", "-f", "bad.yaml"]);
        if ran.code != 3 {
            wrong.push(format!("{}: exit code {}\n{}{}", case.name, ran.code, ran.stdout, ran.stderr));
            continue;
        }
        reads_well(case.name, &ran);
        for said in case.says {
            if !ran.stderr.contains(said) {
                wrong.push(format!("{}: `{said}` is not said\n{}", case.name, ran.stderr));
            }
        }
        if !case.line.is_empty() {
            let lines: Vec<usize> =
                text.lines().enumerate().filter(|(_, l)| l.contains(case.line)).map(|(n, _)| n + 1).collect();
            if !lines.iter().any(|line| ran.stderr.contains(&format!("bad.yaml:{line}:"))) {
                wrong.push(format!(
                    "{}: points at none of the lines {lines:?} (`{}`)\n{}",
                    case.name, case.line, ran.stderr
                ));
            }
        }
        let left = sandbox.left_behind(&["bad.yaml", "home"]);
        if !left.is_empty() {
            wrong.push(format!("{}: left {left:?} behind", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), SPECS.len(), wrong.join("\n\n"));
}

#[test]
fn an_unknown_field_outside_of_the_cluster_is_a_warning_and_an_error_when_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.file("lax.yaml", spec(VSPHERE).replacen("  numCPUs: 2", "  numCPU: 2", 1));
    let taken = sandbox.run(["validate", "-f", "lax.yaml"]).expect(0);
    let refused = sandbox.run(["validate", "-f", "lax.yaml", "--strict"]).expect(3);
    for ran in [taken, refused] {
        assert!(ran.stderr.contains("numCPU") && ran.stderr.contains("did you mean `numCPUs`?"), "{}", ran.stderr);
    }
}

#[test]
fn all_findings_come_in_one_run() {
    let sandbox = Sandbox::new();
    let text = spec(DOCKER)
        .replacen("kubernetesVersion: \"1.36\"", "kubernetesVersion: \"1.21\"", 1)
        .replacen("externalEtcdConfiguration:\n    count: 1", "externalEtcdConfiguration:\n    count: 2", 1)
        .replacen("10.96.0.0/12", "10.96.0.0/99", 1);
    sandbox.file("bad.yaml", text);
    let ran = sandbox.run(["validate", "-f", "bad.yaml", "-o", "json"]).expect(3);
    let findings: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let errors = findings.as_array().unwrap().iter().filter(|f| f["severity"] == "error").count();
    assert!(errors >= 3, "{}", ran.stdout);
}

#[test]
fn files_that_are_no_spec() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("empty", b"", "empty"),
        ("only comments", b"# nothing\n---\n# here\n", ""),
        ("binary", b"\x00\xff\xfe\x01", ""),
        ("a number", b"42\n", ""),
        ("another kind", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n", "Cluster"),
        ("deeply nested", &[b'['; 5000], ""),
    ];
    for (name, content, says) in cases {
        let sandbox = Sandbox::new();
        sandbox.file("bad.yaml", content);
        let ran = sandbox.run(["validate", "-f", "bad.yaml"]);
        assert_eq!(ran.code, 3, "{name}: {}", ran.stderr);
        reads_well(name, &ran);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
    }
    let sandbox = Sandbox::new();
    let missing = sandbox.run(["validate", "-f", "nowhere.yaml"]).expect(3);
    assert!(missing.stderr.contains("nowhere.yaml"), "{}", missing.stderr);
    reads_well("missing file", &missing);
    let folder = sandbox.run(["validate", "-f", "."]).expect(3);
    reads_well("a folder", &folder);
}

#[test]
fn releases_that_can_not_be_used() {
    let sandbox = Sandbox::new();
    sandbox.spec(DOCKER);
    for (name, content) in [
        ("empty", ""),
        ("not a release", "kind: ConfigMap\n"),
        (
            "no versions",
            "apiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: Bundles\nspec:\n  number: 1\n  versionsBundles: []\n",
        ),
    ] {
        sandbox.file("bundles.yaml", content);
        let ran = sandbox.run(["validate", "-f", DOCKER, "--bundles-override", "bundles.yaml"]);
        assert_eq!(ran.code, 3, "{name}: {}{}", ran.stdout, ran.stderr);
        reads_well(name, &ran);
    }
    let ran = sandbox.run(["validate", "-f", DOCKER, "--bundles-override", "nowhere.yaml"]).expect(3);
    assert!(ran.stderr.contains("nowhere.yaml"), "{}", ran.stderr);
    let ran =
        sandbox.run(["validate", "-f", DOCKER, "--bundles-override", "https://127.0.0.1:1/bundles.yaml"]).expect(3);
    assert!(ran.stderr.contains("127.0.0.1:1"), "{}", ran.stderr);
    reads_well("unreachable release", &ran);
}

#[test]
fn plugins_that_can_not_be_used() {
    let sandbox = Sandbox::new();
    sandbox.spec(DOCKER);
    // `(module)`: a core module, and no component.
    let cases: &[(&str, &[u8])] = &[
        ("text.wasm", b"not a component"),
        ("empty.wasm", b""),
        ("module.wasm", b"\0asm\x01\0\0\0"),
        ("truncated.wasm", b"\0asm\x0d\0\x01\0\x07"),
    ];
    for (name, content) in cases {
        sandbox.file(name, content);
        let ran = sandbox.run(["validate", "-f", DOCKER, "--plugin", name]);
        assert_eq!(ran.code, 3, "{name}: {}{}", ran.stdout, ran.stderr);
        let stem = name.trim_end_matches(".wasm");
        assert!(ran.stderr.contains(&format!("`{stem}`")), "{name}: {}", ran.stderr);
        reads_well(name, &ran);
    }
    let ran = sandbox.run(["validate", "-f", DOCKER, "--plugin", "nowhere.wasm"]).expect(3);
    assert!(ran.stderr.contains("nowhere.wasm"), "{}", ran.stderr);
    let ran = sandbox.run(["generate", "clusterconfig", "a", "-p", "acme"]).expect(3);
    assert!(ran.stderr.contains("acme"), "{}", ran.stderr);
}

#[test]
fn environments_that_a_create_would_fail_in() {
    let cases: &[(&str, &[&str])] = &[
        ("vcenter-unreachable", &["vcenter.example.com"]),
        ("vcenter-wrong-password", &["EKSA_VSPHERE_PASSWORD"]),
        ("vcenter-untrusted", &["certificate"]),
        ("datacenter-missing", &["SDDC-Datacenter"]),
        ("network-missing", &["sddc-cgw-network-1"]),
        ("datastore-missing", &["WorkloadDatastore"]),
        ("datastore-full", &["WorkloadDatastore"]),
        ("resource-pool-missing", &["Compute-ResourcePool"]),
        ("template-missing", &["ubuntu-2204-kube-v1-35"]),
        ("template-untagged", &["eksdRelease", "os:ubuntu"]),
    ];
    for (fault, says) in cases {
        let sandbox = Sandbox::new();
        sandbox.spec(VSPHERE);
        for command in [vec!["preflight"], vec!["create", "cluster"]] {
            let args = command.into_iter().chain(["-f", VSPHERE, "--lab", "--lab-fault", fault]);
            let ran = sandbox.run(args);
            assert_eq!(ran.code, 4, "{fault}: {}{}", ran.stdout, ran.stderr);
            reads_well(fault, &ran);
            for said in *says {
                assert!(ran.stderr.contains(said), "{fault}: `{said}` is not said\n{}", ran.stderr);
            }
            assert!(!ran.stdout.contains("Creating new bootstrap cluster"), "{fault}: {}", ran.stdout);
        }
        assert_eq!(sandbox.left_behind(&[VSPHERE, "home"]), Vec::<String>::new(), "{fault}");
    }
}

#[test]
fn a_step_that_fails_says_what_is_awaited_and_goes_on_later() {
    let sandbox = Sandbox::new();
    sandbox.spec(DOCKER);
    let ran = sandbox
        .run([
            "create",
            "cluster",
            "-f",
            DOCKER,
            "--lab",
            "--lab-fault",
            "machine-stuck:md-0",
            "--per-machine-wait-timeout",
            "2s",
        ])
        .expect(5);
    reads_well("stuck machine", &ran);
    assert!(ran.stderr.contains("md-0"), "{}", ran.stderr);
    assert!(ran.stderr.contains("same command"), "{}", ran.stderr);
    let diagnosis = sandbox.path().join("mgmt/.kedge/diagnosis");
    assert!(std::fs::read_dir(&diagnosis).unwrap().count() >= 1, "a failed create leaves a diagnosis");
}

#[test]
fn a_machine_that_can_not_be_made_ends_the_wait_early_and_is_diagnosed() {
    let sandbox = Sandbox::new();
    sandbox.spec(DOCKER);
    let args = ["create", "cluster", "-f", DOCKER, "--lab", "--lab-fault", "machine-failing:control-plane"];
    let started = std::time::Instant::now();
    let ran = sandbox.run(args.into_iter().chain(["--error-wait-timeout", "4s"])).expect(5);
    assert!(started.elapsed().as_secs() < 60, "the control plane alone may take an hour");
    reads_well("failing machine", &ran);
    for said in
        ["it reports an error", "`InfrastructureReady` is False (ProvisioningFailed)", "refuses to make the machine"]
    {
        assert!(ran.stderr.contains(said), "`{said}` is not said\n{}", ran.stderr);
    }
    let diagnosis = sandbox.path().join("mgmt/.kedge/diagnosis");
    let mut names: Vec<_> = std::fs::read_dir(&diagnosis).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let [folder, archive] = names.as_slice() else { panic!("{names:?}") };
    assert!(archive.to_str().unwrap().ends_with(".tar.gz"), "{names:?}");
    let summary = std::fs::read_to_string(folder.join("summary.txt")).unwrap();
    let first: Vec<&str> = summary.lines().take(3).collect();
    assert!(first[0].starts_with("what is wrong: Machine eksa-system/mgmt-"), "{summary}");
    assert!(first[1].starts_with("where: Machine eksa-system/mgmt-"), "{summary}");
    assert!(first[2].starts_with("what to try: correct what it reports"), "{summary}");
    let listed = std::process::Command::new("tar").arg("tzf").arg(archive).output().unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    for page in [
        "summary.txt",
        "bootstrap-conditions.txt",
        "bootstrap-objects.yaml",
        "bootstrap-events.txt",
        "journal.jsonl",
        "bootstrap-logs/capi-system_",
    ] {
        assert!(listed.contains(page), "{page} is not in the archive:\n{listed}");
    }
    let objects = std::fs::read_to_string(folder.join("bootstrap-objects.yaml")).unwrap();
    assert!(
        objects.contains("kind: Secret") && objects.contains("'***'") | objects.contains("\"***\""),
        "secrets are there without their values"
    );
    assert!(!objects.contains("PRIVATE KEY") && !objects.contains("LS0tLS1CRUdJTi"), "no key is in the diagnosis");
}
