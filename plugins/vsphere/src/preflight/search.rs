//! Looking for templates without reading every virtual machine of the vCenter where there are thousands.

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::{FOLDERS, Inventory, MACHINES, WANTED_MACHINES};
use crate::paths::{self, Branch};
use crate::soap::client::Client;
use crate::soap::{Reference, SoapError, Survey};
use crate::spec::Spec;

/// So many questions for one name in one folder cost no more than a look at all names where there are few.
const CHEAP: usize = 24;
/// So many of them are better than reading all names where there are many.
const QUESTIONS: usize = 64;
/// So many virtual machines are few.
const FEW: usize = 200;

/// The virtual machines that may be meant by the templates of a spec, with their paths.
#[derive(Debug, Default)]
pub(super) struct Machines {
    pub(super) paths: BTreeMap<Reference, String>,
    /// Whether these are all that there are.
    pub(super) complete: bool,
}

/// The templates whose whole path the spec says, each once: they are found without knowing the inventory.
pub(super) fn whole(spec: &Spec) -> Vec<&str> {
    let root = format!("{}/", paths::root(&spec.datacenter.datacenter, Branch::Folder));
    let whole: BTreeSet<&str> = given(spec).filter(|template| template.starts_with(&root)).collect();
    whole.into_iter().collect()
}

fn given(spec: &Spec) -> impl Iterator<Item = &str> {
    spec.machines.iter().map(|machine| machine.template.trim_end_matches('/')).filter(|name| !name.is_empty())
}

/// Looks for the others. What is found contains each virtual machine that one of them can mean.
pub(super) fn others(spec: &Spec, client: &Client<'_>, inventory: &Inventory) -> Result<Machines, SoapError> {
    let Some(datacenter) = inventory.datacenter() else { return Ok(Machines::default()) };
    let root = paths::root(&spec.datacenter.datacenter, Branch::Folder);
    let mut questions: BTreeSet<(&Reference, &str, &str)> = BTreeSet::new();
    for template in given(spec).filter(|template| !template.starts_with('/')) {
        for (folder, path) in folders(inventory, &root, template) {
            questions.insert((folder, path, paths::base(template)));
        }
    }
    let questions: Vec<(&Reference, &str, &str)> = questions.into_iter().collect();
    if questions.len() <= CHEAP {
        return one_by_one(client, &questions);
    }
    let answer =
        client.look(Survey { from: datacenter, kinds: MACHINES, more: &[], wanted: WANTED_MACHINES, most: FEW })?;
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

/// The folders that a template's name or the end of its path can mean.
fn folders<'i>(inventory: &'i Inventory, root: &'i str, template: &'i str) -> Vec<(&'i Reference, &'i str)> {
    let given = template.strip_prefix("*/").unwrap_or(template);
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
