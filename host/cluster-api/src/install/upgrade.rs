//! Putting another version of a component over the one that is there: nothing of the old one may stay behind.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::SIDE_BY_SIDE;
use super::existing::known_or_none;
use super::manifest::Prepared;
use crate::FIELD_MANAGER;
use crate::api::{Api, identity};
use crate::error::Error;
use crate::object::{ObjectId, TypeRef, items, kinds, text};

/// Kinds of which an older version may have left objects that the new one does not have. Definitions and namespaces are none
/// of them: users' objects hang on those.
const LEFT_BEHIND: [TypeRef; 14] = [
    kinds::DEPLOYMENT,
    TypeRef::of("apps/v1", "DaemonSet"),
    TypeRef::of("v1", "Service"),
    TypeRef::of("v1", "ServiceAccount"),
    kinds::CONFIG_MAP,
    kinds::SECRET,
    TypeRef::of("rbac.authorization.k8s.io/v1", "Role"),
    TypeRef::of("rbac.authorization.k8s.io/v1", "RoleBinding"),
    TypeRef::of("rbac.authorization.k8s.io/v1", "ClusterRole"),
    TypeRef::of("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    TypeRef::of("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    TypeRef::of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    kinds::CERTIFICATE,
    TypeRef::of("cert-manager.io/v1", "Issuer"),
];

/// Programs that install providers and write without server-side apply. What they wrote and the new version does not have
/// would stay for ever: its writer never comes again to take it away.
const INSTALLERS: [&str; 2] = ["clusterctl", "kubectl"];

/// Takes over the fields that other installers wrote, so that applying takes away what is no longer there.
pub(super) async fn take_over(api: &Api, component: &Prepared) -> Result<(), Error> {
    let all = component.namespaces.iter().chain(&component.definitions).chain(&component.rest);
    futures::stream::iter(all)
        .map(|object| async move {
            let id = identity(object)?;
            let Some(there) = api.get(&id).await? else { return Ok(()) };
            let Some(fields) = taken_over(items(&there, "/metadata/managedFields")) else { return Ok(()) };
            let version = text(&there, "/metadata/resourceVersion");
            let patch = json!({"metadata": {"managedFields": fields, "resourceVersion": version}});
            api.patch(&id, &patch).await.map(drop)
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// The list of writers in which this program stands for the installers; none if they wrote nothing.
fn taken_over(writers: &[Value]) -> Option<Vec<Value>> {
    let plain = |entry: &&Value| text(entry, "/subresource").unwrap_or_default().is_empty();
    let installer = |entry: &&Value| {
        plain(entry)
            && text(entry, "/operation") == Some("Update")
            && text(entry, "/manager").is_some_and(|m| INSTALLERS.iter().any(|i| m.starts_with(i)))
    };
    let ours = |entry: &&Value| {
        plain(entry) && text(entry, "/operation") == Some("Apply") && text(entry, "/manager") == Some(FIELD_MANAGER)
    };
    let first = writers.iter().find(|e| installer(e))?;
    let mut fields = json!({});
    for entry in writers.iter().filter(|e| installer(e) || ours(e)) {
        merge(&mut fields, entry.get("fieldsV1").unwrap_or(&Value::Null));
    }
    let mut own = first.clone();
    if let Some(map) = own.as_object_mut() {
        map.insert("manager".to_owned(), FIELD_MANAGER.into());
        map.insert("operation".to_owned(), "Apply".into());
        map.insert("fieldsV1".to_owned(), fields);
    }
    let others = writers.iter().filter(|e| !installer(e) && !ours(e)).cloned();
    Some(std::iter::once(own).chain(others).collect())
}

/// The union of two sets of fields.
fn merge(into: &mut Value, more: &Value) {
    let (Some(into), Some(more)) = (into.as_object_mut(), more.as_object()) else { return };
    for (key, value) in more {
        merge(into.entry(key.clone()).or_insert_with(|| json!({})), value);
    }
}

/// Deletes what an older version of a component left behind.
pub(super) async fn prune(api: &Api, component: &Prepared, selector: &str) -> Result<(), Error> {
    let all = component.namespaces.iter().chain(&component.definitions).chain(&component.rest);
    let wanted: BTreeSet<_> = all.filter_map(ObjectId::from_object).map(|id| id.versionless()).collect();
    for kind in &LEFT_BEHIND {
        for object in known_or_none(api.list(kind, None, Some(selector))).await? {
            let Some(id) = ObjectId::from_object(&object).filter(|id| !wanted.contains(&id.versionless())) else {
                continue;
            };
            tracing::debug!(object = %id, "left behind by an older version");
            api.delete(&id, text(&object, "/metadata/uid")).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
    }

    #[test]
    fn the_fields_of_installers_become_ours_and_all_others_stay() {
        let status = json!({"manager": "clusterctl", "operation": "Update", "subresource": "status", "fieldsV1": {}});
        let injector = by("cainjector", "Apply", &json!({"f:webhooks": {}}));
        let writers = [
            by("clusterctl", "Update", &json!({"f:spec": {"f:a": {}}})),
            by("kedge", "Apply", &json!({"f:spec": {"f:b": {}}})),
            injector.clone(),
            status.clone(),
        ];
        let taken = taken_over(&writers).unwrap();
        assert_eq!(taken, [by("kedge", "Apply", &json!({"f:spec": {"f:a": {}, "f:b": {}}})), injector.clone(), status]);
        assert_eq!(taken_over(&[injector]), None);
    }
}
