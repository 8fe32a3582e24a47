//! Checks of the vCenter: what the spec names is there, and the user may use it.
//!
//! One login, then few and large questions: who is there, the inventory, the templates, the properties of everything
//! that the spec names, tags, privileges. The titles of the checks are the lines of EKS Anywhere's documentation; what
//! there is to say beyond them is said under the title it belongs to, or in a check that passes quietly.

mod capacity;
mod condition;
mod connection;
pub(crate) mod inventory;
mod places;
mod privileges;
mod reading;
mod search;
mod tags;
mod templates;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use kedge_sdk::prelude::*;

use crate::appliance;
use crate::describe::VCENTER;
use crate::facts::{Facts, TemplateFacts};
use crate::paths::{self, Branch};
use crate::privileges::Scope;
use crate::rest::{Rest, RestError};
use crate::soap::client::Client;
use crate::soap::{Element, Found, SoapError};
use crate::spec::{Machine, Spec, datacenter_ref, machine_ref};
use crate::wire;
use places::Resolved;
use tags::Tags;

const SERVER: &str = "server";
const CERTIFICATE: &str = "certificate";
const AUTHENTICATION: &str = "authentication";
const DATACENTER: &str = "datacenter";
const NETWORK: &str = "network";
const NETWORKS: &str = "networks";
const FAILURE_DOMAIN: &str = "failure-domain";
const DATASTORE: &str = "datastore";
const FOLDER: &str = "folder";
const RESOURCE_POOL: &str = "resource-pool";
const TAGS: &str = "tags";
const TEMPLATES: &str = "templates";
const STORAGE_POLICIES: &str = "storage-policies";
const VERSION: &str = "vcenter-version";
const CLOCK: &str = "clock";
const PRIVILEGES: &str = "vsphere-user-privilege";

fn of(check: &str, name: &str) -> String {
    format!("{check}:{name}")
}

pub(crate) fn plan(input: &Input) -> Result<Vec<Check>, Failure> {
    Ok(plan_of(&Spec::of(input)?))
}

fn has_tags(spec: &Spec) -> bool {
    spec.machines.iter().any(|machine| !machine.tags.is_empty())
}

fn has_policies(spec: &Spec) -> bool {
    spec.machines.iter().any(|machine| !machine.storage_policy.is_empty())
}

fn plan_of(spec: &Spec) -> Vec<Check> {
    let about = || datacenter_ref(&spec.datacenter.name);
    let mut plan = vec![
        Check::new(SERVER, "Connected to server").about(about()),
        Check::new(CERTIFICATE, "Certificate validated").quiet().about(about()),
        Check::new(AUTHENTICATION, "Authenticated to vSphere").about(about()),
        Check::new(DATACENTER, "Datacenter validated").about(about()),
        Check::new(NETWORK, "Network validated").about(about()),
    ];
    for machine in spec.machines.iter().filter(|machine| !machine.networks.is_empty()) {
        let check = Check::new(of(NETWORKS, &machine.name), "Machine config networks validated");
        plan.push(check.quiet().about(machine_ref(&machine.name)));
    }
    for domain in &spec.datacenter.failure_domains {
        plan.push(Check::new(of(FAILURE_DOMAIN, &domain.name), "Failure domain validated").quiet().about(about()));
    }
    for machine in &spec.machines {
        for (check, title) in [
            (DATASTORE, "Datastore validated"),
            (FOLDER, "Folder validated"),
            (RESOURCE_POOL, "Resource pool validated"),
        ] {
            plan.push(Check::new(of(check, &machine.name), title).about(machine_ref(&machine.name)));
        }
    }
    if has_tags(spec) {
        plan.push(Check::new(TAGS, "Machine config tags validated").quiet());
    }
    plan.push(Check::new(TEMPLATES, "Control plane and Workload templates validated"));
    if has_policies(spec) {
        plan.push(Check::new(STORAGE_POLICIES, "Storage policies validated").quiet());
    }
    plan.push(Check::new(VERSION, "vCenter version and licences validated").quiet().about(about()));
    plan.push(Check::new(CLOCK, "Clocks compared").quiet().about(about()));
    plan.push(Check::new(PRIVILEGES, "User privileges validated").quiet().about(about()));
    plan
}

pub(crate) fn run(input: &Input, skip: &[String], host: &mut dyn Host) -> Result<Value, Failure> {
    let spec = Spec::of(input)?;
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
    let now = reporter.host().now();
    connection::login(&client, &endpoint, spec, reporter)?;
    let rest = Rest::new(&endpoint, &client.about.version);
    let (opened, first) = reading::open(spec, &client, &endpoint, &rest);
    let rest_or_not = opened.as_ref().map(|()| &rest);
    let session = Visit { input, spec, client: &client, rest: rest_or_not, endpoint: &endpoint, now };
    let facts = session.inspect(first, reporter);
    goodbye(&endpoint, &client, opened.is_ok().then_some(&rest), reporter.host());
    facts
}

/// Every request has an answer; this one says what happened if that should ever not hold.
fn lost<T>() -> Result<T, EndpointError> {
    Err(EndpointError::Other("the host gave no answer".into()))
}

/// Ends the sessions: they are few on a vCenter. A failure to end one stops nobody.
pub(crate) fn goodbye(endpoint: &Endpoint, client: &Client<'_>, rest: Option<&Rest<'_>>, host: &mut dyn Host) {
    let soap = client.logout();
    let mut requests: Vec<Request> = rest.into_iter().map(Rest::logout).collect();
    requests.push(soap.request.clone());
    let mut sent = wire::ask_all(endpoint, &requests).into_iter();
    if rest.is_some()
        && let Err(error) = Rest::closed(sent.next().unwrap_or_else(lost))
    {
        host.log(Level::Warn, &format!("the REST session of `{VCENTER}` could not be ended: {error}"));
    }
    if let Err(error) = Client::ended(sent.next().unwrap_or_else(lost), &soap) {
        host.log(Level::Warn, &format!("the session of `{VCENTER}` could not be ended: {error}"));
    }
}

/// A visit of somebody who is logged in.
struct Visit<'v> {
    input: &'v Input,
    spec: &'v Spec,
    client: &'v Client<'v>,
    rest: Result<&'v Rest<'v>, &'v RestError>,
    endpoint: &'v Endpoint,
    /// When the vCenter said who it is: milliseconds since 1970.
    now: u64,
}

impl Visit<'_> {
    fn inspect(&self, first: reading::First, reporter: &mut Reporter<'_>) -> Option<Facts> {
        let (spec, client) = (self.spec, self.client);
        let mut read = self.inventory(first, reporter)?;
        let inventory = &read.inventory;
        reporter.passed(DATACENTER, inventory.datacenter_path());
        let network = places::main_network(spec, inventory);
        conclude(reporter, NETWORK, "a network of this name", std::slice::from_ref(&network), vec![]);
        for machine in spec.machines.iter().filter(|machine| !machine.networks.is_empty()) {
            let networks = places::networks(spec, machine, inventory);
            conclude(reporter, &of(NETWORKS, &machine.name), "networks of these names", &networks, vec![]);
        }
        for (index, domain) in spec.datacenter.failure_domains.iter().enumerate() {
            let found = places::failure_domain(spec, index, domain, inventory);
            conclude(reporter, &of(FAILURE_DOMAIN, &domain.name), "everything it names", &found, vec![]);
        }

        let places: Vec<places::Place> =
            spec.machines.iter().map(|machine| places::resolve(spec, machine, inventory)).collect();
        for (machine, place) in spec.machines.iter().zip(&places) {
            self.place(machine, place, &places, &read.objects, reporter);
        }
        let machines = read.machines(spec, client);
        let mut candidates = templates::choose(spec, &machines);
        let attached = reading::templates(self, &mut read, &mut candidates);
        let details = &read.objects;

        let linked = spec.machines.iter().any(|machine| machine.clone_mode != "fullClone");
        let mut needed = privileges::Needed::new(spec, linked);
        needed.add(Some(&client.root_folder), "/", Scope::Root);
        needed.add(network.reference.as_ref(), network.path(), Scope::Network);
        for place in &places {
            needed.add(place.datastore.reference.as_ref(), place.datastore.path(), Scope::Datastore);
            needed.add(place.pool.reference.as_ref(), place.pool.path(), Scope::Pool);
            needed.add(place.folder.reference.as_ref(), place.folder.path(), Scope::Folder);
            if let Some((parent, path)) = &place.parent {
                needed.add(Some(parent), path, Scope::FolderParent);
                needed.add(Some(parent), path, Scope::Folder);
            }
        }
        for (_, candidate) in &candidates {
            needed.add(candidate.reference.as_ref(), &candidate.path, Scope::Template);
        }
        let to_make = self.templates_to_make(&candidates, &places, &network);
        if !to_make.is_empty() {
            needed.add_import(Some(&client.root_folder), "/", Scope::Root);
            let folder = format!("{}/{}", paths::root(&spec.datacenter.datacenter, Branch::Folder), appliance::FOLDER);
            let there = read.inventory.at(inventory::FOLDERS, &folder);
            needed.add_import(there.as_ref(), &folder, Scope::Folder);
            for place in &places {
                needed.add_import(place.pool.reference.as_ref(), place.pool.path(), Scope::Pool);
            }
        }
        let (tags, granted) = self.tags(attached, &needed);
        if has_tags(spec) {
            let findings = match &tags {
                Ok(tags) => tags.of_machines(spec),
                Err(error) => vec![tags::unreadable(spec, error)],
            };
            reporter.checked(TAGS, "tags of these ids", "", findings);
        }
        let checked = templates::check(self.input, spec, &candidates, details, &tags);
        reporter.checked(
            TEMPLATES,
            "templates with the tags of their release",
            templates::paths(&candidates),
            checked.findings,
        );
        if has_policies(spec) {
            let findings = condition::storage_policies(spec, self.rest);
            reporter.checked(STORAGE_POLICIES, "policies of these names", "", findings);
        }
        let mut findings = condition::release(spec, client);
        findings.extend(condition::licences(spec, client, network.reference.as_ref(), details));
        reporter.checked(VERSION, "7.0 or later, licences in force", client.about.version.clone(), findings);
        match condition::clock(spec, client, self.now) {
            Some((found, findings)) => reporter.checked(CLOCK, "the time of this machine", found, findings),
            None => reporter.skipped(CLOCK, "the vCenter does not say what time it is"),
        }
        if !reporter.skips(PRIVILEGES) {
            let findings = needed.findings(spec, client, granted);
            reporter.checked(PRIVILEGES, "every privilege that a create uses", "", findings);
        }

        let folders: BTreeSet<String> = places.iter().filter_map(places::Place::folder_to_make).collect();
        let mut facts = Facts {
            network: network.path.unwrap_or_default(),
            folders_to_make: folders.into_iter().collect(),
            templates_to_make: to_make,
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

    /// Templates that the spec leaves to the create, each once, in the place of the first machines that use it.
    fn templates_to_make(
        &self,
        candidates: &[(String, templates::Candidate)],
        places: &[places::Place],
        network: &Resolved,
    ) -> Vec<TemplateFacts> {
        let mut all: Vec<TemplateFacts> = vec![];
        for ((machine, place), (_, candidate)) in self.spec.machines.iter().zip(places).zip(candidates) {
            let Some(appliance) = machine.appliance.as_ref().filter(|_| candidate.to_make) else { continue };
            if !all.iter().any(|one| one.name == appliance.name) {
                all.push(TemplateFacts {
                    name: appliance.name.clone(),
                    url: appliance.url.clone(),
                    release: appliance.release.clone(),
                    datacenter: self.spec.datacenter.datacenter.clone(),
                    datastore: place.datastore.path().to_owned(),
                    resource_pool: place.pool.path().to_owned(),
                    network: network.path().to_owned(),
                });
            }
        }
        all
    }

    /// What was read of the vCenter, with the spec's datacenter in it.
    fn inventory(&self, first: reading::First, reporter: &mut Reporter<'_>) -> Option<reading::Read> {
        let datacenter = &self.spec.datacenter;
        let about = datacenter_ref(&datacenter.name);
        match reading::read(self, first) {
            Ok(mut read) => {
                if read.inventory.enter(&datacenter.datacenter) {
                    return Some(read);
                }
                let message = format!(
                    "The vCenter has no datacenter `{}` that is visible to the user of EKSA_VSPHERE_USERNAME",
                    datacenter.datacenter
                );
                let known = read.inventory.all(inventory::DATACENTERS);
                let known: Vec<&str> = known.into_iter().map(|path| path.trim_start_matches('/')).collect();
                let finding = Finding::error("datacenter-missing", message)
                    .at(about, "spec.datacenter")
                    .remedy(inventory::suggest(&datacenter.datacenter, &known));
                reporter.failed(DATACENTER, finding);
            }
            Err(error) => reporter.failed(DATACENTER, error.finding(&about, "Reading the inventory")),
        }
        None
    }

    /// The names of tags, and beside them what the user may do.
    fn tags(
        &self,
        attached: Result<Value, RestError>,
        needed: &privileges::Needed,
    ) -> (Result<Tags, RestError>, Result<Element, SoapError>) {
        let attached = attached.and_then(|attached| Rest::read_attached(&attached));
        let ids = attached.as_ref().map(|attached| tags::ids(self.spec, attached)).unwrap_or_default();
        let call = needed.question(self.client);
        let mut requests = vec![call.request.clone()];
        let questions: Vec<Request> = self.rest.map_or(vec![], |rest| ids.iter().map(|id| rest.tag(id)).collect());
        requests.extend(self.rest.ok().into_iter().flat_map(|rest| questions.iter().map(|one| rest.signed(one))));
        let mut sent = wire::ask_all(self.endpoint, &requests).into_iter();
        let sent_back = sent.next().unwrap_or_else(lost);
        let granted = self.client.read_or(sent_back, &call, || needed.question(self.client));
        let names = self.rest.map(|rest| sent.zip(&questions).map(|(sent, one)| rest.read(sent, one)).collect());
        let tags = match (attached, names) {
            (Ok(attached), Ok(names)) => Tags::read(attached, ids, names),
            (Err(error), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
        };
        (tags, granted)
    }

    fn place(
        &self,
        machine: &Machine,
        place: &places::Place,
        places: &[places::Place],
        details: &[Found],
        reporter: &mut Reporter<'_>,
    ) {
        let datastore = capacity::datastore(self.spec, machine, places, details);
        let pool = capacity::pool(self.spec, machine, places, details);
        let name = &machine.name;
        let one = std::slice::from_ref;
        conclude(
            reporter,
            &of(DATASTORE, name),
            "a datastore with room for the disks",
            one(&place.datastore),
            datastore,
        );
        conclude(reporter, &of(FOLDER, name), "a folder, or one above it", one(&place.folder), vec![]);
        conclude(
            reporter,
            &of(RESOURCE_POOL, name),
            "a resource pool with room for the machines",
            one(&place.pool),
            pool,
        );
    }
}

/// Reports what was looked for by its name, and what else there is to say of it.
fn conclude(reporter: &mut Reporter<'_>, check: &str, expected: &str, found: &[Resolved], more: Vec<Finding>) {
    let paths: Vec<String> = found.iter().filter_map(Resolved::shown).collect();
    let findings = found.iter().flat_map(|one| one.findings.iter().cloned()).chain(more).collect();
    reporter.checked(check, expected, paths.join(", "), findings);
}
