//! Replies: an answer, or a fault.

use std::fmt;

use kedge_sdk::endpoint::explain;
use kedge_sdk::prelude::*;
use kedge_sdk::{EndpointError, Response};

use super::xml::Element;
use crate::wire;

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const VIM: &str = "urn:vim25";

/// What the server refused, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The fault's type: `InvalidLogin`, `NotAuthenticated`, `NoPermission`, ….
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SoapError {
    /// The request did not reach the server, or its answer did not come back.
    Endpoint(EndpointError),
    /// The server refused.
    Fault(Fault),
    /// It has no time now; how many seconds it asks for, as it says it, empty if it does not.
    Busy(String),
    /// What came back is no reply of the vSphere API.
    Reply(String),
}

impl fmt::Display for SoapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => f.write_str(&explain(error)),
            Self::Fault(fault) if fault.message.is_empty() => write!(f, "the vCenter answered {}", fault.kind),
            Self::Fault(fault) => write!(f, "the vCenter answered {}: {}", fault.kind, fault.message),
            Self::Busy(seconds) if seconds.is_empty() => f.write_str("the vCenter has no time now"),
            Self::Busy(seconds) => write!(f, "the vCenter has no time now, it asks for {seconds} s"),
            Self::Reply(why) => write!(f, "the answer is none of a vCenter: {why}"),
        }
    }
}

/// The element inside of the body that answers a method.
pub(super) fn read(sent: Result<Response, EndpointError>, method: &str) -> Result<Element, SoapError> {
    read_in(sent, method, VIM)
}

/// The same for another interface of the vCenter, by the namespace of its methods.
pub(crate) fn read_in(
    sent: Result<Response, EndpointError>,
    method: &str,
    namespace: &str,
) -> Result<Element, SoapError> {
    let response = sent.map_err(SoapError::Endpoint)?;
    let status = response.status;
    let unreadable = |why: &str| SoapError::Reply(format!("{why} (HTTP status {status})"));
    if let Some(seconds) = wire::retry_after(&response) {
        return Err(SoapError::Busy(seconds));
    }
    // A fault comes with status 500; anything else that is no success comes from something before the vCenter.
    if !response.is_success() && status != 500 {
        return Err(unreadable("it is no SOAP"));
    }
    let envelope = Element::parse(&response.text()).map_err(|error| unreadable(&error.to_string()))?;
    if envelope.name != "Envelope" || envelope.namespace != ENVELOPE {
        return Err(unreadable("it is no SOAP"));
    }
    let body = envelope
        .children
        .into_iter()
        .find(|child| child.name == "Body" && child.namespace == ENVELOPE)
        .ok_or_else(|| unreadable("it has no body"))?;
    let answer = body.children.into_iter().next().ok_or_else(|| unreadable("its body is empty"))?;
    if answer.name == "Fault" && answer.namespace == ENVELOPE {
        return Err(SoapError::Fault(fault(&answer)));
    }
    if answer.name != format!("{method}Response") || answer.namespace != namespace {
        return Err(unreadable(&format!("it answers `{}`, not `{method}`", answer.name)));
    }
    Ok(answer)
}

/// The type is in the detail: as `xsi:type`, or as the name of the element (`InvalidLoginFault`).
fn fault(element: &Element) -> Fault {
    let detail = element.child("detail").and_then(|detail| detail.children.first());
    let kind = detail.map_or("a fault", |detail| {
        if detail.kind.is_empty() { detail.name.strip_suffix("Fault").unwrap_or(&detail.name) } else { &detail.kind }
    });
    Fault { kind: kind.to_owned(), message: element.text_of("faultstring").to_owned() }
}

impl SoapError {
    /// As a finding about the vCenter of a datacenter document.
    pub(crate) fn finding(&self, datacenter: &ObjectRef, doing: &str) -> Finding {
        let (code, remedy) = match self {
            Self::Fault(fault) if fault.kind == "NoPermission" => {
                ("vcenter-permission", "Give the user of EKSA_VSPHERE_USERNAME the missing privilege")
            }
            Self::Fault(fault) if fault.kind == "NotAuthenticated" => {
                ("vcenter-session", "The session ended early: run the command again")
            }
            Self::Fault(_) => ("vcenter-fault", "Look at the vCenter's events, then run the command again"),
            Self::Endpoint(_) => ("vcenter-no-answer", "Check that the vCenter is up and can be reached from here"),
            Self::Busy(_) => ("vcenter-busy", "Run the command again when the vCenter has started or its load is gone"),
            Self::Reply(_) => ("vcenter-reply", "Check that `spec.server` names a vCenter"),
        };
        Finding::error(code, format!("{doing} failed: {self}")).at(datacenter.clone(), "spec.server").remedy(remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: vec![], body: body.as_bytes().to_vec() }
    }

    fn envelope(body: &str) -> String {
        format!("<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body>{body}</s:Body></s:Envelope>")
    }

    #[test]
    fn the_kind_of_a_fault_is_found_in_either_place() {
        let typed = envelope(
            r#"<s:Fault><faultcode>ServerFaultCode</faultcode><faultstring>no</faultstring><detail><Fault xmlns="urn:vim25" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="InvalidLogin"/></detail></s:Fault>"#,
        );
        let named = envelope(
            r#"<s:Fault><faultstring>no</faultstring><detail><InvalidLoginFault xmlns="urn:vim25"/></detail></s:Fault>"#,
        );
        for text in [typed, named] {
            let error = read(Ok(response(500, &text)), "Login").unwrap_err();
            assert_eq!(error, SoapError::Fault(Fault { kind: "InvalidLogin".into(), message: "no".into() }));
        }
    }

    #[test]
    fn what_is_no_reply_is_said_to_be_none() {
        let wrong_method = envelope(r#"<LogoutResponse xmlns="urn:vim25"/>"#);
        for (status, text) in [
            (200, "<html>hello</html>"),
            (200, "not xml"),
            (502, "no gateway"),
            (404, ""),
            (200, wrong_method.as_str()),
            (200, &envelope("")),
        ] {
            let error = read(Ok(response(status, text)), "Login").unwrap_err();
            assert!(matches!(error, SoapError::Reply(_)), "{text}: {error:?}");
        }
        let busy = read(Ok(response(503, "busy")), "Login").unwrap_err();
        assert_eq!(busy, SoapError::Busy(String::new()));
    }

    #[test]
    fn an_answer_is_the_element_of_its_method() {
        let answer = read(
            Ok(response(
                200,
                &envelope(r#"<LoginResponse xmlns="urn:vim25"><returnval><key>k</key></returnval></LoginResponse>"#),
            )),
            "Login",
        )
        .unwrap();
        assert_eq!(answer.child("returnval").unwrap().text_of("key"), "k");
    }
}
