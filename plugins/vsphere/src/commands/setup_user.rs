//! `setup-user`: a user who may do what a cluster needs, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kedge_sdk::prelude::*;

use super::session::{Visit, failed, visit};
use super::{Refusal, vcenter, wrong};
use crate::describe::NEW_PASSWORD;
use crate::paths::{self, Branch};
use crate::preflight::inventory::{DATASTORES, FOLDERS, Kinds, MACHINES, NETWORKS, POOLS};
use crate::privileges::{self, Scope, When};
use crate::soap::client::Client;
use crate::soap::{Reference, Survey};
use crate::spec::Spec;
use crate::sso::Sso;

pub(super) const NAME: &str = "setup-user";
/// The role that reads and does nothing else: every vCenter has it.
const READ_ONLY: &str = "-2";

pub(super) fn describe() -> Command {
    Command::new(NAME, "Make a vCenter user for the clusters of a spec")
        .details(
            "Makes a user and a group of the vCenter's single sign-on, one role for each sort of thing that a spec names, with \
             the privileges that a cluster needs there and no others, and gives the roles to the group on these things. \
             Run with an administrator's credentials; run again, it corrects what differs. The new user's password comes \
             from EKSA_VSPHERE_NEW_USER_PASSWORD.",
        )
        .spec()
        .changes()
        .argument(vcenter("vcenter"))
        .argument(Argument::text("user", "The user's name").default("eksa"))
        .argument(Argument::text("group", "The group's name").default("EKSAUsers"))
        .argument(Argument::text("domain", "The domain of single sign-on").default("vsphere.local"))
        .argument(Argument::text("role", "What the roles' names begin with").default("EKSA"))
        .argument(Argument::new("import", ArgumentKind::Flag, "The user may import templates too"))
}

/// A role to be: its name and its privileges.
struct Role {
    name: String,
    privileges: Vec<(&'static str, &'static str)>,
}

/// A permission to be.
struct Grant {
    object: Reference,
    path: String,
    role: String,
    propagate: bool,
}

pub(super) fn run(arguments: &Arguments, documents: &Documents, host: &mut dyn Host) -> Result<Answer, Refusal> {
    if documents.iter().next().is_none() {
        let remedy = "Give the spec with `-f FILE`";
        return Err(wrong("spec-missing", "A spec has to say what the user may use", remedy));
    }
    let spec = Spec::read(documents).map_err(|failure| match failure {
        Failure::Invalid(mut findings) if !findings.is_empty() => Box::new(findings.swap_remove(0)),
        other => wrong("spec", format!("The spec can't be used: {other:?}"), ""),
    })?;
    let dry = arguments.is_set("dry-run");
    let user = arguments.text("user").to_owned();
    if !dry && !host.secret_available(NEW_PASSWORD) {
        let remedy = "Set it in the environment, or look first with `--dry-run`";
        return Err(wrong("secret-missing", "EKSA_VSPHERE_NEW_USER_PASSWORD is not set or empty", remedy));
    }
    let roles = roles(arguments, &spec);
    visit(host, |visit, host| {
        let grants = grants(visit, &spec, &roles)?;
        let plan = plan(arguments, &roles, &grants);
        let mut done = vec![];
        if !dry {
            done = carry_out(visit, arguments, &user, &roles, &grants, host)?;
        }
        let text = if dry { format!("Would do:\n{plan}") } else { format!("Done:\n{}", lines(&done)) };
        Ok(Answer::new(text, data(arguments, &roles, &grants, dry)))
    })
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Root => "Global",
        Scope::Network => "Network",
        Scope::Datastore => "Datastore",
        Scope::Pool => "ResourcePool",
        Scope::Folder | Scope::FolderParent => "Folder",
        Scope::Template => "Template",
    }
}

fn roles(arguments: &Arguments, spec: &Spec) -> Vec<Role> {
    let mut when = vec![When::LinkedClones];
    if spec.machines.iter().any(|machine| !machine.tags.is_empty()) {
        when.push(When::Tags);
    }
    if spec.machines.iter().any(|machine| !machine.storage_policy.is_empty()) {
        when.push(When::Policies);
    }
    if arguments.is_set("import") {
        when.push(When::Import);
    }
    let mut roles: Vec<Role> = vec![];
    for scope in [
        Scope::Root,
        Scope::Network,
        Scope::Datastore,
        Scope::Pool,
        Scope::Folder,
        Scope::FolderParent,
        Scope::Template,
    ] {
        let name = format!("{}{}", arguments.text("role"), scope_name(scope));
        let privileges: BTreeMap<&str, &str> =
            privileges::of(scope, &when).map(|need| (need.privilege, need.reason)).collect();
        match roles.iter_mut().find(|role| role.name == name) {
            Some(role) => role.privileges.extend(privileges),
            None => roles.push(Role { name, privileges: privileges.into_iter().collect() }),
        }
    }
    roles
}

/// What the spec names, with the role that the group gets there.
fn grants(visit: &Visit<'_>, spec: &Spec, roles: &[Role]) -> Result<Vec<Grant>, Refusal> {
    let home = &spec.datacenter.datacenter;
    let root = format!("/{}", home.trim_matches('/'));
    let role = |scope: Scope| {
        roles
            .iter()
            .find(|role| role.name.ends_with(scope_name(scope)))
            .map(|role| role.name.clone())
            .unwrap_or_default()
    };
    let inventory = &visit.inventory;
    let datacenter = inventory
        .at(crate::preflight::inventory::DATACENTERS, &root)
        .ok_or_else(|| wrong("datacenter-missing", format!("There is no datacenter `{root}`"), "Correct the spec"))?;
    let mut grants = vec![
        Grant { object: visit.client.root_folder.clone(), path: "/".into(), role: role(Scope::Root), propagate: false },
        // To be found, what is granted below has to be seen from above.
        Grant { object: datacenter.clone(), path: root.clone(), role: READ_ONLY.into(), propagate: true },
    ];
    let mut add = |kinds: Kinds, path: String, given: &str, scope: Scope, propagate: bool| {
        let found = if path.starts_with('/') {
            inventory.at(kinds, &path).map(|reference| (reference, path.clone()))
        } else {
            inventory.meant(kinds, given).pop()
        };
        let Some((object, path)) = found else {
            let message = format!("There is no `{given}` in the vCenter");
            return Err(wrong("object-missing", message, "Correct the spec, or make it"));
        };
        if !grants.iter().any(|grant: &Grant| grant.object == object) {
            grants.push(Grant { object, path, role: role(scope), propagate });
        }
        Ok(())
    };
    let full = |branch, given: &str| paths::full(home, branch, given);
    let network = &spec.datacenter.network;
    add(NETWORKS, full(Branch::Network, network), network, Scope::Network, false)?;
    for machine in &spec.machines {
        for network in &machine.networks {
            add(NETWORKS, full(Branch::Network, network), network, Scope::Network, false)?;
        }
        let datastore = &machine.datastore;
        add(DATASTORES, full(Branch::Datastore, datastore), datastore, Scope::Datastore, false)?;
        add(POOLS, machine.resource_pool.clone(), &machine.resource_pool, Scope::Pool, true)?;
        let folder = full(Branch::Folder, &machine.folder);
        // A folder that is made by a create belongs to the one above it.
        let there = if inventory.at(FOLDERS, &folder).is_some() {
            folder
        } else {
            folder.rsplit_once('/').map_or(folder.clone(), |(above, _)| above.to_owned())
        };
        add(FOLDERS, there, &machine.folder, Scope::Folder, true)?;
    }
    for (object, path) in templates(visit, &datacenter, spec)? {
        if !grants.iter().any(|grant| grant.object == object) {
            grants.push(Grant { object, path, role: role(Scope::Template), propagate: false });
        }
    }
    Ok(grants)
}

fn templates(visit: &Visit<'_>, datacenter: &Reference, spec: &Spec) -> Result<Vec<(Reference, String)>, Refusal> {
    let client = visit.client;
    let wanted = crate::preflight::inventory::WANTED_MACHINES;
    let machines = client
        .look(Survey { from: datacenter, kinds: MACHINES, more: &[], wanted, most: 0 })
        .and_then(|first| client.all_pages(&first))
        .map_err(|error| failed("Looking for the templates", &error))?;
    let paths = visit.inventory.paths_of(&machines);
    let meant = |path: &str| spec.machines.iter().any(|machine| paths::meant(&machine.template, path));
    Ok(paths.into_iter().filter(|(object, path)| MACHINES.contains(&object.kind.as_str()) && meant(path)).collect())
}

fn carry_out(
    visit: &Visit<'_>,
    arguments: &Arguments,
    user: &str,
    roles: &[Role],
    grants: &[Grant],
    host: &mut dyn Host,
) -> Result<Vec<String>, Refusal> {
    let client = visit.client;
    let (domain, group) = (arguments.text("domain"), arguments.text("group"));
    let mut done = Sso::login(visit.endpoint, domain, host.now())?.user_in_group(user, group)?;
    let known = role_ids(client)?;
    let mut ids = BTreeMap::from([(READ_ONLY.to_owned(), READ_ONLY.to_owned())]);
    for role in roles {
        let privileges: Vec<&str> = role.privileges.iter().map(|(privilege, _)| *privilege).collect();
        let id = if let Some(id) = known.get(&role.name) {
            client
                .change(&client.update_role(id, &role.name, &privileges))
                .map_err(|error| failed(&format!("Changing the role `{}`", role.name), &error))?;
            done.push(format!("role {} has the privileges it needs", role.name));
            id.clone()
        } else {
            let answer = client
                .change(&client.add_role(&role.name, &privileges))
                .map_err(|error| failed(&format!("Making the role `{}`", role.name), &error))?;
            done.push(format!("role {} made", role.name));
            answer.text_of("returnval").to_owned()
        };
        ids.insert(role.name.clone(), id);
    }
    // As a vCenter names who comes from its own single sign-on.
    let principal = format!("{}\\{group}", domain.to_uppercase());
    for grant in grants {
        let role = ids.get(&grant.role).cloned().unwrap_or_default();
        client
            .change(&client.permit(&grant.object, &principal, &role, grant.propagate))
            .map_err(|error| failed(&format!("The permission on `{}`", grant.path), &error))?;
        done.push(format!("{principal} has the role {} on {}", shown(&grant.role), grant.path));
    }
    Ok(done)
}

fn shown(role: &str) -> &str {
    if role == READ_ONLY { "ReadOnly" } else { role }
}

/// Roles that there are already: ids by name.
fn role_ids(client: &Client<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let manager = std::slice::from_ref(&client.authorization_manager);
    let call = client.properties(manager, &[("AuthorizationManager", &["roleList"])]);
    let answer = client.ask(&call).map_err(|error| failed("Reading the roles", &error))?;
    let (found, _) = Client::page(&answer);
    let roles = found.iter().find_map(|manager| manager.property("roleList"));
    let each = roles.into_iter().flat_map(|list| &list.children);
    Ok(each.map(|role| (role.text_of("name").to_owned(), role.text_of("roleId").to_owned())).collect())
}

fn lines(all: &[String]) -> String {
    all.iter().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "- {line}");
        out
    })
}

fn plan(arguments: &Arguments, roles: &[Role], grants: &[Grant]) -> String {
    let (user, group, domain) = (arguments.text("user"), arguments.text("group"), arguments.text("domain"));
    let mut out = format!("- user {user}@{domain}, in the group {group}@{domain}\n");
    for role in roles {
        let _ = writeln!(out, "- role {} with", role.name);
        for (privilege, reason) in &role.privileges {
            let _ = writeln!(out, "    {privilege}: {reason}");
        }
    }
    for grant in grants {
        let below = if grant.propagate { ", and below it" } else { "" };
        let _ = writeln!(out, "- the role {} for {group} on {}{below}", shown(&grant.role), grant.path);
    }
    out
}

fn data(arguments: &Arguments, roles: &[Role], grants: &[Grant], dry: bool) -> Value {
    let role = |role: &Role| {
        let privileges: Vec<Value> =
            role.privileges.iter().map(|(privilege, reason)| json!({"id": privilege, "reason": reason})).collect();
        json!({"name": role.name, "privileges": privileges})
    };
    let grant = |grant: &Grant| json!({"object": grant.path, "role": shown(&grant.role), "propagate": grant.propagate});
    json!({
        "dryRun": dry,
        "user": arguments.text("user"),
        "group": arguments.text("group"),
        "domain": arguments.text("domain"),
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
        "permissions": grants.iter().map(grant).collect::<Vec<_>>(),
    })
}
