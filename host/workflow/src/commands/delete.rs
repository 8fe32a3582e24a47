//! Delete: a running cluster and a half-made one, so that nothing stays.

use std::path::Path;
use std::sync::Arc;

use kedge_cluster_api::kinds;
use serde_json::Value;

use super::create::{locked, remembered};
use crate::error::WorkflowError;
use crate::event::{Reporter, ReporterExt};
use crate::folder::{Folder, SPEC};
use crate::gitops;
use crate::journal::{Entry, Journal, Operation, Record, Records};
use crate::load;
use crate::management::{self, Ground, Management};
use crate::options::{Options, SpecInput};
use crate::outcome::DeleteOutcome;
use crate::run::{Run, Side};
use crate::step::{Failure, Runner};
use crate::steps::id;
use crate::teardown::{self, delete_id};

/// Deletes a cluster, by its name or by the spec in the options. Run again, it goes on where it stopped.
pub async fn delete(
    options: &Options,
    name: Option<&str>,
    reporter: Arc<dyn Reporter>,
) -> Result<DeleteOutcome, WorkflowError> {
    // Boxed: a run holds everything, and callers should not have to.
    Box::pin(run(options, name, reporter)).await
}

async fn run(
    options: &Options,
    name: Option<&str>,
    reporter: Arc<dyn Reporter>,
) -> Result<DeleteOutcome, WorkflowError> {
    let options = with_spec(options, name)?;
    let prepared = load::load(&options).await?;
    let name = prepared.name().to_owned();
    if Folder::open(&options.directory, &name)?.is_none() {
        return Err(unknown(&options.directory, &name));
    }
    let ground = management::ground(&options, &prepared, remembered(&options, &name)?.as_deref())?;
    let components = match ground.management {
        Some(_) => Vec::new(),
        None => prepared.component_manifests().await?,
    };
    let secrets = prepared.secrets(&options);
    let (folder, lock) = locked(&options, &name, "delete cluster", reporter.as_ref())?;
    let journal = Journal::open(&folder, &options.version)?;
    made_here(&options, &name, &journal.records(), &ground)?;
    // What the end needs is asked for at the beginning.
    if let Some(config) = gitops::Config::of(&prepared.spec)?.filter(|_| !options.rehearsal) {
        gitops::Credential::of(&config, &options)?;
    }
    reporter.line("Performing setup and validations");
    let identity = folder.identity()?;
    let secrets = Arc::new(secrets);
    let run = Run::new(options.clone(), reporter, prepared, folder, journal, secrets, ground, identity, components);
    begun_here(&run)?;
    if let Err(failure) = findable(&run).await {
        return Err(WorkflowError::Api { message: failure.message, help: failure.remedy, source: None });
    }
    alone(&run).await?;
    let ephemeral = run.journal.records().inputs().is_some_and(|inputs| inputs.ephemeral);
    let mut steps = match run.management {
        // There is nothing outside the folder, and nobody to ask.
        _ if ephemeral => Vec::new(),
        Some(_) => teardown::delete_managed(),
        None => teardown::delete(run.driver.temporary()),
    };
    if run.prepared.cluster().spec.git_ops_ref.is_some() && !options.rehearsal && !ephemeral {
        let at = steps.iter().position(|step| step.id() == delete_id::DELETE).map_or(steps.len(), |at| at + 1);
        steps.insert(at, Box::new(teardown::git::CleanUpGit));
    }
    let now = || options.clock.now();
    let runner = Runner {
        operation: Operation::Delete,
        journal: &run.journal,
        reporter: run.reporter.as_ref(),
        interrupt: &options.interrupt,
        now: &now,
    };
    let ran = match runner.run(&steps, &run).await {
        Ok(ran) => ran,
        Err(stopped) => return Err(super::stopped(&run, &format!("kedge delete cluster {name}"), stopped).await),
    };
    run.journal.add(options.clock.now(), Operation::Delete, Entry::Finished)?;
    let mut removed: Vec<String> = steps
        .iter()
        .skip(ran.already)
        .filter_map(|step| match step.id() {
            delete_id::DELETE => Some(format!("the machines and objects of `{name}`")),
            id::DELETE_BOOTSTRAP if run.driver.temporary() => Some(format!("the bootstrap cluster of `{name}`")),
            _ => None,
        })
        .collect();
    let (reporter, path) = (Arc::clone(&run.reporter), run.folder.path().to_owned());
    // Files first, lock last: until the folder is gone no other run may take it for a cluster.
    let empty = run.folder.remove_own()?;
    drop(lock);
    removed.push(if empty {
        format!("`{}`", path.display())
    } else {
        format!("what this program wrote in `{}`", path.display())
    });
    reporter.line("🎉 Cluster deleted!");
    Ok(DeleteOutcome { cluster: name, removed })
}

/// A rehearsal must not take a real cluster for one of its own: its objects would be moved into the simulation, and its
/// machines left without anybody to look after them.
fn made_here(options: &Options, name: &str, records: &[Record], ground: &Ground) -> Result<(), WorkflowError> {
    let made_with = records.inputs().map(|inputs| inputs.bootstrap.as_str());
    if !options.rehearsal || made_with == Some(ground.name().as_str()) {
        return Ok(());
    }
    let made_with = made_with.map_or_else(|| "by another program".to_owned(), |with| format!("with the {with}"));
    Err(WorkflowError::Input {
        message: format!("`{name}` was made {made_with}, and not in a rehearsal that could delete it"),
        help: "nothing was touched; run the same command without the rehearsal".into(),
    })
}

fn unreachable(management: &Management, why: &str) -> Failure {
    Failure::new(
        format!("the management cluster `{}` can't be asked: {why}", management.name),
        format!(
            "make its API reachable and run the same command again, or name another kubeconfig with `--kubeconfig FILE` (this one is `{}`)",
            management.kubeconfig.display()
        ),
    )
}

/// Where a half-made cluster's objects are, nobody else can delete it from: another bootstrap cluster would know nothing of
/// its machines, and they would be forgotten.
fn begun_here(run: &Run) -> Result<(), WorkflowError> {
    let records = run.journal.records();
    let Some(inputs) = records.inputs().filter(|inputs| !inputs.ephemeral) else { return Ok(()) };
    let moved = records.ever_started(Operation::Create, id::MOVE);
    let made = records.ever_started(Operation::Create, id::BOOTSTRAP);
    if run.management.is_some() || moved || !made || inputs.bootstrap == run.driver.name() {
        return Ok(());
    }
    Err(WorkflowError::Input {
        message: format!(
            "the create of `{}` began on the {}, and this delete would look for it on the {}",
            run.name(),
            inputs.bootstrap,
            run.driver.name()
        ),
        help: "nothing was touched; give the flags that the create was given: `--bootstrap-kubeconfig FILE` for an existing cluster, `--lab` for a lab"
            .into(),
    })
}

/// Refuses to delete a cluster that manages others: nobody would be left to work on them.
async fn alone(run: &Run) -> Result<(), WorkflowError> {
    let others = match others(run).await {
        Ok(others) => others,
        Err(failure) => {
            return Err(WorkflowError::Api { message: failure.message, help: failure.remedy, source: None });
        }
    };
    if others.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    let cluster = run.name();
    Err(WorkflowError::Manages { cluster: cluster.to_owned(), others: names.join(", ") })
}

/// The clusters besides itself that a cluster manages.
async fn others(run: &Run) -> Result<Vec<String>, Failure> {
    if run.management.is_some() {
        return Ok(Vec::new());
    }
    let Some(api) = run.workload_if_there().await? else { return Ok(Vec::new()) };
    if !api.serves(&kinds::CLUSTER).await? {
        return Ok(Vec::new());
    }
    let clusters = api.list(&kinds::CLUSTER, None, None).await?;
    let names = clusters.iter().filter_map(|c| c.pointer("/metadata/name").and_then(Value::as_str));
    let mut names: Vec<String> = names.filter(|name| *name != run.name()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The spec that the cluster was made from: the one in its folder, unless one is given.
fn with_spec(options: &Options, name: Option<&str>) -> Result<Options, WorkflowError> {
    let mut options = options.clone();
    let Some(name) = name else {
        return match options.spec {
            Some(_) => Ok(options),
            None => Err(WorkflowError::Input {
                message: "there is no cluster to delete".into(),
                help: "give its name, or its spec with `-f FILE`".into(),
            }),
        };
    };
    let Some(folder) = Folder::open(&options.directory, name)? else { return Err(unknown(&options.directory, name)) };
    for file in [SPEC.to_owned(), folder.spec_file()] {
        if let Some(text) = folder.read(&file)? {
            options.spec = Some(SpecInput::Text { name: folder.path_of(&file).display().to_string(), text });
            return Ok(options);
        }
    }
    Err(WorkflowError::Input {
        message: format!("`{}` holds no spec", folder.path().display()),
        help: "give the spec with `-f FILE`; if nothing was created yet, remove the folder".into(),
    })
}

fn unknown(directory: &Path, name: &str) -> WorkflowError {
    WorkflowError::Input {
        message: format!("there is no cluster `{name}` in `{}`", directory.display()),
        help:
            "run the command in the folder in which the cluster was created; `kedge get clusters` lists what is there"
                .into(),
    }
}

/// Refuses to forget a cluster whose machines can't be reached, and says what may be left of one whose objects are gone.
async fn findable(run: &Run) -> Result<(), Failure> {
    let records = run.journal.records();
    if records.inputs().is_some_and(|inputs| inputs.ephemeral) {
        run.note("it was made in a rehearsal whose infrastructure is gone: only its folder is left");
        return Ok(());
    }
    let (bootstrap, workload) = (run.bootstrap_side().await?, run.workload_side().await?);
    if let Some(management) = &run.management {
        return match bootstrap {
            Side::There(api) => {
                if !run.has_cluster(&api).await? {
                    run.note(format!("{} has no `{}` any more: only its folder is left", run.manager(), run.name()));
                }
                Ok(())
            }
            Side::Silent(error) => Err(unreachable(management, &error.to_string())),
            Side::Absent => Err(unreachable(management, "its kubeconfig is gone")),
        };
    }
    let on_bootstrap = match &bootstrap {
        Side::There(api) => run.has_cluster(api).await?,
        Side::Silent(_) => true,
        Side::Absent => false,
    };
    let deleting = records.ever_started(Operation::Delete, delete_id::DELETE);
    if on_bootstrap || deleting || matches!(workload, Side::There(_)) {
        return Ok(());
    }
    let moved = records.ever_started(Operation::Create, id::MOVE);
    if moved || records.inputs().is_none() {
        let why = match workload {
            Side::Silent(error) => error.to_string(),
            _ => "its kubeconfig is gone".to_owned(),
        };
        return Err(Failure::new(
            format!("`{}` manages itself and can't be asked: {why}", run.name()),
            format!(
                "make its API reachable and run the same command again; to forget it and remove its machines by hand, remove `{}`",
                run.folder.path().display()
            ),
        ));
    }
    if records.ever_started(Operation::Create, id::WORKLOAD) {
        run.reporter.warning(format!(
            "the bootstrap cluster is gone, and with it the objects of the half-made cluster: look in the infrastructure for machines named `{}-…` and remove them",
            run.name()
        ));
    }
    Ok(())
}
