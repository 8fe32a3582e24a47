//! The checks against recorded replies: those of a vCenter simulator, trimmed, and a few written in the shape that a
//! vCenter 8 gives them.

macro_rules! reply {
    ($name:literal) => {
        include_str!(concat!("../../../tests/replies/", $name))
    };
}

mod connection;
mod places;
mod templates;
mod vcenter;
mod whole;

use kedge_sdk::testing::{FakeEndpoint, FakeHost, Sent};
use kedge_sdk::{Certificate, Response};

use super::*;
use crate::Vsphere;
use crate::describe::{PASSWORD, USERNAME};
use crate::testing::{edit, input_of, spec};

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

fn view(id: &str) -> String {
    envelope(&format!(
        "<CreateContainerViewResponse xmlns=\"urn:vim25\"><returnval type=\"ContainerView\">{id}</returnval></CreateContainerViewResponse>"
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

/// The inventory with the properties of details: what a look at all of it brings.
fn everything(details: &str) -> String {
    let mut all = reply!("inventory.xml").to_owned();
    for object in details.split("<objects>").skip(1) {
        let object = object.split("</objects>").next().unwrap();
        let (reference, properties) = object.split_once("</obj>").unwrap();
        let there = format!("{reference}</obj>");
        let (at, with) = if all.contains(&there) {
            (there.clone(), format!("{there}{properties}"))
        } else {
            ("</returnval>".to_owned(), format!("<objects>{object}</objects></returnval>"))
        };
        all = all.replacen(&at, &with, 1);
    }
    all
}

/// By folder and name, the virtual machines there.
const MACHINES: [(&str, &str, &str); 5] = [
    ("group-53", "ubuntu-2204-kube-v1-34", "vm-69"),
    ("group-53", "bottlerocket-kube-v1-34", "vm-75"),
    ("group-53", "untagged-template", "vm-93"),
    ("group-53", "twin-template", "vm-97"),
    ("group-94", "twin-template", "vm-101"),
];

fn child(sent: &Sent) -> Option<Result<Response, EndpointError>> {
    if !sent.body.contains("<FindChild ") {
        return None;
    }
    let is = |(folder, name, _): &&(&str, &str, &str)| {
        sent.body.contains(&format!(">{folder}</entity>")) && sent.body.contains(&format!("<name>{name}</name>"))
    };
    let found = MACHINES.iter().find(is);
    let found = found.map(|(_, _, id)| format!("<returnval type=\"VirtualMachine\">{id}</returnval>"));
    let body =
        envelope(&format!("<FindChildResponse xmlns=\"urn:vim25\">{}</FindChildResponse>", found.unwrap_or_default()));
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
        .answering(child)
        .answering(|sent| granting(sent, &[]))
        .on_body("<CreateContainerView ", 200, &view("session[1]2"))
        .on_body("<type>VirtualMachine</type><pathSet>name", 200, reply!("machines.xml"))
        .on_body("<pathSet>config.template</pathSet>", 200, reply!("details.xml"))
        .on_body("<type>StoragePod</type><pathSet>", 200, &everything(reply!("details.xml")))
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

/// A vCenter with one detail changed.
fn details(from: &str, to: &str) -> FakeEndpoint {
    let edited = everything(&edit(reply!("details.xml"), &[(from, to)]));
    vcenter().on_body("<type>StoragePod</type><pathSet>", 200, &edited)
}

/// What is said of everything after an early failure.
fn rest_skipped(from: usize) -> Vec<String> {
    let plan = Vsphere.plan(&input_of(spec())).unwrap();
    plan.iter()
        .skip(from)
        .map(|check| format!("{}: skipped (an earlier check failed that this one needs)", check.id))
        .collect()
}
