//! The store as its users see it.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::kube::admission::Operation;
use crate::kube::clock::StepClock;
use crate::kube::error::Reason;

const WIDGET: Kind = Kind::new("example.com", "Widget");
const CONFIG_MAP: Kind = Kind::new("", "ConfigMap");
const NAMESPACE: Kind = Kind::new("", "Namespace");

fn store() -> Store {
    let store = Store::new(Arc::new(StepClock::default()), "CA");
    store
        .create(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [
                    {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                            "spec": {"type": "object", "required": ["size"], "properties": {
                                "size": {"type": "string", "enum": ["S", "M", "L"]},
                                "replicas": {"type": "integer", "minimum": 0, "default": 1},
                                "nested": {"type": "object", "default": {}, "properties": {
                                    "deep": {"type": "string", "default": "d"}}}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}},
                    {"name": "v0", "served": true, "storage": false,
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
                ],
            },
        }))
        .unwrap();
    store
}

fn widget(name: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"size": "S"}})
}

fn owned_by(owner: &Value, name: &str, blocks: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default",
        "ownerReferences": [{"apiVersion": owner["apiVersion"], "kind": owner["kind"],
            "name": object::name(owner), "uid": object::uid(owner), "blockOwnerDeletion": blocks}]}})
}

fn in_default(store: &Store, kind: &Kind, name: &str) -> Option<Value> {
    store.get(kind, Some("default"), name)
}

#[test]
fn a_new_object_gets_its_identity_and_its_defaults() {
    let store = store();
    let mut new = widget("a");
    new["spec"]["unknown"] = json!(1);
    new["status"] = json!({"x": 1});
    let made = store.create(new).unwrap();
    assert_eq!(made["spec"], json!({"size": "S", "replicas": 1, "nested": {"deep": "d"}}));
    assert_eq!(made.get("status"), None);
    assert_eq!(object::generation(&made), 1);
    assert!(!object::uid(&made).is_empty() && !object::resource_version(&made).is_empty());
    assert_eq!(store.create(widget("a")).unwrap_err().reason, Reason::AlreadyExists);
    let mut generated = widget("");
    generated["metadata"] = json!({"generateName": "w-", "namespace": "default"});
    let name = object::name(&store.create(generated).unwrap()).to_owned();
    assert!(name.starts_with("w-") && name.len() == 7, "{name}");
}

#[test]
fn what_breaks_the_schema_is_refused_with_all_its_causes() {
    let store = store();
    let mut wrong = widget("a");
    wrong["spec"] = json!({"size": "X", "replicas": -1, "nested": {"deep": 5}});
    let error = store.create(wrong).unwrap_err();
    assert_eq!(error.reason, Reason::Invalid);
    let mut fields: Vec<&str> = error.causes.iter().map(|cause| cause.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["spec.nested.deep", "spec.replicas", "spec.size"]);
    let missing = json!({"apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": "Bad_Name", "namespace": "default"}, "spec": {}});
    let error = store.create(missing).unwrap_err();
    assert!(error.message.contains("spec.size: Required value"), "{error}");
    assert!(error.message.contains("RFC 1123 subdomain"), "{error}");
}

#[test]
fn versions_convert_by_their_name_alone() {
    let store = store();
    let made = store.create(widget("a")).unwrap();
    assert_eq!(made["apiVersion"], "example.com/v1");
    let resource = store.resource_of(&WIDGET).unwrap();
    let mut old = widget("a");
    old["apiVersion"] = json!("example.com/v0");
    old["spec"]["size"] = json!("M");
    let changed = store.update(old).unwrap();
    assert_eq!(changed["apiVersion"], "example.com/v0");
    assert_eq!(in_default(&store, &WIDGET, "a").unwrap()["apiVersion"], "example.com/v1");
    assert_eq!(resource.storage, "v1");
}

#[test]
fn generation_counts_spec_and_status_is_apart() {
    let store = store();
    store.create(widget("a")).unwrap();
    let mut both = widget("a");
    both["spec"]["size"] = json!("L");
    both["status"] = json!({"ready": true});
    let by_spec = store.update(both.clone()).unwrap();
    assert_eq!((object::generation(&by_spec), by_spec.get("status")), (2, None));
    both["spec"]["size"] = json!("M");
    let by_status = store.update_status(both).unwrap();
    assert_eq!(by_status["spec"]["size"], "L");
    assert_eq!((object::generation(&by_status), &by_status["status"]), (2, &json!({"ready": true})));
}

#[test]
fn a_stale_update_is_a_conflict_and_an_empty_one_is_nothing() {
    let store = store();
    let first = store.create(widget("a")).unwrap();
    let mut second = first.clone();
    second["spec"]["size"] = json!("M");
    let second = store.update(second).unwrap();
    let mut stale = first;
    stale["spec"]["size"] = json!("L");
    assert_eq!(store.update(stale).unwrap_err().reason, Reason::Conflict);
    let before = store.latest();
    let same = store.update(second.clone()).unwrap();
    assert_eq!(object::resource_version(&same), object::resource_version(&second));
    assert_eq!(store.latest(), before);
}

#[test]
fn mutate_changes_status_and_spec_and_remembers_who() {
    let store = store();
    store.create(widget("a")).unwrap();
    let before = store.latest();
    assert_eq!(store.mutate(&WIDGET, Some("default"), "none", |_| {}), None);
    store.mutate(&WIDGET, Some("default"), "a", |_| {}).unwrap();
    assert_eq!(store.latest(), before);
    let after = store
        .mutate(&WIDGET, Some("default"), "a", |object| {
            object["status"] = json!({"phase": "Up"});
            object["spec"]["replicas"] = json!(3);
        })
        .unwrap();
    assert_eq!(object::generation(&after), 2);
    let managed = after["metadata"]["managedFields"].as_array().unwrap();
    let status = managed.iter().find(|entry| entry["subresource"] == "status").unwrap();
    assert_eq!(status["fieldsV1"]["f:status"]["f:phase"], json!({}));
    assert_eq!(status["manager"], "manager");
}

#[test]
fn finalizers_hold_an_object_and_taking_the_last_one_removes_it() {
    let store = store();
    let mut new = widget("a");
    new["metadata"]["finalizers"] = json!(["x/y"]);
    store.create(new).unwrap();
    store.delete(&WIDGET, Some("default"), "a", Propagation::Background).unwrap();
    let held = in_default(&store, &WIDGET, "a").unwrap();
    assert!(object::is_deleting(&held));
    assert_eq!(object::generation(&held), 2);
    let mut more = held.clone();
    more["metadata"]["finalizers"] = json!(["x/y", "z/z"]);
    assert_eq!(store.update(more).unwrap_err().reason, Reason::Invalid);
    store.mutate(&WIDGET, Some("default"), "a", |object| {
        object::remove_finalizer(object, "x/y");
    });
    assert_eq!(in_default(&store, &WIDGET, "a"), None);
    let gone = store.delete(&WIDGET, Some("default"), "a", Propagation::Background);
    assert_eq!(gone.unwrap_err().reason, Reason::NotFound);
}

#[test]
fn dependents_go_with_their_last_owner() {
    let store = store();
    let first = store.create(widget("first")).unwrap();
    let second = store.create(widget("second")).unwrap();
    store.create(owned_by(&first, "one", false)).unwrap();
    let mut both = owned_by(&first, "both", false);
    let extra = owned_by(&second, "x", false)["metadata"]["ownerReferences"][0].clone();
    both["metadata"]["ownerReferences"].as_array_mut().unwrap().push(extra);
    store.create(both).unwrap();
    store.delete(&WIDGET, Some("default"), "first", Propagation::Background).unwrap();
    assert_eq!(in_default(&store, &CONFIG_MAP, "one"), None);
    let left = in_default(&store, &CONFIG_MAP, "both").unwrap();
    assert_eq!(object::owners(&left).len(), 1);
    store.delete(&WIDGET, Some("default"), "second", Propagation::Orphan).unwrap();
    assert!(object::owners(&in_default(&store, &CONFIG_MAP, "both").unwrap()).is_empty());
}

#[test]
fn foreground_deletion_waits_for_those_that_block() {
    let store = store();
    let owner = store.create(widget("owner")).unwrap();
    let mut child = owned_by(&owner, "child", true);
    child["metadata"]["finalizers"] = json!(["hold/it"]);
    store.create(child).unwrap();
    store.create(owned_by(&owner, "free", false)).unwrap();
    store.delete(&WIDGET, Some("default"), "owner", Propagation::Foreground).unwrap();
    assert!(object::is_deleting(&in_default(&store, &WIDGET, "owner").unwrap()));
    assert_eq!(in_default(&store, &CONFIG_MAP, "free"), None);
    store.mutate(&CONFIG_MAP, Some("default"), "child", |object| {
        object::remove_finalizer(object, "hold/it");
    });
    assert_eq!(in_default(&store, &CONFIG_MAP, "child"), None);
    assert_eq!(in_default(&store, &WIDGET, "owner"), None);
}

#[test]
fn objects_whose_owners_are_not_there_are_collected() {
    let store = store();
    let owner = store.create(widget("owner")).unwrap();
    store.create(owned_by(&owner, "fine", false)).unwrap();
    let mut gone = owner.clone();
    gone["metadata"]["uid"] = json!("11111111-1111-4111-8111-111111111111");
    store.create(owned_by(&gone, "stray", false)).unwrap();
    let mut unknown = owner.clone();
    unknown["kind"] = json!("Gadget");
    unknown["metadata"]["uid"] = json!("22222222-2222-4222-8222-222222222222");
    store.create(owned_by(&unknown, "unknown", false)).unwrap();
    let mut suspects = std::collections::HashSet::new();
    store.collect_strays(&mut suspects);
    // Once is not enough: its owner may be about to come.
    assert!(in_default(&store, &CONFIG_MAP, "stray").is_some());
    store.collect_strays(&mut suspects);
    assert_eq!(in_default(&store, &CONFIG_MAP, "stray"), None);
    assert!(in_default(&store, &CONFIG_MAP, "fine").is_some());
    assert!(in_default(&store, &CONFIG_MAP, "unknown").is_some());
}

#[test]
fn a_namespace_takes_its_content_along_and_refuses_more() {
    let store = store();
    let error = store
        .create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}))
        .unwrap_err();
    assert_eq!(error.message, "namespaces \"n\" not found");
    store.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})).unwrap();
    assert!(store.get(&CONFIG_MAP, Some("n"), "kube-root-ca.crt").is_some());
    let mut held = widget("held");
    held["metadata"]["namespace"] = json!("n");
    held["metadata"]["finalizers"] = json!(["hold/it"]);
    store.create(held).unwrap();
    store.delete(&NAMESPACE, None, "n", Propagation::Background).unwrap();
    assert_eq!(store.get(&NAMESPACE, None, "n").unwrap()["status"]["phase"], "Terminating");
    assert_eq!(store.get(&CONFIG_MAP, Some("n"), "kube-root-ca.crt"), None);
    let mut late = widget("late");
    late["metadata"]["namespace"] = json!("n");
    assert_eq!(store.create(late).unwrap_err().reason, Reason::Forbidden);
    store.mutate(&WIDGET, Some("n"), "held", |object| {
        object::remove_finalizer(object, "hold/it");
    });
    assert_eq!(store.get(&NAMESPACE, None, "n"), None);
    assert!(store.delete(&NAMESPACE, None, "default", Propagation::Background).is_err());
}

#[test]
fn a_definition_takes_its_objects_along() {
    let store = store();
    let mut held = widget("held");
    held["metadata"]["finalizers"] = json!(["hold/it"]);
    store.create(held).unwrap();
    store.create(widget("free")).unwrap();
    let definitions = Kind::new("apiextensions.k8s.io", "CustomResourceDefinition");
    store.delete(&definitions, None, "widgets.example.com", Propagation::Background).unwrap();
    assert!(store.serves(&WIDGET));
    assert_eq!(store.list(&WIDGET, None, &LabelSelector::everything()).len(), 1);
    store.mutate(&WIDGET, Some("default"), "held", |object| {
        object::remove_finalizer(object, "hold/it");
    });
    assert!(!store.serves(&WIDGET));
    assert_eq!(store.get(&definitions, None, "widgets.example.com"), None);
}

#[test]
fn apply_creates_changes_and_creates_again() {
    let store = store();
    let made = store.apply(widget("a"), "kedge").unwrap();
    let again = store.apply(widget("a"), "kedge").unwrap();
    assert_eq!(made, again);
    let mut next = widget("a");
    next["spec"]["size"] = json!("M");
    assert_eq!(object::generation(&store.apply(next, "kedge").unwrap()), 2);
    store.delete(&WIDGET, Some("default"), "a", Propagation::Background).unwrap();
    assert_ne!(object::uid(&store.apply(widget("a"), "kedge").unwrap()), object::uid(&made));
}

#[tokio::test]
async fn a_watch_sees_every_change_in_order_and_an_old_one_is_told() {
    let store = store();
    let from = store.latest();
    let mut watch = store.watch(Some(from)).unwrap();
    store.create(widget("a")).unwrap();
    store.mutate(&WIDGET, Some("default"), "a", |object| object["spec"]["size"] = json!("L"));
    store.delete(&WIDGET, Some("default"), "a", Propagation::Background).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = watch.next().await.unwrap();
        seen.push((event.event_type, object::resource_version(&event.object).to_owned()));
    }
    let versions: Vec<String> = (1..=3).map(|step| (from + step).to_string()).collect();
    assert_eq!(
        seen,
        [EventType::Added, EventType::Modified, EventType::Deleted].into_iter().zip(versions).collect::<Vec<_>>()
    );
    assert!(watch.take().unwrap().is_none());

    store.create(widget("b")).unwrap();
    for step in 0..5000 {
        store.mutate(&WIDGET, Some("default"), "b", |object| object["spec"]["replicas"] = json!(step));
    }
    assert!(watch.take().is_err());
    assert_eq!(store.watch(Some(from)).unwrap_err().reason, Reason::Expired);
    assert!(store.watch(None).is_ok());
}

struct Guard {
    seen: Mutex<Vec<Operation>>,
    store: Store,
}

impl Admission for Guard {
    fn review(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<Value, String> {
        self.seen.lock().unwrap().push(operation);
        // It may look into the store.
        let others = self.store.list(&WIDGET, None, &LabelSelector::everything()).len();
        match new {
            Some(new) if new["spec"]["size"] == "L" => Err("too large".to_owned()),
            Some(new) => {
                let mut new = new.clone();
                new["metadata"]["labels"]["others"] = json!(others.to_string());
                Ok(new)
            }
            None => Ok(old.cloned().unwrap_or_default()),
        }
    }
}

#[test]
fn admission_changes_and_refuses() {
    let store = store();
    let guard = Arc::new(Guard { seen: Mutex::new(Vec::new()), store: store.clone() });
    store.register_admission(WIDGET, Arc::clone(&guard) as Arc<dyn Admission>);
    let made = store.create(widget("a")).unwrap();
    assert_eq!(object::label(&made, "others"), Some("0"));
    let mut large = widget("a");
    large["spec"]["size"] = json!("L");
    let error = store.update(large).unwrap_err();
    assert!(error.message.ends_with("denied the request: too large"), "{error}");
    store.update_status(made).unwrap();
    store.delete(&WIDGET, Some("default"), "a", Propagation::Background).unwrap();
    assert_eq!(*guard.seen.lock().unwrap(), [Operation::Create, Operation::Update, Operation::Delete]);
}

#[test]
fn lists_come_in_pieces() {
    let store = store();
    for name in ["a", "b", "c"] {
        store.create(widget(name)).unwrap();
    }
    let resource = store.resource_of(&WIDGET).unwrap();
    let mut query = ListQuery { limit: Some(2), ..ListQuery::default() };
    let first = store.list_with(&resource, &query);
    assert_eq!((first.items.len(), first.remaining), (2, 1));
    query.after = Some(read_token(&first.next.unwrap()).unwrap());
    let rest = store.list_with(&resource, &query);
    assert_eq!((rest.items.len(), rest.next), (1, None));
    assert!(read_token("nonsense").is_err());
}
