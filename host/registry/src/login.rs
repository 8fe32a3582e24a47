//! Who logs in where.

use std::sync::Arc;

use docker_credential::{CredentialRetrievalError, DockerCredential};

use crate::error::RegistryError;

/// How somebody logs in to one registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Nobody does.
    Anonymous,
    /// By name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// By a token that others are given for.
    Identity(String),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
            Self::Identity(_) => "Identity",
        })
    }
}

/// The login for a registry (`host[:port]`), or why there is none to be had, in words.
pub type Logins = Arc<dyn Fn(&str) -> Result<Login, String> + Send + Sync>;

/// What `docker login` left: in the Docker configuration, or with its credential helpers.
pub fn docker_logins() -> Logins {
    Arc::new(|registry| match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Login::Password { user, password }),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Login::Identity(token)),
        Err(CredentialRetrievalError::ConfigNotFound | CredentialRetrievalError::NoCredentialConfigured) => {
            Ok(Login::Anonymous)
        }
        // What a helper printed may hold anything: it is not repeated.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            Err(format!("the credential helper `{helper}` of the Docker configuration failed"))
        }
        Err(error) => Err(format!("the Docker configuration can't be used: {error}")),
    })
}

pub(crate) fn login(logins: &Logins, registry: &str) -> Result<Login, RegistryError> {
    logins(registry).map_err(|why| RegistryError::Credentials { registry: registry.to_owned(), why })
}
