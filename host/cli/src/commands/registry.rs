//! The commands that bring plugins here and away: arguments in, one call, its outcome out.

use std::path::{Path, PathBuf};

use kedge_plugin::{
    Entry, Evidence, Given, Installed, InstalledPlugin, Limits, ManifestSignature, PluginError, install,
};
use kedge_registry::{Component, Layout, Pulled, Reference, Registry, Signature, SigningKey, docker_logins};
use serde::Serialize;

use super::plugin;
use crate::args::{Output, PluginSource, RegistryUse};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::setup;

/// An installed plugin that was checked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    #[serde(flatten)]
    plugin: InstalledPlugin,
    signer: String,
}

pub(crate) async fn push(
    file: &Path,
    reference: &str,
    key: Option<&Path>,
    registry: &RegistryUse,
    output: Output,
    printer: &Printer,
) -> Result<(), Failure> {
    let key = key.map(SigningKey::read).transpose().map_err(|e| failure(&e))?;
    let to = reference.parse::<Reference>().map_err(|e| failure(&e))?;
    let host = plugin::host(&PluginSource::default(), printer)?;
    let inspection = host.inspect(&Entry::file(file)).map_err(|e| Failure::plugin(&e))?;
    let component = Component {
        imports: inspection.imports.into_iter().map(|i| i.name).collect(),
        exports: inspection.exports,
        name: inspection.description.as_ref().map(|d| d.name.clone()),
        version: inspection.description.as_ref().map(|d| d.version.clone()),
    };
    let read = Beside::read(file)?;
    let client = client(registry)?;
    let pushed = client.push(&to, &read.wasm, &component, read.signature.as_deref(), key.as_ref()).await;
    let pushed = pushed.map_err(|e| failure(&e))?;
    printer.report(output.output, &pushed, || format!("{}\n", pushed.reference));
    Ok(())
}

pub(crate) async fn pull(
    reference: &str,
    file: Option<&Path>,
    layout: Option<&Path>,
    plugins: &PluginSource,
    registry: &RegistryUse,
    printer: &Printer,
) -> Result<(), Failure> {
    let pulled = from_registry(reference, plugins, registry).await?;
    let digest = kedge_registry::digest(&pulled.wasm);
    if let Some(layout) = layout {
        Layout::write(layout, &pulled).map_err(|e| failure(&e))?;
        printer.line(&format!("`{}` holds {} ({digest})", layout.display(), pulled.reference));
    }
    if let Some(file) = file {
        Beside::from(&pulled).write(file)?;
        printer.line(&format!(
            "`{}` is {} ({digest}), of the manifest {}",
            file.display(),
            pulled.reference,
            pulled.manifest_digest
        ));
    }
    for attached in &pulled.attached {
        printer.note(&format!("attached to it: {} ({}, {} bytes)", attached.kind, attached.digest, attached.size));
    }
    Ok(())
}

pub(crate) async fn add(
    what: Option<&str>,
    offline: Option<&Path>,
    plugins: &PluginSource,
    registry: &RegistryUse,
    output: Output,
    printer: &Printer,
) -> Result<(), Failure> {
    let entry = match (what, offline) {
        (Some(file), None) if Path::new(file).is_file() => from_file(file, plugins, printer).await?,
        (what, Some(layout)) => {
            let reference = what.map(str::parse::<Reference>).transpose().map_err(|e| failure(&e))?;
            let pulled = from_layout(layout, reference.as_ref(), plugins).await?;
            installed_from(&pulled, plugins, printer).await?
        }
        (what, None) => {
            let pulled = from_registry(what.unwrap_or_default(), plugins, registry).await?;
            installed_from(&pulled, plugins, printer).await?
        }
    };
    printer.report(output.output, &entry, || installed_line(&entry));
    Ok(())
}

pub(crate) async fn update(
    name: &str,
    offline: Option<&Path>,
    plugins: &PluginSource,
    registry: &RegistryUse,
    output: Output,
    printer: &Printer,
) -> Result<(), Failure> {
    let before = installed()?.named(name).map_err(|e| Failure::plugin(&e))?;
    let entry = match (before.manifest.is_some(), offline) {
        (false, _) => from_file(&before.source, plugins, printer).await?,
        (true, Some(layout)) => {
            let reference = before.source.parse::<Reference>().map_err(|e| failure(&e))?;
            installed_from(&from_layout(layout, Some(&reference), plugins).await?, plugins, printer).await?
        }
        (true, None) => {
            installed_from(&from_registry(&before.source, plugins, registry).await?, plugins, printer).await?
        }
    };
    printer.report(output.output, &entry, || {
        if entry.digest == before.digest {
            let pinned = if entry.source.contains('@') { ", which names one digest for good" } else { "" };
            format!("{} {} is the newest that `{}` has{pinned}\n", entry.name, entry.version, entry.source)
        } else {
            format!("{}  before: {} ({})\n", installed_line(&entry), before.version, before.digest)
        }
    });
    Ok(())
}

pub(crate) fn remove(name: &str, printer: &Printer) -> Result<(), Failure> {
    let entry = installed()?.remove(name).map_err(|e| Failure::plugin(&e))?;
    printer.line(&format!("{} {} is removed", entry.name, entry.version));
    Ok(())
}

pub(crate) fn verify(name: &str, plugins: &PluginSource, output: Output, printer: &Printer) -> Result<(), Failure> {
    let installed = installed()?;
    let plugin = installed.verify(name).map_err(|e| Failure::plugin(&e))?;
    let inspection = plugin::host(plugins, printer)?.inspect(&Entry::file(installed.file(name)));
    let signer = inspection.map_err(|e| Failure::plugin(&e))?.signer;
    let verified = Verified { plugin, signer };
    printer.report(output.output, &verified, || {
        let plugin = &verified.plugin;
        format!(
            "{} {} is what was installed from `{}`\n  {}\n  signed by {}\n",
            plugin.name, plugin.version, plugin.source, plugin.digest, verified.signer
        )
    });
    Ok(())
}

/// A plugin of a registry as a file in a folder that is gone when it is dropped, to look at.
pub(crate) async fn fetched(
    reference: &str,
    plugins: &PluginSource,
    registry: &RegistryUse,
    printer: &Printer,
) -> Result<(tempfile::TempDir, PathBuf), Failure> {
    let pulled = from_registry(reference, plugins, registry).await?;
    let folder =
        tempfile::tempdir().map_err(|e| Failure::environment(format!("no temporary folder can be made: {e}")))?;
    let file = folder.path().join("plugin.wasm");
    Beside::from(&pulled).write(&file)?;
    for attached in &pulled.attached {
        printer.note(&format!("attached to it: {} ({}, {} bytes)", attached.kind, attached.digest, attached.size));
    }
    Ok((folder, file))
}

async fn from_registry(reference: &str, plugins: &PluginSource, registry: &RegistryUse) -> Result<Pulled, Failure> {
    let reference = reference.parse::<Reference>().map_err(|e| failure(&e))?;
    let most = setup::policy(plugins)?.limits(&Limits::default()).component_bytes;
    client(registry)?.pull(&reference, most).await.map_err(|e| failure(&e))
}

async fn from_layout(layout: &Path, reference: Option<&Reference>, plugins: &PluginSource) -> Result<Pulled, Failure> {
    let most = setup::policy(plugins)?.limits(&Limits::default()).component_bytes;
    Layout::open(layout).map_err(|e| failure(&e))?.pull(reference, most).await.map_err(|e| failure(&e))
}

async fn from_file(file: &str, plugins: &PluginSource, printer: &Printer) -> Result<InstalledPlugin, Failure> {
    let read = Beside::read(Path::new(file))?;
    // Where it was found from here is not where it is found from elsewhere.
    let source = std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file)).display().to_string();
    put(&read.given(&source), plugins, printer).await
}

async fn installed_from(
    pulled: &Pulled,
    plugins: &PluginSource,
    printer: &Printer,
) -> Result<InstalledPlugin, Failure> {
    put(&Beside::from(pulled).given(&pulled.reference), plugins, printer).await
}

async fn put(given: &Given<'_>, plugins: &PluginSource, printer: &Printer) -> Result<InstalledPlugin, Failure> {
    let rules = setup::plugin_rules(plugins, printer)?;
    let host = plugin::host_with(&rules)?;
    install(&host, &rules, &installed()?, given).await.map_err(|e| Failure::plugin(&e))
}

fn installed_line(entry: &InstalledPlugin) -> String {
    format!("{} {} is installed from `{}` ({})\n", entry.name, entry.version, entry.source, entry.digest)
}

fn client(registry: &RegistryUse) -> Result<Registry, Failure> {
    Registry::new(setup::registries(registry)?, docker_logins()).map_err(|e| failure(&e))
}

fn installed() -> Result<Installed, Failure> {
    let folder = setup::installed_plugins();
    folder.map(Installed::at).ok_or_else(|| {
        Failure::environment_with("there is no place for installed plugins", "set HOME or XDG_DATA_HOME")
    })
}

fn failure(error: &kedge_registry::RegistryError) -> Failure {
    Failure::environment_with(error.to_string(), error.remedy())
}

/// A plugin's file and what vouches for it beside it.
#[derive(Default)]
struct Beside {
    wasm: Vec<u8>,
    signature: Option<String>,
    bundle: Option<String>,
    evidence: Option<Evidence>,
}

impl From<&Pulled> for Beside {
    fn from(pulled: &Pulled) -> Self {
        let signatures = pulled.signatures.iter().cloned().map(|signature| match signature {
            Signature::Cosign { payload, signature } => ManifestSignature::Cosign { payload, signature },
            Signature::Bundle(bundle) => ManifestSignature::Bundle(bundle),
        });
        let manifest = String::from_utf8_lossy(&pulled.manifest).into_owned();
        let evidence = Evidence { version: 1, manifest, signatures: signatures.collect() };
        Self { wasm: pulled.wasm.clone(), signature: pulled.signature.clone(), bundle: None, evidence: Some(evidence) }
    }
}

impl Beside {
    fn read(file: &Path) -> Result<Self, Failure> {
        let failed = |path: &Path, source| Failure::plugin(&PluginError::Unreadable { path: path.to_owned(), source });
        let wasm = std::fs::read(file).map_err(|e| failed(file, e))?;
        let optional = |suffix| {
            let path = with(file, suffix);
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&path, error)),
            }
        };
        let evidence = optional(".oci.json")?.map(|text| serde_json::from_str(&text)).transpose();
        let evidence =
            evidence.map_err(|e| Failure::environment(format!("`{}`: {e}", with(file, ".oci.json").display())))?;
        Ok(Self { wasm, signature: optional(".sig")?, bundle: optional(".sigstore.json")?, evidence })
    }

    fn write(&self, file: &Path) -> Result<(), Failure> {
        let put = |path: &Path, bytes: &[u8]| {
            std::fs::write(path, bytes)
                .map_err(|e| Failure::environment(format!("`{}` can't be written: {e}", path.display())))
        };
        if let Some(signature) = &self.signature {
            put(&with(file, ".sig"), signature.as_bytes())?;
        }
        if let Some(evidence) = &self.evidence {
            let text = serde_json::to_vec(evidence).map_err(|e| Failure::environment(e.to_string()))?;
            put(&with(file, ".oci.json"), &text)?;
        }
        put(file, &self.wasm)
    }

    fn given<'a>(&'a self, source: &'a str) -> Given<'a> {
        Given {
            wasm: &self.wasm,
            signature: self.signature.as_deref(),
            bundle: self.bundle.as_deref(),
            source,
            evidence: self.evidence.as_ref(),
        }
    }
}

fn with(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
