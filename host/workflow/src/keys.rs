//! A key to log in to nodes with, made where the spec has none.
//!
//! Machine configs of EKS Anywhere have `users` with `sshAuthorizedKeys`, whoever the provider is; a first key that is
//! empty asks for one. It lies in the cluster's folder, and a run that goes on uses it again.

use kedge_spec::DefaultedSpec;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};

use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt};
use crate::folder::{Folder, Readers};

/// The private key, by the name that EKS Anywhere gives it.
pub(crate) const PRIVATE: &str = "eks-a-id_rsa";
/// Its public half.
pub(crate) const PUBLIC: &str = "eks-a-id_rsa.pub";
/// The field that asks for a key by being empty.
const FIELD: &str = "/spec/users/0/sshAuthorizedKeys/0";

/// Whether some machines of a spec have nobody who could log in.
pub(crate) fn wanted(spec: &DefaultedSpec) -> bool {
    spec.provider_documents().iter().any(|document| lacks(&document.body))
}

fn lacks(body: &Value) -> bool {
    body.pointer(FIELD).and_then(Value::as_str).is_some_and(str::is_empty)
}

/// The spec with the cluster's own key wherever one is asked for.
pub(crate) fn filled(
    spec: &DefaultedSpec,
    folder: &Folder,
    reporter: &dyn Reporter,
) -> Result<DefaultedSpec, WorkflowError> {
    let mut filled = spec.clone();
    if !wanted(spec) {
        return Ok(filled);
    }
    let public = public(folder, reporter)?;
    for document in spec.documents().iter().filter(|document| lacks(&document.body)) {
        if let Some(with) = filled.with_value(&document.reference(), FIELD, Value::String(public.clone())) {
            filled = with;
        }
    }
    Ok(filled)
}

/// The public half of the folder's key, which is made if there is none.
fn public(folder: &Folder, reporter: &dyn Reporter) -> Result<String, WorkflowError> {
    let key = if let Some(text) = folder.read(PRIVATE)? {
        PrivateKey::from_openssh(&text).map_err(|error| unusable(folder, &error.to_string()))?
    } else {
        reporter.line("Provided sshAuthorizedKey is not set or is empty, auto-generating new key pair...");
        let key = generate().map_err(|why| unusable(folder, &why))?;
        let text = key.to_openssh(LineEnding::LF).map_err(|error| unusable(folder, &error.to_string()))?;
        folder.write(PRIVATE, text.as_bytes(), Readers::Owner)?;
        let path = folder.path_of(PRIVATE);
        let path = path.strip_prefix(".").unwrap_or(&path).display();
        reporter.line(format!(
            "Private key saved to {path}. Use 'ssh -i {path} <username>@<Node-IP-Address>' to login to your cluster node"
        ));
        key
    };
    let public = key.public_key().to_openssh().map_err(|error| unusable(folder, &error.to_string()))?;
    folder.write(PUBLIC, format!("{public}\n"), Readers::Usual)?;
    Ok(public)
}

fn generate() -> Result<PrivateKey, String> {
    let failed = |_| "this machine gives no random numbers".to_owned();
    let mut seed = [0; Ed25519PrivateKey::BYTE_SIZE];
    SystemRandom::new().fill(&mut seed).map_err(failed)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| error.to_string())?;
    let public = Ed25519PublicKey::try_from(pair.public_key().as_ref()).map_err(|error| error.to_string())?;
    Ok(PrivateKey::from(Ed25519Keypair { public, private: Ed25519PrivateKey::from_bytes(&seed) }))
}

fn unusable(folder: &Folder, why: &str) -> WorkflowError {
    WorkflowError::Input {
        message: format!(
            "`{}` can't be used as the key for the cluster's nodes: {why}",
            folder.path_of(PRIVATE).display()
        ),
        help:
            "put a key of your own under `sshAuthorizedKeys` of the machine configs, or remove that file so that a new \
               key is made"
                .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[derive(Default)]
    struct Lines(std::sync::Mutex<Vec<String>>);

    impl Reporter for Lines {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().extend(event.document_line());
        }
    }

    #[test]
    fn a_key_is_made_once_and_is_one_that_ssh_reads() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        let lines = Lines::default();
        let first = public(&folder, &lines).unwrap();
        assert!(first.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{first}");
        assert_eq!(folder.read(PUBLIC).unwrap().unwrap().trim(), first);
        folder.remove(PUBLIC).unwrap();
        assert_eq!(public(&folder, &lines).unwrap(), first);
        assert!(folder.has(PUBLIC));
        assert_eq!(lines.0.lock().unwrap().len(), 2, "said once");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path_of(PRIVATE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "nobody else reads it");
        }
        if let Ok(said) =
            std::process::Command::new("ssh-keygen").arg("-y").arg("-f").arg(folder.path_of(PRIVATE)).output()
        {
            assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), first);
        }
    }

    #[test]
    fn what_is_no_key_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        folder.write(PRIVATE, "mine", Readers::Owner).unwrap();
        let error = public(&folder, &Lines::default()).unwrap_err();
        assert!(error.to_string().contains("can't be used as the key"), "{error}");
        assert_eq!(folder.read(PRIVATE).unwrap().as_deref(), Some("mine"));
    }
}
