//! The way to the vCenter: connection, certificate, login, and what goes wrong on the way.

use super::*;

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
fn an_insecure_connection_is_warned_of() {
    let text = edit(spec(), &[("  insecure: false\n", "  insecure: true\n")]);
    assert_eq!(not_passed(vcenter(), &text), ["certificate: warned [insecure]"]);
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
fn a_fault_in_between_is_said_and_the_session_still_ends() {
    let failing = vcenter().answering(|sent| {
        let details = sent.body.contains("<pathSet>config.template</pathSet>") && !sent.body.contains("StoragePod");
        details.then(|| {
            let body = fault("NoPermission", "Permission to perform this operation was denied.").into_bytes();
            Ok(Response { status: 500, headers: vec![], body })
        })
    });
    let text = edit(spec(), &[("template: ubuntu-2204-kube-v1-34", "template: bottlerocket-kube-v1-34")]);
    let (host, _) = run_on(failing, &text);
    let summary = host.summary().join("\n");
    assert!(summary.contains("templates: failed [vcenter-permission"), "{summary}");
    assert!(host.sent(VCENTER).last().unwrap().body.contains("<Logout "));
}

#[test]
fn a_view_that_went_with_its_session_is_made_again() {
    let gone = std::cell::Cell::new(true);
    let losing = vcenter().answering(move |sent| {
        let lost = sent.body.contains("<type>StoragePod</type><pathSet>") && gone.replace(false);
        lost.then(|| {
            let body = fault("ManagedObjectNotFound", "The object has already been deleted").into_bytes();
            Ok(Response { status: 500, headers: vec![], body })
        })
    });
    let (host, _) = run_on(losing, spec());
    assert!(host.summary().iter().all(|line| line.ends_with(": passed")), "{:?}", host.summary());
    assert_eq!(host.sent(VCENTER).iter().filter(|sent| sent.body.contains("<CreateContainerView ")).count(), 2);
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
