//! Templates, their tags, and how they can be cloned.

use super::*;

#[test]
fn templates_are_found_tagged_and_told_apart() {
    let template = |name: &str| edit(spec(), &[("template: ubuntu-2204-kube-v1-34", &format!("template: {name}"))]);
    assert_eq!(not_passed(vcenter(), &template("ubuntu-2204-kube-v1-31")), ["templates: failed [template-missing]"]);
    assert_eq!(not_passed(vcenter(), &template("twin-template")), ["templates: failed [template-ambiguous]"]);
    let untagged = not_passed(vcenter(), &template("untagged-template"));
    assert_eq!(untagged, ["templates: failed [template-tag, template-tag]"]);
    let said = said(vcenter(), &template("untagged-template"));
    assert!(said.contains("missing the tag `eksdRelease:kubernetes-1-34-eks-19`"), "{said}");
    assert!(
        said.contains("`govc tags.attach -c os os:ubuntu /SDDC-Datacenter/vm/Templates/untagged-template`"),
        "{said}"
    );
}

#[test]
fn tags_for_machines_have_to_exist() {
    let tagged =
        |tag: &str| edit(spec(), &[("  folder: Workloads\n", &format!("  folder: Workloads\n  tags: ['{tag}']\n"))]);
    assert_eq!(not_passed(vcenter(), &tagged(TAG_OS)), Vec::<String>::new());
    let gone = not_passed(vcenter(), &tagged("urn:vmomi:InventoryServiceTag:gone:GLOBAL"));
    assert_eq!(gone, ["tags: failed [tag-missing, tag-missing]"]);
}

#[test]
fn a_rest_api_that_refuses_fails_the_templates_alone() {
    let refusing = vcenter().on(
        "POST /rest/com/vmware/cis/session",
        500,
        r#"{"messages":[{"default_message":"Service unavailable."}]}"#,
    );
    let (host, facts) = run_on(refusing, spec());
    let not_passed: Vec<String> = host.summary().into_iter().filter(|line| !line.ends_with(": passed")).collect();
    assert_eq!(not_passed, ["templates: failed [tags-unreadable]"]);
    assert_eq!(facts["machines"]["prod-cp"]["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
}

#[test]
fn clones_are_linked_where_they_can_be() {
    let mode = |(_, facts): (FakeHost, Value)| facts["machines"]["prod-cp"]["cloneMode"].clone();
    assert_eq!(mode(run_on(vcenter(), spec())), "linkedClone");
    assert_eq!(mode(run_on(details("<name>snapshot</name>", "<name>other</name>"), spec())), "fullClone");
    assert_eq!(mode(run_on(vcenter(), &edit(spec(), &[("diskGiB: 25", "diskGiB: 40")]))), "fullClone");
}

#[test]
fn a_linked_clone_needs_a_snapshot_and_the_same_disk() {
    let linked = edit(
        spec(),
        &[(
            "  folder: /SDDC-Datacenter/vm/Workloads\n",
            "  folder: /SDDC-Datacenter/vm/Workloads\n  cloneMode: linkedClone\n",
        )],
    );
    assert_eq!(
        not_passed(details("<name>snapshot</name>", "<name>other</name>"), &linked),
        ["templates: failed [clone-without-snapshot]"]
    );
    let other_disk = edit(&linked, &[("diskGiB: 25", "diskGiB: 40")]);
    assert_eq!(not_passed(vcenter(), &other_disk), ["templates: failed [clone-disk]"]);
}

#[test]
fn machines_get_at_least_the_disk_of_their_template() {
    let big = details("<capacityInKB>26214400</capacityInKB>", "<capacityInKB>41943040</capacityInKB>");
    let (host, facts) = run_on(big, spec());
    assert_eq!(facts["machines"]["prod-cp"]["diskGiB"], 40);
    assert!(host.summary().contains(&"templates: warned [disk-raised, disk-raised, disk-raised]".to_owned()));
}

#[test]
fn bottlerocket_has_disks_of_its_own() {
    let text = edit(spec(), &[("osFamily: ubuntu", "osFamily: bottlerocket")]);
    let codes = not_passed(vcenter(), &text).join("\n");
    assert!(codes.contains("template-disk"), "{codes}");
    let right = details("<capacityInKB>26214400</capacityInKB>", "<capacityInKB>23068672</capacityInKB>");
    let codes = not_passed(right, &text).join("\n");
    assert!(codes.contains("template-tag") && !codes.contains("template-disk"), "{codes}");
}

#[test]
fn thousands_of_machines_are_not_read_for_one_name() {
    let folder = |n: usize| {
        format!(
            "<objects><obj type=\"Folder\">group-9{n:02}</obj><propSet><name>name</name><val>f{n}</val></propSet>\
             <propSet><name>parent</name><val type=\"Folder\">group-2</val></propSet></objects>"
        )
    };
    let folders: String = (0..30).map(folder).collect();
    let many = everything(reply!("details.xml")).replacen("</returnval>", &format!("{folders}</returnval>"), 1);
    let first = reply!("machines.xml").replace("<returnval>", "<returnval><token>9</token>");
    let many = vcenter()
        .on_body("<type>StoragePod</type><pathSet>", 200, &many)
        .on_body("<type>VirtualMachine</type><pathSet>name", 200, &first)
        .on_body(
            "<CancelRetrievePropertiesEx ",
            200,
            &envelope("<CancelRetrievePropertiesExResponse xmlns=\"urn:vim25\"/>"),
        );
    let (host, facts) = run_on(many, spec());
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    assert_eq!(facts["machines"]["prod-etcd"]["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
    assert!(!host.sent(VCENTER).iter().any(|sent| sent.body.contains("<ContinueRetrievePropertiesEx ")));
}

#[test]
fn a_template_that_the_spec_leaves_out_is_the_creates_to_make() {
    let (host, facts) = run_on(vcenter(), &crate::testing::bottlerocket());
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    let path = "/SDDC-Datacenter/vm/Templates/bottlerocket-v1.34.1-kubernetes-1-34-eks-19-amd64-0123456";
    let found = host.outcomes.iter().find(|outcome| outcome.check == "templates").unwrap();
    assert_eq!(found.found, format!("{path} (the create imports it)"));
    assert_eq!(facts["machines"]["prod-cp"]["template"], path);
    assert_eq!(
        facts["templatesToMake"],
        json!([{
            "name": "bottlerocket-v1.34.1-kubernetes-1-34-eks-19-amd64-0123456",
            "url": "https://example.com/bottlerocket.ova",
            "release": "kubernetes-1-34-eks-19",
            "datacenter": "SDDC-Datacenter",
            "datastore": "/SDDC-Datacenter/datastore/WorkloadDatastore",
            "resourcePool": "/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool",
            "network": "/SDDC-Datacenter/network/sddc-cgw-network-1",
        }])
    );
    let refused = || vcenter().answering(|sent| granting(sent, &["ContentLibrary.AddLibraryItem"]));
    let codes = not_passed(refused(), &crate::testing::bottlerocket());
    assert_eq!(codes, ["vsphere-user-privilege: failed [privilege-missing]"]);
    assert_eq!(not_passed(refused(), spec()), Vec::<String>::new(), "nothing is imported for a template that is there");
}
