//! `clusterConfiguration`: what kubeadm is told about the control plane.

use std::collections::BTreeSet;

use kedge_spec::provider::NodeContribution;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::bottlerocket::{self, KUBEADM};
use super::context::{Context, put};
use super::features::{self, CIPHERS};
use super::kubelet::Kubelet;
use super::node::Family;
use super::{admission, audit, aws_iam, encryption};
use crate::error::Error;

/// Versions (1.x) whose kubeadm joins etcd members as learners, which EKS Anywhere switches off.
const LEARNER_MODE_OFF: std::ops::RangeInclusive<u32> = 29..=32;

pub(super) fn cluster_configuration(
    context: &Context<'_>,
    node: &NodeContribution,
    family: Family,
    kubelet: &Kubelet,
) -> Result<Value, Error> {
    let bottlerocket = family == Family::Bottlerocket;
    let minor = minor(&context.release().kubernetes_version);
    let repositories = &context.release().repositories;
    let external_etcd = context.cluster.spec.external_etcd_configuration.is_some();
    let mut config = Map::new();
    put(&mut config, "imageRepository", repositories.kubernetes.repository.clone());
    if external_etcd {
        put(&mut config, "etcd", external(bottlerocket));
    } else {
        let mut args = Args::default();
        args.set("cipher-suites", CIPHERS);
        args.take("etcd", &node.arguments);
        put(
            &mut config,
            "etcd",
            json!({"local": {
                "imageRepository": repositories.etcd.repository,
                "imageTag": repositories.etcd.tag,
                "extraArgs": args.list(),
            }}),
        );
    }
    if family != Family::Container && LEARNER_MODE_OFF.contains(&minor) {
        put(&mut config, "featureGates", json!({"EtcdLearnerMode": false}));
    }
    put(
        &mut config,
        "dns",
        json!({
            "imageRepository": repositories.coredns.repository,
            "imageTag": repositories.coredns.tag,
        }),
    );
    put(&mut config, "apiServer", api_server(context, node, family, minor)?);
    put(&mut config, "controllerManager", component(context, node, "controller-manager", bottlerocket));
    put(&mut config, "scheduler", component(context, node, "scheduler", bottlerocket));
    if bottlerocket {
        put(&mut config, "certificatesDir", format!("{KUBEADM}/pki"));
        bottlerocket::settings(context, node, kubelet, None, &mut config)?;
    }
    Ok(Value::Object(config))
}

fn api_server(context: &Context<'_>, node: &NodeContribution, family: Family, minor: u32) -> Result<Value, Error> {
    let mut args = secure();
    audit::arguments(&mut args);
    args.take("api-server", &node.arguments);
    features::api_server(context, minor, &mut args)?;
    let mut volumes = audit::volumes(family);
    if admission::wanted(context) {
        volumes.push(admission::volume(family));
    }
    if aws_iam::wanted(context) {
        volumes.extend(aws_iam::volumes());
    }
    if encryption::wanted(context) {
        volumes.extend(encryption::volumes());
    }
    volumes.extend(mounts(node, "api-server"));
    let mut seen = BTreeSet::new();
    let own = context.cluster.spec.control_plane_configuration.cert_sans.iter();
    let names: Vec<String> =
        node.cert_sans.iter().chain(own).filter(|name| seen.insert(name.as_str())).cloned().collect();
    let mut object = Map::new();
    put(&mut object, "certSANs", names);
    put(&mut object, "extraArgs", args.list());
    if admission::wanted(context) {
        put(&mut object, "extraEnvs", admission::environment());
    }
    put(&mut object, "extraVolumes", volumes);
    Ok(Value::Object(object))
}

fn component(context: &Context<'_>, node: &NodeContribution, name: &str, bottlerocket: bool) -> Value {
    let mut args = secure();
    args.take(name, &node.arguments);
    let mut volumes = Vec::new();
    if name == "controller-manager" {
        features::controller_manager(context, &mut args);
    }
    if bottlerocket {
        let path = format!("{name}.conf");
        volumes.push(json!({
            "name": "kubeconfig",
            "hostPath": format!("{KUBEADM}/{path}"),
            "mountPath": format!("/etc/kubernetes/{path}"),
            "pathType": "File",
            "readOnly": true,
        }));
    }
    volumes.extend(mounts(node, name));
    let mut object = Map::new();
    put(&mut object, "extraArgs", args.list());
    put(&mut object, "extraVolumes", volumes);
    Value::Object(object)
}

/// What every component of the control plane has.
fn secure() -> Args {
    let mut args = Args::default();
    args.set("profiling", "false");
    args.set("tls-cipher-suites", CIPHERS);
    args
}

fn mounts(node: &NodeContribution, component: &str) -> Vec<Value> {
    node.mounts
        .iter()
        .filter(|mount| mount.component == component)
        .map(|mount| {
            json!({
                "name": mount.name,
                "hostPath": mount.host_path,
                "mountPath": mount.mount_path,
                "readOnly": mount.read_only,
            })
        })
        .collect()
}

/// etcd on machines of its own. Its addresses are not known yet: the controllers put them in.
fn external(bottlerocket: bool) -> Value {
    let (authority, certificate, key) = if bottlerocket {
        (
            format!("{KUBEADM}/pki/etcd/ca.crt"),
            format!("{KUBEADM}/pki/server-etcd-client.crt"),
            format!("{KUBEADM}/pki/apiserver-etcd-client.key"),
        )
    } else {
        let pki = "/etc/kubernetes/pki";
        (
            format!("{pki}/etcd/ca.crt"),
            format!("{pki}/apiserver-etcd-client.crt"),
            format!("{pki}/apiserver-etcd-client.key"),
        )
    };
    json!({"external": {
        "endpoints": ["https://placeholder:2379"],
        "caFile": authority,
        "certFile": certificate,
        "keyFile": key,
    }})
}

/// The minor version of `v1.31.4-eks-1-31-45`: 31.
fn minor(version: &str) -> u32 {
    version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}
