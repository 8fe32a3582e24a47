//! The cluster object, its credentials, and failure domains.

use kedge_sdk::prelude::*;

use super::INFRASTRUCTURE;
use crate::describe::{CP_PASSWORD, CP_USERNAME, PASSWORD, USERNAME};
use crate::paths::{self, Branch};
use crate::spec::{Datacenter, FailureDomain, Spec};

const GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// Objects with this label go along when the cluster moves.
const MOVE: &str = "clusterctl.cluster.x-k8s.io/move";

pub(crate) fn infrastructure(input: &Input) -> Result<InfrastructureObjects, Failure> {
    let spec = Spec::of(input)?;
    let datacenter = &spec.datacenter;
    let name = &input.cluster_name;
    let credentials = format!("{name}-vsphere-credentials");
    let host = input.cluster()?.required_str("spec.controlPlaneConfiguration.endpoint.host")?;
    let cluster = Manifest::new(INFRASTRUCTURE, "VSphereCluster", name)
        .namespace(&input.namespace)
        .spec(json!({
            "controlPlaneEndpoint": {"host": host, "port": 6443},
            "identityRef": {"kind": "Secret", "name": credentials},
            "server": datacenter.server,
        }))
        .set_some("spec.thumbprint", (!datacenter.thumbprint.is_empty()).then(|| json!(datacenter.thumbprint)));

    let identity = Manifest::secret(
        &credentials,
        "Opaque",
        [("username", secret::plain(USERNAME)), ("password", secret::plain(PASSWORD))],
    );
    // What the EKS Anywhere controller reads once it owns the cluster.
    let shared = Manifest::secret(
        "vsphere-credentials",
        "kubernetes.io/basic-auth",
        [
            ("username", secret::plain(USERNAME)),
            ("password", secret::plain(PASSWORD)),
            ("usernameCP", secret::plain(CP_USERNAME)),
            ("passwordCP", secret::plain(CP_PASSWORD)),
        ],
    );
    let mut objects = InfrastructureObjects::new(cluster.build());
    for manifest in [identity, shared] {
        let manifest = manifest.namespace(&input.namespace).label(MOVE, "true");
        objects = objects.with(manifest.place(Placement::BeforeCluster));
    }
    for domain in &datacenter.failure_domains {
        for manifest in failure_domain(name, datacenter, domain) {
            objects = objects.with(manifest.label(MOVE, "true").place(Placement::BeforeCluster));
        }
    }
    Ok(objects)
}

/// The name of a failure domain of the spec among those of all clusters.
pub(super) fn failure_domain_name(cluster: &str, datacenter: &Datacenter, domain: &str) -> String {
    format!("{cluster}-{}-{domain}", datacenter.name)
}

/// A failure domain says where machines go; a deployment zone offers it. Neither has a namespace.
fn failure_domain(cluster: &str, datacenter: &Datacenter, domain: &FailureDomain) -> [Manifest; 2] {
    let name = failure_domain_name(cluster, datacenter, &domain.name);
    let home = &datacenter.datacenter;
    let failure_domain = Manifest::new(INFRASTRUCTURE, "VSphereFailureDomain", &name).spec(json!({
        "region": {"name": home, "type": "Datacenter", "tagCategory": "k8s-region", "autoConfigure": true},
        "zone": {"name": domain.compute_cluster, "type": "ComputeCluster", "tagCategory": "k8s-zone", "autoConfigure": true},
        "topology": {
            "datacenter": home,
            "computeCluster": domain.compute_cluster,
            "datastore": paths::full(home, Branch::Datastore, &domain.datastore),
            "networks": [paths::full(home, Branch::Network, &domain.network)],
        },
    }));
    let zone = Manifest::new(INFRASTRUCTURE, "VSphereDeploymentZone", &name).spec(json!({
        "server": datacenter.server,
        "failureDomain": name,
        "placementConstraint": {
            "resourcePool": domain.resource_pool,
            "folder": paths::full(home, Branch::Folder, &domain.folder),
        },
    }));
    let zone = zone
        .label(&format!("{GROUP}/cluster-name"), cluster)
        .label(&format!("{GROUP}/vsphere-datacenter-config-name"), &datacenter.name);
    [failure_domain, zone]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{edit, input_of, spec};

    #[test]
    fn the_cluster_names_its_credentials() {
        let objects = infrastructure(&input_of(spec())).unwrap();
        assert_eq!(
            objects.cluster,
            json!({
                "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
                "kind": "VSphereCluster",
                "metadata": {"name": "prod", "namespace": "eksa-system"},
                "spec": {
                    "controlPlaneEndpoint": {"host": "198.51.100.10", "port": 6443},
                    "identityRef": {"kind": "Secret", "name": "prod-vsphere-credentials"},
                    "server": "vcenter.example.com",
                    "thumbprint": "AA:BB:CC",
                },
            })
        );
    }

    #[test]
    fn secrets_are_references() {
        let objects = infrastructure(&input_of(spec())).unwrap();
        let names: Vec<&Value> = objects.others.iter().map(|other| &other.object["metadata"]["name"]).collect();
        assert_eq!(names, ["prod-vsphere-credentials", "vsphere-credentials"]);
        assert_eq!(objects.others[0].object["stringData"]["password"], "${kedge.secret/password}");
        assert_eq!(objects.others[1].object["stringData"]["usernameCP"], "${kedge.secret/cp-username}");
        assert!(objects.others.iter().all(|other| other.placement == Placement::BeforeCluster));
    }

    #[test]
    fn a_failure_domain_is_two_objects() {
        let domain = "  failureDomains:\n  - {name: a, computeCluster: c, resourcePool: p, datastore: d, folder: f, network: n}\n";
        let text = edit(spec(), &[("  insecure: false\n", &format!("  insecure: false\n{domain}"))]);
        let others = infrastructure(&input_of(&text)).unwrap().others;
        let kinds: Vec<&Value> = others.iter().skip(2).map(|other| &other.object["kind"]).collect();
        assert_eq!(kinds, ["VSphereFailureDomain", "VSphereDeploymentZone"]);
        assert_eq!(others[3].object["spec"]["failureDomain"], "prod-prod-a");
        assert_eq!(others[3].object["spec"]["placementConstraint"]["folder"], "/SDDC-Datacenter/vm/f");
    }
}
