//! A whole preflight.

use super::*;

#[test]
fn the_titles_are_the_lines_of_the_documentation() {
    let plan = Vsphere.plan(&input_of(spec())).unwrap();
    let titles: Vec<&str> = plan.iter().filter(|check| !check.quiet).map(|check| check.title.as_str()).collect();
    let machine = ["Datastore validated", "Folder validated", "Resource pool validated"];
    let mut expected =
        vec!["Connected to server", "Authenticated to vSphere", "Datacenter validated", "Network validated"];
    expected.extend(machine.iter().chain(&machine).chain(&machine));
    expected.push("Control plane and Workload templates validated");
    assert_eq!(titles, expected);
    let plan = Vsphere.plan(&input_of(spec())).unwrap();
    let quiet: Vec<&str> = plan.iter().filter(|check| check.quiet).map(|check| check.id.as_str()).collect();
    assert_eq!(quiet, ["certificate", "vcenter-version", "clock", "vsphere-user-privilege"]);
    let ids: std::collections::BTreeSet<&str> = plan.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), plan.len());
}

#[test]
fn everything_right_passes_in_the_order_of_the_plan() {
    let (host, facts) = run_on(vcenter(), spec());
    let plan: Vec<String> =
        Vsphere.plan(&input_of(spec())).unwrap().into_iter().map(|check| format!("{}: passed", check.id)).collect();
    assert_eq!(host.summary(), plan);

    let home = "/SDDC-Datacenter";
    let machine = json!({
        "datastore": format!("{home}/datastore/WorkloadDatastore"),
        "folder": format!("{home}/vm/Workloads"),
        "resourcePool": format!("{home}/host/Cluster-1/Resources/Compute-ResourcePool"),
        "template": format!("{home}/vm/Templates/ubuntu-2204-kube-v1-34"),
        "cloneMode": "linkedClone",
        "diskGiB": 25,
    });
    assert_eq!(
        facts,
        json!({
            "network": format!("{home}/network/sddc-cgw-network-1"),
            "machines": {"prod-cp": machine, "prod-etcd": machine, "prod-md": machine},
        })
    );
}

#[test]
fn it_logs_in_once_asks_little_and_logs_out() {
    let path = "template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34";
    let text = edit(
        spec(),
        &[("template: Templates/ubuntu-2204-kube-v1-34", path), ("template: ubuntu-2204-kube-v1-34", path)],
    );
    let (host, _) = run_on(vcenter(), &text);
    let sent = host.sent(VCENTER);
    let count = |text: &str| sent.iter().filter(|sent| sent.body.contains(text)).count();
    assert_eq!((count("<Login "), count("<Logout "), count("<RetrievePropertiesEx ")), (1, 1, 1));
    assert_eq!(sent.len(), 12, "{:#?}", sent.iter().map(Sent::line).collect::<Vec<_>>());
    assert!(sent[1].body.contains("<password>p&lt;w&amp;d</password>"));
    assert!(sent.last().unwrap().body.contains("<Logout "));
    assert!(sent.iter().any(|sent| sent.line() == "DELETE /rest/com/vmware/cis/session"));
    assert_eq!(host.log, Vec::<String>::new());
}

#[test]
fn the_facts_feed_rendering() {
    let (_, facts) = run_on(vcenter(), spec());
    let mut input = input_of(spec());
    input.facts = facts;
    let template = &Vsphere.templates(&input).unwrap()[0].object["spec"]["template"]["spec"];
    assert_eq!(template["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
    assert_eq!(template["resourcePool"], "/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool");
    assert_eq!(template["cloneMode"], "linkedClone");
}

#[test]
fn checks_can_be_left_out() {
    let mut host = host(vcenter());
    Vsphere.run(&input_of(spec()), &["templates".into(), "folder:prod-cp".into()], &mut host).unwrap();
    let summary = host.summary();
    assert!(summary.contains(&"folder:prod-cp: skipped (left out on request)".to_owned()), "{summary:?}");
    assert!(summary.contains(&"templates: skipped (left out on request)".to_owned()), "{summary:?}");
}
