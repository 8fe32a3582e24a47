//! Arguments turned into the options of a run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kedge_plugin::{Compiler, Consent, Isolation, Policy, Recorder, Rules, Trail};
use kedge_registry::{RegistryError, Settings};
use kedge_workflow::fetch::Proxies;
use kedge_workflow::{Interrupt, Options, SpecInput};

use crate::args::{Isolate, Managers, PluginSource, RegistryUse, ReleaseSource, SpecSource};
use crate::consent;
use crate::failure::Failure;
use crate::printer::Printer;

/// The list of EKS Anywhere releases.
const RELEASES: &str = "https://anywhere-assets.eks.amazonaws.com/releases/eks-a/manifest.yaml";

/// The policy that whoever runs the machine keeps.
const SITE_POLICY: &str = "/etc/kedge/policy.toml";

/// How whoever runs the machine wants registries to be reached.
const SITE_REGISTRIES: &str = "/etc/kedge/registries.toml";

/// The release of upstream parts, which `--bundles-override embedded:upstream/bundles.yaml` names.
const UPSTREAM: [(&str, &str); 2] = [
    ("upstream/bundles.yaml", include_str!("../../../releases/upstream/bundles.yaml")),
    ("upstream/kubernetes-1-34.yaml", include_str!("../../../releases/upstream/kubernetes-1-34.yaml")),
];

/// Which release is used when the user names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultRelease {
    /// The one that the program carries: commands that work offline, and the lab.
    Embedded,
    /// The newest of EKS Anywhere.
    Published,
}

/// How long a lab gets to say what runs in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Options for a command that reads a spec.
pub(crate) fn with_spec(source: &SpecSource, default: DefaultRelease, printer: &Printer) -> Result<Options, Failure> {
    let mut options = without_spec(&source.release, &source.plugins, default, printer)?;
    options.spec = Some(spec_input(&source.filename)?);
    options.strict = source.strict;
    Ok(options)
}

/// Options for a command that reads none.
pub(crate) fn without_spec(
    release: &ReleaseSource,
    plugins: &PluginSource,
    default: DefaultRelease,
    printer: &Printer,
) -> Result<Options, Failure> {
    let embedded = kedge_lab::release::embedded();
    let address = match (&release.bundles_override, default) {
        (Some(given), _) => given.clone(),
        (None, DefaultRelease::Published) => RELEASES.to_owned(),
        (None, DefaultRelease::Embedded) => {
            printer.detail("using the release that kedge carries; `--bundles-override` names another");
            format!("{}bundles.yaml", kedge_lab::release::SCHEME)
        }
    };
    let mut options = Options::new(".", address);
    options.require_signed_release = release.require_signed_release;
    options.release_key.clone_from(&release.release_key);
    options.license_key.clone_from(&release.license_key);
    options.embedded = embedded
        .files()
        .chain(UPSTREAM)
        .map(|(path, text)| (format!("{}{path}", kedge_lab::release::SCHEME), text.to_owned()))
        .collect();
    options.cache = xdg("XDG_CACHE_HOME", ".cache").map(|d| d.join("downloads"));
    options.plugin_cache = plugin_cache();
    options.installed_plugins = installed_plugins();
    options.plugins.clone_from(&plugins.plugin);
    options.plugin_rules = plugin_rules(plugins, printer)?;
    options.environment = Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    Ok(options)
}

/// The policies for plugins: the site's, the user's, those of the flags.
pub(crate) fn policy(plugins: &PluginSource) -> Result<Policy, Failure> {
    let standing = [Some(PathBuf::from(SITE_POLICY)), config().map(|d| d.join("policy.toml"))];
    let mut files: Vec<PathBuf> = standing.into_iter().flatten().filter(|path| path.exists()).collect();
    files.extend(plugins.policy.iter().cloned());
    Ok(Policy::read(&files).map_err(|e| Failure::plugin(&e))?.with_addresses(&plugins.allow_address))
}

/// Whether the flags grant what plugins ask for, or whoever sits at the terminal.
pub(crate) fn consent(plugins: &PluginSource) -> Consent {
    if plugins.yes { Consent::Yes } else { consent::at_the_terminal() }
}

/// The rules for plugins: policies, and whoever is asked.
pub(crate) fn plugin_rules(plugins: &PluginSource, printer: &Printer) -> Result<Rules, Failure> {
    let policy = policy(plugins)?;
    let trail = Arc::new(Trail::default());
    if let Some(file) = &plugins.audit {
        let notice = trail.write_to(file).map_err(|e| Failure::plugin(&e))?;
        if let Some(said) = notice {
            printer.warning(&said);
        }
    }
    let recorder = plugins.record.as_ref().map(Recorder::create).transpose().map_err(|e| Failure::plugin(&e))?;
    Ok(Rules {
        policy: Arc::new(policy),
        consent: consent(plugins),
        grants: config().map(|d| d.join("grants.toml")),
        trail,
        compiler: std::env::current_exe().map_or(Compiler::Here, |program| Compiler::Child { program, time: None }),
        isolation: match plugins.isolate {
            None => Isolation::None,
            Some(Isolate::Process) => Isolation::Process {
                program: std::env::current_exe().map_err(|e| {
                    Failure::environment(format!("this program can't be found to be started again: {e}"))
                })?,
            },
        },
        recorder: recorder.map(Arc::new),
    })
}

/// How registries are reached: the site's settings, the user's, and those of the flags.
pub(crate) fn registries(flags: &RegistryUse) -> Result<Settings, Failure> {
    let failed = |e: &RegistryError| Failure::environment_with(e.to_string(), e.remedy());
    let proxies = Proxies::from_lookup(|name| std::env::var(name).ok());
    let mut settings = Settings {
        proxies: kedge_registry::Proxies { http: proxies.http, https: proxies.https, none: proxies.none },
        plain_http: flags.plain_http.clone(),
        ..Settings::default()
    };
    let own = config().map(|d| d.join("registries.toml"));
    for path in [Some(PathBuf::from(SITE_REGISTRIES)), own].into_iter().flatten().filter(|path| path.exists()) {
        settings.read(&path).map_err(|e| failed(&e))?;
    }
    for path in &flags.registry_ca {
        let pem = std::fs::read(path);
        settings.authorities.push(
            pem.map_err(|e| Failure::environment(format!("the authority `{}` can't be read: {e}", path.display())))?,
        );
    }
    for mirror in &flags.mirror {
        settings.mirror(mirror).map_err(|e| failed(&e))?;
    }
    Ok(settings)
}

/// The folder of the user's own settings.
fn config() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// The folder of compiled plugins.
pub(crate) fn plugin_cache() -> Option<PathBuf> {
    xdg("XDG_CACHE_HOME", ".cache").map(|d| d.join("plugins"))
}

/// The folder of installed plugins.
pub(crate) fn installed_plugins() -> Option<PathBuf> {
    xdg("XDG_DATA_HOME", ".local/share").map(|d| d.join("plugins"))
}

/// Credentials and addresses of a lab, over those of the environment.
pub(crate) async fn use_lab(options: &mut Options, connection: &kedge_lab::Connection) -> Result<(), Failure> {
    options.endpoints = connection
        .endpoints
        .iter()
        .map(|(server, at)| {
            let target = kedge_workflow::EndpointOverride { address: at.address, ca_pem: at.ca_pem.clone() };
            (server.clone(), target)
        })
        .collect();
    let credentials: BTreeMap<String, String> = connection.credentials.clone();
    // The lab takes its own credentials alone: the user's real ones have no business there.
    let environment = Arc::clone(&options.environment);
    options.environment = Arc::new(move |name| credentials.get(name).cloned().or_else(|| environment(name)));
    let driver = kedge_bootstrap::service::Service::new(&connection.url, &connection.token, &connection.ca_pem)
        .map_err(kedge_workflow::WorkflowError::from)?;
    options.bootstrap = Some(Arc::new(driver));
    options.rehearsal = true;
    let status = connection.status(PATIENCE).await;
    let status = status.map_err(|error| Failure::environment(format!("the lab can't be asked: {error}")))?;
    options.rehearsal_servers = status.clusters.into_iter().map(|cluster| cluster.url).collect();
    Ok(())
}

/// The clusters that work on the cluster's objects, as the flags name them.
pub(crate) fn use_managers(options: &mut Options, managers: &Managers) -> Result<(), Failure> {
    options.management_kubeconfig.clone_from(&managers.management.kubeconfig);
    if let Some(path) = &managers.bootstrap_kubeconfig {
        let existing =
            kedge_bootstrap::existing::Existing::from_file(path).map_err(kedge_workflow::WorkflowError::from)?;
        options.bootstrap = Some(Arc::new(existing));
    } else if options.bootstrap.is_none() {
        let engine =
            kedge_bootstrap::docker::Docker::new(Arc::clone(&options.environment), managers.node_image.clone());
        options.bootstrap = Some(Arc::new(engine));
    }
    Ok(())
}

/// The spec that `-f` names.
pub(crate) fn spec_input(filename: &Path) -> Result<SpecInput, Failure> {
    if filename != Path::new("-") {
        return Ok(SpecInput::File(filename.to_owned()));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(kedge_spec::MAX_SPEC_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::environment(format!("standard input can't be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::environment_with("standard input is not UTF-8 text", "give a spec as YAML in UTF-8"))?;
    Ok(SpecInput::Text { name: "<stdin>".to_owned(), text })
}

/// Ctrl-C and SIGTERM stop the run at the next safe point; a second one ends the program at once.
pub(crate) fn interrupt_on_signals(printer: &Arc<Printer>) -> Interrupt {
    let (interrupter, interrupt) = Interrupt::new();
    let printer = Arc::clone(printer);
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            signal().await;
            if asked {
                printer.clear();
                printer.error_text("Error: ended at once\n  help: the same command goes on from where it was");
                std::process::exit(130);
            }
            asked = true;
            interrupter.interrupt();
            printer.note("stopping at the next safe point; once more to end at once");
        }
    });
    interrupt
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    drop(tokio::signal::ctrl_c().await);
}

fn xdg(variable: &str, fallback: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set(variable).or_else(|| set("HOME").map(|home| home.join(fallback))).map(|dir| dir.join("kedge"))
}
