use kedge_sdk::testing::{FakeEndpoint, FakeHost};

use super::*;
use crate::describe::{PASSWORD, USERNAME, VCENTER};

const TAG: &str = "urn:vmomi:InventoryServiceTag:5f2:GLOBAL";

fn host(server: FakeEndpoint) -> FakeHost {
    FakeHost::new().secret(USERNAME, "admin").secret(PASSWORD, "pw").endpoint(VCENTER, server)
}

#[test]
fn a_new_vcenter_is_asked_in_its_own_way() {
    let mut host = host(
        FakeEndpoint::new("vc")
            .on("POST /api/session", 201, r#""token-1""#)
            .on(
                "POST /api/cis/tagging/tag-association?action=list-attached-tags-on-objects",
                200,
                &format!(r#"[{{"object_id":{{"id":"vm-1","type":"VirtualMachine"}},"tag_ids":["{TAG}"]}}]"#),
            )
            .on(&format!("GET /api/cis/tagging/tag/{TAG}"), 200, r#"{"name":"os:ubuntu"}"#)
            .on("DELETE /api/session", 204, ""),
    );
    let endpoint = host.open(VCENTER).unwrap();
    let tagging = Tagging::login(&endpoint, USERNAME, PASSWORD).unwrap();
    let attached = tagging.attached(&[Reference::new("VirtualMachine", "vm-1")]).unwrap();
    assert_eq!(attached["vm-1"], [TAG]);
    assert_eq!(tagging.names(&attached["vm-1"]).unwrap()[TAG].as_deref(), Some("os:ubuntu"));
    tagging.logout().unwrap();

    let sent = host.sent(VCENTER);
    assert_eq!(sent[0].header("Authorization"), Some("Basic YWRtaW46cHc="));
    assert!(sent[1..].iter().all(|sent| sent.header(SESSION_HEADER) == Some("token-1")));
}

#[test]
fn an_old_vcenter_is_asked_the_old_way() {
    let mut host = host(
        FakeEndpoint::new("vc")
            .on("POST /api/session", 404, "")
            .on("POST /rest/com/vmware/cis/session", 200, r#"{"value":"token-2"}"#)
            .on(&format!("GET /rest/com/vmware/cis/tagging/tag/id:{TAG}"), 200, r#"{"value":{"name":"os:ubuntu"}}"#)
            .on(
                "GET /rest/com/vmware/cis/tagging/tag/id:gone%2F..",
                404,
                r#"{"type":"x","value":{"messages":[{"default_message":"Tag gone"}]}}"#,
            )
            .on("DELETE /rest/com/vmware/cis/session", 200, ""),
    );
    let endpoint = host.open(VCENTER).unwrap();
    let tagging = Tagging::login(&endpoint, USERNAME, PASSWORD).unwrap();
    let names = tagging.names(&[TAG.into(), "gone/..".into()]).unwrap();
    assert_eq!(names[TAG].as_deref(), Some("os:ubuntu"));
    assert_eq!(names["gone/.."], None);
    tagging.logout().unwrap();
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let mut host = host(FakeEndpoint::new("vc").on(
        "POST /api/session",
        401,
        r#"{"messages":[{"default_message":"Authentication required."}]}"#,
    ));
    let endpoint = host.open(VCENTER).unwrap();
    let error = Tagging::login(&endpoint, USERNAME, PASSWORD).unwrap_err();
    assert_eq!(error.to_string(), "the vCenter answered with HTTP status 401: Authentication required.");
}

#[test]
fn an_object_without_tags_has_none() {
    for answer in [
        r#"{"value":[{"object_id":{"type":"VirtualMachine","id":"vm-1"},"tag_ids":null}]}"#,
        r#"{"value":[{"object_id":{"type":"VirtualMachine","id":"vm-1"},"tag_ids":[]}]}"#,
        r#"{"value":[]}"#,
        r#"{"value":null}"#,
    ] {
        let mut host = host(
            FakeEndpoint::new("vc")
                .on("POST /api/session", 404, "")
                .on("POST /rest/com/vmware/cis/session", 200, r#"{"value":"token"}"#)
                .when(|sent| sent.path.ends_with("list-attached-tags-on-objects"), 200, answer),
        );
        let endpoint = host.open(VCENTER).unwrap();
        let tagging = Tagging::login(&endpoint, USERNAME, PASSWORD).unwrap();
        let attached = tagging.attached(&[Reference::new("VirtualMachine", "vm-1")]).unwrap();
        assert!(attached.values().all(Vec::is_empty), "{answer}");
    }
}
