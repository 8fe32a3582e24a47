//! What a controller may say about an object before it is stored: the lab's stand-in for admission webhooks.

use serde_json::Value;

/// What is about to happen to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an object that exists, not of its `status` subresource.
    Update,
    /// The deletion of an object.
    Delete,
}

/// Defaults and refuses objects of a kind, as a webhook would. Called without any lock held, so it may read the store.
pub trait Admission: Send + Sync {
    /// Looks at an object in its stored version, after its schema's defaults and before it is checked against the schema.
    ///
    /// Returns the object to store, changed or not; for [`Operation::Delete`] the answer is not looked at.
    ///
    /// # Errors
    /// The reason why the operation is refused, as the client reads it behind `admission webhook ... denied the request:`.
    fn review(&self, operation: Operation, new: Option<&Value>, old: Option<&Value>) -> Result<Value, String>;
}
