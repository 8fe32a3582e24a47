//! Create: everything, and again = go on where it stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use kedge_spec::provider::Placement;

use super::offline::warn;
use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt};
use crate::folder::{Folder, Holder, JOURNAL, LOCK_FILE, Lock, MOVES, Readers, SPEC};
use crate::journal::{Entry, Inputs, Journal, Operation, Records};
use crate::keys;
use crate::load::{self, Prepared};
use crate::management::{self, Ground};
use crate::networking::Cni;
use crate::options::Options;
use crate::outcome::{CreateOutcome, PlannedStep};
use crate::preflight;
use crate::run::{Run, title};
use crate::step::{Runner, Steps};
use crate::steps::{self, id};
use crate::{aws_iam, gitops, hooks, packages};

/// Creates the cluster of a spec. Run again with the same spec, release and plugin, it goes on at the first step whose
/// postcondition does not hold; for a cluster that is done it says so.
pub async fn create(options: &Options, reporter: Arc<dyn Reporter>) -> Result<CreateOutcome, WorkflowError> {
    // Boxed: a run holds everything, and callers should not have to.
    Box::pin(run(options, reporter)).await
}

async fn run(options: &Options, reporter: Arc<dyn Reporter>) -> Result<CreateOutcome, WorkflowError> {
    let mut prepared = load::load(options).await?;
    warn(&prepared, reporter.as_ref());
    let ground = management::ground(options, &prepared, remembered(options, prepared.name())?.as_deref())?;
    Cni::of(&prepared, options)?;
    let secrets = prepared.secrets(options);
    prepared.require_secrets(&secrets)?;
    // A management cluster has its providers.
    let components = match ground.management {
        Some(_) => Vec::new(),
        None => prepared.component_manifests().await?,
    };
    if options.interrupt.is_asked() {
        return Err(preflight::interrupted());
    }
    if options.dry_run {
        return dry_run(options, &prepared, &ground, Arc::new(secrets), reporter.as_ref()).await;
    }

    let (folder, _lock) = locked(options, prepared.name(), "create cluster", reporter.as_ref())?;
    forget_rehearsal(&folder, reporter.as_ref())?;
    prepared.spec = keys::filled(&prepared.spec, &folder, reporter.as_ref())?;
    let journal = Journal::open(&folder, &options.version)?;
    let inputs = inputs(options, &prepared, &ground);
    begin(options, &prepared, &folder, &journal, &inputs, reporter.as_ref())?;
    let identity = folder.identity()?;
    let secrets = Arc::new(secrets);
    let run = Run::new(options.clone(), reporter, prepared, folder, journal, secrets, ground, identity, components);
    let steps = hooks::around(steps(&run.prepared, options, &run.ground()), &run).await?;
    let now = || options.clock.now();
    let runner = Runner {
        operation: Operation::Create,
        journal: &run.journal,
        reporter: run.reporter.as_ref(),
        interrupt: &options.interrupt,
        now: &now,
    };
    let ran = match runner.run(&steps, &run).await {
        Ok(ran) => ran,
        Err(stopped) => {
            let error = super::stopped(&run, &command(&run), stopped).await;
            if !run.journal.records().touched(id::SETUP) {
                // Nothing was touched, so nothing stays either.
                run.folder.remove_own()?;
            }
            return Err(error);
        }
    };
    let records = run.journal.records();
    let already =
        ran.now == 0 && records.iter().any(|r| r.entry == Entry::Finished && r.operation == Operation::Create);
    if already {
        run.note(format!("the cluster `{}` was created before: there is nothing to do", run.name()));
    } else {
        run.journal.add(options.clock.now(), Operation::Create, Entry::Finished)?;
        // The snapshot of the move holds credentials, and nobody needs it any more.
        run.folder.remove(MOVES)?;
        run.reporter.line("🎉 Cluster created!");
    }
    let checks = run.checks.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    let done = steps.iter().skip(ran.already);
    Ok(CreateOutcome {
        cluster: run.name().to_owned(),
        folder: run.folder.path().to_owned(),
        kubeconfig: run.folder.path_of(&run.folder.kubeconfig_file()),
        already,
        dry_run: false,
        steps: done.map(|s| PlannedStep { id: s.id().into(), title: s.title().into(), touches: Vec::new() }).collect(),
        checks,
    })
}

/// The steps, as the cluster's manager wants them.
fn steps(prepared: &Prepared, options: &Options, ground: &Ground) -> Steps<Run> {
    match &ground.management {
        Some(_) => steps::create_managed(),
        None => steps::create(ground.driver.temporary(), packages::wanted(prepared, options)),
    }
}

/// Where an earlier run had the management cluster's kubeconfig from.
pub(super) fn remembered(options: &Options, name: &str) -> Result<Option<PathBuf>, WorkflowError> {
    let Some(folder) = Folder::open(&options.directory, name)? else { return Ok(None) };
    Ok(Journal::peek(&folder)?.management_kubeconfig().map(Path::to_owned))
}

/// The folder, for this run alone.
pub(super) fn locked(
    options: &Options,
    name: &str,
    command: &str,
    reporter: &dyn Reporter,
) -> Result<(Folder, Lock), WorkflowError> {
    let folder = Folder::create(&options.directory, name)?;
    let lock = folder.lock(&Holder::this(command, options.clock.now()))?;
    if let Some(stale) = lock.stale() {
        reporter.note(format!("an earlier run ended without a word ({stale}): this one goes on"));
    }
    Ok((folder, lock))
}

fn command(run: &Run) -> String {
    format!("kedge create cluster -f {}", run.prepared.spec.source().name)
}

fn inputs(options: &Options, prepared: &Prepared, ground: &Ground) -> Inputs {
    let plugin = prepared.plugin_report();
    Inputs {
        spec: prepared.spec.hash(),
        release: prepared.release.digest(),
        release_name: prepared.release.name().to_owned(),
        plugin: plugin.digest,
        plugin_name: plugin.name,
        plugin_version: plugin.version,
        kubernetes_version: prepared.view.kubernetes_version.clone(),
        bootstrap: ground.name(),
        management_kubeconfig: ground.management.as_ref().map(|m| m.kubeconfig.clone()),
        ephemeral: options.ephemeral,
    }
}

/// What was made in infrastructure that is gone is gone: there is nothing to go on with.
fn forget_rehearsal(folder: &Folder, reporter: &dyn Reporter) -> Result<(), WorkflowError> {
    if !Journal::peek(folder)?.inputs().is_some_and(|inputs| inputs.ephemeral) {
        return Ok(());
    }
    reporter.note("an earlier rehearsal left this folder, and its infrastructure is gone: this begins anew");
    for file in [
        JOURNAL.to_owned(),
        MOVES.to_owned(),
        LOCK_FILE.to_owned(),
        folder.kubeconfig_file(),
        folder.spec_file(),
        aws_iam::kubeconfig_file(folder.name()),
    ] {
        folder.remove(&file)?;
    }
    Ok(())
}

/// Writes down what the create begins with, or makes sure that it is what it began with.
fn begin(
    options: &Options,
    prepared: &Prepared,
    folder: &Folder,
    journal: &Journal,
    inputs: &Inputs,
    reporter: &dyn Reporter,
) -> Result<(), WorkflowError> {
    let records = journal.records();
    if records.iter().any(|r| r.operation == Operation::Delete) {
        return Err(WorkflowError::Input {
            message: format!("the cluster `{}` is being deleted", prepared.name()),
            help: format!("finish that first: `kedge delete cluster {}`", prepared.name()),
        });
    }
    if records.is_empty() && folder.has(&folder.kubeconfig_file()) {
        let file = folder.path_of(&folder.kubeconfig_file());
        return Err(WorkflowError::Input {
            message: format!("`{}` is the kubeconfig of a cluster that this program did not make", file.display()),
            help: "nothing was touched; give the new cluster another name, or work in another folder".into(),
        });
    }
    let was = records.inputs();
    let changed = was.and_then(|was| was.changed(inputs));
    match changed {
        // Nothing was made of the old ones yet, so the new ones are as good.
        Some((what, _)) if !records.touched(id::SETUP) => {
            reporter.note(format!("{what} changed since the last try; nothing was touched then, so this begins anew"));
        }
        Some((what, difference)) => {
            let created = records.iter().any(|r| r.entry == Entry::Finished);
            let (cluster, what) = (prepared.name().to_owned(), what.to_owned());
            return Err(WorkflowError::Changed { cluster, what, difference, created });
        }
        None => {}
    }
    if let Some(before) = records.last().filter(|r| r.kedge != options.version) {
        reporter.note(format!("the last run was of version {}, this is {}", before.kedge, options.version));
    }
    folder.write(SPEC, prepared.spec.to_yaml(), Readers::Usual)?;
    if was != Some(inputs) {
        journal.add(options.clock.now(), Operation::Create, Entry::Begun { inputs: inputs.clone() })?;
    }
    Ok(())
}

/// Everything up to the first step that touches anything, and what the steps would do.
async fn dry_run(
    options: &Options,
    prepared: &Prepared,
    ground: &Ground,
    secrets: Arc<kedge_plugin::SecretStore>,
    reporter: &dyn Reporter,
) -> Result<CreateOutcome, WorkflowError> {
    let steps = steps(prepared, options, ground);
    if let Some(line) = steps.first().and_then(|s| s.line()) {
        reporter.line(line);
    }
    let environment = prepared.environment(options, secrets)?;
    let checked = preflight::run(prepared, options, &environment, Some(ground), false, reporter).await?;
    gitops::check(prepared, options, false).await?;
    let manifests = prepared.render(&checked.facts).await?;
    load::check_served(&manifests, &prepared.component_manifests().await?)?;
    let placed = |placement| manifests.placed(placement).map(title).collect::<Vec<_>>();
    let components: Vec<String> = prepared.components()?.iter().map(|c| format!("{} {}", c.name, c.version)).collect();
    let folder = options.directory.join(prepared.name());
    let mut touches = BTreeMap::from([
        (id::BOOTSTRAP, vec![format!("a bootstrap cluster for `{}` ({})", prepared.name(), ground.name())]),
        (id::CAPI_BOOTSTRAP, components.clone()),
        (id::PROVIDER_SETUP, placed(Placement::BeforeCluster)),
        (id::WORKLOAD, placed(Placement::WithCluster)),
        (id::NETWORKING, vec![Cni::of(prepared, options)?.title()]),
        (id::STORAGE, placed(Placement::WorkloadCluster)),
        (id::CAPI_WORKLOAD, components),
        (id::MOVE, vec![format!("all Cluster API objects of `{}`", prepared.name())]),
        (id::EKSA_COMPONENTS, prepared.view.eksa_components_url().map(str::to_owned).into_iter().collect()),
        (
            id::EKSA_INSTANCES,
            prepared.spec.provider_documents().iter().map(|d| format!("{} {}", d.kind, d.name)).collect(),
        ),
        (id::GITOPS, gitops::Config::of(&prepared.spec)?.map(|config| config.url()).into_iter().collect()),
        (id::PACKAGES, packages::title(prepared).into_iter().collect()),
        (id::CONFIG, vec![folder.display().to_string()]),
    ]);
    let planned = steps.iter().skip(1).map(|step| PlannedStep {
        id: step.id().to_owned(),
        title: step.title().to_owned(),
        touches: touches.remove(step.id()).unwrap_or_default(),
    });
    let planned: Vec<PlannedStep> = planned.collect();
    if keys::wanted(&prepared.spec) {
        let key = folder.join(keys::PRIVATE);
        reporter.note(format!("would make a key to log in to nodes with, `{}`, if it is not there", key.display()));
    }
    for step in &planned {
        let what = if step.touches.is_empty() { String::new() } else { format!(": {}", step.touches.join(", ")) };
        reporter.note(format!("would do \"{}\"{what}", step.title));
    }
    Ok(CreateOutcome {
        cluster: prepared.name().to_owned(),
        kubeconfig: folder.join(format!("{}-eks-a-cluster.kubeconfig", prepared.name())),
        folder,
        already: false,
        dry_run: true,
        steps: planned,
        checks: checked.checks,
    })
}
