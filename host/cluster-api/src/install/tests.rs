//! Installing onto a server in memory whose controllers do what they should.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use kedge_spec::release::{Component, ComponentKind};
use serde_json::{Value, json};

use super::{ComponentManifests, ImageOverrides, InstallTimeouts, install, installed, manifest};
use crate::error::Error;
use crate::object::{annotation, label, text};
use crate::readiness::Timeout;
use crate::testing::{Said, Server, Trouble};

const CERT_MANAGER: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: cert-manager}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificates.cert-manager.io}
spec:
  group: cert-manager.io
  names: {kind: Certificate, plural: certificates}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cert-manager, namespace: cert-manager, generation: 1}
spec: {replicas: 1}
";

const PROVIDER: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: manager, namespace: old-system, generation: 1}
spec: {replicas: 1, args: ['--gates=${GATES:=a=true}', '--token=${TOKEN}']}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: serving, namespace: old-system, generation: 1}
spec: {dnsNames: [webhook.old-system.svc, webhook.old-system.svc.cluster.local]}
---
apiVersion: v1
kind: Namespace
metadata: {name: old-system, labels: {control-plane: manager}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: things, annotations: {cert-manager.io/inject-ca-from: old-system/serving}}
webhooks:
- name: v.things
  clientConfig: {caBundle: Cg==, service: {name: webhook, namespace: old-system, path: /validate}}
  rules: [{apiGroups: [example.com], resources: [things], operations: [CREATE, UPDATE]}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com, labels: {cluster.x-k8s.io/v1beta2: v1}}
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true}]
";

fn component(name: &str, kind: ComponentKind, namespace: &str) -> Component {
    Component {
        name: name.into(),
        kind,
        version: "v1.2.3".into(),
        namespace: namespace.into(),
        components_url: format!("{name}.yaml"),
        metadata_url: None,
    }
}

fn components() -> Vec<ComponentManifests> {
    vec![
        ComponentManifests {
            component: component("thing", ComponentKind::Infrastructure, "thing-system"),
            yaml: PROVIDER.into(),
            images: ImageOverrides::default(),
        },
        ComponentManifests {
            component: component("cert-manager", ComponentKind::CertManager, "cert-manager"),
            yaml: CERT_MANAGER.into(),
            images: ImageOverrides::default(),
        },
    ]
}

fn plain(all: &[ComponentManifests]) -> Vec<Component> {
    all.iter().map(|c| c.component.clone()).collect()
}

fn variables() -> BTreeMap<String, String> {
    BTreeMap::from([("TOKEN".to_owned(), "t".to_owned())])
}

type Controllers = fn(&mut Value);

/// What controllers do with an object.
fn controllers(object: &mut Value) {
    let ready = |kind: &str| json!([{"type": kind, "status": "True", "observedGeneration": 1}]);
    match text(object, "/kind").unwrap() {
        "CustomResourceDefinition" => object["status"] = json!({"conditions": ready("Established")}),
        "Certificate" => object["status"] = json!({"conditions": ready("Ready")}),
        "Deployment" => {
            object["status"] = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "conditions": ready("Available")});
        }
        "ValidatingWebhookConfiguration" => {
            object["webhooks"][0]["clientConfig"]["caBundle"] = json!("Y2VydGlmaWNhdGU=");
        }
        _ => {}
    }
}

fn find(server: &Server, kind: &str, name: &str) -> Value {
    server
        .objects()
        .into_iter()
        .find(|o| o["kind"] == kind && o["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn position(server: &Server, part: &str) -> usize {
    server
        .requests()
        .iter()
        .position(|r| r.contains(part))
        .unwrap_or_else(|| panic!("no request {part}: {:#?}", server.requests()))
}

#[tokio::test(start_paused = true)]
async fn all_is_installed_in_order_and_marked() {
    let (server, said) = (Server::new().reacting(controllers), Said::default());
    let api = server.api();
    let all = components();
    assert!(!installed(&api, &plain(&all)).await.unwrap());
    install(&api, &all, &variables(), &said, InstallTimeouts::default()).await.unwrap();
    assert!(installed(&api, &plain(&all)).await.unwrap());

    let order = [
        "/providers.clusterctl",
        "PATCH /apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
        "/deployments/cert-manager",
        "POST /apis/cert-manager.io/v1/namespaces/thing-system/certificates",
        "certificates/serving",
        "POST /apis/example.com/v1/namespaces/thing-system/things",
        "/providers/infrastructure-thing",
    ];
    let positions: Vec<usize> = order.iter().map(|part| position(&server, part)).collect();
    assert!(positions.is_sorted(), "{positions:?}");

    let crd = find(&server, "CustomResourceDefinition", "things.example.com");
    assert_eq!(label(&crd, "clusterctl.cluster.x-k8s.io"), Some(""));
    assert_eq!(label(&crd, "cluster.x-k8s.io/provider"), Some("infrastructure-thing"));
    assert_eq!(label(&crd, "cluster.x-k8s.io/v1beta2"), Some("v1"), "the contract is kept");
    let entry = find(&server, "Provider", "infrastructure-thing");
    assert_eq!(
        (entry["type"].as_str(), entry["providerName"].as_str(), entry["version"].as_str()),
        (Some("InfrastructureProvider"), Some("thing"), Some("v1.2.3"))
    );
    let issuer = find(&server, "Deployment", "cert-manager");
    assert_eq!(label(&issuer, "clusterctl.cluster.x-k8s.io/core"), Some("cert-manager"));
    assert_eq!(annotation(&issuer, "cert-manager.clusterctl.cluster.x-k8s.io/version"), Some("v1.2.3"));
    assert_eq!(find(&server, "Deployment", "manager")["spec"]["args"], json!(["--gates=a=true", "--token=t"]));

    let before = server.objects().len();
    install(&api, &all, &variables(), &said, InstallTimeouts::default()).await.unwrap();
    assert_eq!(server.objects().len(), before);
    assert!(said.all().iter().any(|s| s == "infrastructure-thing v1.2.3 is installed"), "{:?}", said.all());
}

#[test]
fn a_component_goes_into_its_namespace_with_all_that_names_it() {
    let prepared = manifest::prepare(&components()[0], &variables()).unwrap();
    let all: Vec<&Value> = prepared.namespaces.iter().chain(&prepared.definitions).chain(&prepared.rest).collect();
    assert!(!serde_json::to_string(&all).unwrap().contains("old-system"), "{all:#?}");
    let webhook = all.iter().find(|o| o["kind"] == "ValidatingWebhookConfiguration").unwrap();
    assert_eq!(
        webhook["webhooks"][0]["clientConfig"],
        json!({"service": {"name": "webhook", "namespace": "thing-system", "path": "/validate"}})
    );
    assert_eq!(webhook["metadata"].get("namespace"), None);
    assert_eq!(text(&prepared.rest[0], "/kind"), Some("Certificate"), "certificates come first");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_touched_when_a_manifest_can_not_be_used() {
    let server = Server::new();
    for (yaml, expected) in [
        (PROVIDER, "it needs values for `TOKEN`"),
        ("kind: [", "can't be used"),
        ("", "it holds no object"),
        ("apiVersion: v1\nkind: Secret\n", "lacks `apiVersion`, `kind` or `metadata.name`"),
        ("a: ${b-c}", "`${b-c}` is not a form of variable"),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: b}}",
            "2 namespaces (`a`, `b`)",
        ),
    ] {
        let mut all = components();
        all[0].yaml = yaml.into();
        let error = install(&server.api(), &all, &BTreeMap::new(), &crate::NoProgress, InstallTimeouts::default())
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("the manifest of component `thing` can't be used: "), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_named() {
    let timeouts = InstallTimeouts {
        deployments: Timeout::after(Duration::from_secs(10)),
        certificates: Timeout::after(Duration::from_secs(10)),
        ..InstallTimeouts::default()
    };
    let without_pods: Controllers = |o| {
        if o["metadata"]["name"] != "manager" {
            controllers(o);
        }
    };
    let without_injector: Controllers = |o| {
        if o["kind"] != "ValidatingWebhookConfiguration" {
            controllers(o);
        }
    };
    let without_issuer: Controllers = |o| {
        if o["kind"] != "Certificate" {
            controllers(o);
        }
    };
    for (reaction, expected) in [
        (without_pods, "Deployment thing-system/manager is not there after 10 s: its controller has not seen it yet"),
        (without_injector, "ValidatingWebhookConfiguration things is not there after"),
        (without_issuer, "Certificate thing-system/serving is not there after 10 s: cert-manager to issue it"),
    ] {
        let server = Server::new().reacting(reaction);
        let error =
            install(&server.api(), &components(), &variables(), &crate::NoProgress, timeouts).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!installed(&server.api(), &plain(&components())).await.unwrap());
    }
}

/// The webhook's first answers are lost; then it refuses the empty object, which proves that it answers.
#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_webhook_is_proof_enough() {
    let server = Server::new().reacting(controllers);
    let at = "/namespaces/thing-system/things";
    server.trouble(Trouble {
        method: Method::POST,
        at,
        times: 2,
        code: 500,
        reason: "InternalError",
        message: "failed calling webhook \"v.things\": EOF",
    });
    server.trouble(Trouble {
        method: Method::POST,
        at,
        times: 1,
        code: 403,
        reason: "Forbidden",
        message: "admission webhook \"v.things\" denied the request: empty",
    });
    install(&server.api(), &components(), &variables(), &crate::NoProgress, InstallTimeouts::default()).await.unwrap();
    assert_eq!(server.requests().iter().filter(|r| r.starts_with("POST") && r.contains(at)).count(), 3);
    let server = Server::new().reacting(controllers);
    server.trouble(Trouble {
        method: Method::POST,
        at,
        times: usize::MAX,
        code: 500,
        reason: "InternalError",
        message: "failed calling webhook \"v.things\": EOF",
    });
    let error = install(&server.api(), &components(), &variables(), &crate::NoProgress, InstallTimeouts::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

/// A cluster with what was installed before, by whoever it was.
fn with(objects: &[Value]) -> Server {
    let server = Server::new().reacting(controllers);
    for object in objects {
        let mut object = object.clone();
        controllers(&mut object);
        server.put(object);
    }
    server
}

fn provider_entry(namespace: &str, version: &str) -> [Value; 2] {
    let component = component("thing", ComponentKind::Infrastructure, namespace);
    let mut entry = super::inventory::entry(&component).unwrap();
    entry["version"] = json!(version);
    [super::inventory::definition(), entry]
}

fn things_definition(version: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com", "labels": {"clusterctl.cluster.x-k8s.io": ""}},
        "spec": {
            "group": "example.com", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
            "versions": [{"name": version, "served": true, "storage": true}],
        },
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_installed_and_does_not_fit_is_refused_before_anything_is_touched() {
    let elsewhere = provider_entry("other-system", "v1.2.3");
    let newer = provider_entry("thing-system", "v1.3.0");
    let contract = [things_definition("v9")];
    for (there, expected) in [
        (
            elsewhere.as_slice(),
            "infrastructure-thing v1.2.3 is in the namespace other-system of https://fake, and there can't be a second one in thing-system",
        ),
        (newer.as_slice(), "infrastructure-thing on https://fake is v1.3.0, newer than v1.2.3 of this release"),
        (
            contract.as_slice(),
            "https://fake stores objects of things.example.com as v9, which infrastructure-thing v1.2.3 does not know",
        ),
    ] {
        let server = with(there);
        let before = server.objects();
        let error = install(&server.api(), &components(), &variables(), &crate::NoProgress, InstallTimeouts::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.help().contains("nothing was touched"), "{}", error.help());
        assert_eq!(server.objects(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cert_manager_of_somebody_else_is_used_as_it_is() {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "certificates.cert-manager.io", "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {
            "group": "cert-manager.io", "names": {"kind": "Certificate", "plural": "certificates"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true}],
        },
    });
    let server = with(&[definition]);
    let (api, said, all) = (server.api(), Said::default(), components());
    install(&api, &all, &variables(), &said, InstallTimeouts::default()).await.unwrap();
    assert!(!server.objects().iter().any(|o| o["metadata"]["name"] == "cert-manager"), "none of ours was made");
    let definition = find(&server, "CustomResourceDefinition", "certificates.cert-manager.io");
    assert_eq!(label(&definition, "clusterctl.cluster.x-k8s.io/core"), None);
    assert!(said.all().contains(&"the cert-manager that is there is used as it is".to_owned()), "{:?}", said.all());
    assert!(installed(&api, &plain(&all)).await.unwrap());
}

/// An upgrade leaves nothing of the old version: neither objects nor fields that another installer wrote.
#[tokio::test(start_paused = true)]
async fn an_older_version_is_replaced_without_a_rest() {
    let [definition, entry] = provider_entry("thing-system", "v1.1.0");
    let labels = json!({"clusterctl.cluster.x-k8s.io": "", "cluster.x-k8s.io/provider": "infrastructure-thing"});
    let old = |kind: &str, api_version: &str, name: &str| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "thing-system", "labels": labels}});
    let mut manager = old("Deployment", "apps/v1", "manager");
    manager["metadata"]["generation"] = json!(1);
    manager["metadata"]["managedFields"] =
        json!([{"manager": "clusterctl", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {}}}]);
    let users =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine", "namespace": "thing-system"}});
    let server = with(&[
        definition,
        entry,
        things_definition("v1"),
        manager,
        old("Deployment", "apps/v1", "proxy"),
        old("Service", "v1", "metrics"),
        users,
    ]);
    let (api, all) = (server.api(), components());
    assert!(!installed(&api, &plain(&all)).await.unwrap());
    install(&api, &all, &variables(), &crate::NoProgress, InstallTimeouts::default()).await.unwrap();
    let names: Vec<Value> = server.objects().iter().map(|o| o["metadata"]["name"].clone()).collect();
    assert!(!names.contains(&json!("proxy")) && !names.contains(&json!("metrics")), "{names:?}");
    assert!(names.contains(&json!("mine")), "what is not the provider's stays");
    assert_eq!(find(&server, "Provider", "infrastructure-thing")["version"], json!("v1.2.3"));
    let manager = find(&server, "Deployment", "manager");
    assert_eq!(manager["metadata"]["managedFields"][0]["manager"], json!("kedge"));
    assert_eq!(manager["metadata"]["managedFields"][0]["operation"], json!("Apply"));
    assert!(installed(&api, &plain(&all)).await.unwrap());
}

/// All variables that are missing, of all components, in one go.
#[tokio::test(start_paused = true)]
async fn all_missing_variables_are_named_at_once() {
    let server = Server::new();
    let mut all = components();
    all[0].yaml = PROVIDER.replace("${GATES:=a=true}", "${GATES}");
    all[1].yaml = CERT_MANAGER.replace("replicas: 1", "replicas: ${REPLICAS}");
    let error = install(&server.api(), &all, &BTreeMap::new(), &crate::NoProgress, InstallTimeouts::default())
        .await
        .unwrap_err()
        .to_string();
    for name in ["GATES", "TOKEN", "REPLICAS"] {
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    assert!(server.requests().is_empty());
}
