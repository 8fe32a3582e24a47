//! The secrets of a cluster: its authorities and keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::behaviour::kinds::{SECRET, names};
use crate::behaviour::meta::own;
use crate::behaviour::objects::Objects;
use crate::behaviour::objects::Refused;
use crate::kube::object;
use crate::tls::CertificateAuthority;

/// What a secret of a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The authority of the API.
    Authority,
    /// The authority of etcd.
    Etcd,
    /// The authority of the aggregation layer.
    Proxy,
    /// The key that signs service account tokens.
    ServiceAccounts,
    /// The authority of an external etcd, with its key.
    ManagedEtcd,
    /// The certificate with which the API server reaches an external etcd.
    EtcdClient,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Authority => "ca",
            Self::Etcd => "etcd",
            Self::Proxy => "proxy",
            Self::ServiceAccounts => "sa",
            Self::ManagedEtcd => "managed-etcd",
            Self::EtcdClient => "apiserver-etcd-client",
        }
    }
}

/// `CLUSTER-PURPOSE`.
pub(crate) fn name(cluster: &str, purpose: Purpose) -> String {
    format!("{cluster}-{}", purpose.word())
}

/// Makes a secret of a cluster, or takes over the one that is there without an owner.
///
/// # Errors
/// What the API refused.
pub(crate) fn ensure(objects: &Objects, cluster: &str, purpose: Purpose, owner: &Value) -> Result<(), Refused> {
    let (namespace, secret) = (object::namespace(owner), name(cluster, purpose));
    if let Some(there) = objects.get(&SECRET, namespace, &secret) {
        if object::owners(&there).is_empty() {
            objects.change_this(&there, |there| own(there, owner, true));
        }
        return Ok(());
    }
    let Ok(authority) = CertificateAuthority::new(&secret) else { return Ok(()) };
    let (certificate, key) = match purpose {
        Purpose::EtcdClient => match authority.issue_client("apiserver-etcd-client", "system:masters") {
            Ok(client) => (client.cert_pem, client.key_pem),
            Err(_) => return Ok(()),
        },
        _ => (authority.cert_pem().to_owned(), authority.key_pem().to_owned()),
    };
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret", "type": names::SECRET_TYPE,
        "metadata": {"name": secret, "namespace": namespace, "labels": {names::CLUSTER_NAME: cluster}},
        "data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)},
    });
    own(&mut made, owner, true);
    objects.ensure(made).map(|_| ())
}
