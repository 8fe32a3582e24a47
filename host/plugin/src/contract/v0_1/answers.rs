//! From contract 0.1 to the host's data, with nothing taken on trust.

use std::collections::BTreeSet;

use kedge_spec::finding::{Finding, ObjectRef, Severity};
use kedge_spec::provider::{
    Argument, ArgumentKind, Change, Check, CheckOutcome, CheckStatus, CommandAnswer, CommandArgument, Compared,
    Description, EndpointNeed, HostMount, Infrastructure, InfrastructureObjects, KindClaim, KindRole, MachineTemplate,
    Manifest, NodeContribution, NodeFile, NodeUser, Placement, ProviderCommand, ProviderDocument, Role, SecretNeed,
    Verdict,
};
use serde_json::Value;

use super::bindings::exports::kedge::provider::{config, describe, machines, manifests};
use super::bindings::kedge::provider::{report, types};
use super::commands::exports::kedge::provider::commands;
use super::preflight::exports::kedge::provider::preflight;
use super::upgrade::exports::kedge::provider::upgrade;
use crate::contract::text::json;
use crate::contract::{Answer, CallError};
use crate::error::Failure;
use crate::limits::Limits;
use crate::log_line::{clean, clean_lines};
use crate::manifest;

fn nonsense<T>(why: impl Into<String>) -> Answer<T> {
    Err(CallError::Nonsense(why.into()))
}

pub(super) fn failure(failure: types::Failure) -> CallError {
    CallError::Failed(match failure {
        types::Failure::Invalid(findings) => Failure::Invalid(findings.into_iter().map(finding).collect()),
        types::Failure::Unsupported(what) => Failure::Unsupported(clean_lines(&what)),
        types::Failure::Internal(what) | types::Failure::Other(what) => Failure::Internal(clean_lines(&what)),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "it is turned into something else, like all of its kind")]
fn object_ref(object: types::ObjectRef) -> ObjectRef {
    ObjectRef { kind: clean(&object.kind), name: clean(&object.name) }
}

pub(super) fn finding(finding: types::Finding) -> Finding {
    Finding {
        severity: match finding.severity {
            types::Severity::Error => Severity::Error,
            types::Severity::Note => Severity::Note,
            types::Severity::Warning | types::Severity::Other(_) => Severity::Warning,
        },
        code: clean(&finding.code),
        document: finding.document.map(object_ref),
        path: clean(&finding.path),
        message: clean_lines(&finding.message),
        remedy: clean_lines(&finding.remedy),
        link: finding.link.map(|link| clean(&link)),
    }
}

pub(super) fn object(limits: &Limits, what: &str, text: &str) -> Answer<Value> {
    let value = json(limits, what, text)?;
    if value.is_object() { Ok(value) } else { nonsense(format!("{what} is not a JSON object")) }
}

/// A Kubernetes object, as far as the host needs it to be one.
fn kubernetes(limits: &Limits, what: &str, text: &str, named: bool) -> Answer<Value> {
    let value = object(limits, what, text)?;
    let has = |path: &str| value.pointer(path).and_then(Value::as_str).is_some_and(|t| !t.is_empty());
    for (path, name) in [("/apiVersion", "apiVersion"), ("/kind", "kind")] {
        if !has(path) {
            return nonsense(format!("{what} has no `{name}`"));
        }
    }
    if named && !has("/metadata/name") {
        return nonsense(format!("{what} has no `metadata.name`"));
    }
    Ok(value)
}

/// Names that appear in messages, file names and references.
fn simple(what: &str, name: &str) -> Answer<()> {
    let good = !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if good {
        Ok(())
    } else {
        nonsense(format!("{what} `{}` is not made of lower-case letters, digits and dashes", name.escape_debug()))
    }
}

fn role(role: types::Role) -> Answer<Role> {
    match role {
        types::Role::ControlPlane => Ok(Role::ControlPlane),
        types::Role::Etcd => Ok(Role::Etcd),
        types::Role::Worker(name) => Ok(Role::Worker(name)),
        types::Role::Other(name) => {
            nonsense(format!("the role `{}` is not one that was asked for", name.escape_debug()))
        }
    }
}

pub(super) fn description(answer: describe::Provider) -> Answer<Description> {
    simple("the name", &answer.name)?;
    if semver::Version::parse(&answer.version).is_err() {
        return nonsense(format!("its version `{}` is not a semantic version", answer.version.escape_debug()));
    }
    let kinds: Vec<KindClaim> = answer
        .kinds
        .into_iter()
        .map(|k| KindClaim {
            role: match k.role {
                describe::KindRole::Datacenter => KindRole::Datacenter,
                describe::KindRole::Machine => KindRole::Machine,
                describe::KindRole::Other(role) => KindRole::Other(role),
            },
            kind: k.kind,
            api_versions: k.api_versions,
        })
        .collect();
    match kinds.iter().filter(|k| k.role == KindRole::Datacenter).count() {
        1 => {}
        count => return nonsense(format!("it claims {count} datacenter kinds; a provider has exactly one")),
    }
    let endpoints: Vec<EndpointNeed> = answer
        .endpoints
        .into_iter()
        .map(|e| EndpointNeed {
            name: e.name,
            purpose: e.purpose,
            kind: e.kind,
            server_field: e.server_field,
            default_port: e.default_port,
            insecure_field: e.insecure_field,
            thumbprint_field: e.thumbprint_field,
        })
        .collect();
    let secrets: Vec<SecretNeed> = answer
        .secrets
        .into_iter()
        .map(|s| SecretNeed {
            name: s.name,
            purpose: s.purpose,
            environment: s.environment,
            endpoint: s.endpoint,
            required: s.required,
        })
        .collect();
    let mut names = BTreeSet::new();
    for endpoint in &endpoints {
        simple("the endpoint's name", &endpoint.name)?;
        if !names.insert(&endpoint.name) {
            return nonsense(format!("it declares the endpoint `{}` twice", endpoint.name));
        }
        if !kinds.iter().any(|k| k.kind == endpoint.kind) {
            return nonsense(format!(
                "the endpoint `{}` is named by the kind `{}`, which it does not claim",
                endpoint.name,
                endpoint.kind.escape_debug()
            ));
        }
    }
    let mut known = BTreeSet::new();
    for secret in &secrets {
        simple("the secret's name", &secret.name)?;
        if !known.insert(&secret.name) {
            return nonsense(format!("it declares the secret `{}` twice", secret.name));
        }
        if let Some(endpoint) = secret.endpoint.as_ref().filter(|e| !names.contains(e)) {
            return nonsense(format!(
                "the secret `{}` belongs to the endpoint `{}`, which it does not declare",
                secret.name,
                endpoint.escape_debug()
            ));
        }
    }
    let i = answer.infrastructure;
    let description = Description {
        name: answer.name,
        title: answer.title,
        version: answer.version,
        kinds,
        endpoints,
        secrets,
        infrastructure: Infrastructure {
            name: i.name,
            release_key: i.release_key,
            namespace: i.namespace,
            api_group: i.api_group,
            cluster_kind: i.cluster_kind,
            machine_template_kind: i.machine_template_kind,
            api_versions: i.api_versions,
        },
        machine_documents: answer.machine_documents,
        user_endpoint: answer.user_endpoint,
        extra_cni: answer.extra_cni,
        extensions: answer.extensions.into_iter().collect(),
    };
    manifest::printable(&description).or_else(nonsense)?;
    Ok(description)
}

/// Defaulting may fill documents in; it may not add, drop or rename any.
pub(super) fn defaulted(
    limits: &Limits,
    given: &[ProviderDocument],
    answer: config::Defaulted,
) -> Answer<(Vec<ProviderDocument>, Vec<Change>)> {
    if answer.documents.len() != given.len() {
        return nonsense(format!("{} documents came back from {}", answer.documents.len(), given.len()));
    }
    let mut documents = Vec::with_capacity(given.len());
    for (before, after) in given.iter().zip(answer.documents) {
        if (&before.kind, &before.name) != (&after.kind, &after.name) {
            return nonsense(format!(
                "{} `{}` came back as {} `{}`",
                before.kind,
                before.name,
                after.kind.escape_debug(),
                after.name.escape_debug()
            ));
        }
        let body = object(limits, &format!("{} `{}`", after.kind, after.name), &after.body)?;
        documents.push(ProviderDocument { api_version: after.api_version, kind: after.kind, name: after.name, body });
    }
    let changes = answer
        .changes
        .into_iter()
        .map(|c| Change { document: object_ref(c.document), path: c.path, reason: c.reason })
        .collect();
    Ok((documents, changes))
}

pub(super) fn templates(limits: &Limits, answer: Vec<machines::MachineTemplate>) -> Answer<Vec<MachineTemplate>> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::with_capacity(answer.len());
    for template in answer {
        let role = role(template.role)?;
        if !seen.insert(role.clone()) {
            return nonsense(format!("it gave two machine templates for {}", role_words(&role)));
        }
        let object =
            kubernetes(limits, &format!("the machine template for {}", role_words(&role)), &template.object, false)?;
        out.push(MachineTemplate { role, object, in_place: template.in_place });
    }
    Ok(out)
}

fn role_words(role: &Role) -> String {
    match role {
        Role::Etcd => "etcd".to_owned(),
        Role::ControlPlane => "the control plane".to_owned(),
        Role::Worker(name) => format!("the worker node group `{}`", name.escape_debug()),
    }
}

pub(super) fn nodes(answer: Vec<machines::NodeContribution>, asked: usize) -> Answer<Vec<NodeContribution>> {
    if answer.len() != asked {
        return nonsense(format!("{} nodes for {asked} roles", answer.len()));
    }
    answer.into_iter().map(node).collect()
}

fn node(answer: machines::NodeContribution) -> Answer<NodeContribution> {
    if let Some(file) = answer.files.iter().find(|f| !f.path.starts_with('/') || f.path.split('/').any(|p| p == "..")) {
        return nonsense(format!("the node file `{}` is not at an absolute path", file.path.escape_debug()));
    }
    Ok(NodeContribution {
        os_family: answer.os_family,
        files: answer
            .files
            .into_iter()
            .map(|f| NodeFile { path: f.path, owner: f.owner, permissions: f.permissions, content: f.content })
            .collect(),
        pre_commands: answer.pre_commands,
        post_commands: answer.post_commands,
        arguments: answer
            .arguments
            .into_iter()
            .map(|a| Argument { component: a.component, name: a.name, value: a.value })
            .collect(),
        mounts: answer
            .mounts
            .into_iter()
            .map(|m| HostMount {
                component: m.component,
                name: m.name,
                host_path: m.host_path,
                mount_path: m.mount_path,
                read_only: m.read_only,
            })
            .collect(),
        users: answer
            .users
            .into_iter()
            .map(|u| NodeUser { name: u.name, ssh_authorized_keys: u.ssh_authorized_keys, sudo: u.sudo })
            .collect(),
        ntp_servers: answer.ntp_servers,
        certificates: answer.certificates,
        cert_sans: answer.cert_sans,
        node_name: answer.node_name,
        extensions: answer.extensions.into_iter().collect(),
    })
}

pub(super) fn manifests(limits: &Limits, answer: Vec<manifests::Manifest>) -> Answer<Vec<Manifest>> {
    answer
        .into_iter()
        .enumerate()
        .map(|(index, manifest)| {
            let placement = match manifest.placement {
                manifests::Placement::BeforeCluster => Placement::BeforeCluster,
                manifests::Placement::WithCluster => Placement::WithCluster,
                manifests::Placement::WorkloadCluster => Placement::WorkloadCluster,
                manifests::Placement::Other(name) => {
                    return nonsense(format!(
                        "object {index} is to be applied at `{}`, which this kedge does not know",
                        name.escape_debug()
                    ));
                }
            };
            Ok(Manifest { placement, object: kubernetes(limits, &format!("object {index}"), &manifest.object, true)? })
        })
        .collect()
}

pub(super) fn infrastructure(
    limits: &Limits,
    answer: manifests::InfrastructureObjects,
) -> Answer<InfrastructureObjects> {
    Ok(InfrastructureObjects {
        cluster: kubernetes(limits, "the infrastructure cluster", &answer.cluster, true)?,
        others: manifests(limits, answer.others)?,
    })
}

pub(super) fn plan(answer: Vec<preflight::Check>) -> Answer<Vec<Check>> {
    let mut seen = BTreeSet::new();
    for check in &answer {
        if check.id.is_empty() || !seen.insert(check.id.clone()) {
            return nonsense(format!("the check `{}` is in the plan twice or has no id", check.id.escape_debug()));
        }
    }
    let check = |c: preflight::Check| Check {
        id: clean(&c.id),
        title: clean(&c.title),
        document: c.document.map(object_ref),
        quiet: c.quiet,
    };
    Ok(answer.into_iter().map(check).collect())
}

pub(super) fn check_outcome(outcome: report::CheckOutcome) -> CheckOutcome {
    CheckOutcome {
        check: clean(&outcome.check),
        status: match outcome.status {
            report::Status::Passed => CheckStatus::Passed,
            report::Status::Failed => CheckStatus::Failed,
            // A word this host does not know is not a pass.
            report::Status::Warned | report::Status::Other(_) => CheckStatus::Warned,
            report::Status::Skipped(why) => CheckStatus::Skipped(clean_lines(&why)),
        },
        expected: clean_lines(&outcome.expected),
        found: clean_lines(&outcome.found),
        findings: outcome.findings.into_iter().map(finding).collect(),
    }
}

pub(super) fn compared(answer: Vec<upgrade::Compared>) -> Answer<Vec<Compared>> {
    answer
        .into_iter()
        .map(|c| {
            let verdict = match c.verdict {
                upgrade::Verdict::Allowed => Verdict::Allowed,
                upgrade::Verdict::Refused(why) => Verdict::Refused(why),
                upgrade::Verdict::Rolls(roles) => Verdict::Rolls(roles.into_iter().map(role).collect::<Answer<_>>()?),
                // What this host has no word for, it must not let pass.
                upgrade::Verdict::Other(what) => Verdict::Refused(what),
            };
            Ok(Compared { document: object_ref(c.document), path: c.path, verdict })
        })
        .collect()
}

/// Arguments that the host takes itself.
const RESERVED: [&str; 15] = [
    "filename",
    "output",
    "plugin",
    "policy",
    "allow-address",
    "audit",
    "record",
    "yes",
    "isolate",
    "otlp",
    "lab",
    "dry-run",
    "insecure",
    "thumbprint",
    "help",
];

/// A name that a command line can have.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub(super) fn commands(answer: Vec<commands::Command>) -> Answer<Vec<ProviderCommand>> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::with_capacity(answer.len());
    for command in answer {
        if !is_name(&command.name) || !seen.insert(command.name.clone()) {
            return nonsense(format!("the command `{}` is listed twice or has no name", command.name.escape_debug()));
        }
        let mut arguments = Vec::with_capacity(command.arguments.len());
        let mut names = BTreeSet::new();
        for argument in command.arguments {
            if RESERVED.contains(&argument.name.as_str()) {
                return nonsense(format!(
                    "the argument `{}` of `{}` is one of the host's own",
                    argument.name, command.name
                ));
            }
            if !is_name(&argument.name) || !names.insert(argument.name.clone()) {
                return nonsense(format!(
                    "the argument `{}` of `{}` is there twice or has no name",
                    argument.name.escape_debug(),
                    command.name
                ));
            }
            arguments.push(CommandArgument {
                name: argument.name,
                about: clean(&argument.about),
                kind: match argument.kind {
                    commands::ArgumentKind::Text | commands::ArgumentKind::Other(_) => ArgumentKind::Text,
                    commands::ArgumentKind::Choice(values) => ArgumentKind::Choice(values),
                    commands::ArgumentKind::Flag => ArgumentKind::Flag,
                    commands::ArgumentKind::File => ArgumentKind::File,
                    commands::ArgumentKind::Server(endpoint) => ArgumentKind::Server(endpoint),
                },
                required: argument.required,
                repeated: argument.repeated,
                default: argument.default,
            });
        }
        out.push(ProviderCommand {
            name: command.name,
            about: clean(&command.about),
            details: clean_lines(&command.details),
            arguments,
            spec: command.spec,
            changes: command.changes,
        });
    }
    Ok(out)
}

pub(super) fn command(limits: &Limits, answer: commands::Answer) -> Answer<CommandAnswer> {
    Ok(CommandAnswer {
        text: clean_lines(&answer.text),
        data: object(limits, "what the command came to", &answer.data)?,
        findings: answer.findings.into_iter().map(finding).collect(),
    })
}
