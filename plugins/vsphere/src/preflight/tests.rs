//! The checks against recorded replies: those of a vCenter simulator, trimmed, and a few written in the shape that a
//! vCenter 8 gives them.

use kedge_sdk::testing::{FakeEndpoint, FakeHost, Sent};
use kedge_sdk::{Certificate, Response};

use super::*;
use crate::Vsphere;
use crate::describe::{PASSWORD, USERNAME};
use crate::testing::{edit, input_of, spec};

macro_rules! reply {
    ($name:literal) => {
        include_str!(concat!("../../tests/replies/", $name))
    };
}

const OPEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>"#;
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";

fn envelope(body: &str) -> String {
    format!("{OPEN}{body}{CLOSE}")
}

fn fault(kind: &str, message: &str) -> String {
    envelope(&format!(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>{message}</faultstring><detail>\
         <{kind}Fault xmlns=\"urn:vim25\" xsi:type=\"{kind}\"/></detail></soapenv:Fault>"
    ))
}

fn found(kind: &str, id: &str) -> String {
    envelope(&format!(
        "<FindByInventoryPathResponse xmlns=\"urn:vim25\"><returnval type=\"{kind}\">{id}</returnval></FindByInventoryPathResponse>"
    ))
}

const TAG_OS: &str = "urn:vmomi:InventoryServiceTag:os:GLOBAL";
const TAG_RELEASE: &str = "urn:vmomi:InventoryServiceTag:release:GLOBAL";

/// Says who it is, and when, by its own clock.
fn said_at(time: &str) -> impl Fn(&Sent) -> Option<Result<Response, EndpointError>> + use<> {
    let headers = vec![("Date".to_owned(), time.to_owned())];
    move |sent| {
        sent.body.contains("<RetrieveServiceContent ").then(|| {
            let body = reply!("service-content.xml").as_bytes().to_vec();
            Ok(Response { status: 200, headers: headers.clone(), body })
        })
    }
}

/// Grants every privilege that is asked for, but some.
fn granting(sent: &Sent, but: &[&str]) -> Option<Result<Response, EndpointError>> {
    fn each<'b>(body: &'b str, open: &'b str, close: &'b str) -> impl Iterator<Item = &'b str> {
        body.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|(inside, _)| inside)
    }
    if !sent.body.contains("<HasPrivilegeOnEntities ") {
        return None;
    }
    let privileges: Vec<String> = each(&sent.body, "<privId>", "</privId>")
        .map(|id| {
            let granted = !but.contains(&id);
            format!("<privAvailability><privId>{id}</privId><isGranted>{granted}</isGranted></privAvailability>")
        })
        .collect();
    let privileges = privileges.concat();
    let entities: Vec<String> = each(&sent.body, "<entity ", "</entity>")
        .map(|entity| format!("<returnval><entity {entity}</entity>{privileges}</returnval>"))
        .collect();
    let entities = entities.concat();
    let body = envelope(&format!(
        "<HasPrivilegeOnEntitiesResponse xmlns=\"urn:vim25\">{entities}</HasPrivilegeOnEntitiesResponse>"
    ));
    Some(Ok(Response { status: 200, headers: vec![], body: body.into_bytes() }))
}

/// A vCenter in which everything is right, with an old REST API. Later replies win over these.
fn vcenter() -> FakeEndpoint {
    let tags = |object: &str, ids: &str| {
        format!(r#"{{"object_id":{{"type":"VirtualMachine","id":"{object}"}},"tag_ids":[{ids}]}}"#)
    };
    let attached = format!(r#"{{"value":[{}]}}"#, tags("vm-69", &format!("\"{TAG_OS}\",\"{TAG_RELEASE}\"")));
    FakeEndpoint::new("vcenter.example.com")
        .answering(said_at("Thu, 01 Jan 2026 00:00:10 GMT"))
        .on_body("<Login ", 200, reply!("login.xml"))
        .on_body("<Logout ", 200, reply!("logout.xml"))
        .on_body("<FindByInventoryPath ", 200, &envelope("<FindByInventoryPathResponse xmlns=\"urn:vim25\"/>"))
        .on_body(
            "<inventoryPath>SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34<",
            200,
            &found("VirtualMachine", "vm-69"),
        )
        .answering(|sent| granting(sent, &[]))
        .on_body("<type>StoragePod</type><pathSet>", 200, reply!("inventory.xml"))
        .on_body("<type>VirtualMachine</type><pathSet>name", 200, reply!("machines.xml"))
        .on_body("<pathSet>config.template</pathSet>", 200, reply!("details.xml"))
        .on("POST /api/session", 404, "404 page not found\n")
        .on("POST /rest/com/vmware/cis/session", 200, r#"{"value":"token"}"#)
        .on("DELETE /rest/com/vmware/cis/session", 200, "")
        .when(|sent| sent.path.ends_with("list-attached-tags-on-objects"), 200, &attached)
        .when(|sent| sent.path.contains("/tagging/tag/"), 404, "")
        .on(&format!("GET /rest/com/vmware/cis/tagging/tag/id:{TAG_OS}"), 200, r#"{"value":{"name":"os:ubuntu"}}"#)
        .on(
            &format!("GET /rest/com/vmware/cis/tagging/tag/id:{TAG_RELEASE}"),
            200,
            r#"{"value":{"name":"eksdRelease:kubernetes-1-34-eks-19"}}"#,
        )
}

fn host(vcenter: FakeEndpoint) -> FakeHost {
    FakeHost::new().secret(USERNAME, "admin@vsphere.local").secret(PASSWORD, "p<w&d").endpoint(VCENTER, vcenter)
}

fn run_on(vcenter: FakeEndpoint, text: &str) -> (FakeHost, Value) {
    let mut host = host(vcenter);
    let facts = Vsphere.run(&input_of(text), &[], &mut host).unwrap();
    (host, facts)
}

/// What did not pass, in its order.
fn not_passed(vcenter: FakeEndpoint, text: &str) -> Vec<String> {
    let (host, _) = run_on(vcenter, text);
    host.summary().into_iter().filter(|line| !line.ends_with(": passed")).collect()
}

/// The messages of all findings with their remedies.
fn said(vcenter: FakeEndpoint, text: &str) -> String {
    let (host, _) = run_on(vcenter, text);
    let findings = host.outcomes.iter().flat_map(|outcome| &outcome.findings);
    findings
        .map(|finding| format!("{} {}: {} -> {}", finding.code, finding.path, finding.message, finding.remedy))
        .collect::<Vec<_>>()
        .join("\n")
}

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
    let (host, _) = run_on(vcenter(), spec());
    let sent = host.sent(VCENTER);
    let count = |text: &str| sent.iter().filter(|sent| sent.body.contains(text)).count();
    assert_eq!((count("<Login "), count("<Logout "), count("<RetrievePropertiesEx ")), (1, 1, 3));
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

fn rest_skipped(from: usize) -> Vec<String> {
    let plan = Vsphere.plan(&input_of(spec())).unwrap();
    plan.iter()
        .skip(from)
        .map(|check| format!("{}: skipped (an earlier check failed that this one needs)", check.id))
        .collect()
}

#[test]
fn a_vcenter_that_does_not_answer_fails_the_first_check() {
    let broken =
        FakeEndpoint::new("vcenter.example.com").broken(EndpointError::Unreachable("connection refused".into()));
    let (host, facts) = run_on(broken, spec());
    assert_eq!(host.summary()[0], "server: failed [vcenter-unreachable]");
    assert_eq!(host.summary()[1..], rest_skipped(1));
    assert!(
        host.outcomes[0].findings[0]
            .message
            .contains("`vcenter.example.com` can't be reached: no connection: connection refused")
    );
    assert_eq!(facts, json!({"machines": {}}));
}

#[test]
fn something_else_at_the_address_is_no_vcenter() {
    let page = FakeEndpoint::new("vc").when(|_| true, 200, "<html><body>It works</body></html>");
    assert_eq!(not_passed(page, spec())[0], "server: failed [vcenter-reply]");
    let esxi = reply!("service-content.xml").replace("VirtualCenter<", "HostAgent<");
    let esxi = vcenter().on_body("<RetrieveServiceContent ", 200, &esxi);
    assert_eq!(not_passed(esxi, spec())[0], "server: failed [not-a-vcenter]");
}

fn certificate(thumbprint: &str) -> Certificate {
    Certificate {
        sha1_thumbprint: thumbprint.into(),
        sha256_thumbprint: String::new(),
        subject: "CN=vcenter.example.com".into(),
        issuer: "CN=vcenter.example.com".into(),
        not_after: "2030-01-01T00:00:00Z".into(),
        trusted: false,
    }
}

fn untrusted() -> FakeEndpoint {
    FakeEndpoint::new("vcenter.example.com")
        .broken(EndpointError::Untrusted("self-signed certificate".into()))
        .certificate(certificate("00:3C:0E"))
}

#[test]
fn another_certificate_than_the_pinned_one_is_not_accepted() {
    let said = said(untrusted(), spec());
    assert!(said.starts_with("thumbprint-mismatch spec.thumbprint: The certificate of `vcenter.example.com` has the thumbprint 00:3C:0E, the spec says AA:BB:CC"), "{said}");
    let summary = run_on(untrusted(), spec()).0.summary();
    assert_eq!(summary[..2], ["server: passed", "certificate: failed [thumbprint-mismatch]"]);
}

#[test]
fn a_self_signed_certificate_needs_a_thumbprint() {
    let text = edit(spec(), &[("  thumbprint: AA:BB:CC\n", "")]);
    let said = said(untrusted(), &text);
    assert!(said.contains("is self-signed, and the spec has no thumbprint for it"), "{said}");
    assert!(said.contains("then set `thumbprint: 00:3C:0E`"), "{said}");
}

#[test]
fn a_wrong_password_is_tried_once() {
    let refusing = vcenter().on_body(
        "<Login ",
        500,
        &fault("InvalidLogin", "Cannot complete login due to an incorrect user name or password."),
    );
    let (host, _) = run_on(refusing, spec());
    assert_eq!(host.summary()[2], "authentication: failed [login-refused]");
    assert_eq!(host.summary()[3..], rest_skipped(3));
    assert_eq!(host.sent(VCENTER).len(), 2);
    assert!(host.outcomes[2].findings[0].remedy.contains("EKSA_VSPHERE_PASSWORD"));
}

#[test]
fn missing_credentials_are_named_and_nothing_is_tried() {
    let mut host = FakeHost::new().secret(USERNAME, "admin").endpoint(VCENTER, vcenter());
    Vsphere.run(&input_of(spec()), &[], &mut host).unwrap();
    assert_eq!(host.summary()[2], "authentication: failed [secret-missing]");
    assert_eq!(host.outcomes[2].findings[0].message, "EKSA_VSPHERE_PASSWORD is not set or empty");
    assert!(!host.sent(VCENTER).iter().any(|sent| sent.body.contains("<Login ")));
}

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

fn details(from: &str, to: &str) -> FakeEndpoint {
    let edited = edit(reply!("details.xml"), &[(from, to)]);
    vcenter().on_body("<pathSet>config.template</pathSet>", 200, &edited)
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
fn a_fault_in_between_is_said_and_the_session_still_ends() {
    let failing = vcenter().on_body(
        "<pathSet>config.template</pathSet>",
        500,
        &fault("NoPermission", "Permission to perform this operation was denied."),
    );
    let (host, _) = run_on(failing, spec());
    let summary = host.summary();
    assert!(summary.contains(&"datastore:prod-cp: failed [vcenter-permission]".to_owned()), "{summary:?}");
    assert!(host.sent(VCENTER).last().unwrap().body.contains("<Logout "));
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

#[test]
fn a_new_vcenter_is_asked_over_its_new_api() {
    let attached =
        format!(r#"[{{"object_id":{{"type":"VirtualMachine","id":"vm-69"}},"tag_ids":["{TAG_OS}","{TAG_RELEASE}"]}}]"#);
    let new = vcenter()
        .on("POST /rest/com/vmware/cis/session", 404, "")
        .on("POST /api/session", 201, "\"token\"")
        .on("DELETE /api/session", 204, "")
        .on("POST /api/cis/tagging/tag-association?action=list-attached-tags-on-objects", 200, &attached)
        .on(&format!("GET /api/cis/tagging/tag/{TAG_OS}"), 200, r#"{"name":"os:ubuntu"}"#)
        .on(
            &format!("GET /api/cis/tagging/tag/{TAG_RELEASE}"),
            200,
            r#"{"name":"eksdRelease:kubernetes-1-34-eks-19"}"#,
        );
    assert_eq!(not_passed(new, spec()), Vec::<String>::new());
}

#[test]
fn checks_can_be_left_out() {
    let mut host = host(vcenter());
    Vsphere.run(&input_of(spec()), &["templates".into(), "folder:prod-cp".into()], &mut host).unwrap();
    let summary = host.summary();
    assert!(summary.contains(&"folder:prod-cp: skipped (left out on request)".to_owned()), "{summary:?}");
    assert!(summary.contains(&"templates: skipped (left out on request)".to_owned()), "{summary:?}");
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
fn a_session_that_can_not_be_ended_stops_nobody() {
    let stuck =
        vcenter().on_body("<Logout ", 500, &fault("SystemError", "A general system error occurred.")).answering(
            |sent| (sent.method == "DELETE").then(|| Ok(Response { status: 500, headers: vec![], body: vec![] })),
        );
    let (host, _) = run_on(stuck, spec());
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")));
    assert_eq!(host.log.len(), 2);
}

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
fn a_session_that_ends_midway_is_opened_again_once() {
    let ended = std::rc::Rc::new(std::cell::Cell::new(1));
    let (count, sessions) = (ended.clone(), ended);
    let losing = vcenter().answering(move |sent| {
        let lost = sent.body.contains("<pathSet>config.template</pathSet>") && sessions.replace(0) > 0;
        lost.then(|| {
            let body = fault("NotAuthenticated", "The session is not authenticated.").into_bytes();
            Ok(Response { status: 500, headers: vec![], body })
        })
    });
    let (host, _) = run_on(losing, spec());
    assert_eq!(count.get(), 0);
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    assert_eq!(host.sent(VCENTER).iter().filter(|sent| sent.body.contains("<Login ")).count(), 2);
}

#[test]
fn a_connection_that_breaks_once_is_not_noticed() {
    let (host, _) = run_on(vcenter(), spec());
    for broken in 2..host.sent(VCENTER).len() {
        let seen = std::cell::Cell::new(0);
        let breaking = vcenter().answering(move |_| {
            seen.set(seen.get() + 1);
            (seen.get() == broken + 1).then(|| Err(EndpointError::Unreachable("broke off".into())))
        });
        let (host, _) = run_on(breaking, spec());
        assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{broken}: {:?}", host.summary());
    }
}

#[test]
fn a_busy_vcenter_says_for_how_long() {
    let busy = vcenter().answering(|sent| {
        sent.body
            .contains("<Login ")
            .then(|| Ok(Response { status: 503, headers: vec![("Retry-After".into(), "20".into())], body: vec![] }))
    });
    let said = said(busy, spec());
    assert!(
        said.starts_with("vcenter-busy spec.server: The login failed: the vCenter has no time now, it asks for 20 s"),
        "{said}"
    );
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
fn an_insecure_connection_is_warned_of() {
    let text = edit(spec(), &[("  insecure: false\n", "  insecure: true\n")]);
    assert_eq!(not_passed(vcenter(), &text), ["certificate: warned [insecure]"]);
}

#[test]
fn thousands_of_machines_are_not_read_for_one_name() {
    let first = reply!("machines.xml").replace("<returnval>", "<returnval><token>9</token>");
    let many = vcenter()
        .on_body("<type>VirtualMachine</type><pathSet>name", 200, &first)
        .on_body("<CancelRetrievePropertiesEx ", 200, &envelope("<CancelRetrievePropertiesExResponse xmlns=\"urn:vim25\"/>"))
        .on_body("<FindChild ", 200, &envelope("<FindChildResponse xmlns=\"urn:vim25\"/>"))
        .answering(|sent| {
            let wanted = ["<FindChild ", ">group-53</entity>", "<name>ubuntu-2204-kube-v1-34</name>"];
            wanted.iter().all(|part| sent.body.contains(part)).then(|| {
                let body = envelope(
                    "<FindChildResponse xmlns=\"urn:vim25\"><returnval type=\"VirtualMachine\">vm-69</returnval></FindChildResponse>",
                );
                Ok(Response { status: 200, headers: vec![], body: body.into_bytes() })
            })
        });
    let (host, facts) = run_on(many, spec());
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    assert_eq!(facts["machines"]["prod-etcd"]["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
    assert!(!host.sent(VCENTER).iter().any(|sent| sent.body.contains("<ContinueRetrievePropertiesEx ")));
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
