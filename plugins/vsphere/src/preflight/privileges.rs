//! Whether the user may do what a create does, on each thing that the spec names.

use std::collections::{BTreeMap, BTreeSet};

use kedge_sdk::prelude::*;

use crate::privileges::{self, Need, Scope, When};
use crate::soap::client::Client;
use crate::soap::{Call, Element, Found, Reference, SoapError};
use crate::spec::{Spec, datacenter_ref};

/// Things of the inventory, and what each is to the cluster.
#[derive(Debug, Default)]
pub(super) struct Needed {
    when: Vec<When>,
    /// With the path that a user knows it by.
    things: BTreeMap<Reference, (String, BTreeSet<Purpose>)>,
}

/// What a thing is to the cluster, and whether only for making its template.
type Purpose = (Scope, bool);

impl Needed {
    pub(super) fn new(spec: &Spec, linked: bool) -> Self {
        let mut when = vec![];
        if spec.machines.iter().any(|machine| !machine.tags.is_empty()) {
            when.push(When::Tags);
        }
        if spec.machines.iter().any(|machine| !machine.storage_policy.is_empty()) {
            when.push(When::Policies);
        }
        if linked {
            when.push(When::LinkedClones);
        }
        Self { when, ..Self::default() }
    }

    pub(super) fn add(&mut self, reference: Option<&Reference>, path: &str, scope: Scope) {
        if let Some(reference) = reference {
            self.insert(reference, path, (scope, false));
        }
    }

    /// The same for what a template is made in.
    pub(super) fn add_import(&mut self, reference: Option<&Reference>, path: &str, scope: Scope) {
        if let Some(reference) = reference {
            self.insert(reference, path, (scope, true));
        }
    }

    fn insert(&mut self, reference: &Reference, path: &str, purpose: Purpose) {
        let thing = self.things.entry(reference.clone()).or_insert_with(|| (path.to_owned(), BTreeSet::new()));
        thing.1.insert(purpose);
    }

    fn of<'n>(&'n self, purposes: &'n BTreeSet<Purpose>) -> impl Iterator<Item = &'static Need> + 'n {
        purposes.iter().flat_map(move |(scope, import)| {
            let when = if *import { &[When::Import][..] } else { &self.when };
            privileges::of(*scope, when).filter(move |need| !import || need.when == When::Import)
        })
    }

    /// The question, all at once.
    pub(super) fn question(&self, client: &Client<'_>) -> Call {
        let objects: Vec<Reference> = self.things.keys().cloned().collect();
        let all: BTreeSet<&str> =
            self.things.values().flat_map(|(_, scopes)| self.of(scopes)).map(|need| need.privilege).collect();
        client.has_privileges(&objects, &all.into_iter().collect::<Vec<_>>())
    }

    /// What is missing, object by object.
    pub(super) fn findings(
        &self,
        spec: &Spec,
        client: &Client<'_>,
        answer: Result<Element, SoapError>,
    ) -> Vec<Finding> {
        let about = datacenter_ref(&spec.datacenter.name);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let message = format!("The privileges of the user can't be read: {error}");
                let finding = Finding::warning("privileges-unreadable", message)
                    .at(about, "spec.server")
                    .remedy("Look at the user's roles in the vCenter; a create fails where one lacks a privilege");
                return vec![finding];
            }
        };
        let granted = granted(&answer);
        let mut findings = vec![];
        let mut roles = None;
        for (reference, (path, scopes)) in &self.things {
            let has = granted.get(reference);
            let missing: BTreeMap<&str, &str> = self
                .of(scopes)
                .filter(|need| !has.is_some_and(|has| has.contains(need.privilege)))
                .map(|need| (need.privilege, need.reason))
                .collect();
            if missing.is_empty() {
                continue;
            }
            let names = roles.get_or_insert_with(|| role_names(client));
            let holding = holding(client, reference, names);
            let list: Vec<String> =
                missing.iter().map(|(privilege, reason)| format!("{privilege} ({reason})")).collect();
            let message = format!(
                "On `{path}` the user of EKSA_VSPHERE_USERNAME lacks {}: {}",
                counted(missing.len()),
                list.join(", ")
            );
            let remedy = match holding.as_slice() {
                [] => "Give the user a role with them on this object".to_owned(),
                roles => format!("Add them to the role that holds there: {}", roles.join(", ")),
            };
            findings.push(Finding::error("privilege-missing", message).at(about.clone(), "spec.server").remedy(remedy));
        }
        findings
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "a privilege".into() } else { format!("{count} privileges") }
}

/// By object, what is granted.
fn granted(answer: &Element) -> BTreeMap<Reference, BTreeSet<&str>> {
    let mut granted: BTreeMap<Reference, BTreeSet<&str>> = BTreeMap::new();
    for entry in answer.all("returnval") {
        let Some(entity) = entry.child("entity").and_then(Reference::read) else { continue };
        let held = entry.all("privAvailability").filter(|one| one.text_of("isGranted") == "true");
        granted.entry(entity).or_default().extend(held.map(|one| one.text_of("privId")));
    }
    granted
}

/// The names of roles by their ids. Nothing depends on them: without permission to read them there are none.
fn role_names(client: &Client<'_>) -> BTreeMap<String, String> {
    let call = client
        .properties(std::slice::from_ref(&client.authorization_manager), &[("AuthorizationManager", &["roleList"])]);
    let Ok(answer) = client.ask(&call) else { return BTreeMap::new() };
    let (found, _) = Client::page(&answer);
    let roles = found.iter().find_map(|manager: &Found| manager.property("roleList"));
    let each = roles.into_iter().flat_map(|list| &list.children);
    each.map(|role| (role.text_of("roleId").to_owned(), role.text_of("name").to_owned())).collect()
}

/// The roles that hold on an object, each with whom it is given to.
fn holding(client: &Client<'_>, object: &Reference, names: &BTreeMap<String, String>) -> Vec<String> {
    const SHOWN: usize = 4;
    let Ok(answer) = client.ask(&client.permissions(object)) else { return vec![] };
    let mut roles: Vec<String> = answer
        .all("returnval")
        .filter_map(|permission| {
            let name = names.get(permission.text_of("roleId"))?;
            Some(format!("`{name}` of `{}`", permission.text_of("principal")))
        })
        .collect();
    roles.sort();
    roles.dedup();
    roles.truncate(SHOWN);
    roles
}
