//! Checks of the vCenter: what the spec names is there, and the user may use it.
//!
//! One login, then few and large questions: who is there, the inventory below the datacenter, the templates, the
//! properties of everything that the spec names, the tags. The titles of the checks are the lines of EKS Anywhere's
//! documentation; what there is to say beyond them is said under the title it belongs to.

mod capacity;
mod connection;
mod inventory;
mod places;
mod templates;

#[cfg(test)]
mod tests;

use kedge_sdk::prelude::*;

use crate::describe::{PASSWORD, USERNAME, VCENTER};
use crate::facts::Facts;
use crate::paths::{self, Branch};
use crate::rest::Tagging;
use crate::soap::client::Client;
use crate::spec::{Spec, datacenter_ref, machine_ref};
use inventory::Inventory;

const SERVER: &str = "server";
const AUTHENTICATION: &str = "authentication";
const DATACENTER: &str = "datacenter";
const NETWORK: &str = "network";
const TEMPLATES: &str = "templates";

fn of_machine(check: &str, machine: &str) -> String {
    format!("{check}:{machine}")
}

pub(crate) fn plan(input: &Input) -> Result<Vec<Check>, Failure> {
    Ok(plan_of(&Spec::read(&input.documents)?))
}

fn plan_of(spec: &Spec) -> Vec<Check> {
    let about = || datacenter_ref(&spec.datacenter.name);
    let mut plan = vec![
        Check::new(SERVER, "Connected to server").about(about()),
        Check::new(AUTHENTICATION, "Authenticated to vSphere").about(about()),
        Check::new(DATACENTER, "Datacenter validated").about(about()),
        Check::new(NETWORK, "Network validated").about(about()),
    ];
    for machine in &spec.machines {
        for (check, title) in [
            ("datastore", "Datastore validated"),
            ("folder", "Folder validated"),
            ("resource-pool", "Resource pool validated"),
        ] {
            plan.push(Check::new(of_machine(check, &machine.name), title).about(machine_ref(&machine.name)));
        }
    }
    plan.push(Check::new(TEMPLATES, "Control plane and Workload templates validated"));
    plan
}

pub(crate) fn run(input: &Input, skip: &[String], host: &mut dyn Host) -> Result<Value, Failure> {
    let spec = Spec::read(&input.documents)?;
    let mut reporter = Reporter::new(host, plan_of(&spec), skip);
    let facts = visit(input, &spec, &mut reporter);
    reporter.skip_rest("an earlier check failed that this one needs");
    Ok(facts.unwrap_or_default().to_value())
}

/// Everything between opening the connection and logging out again. None as soon as nothing more can be found out; why
/// is reported by then.
fn visit(input: &Input, spec: &Spec, reporter: &mut Reporter<'_>) -> Option<Facts> {
    let endpoint = connection::open(spec, reporter)?;
    let client = connection::connect(&endpoint, spec, reporter)?;
    connection::login(&client, &endpoint, spec, reporter)?;
    let tagging = Tagging::login(&endpoint, USERNAME, PASSWORD);
    let facts = inspect(input, spec, &client, tagging.as_ref(), reporter);
    // Sessions are few on a vCenter: they end here whatever was found. A failure to end one stops nobody.
    if let Ok(tagging) = &tagging
        && let Err(error) = tagging.logout()
    {
        reporter.host().log(Level::Warn, &format!("the REST session of `{VCENTER}` could not be ended: {error}"));
    }
    if let Err(error) = client.logout() {
        reporter.host().log(Level::Warn, &format!("the session of `{VCENTER}` could not be ended: {error}"));
    }
    facts
}

/// The checks that need a login.
fn inspect(
    input: &Input,
    spec: &Spec,
    client: &Client<'_>,
    tagging: Result<&Tagging<'_>, &crate::rest::RestError>,
    reporter: &mut Reporter<'_>,
) -> Option<Facts> {
    let inventory = read_inventory(spec, client, reporter)?;
    reporter.concluded(DATACENTER, "", places::failure_domains(spec, &inventory));
    reporter.concluded(NETWORK, "", places::networks(spec, &inventory));

    let places: Vec<places::Place> =
        spec.machines.iter().map(|machine| places::resolve(spec, machine, &inventory)).collect();
    let found = templates::find(spec, client, &inventory);
    let details = capacity::details(client, &places, &found);
    for (machine, place) in spec.machines.iter().zip(&places) {
        let mut datastore = place.datastore.findings.clone();
        let mut pool = place.pool.findings.clone();
        match &details {
            Ok(details) => {
                datastore.extend(capacity::datastore(spec, machine, &places, details));
                pool.extend(capacity::pool(spec, machine, &places, details));
            }
            Err(error) => {
                let about = datacenter_ref(&spec.datacenter.name);
                datastore.push(error.finding(&about, "Reading the properties of datastores and pools"));
            }
        }
        let shown = |path: &Option<String>| path.clone().unwrap_or_default();
        reporter.concluded(&of_machine("datastore", &machine.name), shown(&place.datastore.path), datastore);
        reporter.concluded(
            &of_machine("folder", &machine.name),
            shown(&place.folder.path),
            place.folder.findings.clone(),
        );
        reporter.concluded(&of_machine("resource-pool", &machine.name), shown(&place.pool.path), pool);
    }
    let checked = templates::check(input, spec, &found, details.as_deref().unwrap_or_default(), tagging);
    reporter.concluded(TEMPLATES, "", checked.findings);

    let mut facts = Facts {
        network: paths::full(&spec.datacenter.datacenter, Branch::Network, &spec.datacenter.network),
        machines: checked.machines,
    };
    for (machine, place) in spec.machines.iter().zip(places) {
        let entry = facts.machines.entry(machine.name.clone()).or_default();
        entry.datastore = place.datastore.path.unwrap_or_default();
        entry.folder = place.folder.path.unwrap_or_default();
        entry.resource_pool = place.pool.path.unwrap_or_default();
    }
    Some(facts)
}

/// The datacenter and what is in it, but for the virtual machines, of which there may be thousands.
fn read_inventory(spec: &Spec, client: &Client<'_>, reporter: &mut Reporter<'_>) -> Option<Inventory> {
    let datacenter = &spec.datacenter;
    let about = datacenter_ref(&datacenter.name);
    let found = client.find(&[&datacenter.datacenter]).pop().unwrap_or(Ok(None));
    let reference = match found {
        Ok(Some(reference)) if reference.kind == "Datacenter" => reference,
        Ok(_) => {
            let message = format!("The vCenter has no datacenter `{}`", datacenter.datacenter);
            let finding = Finding::error("datacenter-missing", message)
                .at(about, "spec.datacenter")
                .remedy(inventory::known_datacenters(client));
            reporter.failed(DATACENTER, finding);
            return None;
        }
        Err(error) => {
            reporter.failed(DATACENTER, error.finding(&about, "Looking for the datacenter"));
            return None;
        }
    };
    match client.below(&reference, inventory::WANTED) {
        Ok(objects) => Some(Inventory::new(&datacenter.datacenter, &reference, &objects)),
        Err(error) => {
            reporter.failed(DATACENTER, error.finding(&about, "Reading the inventory"));
            None
        }
    }
}
