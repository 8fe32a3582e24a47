//! Tags: those that templates have to carry, and those that machines are to get.

use std::collections::{BTreeMap, BTreeSet};

use kedge_sdk::prelude::*;

use super::templates::Candidate;
use crate::rest::{Rest, RestError};
use crate::soap::Reference;
use crate::spec::{Machine, Spec, datacenter_ref, machine_ref};

/// What is known of tags.
#[derive(Debug)]
pub(super) struct Tags {
    attached: BTreeMap<String, Vec<String>>,
    names: BTreeMap<String, Option<String>>,
}

/// The templates that were found, each once.
pub(super) fn templates(candidates: &[(String, Candidate)]) -> Vec<Reference> {
    let found: BTreeSet<Reference> =
        candidates.iter().filter_map(|(_, candidate)| candidate.reference.clone()).collect();
    found.into_iter().collect()
}

/// The ids that are worth a question: those of the templates, and those of the spec.
pub(super) fn ids(spec: &Spec, attached: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let of_machines = spec.machines.iter().flat_map(|machine| &machine.tags);
    let ids: BTreeSet<&String> = attached.values().flatten().chain(of_machines).collect();
    ids.into_iter().cloned().collect()
}

pub(super) fn unreadable(spec: &Spec, error: &RestError) -> Finding {
    Finding::error("tags-unreadable", format!("The tags of the templates can't be read: {error}"))
        .at(datacenter_ref(&spec.datacenter.name), "spec.server")
        .remedy("Check that the user may read tags, and that the vCenter's REST API answers")
}

impl Tags {
    /// Of what was attached, and of the answers for each of the ids.
    pub(super) fn read(
        attached: BTreeMap<String, Vec<String>>,
        ids: Vec<String>,
        answers: Vec<Result<Value, RestError>>,
    ) -> Result<Self, RestError> {
        let names = ids.into_iter().zip(answers).map(|(id, answer)| Ok((id, Rest::read_name(answer)?)));
        Ok(Self { attached, names: names.collect::<Result<_, _>>()? })
    }

    /// What the template of a machine config lacks.
    pub(super) fn of_template(
        &self,
        input: &Input,
        spec: &Spec,
        machine: &Machine,
        template: &Reference,
        path: &str,
    ) -> Vec<Finding> {
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
        let missing = wanted.iter().filter(|tag| !carried.contains(&tag.as_str()));
        missing
            .map(|tag| {
                let (category, _) = tag.split_once(':').unwrap_or((tag, ""));
                let other = carried.iter().find(|other| other.starts_with(&format!("{category}:")));
                let instead = other.map_or(String::new(), |other| format!(" (it has `{other}`)"));
                Finding::error("template-tag", format!("The template `{path}` is missing the tag `{tag}`{instead}"))
                    .at(machine_ref(&machine.name), "spec.template")
                    .remedy(format!(
                        "Use a template that is made for it, or tag it: `govc tags.attach -c {category} {tag} {path}`"
                    ))
            })
            .collect()
    }

    /// The tags of machine configs that the vCenter does not have.
    pub(super) fn of_machines(&self, spec: &Spec) -> Vec<Finding> {
        let mut findings = vec![];
        for machine in &spec.machines {
            let unknown =
                machine.tags.iter().enumerate().filter(|(_, tag)| !matches!(self.names.get(*tag), Some(Some(_))));
            findings.extend(unknown.map(|(index, tag)| {
                Finding::error("tag-missing", format!("The vCenter has no tag `{tag}`"))
                    .at(machine_ref(&machine.name), format!("spec.tags[{index}]"))
                    .remedy("List the tags with their ids by `govc tags.ls -json`")
            }));
        }
        findings
    }
}
