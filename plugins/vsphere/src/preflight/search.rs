//! Looking for templates without reading every virtual machine of the vCenter where there are thousands.

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::{FOLDERS, Inventory, MACHINES, WANTED_MACHINES};
use crate::paths::{self, Branch};
use crate::soap::client::Client;
use crate::soap::{Reference, SoapError, Walk};
use crate::spec::Spec;

/// So many virtual machines are read without a second thought.
const FEW: usize = 200;
/// So many questions for one name in one folder are better than reading all names.
const QUESTIONS: usize = 64;

/// The virtual machines that may be meant by the templates of a spec, with their paths.
#[derive(Debug)]
pub(super) struct Machines {
    pub(super) paths: BTreeMap<Reference, String>,
    /// Whether these are all that there are.
    pub(super) complete: bool,
}

/// Looks for them. What is found contains each one that a template of the spec can mean.
pub(super) fn machines(spec: &Spec, client: &Client<'_>, inventory: &Inventory) -> Result<Machines, SoapError> {
    let Some(datacenter) = inventory.datacenter() else {
        return Ok(Machines { paths: BTreeMap::new(), complete: true });
    };
    let root = paths::root(&spec.datacenter.datacenter, Branch::Folder);
    let mut questions: BTreeSet<(&Reference, &str, &str)> = BTreeSet::new();
    for template in spec.machines.iter().map(|machine| machine.template.as_str()).filter(|name| !name.is_empty()) {
        for (folder, path) in folders(inventory, &root, template) {
            questions.insert((folder, path, paths::base(template)));
        }
    }
    let questions: Vec<(&Reference, &str, &str)> = questions.into_iter().collect();
    if questions.len() <= 1 {
        return one_by_one(client, &questions);
    }
    let call = client.walk(datacenter, Walk::Machines, WANTED_MACHINES, FEW);
    let answer = client.ask(&call)?;
    let (_, more) = Client::page(&answer);
    if let Some(token) = more
        && questions.len() <= QUESTIONS
    {
        client.forget_pages(&token);
        return one_by_one(client, &questions);
    }
    let found = client.all_pages(&answer)?;
    Ok(Machines { paths: inventory.paths_of(&found), complete: true })
}

/// The folders that a template's name or path can mean.
fn folders<'i>(inventory: &'i Inventory, root: &'i str, template: &'i str) -> Vec<(&'i Reference, &'i str)> {
    let given = template.strip_prefix("*/").unwrap_or(template).trim_end_matches('/');
    let folder = given.rsplit_once('/').map(|(folder, _)| folder);
    let below = move |path: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    inventory
        .of(FOLDERS)
        .filter(|(_, path)| below(path) && folder.is_none_or(|folder| paths::meant(folder, path)))
        .collect()
}

fn one_by_one(client: &Client<'_>, questions: &[(&Reference, &str, &str)]) -> Result<Machines, SoapError> {
    let asked: Vec<(&Reference, &str)> = questions.iter().map(|(folder, _, name)| (*folder, *name)).collect();
    let mut found = BTreeMap::new();
    for ((_, folder, name), answer) in questions.iter().zip(client.children(&asked)) {
        if let Some(reference) = answer?.filter(|found| MACHINES.contains(&found.kind.as_str())) {
            found.insert(reference, format!("{folder}/{name}"));
        }
    }
    Ok(Machines { paths: found, complete: false })
}
