//! Requests that only ask: may I, who am I, a token please. Everybody who is known may do everything.

use std::sync::Arc;

use http::{Method, Response};
use serde_json::{Value, json};

use super::objects::read_body;
use super::respond::{self, Body};
use super::route::Target;
use super::{Api, Asked};
use crate::kube::error::{ApiError, Reason};
use crate::kube::object;
use crate::kube::resource::Resource;
use crate::kube::store::Address;

impl Api {
    pub(super) fn review(
        &self,
        asked: &Asked,
        resource: &Resource,
        target: &Target,
    ) -> Result<Response<Body>, ApiError> {
        if asked.method != Method::POST || target.name.is_some() {
            return Err(ApiError::new(
                Reason::MethodNotAllowed,
                "the server does not allow this method on the requested resource",
            ));
        }
        let mut value = read_body(asked)?;
        let status = match resource.kind.as_str() {
            "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
                json!({"allowed": true, "reason": "the lab knows no roles"})
            }
            "SelfSubjectRulesReview" => json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false,
            }),
            "SelfSubjectReview" => {
                json!({"userInfo": {"username": asked.user.name, "groups": asked.user.groups}})
            }
            "TokenReview" => {
                let known = value.pointer("/spec/token").and_then(Value::as_str) == Some(&self.token);
                json!({"authenticated": known})
            }
            _ => return Err(ApiError::no_such_resource()),
        };
        if let Some(map) = value.as_object_mut() {
            map.insert("apiVersion".to_owned(), json!(resource.api_version(&target.version)));
            map.insert("kind".to_owned(), json!(resource.kind));
            map.insert("status".to_owned(), status);
        }
        Ok(respond::json(201, &value))
    }

    /// `serviceaccounts/NAME/token`: the lab has one token, the administrator's.
    pub(super) fn token_request(
        &self,
        asked: &Asked,
        resource: &Arc<Resource>,
        place: &Address,
    ) -> Result<Response<Body>, ApiError> {
        let account =
            self.store.find(resource, place).ok_or_else(|| ApiError::not_found(&resource.key, &place.name))?;
        let asked_for = read_body(asked)?;
        let seconds = asked_for.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(3600);
        let now = self.store.clock().now();
        let expires = jiff::Timestamp::from_second(now.as_second().saturating_add(seconds)).unwrap_or(now);
        Ok(respond::json(
            201,
            &json!({
                "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
                "metadata": {"name": object::name(&account), "namespace": object::namespace(&account)},
                "spec": {"audiences": ["https://kubernetes.default.svc.cluster.local"], "expirationSeconds": seconds},
                "status": {"token": self.token, "expirationTimestamp": expires.to_string()},
            }),
        ))
    }
}
