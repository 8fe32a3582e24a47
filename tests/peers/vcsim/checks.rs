//! Every check, with what is right and with what is wrong.

use serde_json::{Value, json};

use super::{Vcsim, replaces, sandbox};

const MACHINE: &str = "prod-cp\nspec:\n  datastore: /SDDC-Datacenter/datastore/WorkloadDatastore\n  diskGiB: 25\n  folder: /SDDC-Datacenter/vm/capv/prod\n  memoryMiB: 8192\n  numCPUs: 2\n  osFamily: ubuntu\n  resourcePool: /SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool\n  template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35\n";

/// The first machine config with one field changed.
fn machine(from: &str, to: &str) -> (&'static str, String) {
    assert!(MACHINE.contains(from), "{from}");
    (MACHINE, MACHINE.replacen(from, to, 1))
}

#[test]
fn everything_right_passes_with_few_requests() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    vcsim.rules(&json!([]));
    let (checks, _) = vcsim.preflight(&sandbox, &[], 0);
    assert_eq!(checks.not_passed(), Vec::<String>::new());
    let state = vcsim.state();
    assert!(state.requests.len() <= 12, "{:#?}", state.requests);
    assert!(state.connections <= 2, "{} connections", state.connections);
    vcsim.assert_no_session();

    let datastore = checks.get("datastore:prod-cp");
    assert_eq!(datastore["object"], "VSphereMachineConfig/prod-cp");
    assert_eq!(datastore["found"], "/SDDC-Datacenter/datastore/WorkloadDatastore");
    assert_eq!(datastore["expected"], "a datastore with room for the disks");
    assert!(datastore["durationMs"].is_u64(), "{datastore}");
}

#[test]
fn the_lines_are_those_of_the_documentation() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    sandbox.file("spec.yaml", vcsim.spec(&[]));
    let text = ["preflight", "-f", "spec.yaml", "--bundles-override", "embedded:bundles.yaml", "--skip-ip-check"];
    let ran = sandbox.run(text).expect(0);
    let machine = "✅ Datastore validated\n✅ Folder validated\n✅ Resource pool validated\n";
    let expected = format!(
        "✅ Connected to server\n✅ Authenticated to vSphere\n✅ Datacenter validated\n✅ Network validated\n{}\
         ✅ Control plane and Workload templates validated\n✅ Vsphere Provider setup is valid\n",
        machine.repeat(3)
    );
    assert!(ran.stdout.ends_with(&expected), "{}", ran.stdout);
    assert!(ran.stderr.contains("passed: User privileges validated"), "{}", ran.stderr);
}

/// What is wrong in the spec, the change that makes it so, the check that has to say it, its message, and its remedy.
type Wrong = (&'static str, (&'static str, String), &'static str, &'static str, &'static str);

fn wrong() -> Vec<Wrong> {
    let dc = |from, to: &str| (from, to.to_owned());
    let plain = "  network: /SDDC-Datacenter/network/sddc-cgw-network-1\n";
    vec![
        ("datacenter", dc("SDDC-Datacenter", "Nowhere"), "datacenter", "no datacenter `Nowhere`", "SDDC-Datacenter"),
        ("network", dc(plain, "  network: /SDDC-Datacenter/network/SDDC-cgw-network-1\n"), "network", "no network `/SDDC-Datacenter/network/SDDC-cgw-network-1`", "Did you mean `/SDDC-Datacenter/network/sddc-cgw-network-1`?"),
        ("datastore", machine("datastore/WorkloadDatastore", "datastore/Gone"), "datastore:prod-cp", "no datastore `/SDDC-Datacenter/datastore/Gone`", "/SDDC-Datacenter/datastore/OtherDatastore"),
        ("datastore space", machine("diskGiB: 25", "diskGiB: 900000"), "datastore:prod-cp", "GiB are free", "smaller disks"),
        ("folder level", machine("vm/capv/prod", "vm/Gone/prod"), "folder:prod-cp", "the level `/SDDC-Datacenter/vm/Gone` of it is missing", "govc folder.create /SDDC-Datacenter/vm/Gone"),
        ("pool", machine("Resources/Compute-ResourcePool", "Resources/Gone"), "resource-pool:prod-cp", "no resource pool", "Compute-ResourcePool"),
        ("two pools", machine("/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool", "'*/Twin-Pool'"), "resource-pool:prod-cp", "can mean 2 resource pools", "whole path"),
        ("memory of the pool", machine("Compute-ResourcePool", "Small"), "resource-pool:prod-cp", "of its 4096 MiB are free", "Raise the pool's limit"),
        ("template", machine("ubuntu-2204-kube-v1-35", "ubuntu-2204-kube-v1-99"), "templates", "no template `/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-99`", "Import it"),
        ("two templates", machine("/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35", "twin-template"), "templates", "can mean 2 templates", "whole path"),
        ("tags of the template", machine("ubuntu-2204-kube-v1-35", "untagged-template"), "templates", "missing the tag `os:ubuntu`", "govc tags.attach -c os os:ubuntu"),
        ("release of the template", machine("ubuntu-2204-kube-v1-35", "ubuntu-2204-kube-v1-34"), "templates", "(it has `eksdRelease:kubernetes-1-34-eks-19`)", "made for it"),
        ("system of the template", machine("ubuntu-2204-kube-v1-35", "bottlerocket-kube-v1-35"), "templates", "(it has `os:bottlerocket`)", "made for it"),
        ("snapshot", machine("ubuntu-2204-kube-v1-35\n", "untagged-template\n  cloneMode: linkedClone\n"), "templates", "has no snapshot: linked clones are not possible", "fullClone"),
        ("disk of linked clones", machine("diskGiB: 25\n", "diskGiB: 30\n  cloneMode: linkedClone\n"), "templates", "Linked clones have their template's disk of 25 GiB", "diskGiB: 25"),
        ("tags of machines", machine("  numCPUs: 2\n", "  numCPUs: 2\n  tags: ['urn:vmomi:InventoryServiceTag:gone:GLOBAL']\n"), "tags", "no tag `urn:vmomi:InventoryServiceTag:gone:GLOBAL`", "govc tags.ls"),
        ("CPUs", machine("numCPUs: 2", "numCPUs: 900"), "resource-pool:prod-cp", "Machines are to have 900 CPUs", "fewer CPUs"),
        ("worker's network", ("name: prod\nspec:\n  datastore", "name: prod\nspec:\n  networks: [/SDDC-Datacenter/network/Gone]\n  datastore".to_owned()), "networks:prod", "no network `/SDDC-Datacenter/network/Gone`", "sddc-cgw-network-1"),
        ("failure domain", ("  insecure: false\n", "  insecure: false\n  failureDomains:\n  - {name: a, computeCluster: Gone, resourcePool: Compute-ResourcePool, datastore: WorkloadDatastore, folder: capv, network: /SDDC-Datacenter/network/sddc-cgw-network-1}\n".to_owned()), "failure-domain:a", "no compute cluster `Gone`", "Cluster-1"),
    ]
}

#[test]
fn each_thing_that_is_wrong_is_said_with_its_remedy() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    for (what, (from, to), id, message, remedy) in wrong() {
        let (checks, ran) = vcsim.preflight(&sandbox, &[(from, &to)], 4);
        let check = checks.get(id);
        assert_eq!(check["outcome"], "failed", "{what}: {check:#}");
        let messages: Vec<&Value> = check["findings"].as_array().unwrap().iter().map(|f| &f["message"]).collect();
        assert!(messages.iter().any(|m| m.as_str().unwrap().contains(message)), "{what}: {messages:#?}");
        assert!(check["remedy"].as_str().unwrap().contains(remedy), "{what}: {}", check["remedy"]);
        assert!(check["findings"][0]["line"].as_u64().unwrap() > 0, "{what} has no line: {check:#}");
        assert!(ran.stderr.contains("help:"), "{what}: {}", ran.stderr);
    }
    vcsim.assert_no_session();
}

#[test]
fn networks_of_every_sort_and_names_of_every_sort_are_found() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let network = "network: /SDDC-Datacenter/network/sddc-cgw-network-1";
    let folder = "folder: /SDDC-Datacenter/vm/capv/prod";
    for (from, to) in [
        (network, "network: VM Network"),
        (network, "network: DC0_NSX0"),
        (network, "network: sddc-cgw-network-1"),
        (network, "network: 'Netz Größe & <2>'"),
        (folder, "folder: 'a%2fb'"),
        (folder, "folder: 'Größe & <2>'"),
        (folder, "folder: /SDDC-Datacenter/vm/capv/not-yet"),
        ("/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool", "'*/Compute-ResourcePool'"),
        ("template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35", "template: ubuntu-2204-kube-v1-35"),
        (
            "template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35",
            "template: Templates/ubuntu-2204-kube-v1-35",
        ),
        (
            "  insecure: false\n",
            "  insecure: false\n  failureDomains:\n  - {name: a, computeCluster: Cluster-1, resourcePool: Compute-ResourcePool, datastore: WorkloadDatastore, folder: capv, network: /SDDC-Datacenter/network/sddc-cgw-network-1}\n",
        ),
    ] {
        let (checks, _) = vcsim.preflight(&sandbox, &[(from, to)], 0);
        assert_eq!(checks.not_passed(), Vec::<String>::new(), "{to}");
    }
    let (checks, _) = vcsim.preflight(&sandbox, &[(folder, "folder: a/b/c")], 4);
    assert!(checks.get("folder:prod-cp")["remedy"].as_str().unwrap().contains("Make that level"));
}

#[test]
fn a_bottlerocket_template_has_disks_of_a_known_size() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let bottlerocket = [
        ("osFamily: ubuntu", "osFamily: bottlerocket"),
        ("name: capv", "name: ec2-user"),
        ("ubuntu-2204-kube-v1-35", "bottlerocket-kube-v1-35"),
    ];
    let (checks, _) = vcsim.preflight(&sandbox, &bottlerocket, 0);
    assert_eq!(checks.not_passed(), Vec::<String>::new());
    let fat = [bottlerocket[0], bottlerocket[1], ("ubuntu-2204-kube-v1-35", "bottlerocket-fat")];
    let (checks, _) = vcsim.preflight(&sandbox, &fat, 4);
    let finding = &checks.get("templates")["findings"][0];
    assert!(finding["message"].as_str().unwrap().contains("has disks of 30 GiB"), "{finding}");
}

#[test]
fn a_virtual_machine_is_no_template() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let (checks, _) = vcsim.preflight(&sandbox, &[("ubuntu-2204-kube-v1-35", "no-template")], 0);
    assert_eq!(checks.not_passed(), ["templates: warned"]);
}

#[test]
fn room_for_the_machines_but_not_for_an_upgrade_is_a_warning() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    // Seven machines of 25 GiB, three groups: 175 GiB, and 75 more while they roll.
    let free = 200_u64 << 30;
    let to = format!("<name>summary.freeSpace</name>${{1}}{free}<");
    vcsim.rules(&replaces("RetrievePropertiesEx", "<name>summary.freeSpace</name>(<val[^>]*>)[0-9]+<", &to));
    let (checks, _) = vcsim.preflight(&sandbox, &[], 0);
    assert_eq!(checks.not_passed(), ["datastore:prod-cp: warned"]);
    let message = checks.get("datastore:prod-cp")["findings"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("175 of 200 free GiB") && message.contains("75 GiB more"), "{message}");
}

#[test]
fn each_missing_privilege_is_named_with_its_object() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    for privilege in ["Network.Assign", "Datastore.AllocateSpace", "VirtualMachine.Provisioning.DeployTemplate"] {
        let from = format!("<privId>{privilege}</privId><isGranted>true<");
        let to = format!("<privId>{privilege}</privId><isGranted>false<");
        vcsim.rules(&replaces("HasPrivilegeOnEntities", &from, &to));
        let (checks, _) = vcsim.preflight(&sandbox, &[], 4);
        assert_eq!(checks.not_passed(), ["vsphere-user-privilege: failed"]);
        let check = checks.get("vsphere-user-privilege");
        let message = check["findings"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("On `/SDDC-Datacenter/") && message.contains(privilege), "{message}");
        assert!(check["remedy"].as_str().unwrap().contains("`Admin` of `"), "{}", check["remedy"]);
    }
}

#[test]
fn what_the_user_may_not_see_is_not_called_missing() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    // A vCenter leaves out what a user has no permission to view.
    vcsim.rules(&replaces("RetrievePropertiesEx", "<objects><obj type=\"Datastore\">.*?</objects>", ""));
    let (checks, _) = vcsim.preflight(&sandbox, &[], 4);
    let message = checks.get("datastore:prod-cp")["findings"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("that is visible to the user of EKSA_VSPHERE_USERNAME"), "{message}");
}

#[test]
fn an_evaluation_that_has_ended_and_an_old_version_are_refused() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let over = "<properties><key>expirationHours</key><value>0</value></properties></LicenseManagerLicenseInfo>";
    vcsim.rules(&replaces("RetrievePropertiesEx", "</LicenseManagerLicenseInfo>", over));
    let (checks, _) = vcsim.preflight(&sandbox, &[], 4);
    assert_eq!(checks.get("vcenter-version")["findings"][0]["code"], "licence-ended");
    vcsim.rules(&replaces("RetrieveServiceContent", "<apiVersion>[^<]*<", "<apiVersion>6.5<"));
    let (checks, _) = vcsim.preflight(&sandbox, &[], 4);
    assert_eq!(checks.get("vcenter-version")["findings"][0]["code"], "vcenter-too-old");
}
