//! The verbs.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Api;
use super::classify::{self, Class};
use super::discovery::{Resource, ResourceList, group_path};
use crate::error::{Error, words};
use crate::object::{ObjectId, TypeRef, describe, text};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// How many objects a list asks for at once.
const PAGE: usize = 500;

/// A request that can be sent more than once.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) verb: &'static str,
    pub(super) object: String,
    pub(super) method: http::Method,
    pub(super) uri: String,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn new(verb: &'static str, object: impl Into<String>, method: http::Method, uri: String) -> Self {
        Self { verb, object: object.into(), method, uri, content_type: JSON, body: Vec::new() }
    }

    pub(super) fn body(mut self, content_type: &'static str, body: &Value) -> Self {
        self.content_type = content_type;
        self.body = body.to_string().into_bytes();
        self
    }

    pub(super) fn request(&self) -> Result<Request<Vec<u8>>, Error> {
        Request::builder()
            .method(self.method.clone())
            .uri(&self.uri)
            .header(http::header::CONTENT_TYPE, self.content_type)
            .header(http::header::ACCEPT, JSON)
            .body(self.body.clone())
            .map_err(|_| Error::Incomplete { object: self.object.clone(), field: "usable name" })
    }
}

/// A final answer that is not the object.
pub(super) struct Failed {
    pub(super) class: Class,
    pub(super) error: Error,
}

impl Api {
    /// Reads an object; none if there is none, or if its kind is not served.
    ///
    /// # Errors
    /// The server refused, or could not be reached in time.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Value>, Error> {
        let resource = match self.resource(&id.kind).await {
            Err(Error::UnknownKind { .. }) => return Ok(None),
            other => other?,
        };
        let call = Call::new("read", id.to_string(), http::Method::GET, resource.object_path(id));
        absent_is_none(self.send(&call).await)
    }

    /// Lists the objects of a kind, in one namespace or in all, with a label selector or without. The objects carry
    /// `apiVersion` and `kind`.
    ///
    /// # Errors
    /// As [`Api::get`]; [`Error::UnknownKind`] if the kind is not served.
    pub async fn list(
        &self,
        kind: &TypeRef,
        namespace: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        Ok(self.list_at(kind, namespace, labels, None).await?.0)
    }

    /// A list and the resource version it was made at.
    pub(super) async fn list_at(
        &self,
        kind: &TypeRef,
        namespace: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<(Vec<Value>, String), Error> {
        let resource = self.resource(kind).await?;
        let what = match namespace {
            Some(namespace) => format!("all {} objects in {namespace}", kind.kind),
            None => format!("all {} objects", kind.kind),
        };
        let mut all = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut uri = format!("{}?limit={PAGE}", resource.path(kind, namespace, None));
            query(&mut uri, "labelSelector", labels);
            query(&mut uri, "fieldSelector", fields);
            query(&mut uri, "continue", page.as_deref());
            let call = Call::new("list", what.as_str(), http::Method::GET, uri);
            let mut answer = self.send(&call).await.map_err(|failed| failed.error)?;
            let version = text(&answer, "/metadata/resourceVersion").unwrap_or("0").to_owned();
            page = text(&answer, "/metadata/continue").filter(|c| !c.is_empty()).map(str::to_owned);
            if let Some(Value::Array(found)) = answer.get_mut("items").map(Value::take) {
                all.extend(found.into_iter().map(|object| with_type(object, kind)));
            }
            if page.is_none() {
                return Ok((all, version));
            }
        }
    }

    /// Creates an object, or with `dry_run` has the server check all that it would check.
    ///
    /// # Errors
    /// [`Error::Refused`] with reason `AlreadyExists` if it is there; else as [`Api::get`].
    pub async fn create(&self, object: &Value, dry_run: bool) -> Result<Value, Error> {
        self.create_as(object, crate::FIELD_MANAGER, dry_run).await
    }

    /// Creates an object in the name of a field manager.
    pub(crate) async fn create_as(&self, object: &Value, manager: &str, dry_run: bool) -> Result<Value, Error> {
        let id = identity(object)?;
        let resource = self.resource(&id.kind).await?;
        let mut uri = format!("{}?fieldValidation=Strict", resource.path(&id.kind, id.namespace.as_deref(), None));
        query(&mut uri, "fieldManager", Some(manager));
        query(&mut uri, "dryRun", dry_run.then_some("All"));
        let call = Call::new("create", id.to_string(), http::Method::POST, uri).body(JSON, object);
        self.send(&call).await.map_err(|failed| failed.error)
    }

    /// Applies objects one after another, in their order, by server-side apply. Fields that another manager owns with
    /// another value are not taken from it: that is an error which names the manager and the field.
    ///
    /// # Errors
    /// The first object that fails, as [`Api::get`].
    pub async fn apply(&self, objects: &[Value], field_manager: &str) -> Result<Vec<Value>, Error> {
        let mut applied = Vec::with_capacity(objects.len());
        for object in objects {
            applied.push(self.apply_one(object, field_manager, Apply::default()).await?);
        }
        Ok(applied)
    }

    /// Applies one object.
    ///
    /// # Errors
    /// As [`Api::apply`].
    pub async fn apply_one(&self, object: &Value, field_manager: &str, how: Apply) -> Result<Value, Error> {
        let id = identity(object)?;
        let resource = self.resource(&id.kind).await?;
        let mut uri = format!("{}?", resource.object_path(&id));
        query(&mut uri, "fieldManager", Some(field_manager));
        query(&mut uri, "force", how.force.then_some("true"));
        query(&mut uri, "dryRun", how.dry_run.then_some("All"));
        let call = Call::new("apply", id.to_string(), http::Method::PATCH, uri).body(APPLY_PATCH, object);
        self.send(&call).await.map_err(|failed| failed.error)
    }

    /// Changes an object by a JSON merge patch; none if it is not there.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn patch(&self, id: &ObjectId, patch: &Value) -> Result<Option<Value>, Error> {
        let resource = self.resource(&id.kind).await?;
        let uri = format!("{}?fieldManager={}", resource.object_path(id), crate::FIELD_MANAGER);
        let call = Call::new("change", id.to_string(), http::Method::PATCH, uri).body(MERGE_PATCH, patch);
        absent_is_none(self.send(&call).await)
    }

    /// Deletes an object, with a `uid` only that very one; false if it was not there.
    ///
    /// # Errors
    /// As [`Api::get`]; a different object of the same name is a refusal with reason `Conflict`.
    pub async fn delete(&self, id: &ObjectId, uid: Option<&str>) -> Result<bool, Error> {
        Ok(self.remove(id, uid).await? != Removed::Absent)
    }

    /// As [`Api::delete`], and says whether the object is gone by now.
    pub(crate) async fn remove(&self, id: &ObjectId, uid: Option<&str>) -> Result<Removed, Error> {
        let resource = match self.resource(&id.kind).await {
            Err(Error::UnknownKind { .. }) => return Ok(Removed::Absent),
            other => other?,
        };
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        if let (Some(uid), Some(map)) = (uid, options.as_object_mut()) {
            map.insert("preconditions".to_owned(), json!({ "uid": uid }));
        }
        let call =
            Call::new("delete", id.to_string(), http::Method::DELETE, resource.object_path(id)).body(JSON, &options);
        Ok(match absent_is_none(self.send(&call).await)? {
            None => Removed::Absent,
            Some(answer) if text(&answer, "/metadata/deletionTimestamp").is_some() => Removed::Held,
            Some(_) => Removed::Gone,
        })
    }

    /// Asks the server for its version, once: a sign of life.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn version(&self) -> Result<String, Error> {
        let call = Call::new("say its version of", "Kubernetes", http::Method::GET, "/version".to_owned());
        let answer = self.once(&call).await.map_err(|(error, _)| self.failed(&call, error, Duration::ZERO).error)?;
        Ok(text(&answer, "/gitVersion").unwrap_or_default().to_owned())
    }

    /// Whether the server has a kind, asked anew.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub async fn serves(&self, kind: &TypeRef) -> Result<bool, Error> {
        self.discovery.forget(&kind.api_version).await;
        match self.resource(kind).await {
            Ok(_) => Ok(true),
            Err(Error::UnknownKind { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The server's name for a kind.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], or as [`Api::get`].
    pub async fn resource(&self, kind: &TypeRef) -> Result<Resource, Error> {
        if let Some(resource) = self.discovery.lookup(kind).await {
            return Ok(resource);
        }
        let call = Call::new(
            "list",
            format!("the kinds of `{}`", kind.api_version),
            http::Method::GET,
            group_path(&kind.api_version),
        );
        match self.send(&call).await {
            Ok(answer) => {
                let list: ResourceList = serde_json::from_value(answer)
                    .map_err(|_| Error::Incomplete { object: call.object.clone(), field: "resources" })?;
                self.discovery.learn(&kind.api_version, list).await;
            }
            Err(Failed { class: Class::NotFound | Class::NotServed, .. }) => {}
            Err(failed) => return Err(failed.error),
        }
        self.discovery.lookup(kind).await.ok_or_else(|| Error::UnknownKind {
            server: self.server.to_string(),
            kind: kind.kind.to_string(),
            api_version: kind.api_version.to_string(),
        })
    }

    /// Sends once, within the time for one request.
    async fn once(&self, call: &Call) -> Result<Value, (kube::Error, Class)> {
        let request = match call.request() {
            Ok(request) => request,
            Err(error) => return Err((kube::Error::Service(Box::new(error)), Class::Permanent)),
        };
        let Ok(answer) = tokio::time::timeout(self.retry.request, self.client.request::<Value>(request)).await else {
            let text = format!("no answer within {}", words(self.retry.request));
            return Err((kube::Error::Service(text.into()), Class::Transient));
        };
        answer.map_err(|error| {
            let class = classify::of_error(&error);
            (error, class)
        })
    }

    /// Sends, and sends again while that may help.
    pub(super) async fn send(&self, call: &Call) -> Result<Value, Failed> {
        let start = Instant::now();
        let mut tries = 0;
        loop {
            let (error, class) = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(unhappy) => unhappy,
            };
            if class != Class::Transient {
                return Err(Failed { class, ..self.failed(call, error, start.elapsed()) });
            }
            let pause = self.retry.pause(tries);
            if start.elapsed() + pause > self.retry.budget {
                return Err(self.failed(call, error, start.elapsed()));
            }
            let message = classify::message(&error);
            tracing::debug!(object = %call.object, verb = call.verb, %message, "asking again");
            // The first hiccup is nobody's concern.
            if tries > 0 {
                let left = words(self.retry.budget.saturating_sub(start.elapsed()));
                self.progress.waiting(
                    &call.object,
                    &format!("{} can't {} it yet ({message}); trying for up to {left} more", self.server, call.verb),
                );
            }
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    fn failed(&self, call: &Call, error: kube::Error, tried: Duration) -> Failed {
        let class = classify::of_error(&error);
        let (server, verb, object) = (self.server.as_ref().into(), call.verb, call.object.clone());
        let (message, help) = (classify::message(&error).into(), classify::help(&error).into());
        let error = match error {
            kube::Error::Api(status) if class != Class::Transient => {
                let (code, reason) = (status.code, status.reason.into());
                Error::Refused { server, verb, object, code, reason, message, help }
            }
            kube::Error::Api(_) => {
                let help = "look at the pods behind the webhook or the API server that does not answer, then run the same command again".into();
                Error::Unreachable { server, verb, object, message, tried, help, source: None }
            }
            other => Error::Unreachable { server, verb, object, message, tried, help, source: Some(Box::new(other)) },
        };
        Failed { class, error }
    }
}

/// What became of an object that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    /// It was not there.
    Absent,
    /// It is gone.
    Gone,
    /// Something holds it: finalizers, or a time that its deletion takes.
    Held,
}

/// How to apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apply {
    /// Takes fields from other managers.
    pub force: bool,
    /// Only checks.
    pub dry_run: bool,
}

fn absent_is_none(answer: Result<Value, Failed>) -> Result<Option<Value>, Error> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(Failed { class: Class::NotFound | Class::NotServed, .. }) => Ok(None),
        Err(failed) => Err(failed.error),
    }
}

pub(crate) fn identity(object: &Value) -> Result<ObjectId, Error> {
    ObjectId::from_object(object).ok_or_else(|| Error::Incomplete {
        object: describe(object),
        field: if text(object, "/metadata/name").is_none() { "metadata.name" } else { "apiVersion and kind" },
    })
}

/// List items come without their type.
fn with_type(mut object: Value, kind: &TypeRef) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| Value::from(kind.api_version.as_ref()));
        map.entry("kind").or_insert_with(|| Value::from(kind.kind.as_ref()));
    }
    object
}

/// Adds a query parameter.
pub(super) fn query(uri: &mut String, key: &str, value: Option<&str>) {
    use std::fmt::Write as _;
    let Some(value) = value else { return };
    if !uri.ends_with('?') {
        uri.push('&');
    }
    uri.push_str(key);
    uri.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}
