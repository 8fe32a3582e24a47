//! What can be wrong with a release.

use crate::diagnostic::Rejected;

/// Why a release can't be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReleaseError {
    /// A manifest is not YAML.
    #[error("the release manifest `{name}` can't be read")]
    Unreadable {
        /// The manifest.
        name: String,
        /// What is wrong with it.
        #[source]
        source: Box<Rejected>,
    },
    /// A manifest has no document of the expected kind.
    #[error("`{name}` is not a release manifest: it has no document of kind `{kind}`")]
    WrongKind {
        /// The manifest.
        name: String,
        /// The kind that was looked for.
        kind: &'static str,
    },
    /// The bundles have no version.
    #[error("the release manifest `{name}` lists no Kubernetes version")]
    Empty {
        /// The manifest.
        name: String,
    },
    /// A list of releases does not have the one that is asked for.
    #[error("the list of releases `{name}` has no release `{version}`; it has {known} and maybe older ones")]
    NotListed {
        /// The list.
        name: String,
        /// The version.
        version: String,
        /// The newest that it has.
        known: String,
    },
    /// A field that is needed is missing or malformed.
    #[error("the release manifest `{name}` has no usable `{field}`")]
    Field {
        /// The manifest.
        name: String,
        /// The field.
        field: String,
    },
}
