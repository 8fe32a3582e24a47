//! Broken input: each gives a reason with its place and a remedy, has its exit code, and leaves nothing behind.

use crate::harness::{Ran, Sandbox, spec};

/// One broken spec, made from a good one.
struct Case {
    name: &'static str,
    base: &'static str,
    edits: &'static [(&'static str, &'static str)],
    /// Where the finding points: a piece of that line.
    line: &'static str,
    /// What is said.
    says: &'static [&'static str],
}

const fn case(
    name: &'static str,
    base: &'static str,
    edits: &'static [(&'static str, &'static str)],
    line: &'static str,
    says: &'static [&'static str],
) -> Case {
    Case { name, base, edits, line, says }
}

const DOCKER: &str = "docker.yaml";
const VSPHERE: &str = "vsphere-external-etcd.yaml";

/// Specs that `validate` refuses with 3, at a line.
const SPECS: &[Case] = &[
    case("tab for indentation", DOCKER, &[("  name: mgmt\nspec:", "\tname: mgmt\nspec:")], "\tname: mgmt", &["tab"]),
    case("not YAML", DOCKER, &[("  name: mgmt\nspec:", "  name: [mgmt\nspec:")], "spec:", &[]),
    case(
        "duplicate key",
        DOCKER,
        &[("    count: 1\n  datacenterRef", "    count: 1\n    count: 3\n  datacenterRef")],
        "    count: 3",
        &["second time", "count"],
    ),
    case(
        "unknown field",
        DOCKER,
        &[("kubernetesVersion:", "kubernetesVerison:")],
        "kubernetesVerison",
        &["kubernetesVerison", "did you mean", "kubernetesVersion"],
    ),
    case(
        "unknown field far down",
        DOCKER,
        &[("cidrBlocks:\n      - 192", "cidrBlock:\n      - 192")],
        "cidrBlock:",
        &["did you mean", "cidrBlocks"],
    ),
    case(
        "text for a number",
        DOCKER,
        &[("controlPlaneConfiguration:\n    count: 1", "controlPlaneConfiguration:\n    count: three")],
        "count: three",
        &["number"],
    ),
    case(
        "list for a map",
        DOCKER,
        &[(
            "  datacenterRef:\n    kind: DockerDatacenterConfig\n    name: mgmt",
            "  datacenterRef:\n  - kind: DockerDatacenterConfig",
        )],
        "datacenterRef:",
        &["datacenterRef"],
    ),
    case(
        "map for a list",
        DOCKER,
        &[("  - count: 1\n    name: md-0", "    count: 1\n    name: md-0")],
        "    count: 1",
        &["list"],
    ),
    case(
        "no name",
        DOCKER,
        &[("metadata:\n  name: mgmt\nspec:\n  clusterNetwork", "metadata: {}\nspec:\n  clusterNetwork")],
        "metadata: {}",
        &["name"],
    ),
    case(
        "name with an underscore",
        DOCKER,
        &[("  name: mgmt\nspec:\n  clusterNetwork", "  name: my_cluster\nspec:\n  clusterNetwork")],
        "my_cluster",
        &["my_cluster"],
    ),
    case(
        "name too long",
        DOCKER,
        &[(
            "  name: mgmt\nspec:\n  clusterNetwork",
            "  name: a123456789012345678901234567890123456\nspec:\n  clusterNetwork",
        )],
        "a1234567890",
        &["35"],
    ),
    case(
        "name that starts with a digit",
        DOCKER,
        &[("  name: mgmt\nspec:\n  clusterNetwork", "  name: 1mgmt\nspec:\n  clusterNetwork")],
        "1mgmt",
        &["1mgmt"],
    ),
    case("pods that are no block", DOCKER, &[("192.168.0.0/16", "192.168.0.0")], "192.168.0.0", &["192.168.0.0"]),
    case(
        "a block out of range",
        DOCKER,
        &[("192.168.0.0/16", "192.168.0.0/40")],
        "192.168.0.0/40",
        &["192.168.0.0/40"],
    ),
    case(
        "two pod blocks",
        DOCKER,
        &[("- 192.168.0.0/16", "- 192.168.0.0/16\n      - 172.16.0.0/16")],
        "cidrBlocks:",
        &["one"],
    ),
    case(
        "no pod block",
        DOCKER,
        &[("cidrBlocks:\n      - 192.168.0.0/16", "cidrBlocks: []")],
        "cidrBlocks: []",
        &["pods"],
    ),
    case(
        "pods and services overlap",
        DOCKER,
        &[("10.96.0.0/12", "192.168.128.0/20")],
        "192.168.128.0/20",
        &["overlap"],
    ),
    case("a version that is none", DOCKER, &[("\"1.36\"", "\"latest\"")], "latest", &["latest"]),
    case("a version with a patch", DOCKER, &[("\"1.36\"", "\"1.36.2\"")], "1.36.2", &["1.36"]),
    case("a version that the release lacks", DOCKER, &[("\"1.36\"", "\"1.21\"")], "1.21", &["1.21", "1.36"]),
    case(
        "no control plane",
        DOCKER,
        &[("controlPlaneConfiguration:\n    count: 1", "controlPlaneConfiguration:\n    count: 0")],
        "count: 0",
        &["control plane"],
    ),
    case(
        "a negative control plane",
        DOCKER,
        &[("controlPlaneConfiguration:\n    count: 1", "controlPlaneConfiguration:\n    count: -1")],
        "count: -1",
        &["control plane"],
    ),
    case(
        "even stacked etcd",
        DOCKER,
        &[
            ("controlPlaneConfiguration:\n    count: 1", "controlPlaneConfiguration:\n    count: 2"),
            ("  externalEtcdConfiguration:\n    count: 1\n", ""),
        ],
        "count: 2",
        &["odd"],
    ),
    case(
        "even external etcd",
        DOCKER,
        &[("externalEtcdConfiguration:\n    count: 1", "externalEtcdConfiguration:\n    count: 2")],
        "count: 2",
        &["odd"],
    ),
    case(
        "no external etcd member",
        DOCKER,
        &[("externalEtcdConfiguration:\n    count: 1", "externalEtcdConfiguration:\n    count: 0")],
        "count: 0",
        &["etcd"],
    ),
    case(
        "no worker group",
        DOCKER,
        &[("workerNodeGroupConfigurations:\n  - count: 1\n    name: md-0", "workerNodeGroupConfigurations: []")],
        "workerNodeGroupConfigurations",
        &["worker node group"],
    ),
    case(
        "two worker groups of one name",
        DOCKER,
        &[("    name: md-0", "    name: md-0\n  - count: 2\n    name: md-0")],
        "name: md-0",
        &["md-0"],
    ),
    case("a worker group with a bad name", DOCKER, &[("    name: md-0", "    name: MD_0")], "MD_0", &["MD_0"]),
    case(
        "an address where there is none to give",
        DOCKER,
        &[(
            "controlPlaneConfiguration:\n    count: 1",
            "controlPlaneConfiguration:\n    count: 1\n    endpoint:\n      host: 198.51.100.3",
        )],
        "host: 198.51.100.3",
        &["endpoint"],
    ),
    case(
        "no datacenter reference",
        DOCKER,
        &[("  datacenterRef:\n    kind: DockerDatacenterConfig\n    name: mgmt\n", "")],
        "spec:",
        &["datacenterRef"],
    ),
    case(
        "a datacenter that is not there",
        DOCKER,
        &[(
            "  datacenterRef:\n    kind: DockerDatacenterConfig\n    name: mgmt",
            "  datacenterRef:\n    kind: DockerDatacenterConfig\n    name: other",
        )],
        "name: other",
        &["other"],
    ),
    case(
        "a datacenter that nobody claims",
        DOCKER,
        &[
            ("kind: DockerDatacenterConfig\n    name: mgmt", "kind: AcmeDatacenterConfig\n    name: mgmt"),
            ("kind: DockerDatacenterConfig\nmetadata", "kind: AcmeDatacenterConfig\nmetadata"),
        ],
        "",
        &["AcmeDatacenterConfig", "plugin"],
    ),
    case(
        "a Cluster twice",
        DOCKER,
        &[(
            "---\napiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: DockerDatacenterConfig",
            "---\napiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: Cluster\nmetadata:\n  name: second\nspec: {}\n---\napiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: DockerDatacenterConfig",
        )],
        "",
        &["Cluster"],
    ),
    case(
        "no apiVersion",
        DOCKER,
        &[(
            "apiVersion: anywhere.eks.amazonaws.com/v1alpha1\nkind: DockerDatacenterConfig",
            "kind: DockerDatacenterConfig",
        )],
        "kind: DockerDatacenterConfig",
        &["apiVersion"],
    ),
    case("no CNI", DOCKER, &[("    cniConfig:\n      cilium: {}\n", "")], "clusterNetwork", &["cni"]),
    case("two CNIs", DOCKER, &[("      cilium: {}", "      cilium: {}\n      kindnetd: {}")], "cniConfig", &["one"]),
    case(
        "a CNI of another provider",
        VSPHERE,
        &[("      cilium:\n        policyEnforcementMode: default", "      kindnetd: {}")],
        "kindnetd",
        &["kindnetd"],
    ),
    case(
        "a policy mode that is none",
        VSPHERE,
        &[("policyEnforcementMode: default", "policyEnforcementMode: sometimes")],
        "sometimes",
        &["sometimes", "always"],
    ),
    case(
        "a field that is not honoured yet",
        DOCKER,
        &[("  kubernetesVersion:", "  packages: {cronjob: {tag: v1}}\n  kubernetesVersion:")],
        "cronjob",
        &["spec.packages.cronjob", "not supported"],
    ),
    case(
        "a label that is none",
        DOCKER,
        &[("    name: md-0", "    name: md-0\n    labels:\n      \"a b\": c")],
        "a b",
        &["a b"],
    ),
    case(
        "an unknown taint effect",
        DOCKER,
        &[("    name: md-0", "    name: md-0\n    taints:\n    - key: a\n      value: b\n      effect: Never")],
        "effect: Never",
        &["Never", "NoSchedule"],
    ),
    case(
        "all workers tainted",
        DOCKER,
        &[("    name: md-0", "    name: md-0\n    taints:\n    - key: a\n      value: b\n      effect: NoSchedule")],
        "taints",
        &["taint"],
    ),
    case(
        "autoscaling upside down",
        DOCKER,
        &[("    name: md-0", "    name: md-0\n    autoscalingConfiguration:\n      minCount: 3\n      maxCount: 1")],
        "",
        &["minCount"],
    ),
    case("no address", VSPHERE, &[("    endpoint:\n      host: \"198.18.99.49\"\n", "")], "", &["endpoint"]),
    case("an empty address", VSPHERE, &[("host: \"198.18.99.49\"", "host: \"\"")], "host: \"\"", &["endpoint"]),
    case(
        "an address in the pod block",
        VSPHERE,
        &[("host: \"198.18.99.49\"", "host: \"192.168.3.4\"")],
        "192.168.3.4",
        &["192.168.0.0/16"],
    ),
    case(
        "a machine config that is not there",
        VSPHERE,
        &[
            ("    name: prod-etcd\n  kubernetesVersion", "    name: prod-etc\n  kubernetesVersion"),
            ("      name: prod-etcd\n  kubernetesVersion", "      name: prod-etc\n  kubernetesVersion"),
        ],
        "prod-etc",
        &["prod-etc"],
    ),
    case(
        "no machine config reference",
        VSPHERE,
        &[("    machineGroupRef:\n      kind: VSphereMachineConfig\n      name: prod-cp\n", "")],
        "",
        &["machineGroupRef"],
    ),
    case("an empty server", VSPHERE, &[("server: vcenter.example.com", "server: \"\"")], "server: \"\"", &["server"]),
    case("no datacenter", VSPHERE, &[("  datacenter: SDDC-Datacenter\n", "")], "", &["datacenter"]),
    case(
        "a network elsewhere",
        VSPHERE,
        &[("/SDDC-Datacenter/network/sddc-cgw-network-1", "/Other/network/sddc-cgw-network-1")],
        "/Other/network",
        &["/SDDC-Datacenter/network"],
    ),
    case(
        "a datastore elsewhere",
        VSPHERE,
        &[("/SDDC-Datacenter/datastore/WorkloadDatastore", "/Other/datastore/WorkloadDatastore")],
        "/Other/datastore",
        &["datastore"],
    ),
    case(
        "an operating system that is none",
        VSPHERE,
        &[("osFamily: ubuntu", "osFamily: windows")],
        "osFamily: windows",
        &["windows", "bottlerocket"],
    ),
    case(
        "a clone mode that is none",
        VSPHERE,
        &[("  numCPUs: 2", "  cloneMode: quickClone\n  numCPUs: 2")],
        "quickClone",
        &["quickClone", "linkedClone"],
    ),
    case("memory as text", VSPHERE, &[("memoryMiB: 8192", "memoryMiB: lots")], "memoryMiB: lots", &["memoryMiB"]),
    case(
        "Bottlerocket settings on Ubuntu",
        VSPHERE,
        &[(
            "  numCPUs: 2",
            "  hostOSConfiguration:\n    bottlerocketConfiguration:\n      kernel:\n        sysctlSettings:\n          vm.max_map_count: \"262144\"\n  numCPUs: 2",
        )],
        "",
        &["ottlerocket"],
    ),
    case(
        "another namespace",
        VSPHERE,
        &[("metadata:\n  name: prod-cp", "metadata:\n  namespace: other\n  name: prod-cp")],
        "",
        &["namespace"],
    ),
];

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
