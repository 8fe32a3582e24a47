//! A visit to the vCenter for a command: logged in, and logged out again whatever happened.

use kedge_sdk::endpoint::explain;
use kedge_sdk::prelude::*;

use super::{Refusal, wrong};
use crate::describe::{PASSWORD, USERNAME, VCENTER};
use crate::preflight::{goodbye, inventory};
use crate::rest::{Rest, RestError};
use crate::soap::client::Client;
use crate::soap::{Element, SoapError, Survey};
use crate::wire;

/// Somebody who is logged in.
pub(crate) struct Visit<'v> {
    pub(crate) endpoint: &'v Endpoint,
    pub(crate) client: &'v Client<'v>,
    /// The REST API, or why there is none.
    pub(crate) rest: Result<&'v Rest<'v>, RestError>,
    pub(crate) inventory: inventory::Inventory,
}

/// Logs in, reads the inventory, does something, logs out.
pub(crate) fn visit<T>(
    host: &mut dyn Host,
    work: impl FnOnce(&Visit<'_>, &mut dyn Host) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let endpoint = host.open(VCENTER).map_err(|error| unreachable(&error))?;
    let client = match Client::connect(&endpoint) {
        Ok(client) => client,
        Err(SoapError::Endpoint(EndpointError::Untrusted(why))) => return Err(untrusted(&endpoint, &why)),
        Err(SoapError::Endpoint(error)) => return Err(unreachable(&error)),
        Err(error) => return Err(failed("Asking who is there", &error)),
    };
    for (secret, variable) in [(USERNAME, "EKSA_VSPHERE_USERNAME"), (PASSWORD, "EKSA_VSPHERE_PASSWORD")] {
        if !host.secret_available(secret) {
            let remedy = format!("Set {variable} in the environment");
            return Err(wrong("secret-missing", format!("{variable} is not set or empty"), remedy));
        }
    }
    client.login(USERNAME, PASSWORD).map_err(|error| failed("The login", &error))?;
    let rest = Rest::new(&endpoint, &client.about.version);
    let survey =
        Survey { from: &client.root_folder, kinds: inventory::KINDS, more: &[], wanted: inventory::WANTED, most: 0 };
    let view = client.view_for(survey);
    let mut sent = wire::ask_all(&endpoint, &[view.request.clone(), rest.login()]).into_iter();
    let (made, opened) = (sent.next(), sent.next());
    let opened = opened.map_or(Err(RestError::Reply), |opened| rest.opened(opened));
    let is_open = opened.is_ok();
    let made = made.map_or_else(|| Err(SoapError::Reply("nothing".into())), |sent| client.read(sent, &view));
    let done = made
        .and_then(|view| client.survey(&view, survey))
        .and_then(|call| client.surveyed(wire::ask(&endpoint, &call.request), &call, survey))
        .and_then(|first: Element| client.all_pages(&first))
        .map_err(|error| failed("Reading the inventory", &error))
        .and_then(|objects| {
            let inventory = inventory::Inventory::new(&client.root_folder, "", &objects);
            work(&Visit { endpoint: &endpoint, client: &client, rest: opened.map(|()| &rest), inventory }, host)
        });
    goodbye(&endpoint, &client, is_open.then_some(&rest), host);
    done
}

/// Something that was asked of the vCenter and refused.
pub(crate) fn failed(doing: &str, error: &SoapError) -> Refusal {
    if let SoapError::Fault(fault) = error
        && matches!(fault.kind.as_str(), "InvalidLogin" | "PasswordExpired")
    {
        return wrong(
            "login-refused",
            "The vCenter refuses the user name or the password",
            "Check EKSA_VSPHERE_USERNAME (with its domain, such as user@vsphere.local) and EKSA_VSPHERE_PASSWORD",
        );
    }
    let mut finding = error.finding(&crate::spec::datacenter_ref(""), doing);
    // There may be no document that it could be about.
    finding.document = None;
    finding.path.clear();
    Box::new(finding)
}

fn unreachable(error: &EndpointError) -> Refusal {
    let message = format!("The vCenter can't be reached: {}", explain(error));
    wrong("vcenter-unreachable", message, "Name it with `--vcenter HOST`, or give a spec that does with `-f FILE`")
}

fn untrusted(endpoint: &Endpoint, why: &str) -> Refusal {
    let message = format!("The certificate of `{}` is not trusted: {why}", endpoint.server());
    let remedy = match endpoint.certificate() {
        Ok(shown) => format!(
            "Compare the thumbprint {0} with the one the vCenter shows, then add `--thumbprint {0}`",
            shown.sha1_thumbprint
        ),
        Err(_) => "Add `--thumbprint`, or `--insecure` to take any certificate".to_owned(),
    };
    wrong("certificate-untrusted", message, remedy)
}
