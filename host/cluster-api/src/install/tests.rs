//! Installing onto a server in memory whose controllers do what they should.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use kedge_spec::release::{Component, ComponentKind};
use serde_json::{Value, json};

use super::{ComponentManifests, InstallTimeouts, install, installed, manifest};
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
        },
        ComponentManifests {
            component: component("cert-manager", ComponentKind::CertManager, "cert-manager"),
            yaml: CERT_MANAGER.into(),
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
        "certificates.cert-manager.io",
        "/deployments/cert-manager",
        "POST /apis/cert-manager.io/v1/namespaces/cert-manager/certificates",
        "things.example.com",
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
    let prepared = manifest::prepare(&components()[0].component, PROVIDER, &variables()).unwrap();
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
