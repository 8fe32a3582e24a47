//! The commands against recorded replies.

use kedge_sdk::Response;
use kedge_sdk::testing::{FakeEndpoint, FakeHost};

use super::*;
use crate::describe::{NEW_PASSWORD, PASSWORD, USERNAME};
use crate::testing::spec;

macro_rules! reply {
    ($name:literal) => {
        include_str!(concat!("../../tests/replies/", $name))
    };
}

const VIEW: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><CreateContainerViewResponse xmlns="urn:vim25"><returnval type="ContainerView">session[1]2</returnval></CreateContainerViewResponse></s:Body></s:Envelope>"#;
const TAG_OS: &str = "urn:vmomi:InventoryServiceTag:os:GLOBAL";
const TAG_RELEASE: &str = "urn:vmomi:InventoryServiceTag:release:GLOBAL";

fn vcenter() -> FakeEndpoint {
    let attached = format!(
        r#"{{"value":[{{"object_id":{{"type":"VirtualMachine","id":"vm-69"}},"tag_ids":["{TAG_OS}","{TAG_RELEASE}"]}}]}}"#
    );
    let machines = reply!("machines.xml").replacen(
        "</propSet></objects>",
        "</propSet><propSet><name>config.template</name><val>true</val></propSet></objects>",
        1,
    );
    let sizes = reply!("details.xml").replacen(
        "<name>summary.freeSpace</name>",
        "<name>summary.capacity</name><val>4398046511104</val></propSet><propSet><name>summary.freeSpace</name>",
        1,
    );
    FakeEndpoint::new("vcenter.example.com")
        .on_body("<RetrieveServiceContent ", 200, reply!("service-content.xml"))
        .on_body("<Login ", 200, reply!("login.xml"))
        .on_body("<Logout ", 200, reply!("logout.xml"))
        .on_body("<CreateContainerView ", 200, VIEW)
        .on_body("<type>StoragePod</type><pathSet>", 200, reply!("inventory.xml"))
        .on_body("<type>VirtualMachine</type><pathSet>name", 200, &machines)
        .on_body("<pathSet>summary.capacity</pathSet>", 200, &sizes)
        .on("POST /rest/com/vmware/cis/session", 200, r#"{"value":"token"}"#)
        .on("DELETE /rest/com/vmware/cis/session", 200, "")
        .when(|sent| sent.path.ends_with("list-attached-tags-on-objects"), 200, &attached)
        .on(&format!("GET /rest/com/vmware/cis/tagging/tag/id:{TAG_OS}"), 200, r#"{"value":{"name":"os:ubuntu"}}"#)
        .on(
            &format!("GET /rest/com/vmware/cis/tagging/tag/id:{TAG_RELEASE}"),
            200,
            r#"{"value":{"name":"eksdRelease:kubernetes-1-34-eks-19"}}"#,
        )
}

fn host(vcenter: FakeEndpoint) -> FakeHost {
    FakeHost::new().secret(USERNAME, "admin@vsphere.local").secret(PASSWORD, "pw").endpoint(VCENTER, vcenter)
}

fn run_on(host: &mut FakeHost, command: &str, given: &[(&str, &str)], documents: &str) -> Answer {
    let described = list().into_iter().find(|one| one.name == command).unwrap();
    let mut arguments: Vec<(String, String)> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for one in described.arguments {
        if let Some(default) = one.default.filter(|_| !given.iter().any(|(name, _)| *name == one.name)) {
            arguments.push((one.name, default));
        }
    }
    let documents =
        if documents.is_empty() { Documents::new(vec![]) } else { kedge_sdk::testing::documents(documents) };
    run(command, &Arguments::new(arguments), &documents, host).unwrap()
}

#[test]
fn the_inventory_is_what_could_stand_in_a_spec() {
    let mut host = host(vcenter());
    let answer = run_on(&mut host, "inventory", &[], "");
    assert_eq!(answer.findings, vec![]);
    let datacenter = &answer.data["datacenters"][0];
    assert_eq!(datacenter["name"], "SDDC-Datacenter");
    let template = &datacenter["templates"][0];
    assert_eq!(template["path"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
    assert_eq!((&template["kubernetesVersion"], &template["osFamily"]), (&json!("1.34"), &json!("ubuntu")));
    assert_eq!(datacenter["templates"].as_array().unwrap().len(), 1, "a virtual machine is no template");
    assert_eq!(datacenter["datastores"][0]["capacityGiB"], 4096);
    assert!(
        answer.text.contains("/SDDC-Datacenter/datastore/WorkloadDatastore  2856 of 4096 GiB free"),
        "{}",
        answer.text
    );
    assert!(host.sent(VCENTER).last().unwrap().body.contains("<Logout "));
}

#[test]
fn a_spec_is_filled_in_with_what_there_is_one_of() {
    let mut host = host(vcenter());
    let given = [("from-vcenter", "vcenter.example.com"), ("name", "prod"), ("endpoint-host", "10.0.0.9")];
    let answer = run_on(&mut host, "generate", &given, "");
    assert_eq!(answer.findings, vec![]);
    let documents = kedge_sdk::testing::yaml(&answer.text);
    assert_eq!(documents[0]["spec"]["kubernetesVersion"], "1.34");
    assert_eq!(documents[0]["spec"]["controlPlaneConfiguration"]["endpoint"]["host"], "10.0.0.9");
    assert_eq!(documents[1]["spec"]["datacenter"], "SDDC-Datacenter");
    let machine = &documents[2]["spec"];
    assert_eq!(machine["datastore"], "/SDDC-Datacenter/datastore/WorkloadDatastore");
    assert_eq!(machine["template"], "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34");
    assert_eq!(machine["users"][0]["name"], "capv");
    // Of pools there are two: the user has to choose, and sees between what.
    assert_eq!(machine["resourcePool"], "");
    assert!(answer.text.contains("resource pool: /SDDC-Datacenter/host/Cluster-1/Resources, /SDDC"), "{}", answer.text);
}

#[test]
fn a_datacenter_that_is_not_there_is_said() {
    let given = [("from-vcenter", "vcenter.example.com"), ("datacenter", "sddc-datacenter")];
    let answer = run_on(&mut host(vcenter()), "generate", &given, "");
    assert_eq!(answer.findings[0].code, "datacenter-missing");
    assert_eq!(answer.findings[0].remedy, "Did you mean `SDDC-Datacenter`?");
}

#[test]
fn a_user_to_be_is_described_before_anything_is_made() {
    let mut host = host(vcenter());
    let answer = run_on(&mut host, "setup-user", &[("dry-run", "true")], spec());
    assert_eq!(answer.findings, vec![]);
    let permissions = answer.data["permissions"].as_array().unwrap();
    let on = |object: &str| permissions.iter().find(|one| one["object"] == object).map(|one| one["role"].clone());
    assert_eq!(on("/SDDC-Datacenter/network/sddc-cgw-network-1"), Some(json!("EKSANetwork")));
    assert_eq!(on("/SDDC-Datacenter"), Some(json!("ReadOnly")));
    assert_eq!(on("/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34"), Some(json!("EKSATemplate")));
    assert!(answer.text.contains("Network.Assign: machines are connected to the network"), "{}", answer.text);
    let changed = ["AddAuthorizationRole", "SetEntityPermissions", "CreateLocalPersonUser"];
    assert!(!host.sent(VCENTER).iter().any(|sent| changed.iter().any(|method| sent.body.contains(method))));
}

#[test]
fn a_user_without_a_password_is_not_made() {
    let mut host = host(vcenter());
    let answer = run_on(&mut host, "setup-user", &[], spec());
    assert_eq!(answer.findings[0].message, "EKSA_VSPHERE_NEW_USER_PASSWORD is not set or empty");
    assert_eq!(host.sent(VCENTER), vec![]);
    let answer = run_on(&mut host.secret(NEW_PASSWORD, "new"), "setup-user", &[], "");
    assert_eq!(answer.findings[0].code, "spec-missing");
}

#[test]
fn a_refused_login_ends_a_command_with_one_try() {
    let refusing = vcenter().answering(|sent| {
        sent.body.contains("<Login ").then(|| {
            let body = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultstring>no\
                        </faultstring><detail><InvalidLoginFault/></detail></s:Fault></s:Body></s:Envelope>";
            Ok(Response { status: 500, headers: vec![], body: body.as_bytes().to_vec() })
        })
    });
    let mut host = host(refusing);
    let answer = run_on(&mut host, "inventory", &[], "");
    assert_eq!(answer.findings[0].code, "login-refused");
    assert_eq!(host.sent(VCENTER).len(), 2);
}

#[test]
fn a_create_makes_the_folder_that_preflight_found_missing() {
    let made = vcenter().on_body(
        "<CreateFolder ",
        200,
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><CreateFolderResponse xmlns=\"urn:vim25\">\
         <returnval type=\"Folder\">group-99</returnval></CreateFolderResponse></s:Body></s:Envelope>",
    );
    let mut input = crate::testing::input_of(spec());
    let mut quiet = host(vcenter());
    crate::lifecycle::before(&input, &mut quiet).unwrap();
    assert_eq!(quiet.sent(VCENTER), vec![], "nothing to make, nothing asked");

    input.facts = json!({"foldersToMake": ["/SDDC-Datacenter/vm/Workloads/new", "/SDDC-Datacenter/vm/Workloads"], "machines": {}});
    let mut host = host(made);
    crate::lifecycle::before(&input, &mut host).unwrap();
    let sent = host.sent(VCENTER);
    let making: Vec<&str> =
        sent.iter().map(|sent| sent.body.as_str()).filter(|body| body.contains("<CreateFolder ")).collect();
    assert_eq!(making.len(), 1);
    assert!(making[0].contains("<_this type=\"Folder\">group-54</_this><name>new</name>"), "{}", making[0]);
    assert!(sent.last().unwrap().body.contains("<Logout "));

    input.facts = json!({"foldersToMake": ["/SDDC-Datacenter/vm/Gone/new"], "machines": {}});
    let mut host = self::host(vcenter());
    let Err(Failure::Invalid(findings)) = crate::lifecycle::before(&input, &mut host) else { panic!("made") };
    assert_eq!(findings[0].code, "folder-missing");
}
