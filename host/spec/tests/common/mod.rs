//! A provider and a release that no real one stands behind, and a spec for them.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;

use kedge_spec::provider::{Description, Infrastructure, KindClaim, KindRole};
use kedge_spec::release::Release;
use kedge_spec::{DefaultedSpec, Diagnostic, Finding, Rejected, Source, Spec};

pub const GROUP: &str = "anywhere.eks.amazonaws.com/v1alpha1";

pub const BASE: &str = include_str!("../fixtures/base.yaml");

pub fn claim(role: KindRole, kind: &str) -> KindClaim {
    KindClaim { role, kind: kind.to_owned(), api_versions: vec![GROUP.to_owned()] }
}

pub fn acme() -> Description {
    Description {
        name: "acme".into(),
        title: "Acme".into(),
        version: "1.0.0".into(),
        kinds: vec![claim(KindRole::Datacenter, "AcmeDatacenterConfig"), claim(KindRole::Machine, "AcmeMachineConfig")],
        endpoints: Vec::new(),
        secrets: Vec::new(),
        infrastructure: Infrastructure {
            name: "acme".into(),
            release_key: "acme".into(),
            namespace: "acme-system".into(),
            api_group: "infrastructure.cluster.x-k8s.io".into(),
            cluster_kind: "AcmeCluster".into(),
            machine_template_kind: "AcmeMachineTemplate".into(),
            api_versions: vec!["v1beta1".into()],
        },
        machine_documents: true,
        user_endpoint: true,
        extra_cni: Vec::new(),
        extensions: BTreeMap::new(),
    }
}

pub fn release() -> Release {
    static READ: std::sync::OnceLock<Release> = std::sync::OnceLock::new();
    READ.get_or_init(read_release).clone()
}

fn read_release() -> Release {
    let eksd = [
        ("eksd/kubernetes-1-33-eks-28.yaml", include_str!("../fixtures/kubernetes-1-33-eks-28.yaml")),
        ("eksd/kubernetes-1-34-eks-19.yaml", include_str!("../fixtures/kubernetes-1-34-eks-19.yaml")),
        ("eksd/kubernetes-1-35-eks-10.yaml", include_str!("../fixtures/kubernetes-1-35-eks-10.yaml")),
    ];
    let eksd = eksd.into_iter().map(|(url, text)| (url.to_owned(), text.to_owned())).collect();
    Release::from_parts(include_str!("../fixtures/bundles.yaml"), "bundles.yaml", eksd).unwrap()
}

/// Through host defaults, with a provider that has none of its own.
pub fn defaulted(text: &str, provider: &Description) -> Result<DefaultedSpec, Rejected> {
    let spec = Spec::parse(Source::new("cluster.yaml", text))?;
    let spec = spec.with_host_defaults(provider, Some(&release()));
    let documents = spec.provider_documents();
    spec.complete(documents, Vec::new())
}

/// Everything that is said about a text, wherever it is said.
pub fn said(text: &str, provider: &Description) -> Vec<Diagnostic> {
    match defaulted(text, provider) {
        Err(rejected) => rejected.diagnostics,
        Ok(spec) => {
            let mut findings = spec.check(provider, &release());
            findings.extend(spec.not_at_create());
            spec.diagnose(&findings)
        }
    }
}

pub fn errors(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|f| f.is_error()).map(|f| format!("{} {}: {}", f.code, f.path, f.message)).collect()
}

/// The base with one place changed; the place has to be there.
pub fn with(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "the base has no {from:?}");
    BASE.replacen(from, to, 1)
}
