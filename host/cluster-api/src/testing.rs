//! A Kubernetes API in memory, behind a client as the real one: paths, verbs, discovery, lists, watches, dry runs. What
//! controllers would do with a written object is a function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::api::{Api, Retry};
use crate::object::{flag, label, text};
use crate::progress::Progress;

type Frames = StreamBody<BoxStream<'static, Result<http_body::Frame<Bytes>, std::io::Error>>>;
type React = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// An answer that is given instead of the right one.
#[derive(Clone)]
pub(crate) struct Trouble {
    pub(crate) method: Method,
    /// A part of path and query.
    pub(crate) at: &'static str,
    pub(crate) times: usize,
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: &'static str,
}

struct State {
    /// Kind by group and version and plural.
    kinds: BTreeMap<(String, String), (String, bool)>,
    objects: BTreeMap<String, Value>,
    version: u64,
    requests: Vec<String>,
    troubles: Vec<Trouble>,
    react: React,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<(String, Value)>,
}

/// Remembers what was said.
#[derive(Default, Clone)]
pub(crate) struct Said(pub(crate) Arc<Mutex<Vec<String>>>);

impl Progress for Said {
    fn waiting(&self, object: &str, sentence: &str) {
        self.0.lock().unwrap().push(format!("{object}: {sentence}"));
    }

    fn note(&self, sentence: &str) {
        self.0.lock().unwrap().push(sentence.to_owned());
    }
}

impl Said {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Kinds that are always there: group and version, plural, kind, namespaced.
const BUILT_IN: [(&str, &str, &str, bool); 13] = [
    ("v1", "namespaces", "Namespace", false),
    ("v1", "nodes", "Node", false),
    ("v1", "secrets", "Secret", true),
    ("v1", "services", "Service", true),
    ("v1", "pods", "Pod", true),
    ("apps/v1", "deployments", "Deployment", true),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", false),
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false),
    ("cluster.x-k8s.io/v1beta2", "clusters", "Cluster", true),
    ("cluster.x-k8s.io/v1beta2", "machines", "Machine", true),
    ("cluster.x-k8s.io/v1beta2", "machinedeployments", "MachineDeployment", true),
    ("controlplane.cluster.x-k8s.io/v1beta2", "kubeadmcontrolplanes", "KubeadmControlPlane", true),
    ("etcdcluster.cluster.x-k8s.io/v1beta1", "etcdadmclusters", "EtcdadmCluster", true),
];

impl Server {
    pub(crate) fn new() -> Self {
        let kinds =
            BUILT_IN.into_iter().map(|(v, p, k, n)| ((v.to_owned(), p.to_owned()), (k.to_owned(), n))).collect();
        let state = State {
            kinds,
            objects: BTreeMap::new(),
            version: 1,
            requests: vec![],
            troubles: vec![],
            react: Arc::new(|_| {}),
        };
        Self { state: Arc::new(Mutex::new(state)), events: broadcast::channel(1024).0 }
    }

    pub(crate) fn reacting(self, react: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.state.lock().unwrap().react = Arc::new(react);
        self
    }

    /// A client of it.
    pub(crate) fn api(&self) -> Api {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, std::io::Error>(server.answer(request).await) }
        });
        Api::from_client(kube::Client::new(service, "default"), "https://fake").retrying(Retry::default())
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.state.lock().unwrap().troubles.push(trouble);
    }

    /// Method and path of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        self.state.lock().unwrap().objects.values().cloned().collect()
    }

    /// Writes an object as a controller would.
    pub(crate) fn put(&self, object: Value) {
        let mut state = self.state.lock().unwrap();
        let path = state.path_of(&object).unwrap_or_else(|| panic!("unknown kind: {object}"));
        let event = state.store(path.clone(), object, false);
        let _ = self.events.send((event.0, event.1));
    }

    pub(crate) fn remove(&self, object: &Value) {
        let mut state = self.state.lock().unwrap();
        let path = state.path_of(object).unwrap();
        if let Some(object) = state.objects.remove(&path) {
            let _ = self.events.send((path, json!({"type": "DELETED", "object": object})));
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Frames> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let uri = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let query: BTreeMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.replace("%3D", "=").replace("%2F", "/").replace("%2C", ",")))
            .collect();
        let mut state = self.state.lock().unwrap();
        state.requests.push(format!("{} {uri}", parts.method));
        let hit = state.troubles.iter_mut().find(|t| t.times > 0 && t.method == parts.method && uri.contains(t.at));
        if let Some(trouble) = hit {
            trouble.times -= 1;
            return status(trouble.code, trouble.reason, trouble.message);
        }
        if query.get("watch").is_some_and(|w| w == "true") {
            return self.watch(&path, &query, &state);
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (response, event) = state.handle(&parts.method, &path, &query, body);
        if let Some(event) = event {
            let _ = self.events.send(event);
        }
        response
    }

    fn watch(&self, path: &str, query: &BTreeMap<String, String>, state: &State) -> Response<Frames> {
        let since: u64 = query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
        let (path, query) = (path.to_owned(), query.clone());
        // What happened between the list and the watch.
        let missed: Vec<Value> = state
            .objects
            .iter()
            .filter(|(p, o)| in_collection(p, &path) && selected(o, &query) && version_of(o) > since)
            .map(|(_, o)| json!({"type": "MODIFIED", "object": o}))
            .collect();
        let live = futures::stream::unfold(self.events.subscribe(), |mut receiver| async move {
            receiver.recv().await.ok().map(|event| (event, receiver))
        })
        .filter_map(move |(at, event)| {
            let fits = in_collection(&at, &path) && selected(&event["object"], &query);
            async move { fits.then_some(event) }
        });
        let frames = futures::stream::iter(missed)
            .chain(live)
            .map(|event| Ok(http_body::Frame::data(Bytes::from(format!("{event}\n")))));
        Response::new(StreamBody::new(frames.boxed()))
    }
}

fn version_of(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// `/api/v1/namespaces/a/pods/b` lies in `/api/v1/namespaces/a/pods` and in `/api/v1/pods`.
fn in_collection(path: &str, collection: &str) -> bool {
    let without_name = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let everywhere = without_name
        .split_once("/namespaces/")
        .and_then(|(head, tail)| Some(format!("{head}/{}", tail.split_once('/')?.1)));
    without_name == collection || everywhere.as_deref() == Some(collection)
}

fn selected(object: &Value, query: &BTreeMap<String, String>) -> bool {
    let labels = query.get("labelSelector").is_none_or(|selector| {
        selector.split(',').all(|part| match part.split_once('=') {
            Some((key, value)) => label(object, key) == Some(value),
            None => label(object, part).is_some(),
        })
    });
    let name = query.get("fieldSelector").and_then(|f| f.strip_prefix("metadata.name="));
    labels && name.is_none_or(|name| text(object, "/metadata/name") == Some(name))
}

impl State {
    fn path_of(&self, object: &Value) -> Option<String> {
        let (api_version, kind) = (text(object, "/apiVersion")?, text(object, "/kind")?);
        let ((_, plural), (_, namespaced)) =
            self.kinds.iter().find(|((v, _), (k, _))| v == api_version && k == kind)?;
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let place = if *namespaced {
            format!("namespaces/{}/", text(object, "/metadata/namespace").unwrap_or("default"))
        } else {
            String::new()
        };
        Some(format!("/{root}/{api_version}/{place}{plural}/{}", text(object, "/metadata/name")?))
    }

    fn store(&mut self, path: String, mut object: Value, react: bool) -> (String, Value) {
        if react {
            (self.react.clone())(&mut object);
        }
        self.version += 1;
        let kind = if self.objects.contains_key(&path) { "MODIFIED" } else { "ADDED" };
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object["metadata"]["uid"] = json!(format!("uid-of-{path}"));
        if object["kind"] == "CustomResourceDefinition" && object["status"]["conditions"][0]["type"] == "Established" {
            let spec = &object["spec"];
            let part = |at: &str| text(spec, at).unwrap().to_owned();
            for version in spec["versions"].as_array().unwrap().iter().filter(|v| flag(v, "/served")) {
                let api_version = format!("{}/{}", part("/group"), version["name"].as_str().unwrap());
                self.kinds.insert(
                    (api_version, part("/names/plural")),
                    (part("/names/kind"), part("/scope") == "Namespaced"),
                );
            }
        }
        self.objects.insert(path.clone(), object.clone());
        (path, json!({"type": kind, "object": object}))
    }

    fn handle(
        &mut self,
        method: &Method,
        path: &str,
        query: &BTreeMap<String, String>,
        body: Value,
    ) -> (Response<Frames>, Option<(String, Value)>) {
        if path == "/version" {
            return (ok(&json!({"gitVersion": "v1.31.0"})), None);
        }
        let api_version = path.trim_start_matches("/apis/").trim_start_matches("/api/");
        let known: BTreeSet<&str> = self.kinds.keys().map(|(v, _)| v.as_str()).collect();
        if known.contains(api_version) {
            let of_group = self.kinds.iter().filter(|((v, _), _)| v == api_version);
            let list: Vec<Value> =
                of_group.map(|((_, p), (k, n))| json!({"name": p, "kind": k, "namespaced": n})).collect();
            return (ok(&json!({"kind": "APIResourceList", "resources": list})), None);
        }
        let dry = query.get("dryRun").is_some_and(|d| d == "All");
        match *method {
            Method::GET if self.objects.contains_key(path) => (ok(&self.objects[path]), None),
            Method::GET if self.is_collection(path) => {
                let all: Vec<&Value> = self
                    .objects
                    .iter()
                    .filter(|(p, o)| in_collection(p, path) && selected(o, query))
                    .map(|(_, o)| o)
                    .collect();
                // Two a page, so that pages are tested.
                let from: usize = query.get("continue").and_then(|c| c.parse().ok()).unwrap_or(0);
                let next = if all.len() > from + 2 { (from + 2).to_string() } else { String::new() };
                let page: Vec<&&Value> = all.iter().skip(from).take(2).collect();
                (
                    ok(
                        &json!({"metadata": {"resourceVersion": self.version.to_string(), "continue": next}, "items": page}),
                    ),
                    None,
                )
            }
            Method::POST => {
                let Some(path) = self.path_of(&body) else {
                    return (status(404, "NotFound", "the server could not find the requested resource"), None);
                };
                if self.objects.contains_key(&path) {
                    return (status(409, "AlreadyExists", "it exists"), None);
                }
                if dry {
                    return (ok(&body), None);
                }
                let event = self.store(path.clone(), body, true);
                (ok(&self.objects[&path]), Some(event))
            }
            Method::PATCH => {
                let there = self.objects.get(path).cloned();
                if there.is_none() && text(&body, "/apiVersion").is_none() {
                    return (status(404, "NotFound", "not found"), None);
                }
                let mut object = there.unwrap_or_default();
                merge(&mut object, &body);
                if dry {
                    return (ok(&object), None);
                }
                let event = self.store(path.to_owned(), object, true);
                (ok(&self.objects[path]), Some(event))
            }
            Method::DELETE => match self.objects.remove(path) {
                Some(object) => (ok(&object), Some((path.to_owned(), json!({"type": "DELETED", "object": object})))),
                None => (status(404, "NotFound", "not found"), None),
            },
            _ if self.is_collection(path.rsplit_once('/').map_or("", |(parent, _)| parent)) => {
                (status(404, "NotFound", "not found"), None)
            }
            _ => (status(404, "", "404 page not found"), None),
        }
    }

    fn is_collection(&self, path: &str) -> bool {
        self.kinds.keys().any(|(version, plural)| {
            let root = if version.contains('/') { "/apis/" } else { "/api/" };
            let tail = path.strip_prefix(root).and_then(|p| p.strip_prefix(version.as_str()));
            tail.is_some_and(|tail| {
                tail == format!("/{plural}")
                    || tail.starts_with("/namespaces/") && tail.ends_with(&format!("/{plural}"))
            })
        })
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(map), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    map.shift_remove(key);
                } else {
                    merge(map.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

fn body(value: &Value) -> Frames {
    let frame = http_body::Frame::data(Bytes::from(value.to_string()));
    StreamBody::new(futures::stream::iter([Ok(frame)]).boxed())
}

fn ok(value: &Value) -> Response<Frames> {
    Response::new(body(value))
}

fn status(code: u16, reason: &str, message: &str) -> Response<Frames> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message});
    Response::builder().status(code).body(body(&status)).unwrap()
}
