//! What a spec and its release ask of a bootstrap cluster, and the driver's checks in the words of preflight.

use kedge_bootstrap::{Check, Driver, Identity, Mirror, MirrorHost, NodeImage, Outcome, Proxy, Wanted};
use kedge_spec::{Finding, Severity};
use serde_json::Value;

use crate::error::WorkflowError;
use crate::event::CheckMark;
use crate::folder::Folder;
use crate::load::Prepared;
use crate::options::Options;
use crate::outcome::{CheckReport, FindingReport};

/// The place of the node image in a release.
const NODE_IMAGE: &str = "eksD.kindNode";

/// What the bootstrap cluster of a spec is to be like.
pub(crate) fn wanted(prepared: &Prepared, options: &Options) -> Result<Wanted, WorkflowError> {
    let spec = &prepared.cluster().spec;
    let digest = prepared.view.versions_bundle.pointer("/eksD/kindNode/imageDigest").and_then(Value::as_str);
    let image = prepared
        .view
        .images
        .get(NODE_IMAGE)
        .map(|reference| NodeImage { reference: reference.clone(), digest: digest.map(str::to_owned) });
    let proxy = spec.proxy_configuration.as_ref().map(|proxy| Proxy {
        http: proxy.http_proxy.clone(),
        https: proxy.https_proxy.clone(),
        without: proxy.no_proxy.clone(),
    });
    let mirror = match &spec.registry_mirror_configuration {
        Some(mirror) => Some(Mirror {
            endpoint: endpoint(&mirror.endpoint, &mirror.port),
            hosts: mirror
                .oci_namespaces
                .iter()
                .map(|n| MirrorHost { registry: n.registry.clone(), path: n.namespace.clone() })
                .collect(),
            ca_pem: mirror.ca_cert_content.clone(),
            insecure: mirror.insecure_skip_verify.unwrap_or_default(),
            login: if mirror.authenticate.unwrap_or_default() { Some(login(options)?) } else { None },
        }),
        None => None,
    };
    let engine_socket = prepared.description().engine_socket().map(str::to_owned);
    Ok(Wanted { image, engine_socket, proxy, mirror })
}

fn endpoint(host: &str, port: &str) -> String {
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    format!("{host}:{}", if port.is_empty() { "443" } else { port })
}

/// The mirror's credentials, from the variables that `eksctl anywhere` reads too.
fn login(options: &Options) -> Result<(String, String), WorkflowError> {
    let read = |name: &str| (options.environment)(name);
    match (read("REGISTRY_USERNAME"), read("REGISTRY_PASSWORD")) {
        (Some(user), Some(password)) => Ok((user, password)),
        _ => Err(WorkflowError::Credentials {
            missing: vec!["`REGISTRY_USERNAME` and `REGISTRY_PASSWORD` (the login of the registry mirror)".into()],
        }),
    }
}

/// Whether the driver can make the bootstrap cluster, found out without touching anything.
pub(crate) async fn checks(
    prepared: &Prepared,
    options: &Options,
    driver: &dyn Driver,
) -> Result<Vec<CheckReport>, WorkflowError> {
    let identity = match Folder::open(&options.directory, prepared.name())? {
        Some(folder) => folder.known_identity()?,
        None => Identity { cluster: prepared.name().to_owned(), owner: String::new(), folder: String::new() },
    };
    let wanted = wanted(prepared, options)?;
    let checks = driver.check(&identity, &wanted).await;
    Ok(checks.into_iter().map(|check| report(prepared, options, check)).collect())
}

fn report(prepared: &Prepared, options: &Options, check: Check) -> CheckReport {
    let skipped = options.skip.iter().any(|id| id == check.id);
    let (mark, severity, found) = match check.outcome {
        _ if skipped => (CheckMark::Skipped, Severity::Warning, Vec::new()),
        Outcome::Passed => (CheckMark::Passed, Severity::Warning, Vec::new()),
        Outcome::Warned(found) => (CheckMark::Warned, Severity::Warning, found),
        Outcome::Failed(found) => (CheckMark::Failed, Severity::Error, found),
    };
    let findings: Vec<Finding> = found
        .into_iter()
        .map(|finding| Finding {
            severity,
            code: finding.code.to_owned(),
            document: None,
            path: String::new(),
            message: finding.message,
            remedy: finding.remedy,
            link: None,
        })
        .collect();
    CheckReport {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        object: String::new(),
        outcome: mark,
        expected: String::new(),
        found: String::new(),
        skipped: skipped.then(|| "you asked for it to be left out".to_owned()),
        remedy: crate::preflight::remedy(&findings),
        // The driver makes all its checks at once.
        duration_ms: 0,
        // The workflow document has no line for them.
        quiet: true,
        findings: prepared.spec.diagnose(&findings).iter().map(FindingReport::from).collect(),
    }
}
