//! Releases: read, viewed, rewritten for a mirror.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::format_collect)]

mod common;

use std::collections::BTreeMap;

use common::{BASE, acme, defaulted, release, with};
use kedge_spec::KubernetesVersion;
use kedge_spec::release::{Bundles, ComponentKind, Release, ReleaseError};

const BUNDLES: &str = include_str!("fixtures/bundles.yaml");

#[test]
fn a_release_lists_its_versions() {
    let release = release();
    let versions: Vec<_> = release.kubernetes_versions().iter().map(ToString::to_string).collect();
    assert_eq!(versions, ["1.33", "1.34", "1.35"]);
    assert_eq!((release.number(), release.name()), (100, "bundles-100"));
    assert_eq!(release.eksa_version().as_deref(), Some("v0.26.1"));
    assert_eq!(release.digest().len(), 64);
    let bundles = Bundles::parse(BUNDLES, "b").unwrap();
    assert_eq!(Bundles::newest_version(BUNDLES, "b").unwrap(), KubernetesVersion::new(1, 35));
    let json = serde_json::to_string(&release.manifest()).unwrap();
    assert_eq!(Bundles::newest_version(&json, "b").unwrap(), KubernetesVersion::new(1, 35), "in no usual way");
    assert!(Bundles::newest_version("kind: Bundles", "b").is_err());
    let first = bundles.eksd_urls().next().unwrap();
    assert_eq!(first, (KubernetesVersion::new(1, 33), "eksd/kubernetes-1-33-eks-28.yaml"));
}

#[test]
fn a_view_has_what_machines_and_kubeadm_need() {
    let spec = defaulted(&with("    count: 2", "    count: 2\n    kubernetesVersion: 1.33"), &acme()).unwrap();
    assert_eq!(Release::needed(spec.cluster()), [KubernetesVersion::new(1, 33), KubernetesVersion::new(1, 34)]);
    let view = release().view(&spec).unwrap();
    assert_eq!(view.kubernetes_version, "v1.34.8-eks-1-34-19");
    assert_eq!(view.eksd_name, "kubernetes-1-34-eks-19");
    assert_eq!(view.channel, "1-34");
    assert!(!view.etcd_version.starts_with('v') && view.etcd_version.starts_with("3."), "{}", view.etcd_version);
    assert!(view.etcd_url.ends_with(".tar.gz") && view.etcd_url.contains("linux-amd64"), "{}", view.etcd_url);
    let repositories = &view.repositories;
    assert_eq!(repositories.kubernetes.repository, "public.ecr.aws/eks-distro/kubernetes");
    assert_eq!(repositories.kubernetes.tag, "v1.34.8-eks-1-34-19");
    assert_eq!(repositories.etcd.repository, "public.ecr.aws/eks-distro/etcd-io");
    assert_eq!(repositories.coredns.repository, "public.ecr.aws/eks-distro/coredns");
    assert_eq!(repositories.pause.uri(), "public.ecr.aws/eks-distro/kubernetes/pause:v1.34.8-eks-1-34-19");
    for name in ["kube-vip", "acme.kubeVip", "haproxy", "kind-node", "kube-apiserver", "kube-apiserver-image"] {
        assert!(view.images.contains_key(name), "{name} in {:?}", view.images.keys());
    }
    assert!(view.images.values().all(|uri| !uri.contains('<')), "placeholders are no images");
    assert_eq!(view.workers.keys().collect::<Vec<_>>(), ["md-0"]);
    assert!(view.worker("md-0").kubernetes_version.starts_with("v1.33."));
    assert_eq!(view.worker("md-1"), &view);
    let json = view.to_json();
    assert_eq!(json["kubernetesVersion"], "v1.34.8-eks-1-34-19");
    assert_eq!(json["versionsBundle"]["kubeVersion"], "1.34");
    assert_eq!(json["workers"]["md-0"]["channel"], "1-33");
}

#[test]
fn components_are_those_of_the_first_bundle_in_the_order_of_installing() {
    let spec = defaulted(BASE, &acme()).unwrap();
    let view = release().view(&spec).unwrap();
    let components = view.components(&acme(), true).unwrap();
    let names: Vec<_> = components.iter().map(|c| (c.name.as_str(), c.kind, c.namespace.as_str())).collect();
    assert_eq!(
        names,
        [
            ("cert-manager", ComponentKind::CertManager, "cert-manager"),
            ("cluster-api", ComponentKind::Core, "capi-system"),
            ("kubeadm", ComponentKind::Bootstrap, "capi-kubeadm-bootstrap-system"),
            ("etcdadm-bootstrap", ComponentKind::Bootstrap, "etcdadm-bootstrap-provider-system"),
            ("etcdadm-controller", ComponentKind::Bootstrap, "etcdadm-controller-system"),
            ("kubeadm", ComponentKind::ControlPlane, "capi-kubeadm-control-plane-system"),
            ("acme", ComponentKind::Infrastructure, "acme-system"),
        ]
    );
    assert!(components[0].metadata_url.is_none() && components[1].metadata_url.is_some());
    assert_eq!(components[1].version, "v1.13.2+abcdef1");
    assert_eq!(view.components(&acme(), false).unwrap().len(), 5);
    let mut stranger = acme();
    stranger.infrastructure.release_key = "cloudStack".into();
    let error = view.components(&stranger, false).unwrap_err().to_string();
    assert!(error.contains("cloudStack.components.uri"), "{error}");
    assert!(view.eksa_components_url().is_some_and(|u| u.ends_with("eksa-components.yaml")));
    assert!(view.kindnetd_manifest_url().is_some() && view.cilium_manifest_url().is_none());
    assert_eq!(view.cilium_chart().as_deref(), Some("public.ecr.aws/eks/cilium/cilium:1.19.4-1"));
}

#[test]
fn a_mirror_changes_every_image_and_no_manifest() {
    let text = with(
        "  datacenterRef:",
        "  registryMirrorConfiguration: {endpoint: r.example.com, port: 5000}\n  datacenterRef:",
    );
    let view = release().view(&defaulted(&text, &acme()).unwrap()).unwrap();
    assert!(view.images.values().all(|uri| uri.starts_with("r.example.com:5000/")), "{:#?}", view.images);
    assert_eq!(view.repositories.etcd.repository, "r.example.com:5000/eks-distro/etcd-io");
    assert!(view.components(&acme(), true).unwrap().iter().all(|c| c.components_url.starts_with("https://")));
}

#[test]
fn a_version_that_is_not_there_is_said_with_those_that_are() {
    let spec = defaulted(&with("\"1.34\"", "1.29"), &acme()).unwrap();
    let finding = release().view(&spec).unwrap_err();
    assert_eq!(finding.code, "kubernetes-version-unknown");
    assert!(finding.remedy.contains("`1.33`, `1.34` and `1.35`"), "{}", finding.remedy);
    let bare = Release::from_parts(BUNDLES, "b", BTreeMap::new()).unwrap();
    let spec = defaulted(BASE, &acme()).unwrap();
    assert_eq!(bare.view(&spec).unwrap_err().code, "release-incomplete");
}

#[test]
fn what_is_no_release_is_refused() {
    let parts = |text: &str| Release::from_parts(text, "b.yaml", BTreeMap::new()).unwrap_err();
    assert!(matches!(parts("a: ["), ReleaseError::Unreadable { .. }));
    assert!(matches!(parts("kind: Release"), ReleaseError::WrongKind { .. }));
    assert!(matches!(parts("kind: Bundles\nspec: {versionsBundles: []}"), ReleaseError::Empty { .. }));
    assert!(matches!(
        parts("kind: Bundles\nspec: {versionsBundles: [{kubeVersion: 1.30}]}"),
        ReleaseError::Field { .. }
    ));
    let wrong = [("eksd/kubernetes-1-34-eks-19.yaml".to_owned(), "kind: Release\n".to_owned())].into();
    let release = Release::from_parts(BUNDLES, "b", wrong).unwrap();
    let finding = release.view(&defaulted(BASE, &acme()).unwrap()).unwrap_err();
    assert_eq!(finding.code, "release-malformed");
}
