//! The typed fields of `Cluster.spec.etcdEncryption`.

use serde::{Deserialize, Serialize};

/// One of `spec.etcdEncryption`; there can be one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EtcdEncryption {
    /// Who encrypts; exactly one.
    pub providers: Vec<EncryptionProvider>,
    /// What is encrypted: resources as the API server names them (`secrets`, `resource1.group.example.com`).
    pub resources: Vec<String>,
}

/// One of `etcdEncryption.providers`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EncryptionProvider {
    /// A KMS plugin, the only kind there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms: Option<Kms>,
}

/// A KMS plugin next to each API server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kms {
    /// Its name.
    pub name: String,
    /// Where it listens, `unix:///…`.
    pub socket_listen_address: String,
    /// How many decrypted keys are kept; negative for none. 1000 after defaults.
    #[serde(rename = "cachesize", skip_serializing_if = "Option::is_none")]
    pub cache_size: Option<i32>,
    /// How long the API server waits for it, a Go duration. `3s` after defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}
