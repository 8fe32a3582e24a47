//! What a move needs of a management cluster.

use async_trait::async_trait;
use serde_json::Value;

use crate::api::{Api, Removed, Right, Watched};
use crate::error::Error;
use crate::object::{ObjectId, TypeRef};
use crate::progress::Progress;
use crate::readiness::{self, Timeout, Verdict};

/// A wait on all objects of a kind in a namespace.
pub(crate) struct Wait<'a> {
    pub(crate) kind: TypeRef,
    pub(crate) namespace: Option<String>,
    pub(crate) title: String,
    pub(crate) help: &'a str,
    pub(crate) timeout: Timeout,
    pub(crate) judge: &'a (dyn Fn(&[&Value]) -> Verdict + Send + Sync),
}

/// One of the two clusters of a move.
#[async_trait]
pub(crate) trait Side: Send + Sync {
    /// How messages call it.
    fn name(&self) -> &str;
    async fn list(&self, kind: &TypeRef, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Value>, Error>;
    async fn get(&self, id: &ObjectId) -> Result<Option<Value>, Error>;
    /// Creates in the name of a field manager. With `dry_run`, nothing is kept.
    async fn create(&self, object: &Value, manager: &str, dry_run: bool) -> Result<Value, Error>;
    /// A JSON merge patch; none if there is no such object.
    async fn patch(&self, id: &ObjectId, patch: &Value) -> Result<Option<Value>, Error>;
    /// Deletes the object with this uid and no other.
    async fn delete(&self, id: &ObjectId, uid: &str) -> Result<Removed, Error>;
    /// Whether the user may do something.
    async fn may(&self, right: &Right) -> Result<bool, Error>;
    async fn wait(&self, wait: Wait<'_>, progress: &dyn Progress) -> Result<(), Error>;
}

#[async_trait]
impl Side for Api {
    fn name(&self) -> &str {
        self.server()
    }

    async fn list(&self, kind: &TypeRef, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Value>, Error> {
        match Api::list(self, kind, namespace, labels).await {
            // What a cluster does not know, it has none of.
            Err(Error::UnknownKind { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Value>, Error> {
        Api::get(self, id).await
    }

    async fn create(&self, object: &Value, manager: &str, dry_run: bool) -> Result<Value, Error> {
        Api::create_as(self, object, manager, dry_run).await
    }

    async fn patch(&self, id: &ObjectId, patch: &Value) -> Result<Option<Value>, Error> {
        Api::patch(self, id, patch).await
    }

    async fn delete(&self, id: &ObjectId, uid: &str) -> Result<Removed, Error> {
        Api::remove(self, id, Some(uid)).await
    }

    async fn may(&self, right: &Right) -> Result<bool, Error> {
        Api::may(self, right).await
    }

    async fn wait(&self, wait: Wait<'_>, progress: &dyn Progress) -> Result<(), Error> {
        let watched = Watched { kind: wait.kind, namespace: wait.namespace, name: None, labels: None };
        readiness::wait(self, &watched, &wait.title, wait.timeout, progress, wait.help, |all| {
            (wait.judge)(&all.values().collect::<Vec<_>>())
        })
        .await
        .map(drop)
    }
}
