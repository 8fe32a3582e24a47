//! The vCenter itself: its version and its licences, and what the spec asks of it besides places.

use kedge_sdk::prelude::*;

use super::capacity;
use crate::rest::{Rest, RestError};
use crate::soap::client::Client;
use crate::soap::{Element, Found, Reference};
use crate::spec::{Spec, datacenter_ref, machine_ref};

/// What Cluster API's vSphere provider is tested with, and what it refuses: its documentation, "Compatibility".
const TESTED: (u32, u32) = (7, 0);
const OLDEST: (u32, u32) = (6, 7);

/// Seconds that clocks may differ by: tokens of a vCenter's single sign-on are good for so long before and after.
const SKEW: i64 = 60;

/// `8.0.2.0` as 8 and 0.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(0)))
}

/// Whether controllers can work with this version.
pub(super) fn release(spec: &Spec, client: &Client<'_>) -> Vec<Finding> {
    let about = datacenter_ref(&spec.datacenter.name);
    let said = &client.about.version;
    let message = |what: &str| format!("The vCenter has version {said}: {what}");
    let remedy = format!("Upgrade the vCenter to {}.{} or later", TESTED.0, TESTED.1);
    match version(said) {
        Some(version) if version >= TESTED => vec![],
        Some(version) if version >= OLDEST => {
            let message = message("Cluster API's vSphere provider is no longer tested with it");
            vec![Finding::warning("vcenter-old", message).at(about, "spec.server").remedy(remedy)]
        }
        _ => {
            let message = message("Cluster API's vSphere provider does not work with it");
            vec![Finding::error("vcenter-too-old", message).at(about, "spec.server").remedy(remedy)]
        }
    }
}

/// Whether licences are in force and have what the spec uses. Who may not see them learns nothing here.
pub(super) fn licences(
    spec: &Spec,
    client: &Client<'_>,
    network: Option<&Reference>,
    details: &[Found],
) -> Vec<Finding> {
    let about = datacenter_ref(&spec.datacenter.name);
    let Some(found) = capacity::of(details, Some(&client.license_manager)) else { return vec![] };
    let Some(licences) = found.property("licenses").map(|list| &list.children).filter(|all| !all.is_empty()) else {
        return vec![];
    };
    let mut findings = vec![];
    for licence in licences.iter().filter(|licence| has_ended(licence)) {
        let name = licence.text_of("name");
        let message = format!("The vCenter's licence `{name}` has ended: no machine can be started");
        let remedy = "Assign a licence in the vCenter (Administration, Licensing)";
        findings.push(Finding::error("licence-ended", message).at(about.clone(), "spec.server").remedy(remedy));
    }
    let distributed = network.is_some_and(|network| network.kind == "DistributedVirtualPortgroup");
    let features: Vec<&str> = licences.iter().flat_map(features).collect();
    // A list without any feature says nothing of features.
    if distributed && !features.is_empty() && !features.iter().any(|feature| feature.starts_with("dvs")) {
        let message = "No licence of the vCenter has distributed switches, and the network is one of theirs";
        let remedy = "Use a standard network, or a licence with distributed switches";
        findings.push(Finding::warning("licence-feature", message).at(about, "spec.network").remedy(remedy));
    }
    findings
}

fn properties<'l>(licence: &'l Element, key: &'l str) -> impl Iterator<Item = &'l Element> {
    licence.all("properties").filter(move |one| one.text_of("key") == key).filter_map(|one| one.child("value"))
}

/// An evaluation counts its hours down.
fn has_ended(licence: &Element) -> bool {
    let left = |key| properties(licence, key).next().and_then(|value| value.text.trim().parse::<i64>().ok());
    left("expirationHours") == Some(0) && left("expirationMinutes").unwrap_or(0) == 0
}

fn features(licence: &Element) -> Vec<&str> {
    properties(licence, "feature").map(|value| value.text_of("key")).collect()
}

/// Whether the clocks of the vCenter and of this machine agree; none if it does not say its time. `now` is when it
/// said it, in milliseconds since 1970.
pub(super) fn clock(spec: &Spec, client: &Client<'_>, now: u64) -> Option<(String, Vec<Finding>)> {
    let ahead = client.about.time? - i64::try_from(now / 1000).unwrap_or(i64::MAX);
    let found = format!("{ahead:+} s");
    if ahead.abs() <= SKEW {
        return Some((found, vec![]));
    }
    let (by, what) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
    let message = format!("The vCenter's clock is {by} s {what} this machine's");
    let finding = Finding::warning("clock-skew", message)
        .at(datacenter_ref(&spec.datacenter.name), "spec.server")
        .remedy("Let both follow a time server: certificates and tokens are refused where clocks differ");
    Some((found, vec![finding]))
}

/// Whether the vCenter has the storage policies that machine configs name.
pub(super) fn storage_policies(spec: &Spec, rest: Result<&Rest<'_>, &RestError>) -> Vec<Finding> {
    let known = rest.map_err(Clone::clone).and_then(Rest::storage_policies);
    let named = spec.machines.iter().filter(|machine| !machine.storage_policy.is_empty());
    match known {
        Ok(known) => named
            .filter(|machine| !known.contains(&machine.storage_policy))
            .map(|machine| {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let message = format!("The vCenter has no storage policy `{}`", machine.storage_policy);
                Finding::error("storage-policy-missing", message)
                    .at(machine_ref(&machine.name), "spec.storagePolicyName")
                    .remedy(super::inventory::suggest(&machine.storage_policy, &known))
            })
            .collect(),
        Err(error) => {
            let message = format!("The storage policies can't be read: {error}");
            let finding = Finding::warning("storage-policies-unreadable", message)
                .at(datacenter_ref(&spec.datacenter.name), "spec.server")
                .remedy("Check the name in the vCenter (Policies and Profiles); a create fails where it is wrong");
            vec![finding]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("8.0.2"), Some((8, 0)));
        assert_eq!(version("6.7.0"), Some((6, 7)));
        assert_eq!(version("10"), Some((10, 0)));
        assert_eq!(version(""), None);
        assert!(version("10.0") > version("7.0"));
    }

    #[test]
    fn an_evaluation_ends_with_its_hours() {
        let licence = |hours: &str, minutes: &str| {
            let property =
                |key: &str, value: &str| format!("<properties><key>{key}</key><value>{value}</value></properties>");
            let text =
                format!("<l>{}{}</l>", property("expirationHours", hours), property("expirationMinutes", minutes));
            Element::parse(&text).unwrap()
        };
        assert!(has_ended(&licence("0", "0")));
        assert!(!has_ended(&licence("0", "12")));
        assert!(!has_ended(&licence("1440", "0")));
        assert!(!has_ended(&Element::parse("<l/>").unwrap()));
    }
}
