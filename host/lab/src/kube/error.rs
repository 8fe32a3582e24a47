//! What the API refuses, as the `Status` objects that clients know.

use serde_json::{Map, Value, json};

use super::kind::ResourceKey;

/// Why a request failed, in Kubernetes' words; each stands for one HTTP status.
/// Source: `k8s.io/apimachinery/pkg/apis/meta/v1`, `StatusReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 406
    NotAcceptable,
    /// 409, an object of that name is there
    AlreadyExists,
    /// 409, a change that does not fit what is stored
    Conflict,
    /// 410, a resource version that is too old
    Expired,
    /// 413
    RequestEntityTooLarge,
    /// 415
    UnsupportedMediaType,
    /// 422
    Invalid,
    /// 500
    InternalError,
}

impl Reason {
    /// The HTTP status.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::InternalError => 500,
        }
    }
}

/// One of the reasons behind an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`, ...
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// Where: a field path, or empty.
    pub field: String,
}

impl Cause {
    /// `FieldValueInvalid`: the value stands there and is wrong.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let shown = match value {
            Value::Object(_) | Value::Array(_) => value.to_string(),
            Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        Self {
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: {shown}: {detail}"),
            field: field.into(),
        }
    }

    /// `FieldValueRequired`: something that must be there is not.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueRequired".to_owned(),
            message: if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") },
            field: field.into(),
        }
    }

    /// `FieldValueForbidden`: nothing may stand there.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden".to_owned(), message: format!("Forbidden: {detail}"), field: field.into() }
    }
}

/// The object that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name; empty where it has none yet.
    pub name: String,
    /// Its API group.
    pub group: String,
    /// Its kind or its plural; which of the two differs by error, as in Kubernetes.
    pub kind: String,
}

/// A refusal: what a client receives as a `Status` object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The machine-readable reason.
    pub reason: Reason,
    /// What a person reads.
    pub message: String,
    /// The object that it is about, where it is about one.
    pub subject: Option<Box<Subject>>,
    /// The parts of the error.
    pub causes: Vec<Cause>,
}

impl ApiError {
    /// An error without an object.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), subject: None, causes: Vec::new() }
    }

    /// The same error about an object.
    #[must_use]
    pub fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        self.subject =
            Some(Box::new(Subject { name: name.to_owned(), group: group.to_owned(), kind: kind.to_owned() }));
        self
    }

    /// The request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// There is no such object.
    pub fn not_found(resource: &ResourceKey, name: &str) -> Self {
        Self::new(Reason::NotFound, format!("{resource} {name:?} not found")).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    /// There is no such resource type or path.
    pub fn no_such_resource() -> Self {
        Self::new(Reason::NotFound, "the server could not find the requested resource")
    }

    /// There is an object of that name.
    pub fn already_exists(resource: &ResourceKey, name: &str) -> Self {
        Self::new(Reason::AlreadyExists, format!("{resource} {name:?} already exists")).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    /// The change does not fit what is stored.
    pub fn conflict(resource: &ResourceKey, name: &str, why: &str) -> Self {
        Self::new(Reason::Conflict, format!("Operation cannot be fulfilled on {resource} {name:?}: {why}")).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    /// The object has been changed since the client read it.
    pub fn modified(resource: &ResourceKey, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// The request is understood and refused.
    pub fn forbidden(resource: &ResourceKey, name: &str, why: &str) -> Self {
        Self::new(Reason::Forbidden, format!("{resource} {name:?} is forbidden: {why}")).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    /// The object breaks its schema or its kind's rules.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let shown = causes
            .iter()
            .map(|cause| {
                if cause.field.is_empty() {
                    cause.message.clone()
                } else {
                    format!("{}: {}", cause.field, cause.message)
                }
            })
            .collect::<Vec<_>>();
        let detail = match shown.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let mut error =
            Self::new(Reason::Invalid, format!("{qualified} {name:?} is invalid: {detail}")).about(group, kind, name);
        error.causes = causes;
        error
    }

    /// The resource version asked for is no longer kept.
    pub fn expired() -> Self {
        Self::new(Reason::Expired, "The resourceVersion for the provided watch is too old")
    }

    /// The `Status` object.
    pub fn to_status(&self) -> Value {
        let mut details = Map::new();
        if let Some(subject) = &self.subject {
            if !subject.name.is_empty() {
                details.insert("name".to_owned(), json!(subject.name));
            }
            if !subject.group.is_empty() {
                details.insert("group".to_owned(), json!(subject.group));
            }
            details.insert("kind".to_owned(), json!(subject.kind));
        }
        if !self.causes.is_empty() {
            let causes = self
                .causes
                .iter()
                .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
                .collect();
            details.insert("causes".to_owned(), Value::Array(causes));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": format!("{:?}", self.reason),
        });
        if let Some(map) = status.as_object_mut() {
            if !details.is_empty() {
                map.insert("details".to_owned(), Value::Object(details));
            }
            map.insert("code".to_owned(), json!(self.reason.code()));
        }
        status
    }
}
