//! Whether there is room: space on datastores, memory in resource pools.

use std::collections::BTreeSet;

use kedge_sdk::prelude::*;

use super::places::Place;
use super::templates::Candidate;
use crate::soap::client::Client;
use crate::soap::{Found, Reference, SoapError};
use crate::spec::{Machine, Spec, machine_ref};

const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;

const WANTED: &[(&str, &[&str])] = &[
    ("Datastore", &["summary.accessible", "summary.freeSpace", "summary.maintenanceMode"]),
    ("ResourcePool", &["config.memoryAllocation.limit", "runtime.memory.overallUsage"]),
    ("VirtualMachine", &["config.template", "config.hardware.device", "snapshot"]),
];

/// Properties of everything that the spec names and that was found, in one question.
pub(super) fn details(
    client: &Client<'_>,
    places: &[Place],
    templates: &[(String, Candidate)],
) -> Result<Vec<Found>, SoapError> {
    let mut objects: BTreeSet<Reference> = BTreeSet::new();
    for place in places {
        objects.extend(place.datastore.reference.clone());
        objects.extend(place.pool.reference.clone());
    }
    objects.extend(templates.iter().filter_map(|(_, candidate)| candidate.reference.clone()));
    let asked: Vec<Reference> = objects.into_iter().collect();
    let kinds: BTreeSet<&str> = asked.iter().map(|object| object.kind.as_str()).collect();
    let wanted: Vec<(&str, &[&str])> = WANTED.iter().copied().filter(|(kind, _)| kinds.contains(kind)).collect();
    client.properties(&asked, &wanted)
}

pub(super) fn of<'f>(details: &'f [Found], reference: Option<&Reference>) -> Option<&'f Found> {
    details.iter().find(|found| Some(&found.reference) == reference)
}

/// How many machines a machine config describes.
fn count(spec: &Spec, machine: &Machine) -> i64 {
    spec.groups_of(&machine.name).map(|group| group.count).sum()
}

/// Whether a machine config is the first one with this place: what is shared is said once.
fn is_first(spec: &Spec, machine: &Machine, places: &[Place], of: impl Fn(&Place) -> Option<&Reference>) -> bool {
    let mut all = spec.machines.iter().zip(places);
    let own = all.clone().find(|(other, _)| other.name == machine.name).and_then(|(_, place)| of(place));
    all.find(|(_, place)| of(place) == own).is_some_and(|(first, _)| first.name == machine.name)
}

/// What all machine configs with the same place need together.
fn needed(
    spec: &Spec,
    places: &[Place],
    reference: &Reference,
    of: impl Fn(&Place) -> Option<&Reference>,
    each: impl Fn(&Machine) -> i64,
) -> i64 {
    let users = spec.machines.iter().zip(places).filter(|(_, place)| of(place) == Some(reference));
    users.map(|(machine, _)| each(machine).saturating_mul(count(spec, machine))).sum()
}

pub(super) fn datastore(spec: &Spec, machine: &Machine, places: &[Place], details: &[Found]) -> Vec<Finding> {
    fn place(place: &Place) -> Option<&Reference> {
        place.datastore.reference.as_ref()
    }
    let mut findings = vec![];
    if !is_first(spec, machine, places, place) {
        return findings;
    }
    let own = spec.machines.iter().zip(places).find(|(other, _)| other.name == machine.name);
    let Some(reference) = own.and_then(|(_, place)| place.datastore.reference.as_ref()) else { return findings };
    let Some(found) = of(details, Some(reference)) else { return findings };
    let at = |finding: Finding| finding.at(machine_ref(&machine.name), "spec.datastore");
    if found.text("summary.accessible") == "false" {
        let message = format!("The datastore `{}` is not accessible", machine.datastore);
        findings.push(at(Finding::error("datastore-inaccessible", message)
            .remedy("Look at its state in the vCenter, or use another")));
        return findings;
    }
    let mode = found.text("summary.maintenanceMode");
    if !mode.is_empty() && mode != "normal" {
        let message = format!("The datastore `{}` is in maintenance", machine.datastore);
        findings.push(at(Finding::error("datastore-maintenance", message).remedy("Wait for its end, or use another")));
    }
    let wanted = needed(spec, places, reference, place, |machine| machine.disk_gib);
    if let Some(free) = found.int("summary.freeSpace")
        && wanted.saturating_mul(GIB) > free
    {
        let message = format!(
            "The machines of this spec need {wanted} GiB on the datastore `{}`, {} GiB are free",
            machine.datastore,
            free / GIB
        );
        findings.push(at(Finding::error("datastore-full", message)
            .remedy("Free some space, use smaller disks or fewer machines, or another datastore")));
    }
    findings
}

pub(super) fn pool(spec: &Spec, machine: &Machine, places: &[Place], details: &[Found]) -> Vec<Finding> {
    fn place(place: &Place) -> Option<&Reference> {
        place.pool.reference.as_ref()
    }
    if !is_first(spec, machine, places, place) {
        return vec![];
    }
    let own = spec.machines.iter().zip(places).find(|(other, _)| other.name == machine.name);
    let Some(reference) = own.and_then(|(_, place)| place.pool.reference.as_ref()) else { return vec![] };
    let Some(found) = of(details, Some(reference)) else { return vec![] };
    // MiB; -1 is no limit.
    let Some(limit) = found.int("config.memoryAllocation.limit").filter(|limit| *limit >= 0) else { return vec![] };
    let used = found.int("runtime.memory.overallUsage").unwrap_or(0) / MIB;
    let free = limit.saturating_sub(used).max(0);
    let wanted = needed(spec, places, reference, place, |machine| machine.memory_mib);
    if wanted <= free {
        return vec![];
    }
    let message = format!(
        "The machines of this spec need {wanted} MiB of memory in the resource pool `{}`, {free} of its {limit} MiB are free",
        machine.resource_pool
    );
    let finding = Finding::error("resource-pool-full", message)
        .at(machine_ref(&machine.name), "spec.resourcePool")
        .remedy("Raise the pool's limit, use less memory or fewer machines, or another pool");
    vec![finding]
}
