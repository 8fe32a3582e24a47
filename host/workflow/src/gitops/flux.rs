//! Flux, installed by flux itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Config, Credential, GitOpsError, Host};
use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::tools::{Call, Tool, ToolError};

/// The longest run: flux waits for its controllers itself.
const PATIENCE: Duration = Duration::from_mins(15);
/// As upstream: how often it is tried, and how long the first wait is; each further one is twice as long.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Of the key that flux makes for a GitHub repository.
const ALGORITHM: &str = "ecdsa";

/// The flux program.
pub(crate) struct Flux {
    tool: Tool,
    interrupt: Interrupt,
    first_wait: Duration,
}

impl Flux {
    /// Looks for it in PATH.
    pub(crate) fn find(options: &Options) -> Result<Self, GitOpsError> {
        let tool = Tool::find(options, "flux", "sets up GitOps, which the spec asks for")?;
        Ok(Self { tool, interrupt: options.interrupt.clone(), first_wait: FIRST_WAIT })
    }

    /// Waits but little between tries.
    #[cfg(test)]
    pub(crate) fn hurry(&mut self) {
        self.first_wait = Duration::from_millis(1);
    }

    /// Installs Flux on the cluster of a kubeconfig, to follow the repository. Where it is there already, flux brings it up
    /// to date.
    pub(crate) async fn bootstrap(
        &self,
        config: &Config,
        credential: &Credential,
        kubeconfig: &Path,
    ) -> Result<(), GitOpsError> {
        let (arguments, environment) = call(config, credential, kubeconfig);
        let mut wait = self.first_wait;
        for _ in 1..TRIES {
            match self.once(&arguments, &environment).await {
                Err(error @ ToolError::Failed { .. }) => {
                    tracing::info!(%error, "flux is tried again");
                    if self.interrupt.unless_asked(tokio::time::sleep(wait)).await.is_none() {
                        return Err(error.into());
                    }
                    wait *= 2;
                }
                other => return Ok(other.map(drop)?),
            }
        }
        Ok(self.once(&arguments, &environment).await.map(drop)?)
    }

    async fn once(&self, arguments: &[String], environment: &BTreeMap<String, String>) -> Result<String, ToolError> {
        let doing = arguments.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
        let call = Call { arguments: arguments.to_vec(), environment: environment.clone(), input: "", folder: None };
        self.tool.run(&doing, call, PATIENCE, &self.interrupt).await
    }
}

/// Arguments and environment: those of EKS Anywhere (`pkg/executables/flux.go`, v0.26.1), but the passphrase of a key,
/// which goes into the environment.
fn call(config: &Config, credential: &Credential, kubeconfig: &Path) -> (Vec<String>, BTreeMap<String, String>) {
    let mut arguments: Vec<String> = vec!["bootstrap".to_owned()];
    let mut environment = BTreeMap::new();
    let algorithm = match &config.host {
        Host::GitHub { owner, repository, .. } => {
            arguments.extend(["github", "--owner", owner, "--repository", repository].map(str::to_owned));
            ALGORITHM
        }
        Host::Git { url, algorithm } => {
            arguments.extend(["git", "--url", url].map(str::to_owned));
            algorithm
        }
    };
    let kubeconfig = kubeconfig.display().to_string();
    for (flag, value) in [
        ("--path", config.path.as_str()),
        ("--ssh-key-algorithm", algorithm),
        ("--kubeconfig", &kubeconfig),
        ("--branch", &config.branch),
        ("--namespace", &config.namespace),
    ] {
        arguments.extend([flag, value].map(str::to_owned));
    }
    match credential {
        Credential::Token(token) => {
            environment.insert("GITHUB_TOKEN".to_owned(), token.clone());
        }
        Credential::Key { file, known_hosts, passphrase } => {
            arguments.extend(["--private-key-file".to_owned(), file.display().to_string(), "--silent".to_owned()]);
            environment.insert("SSH_KNOWN_HOSTS".to_owned(), known_hosts.display().to_string());
            if let Some(passphrase) = passphrase {
                environment.insert("GIT_PASSWORD".to_owned(), passphrase.clone());
            }
        }
    }
    if let Host::GitHub { personal: true, .. } = &config.host {
        arguments.push("--personal".to_owned());
    }
    (arguments, environment)
}
