//! `inventory`: what could stand in a spec.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kedge_sdk::prelude::*;

use super::session::{Visit, failed, visit};
use super::{Refusal, vcenter};
use crate::preflight::inventory::{CLUSTERS, DATACENTERS, DATASTORES, FOLDERS, Inventory, NETWORKS, POOLS};
use crate::rest::Rest;
use crate::soap::{Found, Reference, Survey};

pub(super) const NAME: &str = "inventory";
const GIB: i64 = 1 << 30;
const MACHINES: &[(&str, &[&str])] = &[("VirtualMachine", &["name", "parent", "config.template"])];

pub(super) fn describe() -> Command {
    Command::new(NAME, "List what could stand in a spec")
        .details(
            "Datacenters, and in each of them networks, datastores with their free space, compute clusters, resource pools, \
             folders, and templates with the Kubernetes version that their tags say.",
        )
        .spec()
        .argument(vcenter("vcenter"))
        .argument(Argument::text("datacenter", "Show this one alone, by its path"))
}

/// A datastore; sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datastore {
    pub(super) path: String,
    pub(super) free: i64,
    capacity: i64,
}

/// A template, as its tags describe it; empty where they do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) path: String,
    pub(super) os: String,
    release: String,
    /// `1.34`
    pub(super) kubernetes: String,
}

/// What is in a datacenter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Datacenter {
    /// Without its leading slash, as a spec names it.
    pub(super) name: String,
    pub(super) networks: Vec<(String, &'static str)>,
    pub(super) datastores: Vec<Datastore>,
    pub(super) clusters: Vec<String>,
    pub(super) pools: Vec<String>,
    pub(super) folders: Vec<String>,
    pub(super) templates: Vec<Template>,
}

pub(super) fn run(arguments: &Arguments, host: &mut dyn Host) -> Result<Answer, Refusal> {
    let wanted = arguments.get("datacenter").map(|path| path.trim_matches('/').to_owned());
    visit(host, |visit, _| {
        let mut datacenters = read(visit)?;
        if let Some(wanted) = wanted {
            datacenters.retain(|datacenter| datacenter.name == wanted);
        }
        Ok(Answer::new(text(&datacenters), data(visit, &datacenters)))
    })
}

/// Everything there is.
pub(super) fn read(visit: &Visit<'_>) -> Result<Vec<Datacenter>, Refusal> {
    let (client, inventory) = (visit.client, &visit.inventory);
    let stores: Vec<Reference> = inventory.of(DATASTORES).map(|(reference, _)| reference.clone()).collect();
    let sizes = if stores.is_empty() {
        vec![]
    } else {
        let call = client.properties(&stores, &[("Datastore", &["summary.freeSpace", "summary.capacity"])]);
        let answer = client.ask(&call).and_then(|first| client.all_pages(&first));
        answer.map_err(|error| failed("Reading the datastores", &error))?
    };
    let machines = client
        .look(Survey {
            from: &client.root_folder,
            kinds: crate::preflight::inventory::MACHINES,
            more: &[],
            wanted: MACHINES,
            most: 0,
        })
        .and_then(|first| client.all_pages(&first))
        .map_err(|error| failed("Reading the templates", &error))?;
    let templates = templates(visit, &machines);
    let datacenters = inventory.of(DATACENTERS).map(|(_, path)| one(path, inventory, &sizes, &templates));
    Ok(datacenters.collect())
}

fn one(path: &str, inventory: &Inventory, sizes: &[Found], templates: &[Template]) -> Datacenter {
    let below = |one: &str| one.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let paths = |kinds: crate::preflight::inventory::Kinds| -> Vec<String> {
        inventory.all(kinds).into_iter().filter(|one| below(one)).map(str::to_owned).collect()
    };
    let size = |reference: &Reference, property: &str| {
        sizes.iter().find(|found| found.reference == *reference).and_then(|found| found.int(property)).unwrap_or(0)
    };
    let mut networks: Vec<(String, &str)> = inventory
        .of(NETWORKS)
        .filter(|(_, one)| below(one))
        .map(|(reference, one)| (one.to_owned(), sort(&reference.kind)))
        .collect();
    networks.sort();
    let mut datastores: Vec<Datastore> = inventory
        .of(DATASTORES)
        .filter(|(_, one)| below(one))
        .map(|(reference, one)| Datastore {
            path: one.to_owned(),
            free: size(reference, "summary.freeSpace"),
            capacity: size(reference, "summary.capacity"),
        })
        .collect();
    datastores.sort_by(|a, b| a.path.cmp(&b.path));
    let machines = format!("{path}/vm/");
    Datacenter {
        name: path.trim_matches('/').to_owned(),
        networks,
        datastores,
        clusters: paths(CLUSTERS),
        pools: paths(POOLS),
        folders: paths(FOLDERS).into_iter().filter(|folder| folder.starts_with(&machines)).collect(),
        templates: templates.iter().filter(|template| below(&template.path)).cloned().collect(),
    }
}

fn sort(kind: &str) -> &'static str {
    match kind {
        "DistributedVirtualPortgroup" => "distributed",
        "OpaqueNetwork" => "opaque",
        _ => "standard",
    }
}

/// Templates with what their tags say. Without tags they are listed all the same.
fn templates(visit: &Visit<'_>, machines: &[Found]) -> Vec<Template> {
    let found: Vec<Found> =
        machines.iter().filter(|machine| machine.text("config.template") == "true").cloned().collect();
    let references: Vec<Reference> = found.iter().map(|machine| machine.reference.clone()).collect();
    let names = visit.rest.as_ref().ok().map(|rest| tag_names(rest, &references)).unwrap_or_default();
    let mut templates: Vec<Template> = visit
        .inventory
        .paths_of(&found)
        .into_iter()
        .map(|(reference, path)| {
            let tags = names.get(&reference.id).cloned().unwrap_or_default();
            let of = |prefix: &str| tags.iter().find_map(|tag| tag.strip_prefix(prefix)).unwrap_or_default().to_owned();
            let release = of("eksdRelease:");
            Template { path, os: of("os:"), kubernetes: kubernetes(&release), release }
        })
        .collect();
    templates.sort_by(|a, b| a.path.cmp(&b.path));
    templates
}

/// The names of the tags of objects, by their ids.
fn tag_names(rest: &Rest<'_>, objects: &[Reference]) -> BTreeMap<String, Vec<String>> {
    if objects.is_empty() {
        return BTreeMap::new();
    }
    let attached = rest.ask(&rest.attached(objects)).and_then(|answer| Rest::read_attached(&answer));
    let Ok(attached) = attached else { return BTreeMap::new() };
    let mut ids: Vec<&String> = attached.values().flatten().collect();
    ids.sort();
    ids.dedup();
    let questions: Vec<Request> = ids.iter().map(|id| rest.tag(id)).collect();
    let answers = rest.ask_all(&questions).into_iter().map(|answer| Rest::read_name(answer).ok().flatten());
    let names: BTreeMap<&String, Option<String>> = ids.into_iter().zip(answers).collect();
    let of = |tags: &Vec<String>| tags.iter().filter_map(|id| names.get(id).cloned().flatten()).collect();
    attached.iter().map(|(object, tags)| (object.clone(), of(tags))).collect()
}

/// `kubernetes-1-34-eks-19` is of Kubernetes 1.34.
fn kubernetes(release: &str) -> String {
    let mut parts = release.strip_prefix("kubernetes-").unwrap_or_default().split('-');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if !major.is_empty() => format!("{major}.{minor}"),
        _ => String::new(),
    }
}

fn data(visit: &Visit<'_>, datacenters: &[Datacenter]) -> Value {
    let each = datacenters.iter().map(|one| {
        json!({
            "name": one.name,
            "networks": one.networks.iter().map(|(path, sort)| json!({"path": path, "sort": sort})).collect::<Vec<_>>(),
            "datastores": one
                .datastores
                .iter()
                .map(|store| json!({"path": store.path, "freeGiB": store.free / GIB, "capacityGiB": store.capacity / GIB}))
                .collect::<Vec<_>>(),
            "computeClusters": one.clusters,
            "resourcePools": one.pools,
            "folders": one.folders,
            "templates": one
                .templates
                .iter()
                .map(|template| {
                    json!({
                        "path": template.path,
                        "osFamily": template.os,
                        "eksdRelease": template.release,
                        "kubernetesVersion": template.kubernetes,
                    })
                })
                .collect::<Vec<_>>(),
        })
    });
    json!({
        "server": visit.endpoint.server(),
        "vcenter": visit.client.about.full_name,
        "datacenters": each.collect::<Vec<_>>(),
    })
}

fn text(datacenters: &[Datacenter]) -> String {
    let mut out = String::new();
    for one in datacenters {
        let _ = writeln!(out, "datacenter: {}", one.name);
        section(&mut out, "networks", one.networks.iter().map(|(path, sort)| (path.clone(), (*sort).to_owned())));
        section(
            &mut out,
            "datastores",
            one.datastores.iter().map(|store| {
                (store.path.clone(), format!("{} of {} GiB free", store.free / GIB, store.capacity / GIB))
            }),
        );
        let plain = |paths: &[String]| paths.iter().map(|path| (path.clone(), String::new())).collect::<Vec<_>>();
        section(&mut out, "compute clusters", plain(&one.clusters).into_iter());
        section(&mut out, "resource pools", plain(&one.pools).into_iter());
        section(&mut out, "folders", plain(&one.folders).into_iter());
        section(
            &mut out,
            "templates",
            one.templates.iter().map(|template| {
                let said = if template.kubernetes.is_empty() {
                    "no tag of a release".to_owned()
                } else {
                    format!("Kubernetes {} ({}), {}", template.kubernetes, template.release, template.os)
                };
                (template.path.clone(), said)
            }),
        );
    }
    out
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) {
    let lines: Vec<(String, String)> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    let _ = writeln!(out, "  {title}");
    for (path, more) in lines {
        let _ = writeln!(out, "    {}", format!("{path:width$}  {more}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_says_its_kubernetes_version() {
        assert_eq!(kubernetes("kubernetes-1-34-eks-19"), "1.34");
        assert_eq!(kubernetes("kubernetes"), "");
        assert_eq!(kubernetes(""), "");
    }
}
