//! Helm itself, from PATH or from the release's tools image: it makes manifests of a chart, or installs it. There is no
//! chart engine in this program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kedge_bootstrap::{Driver, ToolRun};
use kedge_spec::cluster::{Cluster, RegistryMirrorConfiguration};
use serde_json::{Value, json};

use crate::error::WorkflowError;
use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::tools::{Call, Private, Tool, ToolError};

/// The longest run: most of it is the download of the chart.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often a chart is asked for, and how long the first wait is; each further one is twice as long.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Where its files are in a container.
const INSIDE: &str = "/tmp/kedge";

/// A chart and what to make of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    /// An image reference with a tag (`registry/path:version`), or what Helm itself takes: a folder, a file, a URL.
    pub(crate) reference: String,
    /// The Kubernetes version, `1.34`.
    pub(crate) kubernetes: String,
    /// The values.
    pub(crate) values: Value,
}

/// A cluster to install a chart on, and under which name.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The installation's name.
    pub(crate) name: &'a str,
    /// Where it is kept, made if it is not there.
    pub(crate) namespace: &'a str,
    /// The cluster's kubeconfig on the disk.
    pub(crate) path: &'a Path,
    /// The same as text, for a container.
    pub(crate) kubeconfig: &'a str,
}

/// One run of Helm.
struct Job {
    doing: String,
    arguments: Vec<String>,
    values: String,
    /// Files that only this run needs, for a container.
    files: Vec<(String, String)>,
}

/// Where Helm is.
enum Runner {
    /// In PATH.
    Path(Tool),
    /// In the release's tools image, which the driver's container engine runs.
    Image { driver: Arc<dyn Driver>, image: String },
}

/// Helm, ready to be run for a spec.
pub(crate) struct Helm {
    runner: Runner,
    environment: BTreeMap<String, String>,
    flags: Vec<String>,
    first_wait: Duration,
    /// Credentials and the authority of a mirror, on the disk as long as this is.
    private: Option<Private>,
    /// The same for a container: path and content.
    files: Vec<(String, String)>,
}

// There may be a password in it.
impl std::fmt::Debug for Helm {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Helm").finish_non_exhaustive()
    }
}

impl Helm {
    /// Finds it in PATH, or else in the release's tools image if there is a container engine, and prepares what the spec's
    /// mirror and proxy ask for.
    pub(crate) fn find(cluster: &Cluster, options: &Options, tools: Option<String>) -> Result<Self, WorkflowError> {
        let found = Tool::find(options, "helm", "turns charts into what a cluster runs");
        let engine = options.bootstrap.as_ref().filter(|driver| driver.runs_images());
        let runner = match (found, engine, tools) {
            (Ok(tool), _, _) => Runner::Path(tool),
            (Err(_), Some(driver), Some(image)) => Runner::Image { driver: Arc::clone(driver), image },
            (Err(error), _, _) => return Err(error.into()),
        };
        let mut helm = Self {
            runner,
            environment: BTreeMap::new(),
            flags: Vec::new(),
            first_wait: FIRST_WAIT,
            private: None,
            files: Vec::new(),
        };
        if let Some(proxy) = &cluster.spec.proxy_configuration {
            let mut set = |name: &str, value: &str| {
                for name in [name.to_owned(), name.to_lowercase()] {
                    helm.environment.insert(name, value.to_owned());
                }
            };
            set("HTTP_PROXY", &proxy.http_proxy);
            set("HTTPS_PROXY", &proxy.https_proxy);
            set("NO_PROXY", &proxy.no_proxy.join(","));
        }
        if let Some(mirror) = &cluster.spec.registry_mirror_configuration {
            helm.through(mirror, options)?;
        }
        Ok(helm)
    }

    fn through(&mut self, mirror: &RegistryMirrorConfiguration, options: &Options) -> Result<(), WorkflowError> {
        if mirror.insecure_skip_verify == Some(true) {
            self.flags.push("--insecure-skip-tls-verify".to_owned());
        }
        let authority = mirror.ca_cert_content.as_deref().filter(|ca| !ca.trim().is_empty());
        let credentials = mirror.authenticate == Some(true);
        if authority.is_none() && !credentials {
            return Ok(());
        }
        let folder = match &self.runner {
            Runner::Path(_) => {
                let private = Private::new("helm").map_err(unwritable)?;
                self.private.insert(private).path().to_owned()
            }
            Runner::Image { .. } => PathBuf::from(INSIDE),
        };
        let mut keep = |name: &str, text: &str| -> Result<String, WorkflowError> {
            let file = folder.join(name);
            let path = file.display().to_string();
            match &self.runner {
                Runner::Path(_) => std::fs::write(&file, text).map_err(unwritable)?,
                Runner::Image { .. } => self.files.push((path.clone(), text.to_owned())),
            }
            Ok(path)
        };
        if let Some(authority) = authority {
            let file = keep("ca.crt", authority)?;
            self.flags.extend(["--ca-file".to_owned(), file]);
        }
        if credentials {
            let get = |name: &str| (options.environment)(name).filter(|value| !value.is_empty());
            let (Some(user), Some(password)) = (get("REGISTRY_USERNAME"), get("REGISTRY_PASSWORD")) else {
                return Err(WorkflowError::Credentials {
                    missing: vec![
                        "`REGISTRY_USERNAME` and `REGISTRY_PASSWORD` (the registry mirror asks for them)".to_owned(),
                    ],
                });
            };
            let port = if mirror.port.is_empty() { "443" } else { &mirror.port };
            let bare = mirror.endpoint.contains(':') && !mirror.endpoint.starts_with('[');
            let host = if bare { format!("[{}]", mirror.endpoint) } else { mirror.endpoint.clone() };
            let server = format!("{host}:{port}");
            let auth = json!({"auths": {server: {"auth": BASE64.encode(format!("{user}:{password}"))}}});
            let file = keep("registry.json", &auth.to_string())?;
            self.environment.insert("HELM_REGISTRY_CONFIG".to_owned(), file);
        }
        Ok(())
    }

    /// Waits but little between tries.
    #[cfg(test)]
    pub(crate) fn hurry(&mut self) {
        self.first_wait = Duration::from_millis(1);
    }

    /// The manifests of a chart as YAML.
    pub(crate) async fn template(&self, chart: &Chart, interrupt: &Interrupt) -> Result<String, WorkflowError> {
        let mut arguments = vec!["template".to_owned(), "cilium".to_owned()];
        arguments.extend(source(&chart.reference));
        let fixed = ["--namespace", "kube-system", "--include-crds", "--kube-version"];
        arguments.extend(fixed.map(str::to_owned));
        arguments.push(chart.kubernetes.clone());
        self.patiently(&self.job("template", chart, arguments), interrupt).await
    }

    /// Installs a chart on a cluster, or makes what is installed the same.
    pub(crate) async fn install(
        &self,
        target: &Target<'_>,
        chart: &Chart,
        interrupt: &Interrupt,
    ) -> Result<(), WorkflowError> {
        let mut arguments = ["upgrade", "--install", target.name].map(str::to_owned).to_vec();
        arguments.extend(source(&chart.reference));
        let inside = format!("{INSIDE}/kubeconfig");
        let kubeconfig = match &self.runner {
            Runner::Path(_) => target.path.display().to_string(),
            Runner::Image { .. } => inside.clone(),
        };
        let fixed = ["--kubeconfig", kubeconfig.as_str(), "--create-namespace", "--namespace", target.namespace];
        arguments.extend(fixed.map(str::to_owned));
        let mut job = self.job("upgrade --install", chart, arguments);
        job.files.push((inside, target.kubeconfig.to_owned()));
        self.patiently(&job, interrupt).await?;
        Ok(())
    }

    fn job(&self, what: &str, chart: &Chart, mut arguments: Vec<String>) -> Job {
        arguments.extend(self.flags.iter().cloned());
        arguments.extend(["--values".to_owned(), "-".to_owned()]);
        Job {
            doing: format!("{what} {}", chart.reference),
            arguments,
            values: kedge_spec::yaml_document(&chart.values),
            files: self.files.clone(),
        }
    }

    /// Runs it. What may pass is tried again.
    async fn patiently(&self, job: &Job, interrupt: &Interrupt) -> Result<String, WorkflowError> {
        let mut wait = self.first_wait;
        for _ in 1..TRIES {
            match self.once(job, interrupt).await {
                Err(error @ (ToolError::Failed { .. } | ToolError::TooLong { .. })) => {
                    tracing::info!(%error, "Helm is tried again");
                    if interrupt.unless_asked(tokio::time::sleep(wait)).await.is_none() {
                        return Err(error.into());
                    }
                    wait *= 2;
                }
                other => return Ok(other?),
            }
        }
        Ok(self.once(job, interrupt).await?)
    }

    async fn once(&self, job: &Job, interrupt: &Interrupt) -> Result<String, ToolError> {
        let arguments = job.arguments.clone();
        match &self.runner {
            Runner::Path(tool) => {
                let call = Call { arguments, environment: self.environment.clone(), input: &job.values, folder: None };
                tool.run(&job.doing, call, PATIENCE, interrupt).await
            }
            Runner::Image { driver, image } => {
                let command: Vec<String> = std::iter::once("helm".to_owned()).chain(arguments).collect();
                let run = ToolRun {
                    image,
                    command: &command,
                    environment: &self.environment,
                    files: &job.files,
                    input: &job.values,
                    bound: PATIENCE,
                };
                let command = format!("helm {}", job.doing);
                let failed = |said: String| ToolError::Failed {
                    command: command.clone(),
                    status: format!("in a container of `{image}`"),
                    said,
                };
                match interrupt.unless_asked(driver.run(&run)).await {
                    None => Err(ToolError::Interrupted { command: command.clone() }),
                    Some(Ok(Some(text))) => Ok(text),
                    Some(Ok(None)) => Err(failed("there is no container engine".to_owned())),
                    Some(Err(error)) => Err(failed(error.to_string())),
                }
            }
        }
    }
}

/// Where Helm finds a chart: an image reference is an OCI address, and its tag a version.
fn source(reference: &str) -> Vec<String> {
    let as_it_is = reference.contains("://") || reference.starts_with(['/', '.']);
    let path = reference.strip_prefix("oci://").unwrap_or(reference);
    let tagged = path.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    match tagged {
        Some((path, version)) if !as_it_is || reference.starts_with("oci://") => {
            vec![format!("oci://{path}"), "--version".to_owned(), version.to_owned()]
        }
        _ => vec![reference.to_owned()],
    }
}

#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
fn unwritable(error: std::io::Error) -> WorkflowError {
    WorkflowError::Input {
        message: format!("what Helm needs for the registry mirror can't be written: {error}"),
        help: "check that the folder for temporary files is writable and has room".into(),
    }
}
