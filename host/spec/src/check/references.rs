//! How documents hang together: identity providers, GitOps, namespaces, and documents nobody asked for.

use std::collections::HashSet;

use super::Findings;
use crate::cluster::{self, Cluster, Ref};
use crate::defaulted::DefaultedSpec;
use crate::finding::Finding;
use crate::provider::Description;
use crate::{path, suggest};

const IDENTITY: [&str; 2] = [cluster::OIDC_KIND, cluster::AWS_IAM_KIND];
const GITOPS: [&str; 2] = [cluster::GITOPS_KIND, cluster::FLUX_KIND];

/// Kinds of references that belong to the host.
pub(super) fn kinds(cluster: &Cluster, findings: &mut Findings<'_>) {
    let identities = &cluster.spec.identity_provider_refs;
    let mut seen = HashSet::new();
    for (index, reference) in identities.iter().enumerate() {
        let at = path::item("spec.identityProviderRefs", index);
        kind(reference, &IDENTITY, &at, findings);
        if !seen.insert(&reference.kind) {
            findings.error(
                "identity-twice",
                &at,
                format!("there can be one `{}`, and this is another", reference.kind),
                "keep one of them",
            );
        }
    }
    if let Some(reference) = &cluster.spec.git_ops_ref {
        kind(reference, &GITOPS, "spec.gitOpsRef", findings);
    }
}

fn kind(reference: &Ref, allowed: &[&str], at: &str, findings: &mut Findings<'_>) {
    if !reference.kind.is_empty() && !allowed.contains(&reference.kind.as_str()) {
        let remedy = match suggest::nearest(&reference.kind, allowed.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", suggest::list(allowed.iter().copied()).unwrap_or_default()),
        };
        let message = format!("`{}` is not a kind that can stand here", reference.kind);
        findings.error("reference-kind", &path::join(at, "kind"), message, remedy);
    }
}

pub(super) fn check(spec: &DefaultedSpec, provider: &Description, findings: &mut Findings<'_>) {
    let cluster = spec.cluster();
    let identities = cluster.spec.identity_provider_refs.iter().enumerate();
    let gitops = cluster.spec.git_ops_ref.iter().map(|r| (r, "spec.gitOpsRef".to_owned()));
    for (reference, at) in
        identities.map(|(index, r)| (r, path::item("spec.identityProviderRefs", index))).chain(gitops)
    {
        let known = IDENTITY.contains(&reference.kind.as_str()) || GITOPS.contains(&reference.kind.as_str());
        if known && spec.document(&reference.kind, &reference.name).is_none() {
            findings.error(
                "reference-missing",
                &path::join(&at, "name"),
                format!("the file has no `{}` called `{}`", reference.kind, reference.name),
                "add that document, or remove the reference",
            );
        }
    }
    for document in spec.documents().iter().filter(|d| d.kind != cluster::KIND) {
        let own = document.reference();
        let claim = provider.claim(&document.kind);
        let host = cluster::HOST_KINDS.contains(&document.kind.as_str());
        if claim.is_none() && !host {
            findings.found.push(unknown_kind(document.group(), &own, provider));
            continue;
        }
        let used = if host { cluster.refers_to(&document.kind, &document.name) } else { spec.is_used(document) };
        if !used {
            let message = format!("nothing refers to `{own}`, and it is left out");
            let finding = Finding::warning("document-unused", message);
            findings.found.push(finding.at(&own, "metadata.name").remedy("remove it, or refer to it"));
            continue;
        }
        if document.namespace != cluster.namespace {
            let message = format!(
                "`{own}` is in the namespace `{}` and the Cluster in `{}`",
                document.namespace, cluster.namespace
            );
            findings.found.push(
                Finding::error("namespace-differs", message)
                    .at(&own, "metadata.namespace")
                    .remedy("put all documents of a cluster into the same namespace, or leave it out everywhere"),
            );
        }
        if let Some(claim) = claim.filter(|claim| !claim.api_versions.contains(&document.api_version)) {
            let all = suggest::list(claim.api_versions.iter().map(String::as_str)).unwrap_or_default();
            let message = format!("`{}` is not an API version of `{}`", document.api_version, document.kind);
            let finding = Finding::error("api-version", message);
            findings.found.push(finding.at(&own, "apiVersion").remedy(format!("use {all}")));
        }
    }
}

/// Documents that nobody here understands are left alone, as EKS Anywhere does; which is a mistake where the kind is its
/// own, and so it is said.
fn unknown_kind(group: &str, own: &crate::ObjectRef, provider: &Description) -> Finding {
    if group != cluster::GROUP {
        let message = format!("`{own}` is not part of a cluster spec, and it is left alone");
        return Finding::warning("unknown-kind", message).at(own, "kind").remedy("apply it to the cluster yourself");
    }
    let known = provider.kinds.iter().map(|k| k.kind.as_str()).chain(cluster::HOST_KINDS).chain([cluster::KIND]);
    let remedy = suggest::nearest(&own.kind, known).map_or_else(
        || format!("remove it: {} has no such kind", provider.title),
        |near| format!("did you mean `{near}`?"),
    );
    Finding::warning("unknown-kind", format!("no plugin here claims the kind `{}`, and `{own}` is left out", own.kind))
        .at(own, "kind")
        .remedy(remedy)
}
