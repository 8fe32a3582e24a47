//! Loading plugins.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;

use crate::audit::{AuditSink, NoAudit};
use crate::built_in;
use crate::cache::Cache;
use crate::catalog::{Catalog, Entry, Origin};
use crate::engine::Engine;
use crate::error::PluginError;
use crate::inspect::{self, Inspection};
use crate::limits::Limits;
use crate::log_line::{LogSink, TracingLog};
use crate::native;
use crate::plugin::{Loaded, Plugin};
use crate::scan;

/// What a host is made with.
#[derive(Clone)]
pub struct HostOptions {
    /// A private folder for compiled plugins; none to compile at every start. It is made with mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// Of every call session.
    pub limits: Limits,
    /// Where plugins log to.
    pub log: Arc<dyn LogSink>,
    /// Where calls of sessions without an environment are recorded.
    pub audit: Arc<dyn AuditSink>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { cache_dir: None, limits: Limits::default(), log: Arc::new(TracingLog), audit: Arc::new(NoAudit) }
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
        let limits = Arc::new(options.limits.clone());
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
                self.finish(&entry.name, component, built_in.digest, Origin::BuiltIn).await
            }
            Origin::File(path) | Origin::Installed(path) => {
                let bytes = self.read(path)?;
                let digest = inspect::digest(&bytes);
                if let Some(expected) = entry.locked.as_ref().filter(|l| **l != digest) {
                    return Err(PluginError::Changed {
                        plugin: entry.name.clone(),
                        expected: expected.clone(),
                        found: digest,
                    });
                }
                let component = self.compile(&entry.name, bytes, &digest).await?;
                self.finish(&entry.name, component, &digest, entry.origin.clone()).await
            }
            Origin::Memory => {
                Err(PluginError::NotFound { wanted: format!("`{}` in memory", entry.name), known: Vec::new() })
            }
        }
    }

    /// Loads a component that the caller has.
    pub async fn load_bytes(&self, name: &str, wasm: &[u8]) -> Result<Plugin, PluginError> {
        let digest = inspect::digest(wasm);
        let component = self.compile(name, wasm.to_vec(), &digest).await?;
        self.finish(name, component, &digest, Origin::Memory).await
    }

    /// The first plugin of a catalog that claims a kind of datacenter document, loaded.
    ///
    /// # Errors
    /// [`PluginError::NotFound`] with the kinds that there are. A plugin that the user named or the cluster locked must
    /// load; one that is only installed is passed over with a warning if it doesn't.
    pub async fn claiming(&self, catalog: &Catalog, kind: &str) -> Result<Plugin, PluginError> {
        let mut known = Vec::new();
        for entry in catalog.list() {
            if entry.kinds.as_ref().is_some_and(|kinds| !kinds.iter().any(|k| k == kind)) {
                continue;
            }
            if let Some(plugin) = self.candidate(entry).await? {
                if plugin.description().datacenter_kind() == Some(kind) {
                    return Ok(plugin);
                }
                known.extend(plugin.description().datacenter_kind().map(str::to_owned));
            }
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
            Origin::BuiltIn => inspect::inspect(&entry.name, built_in(entry)?.wasm, &self.limits),
            Origin::File(path) | Origin::Installed(path) => self.inspect_bytes(&entry.name, &self.read(path)?),
            Origin::Memory => {
                Err(PluginError::NotFound { wanted: format!("`{}` in memory", entry.name), known: Vec::new() })
            }
        }
    }

    /// The same for bytes.
    pub fn inspect_bytes(&self, name: &str, wasm: &[u8]) -> Result<Inspection, PluginError> {
        inspect::inspect(name, wasm, &self.limits)
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
        let name = name.to_owned();
        let engine_there = engine.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || Component::from_binary(&engine_there, &wasm)).await;
        let component = match compiled {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => return Err(PluginError::Compile { plugin: name, why: format!("{error:#}") }),
            Err(_) => {
                return Err(PluginError::Compile {
                    plugin: name,
                    why: "the compiler stopped in the middle".to_owned(),
                });
            }
        };
        if let Some(cache) = &cache {
            cache.put(digest, &engine, &component)?;
        }
        Ok(component)
    }

    async fn finish(
        &self,
        name: &str,
        component: Component,
        digest: &str,
        origin: Origin,
    ) -> Result<Plugin, PluginError> {
        let engine = self.engine()?;
        let names = component.component_type();
        let imports: Vec<String> = names.imports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> = names.exports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
        let contract = scan::judge(name, &imports, &exports)?;
        let violation =
            |e: wasmtime::Error| PluginError::ContractViolation { plugin: name.to_owned(), why: format!("{e:#}") };
        let linked = engine.link(contract, &component).map_err(violation)?;
        let prepared = contract.prepare(linked).map_err(violation)?;
        let loaded = Loaded {
            engine,
            prepared,
            contract: contract.name(),
            contract_imports: imports.into_iter().filter(|i| i.starts_with(crate::contract::PACKAGE)).collect(),
            digest: digest.into(),
            origin,
            limits: self.limits.clone(),
            log: self.options.log.clone(),
        };
        Plugin::describe(name, loaded, self.options.audit.clone()).await
    }
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
