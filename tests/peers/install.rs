//! Providers installed by this program and by a stock clusterctl, compared object by object; and each accepted by the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kedge_cluster_api::api::Api;
use kedge_cluster_api::install::{ComponentManifests, ImageOverrides, InstallTimeouts, install, installed};
use kedge_cluster_api::{NoProgress, Progress};
use kedge_spec::release::{Component, ComponentKind};
use serde_json::{Value, json};

use crate::apiserver::{ApiServer, Client};
use crate::harness::Sandbox;
use crate::management::*;
use crate::pivot::clusterctl;
use crate::players::Players;
use crate::{fails, skipped, succeeds};

pub(crate) fn component(name: &str, kind: ComponentKind, namespace: &str, version: &str) -> Component {
    Component {
        name: name.to_owned(),
        kind,
        version: version.to_owned(),
        namespace: namespace.to_owned(),
        components_url: format!("{name}.yaml"),
        metadata_url: None,
    }
}

/// What clusterctl's configuration names.
pub(crate) fn components() -> Result<Vec<ComponentManifests>, String> {
    let kinds =
        [ComponentKind::Core, ComponentKind::Bootstrap, ComponentKind::ControlPlane, ComponentKind::Infrastructure];
    let mut all = vec![ComponentManifests {
        component: component("cert-manager", ComponentKind::CertManager, "cert-manager", CERT_MANAGER),
        yaml: manifest("cert-manager", CERT_MANAGER, "cert-manager.yaml")?,
        images: ImageOverrides::default(),
    }];
    for ((label, file, _, namespace), kind) in PROVIDERS.into_iter().zip(kinds) {
        let name = match kind {
            ComponentKind::Core => "cluster-api",
            ComponentKind::Infrastructure => "docker",
            _ => "kubeadm",
        };
        all.push(ComponentManifests {
            component: component(name, kind, namespace, CLUSTER_API),
            yaml: manifest(label, CLUSTER_API, file)?,
            images: ImageOverrides::default(),
        });
    }
    Ok(all)
}

pub(crate) fn variables() -> BTreeMap<String, String> {
    [("CLUSTER_TOPOLOGY", "true"), ("EXP_MACHINE_POOL", "true")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

pub(crate) async fn api_of(server: &ApiServer) -> Api {
    let kubeconfig = std::fs::read_to_string(server.kubeconfig("kedge")).expect("a kubeconfig");
    Api::from_kubeconfig(&kubeconfig).await.expect("a client")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

pub(crate) struct Aloud;

impl Progress for Aloud {
    fn waiting(&self, object: &str, sentence: &str) {
        println!("waiting: {object}: {sentence}");
    }
    fn note(&self, sentence: &str) {
        println!("{sentence}");
    }
}

/// Installs by this program; how long it took.
fn install_ours(server: &ApiServer, progress: &dyn Progress) -> Duration {
    let all = components().expect("manifests");
    runtime().block_on(async {
        let api = api_of(server).await;
        let begun = Instant::now();
        install(&api, &all, &variables(), progress, InstallTimeouts::default()).await.expect("it installs");
        let took = begun.elapsed();
        let plain: Vec<Component> = all.iter().map(|c| c.component.clone()).collect();
        assert!(installed(&api, &plain).await.expect("it can be looked up"));
        took
    })
}

fn install_theirs(server: &ApiServer, sandbox: &Sandbox, more: &str) -> Duration {
    let begun = Instant::now();
    succeeds(&mut clusterctl(sandbox, server, &format!("init --infrastructure docker {more}")));
    begun.elapsed()
}

/// Where the objects of an installation are, and whether they have namespaces.
const PLACES: [&str; 15] = [
    "/api/v1/namespaces",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/apps/v1/deployments",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/cert-manager.io/v1/certificates",
    "/apis/cert-manager.io/v1/issuers",
];

/// All that carries clusterctl's label, without what a server or a controller writes.
fn inventory(client: &Client) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let places = PLACES.iter().copied().chain(["/apis/clusterctl.cluster.x-k8s.io/v1alpha3/providers"]);
    for place in places {
        for mut object in client.items(&format!("{place}?labelSelector=clusterctl.cluster.x-k8s.io")) {
            let metadata = object["metadata"].as_object_mut().expect("metadata");
            for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
                metadata.remove(key);
            }
            let part = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let title =
                format!("{} {}/{}", place.rsplit('/').next().unwrap_or_default(), part("namespace"), part("name"));
            object.as_object_mut().expect("an object").remove("status");
            clean(&mut object);
            all.insert(title, object);
        }
    }
    all
}

/// Takes out what differs from cluster to cluster: authorities, addresses.
fn clean(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["caBundle", "clusterIP", "clusterIPs"] {
                map.remove(key);
            }
            map.values_mut().for_each(clean);
        }
        Value::Array(list) => list.iter_mut().for_each(clean),
        _ => {}
    }
}

/// Paths at which two objects differ.
fn differences(ours: &Value, theirs: &Value, at: &str, into: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(two)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
            for key in keys {
                let none = &Value::Null;
                differences(one.get(key).unwrap_or(none), two.get(key).unwrap_or(none), &format!("{at}/{key}"), into);
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            for (number, (one, two)) in one.iter().zip(two).enumerate() {
                differences(one, two, &format!("{at}/{number}"), into);
            }
        }
        (one, two) if one != two => into.push(format!("{at}: {one} and not {two}")),
        _ => {}
    }
}

/// Differences that are meant: the definition of the inventory is written by each program in its own words.
const MEANT: [&str; 1] = ["customresourcedefinitions /providers.clusterctl.cluster.x-k8s.io"];

#[test]
fn an_installation_is_that_of_clusterctl() {
    const NAME: &str = "an_installation_is_that_of_clusterctl";
    let begin = || -> Result<_, String> {
        components()?;
        let (ours, theirs) = (ApiServer::start("ours")?, ApiServer::start("theirs")?);
        let players = Players::start(&ours)?;
        Ok((ours, theirs, players))
    };
    let (ours, theirs, players) = match begin() {
        Ok(begun) => begun,
        Err(why) => return skipped(NAME, &why),
    };
    let sandbox = Sandbox::new();
    install_ours(&ours, &Aloud);
    // One set of controllers at a time: some of their ports can't be chosen.
    drop(players);
    let players = Players::start(&theirs).expect("they started before");
    install_theirs(&theirs, &sandbox, "--wait-providers");
    let (client, other) = (ours.client("harness"), theirs.client("harness"));
    let (one, two) = (inventory(&client), inventory(&other));
    let mut different = Vec::new();
    for title in one.keys().chain(two.keys()).collect::<std::collections::BTreeSet<_>>() {
        match (one.get(title), two.get(title)) {
            (Some(one), Some(two)) => {
                let mut here = Vec::new();
                differences(one, two, "", &mut here);
                if !MEANT.contains(&title.as_str()) {
                    different.extend(here.into_iter().map(|d| format!("{title} {d}")));
                }
            }
            (Some(_), None) => different.push(format!("{title} is ours alone")),
            (None, Some(_)) => different.push(format!("{title} is clusterctl's alone")),
            (None, None) => {}
        }
    }
    assert!(one.len() > 60, "only {} objects", one.len());
    assert!(different.is_empty(), "{} of {} objects:\n{}", different.len(), one.len(), different.join("\n"));

    // clusterctl takes the cluster for one of its own.
    let plan = succeeds(&mut clusterctl(&sandbox, &ours, "upgrade plan"));
    assert!(plan.contains("infrastructure-docker") || plan.contains("v1beta2"), "{plan}");
    let again = fails(&mut clusterctl(&sandbox, &ours, "init --core cluster-api:v1.14.1"));
    assert!(again.contains("already") || again.contains("cluster-api"), "{again}");

    // And this program takes clusterctl's: nothing is to be done, and doing it changes nothing.
    let plain: Vec<Component> = components().unwrap().into_iter().map(|c| c.component).collect();
    let known = runtime().block_on(async { installed(&api_of(&theirs).await, &plain).await.unwrap() });
    assert!(known);
    install_ours(&theirs, &NoProgress);
    assert_eq!(inventory(&other).len(), two.len());
    drop(players);
    let _players = Players::start(&ours).expect("they started before");

    // A newer provider than the release has is not taken back.
    let entry = "/apis/clusterctl.cluster.x-k8s.io/v1alpha3/namespaces/capi-system/providers/cluster-api";
    client.merge(entry, &json!({"version": "v1.15.0"}));
    let refused = runtime().block_on(async {
        let all = components().unwrap();
        install(&api_of(&ours).await, &all, &variables(), &NoProgress, InstallTimeouts::default()).await.unwrap_err()
    });
    assert!(
        refused.to_string().contains("cluster-api on") && refused.to_string().contains("newer than v1.14.2"),
        "{refused}"
    );
    client.merge(entry, &json!({"version": "v1.13.0"}));
    // An older one is brought up, with what only the old one had taken away.
    let old = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": "capi-system", "labels": {"clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": "cluster-api"}},
    });
    client.post("/api/v1/namespaces/capi-system/configmaps", &old);
    install_ours(&ours, &NoProgress);
    assert_eq!(client.get(entry)["version"], json!(CLUSTER_API));
    assert!(client.try_get("/api/v1/namespaces/capi-system/configmaps/old").is_err());
    assert_eq!(inventory(&client), one);
}

#[test]
#[ignore = "a benchmark: takes some minutes"]
fn bench_of_the_installation() {
    let mut ratios = Vec::new();
    println!(
        "{:>22} | {:>8} {:>9} | {:>10} {:>9} | {:>7}",
        "", "kedge s", "requests", "clusterctl", "requests", "faster"
    );
    for run in 0..3 {
        let sandbox = Sandbox::new();
        let (ours, theirs) = (ApiServer::start("ours").unwrap(), ApiServer::start("theirs").unwrap());
        // One after the other, each alone on the machine.
        let players = Players::start(&ours).unwrap();
        let mine = install_ours(&ours, &NoProgress).as_secs_f64();
        drop(players);
        let players = Players::start(&theirs).unwrap();
        let other = install_theirs(&theirs, &sandbox, "--wait-providers").as_secs_f64();
        drop(players);
        println!(
            "{:>22} | {mine:>8.2} {:>9} | {other:>10.2} {:>9} | {:>6.1}x",
            format!("run {run}, until ready"),
            ours.count("kedge"),
            theirs.count("clusterctl"),
            other / mine
        );
        ratios.push(other / mine);
    }
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[1] >= 3.0, "{:.1} times as fast as clusterctl, and 3 are wanted: {ratios:?}", ratios[1]);
}
