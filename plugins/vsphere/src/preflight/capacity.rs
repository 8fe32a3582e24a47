//! Whether there is room: space on datastores, memory in resource pools.

use kedge_sdk::prelude::*;

use super::places::Place;
use crate::soap::{Found, Reference};
use crate::spec::{Machine, Spec, machine_ref};

const GIB: i64 = 1 << 30;
const MIB: i64 = 1 << 20;

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
        return findings;
    }
    let surplus = surplus(spec, places, reference);
    if let Some(free) = found.int("summary.freeSpace")
        && wanted.saturating_add(surplus).saturating_mul(GIB) > free
    {
        let message = format!(
            "The machines fit on the datastore `{}` ({wanted} of {} free GiB), but an upgrade does not: it makes new \
             machines before it removes old ones, which takes {surplus} GiB more",
            machine.datastore,
            free / GIB
        );
        findings.push(at(Finding::warning("datastore-tight", message).remedy("Free some space before you upgrade")));
    }
    findings
}

/// What an upgrade takes beyond what is there: one machine of each group is made before an old one goes.
fn surplus(spec: &Spec, places: &[Place], datastore: &Reference) -> i64 {
    let users =
        spec.machines.iter().zip(places).filter(|(_, place)| place.datastore.reference.as_ref() == Some(datastore));
    users
        .map(|(machine, _)| {
            let groups = spec.groups_of(&machine.name).filter(|group| group.count > 0).count();
            machine.disk_gib.saturating_mul(i64::try_from(groups).unwrap_or(i64::MAX))
        })
        .fold(0, i64::saturating_add)
}

/// Whether the hosts below a pool can hold the machines at all.
fn hosts(spec: &Spec, machine: &Machine, places: &[Place], details: &[Found]) -> Vec<Finding> {
    let own = spec.machines.iter().zip(places).find(|(other, _)| other.name == machine.name);
    let Some(cluster) = own.and_then(|(_, place)| place.cluster.as_ref()) else { return vec![] };
    let Some(summary) = of(details, Some(cluster)).and_then(|found| found.property("summary")) else { return vec![] };
    let number = |name: &str| summary.text_of(name).parse::<i64>().ok();
    let at = |finding: Finding| finding.at(machine_ref(&machine.name), "spec.resourcePool");
    if number("numEffectiveHosts") == Some(0) && number("numHosts").is_some_and(|hosts| hosts > 0) {
        let message = format!("No host of the resource pool `{}` can run machines now", machine.resource_pool);
        let remedy = "Take a host out of maintenance, or connect it again";
        return vec![at(Finding::error("no-usable-host", message).remedy(remedy))];
    }
    let mut findings = vec![];
    let threads = number("numCpuThreads").filter(|threads| *threads > 0);
    if let Some(threads) = threads.filter(|threads| machine.num_cpus > *threads) {
        let message = format!("Machines are to have {} CPUs, all hosts together have {threads}", machine.num_cpus);
        findings.push(
            Finding::error("cpu-headroom", message)
                .at(machine_ref(&machine.name), "spec.numCPUs")
                .remedy("Use fewer CPUs, or another resource pool"),
        );
    }
    let wanted = needed(spec, places, cluster, |place| place.cluster.as_ref(), |machine| machine.memory_mib);
    let memory = number("effectiveMemory").filter(|memory| *memory > 0);
    if let Some(memory) = memory.filter(|memory| wanted > *memory)
        && is_first(spec, machine, places, |place| place.cluster.as_ref())
    {
        let message = format!(
            "The machines of this spec have {wanted} MiB of memory together, the hosts of `{}` {memory}",
            machine.resource_pool
        );
        findings.push(at(Finding::warning("memory-headroom", message)
            .remedy("Use less memory or fewer machines, or add hosts: machines would swap or not start")));
    }
    findings
}

pub(super) fn pool(spec: &Spec, machine: &Machine, places: &[Place], details: &[Found]) -> Vec<Finding> {
    let mut findings = hosts(spec, machine, places, details);
    findings.extend(limit(spec, machine, places, details));
    findings
}

fn limit(spec: &Spec, machine: &Machine, places: &[Place], details: &[Found]) -> Vec<Finding> {
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
