//! The way to the vCenter: connection, certificate, login.

use kedge_sdk::endpoint::explain;
use kedge_sdk::prelude::*;

use super::{AUTHENTICATION, CERTIFICATE, SERVER};
use crate::describe::{PASSWORD, USERNAME, VCENTER};
use crate::soap::SoapError;
use crate::soap::client::Client;
use crate::spec::{Spec, datacenter_ref};

pub(super) fn open(spec: &Spec, reporter: &mut Reporter<'_>) -> Option<Endpoint> {
    match reporter.host().open(VCENTER) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            unreachable(spec, &error, reporter);
            None
        }
    }
}

fn unreachable(spec: &Spec, error: &EndpointError, reporter: &mut Reporter<'_>) {
    let server = &spec.datacenter.server;
    let message = format!("The vCenter `{server}` can't be reached: {}", explain(error));
    let remedy = match error {
        // The host says why, and what would allow it.
        EndpointError::Refused(_) | EndpointError::NotGranted(_) => {
            format!("Check `server`; if `{server}` is meant, grant what the message names")
        }
        _ => format!(
            "Check `server`, and that `{server}` answers from this machine (name resolution, route, firewall, proxy)"
        ),
    };
    let finding = Finding::error("vcenter-unreachable", message)
        .at(datacenter_ref(&spec.datacenter.name), "spec.server")
        .remedy(remedy);
    reporter.failed(SERVER, finding);
}

/// Asks who is there.
pub(super) fn connect<'e>(endpoint: &'e Endpoint, spec: &Spec, reporter: &mut Reporter<'_>) -> Option<Client<'e>> {
    let about = datacenter_ref(&spec.datacenter.name);
    let server = &spec.datacenter.server;
    match Client::connect(endpoint) {
        Ok(client) if client.about.api_type == "VirtualCenter" => {
            reporter.passed(SERVER, client.about.full_name.clone());
            certificate(spec, reporter);
            Some(client)
        }
        Ok(client) => {
            let message = format!("`{server}` is no vCenter but {}", client.about.full_name);
            let remedy = "Set `server` to the vCenter that manages this host";
            reporter.failed(SERVER, Finding::error("not-a-vcenter", message).at(about, "spec.server").remedy(remedy));
            None
        }
        Err(SoapError::Endpoint(EndpointError::Untrusted(why))) => {
            // It answers, so the connection is not the problem.
            reporter.passed(SERVER, "");
            let finding = untrusted(endpoint, spec, &why);
            reporter.failed(CERTIFICATE, finding);
            None
        }
        Err(SoapError::Endpoint(error)) => {
            unreachable(spec, &error, reporter);
            None
        }
        Err(error) => {
            reporter.failed(SERVER, error.finding(&about, "Asking who is there"));
            None
        }
    }
}

/// The certificate was accepted: why.
fn certificate(spec: &Spec, reporter: &mut Reporter<'_>) {
    let datacenter = &spec.datacenter;
    let expected = "a certificate of a known authority, or the thumbprint of the spec";
    if datacenter.insecure {
        let message = format!("The certificate of `{}` is not checked: anybody could be in between", datacenter.server);
        let finding = Finding::warning("insecure", message)
            .at(datacenter_ref(&datacenter.name), "spec.insecure")
            .remedy("Set `insecure: false`, and `thumbprint` if the certificate is self-signed");
        reporter.checked(CERTIFICATE, expected, "any certificate", vec![finding]);
    } else if datacenter.thumbprint.is_empty() {
        reporter.checked(CERTIFICATE, expected, "a certificate of a known authority", vec![]);
    } else {
        reporter.checked(CERTIFICATE, expected, "the thumbprint of the spec", vec![]);
    }
}

/// The certificate is not accepted: what it is, and what the spec says of it.
fn untrusted(endpoint: &Endpoint, spec: &Spec, why: &str) -> Finding {
    let about = datacenter_ref(&spec.datacenter.name);
    let server = &spec.datacenter.server;
    let pinned = &spec.datacenter.thumbprint;
    let Ok(shown) = endpoint.certificate() else {
        let message = format!("The certificate of `{server}` is not trusted: {why}");
        return Finding::error("certificate-untrusted", message).at(about, "spec.thumbprint");
    };
    let found = &shown.sha1_thumbprint;
    if !pinned.is_empty() {
        let message = format!("The certificate of `{server}` has the thumbprint {found}, the spec says {pinned}");
        let remedy =
            format!("Find out why it changed (ask who runs the vCenter); if it was renewed, set `thumbprint: {found}`");
        return Finding::error("thumbprint-mismatch", message).at(about, "spec.thumbprint").remedy(remedy);
    }
    let whose = if shown.subject == shown.issuer {
        "is self-signed".to_owned()
    } else {
        format!("is issued by {}, which this machine does not trust", shown.issuer)
    };
    let message = format!("The certificate of `{server}` {whose}, and the spec has no thumbprint for it");
    let remedy =
        format!("Compare the thumbprint {found} with the one the vCenter shows, then set `thumbprint: {found}`");
    Finding::error("certificate-untrusted", message).at(about, "spec.thumbprint").remedy(remedy)
}

/// Logs in, once: a wrong password tried over and over locks the user out.
pub(super) fn login(client: &Client<'_>, endpoint: &Endpoint, spec: &Spec, reporter: &mut Reporter<'_>) -> Option<()> {
    let about = datacenter_ref(&spec.datacenter.name);
    let variable = |secret: &str| if secret == USERNAME { "EKSA_VSPHERE_USERNAME" } else { "EKSA_VSPHERE_PASSWORD" };
    let missing: Vec<&str> = [USERNAME, PASSWORD]
        .into_iter()
        .filter(|secret| !reporter.host().secret_available(secret))
        .map(variable)
        .collect();
    if !missing.is_empty() {
        let names = missing.join(" and ");
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let finding = Finding::error("secret-missing", format!("{names} {verb} not set or empty"))
            .remedy(format!("Set {names} in the environment"));
        reporter.failed(AUTHENTICATION, finding);
        return None;
    }
    let server = endpoint.server();
    match client.login(USERNAME, PASSWORD) {
        Ok(()) => {
            reporter.passed(AUTHENTICATION, "");
            Some(())
        }
        Err(SoapError::Fault(fault)) if fault.kind == "InvalidLogin" => {
            let finding = Finding::error("login-refused", format!("`{server}` refuses the user name or the password"))
                .at(about, "spec.server")
                .remedy("Check EKSA_VSPHERE_USERNAME (with its domain, such as user@vsphere.local) and EKSA_VSPHERE_PASSWORD");
            reporter.failed(AUTHENTICATION, finding);
            None
        }
        Err(SoapError::Fault(fault)) if fault.kind == "PasswordExpired" => {
            let finding = Finding::error("password-expired", format!("`{server}` says that the password has expired"))
                .at(about, "spec.server")
                .remedy("Set a new password for the user in the vCenter, and EKSA_VSPHERE_PASSWORD to it");
            reporter.failed(AUTHENTICATION, finding);
            None
        }
        Err(error) => {
            reporter.failed(AUTHENTICATION, error.finding(&about, "The login"));
            None
        }
    }
}
