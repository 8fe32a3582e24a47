//! What the user of a kubeconfig may do.

use serde_json::json;

use super::Api;
use super::request::Call;
use crate::error::Error;
use crate::object::{TypeRef, flag};

/// One thing that somebody may or may not do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    /// Kubernetes' word for it: `get`, `list`, `create`.
    pub(crate) verb: &'static str,
    /// With objects of which kind; none is every kind.
    pub(crate) kind: Option<TypeRef>,
    /// In which namespace; none is in all and without one.
    pub(crate) namespace: Option<String>,
}

impl Api {
    /// Asks the server whether the user may do something (`SelfSubjectAccessReview`). A kind that is not served may be
    /// touched by anybody: there is nothing to touch.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(crate) async fn may(&self, right: &Right) -> Result<bool, Error> {
        let (group, plural) = match &right.kind {
            None => ("*".to_owned(), "*".to_owned()),
            Some(kind) => match self.resource(kind).await {
                Ok(resource) => (kind.group().to_owned(), resource.plural),
                Err(Error::UnknownKind { .. }) => return Ok(true),
                Err(error) => return Err(error),
            },
        };
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": right.verb,
                "group": group,
                "resource": plural,
                "namespace": right.namespace.as_deref().unwrap_or_default(),
            }},
        });
        let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
        let call =
            Call::new("say what is allowed by", "its rules", http::Method::POST, uri).body("application/json", &review);
        let answer = self.send(&call).await.map_err(|failed| failed.error)?;
        Ok(flag(&answer, "/status/allowed"))
    }
}
