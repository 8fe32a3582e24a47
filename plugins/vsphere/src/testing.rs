//! The spec that the tests start from.

use kedge_sdk::prelude::*;
use kedge_sdk::testing::{documents, input};

/// Three machine configs, external etcd, Ubuntu; whole and correct.
pub(crate) fn spec() -> &'static str {
    include_str!("../tests/spec.yaml")
}

/// A text with some of its parts replaced. A part that is not there fails the test.
pub(crate) fn edit(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the spec has no {from:?}");
        text.replace(from, to)
    })
}

/// The same spec with Bottlerocket, and without templates.
pub(crate) fn bottlerocket() -> String {
    edit(
        spec(),
        &[
            ("osFamily: ubuntu", "osFamily: bottlerocket"),
            ("  template: Templates/ubuntu-2204-kube-v1-34\n", ""),
            ("  template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-34\n", ""),
            ("  template: ubuntu-2204-kube-v1-34\n", ""),
        ],
    )
}

/// The release that the spec's Kubernetes version belongs to.
pub(crate) fn release() -> Release {
    Release::new(json!({
        "kubernetesVersion": "v1.34.1-eks-1-34-19",
        "eksdName": "kubernetes-1-34-eks-19",
        "channel": "1-34",
        "images": {},
        "versionsBundle": {
            "eksD": {
                "name": "kubernetes-1-34-eks-19",
                "kubeVersion": "v1.34.1",
                "ova": {"bottlerocket": {
                    "uri": "https://example.com/bottlerocket.ova", "arch": ["amd64"], "sha256": "0123456789abcdef",
                }},
            },
            "vSphere": {
                "version": "v1.16.1",
                "kubeVip": {"name": "kube-vip", "uri": "example.com/kube-vip:v1.2.0"},
                "manager": {"name": "cloud-provider-vsphere", "uri": "example.com/cpi/manager:v1.34.0"},
            },
            "bottlerocketBootstrapContainers": {
                "multiNetworkBootstrap": {"name": "second-network", "uri": "example.com/second-network:v1"},
            },
        },
    }))
}

/// What the pure functions get for a spec.
pub(crate) fn input_of(text: &str) -> Input {
    let mut input = input("prod", documents(text));
    input.release = release();
    input
}
