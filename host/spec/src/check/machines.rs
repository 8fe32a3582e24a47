//! The documents that describe machines and where they are.

use super::{Findings, worker, worker_title};
use crate::cluster::Ref;
use crate::defaulted::DefaultedSpec;
use crate::provider::{Description, KindRole};
use crate::{path, suggest};

pub(super) fn check(spec: &DefaultedSpec, provider: &Description, findings: &mut Findings<'_>) {
    let cluster = &spec.cluster().spec;
    let machines: Vec<&str> = kinds(provider, &KindRole::Machine);
    let datacenters: Vec<&str> = kinds(provider, &KindRole::Datacenter);
    exists(spec, &cluster.datacenter_ref, &datacenters, "spec.datacenterRef", findings);
    let mut group = |reference: Option<&Ref>, at: &str, title: &str| match reference {
        None if provider.machine_documents => findings.error(
            "machine-ref-missing",
            at,
            format!("{title} does not say what its machines are like"),
            format!("add `machineGroupRef: {{kind: {}, name: …}}`", machines.first().copied().unwrap_or("KIND")),
        ),
        Some(reference) if !provider.machine_documents => findings.warning(
            "machine-ref-unused",
            at,
            format!(
                "{} has no documents for machines, and `{} {}` is not used",
                provider.title, reference.kind, reference.name
            ),
            "remove `machineGroupRef`",
        ),
        Some(reference) => exists(spec, reference, &machines, at, findings),
        None => {}
    };
    group(
        cluster.control_plane_configuration.machine_group_ref.as_ref(),
        "spec.controlPlaneConfiguration.machineGroupRef",
        "the control plane",
    );
    for (index, workers) in cluster.worker_node_group_configurations.iter().enumerate() {
        let at = path::join(&worker(index), "machineGroupRef");
        group(workers.machine_group_ref.as_ref(), &at, &worker_title(&workers.name, index));
    }
    if let Some(etcd) = &cluster.external_etcd_configuration {
        group(etcd.machine_group_ref.as_ref(), "spec.externalEtcdConfiguration.machineGroupRef", "external etcd");
    }
}

fn kinds<'a>(provider: &'a Description, role: &KindRole) -> Vec<&'a str> {
    provider.kinds.iter().filter(|k| k.role == *role).map(|k| k.kind.as_str()).collect()
}

/// A reference to a document of a kind that the provider has for this purpose.
fn exists(spec: &DefaultedSpec, reference: &Ref, kinds: &[&str], at: &str, findings: &mut Findings<'_>) {
    if reference.kind.is_empty() || reference.name.is_empty() {
        return;
    }
    if !kinds.contains(&reference.kind.as_str()) {
        findings.error(
            "reference-kind",
            &path::join(at, "kind"),
            format!("`{}` is not a kind that can stand here", reference.kind),
            suggest::remedy(&reference.kind, kinds.iter().copied()).replace("remove it, or use", "use"),
        );
        return;
    }
    if spec.document(&reference.kind, &reference.name).is_some() {
        return;
    }
    let same_kind = spec.documents().iter().filter(|d| d.kind == reference.kind).map(|d| d.name.as_str());
    let remedy = match suggest::nearest(&reference.name, same_kind.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match suggest::list(same_kind) {
            Some(all) => format!("add it, or refer to {all}"),
            None => format!("add a document of kind `{}` called `{}`", reference.kind, reference.name),
        },
    };
    findings.error(
        "reference-missing",
        &path::join(at, "name"),
        format!("the file has no `{}` called `{}`", reference.kind, reference.name),
        remedy,
    );
}
