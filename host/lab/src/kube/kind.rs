//! How the parts of a cluster name a type of object.

use std::borrow::Cow;
use std::fmt;

/// A type of object, whatever its version: `Cluster` of `cluster.x-k8s.io`. The core group is the empty string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// The API group.
    pub group: Cow<'static, str>,
    /// The kind, as in `kind:`.
    pub kind: Cow<'static, str>,
}

impl Kind {
    /// A kind that the program knows.
    pub const fn new(group: &'static str, kind: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), kind: Cow::Borrowed(kind) }
    }

    /// A kind that is known at run time only.
    pub fn of(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: Cow::Owned(group.into()), kind: Cow::Owned(kind.into()) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.kind) } else { write!(f, "{}.{}", self.kind, self.group) }
    }
}

/// A collection in the API: `clusters` of `cluster.x-k8s.io`. The core group is the empty string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceKey {
    /// The API group.
    pub group: String,
    /// The plural, as in URLs.
    pub plural: String,
}

impl ResourceKey {
    /// The collection `plural` of `group`.
    pub fn new(group: impl Into<String>, plural: impl Into<String>) -> Self {
        Self { group: group.into(), plural: plural.into() }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.plural) } else { write!(f, "{}.{}", self.plural, self.group) }
    }
}
