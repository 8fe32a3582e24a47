//! Templates: they are there, made for this release and operating system, and can be cloned as the spec wants.

use std::collections::{BTreeMap, BTreeSet};

use kedge_sdk::prelude::*;

use super::capacity;
use super::inventory::suggest;
use super::search::Machines;
use super::tags::{self, Tags};
use crate::appliance::DISK_GIB;
use crate::facts::MachineFacts;
use crate::paths;
use crate::rest::RestError;
use crate::soap::{Found, Reference, SoapError};
use crate::spec::{Machine, Spec, machine_ref};

const KIB_IN_GIB: i64 = 1 << 20;

/// The template of a machine config, as far as it was found.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    pub(super) reference: Option<Reference>,
    pub(super) path: String,
    /// Whether the create makes it.
    pub(super) to_make: bool,
    pub(super) findings: Vec<Finding>,
}

/// What there is to say about all templates.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    pub(super) machines: BTreeMap<String, MachineFacts>,
}

/// The template of each machine config, among the machines that were found.
pub(super) fn choose(spec: &Spec, machines: &Result<Machines, SoapError>) -> Vec<(String, Candidate)> {
    let each = spec.machines.iter().map(|machine| {
        let candidate = match machines {
            Ok(machines) => by_name(machine, machines),
            Err(error) => failed(spec, error),
        };
        (machine.name.clone(), candidate)
    });
    each.collect()
}

fn failed(spec: &Spec, error: &SoapError) -> Candidate {
    let about = crate::spec::datacenter_ref(&spec.datacenter.name);
    Candidate { findings: vec![error.finding(&about, "Looking for templates")], ..Candidate::default() }
}

fn by_name(machine: &Machine, machines: &Machines) -> Candidate {
    let given = &machine.template;
    let all = &machines.paths;
    let meant: Vec<(&Reference, &String)> = all.iter().filter(|(_, path)| paths::meant(given, path)).collect();
    let error =
        |code: &str, message: String| Finding::error(code, message).at(machine_ref(&machine.name), "spec.template");
    match meant.as_slice() {
        [(reference, path)] => {
            Candidate { reference: Some((*reference).clone()), path: (*path).clone(), ..Candidate::default() }
        }
        [] if machine.appliance.is_some() => Candidate { path: given.clone(), to_make: true, ..Candidate::default() },
        [] if given.trim().is_empty() => {
            let message =
                "No template is named, and the release has no Bottlerocket appliance to make one of".to_owned();
            let remedy = "Import a template into the vCenter and name it in `template`";
            Candidate { findings: vec![error("template-missing", message).remedy(remedy)], ..Candidate::default() }
        }
        [] => {
            let message =
                format!("There is no template `{given}` that is visible to the user of EKSA_VSPHERE_USERNAME");
            let remedy = if machines.complete {
                let mut known: Vec<&str> = all.values().map(String::as_str).collect();
                known.sort_unstable();
                format!("Import it into the vCenter. {}", suggest(given, &known))
            } else {
                "Import it into the vCenter, or look for its name among the vCenter's templates".to_owned()
            };
            Candidate { findings: vec![error("template-missing", message).remedy(remedy)], ..Candidate::default() }
        }
        several => {
            let paths: Vec<String> = several.iter().map(|(_, path)| format!("`{path}`")).collect();
            let message = format!("`{given}` can mean {} templates: {}", several.len(), paths.join(", "));
            let finding = error("template-ambiguous", message).remedy("Use the whole path of the one that is meant");
            Candidate { findings: vec![finding], ..Candidate::default() }
        }
    }
}

/// The paths of those that were found, each once.
pub(super) fn paths(candidates: &[(String, Candidate)]) -> String {
    let shown = |candidate: &Candidate| {
        let path = candidate.path.clone();
        if candidate.to_make { format!("{path} (the create imports it)") } else { path }
    };
    let paths: BTreeSet<String> =
        candidates.iter().map(|(_, candidate)| shown(candidate)).filter(|path| !path.is_empty()).collect();
    paths.into_iter().collect::<Vec<_>>().join(", ")
}

/// Looks at what was found.
pub(super) fn check(
    input: &Input,
    spec: &Spec,
    candidates: &[(String, Candidate)],
    details: &[Found],
    tags: &Result<Tags, RestError>,
) -> Checked {
    let mut checked = Checked::default();
    if let Err(error) = tags {
        checked.findings.push(tags::unreadable(spec, error));
    }
    for machine in &spec.machines {
        let Some((_, candidate)) = candidates.iter().find(|(name, _)| *name == machine.name) else { continue };
        checked.findings.extend(candidate.findings.iter().cloned());
        let Some(reference) = &candidate.reference else {
            if candidate.to_make {
                checked.machines.insert(machine.name.clone(), future(machine, &candidate.path));
            }
            continue;
        };
        if let Ok(tags) = tags {
            checked.findings.extend(tags.of_template(input, spec, machine, reference, &candidate.path));
        }
        let mut facts = MachineFacts { template: candidate.path.clone(), ..MachineFacts::default() };
        if let Some(found) = capacity::of(details, Some(reference)) {
            disk(machine, &candidate.path, found, &mut facts, &mut checked.findings);
        }
        checked.machines.insert(machine.name.clone(), facts);
    }
    checked
}

/// What is known of a template that the create makes: it gets a snapshot, and the disk that Bottlerocket wants.
fn future(machine: &Machine, path: &str) -> MachineFacts {
    let disk_gib = machine.disk_gib.max(DISK_GIB);
    let clone_mode = if disk_gib == DISK_GIB { "linkedClone" } else { "fullClone" };
    MachineFacts { template: path.to_owned(), disk_gib, clone_mode: clone_mode.into(), ..MachineFacts::default() }
}

/// The template's disks in GiB, in the order of the virtual machine; the size and the mode of clones follow.
fn disk(machine: &Machine, path: &str, found: &Found, facts: &mut MachineFacts, findings: &mut Vec<Finding>) {
    let at = |finding: Finding, field: &str| finding.at(machine_ref(&machine.name), field);
    let devices = found.property("config.hardware.device").map_or(&[][..], |devices| &devices.children);
    let disks: Vec<i64> = devices
        .iter()
        .filter(|device| device.kind == "VirtualDisk")
        .filter_map(|disk| disk.text_of("capacityInKB").parse().ok())
        .collect();
    let has_snapshot = found.property("snapshot").is_some_and(|snapshot| !snapshot.children.is_empty());
    if found.text("config.template") == "false" {
        let message = format!("`{path}` is a virtual machine and not a template");
        findings.push(at(
            Finding::warning("not-a-template", message).remedy("Mark it as a template (`govc vm.markastemplate`)"),
            "spec.template",
        ));
    }
    let Some(first) = disks.first() else {
        let message = format!("The template `{path}` has no disk that this user can see");
        findings.push(at(Finding::error("template-disk", message).remedy("Import it again"), "spec.template"));
        return;
    };
    if machine.os_family == "bottlerocket" && !matches!(disks.as_slice(), [23_068_672] | [2_097_152, 20_971_520]) {
        let sizes: Vec<String> = disks.iter().map(|kib| format!("{} GiB", kib / KIB_IN_GIB)).collect();
        let message = format!(
            "The template `{path}` has disks of {}; Bottlerocket's has 22 GiB, or 2 and 20 GiB",
            sizes.join(" and ")
        );
        findings.push(at(
            Finding::error("template-disk", message).remedy("Import it again, and change its disk to 22 GiB"),
            "spec.template",
        ));
    }
    let size = (first + KIB_IN_GIB - 1) / KIB_IN_GIB;
    if machine.disk_gib < size && machine.clone_mode != "linkedClone" {
        let message =
            format!("diskGiB is {}, the template's disk has {size} GiB: machines get {size}", machine.disk_gib);
        findings.push(at(
            Finding::warning("disk-raised", message).remedy(format!("Set `diskGiB: {size}`")),
            "spec.diskGiB",
        ));
    }
    facts.disk_gib = machine.disk_gib.max(size);
    let can_link = has_snapshot && facts.disk_gib == size;
    facts.clone_mode = if can_link { "linkedClone" } else { "fullClone" }.into();
    if machine.clone_mode == "linkedClone" && !has_snapshot {
        let message = format!("The template `{path}` has no snapshot: linked clones are not possible");
        findings.push(at(
            Finding::error("clone-without-snapshot", message)
                .remedy("Make a snapshot of it, or set `cloneMode: fullClone`"),
            "spec.cloneMode",
        ));
    } else if machine.clone_mode == "linkedClone" && machine.disk_gib != size {
        let message =
            format!("Linked clones have their template's disk of {size} GiB, diskGiB is {}", machine.disk_gib);
        findings.push(at(
            Finding::error("clone-disk", message).remedy(format!("Set `diskGiB: {size}`, or `cloneMode: fullClone`")),
            "spec.diskGiB",
        ));
    }
}
