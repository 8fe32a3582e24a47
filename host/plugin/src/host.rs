//! Loading plugins.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use kedge_spec::provider::Description;
use wasmtime::component::Component;

use crate::audit::{AuditEvent, AuditSink, NoAudit};
use crate::built_in;
use crate::cache::Cache;
use crate::catalog::{Catalog, Entry, Origin};
use crate::compile::{self, Compiler};
use crate::engine::Engine;
use crate::error::PluginError;
use crate::inspect::{self, Inspection};
use crate::isolate::{Apart, Isolation};
use crate::limits::Limits;
use crate::log_line::{LogSink, TracingLog};
use crate::manifest;
use crate::native;
use crate::plugin::{Loaded, Plugin};
use crate::policy::Policy;
use crate::recording::{Recorder, Tapes};
use crate::scan;
use crate::trust::{self, Signer};

/// What a host is made with.
#[derive(Clone)]
pub struct HostOptions {
    /// A private folder for compiled plugins; none to compile at every start. It is made with mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// Of every call session.
    pub limits: Limits,
    /// Where plugins log to.
    pub log: Arc<dyn LogSink>,
    /// Where plugins are compiled that are not built in.
    pub compiler: Compiler,
    /// Where plugins run.
    pub isolation: Isolation,
    /// What the site and the user allow. Its limits go before `limits`.
    pub policy: Arc<Policy>,
    /// Where sessions are recorded, so that they can be replayed; none to keep none.
    pub recorder: Option<Arc<Recorder>>,
    /// Where calls of sessions without an environment are recorded.
    pub audit: Arc<dyn AuditSink>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            compiler: Compiler::default(),
            isolation: Isolation::default(),
            limits: Limits::default(),
            log: Arc::new(TracingLog),
            policy: Arc::default(),
            recorder: None,
            audit: Arc::new(NoAudit),
        }
    }
}

/// Loads plugins. Making one costs nothing: the engine is built when the first plugin is loaded.
pub struct PluginHost {
    options: HostOptions,
    limits: Arc<Limits>,
    engine: OnceLock<Arc<Engine>>,
}

impl PluginHost {
    /// A host. Does not touch the disk and builds no engine.
    pub fn new(options: HostOptions) -> Result<Self, PluginError> {
        let limits = Arc::new(options.policy.limits(&options.limits));
        Ok(Self { options, limits, engine: OnceLock::new() })
    }

    fn engine(&self) -> Result<Arc<Engine>, PluginError> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine.clone());
        }
        let engine = Arc::new(Engine::new()?);
        Ok(self.engine.get_or_init(|| engine).clone())
    }

    /// Whether an engine was built.
    pub fn is_warm(&self) -> bool {
        self.engine.get().is_some()
    }

    /// Loads a plugin: checks it, compiles it if that was not done before, and asks it to describe itself.
    pub async fn load(&self, entry: &Entry) -> Result<Plugin, PluginError> {
        let loaded = self.load_entry(entry).await;
        self.record(&entry.name, &loaded);
        loaded
    }

    /// That a plugin was loaded, or why it was not, is a record of its own.
    fn record(&self, name: &str, loaded: &Result<Plugin, PluginError>) {
        let audit = &self.options.audit;
        if !audit.enabled() {
            return;
        }
        audit.event(&match loaded {
            Ok(plugin) => {
                let mut event = AuditEvent::of_host(&plugin.description().name, plugin.digest(), "load", "load", None);
                event.target = format!("{}, signed by {}", plugin.origin(), plugin.signer());
                event
            }
            Err(error) => AuditEvent::of_host(name, "", "load", "load", Some(error)),
        });
    }

    async fn load_entry(&self, entry: &Entry) -> Result<Plugin, PluginError> {
        match &entry.origin {
            Origin::BuiltIn => {
                let built_in = built_in(entry)?;
                if let Some(expected) = entry.locked.as_ref().filter(|l| *l != built_in.digest) {
                    return Err(PluginError::Changed {
                        plugin: entry.name.clone(),
                        expected: expected.clone(),
                        found: built_in.digest.to_owned(),
                    });
                }
                self.options.policy.plugin(&entry.name, true, built_in.digest, true, &Signer::None)?;
                let engine = self.engine()?;
                let native =
                    (!built_in.native.is_empty()).then(|| native::trusted_bytes(&engine.engine, built_in.native));
                let component = match native {
                    Some(Ok(component)) => component,
                    // Another processor than the build's, for example.
                    Some(Err(error)) => {
                        tracing::debug!(plugin = entry.name, %error, "embedded code is of no use here");
                        self.compile(&entry.name, built_in.wasm.to_vec(), built_in.digest).await?
                    }
                    None => self.compile(&entry.name, built_in.wasm.to_vec(), built_in.digest).await?,
                };
                self.finish(&entry.name, component, built_in.digest, Origin::BuiltIn, None, Signer::None).await
            }
            Origin::File(path) | Origin::Installed(path) => {
                let bytes = self.read(path)?;
                let digest = inspect::digest(&bytes);
                if let Some(expected) = entry.locked.iter().chain(&entry.installed).find(|l| **l != digest) {
                    return Err(PluginError::Changed {
                        plugin: entry.name.clone(),
                        expected: expected.clone(),
                        found: digest,
                    });
                }
                let signer = trust::signer(path, &bytes, &self.options.policy)?;
                let manifest = described(&entry.name, &bytes)?;
                let name = manifest.as_ref().map_or(&entry.name, |m| &m.name);
                self.options.policy.plugin(name, manifest.is_some(), &digest, false, &signer)?;
                let component = self.compile(&entry.name, bytes, &digest).await?;
                self.finish(&entry.name, component, &digest, entry.origin.clone(), manifest, signer).await
            }
            Origin::Memory => {
                Err(PluginError::NotFound { wanted: format!("`{}` in memory", entry.name), known: Vec::new() })
            }
        }
    }

    /// Loads a component that the caller has.
    pub async fn load_bytes(&self, name: &str, wasm: &[u8]) -> Result<Plugin, PluginError> {
        let loaded = self.load_memory(name, wasm).await;
        self.record(name, &loaded);
        loaded
    }

    async fn load_memory(&self, name: &str, wasm: &[u8]) -> Result<Plugin, PluginError> {
        let digest = inspect::digest(wasm);
        let manifest = described(name, wasm)?;
        let component = self.compile(name, wasm.to_vec(), &digest).await?;
        self.finish(name, component, &digest, Origin::Memory, manifest, Signer::None).await
    }

    /// The first plugin of a catalog that claims a kind of datacenter document, loaded.
    ///
    /// # Errors
    /// [`PluginError::NotFound`] with the kinds that there are. A plugin that the user named or the cluster locked must
    /// load; one that is only installed is passed over with a warning if it doesn't.
    pub async fn claiming(&self, catalog: &Catalog, kind: &str) -> Result<Plugin, PluginError> {
        let mut known = Vec::new();
        let mut claim = async |entry| -> Result<Option<Plugin>, PluginError> {
            let Some(plugin) = self.candidate(entry).await? else { return Ok(None) };
            known.extend(plugin.description().datacenter_kind().map(str::to_owned));
            Ok((plugin.description().datacenter_kind() == Some(kind)).then_some(plugin))
        };
        let elsewhere = |entry: &&Entry| entry.kinds.as_ref().is_some_and(|kinds| !kinds.iter().any(|k| k == kind));
        let (others, candidates): (Vec<&Entry>, Vec<&Entry>) = catalog.list().into_iter().partition(elsewhere);
        for entry in candidates {
            if let Some(plugin) = claim(entry).await? {
                return Ok(plugin);
            }
        }
        // Nobody: the others are asked what there is, for the message. A cluster's lock names no choice.
        for entry in others.into_iter().filter(|entry| entry.locked.is_none()) {
            claim(entry).await?;
        }
        known.sort();
        known.dedup();
        Err(PluginError::NotFound { wanted: format!("for `{kind}`"), known })
    }

    /// The plugin of that name (the one it gives itself), loaded.
    pub async fn named(&self, catalog: &Catalog, name: &str) -> Result<Plugin, PluginError> {
        let mut known = Vec::new();
        for entry in catalog.list() {
            // Built-ins are called by their own names, so others need not be loaded.
            if entry.origin == Origin::BuiltIn && entry.name != name {
                known.push(entry.name.clone());
                continue;
            }
            if let Some(plugin) = self.candidate(entry).await? {
                if plugin.description().name == name {
                    return Ok(plugin);
                }
                known.push(plugin.description().name.clone());
            }
        }
        known.sort();
        known.dedup();
        Err(PluginError::NotFound { wanted: format!("named `{name}`"), known })
    }

    async fn candidate(&self, entry: &Entry) -> Result<Option<Plugin>, PluginError> {
        match self.load(entry).await {
            Ok(plugin) => Ok(Some(plugin)),
            // One that was changed behind the list's back is no reason to go on as if nothing were.
            Err(error @ PluginError::Changed { .. }) => Err(error),
            Err(error) if matches!(entry.origin, Origin::Installed(_)) && entry.locked.is_none() => {
                tracing::warn!(%error, "an installed plugin is passed over");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What an entry's file shows, without compiling or running it.
    pub fn inspect(&self, entry: &Entry) -> Result<Inspection, PluginError> {
        match &entry.origin {
            Origin::BuiltIn => {
                let mut inspection = self.inspect_bytes(&entry.name, built_in(entry)?.wasm)?;
                "this program, which it is a part of".clone_into(&mut inspection.signer);
                Ok(inspection)
            }
            Origin::File(path) | Origin::Installed(path) => {
                let bytes = self.read(path)?;
                let mut inspection = self.inspect_bytes(&entry.name, &bytes)?;
                inspection.signer = trust::signer(path, &bytes, &self.options.policy)?.to_string();
                Ok(inspection)
            }
            Origin::Memory => {
                Err(PluginError::NotFound { wanted: format!("`{}` in memory", entry.name), known: Vec::new() })
            }
        }
    }

    /// The same for bytes.
    pub fn inspect_bytes(&self, name: &str, wasm: &[u8]) -> Result<Inspection, PluginError> {
        inspect::inspect(name, wasm, &self.limits)
    }

    /// A plugin's file with a section that says what the plugin says of itself: it is asked, with nothing to call but the
    /// log, and what it said is written into a copy.
    pub async fn annotate(&self, entry: &Entry) -> Result<Vec<u8>, PluginError> {
        let (Origin::File(path) | Origin::Installed(path)) = &entry.origin else {
            return Err(PluginError::NotFound { wanted: format!("file `{}`", entry.name), known: Vec::new() });
        };
        let bytes = self.read(path)?;
        let plugin = self.load_bytes(&entry.name, &bytes).await?;
        manifest::attach(&entry.name, &bytes, plugin.description())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, PluginError> {
        let unreadable = |source| PluginError::Unreadable { path: path.to_owned(), source };
        // Before reading: a file of many gigabytes must not be.
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > self.limits.component_bytes {
            return Err(PluginError::LimitExceeded {
                plugin: path.display().to_string(),
                function: "load".to_owned(),
                limit: crate::limits::LimitKind::ComponentBytes,
                allowed: self.limits.component_bytes,
                asked: Some(size),
            });
        }
        std::fs::read(path).map_err(unreadable)
    }

    /// Native code for a component: from the cache, or made now, after a look at its sizes.
    async fn compile(&self, name: &str, wasm: Vec<u8>, digest: &str) -> Result<Component, PluginError> {
        let engine = self.engine()?;
        let cache = self.options.cache_dir.as_deref().map(Cache::open).transpose()?;
        if let Some(cache) = &cache
            && let Some(component) = cache.get(digest, &engine)?
        {
            return Ok(component);
        }
        let scan = scan::scan(name, &wasm, &self.limits)?;
        scan::judge(name, &scan.imports, &scan.exports)?;
        let failed = |why: String| PluginError::Compile { plugin: name.to_owned(), why };
        let code = match &self.options.compiler {
            Compiler::Here => {
                let there = engine.engine.clone();
                let compiled = tokio::task::spawn_blocking(move || there.precompile_component(&wasm)).await;
                let compiled = compiled.map_err(|_| failed("the compiler stopped in the middle".to_owned()))?;
                compiled.map_err(|e| failed(format!("{e:#}")))?
            }
            Compiler::Child { program, time } => {
                let compiled = compile::in_child(program, *time, &engine, &wasm).await.map_err(failed)?;
                tracing::info!(plugin = name, confined = compiled.confined, "compiled in a process of its own");
                let mut event = AuditEvent::of_host(name, digest, "load", "compile", None);
                event.target = format!("in a child with {}", compiled.confined);
                if self.options.audit.enabled() {
                    self.options.audit.event(&event);
                }
                compiled.code
            }
        };
        if let Some(cache) = &cache {
            cache.put(digest, &engine, &code)?;
        }
        native::trusted_code(&engine.engine, &code).map_err(|e| failed(format!("{e:#}")))
    }

    async fn finish(
        &self,
        name: &str,
        component: Component,
        digest: &str,
        origin: Origin,
        manifest: Option<Description>,
        signer: Signer,
    ) -> Result<Plugin, PluginError> {
        let engine = self.engine()?;
        let names = component.component_type();
        let imports: Vec<String> = names.imports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> = names.exports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
        let contract = scan::judge(name, &imports, &exports)?;
        let violation =
            |e: wasmtime::Error| PluginError::ContractViolation { plugin: name.to_owned(), why: format!("{e:#}") };
        let linked = engine.link(contract, &component).map_err(violation)?;
        let mut prepared = contract.prepare(linked).map_err(violation)?;
        if let Isolation::Process { program } = &self.options.isolation {
            let code = component.serialize().map_err(violation)?.into();
            let (program, told) = (program.clone(), AtomicBool::new(false));
            prepared = Box::new(Apart { here: prepared, contract: contract.name(), code, program, told });
        }
        let loaded = Loaded {
            engine,
            prepared,
            contract: contract.name(),
            contract_imports: imports.into_iter().filter(|i| i.starts_with(crate::contract::PACKAGE)).collect(),
            digest: digest.into(),
            origin,
            limits: self.limits.clone(),
            log: self.options.log.clone(),
            manifest,
            signer,
            policy: self.options.policy.clone(),
        };
        let tapes = self.options.recorder.clone().map_or(Tapes::None, Tapes::Record);
        Plugin::describe(name, loaded, self.options.audit.clone(), tapes).await
    }
}

/// What a file says of the plugin in it. That of a built-in was compared when it was built.
fn described(name: &str, wasm: &[u8]) -> Result<Option<Description>, PluginError> {
    manifest::section(wasm).map(|text| manifest::read(name, &text)).transpose()
}

fn built_in(entry: &Entry) -> Result<&'static built_in::BuiltIn, PluginError> {
    let Some(found) = built_in::named(&entry.name) else {
        let known = built_in::all().iter().map(|b| b.name.to_owned()).collect();
        return Err(PluginError::NotFound { wanted: format!("named `{}` is built in", entry.name), known });
    };
    match found.problem {
        Some(why) => Err(PluginError::NotBuilt { plugin: entry.name.clone(), why: why.to_owned() }),
        None => Ok(found),
    }
}
