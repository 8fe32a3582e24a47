//! What is read of the vCenter, in few and large questions: the inventory with the properties that matter, the
//! templates, the tags that these carry.

use std::collections::{BTreeMap, BTreeSet};

use kedge_sdk::prelude::*;

use super::inventory::{self, Inventory, MACHINES, NAME_AND_PARENT};
use super::search::{self, Machines};
use super::templates::Candidate;
use super::{Visit, lost, tags};
use crate::rest::{Rest, RestError};
use crate::soap::client::Client;
use crate::soap::{Call, Element, Found, Reference, SoapError, Survey};
use crate::spec::{Spec, datacenter_ref};
use crate::wire;

/// An inventory with more objects than this is read of the one datacenter alone.
const LARGE: usize = 3000;

const MACHINE: &[&str] = &["config.template", "config.hardware.device", "snapshot"];

/// The inventory as everywhere, and what tells how much room there is; the templates that are known by then; licences.
const WANTED: &[(&str, &[&str])] = &[
    ("Datacenter", NAME_AND_PARENT),
    ("Folder", NAME_AND_PARENT),
    ("StoragePod", NAME_AND_PARENT),
    ("Datastore", &["name", "parent", "summary.accessible", "summary.freeSpace", "summary.maintenanceMode"]),
    ("Network", NAME_AND_PARENT),
    ("DistributedVirtualPortgroup", NAME_AND_PARENT),
    ("OpaqueNetwork", NAME_AND_PARENT),
    ("ComputeResource", &["name", "parent", "summary"]),
    ("ClusterComputeResource", &["name", "parent", "summary"]),
    ("ResourcePool", &["name", "parent", "config.memoryAllocation.limit", "runtime.memory.overallUsage"]),
    ("VirtualApp", NAME_AND_PARENT),
    ("LicenseManager", &["licenses"]),
    ("VirtualMachine", MACHINE),
];

type Templates = BTreeMap<Reference, String>;

/// What the first questions of a session came to.
pub(super) struct First {
    view: Result<Element, SoapError>,
    /// The templates whose whole path the spec says.
    templates: Result<Templates, SoapError>,
}

/// What was read.
pub(super) struct Read {
    /// With their properties, the templates that the spec says the whole path of included.
    pub(super) objects: Vec<Found>,
    pub(super) inventory: Inventory,
    templates: Result<Templates, SoapError>,
    /// The tags of these templates, if there are no others.
    attached: Option<Result<Value, RestError>>,
}

/// Opens the REST session. Beside it the view of the inventory is made, and what has a whole path is looked for.
pub(super) fn open(
    spec: &Spec,
    client: &Client<'_>,
    endpoint: &Endpoint,
    rest: &Rest<'_>,
) -> (Result<(), RestError>, First) {
    let view = client.view_for(survey(&client.root_folder, &[]));
    let paths = search::whole(spec);
    let finds: Vec<Call> = paths.iter().map(|path| client.find_at(path)).collect();
    let mut requests = vec![view.request.clone(), rest.login()];
    requests.extend(finds.iter().map(|find| find.request.clone()));
    let mut sent = wire::ask_all(endpoint, &requests).into_iter();
    let (made, opened) = (sent.next().unwrap_or_else(lost), sent.next().unwrap_or_else(lost));
    let made = client.read(made, &view);
    let opened = rest.opened(opened);
    let found = paths.iter().zip(&finds).zip(sent).filter_map(|((path, find), sent)| {
        let found = client.found(sent, find).transpose()?;
        Some(found.map(|reference| (reference, (*path).to_owned())))
    });
    let templates = found.collect::<Result<Templates, SoapError>>().map(|mut found| {
        found.retain(|reference, _| MACHINES.contains(&reference.kind.as_str()));
        found
    });
    (opened, First { view: made, templates })
}

fn survey<'s>(from: &'s Reference, more: &'s [Reference]) -> Survey<'s> {
    Survey { from, kinds: inventory::KINDS, more, wanted: WANTED, most: LARGE }
}

/// Reads the inventory and, where the templates are known already, these with their tags.
pub(super) fn read(visit: &Visit<'_>, first: First) -> Result<Read, SoapError> {
    let (client, spec) = (visit.client, visit.spec);
    let templates: Vec<Reference> = first.templates.iter().flatten().map(|(reference, _)| reference.clone()).collect();
    let mut more = templates.clone();
    more.extend(Some(client.license_manager.clone()).filter(|manager| !manager.id.is_empty()));
    let all = spec.machines.iter().all(|machine| machine.template.starts_with('/'));
    let questions = survey(&client.root_folder, &more);
    let call = client.survey(&first.view?, questions)?;
    let asked = visit.rest.ok().filter(|_| all && !templates.is_empty());
    let asked = asked.map(|rest| (rest, rest.attached(&templates)));
    let mut requests = vec![call.request.clone()];
    requests.extend(asked.as_ref().map(|(rest, request)| rest.signed(request)));
    let mut sent = wire::ask_all(visit.endpoint, &requests).into_iter();
    let answer = client.surveyed(sent.next().unwrap_or_else(lost), &call, questions)?;
    let attached = asked.map(|(rest, request)| rest.read(sent.next().unwrap_or_else(lost), &request));
    let (objects, inventory) = pages(visit, &answer, questions)?;
    Ok(Read { objects, inventory, templates: first.templates, attached })
}

fn pages(visit: &Visit<'_>, first: &Element, questions: Survey<'_>) -> Result<(Vec<Found>, Inventory), SoapError> {
    let client = visit.client;
    if let (_, Some(token)) = Client::page(first) {
        // Too much to read all of it: the datacenter alone, if it is there.
        let path = visit.spec.datacenter.datacenter.trim_matches('/');
        if let Some(Ok(Some(datacenter))) = client.find(&[path]).pop() {
            client.forget_pages(&token);
            let objects = client.all_pages(&client.look(Survey { from: &datacenter, most: 0, ..questions })?)?;
            let inventory = Inventory::new(&datacenter, &format!("/{path}"), &objects);
            return Ok((objects, inventory));
        }
    }
    let objects = client.all_pages(first)?;
    let inventory = Inventory::new(&client.root_folder, "", &objects);
    Ok((objects, inventory))
}

impl Read {
    /// The virtual machines that the templates of the spec may mean.
    pub(super) fn machines(&self, spec: &Spec, client: &Client<'_>) -> Result<Machines, SoapError> {
        let mut machines = search::others(spec, client, &self.inventory)?;
        machines.paths.extend(self.templates.clone()?);
        Ok(machines)
    }
}

/// Reads the templates that were found by name, and the tags of all.
pub(super) fn templates(
    visit: &Visit<'_>,
    read: &mut Read,
    candidates: &mut [(String, Candidate)],
) -> Result<Value, RestError> {
    let client = visit.client;
    let all = tags::templates(candidates);
    let known: BTreeSet<&Reference> = read.templates.iter().flatten().map(|(reference, _)| reference).collect();
    let new: Vec<Reference> = all.iter().filter(|reference| !known.contains(reference)).cloned().collect();
    let call = (!new.is_empty()).then(|| client.properties(&new, &[("VirtualMachine", MACHINE)]));
    let rest = visit.rest.map_err(Clone::clone);
    let asked = match &rest {
        Ok(rest) if read.attached.is_none() && !all.is_empty() => Some(rest.attached(&all)),
        _ => None,
    };
    let mut requests: Vec<Request> = call.iter().map(|call| call.request.clone()).collect();
    requests.extend(asked.iter().zip(&rest).map(|(request, rest)| rest.signed(request)));
    let mut sent = wire::ask_all(visit.endpoint, &requests).into_iter();
    if let Some(call) = call {
        let answer = client.read(sent.next().unwrap_or_else(lost), &call);
        match answer.and_then(|answer| client.all_pages(&answer)) {
            Ok(found) => read.objects.extend(found),
            Err(error) => {
                let about = datacenter_ref(&visit.spec.datacenter.name);
                if let Some((_, candidate)) = candidates.first_mut() {
                    candidate.findings.push(error.finding(&about, "Reading the templates"));
                }
            }
        }
    }
    match (rest, asked, read.attached.take()) {
        (Err(error), _, _) => Err(error),
        (Ok(rest), Some(request), _) => rest.read(sent.next().unwrap_or_else(lost), &request),
        (Ok(_), None, attached) => attached.unwrap_or(Ok(Value::Null)),
    }
}
