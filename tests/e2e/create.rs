//! A whole create, and what stands after it.

use crate::harness::{Sandbox, ServedLab};

/// The lines of the cluster creation workflow document from the bootstrap cluster on.
const AFTER_VALIDATION: &str = "\
Creating new bootstrap cluster
Installing cluster-api providers on bootstrap cluster
Provider specific setup
Creating new workload cluster
Installing networking on workload cluster
Installing storage class on workload cluster
Installing cluster-api providers on workload cluster
Moving cluster management from bootstrap to workload cluster
Installing EKS-A custom components (CRD and controller) on workload cluster
Creating EKS-A CRDs instances on workload cluster
Installing AddonManager and GitOps Toolkit on workload cluster
GitOps field not specified, bootstrap flux skipped
Writing cluster config file
Deleting bootstrap cluster
🎉 Cluster created!
";

/// The checks of one machine config.
const MACHINE_CONFIG: &str = "✅ Datastore validated\n✅ Folder validated\n✅ Resource pool validated\n";

fn vsphere_lines(machine_configs: usize) -> String {
    format!(
        "Performing setup and validations\n✅ Connected to server\n✅ Authenticated to vSphere\n✅ Datacenter validated\n✅ Network validated\n\
         {}✅ Control plane and Workload templates validated\n✅ Vsphere Provider setup is valid\n{AFTER_VALIDATION}",
        MACHINE_CONFIG.repeat(machine_configs)
    )
}

fn name_of(spec: &str) -> String {
    let line = spec.lines().skip_while(|l| !l.starts_with("metadata:")).nth(1).expect("a name");
    let name = line.trim().trim_start_matches("name: ");
    name.split('#').next().unwrap_or_default().trim().trim_matches('"').to_owned()
}

#[test]
fn vsphere_with_ubuntu_and_stacked_etcd() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("vsphere-ubuntu-stacked.yaml");
    let text = std::fs::read_to_string(&spec).unwrap();
    let ran = sandbox.run(["create", "cluster", "-f", "vsphere-ubuntu-stacked.yaml", "--lab"]).expect(0);
    let configs = text.matches("kind: VSphereMachineConfig\nmetadata").count();
    assert_eq!(ran.stdout, vsphere_lines(configs));
    assert!(ran.stderr.contains("simulated"), "every run on the lab says so:\n{}", ran.stderr);

    let name = name_of(&text);
    let folder = sandbox.path().join(&name);
    let kubeconfig = folder.join(format!("{name}-eks-a-cluster.kubeconfig"));
    assert!(folder.join(format!("{name}-eks-a-cluster.yaml")).is_file());
    assert!(folder.join("generated").is_dir());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&kubeconfig).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the kubeconfig is for its owner alone");
    }
    // The spec as it was used is a spec.
    let used = format!("{name}/{name}-eks-a-cluster.yaml");
    sandbox.run(["validate", "-f", &used]).expect(0);
}

#[test]
fn vsphere_with_external_etcd() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("vsphere-external-etcd.yaml");
    let configs = std::fs::read_to_string(&spec).unwrap().matches("kind: VSphereMachineConfig\nmetadata").count();
    assert_eq!(configs, 3);
    let ran = sandbox.run(["create", "cluster", "-f", "vsphere-external-etcd.yaml", "--lab"]).expect(0);
    assert_eq!(ran.stdout, vsphere_lines(configs));
}

#[test]
fn docker() {
    let sandbox = Sandbox::new();
    sandbox.spec("docker.yaml");
    let ran = sandbox.run(["create", "cluster", "-f", "docker.yaml", "--lab"]).expect(0);
    let (validation, rest) =
        ran.stdout.split_at(ran.stdout.find("Creating new bootstrap cluster").expect("the workflow's lines"));
    assert_eq!(rest, AFTER_VALIDATION);
    assert!(validation.starts_with("Performing setup and validations\n"), "{validation}");
    assert!(validation.ends_with("✅ Docker Provider setup is valid\n"), "{validation}");
}

#[test]
fn no_secret_is_written_anywhere() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("vsphere-ubuntu-stacked.yaml");
    let lab = ServedLab::start(&sandbox, &spec, &[]);
    let connection: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&lab.connection).unwrap()).unwrap();
    let password = connection["credentials"]["EKSA_VSPHERE_PASSWORD"].as_str().expect("a password").to_owned();
    sandbox.run(["create", "cluster", "-f", "vsphere-ubuntu-stacked.yaml", &lab.flag(), "-v", "9"]).expect(0);
    let folder = sandbox.path().join(name_of(&std::fs::read_to_string(&spec).unwrap()));
    let mut looked = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            looked += 1;
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            // A snapshot of the move has to hold what it restores; it is for its owner alone.
            let snapshot = path.components().any(|c| c.as_os_str() == "moves");
            assert!(snapshot || !text.contains(&password), "{} holds the password", path.display());
        }
    }
    assert!(looked > 5, "there were files to look at");
}

#[test]
fn describe_get_and_delete_see_the_cluster() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("docker.yaml");
    let name = name_of(&std::fs::read_to_string(&spec).unwrap());
    let lab = ServedLab::start(&sandbox, &spec, &[]);
    let flag = lab.flag();
    sandbox.run(["create", "cluster", "-f", "docker.yaml", &flag]).expect(0);

    let listed = sandbox.run(["get", "clusters", "-o", "json"]).expect(0);
    let clusters: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(clusters[0]["name"], name.as_str());
    assert_eq!(clusters[0]["state"], "created");
    assert_eq!(clusters[0]["api"], true);

    let described = sandbox.run(["describe", "cluster", &name, "-o", "json"]).expect(0);
    let cluster: serde_json::Value = serde_json::from_str(&described.stdout).unwrap();
    assert_eq!(cluster["tree"]["kind"], "Cluster");
    assert!(cluster["nodes"].as_array().unwrap().iter().all(|n| n["ready"] == true), "{}", described.stdout);
    assert!(!cluster["nodes"].as_array().unwrap().is_empty());

    // A second create has nothing to do.
    let again = sandbox.run(["create", "cluster", "-f", "docker.yaml", &flag]).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);

    sandbox.run(["delete", "cluster", &name, &flag]).expect(0);
    let listed = sandbox.run(["get", "clusters", "-o", "json"]).expect(0);
    let clusters: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(clusters.as_array().map(Vec::len), Some(0), "{}", listed.stdout);
}

#[test]
fn a_dry_run_touches_nothing() {
    let sandbox = Sandbox::new();
    sandbox.spec("vsphere-ubuntu-stacked.yaml");
    let ran = sandbox.run(["create", "cluster", "-f", "vsphere-ubuntu-stacked.yaml", "--lab", "--dry-run"]).expect(0);
    assert!(ran.stdout.contains("✅ Vsphere Provider setup is valid"), "{}", ran.stdout);
    assert!(!ran.stdout.lines().any(|l| l == "Creating new bootstrap cluster"), "{}", ran.stdout);
    assert!(ran.stdout.contains("nothing was touched"), "{}", ran.stdout);
    assert_eq!(sandbox.left_behind(&["vsphere-ubuntu-stacked.yaml", "home"]), Vec::<String>::new());
}

#[test]
fn a_log_of_json_is_json_line_by_line() {
    let sandbox = Sandbox::new();
    sandbox.spec("docker.yaml");
    let ran = sandbox.run(["create", "cluster", "-f", "docker.yaml", "--lab", "--log-format", "json"]).expect(0);
    assert!(ran.stdout.ends_with(AFTER_VALIDATION), "the lines are what they are: {}", ran.stdout);
    let parse = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    };
    let log = parse(&ran.stderr);
    let moved = log.iter().find(|l| l["event"] == "step-done" && l["id"] == "move").expect("the move is done");
    assert!(moved["seconds"].as_f64().unwrap() > 0.0 && moved["timestamp"].is_string(), "{moved}");
    let waits = log.iter().filter(|l| l["event"] == "waiting" && l["step"] == "workload-cluster");
    assert!(waits.clone().count() > 0 && waits.clone().all(|l| l["object"].is_string() && l["sentence"].is_string()));
    assert!(log.iter().any(|l| l["message"].as_str().is_some_and(|m| m.contains("simulated"))));
    // Errors are lines of it, too.
    let ran = sandbox.run(["validate", "-f", "nowhere.yaml", "--log-format", "json"]).expect(3);
    let log = parse(&ran.stderr);
    assert!(log.iter().any(|l| l["level"] == "ERROR" && l["message"].as_str().unwrap().contains("nowhere.yaml")));
}

#[test]
fn a_rehearsal_does_not_delete_what_it_did_not_make() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("docker.yaml");
    let lab = ServedLab::start(&sandbox, &spec, &[]);
    sandbox.run(["create", "cluster", "-f", "docker.yaml", &lab.flag()]).expect(0);
    // As if it had been made with something else.
    let journal = sandbox.path().join("mgmt/.kedge/journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.contains("\"bootstrap\":\"bootstrap service\""), "{text}");
    std::fs::write(&journal, text.replace("bootstrap service", "container engine")).unwrap();
    let refused = sandbox.run(["delete", "cluster", "mgmt", &lab.flag()]).expect(3);
    assert!(refused.stderr.contains("was made with the container engine"), "{}", refused.stderr);
    assert_eq!(crate::harness::lab_status(&lab.connection)["clusters"].as_array().map(Vec::len), Some(1));
    // The cluster is as it was.
    std::fs::write(&journal, text).unwrap();
    sandbox.run(["delete", "cluster", "mgmt", &lab.flag()]).expect(0);
}

#[test]
fn a_report_takes_the_place_of_the_lines() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("docker.yaml");
    let lab = ServedLab::start(&sandbox, &spec, &[]);
    let plan =
        sandbox.run(["create", "cluster", "-f", "docker.yaml", &lab.flag(), "--dry-run", "-o", "yaml"]).expect(0);
    assert!(plan.stdout.contains("dryRun: true") && plan.stdout.contains("id: workload-cluster"), "{}", plan.stdout);
    let ran = sandbox.run(["create", "cluster", "-f", "docker.yaml", &lab.flag(), "-o", "json"]).expect(0);
    let outcome: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout));
    assert_eq!((&outcome["cluster"], &outcome["already"]), (&"mgmt".into(), &false.into()));
    assert_eq!(outcome["steps"].as_array().unwrap().last().unwrap()["id"], "delete-bootstrap");
    let ran = sandbox.run(["delete", "cluster", "mgmt", &lab.flag(), "-o", "json"]).expect(0);
    let outcome: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout));
    assert!(outcome["removed"].as_array().unwrap().len() >= 2, "{outcome}");
}

#[test]
fn a_rehearsal_can_be_rehearsed_again() {
    let sandbox = Sandbox::new();
    sandbox.spec("docker.yaml");
    for _ in 0..2 {
        // The lab of the first run ended with it, and the simulated cluster too: the second begins anew.
        let ran = sandbox.run(["create", "cluster", "-f", "docker.yaml", "--lab"]).expect(0);
        assert!(ran.stdout.ends_with(AFTER_VALIDATION), "{}", ran.stdout);
    }
}
