use kedge_sdk::testing::{FakeEndpoint, FakeHost};

use super::*;
use crate::describe::{PASSWORD, USERNAME, VCENTER};

const TAG: &str = "urn:vmomi:InventoryServiceTag:5f2:GLOBAL";

/// Logged in to a vCenter of a version.
fn login<'e>(endpoint: &'e Endpoint, version: &str) -> Result<Rest<'e>, RestError> {
    let rest = Rest::new(endpoint, version);
    rest.opened(endpoint.send(&rest.login()))?;
    Ok(rest)
}

fn attached(rest: &Rest<'_>) -> BTreeMap<String, Vec<String>> {
    let asked = rest.attached(&[Reference::new("VirtualMachine", "vm-1")]);
    Rest::read_attached(&rest.ask(&asked).unwrap()).unwrap()
}

fn name(rest: &Rest<'_>, tag: &str) -> Option<String> {
    Rest::read_name(rest.ask(&rest.tag(tag))).unwrap()
}

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
    let rest = login(&endpoint, "9.0.0").unwrap();
    assert_eq!(attached(&rest)["vm-1"], [TAG]);
    assert_eq!(name(&rest, TAG).as_deref(), Some("os:ubuntu"));
    Rest::closed(endpoint.send(&rest.logout())).unwrap();

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
    let rest = login(&endpoint, "8.0.2").unwrap();
    assert_eq!(name(&rest, TAG).as_deref(), Some("os:ubuntu"));
    assert_eq!(name(&rest, "gone/.."), None);
    Rest::closed(endpoint.send(&rest.logout())).unwrap();
    assert_eq!(host.sent(VCENTER)[0].line(), "POST /rest/com/vmware/cis/session");
}

#[test]
fn a_refusal_says_what_the_server_said() {
    let mut host = host(FakeEndpoint::new("vc").on(
        "POST /api/session",
        401,
        r#"{"messages":[{"default_message":"Authentication required."}]}"#,
    ));
    let endpoint = host.open(VCENTER).unwrap();
    let error = login(&endpoint, "9.0.0").unwrap_err();
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
        let rest = login(&endpoint, "9.0.0").unwrap();
        assert!(attached(&rest).values().all(Vec::is_empty), "{answer}");
    }
}

#[test]
fn a_session_that_ends_midway_is_opened_once_more() {
    let lost = FakeEndpoint::new("vc").on("POST /rest/com/vmware/cis/session", 200, r#"{"value":"token"}"#).when(
        |sent| sent.path.contains("/tagging/tag/"),
        401,
        "",
    );
    let mut host = host(lost);
    let endpoint = host.open(VCENTER).unwrap();
    let rest = login(&endpoint, "8.0.2").unwrap();
    for _ in 0..2 {
        let error = rest.ask(&rest.tag(TAG)).unwrap_err();
        assert_eq!(error, RestError::Status(401, String::new()));
    }
    let logins = host.sent(VCENTER).iter().filter(|sent| sent.method == "POST").count();
    assert_eq!(logins, 2, "a session that does not last is not opened for ever");
}

#[test]
fn a_vcenter_without_time_says_for_how_long() {
    let busy = FakeEndpoint::new("vc").answering(|_| {
        Some(Ok(Response { status: 503, headers: vec![("Retry-After".into(), "30".into())], body: vec![] }))
    });
    let mut host = host(busy);
    let endpoint = host.open(VCENTER).unwrap();
    let error = login(&endpoint, "8.0.2").unwrap_err();
    assert_eq!(error.to_string(), "the vCenter has no time now, it asks for 30 s");
}
