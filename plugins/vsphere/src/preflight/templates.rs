//! Templates: they are there, made for this release and operating system, and can be cloned as the spec wants.

use std::collections::{BTreeMap, BTreeSet};

use kedge_sdk::prelude::*;

use super::capacity;
use super::inventory::{Inventory, MACHINES, WANTED_MACHINES, suggest};
use crate::facts::MachineFacts;
use crate::paths::{self, Branch};
use crate::rest::{RestError, Tagging};
use crate::soap::client::Client;
use crate::soap::{Found, Reference, SoapError};
use crate::spec::{Machine, Spec, machine_ref};

const KIB_IN_GIB: i64 = 1 << 20;

/// The template of a machine config, as far as it was found.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    pub(super) reference: Option<Reference>,
    path: String,
    findings: Vec<Finding>,
}

/// What there is to say about all templates.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    pub(super) machines: BTreeMap<String, MachineFacts>,
}

/// Looks for the template of each machine config, by whole paths where the spec has them.
pub(super) fn find(spec: &Spec, client: &Client<'_>, inventory: &Inventory) -> Vec<(String, Candidate)> {
    let is_whole = |machine: &&Machine| machine.template.starts_with('/');
    let whole: Vec<&Machine> = spec.machines.iter().filter(is_whole).collect();
    let paths: Vec<&str> = whole.iter().map(|machine| machine.template.as_str()).collect();
    let at_paths = if paths.is_empty() { vec![] } else { client.find(&paths) };
    let by_path: BTreeMap<&str, Result<Option<Reference>, SoapError>> = paths.into_iter().zip(at_paths).collect();

    // Names are looked for among all virtual machines, of which there may be many: only where there is a name.
    let named = spec.machines.iter().any(|machine| !is_whole(&machine));
    let all = if named || by_path.values().any(|found| !matches!(found, Ok(Some(_)))) {
        all_machines(spec, client, inventory)
    } else {
        Ok(BTreeMap::new())
    };
    spec.machines
        .iter()
        .map(|machine| {
            let candidate = match by_path.get(machine.template.as_str()) {
                Some(Ok(Some(reference))) if MACHINES.contains(&reference.kind.as_str()) => {
                    Candidate { reference: Some(reference.clone()), path: machine.template.clone(), findings: vec![] }
                }
                Some(Err(error)) => failed(spec, error),
                _ => match &all {
                    Ok(all) => by_name(machine, all),
                    Err(error) => failed(spec, error),
                },
            };
            (machine.name.clone(), candidate)
        })
        .collect()
}

fn all_machines(
    spec: &Spec,
    client: &Client<'_>,
    inventory: &Inventory,
) -> Result<BTreeMap<Reference, String>, SoapError> {
    let folder = paths::root(&spec.datacenter.datacenter, Branch::Folder);
    let Some(root) = inventory.at(super::inventory::FOLDERS, &folder) else { return Ok(BTreeMap::new()) };
    Ok(inventory.paths_of(&client.below(&root, WANTED_MACHINES)?))
}

fn failed(spec: &Spec, error: &SoapError) -> Candidate {
    let about = crate::spec::datacenter_ref(&spec.datacenter.name);
    Candidate { findings: vec![error.finding(&about, "Looking for templates")], ..Candidate::default() }
}

fn by_name(machine: &Machine, all: &BTreeMap<Reference, String>) -> Candidate {
    let given = &machine.template;
    let meant: Vec<(&Reference, &String)> = all.iter().filter(|(_, path)| paths::meant(given, path)).collect();
    let error =
        |code: &str, message: String| Finding::error(code, message).at(machine_ref(&machine.name), "spec.template");
    match meant.as_slice() {
        [(reference, path)] => {
            Candidate { reference: Some((*reference).clone()), path: (*path).clone(), findings: vec![] }
        }
        [] => {
            let mut known: Vec<&str> = all.values().map(String::as_str).collect();
            known.sort_unstable();
            let finding = error("template-missing", format!("There is no template `{given}`"))
                .remedy(format!("Import it into the vCenter. {}", suggest(given, &known)));
            Candidate { findings: vec![finding], ..Candidate::default() }
        }
        several => {
            let paths: Vec<String> = several.iter().map(|(_, path)| format!("`{path}`")).collect();
            let message = format!("`{given}` can mean {} templates: {}", several.len(), paths.join(", "));
            let finding = error("template-ambiguous", message).remedy("Use the whole path of the one that is meant");
            Candidate { findings: vec![finding], ..Candidate::default() }
        }
    }
}

/// Looks at what was found.
pub(super) fn check(
    input: &Input,
    spec: &Spec,
    candidates: &[(String, Candidate)],
    details: &[Found],
    tagging: Result<&Tagging<'_>, &RestError>,
) -> Checked {
    let mut checked = Checked::default();
    let tags = Tags::read(spec, candidates, tagging);
    if let Err(error) = &tags {
        let finding = Finding::error("tags-unreadable", format!("The tags of the templates can't be read: {error}"))
            .at(crate::spec::datacenter_ref(&spec.datacenter.name), "spec.server")
            .remedy("Check that the user may read tags, and that the vCenter's REST API answers");
        checked.findings.push(finding);
    }
    for machine in &spec.machines {
        let Some((_, candidate)) = candidates.iter().find(|(name, _)| *name == machine.name) else { continue };
        checked.findings.extend(candidate.findings.iter().cloned());
        let Some(reference) = &candidate.reference else { continue };
        if let Ok(tags) = &tags {
            checked.findings.extend(tags.missing(input, spec, machine, reference, &candidate.path));
        }
        let mut facts = MachineFacts { template: candidate.path.clone(), ..MachineFacts::default() };
        if let Some(found) = capacity::of(details, Some(reference)) {
            disk(machine, &candidate.path, found, &mut facts, &mut checked.findings);
        }
        checked.machines.insert(machine.name.clone(), facts);
    }
    checked
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

/// Tags of templates, and those that machines are to get.
struct Tags {
    attached: BTreeMap<String, Vec<String>>,
    names: BTreeMap<String, Option<String>>,
}

impl Tags {
    fn read(
        spec: &Spec,
        candidates: &[(String, Candidate)],
        tagging: Result<&Tagging<'_>, &RestError>,
    ) -> Result<Self, RestError> {
        let tagging = tagging.map_err(RestError::clone)?;
        let found: BTreeSet<Reference> =
            candidates.iter().filter_map(|(_, candidate)| candidate.reference.clone()).collect();
        let found: Vec<Reference> = found.into_iter().collect();
        let attached = if found.is_empty() { BTreeMap::new() } else { tagging.attached(&found)? };
        let wanted: BTreeSet<String> = attached
            .values()
            .flatten()
            .chain(spec.machines.iter().flat_map(|machine| &machine.tags))
            .cloned()
            .collect();
        let names = tagging.names(&wanted.into_iter().collect::<Vec<_>>())?;
        Ok(Self { attached, names })
    }

    /// What a template and a machine config lack.
    fn missing(&self, input: &Input, spec: &Spec, machine: &Machine, template: &Reference, path: &str) -> Vec<Finding> {
        let mut findings = vec![];
        let carried: Vec<&str> = self
            .attached
            .get(&template.id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.names.get(id)?.as_deref())
            .collect();
        let mut wanted = BTreeSet::from([format!("os:{}", machine.os_family)]);
        for group in spec.groups_of(&machine.name) {
            let release = input.release_for(&group.role);
            if !release.eksd_name().is_empty() {
                wanted.insert(format!("eksdRelease:{}", release.eksd_name()));
            }
        }
        for tag in wanted.iter().filter(|tag| !carried.contains(&tag.as_str())) {
            let (category, _) = tag.split_once(':').unwrap_or((tag, ""));
            let others: Vec<&&str> =
                carried.iter().filter(|other| other.starts_with(&format!("{category}:"))).collect();
            let instead = others.first().map_or(String::new(), |other| format!(" (it has `{other}`)"));
            let finding =
                Finding::error("template-tag", format!("The template `{path}` is missing the tag `{tag}`{instead}"))
                    .at(machine_ref(&machine.name), "spec.template")
                    .remedy(format!(
                        "Use a template that is made for it, or tag it: `govc tags.attach -c {category} {tag} {path}`"
                    ));
            findings.push(finding);
        }
        for (index, tag) in
            machine.tags.iter().enumerate().filter(|(_, tag)| !matches!(self.names.get(*tag), Some(Some(_))))
        {
            let finding = Finding::error("tag-missing", format!("The vCenter has no tag `{tag}`"))
                .at(machine_ref(&machine.name), format!("spec.tags[{index}]"))
                .remedy("List the tags with their ids by `govc tags.ls -json`");
            findings.push(finding);
        }
        findings
    }
}
