//! Where machines go, and whether there is room.

use super::*;

#[test]
fn a_datacenter_that_is_not_there_ends_it_with_what_is_there() {
    let elsewhere = reply!("inventory.xml").replace(">SDDC-Datacenter<", ">Europe<");
    let (host, _) = run_on(vcenter().on_body("<type>StoragePod</type><pathSet>", 200, &elsewhere), spec());
    assert_eq!(host.summary()[3], "datacenter: failed [datacenter-missing]");
    assert_eq!(host.summary()[4..], rest_skipped(4));
    assert_eq!(host.outcomes[3].findings[0].remedy, "Use one of `Europe`");
    assert!(host.sent(VCENTER).last().unwrap().body.contains("<Logout "), "no logout");
}

#[test]
fn each_thing_that_is_missing_fails_its_own_check() {
    let text = edit(
        spec(),
        &[
            ("  network: sddc-cgw-network-1\n", "  network: SDDC-CGW-network-1\n"),
            (
                "  datastore: /SDDC-Datacenter/datastore/WorkloadDatastore\n",
                "  datastore: /SDDC-Datacenter/datastore/Gone\n",
            ),
            ("  folder: Workloads\n", "  folder: Clusters/prod\n"),
            ("resourcePool: Compute-ResourcePool\n", "resourcePool: Gone\n"),
        ],
    );
    assert_eq!(
        not_passed(vcenter(), &text),
        [
            "network: failed [network-missing]",
            "folder:prod-cp: failed [folder-missing]",
            "datastore:prod-md: failed [datastore-missing]",
            "folder:prod-etcd: failed [folder-missing]",
            "resource-pool:prod-etcd: failed [resource-pool-missing]",
        ]
    );
    let said = said(vcenter(), &text);
    assert!(said.contains("Did you mean `/SDDC-Datacenter/network/sddc-cgw-network-1`?"), "{said}");
    assert!(said.contains("the level `/SDDC-Datacenter/vm/Clusters` of it is missing"), "{said}");
    assert!(said.contains("Use one of `/SDDC-Datacenter/datastore/WorkloadDatastore`"), "{said}");
}

#[test]
fn a_pool_that_can_be_two_is_refused() {
    let twice = reply!("inventory.xml").replace(">Resources<", ">Compute-ResourcePool<");
    let text = edit(spec(), &[("resourcePool: '*/Compute-ResourcePool'", "resourcePool: '*/Compute-ResourcePool'")]);
    let not_passed = not_passed(vcenter().on_body("<type>StoragePod</type><pathSet>", 200, &twice), &text);
    assert!(
        not_passed.contains(&"resource-pool:prod-cp: failed [resource-pool-ambiguous]".to_owned()),
        "{not_passed:?}"
    );
}

#[test]
fn failure_domains_have_to_exist_too() {
    let domain = "  failureDomains:\n  - {name: a, computeCluster: Cluster-9, resourcePool: Compute-ResourcePool, datastore: WorkloadDatastore, folder: Workloads, network: sddc-cgw-network-1}\n";
    let text = edit(spec(), &[("  insecure: false\n", &format!("  insecure: false\n{domain}"))]);
    let said = said(vcenter(), &text);
    assert!(
        said.contains(
            "compute-cluster-missing spec.failureDomains[0].computeCluster: There is no compute cluster `Cluster-9`"
        ),
        "{said}"
    );
}

#[test]
fn a_folder_is_made_later_and_its_parent_has_to_allow_it() {
    let text = edit(spec(), &[("  folder: Workloads\n", "  folder: Workloads/new\n")]);
    let (host, facts) = run_on(vcenter(), &text);
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    assert_eq!(facts["machines"]["prod-cp"]["folder"], "/SDDC-Datacenter/vm/Workloads/new");
    assert_eq!(facts["foldersToMake"], json!(["/SDDC-Datacenter/vm/Workloads/new"]));
    let folder = host.outcomes.iter().find(|outcome| outcome.check == "folder:prod-cp").unwrap();
    assert_eq!(folder.found, "/SDDC-Datacenter/vm/Workloads/new (the create makes it)");
    let refused = vcenter().answering(|sent| granting(sent, &["Folder.Create"]));
    assert_eq!(not_passed(refused, &text), ["vsphere-user-privilege: failed [privilege-missing]"]);
    let refused = vcenter().answering(|sent| granting(sent, &["Folder.Create"]));
    assert_eq!(not_passed(refused, spec()), Vec::<String>::new(), "nobody makes a folder that is there");
}

#[test]
fn a_full_datastore_is_said_once() {
    let full = details(">3066606649344<", ">107374182400<");
    let (host, _) = run_on(full, spec());
    let not_passed: Vec<String> = host.summary().into_iter().filter(|line| !line.ends_with(": passed")).collect();
    assert_eq!(not_passed, ["datastore:prod-cp: failed [datastore-full]"]);
    let message = &host.outcomes[5].findings[0].message;
    assert_eq!(
        message,
        "The machines of this spec need 225 GiB on the datastore `WorkloadDatastore`, 100 GiB are free"
    );
}

#[test]
fn a_datastore_that_can_not_be_used_is_refused() {
    assert_eq!(
        not_passed(
            details(
                ">true</val></propSet>\n<propSet><name>summary.freeSpace",
                ">false</val></propSet>\n<propSet><name>summary.freeSpace"
            ),
            spec()
        ),
        ["datastore:prod-cp: failed [datastore-inaccessible]"]
    );
    assert_eq!(
        not_passed(details(">normal<", ">inMaintenance<"), spec()),
        ["datastore:prod-cp: failed [datastore-maintenance]"]
    );
}

#[test]
fn a_limited_pool_has_to_hold_the_memory() {
    let limited = |limit: &str| {
        details("_XMLSchema-instance:type=\"xsd:long\">-1<", &format!("_XMLSchema-instance:type=\"xsd:long\">{limit}<"))
    };
    assert_eq!(not_passed(limited("73728"), spec()), Vec::<String>::new());
    assert_eq!(not_passed(limited("73727"), spec()), ["resource-pool:prod-cp: failed [resource-pool-full]"]);
}

#[test]
fn a_long_inventory_comes_in_pages() {
    let all = reply!("inventory.xml");
    let (first, second) = all.split_once("<objects><obj type=\"Folder\">group-4<").unwrap();
    let first = first.replace("<returnval>", "<returnval><token>17</token>")
        + "</returnval></RetrievePropertiesExResponse></soapenv:Body></soapenv:Envelope>";
    let second = format!("{OPEN}<ContinueRetrievePropertiesExResponse xmlns=\"urn:vim25\"><returnval><objects><obj type=\"Folder\">group-4<{second}")
        .replace("</RetrievePropertiesExResponse>", "</ContinueRetrievePropertiesExResponse>");
    let paged = vcenter().on_body("<type>StoragePod</type><pathSet>", 200, &first).on_body(
        "<ContinueRetrievePropertiesEx ",
        200,
        &second,
    );
    assert_eq!(not_passed(paged, spec()), Vec::<String>::new());
}
