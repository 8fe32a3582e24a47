//! The vCenter itself: privileges, version, clock, policies.

use super::*;

#[test]
fn every_missing_privilege_is_said_object_by_object() {
    let roles = envelope(
        "<RetrievePropertiesExResponse xmlns=\"urn:vim25\"><returnval><objects>\
         <obj type=\"AuthorizationManager\">AuthorizationManager</obj><propSet><name>roleList</name>\
         <val xsi:type=\"ArrayOfAuthorizationRole\"><AuthorizationRole><roleId>7</roleId><name>Builder</name></AuthorizationRole>\
         </val></propSet></objects></returnval></RetrievePropertiesExResponse>",
    );
    let permissions = envelope(
        "<RetrieveEntityPermissionsResponse xmlns=\"urn:vim25\"><returnval><entity type=\"Folder\">group-d1</entity>\
         <principal>VSPHERE.LOCAL\\kedge</principal><group>false</group><roleId>7</roleId><propagate>true</propagate>\
         </returnval></RetrieveEntityPermissionsResponse>",
    );
    let lacking = || {
        vcenter()
            .answering(|sent| granting(sent, &["Network.Assign", "Datastore.Browse", "Datastore.AllocateSpace"]))
            .on_body("<pathSet>roleList</pathSet>", 200, &roles)
            .on_body("<RetrieveEntityPermissions ", 200, &permissions)
    };
    let not_passed = not_passed(lacking(), spec());
    assert_eq!(not_passed, ["vsphere-user-privilege: failed [privilege-missing, privilege-missing]"]);
    let said = said(lacking(), spec());
    assert!(said.contains("On `/SDDC-Datacenter/datastore/WorkloadDatastore` the user of EKSA_VSPHERE_USERNAME lacks 2 privileges: Datastore.AllocateSpace (disks of machines are made), Datastore.Browse"), "{said}");
    assert!(said.contains("On `/SDDC-Datacenter/network/sddc-cgw-network-1` the user of EKSA_VSPHERE_USERNAME lacks a privilege: Network.Assign"), "{said}");
    assert!(said.contains("Add them to the role that holds there: `Builder` of `VSPHERE.LOCAL\\kedge`"), "{said}");
}

#[test]
fn privileges_that_can_not_be_read_are_a_warning() {
    let closed = vcenter().on_body("<HasPrivilegeOnEntities ", 500, &fault("NoPermission", "denied"));
    assert_eq!(not_passed(closed, spec()), ["vsphere-user-privilege: warned [privileges-unreadable]"]);
}

#[test]
fn a_version_that_controllers_do_not_know_is_refused() {
    let version = |version: &str| {
        let content = reply!("service-content.xml").replace("<apiVersion>8.0.2.0<", &format!("<apiVersion>{version}<"));
        let found = not_passed(vcenter().on_body("<RetrieveServiceContent ", 200, &content), spec());
        found.into_iter().filter(|line| !line.starts_with("clock")).collect::<Vec<_>>()
    };
    assert_eq!(version("6.5.0"), ["vcenter-version: failed [vcenter-too-old]"]);
    assert_eq!(version("6.7.0"), ["vcenter-version: warned [vcenter-old]"]);
    assert_eq!(version("7.0.3"), Vec::<String>::new());
}

#[test]
fn clocks_that_differ_are_warned_of() {
    let at = |time: &str| vcenter().answering(said_at(time));
    assert_eq!(not_passed(at("Thu, 01 Jan 2026 00:00:59 GMT"), spec()), Vec::<String>::new());
    assert_eq!(not_passed(at("Thu, 01 Jan 2026 00:10:00 GMT"), spec()), ["clock: warned [clock-skew]"]);
    assert_eq!(not_passed(at("soon"), spec()), ["clock: skipped (the vCenter does not say what time it is)"]);
    let late = said(at("Wed, 31 Dec 2025 23:00:00 GMT"), spec());
    assert!(late.contains("The vCenter's clock is 3600 s behind this machine's"), "{late}");
}

#[test]
fn storage_policies_go_by_their_names() {
    let named = |name: &str| {
        edit(spec(), &[("  folder: Workloads\n", &format!("  folder: Workloads\n  storagePolicyName: {name}\n"))])
    };
    let known = || {
        let policies = r#"{"value":[{"policy":"p1","name":"Gold"},{"policy":"p2","name":"Silver"}]}"#;
        vcenter().on("GET /rest/vcenter/storage/policies", 200, policies)
    };
    assert_eq!(not_passed(known(), &named("Gold")), Vec::<String>::new());
    let missing = not_passed(known(), &named("gold"));
    assert_eq!(missing, ["storage-policies: failed [storage-policy-missing, storage-policy-missing]"]);
    assert!(said(known(), &named("gold")).contains("Did you mean `Gold`?"));
    let closed = vcenter().on("GET /rest/vcenter/storage/policies", 404, "");
    assert_eq!(not_passed(closed, &named("Gold")), ["storage-policies: warned [storage-policies-unreadable]"]);
}
