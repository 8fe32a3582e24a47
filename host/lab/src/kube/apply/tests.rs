//! The rules of server-side apply, one by one, on a custom and on a built-in schema.

use serde_json::{Value, json};

use super::*;
use crate::kube::builtin;
use crate::kube::schema::Schema;

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-02T00:00:00Z";

fn schema() -> Schema {
    let mut schema = Schema::read(&json!({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {
                "size": {"type": "string"},
                "color": {"type": "string"},
                "list": {"type": "array", "items": {"type": "string"}},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "ports": {"type": "array", "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["number", "protocol"],
                    "items": {"type": "object", "properties": {
                        "number": {"type": "integer"},
                        "protocol": {"type": "string", "default": "TCP"},
                        "note": {"type": "string"},
                        "other": {"type": "string"}}}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    }));
    builtin::add_type_and_metadata(&mut schema);
    schema
}

fn owner(name: &str, applies: bool) -> Owner {
    Owner { manager: name.to_owned(), applies, api_version: "example.com/v1".to_owned(), subresource: String::new() }
}

#[expect(clippy::needless_pass_by_value, reason = "the specs are written where they are used")]
fn object(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec})
}

fn apply_as(live: Option<&Value>, name: &str, spec: Value, force: bool) -> Result<Value, Vec<String>> {
    apply(live, &object(spec), &schema(), &owner(name, true), force, NOW).map_err(|error| match error {
        ApplyError::Conflicts(list) => list
            .into_iter()
            .flat_map(|(owner, set)| {
                let who = owner.describe();
                set.paths().into_iter().map(move |path| format!("{who}: {path}"))
            })
            .collect(),
        ApplyError::Malformed(why) => vec![why],
    })
}

fn update_as(old: &Value, name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut new = old.clone();
    change(&mut new);
    track(Some(old), &mut new, &schema(), &owner(name, false), NOW);
    new
}

fn owned(object: &Value, name: &str) -> Option<Value> {
    object["metadata"]["managedFields"]
        .as_array()?
        .iter()
        .find(|entry| entry["manager"] == name)
        .map(|entry| entry["fieldsV1"].clone())
}

#[test]
fn what_is_applied_is_owned() {
    let object = apply_as(
        None,
        "a",
        json!({"size": "S", "set": ["x"], "ports": [{"number": 80, "note": "n"}], "whole": {"k": "v"}, "map": {"k": "v"}, "list": ["l"]}),
        false,
    )
    .unwrap();
    assert_eq!(
        owned(&object, "a").unwrap(),
        json!({"f:spec": {
            "f:size": {},
            "f:list": {},
            "f:set": {"v:\"x\"": {}},
            "f:ports": {"k:{\"number\":80,\"protocol\":\"TCP\"}": {".": {}, "f:number": {}, "f:note": {}}},
            "f:whole": {},
            "f:map": {"f:k": {}},
        }})
    );
}

#[test]
fn a_field_of_another_manager_is_a_conflict_unless_it_agrees() {
    let live = apply_as(None, "a", json!({"size": "S"}), false).unwrap();
    assert_eq!(
        apply_as(Some(&live), "b", json!({"size": "L", "color": "red"}), false),
        Err(vec!["\"a\": .spec.size".to_owned()])
    );
    let shared = apply_as(Some(&live), "b", json!({"size": "S"}), false).unwrap();
    assert!(owned(&shared, "a").is_some() && owned(&shared, "b").is_some());
    // Both own it now: neither can change it alone.
    assert_eq!(apply_as(Some(&shared), "a", json!({"size": "M"}), false), Err(vec!["\"b\": .spec.size".to_owned()]));
}

#[test]
fn force_takes_the_field_over() {
    let live = apply_as(None, "a", json!({"size": "S", "color": "red"}), false).unwrap();
    let forced = apply_as(Some(&live), "b", json!({"size": "L"}), true).unwrap();
    assert_eq!(forced["spec"], json!({"size": "L", "color": "red"}));
    assert_eq!(owned(&forced, "a"), Some(json!({"f:spec": {"f:color": {}}})));
    assert_eq!(owned(&forced, "b"), Some(json!({"f:spec": {"f:size": {}}})));
}

#[test]
fn what_is_no_longer_applied_goes_unless_somebody_else_owns_it() {
    let live = apply_as(None, "a", json!({"size": "S", "color": "red", "map": {"x": "1", "y": "2"}}), false).unwrap();
    let live = apply_as(Some(&live), "b", json!({"color": "red", "map": {"y": "2"}}), false).unwrap();
    let after = apply_as(Some(&live), "a", json!({"size": "S"}), false).unwrap();
    assert_eq!(after["spec"], json!({"size": "S", "color": "red", "map": {"y": "2"}}));
    let after = apply_as(Some(&after), "b", json!({}), false).unwrap();
    assert_eq!(after["spec"], json!({"size": "S"}));
}

#[test]
fn what_was_never_applied_stays() {
    let live = apply_as(None, "a", json!({"size": "S"}), false).unwrap();
    let live = update_as(&live, "controller", |object| {
        object["spec"]["color"] = json!("red");
    });
    let after = apply_as(Some(&live), "a", json!({"size": "M"}), false).unwrap();
    assert_eq!(after["spec"], json!({"size": "M", "color": "red"}));
}

#[test]
fn items_of_a_list_map_have_their_own_owners() {
    let live = apply_as(None, "a", json!({"ports": [{"number": 1, "note": "a"}, {"number": 2}]}), false).unwrap();
    let live =
        apply_as(Some(&live), "b", json!({"ports": [{"number": 2, "other": "b"}, {"number": 3}]}), false).unwrap();
    assert_eq!(live["spec"]["ports"], json!([{"number": 1, "note": "a"}, {"number": 2, "other": "b"}, {"number": 3}]));
    // Item 1 is a's alone and goes; item 2 stays for b, item 3 was never a's.
    let after = apply_as(Some(&live), "a", json!({"ports": []}), false).unwrap();
    assert_eq!(after["spec"]["ports"], json!([{"number": 2, "other": "b"}, {"number": 3}]));
    assert_eq!(
        apply_as(Some(&live), "c", json!({"ports": [{"number": 1, "note": "c"}]}), false),
        Err(vec!["\"a\": .spec.ports[number=1,protocol=\"TCP\"].note".to_owned()])
    );
}

#[test]
fn scalars_of_a_set_are_owned_one_by_one_and_finalizers_are_a_set() {
    let live = apply_as(None, "a", json!({"set": ["x", "y"]}), false).unwrap();
    let live = apply_as(Some(&live), "b", json!({"set": ["y", "z"]}), false).unwrap();
    let after = apply_as(Some(&live), "a", json!({}), false).unwrap();
    assert_eq!(after["spec"]["set"], json!(["y", "z"]));

    let mut wanted = object(json!({}));
    wanted["metadata"]["finalizers"] = json!(["b"]);
    let mut live = object(json!({}));
    live["metadata"]["finalizers"] = json!(["a"]);
    let merged = apply(Some(&live), &wanted, &schema(), &owner("m", true), false, NOW).unwrap();
    assert_eq!(merged["metadata"]["finalizers"], json!(["a", "b"]));
}

#[test]
fn atomic_lists_and_maps_have_one_owner() {
    let live = apply_as(None, "a", json!({"list": ["x"], "whole": {"k": "v"}}), false).unwrap();
    assert_eq!(
        apply_as(Some(&live), "b", json!({"list": ["y"], "whole": {"k": "w"}}), false),
        Err(vec!["\"a\": .spec.list".to_owned(), "\"a\": .spec.whole".to_owned()])
    );
    let forced = apply_as(Some(&live), "b", json!({"list": ["y"], "whole": {"other": "w"}}), true).unwrap();
    assert_eq!(forced["spec"], json!({"list": ["y"], "whole": {"other": "w"}}));
}

#[test]
fn an_update_takes_over_what_it_changes_and_what_is_gone_is_nobodys() {
    let live = apply_as(None, "a", json!({"size": "S", "color": "red"}), false).unwrap();
    let live = update_as(&live, "kubectl-edit", |object| {
        object["spec"] = json!({"size": "M"});
    });
    assert_eq!(owned(&live, "kubectl-edit"), Some(json!({"f:spec": {"f:size": {}}})));
    assert_eq!(owned(&live, "a"), Some(json!({})));
    assert_eq!(
        apply_as(Some(&live), "a", json!({"size": "S"}), false),
        Err(vec!["\"kubectl-edit\" using example.com/v1: .spec.size".to_owned()])
    );
}

#[test]
fn an_object_from_before_is_owned_by_before_first_apply() {
    let mut live = object(json!({"size": "S"}));
    live["metadata"]["uid"] = json!("1");
    let after = apply_as(Some(&live), "a", json!({"color": "red"}), false).unwrap();
    assert_eq!(owned(&after, "before-first-apply"), Some(json!({"f:spec": {"f:size": {}}})));
}

#[test]
fn the_same_apply_again_changes_nothing_not_even_the_time() {
    let live = apply_as(None, "a", json!({"size": "S", "ports": [{"number": 1}]}), false).unwrap();
    let wanted = object(json!({"size": "S", "ports": [{"number": 1}]}));
    let again = apply(Some(&live), &wanted, &schema(), &owner("a", true), false, LATER).unwrap();
    assert_eq!(again, live);
}

#[test]
fn the_status_subresource_applies_status_only() {
    let live = apply_as(None, "a", json!({"size": "S"}), false).unwrap();
    let mut by_status = owner("a", true);
    by_status.subresource = "status".to_owned();
    let mut wanted = object(json!({"size": "XL"}));
    wanted["status"] = json!({"phase": "Done"});
    let after = apply(Some(&live), &wanted, &schema(), &by_status, false, NOW).unwrap();
    assert_eq!((&after["spec"], &after["status"]), (&json!({"size": "S"}), &json!({"phase": "Done"})));
    let entries = after["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .any(|entry| entry["subresource"] == "status" && entry["fieldsV1"] == json!({"f:status": {"f:phase": {}}}))
    );
}

#[test]
fn items_without_their_keys_are_refused() {
    assert!(apply_as(None, "a", json!({"ports": [{"number": 1}, {"number": 1, "protocol": "TCP"}]}), false).is_err());
    let mut keyless = schema();
    keyless = Schema {
        properties: [("ports".to_owned(), std::sync::Arc::clone(&keyless.properties["spec"].properties["ports"]))]
            .into(),
        ..keyless
    };
    let wanted = json!({"ports": [{"note": "x", "protocol": null}]});
    // The protocol has a default, so the item can still be told by it.
    assert!(merge::check(&wanted, &keyless).is_ok());
    let no_default = Schema::read(&json!({"type": "object", "properties": {"l": {"type": "array",
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}}}}}}));
    assert!(merge::check(&json!({"l": [{"other": 1}]}), &no_default).unwrap_err().contains("key field \"name\""));
}

#[test]
fn containers_of_a_deployment_are_merged_by_name() {
    let deployment = |image: &str, container: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"name": container, "image": image,
                "ports": [{"containerPort": 80}]}]}}}})
    };
    let resource = builtin::all().iter().find(|built_in| built_in.resource.kind == "Deployment").unwrap();
    let schema = &resource.resource.versions[0].schema;
    let live = apply(None, &deployment("x:1", "a"), schema, &owner("a", true), false, NOW).unwrap();
    let both = apply(Some(&live), &deployment("y:1", "b"), schema, &owner("b", true), false, NOW).unwrap();
    assert_eq!(both["spec"]["template"]["spec"]["containers"].as_array().unwrap().len(), 2);
    let conflict = apply(Some(&both), &deployment("x:2", "a"), schema, &owner("b", true), false, NOW);
    assert!(matches!(conflict, Err(ApplyError::Conflicts(list)) if list[0].1.paths()
        == [".spec.template.spec.containers[name=\"a\"].image"]));
}

#[test]
fn sets_are_written_and_read_the_same() {
    let text = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {"f:ports": {"k:{\"number\":1,\"protocol\":\"TCP\"}": {".": {}, "f:note": {}}}, "f:set": {"v:\"x\"": {}}}});
    assert_eq!(FieldSet::read(&text).write(), text);
    // Keys in another order are the same item.
    let other = FieldSet::read(&json!({"f:l": {"k:{\"b\":1,\"a\":2}": {}}}));
    assert_eq!(other.write(), json!({"f:l": {"k:{\"a\":2,\"b\":1}": {}}}));
}
