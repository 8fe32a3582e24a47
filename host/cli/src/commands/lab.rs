//! `kedge lab serve`: the embedded infrastructure, left running.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kedge_lab::Lab;
use kedge_workflow::{Interrupt, SpecInput, commands};

use crate::args::{LabServeArgs, LabUse};
use crate::failure::Failure;
use crate::labs;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::setup::{self, DefaultRelease};
use crate::views;

/// How often the list of clusters is looked at for new ones.
const LOOK: Duration = Duration::from_millis(250);

/// A spec that the lab is filled from.
struct Filling {
    file: PathBuf,
    spec: SpecInput,
    cluster: String,
}

pub(crate) async fn run(args: LabServeArgs, printer: &Arc<Printer>) -> Result<(), Failure> {
    let (mut fillings, mut documents) = (Vec::new(), Vec::new());
    for file in &args.filename {
        let spec = setup::spec_input(file)?;
        // The spec has to be a good one: what it names is what the lab holds.
        let mut options = setup::without_spec(&args.release, &args.plugins, DefaultRelease::Embedded, printer)?;
        options.spec = Some(spec.clone());
        let cluster = commands::validate(&options, &Progress::without_lines(printer)).await?.cluster;
        documents.extend(labs::documents(&spec).map_err(Failure::environment)?);
        fillings.push(Filling { file: file.clone(), spec, cluster });
    }
    let paths = match &args.connection {
        Some(path) => vec![path.clone()],
        None => fillings.iter().map(|filling| labs::connection_file(&filling.cluster)).collect(),
    };
    for path in &paths {
        if let Ok(Some(other)) = kedge_lab::Connection::read(path)
            && other.is_alive(Duration::from_secs(3)).await
        {
            return Err(Failure::environment_with(
                format!("a lab for the connection file `{}` runs already (process {})", path.display(), other.pid),
                "end it with Ctrl-C where it runs, or name another file with `--connection`",
            ));
        }
    }
    let lab = labs::start(documents, args.shape.lab_speed, &args.shape.lab_fault).await?;
    let interrupt = setup::interrupt_on_signals(printer);
    let served = serve(&args, &fillings, &paths, &lab, &interrupt, printer).await;
    lab.stop().await;
    for path in paths {
        // They are gone with the lab; a file that some other program removed is none of this one's affair.
        let _ = std::fs::remove_file(path);
    }
    served
}

async fn serve(
    args: &LabServeArgs,
    fillings: &[Filling],
    paths: &[PathBuf],
    lab: &Lab,
    interrupt: &Interrupt,
    printer: &Arc<Printer>,
) -> Result<(), Failure> {
    let connection = lab.connection();
    for path in paths {
        let folder = path.parent().unwrap_or(Path::new(""));
        let failed =
            |error: std::io::Error| Failure::environment(format!("`{}` can't be made: {error}", folder.display()));
        if !folder.as_os_str().is_empty() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        connection.write(path).map_err(|error| Failure::environment(error.to_string()))?;
    }
    let Some(path) = paths.first() else { return Ok(()) };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let files: Vec<&Path> = fillings.iter().map(|filling| filling.file.as_path()).collect();
    printer.raw(&views::lab_up(&files, path, connection));
    let mut shown = BTreeSet::new();
    show_new_clusters(lab, &folder, &mut shown, printer).await?;
    if args.create {
        for filling in fillings {
            let flags = LabUse { lab: Some(Some(path.clone())), ..LabUse::default() };
            create(args, filling, flags, interrupt, printer).await?;
        }
    }
    printer.line("Ctrl-C ends the lab and all that is in it");
    let mut ticks = tokio::time::interval(LOOK);
    while interrupt.unless_asked(ticks.tick()).await.is_some() {
        show_new_clusters(lab, &folder, &mut shown, printer).await?;
    }
    for file in shown {
        let _ = std::fs::remove_file(kubeconfig_file(&folder, &file));
    }
    Ok(())
}

/// Runs the create that `--create` asks for in this process, against the lab as any other process would.
async fn create(
    args: &LabServeArgs,
    filling: &Filling,
    flags: LabUse,
    interrupt: &Interrupt,
    printer: &Arc<Printer>,
) -> Result<(), Failure> {
    let mut options = setup::without_spec(&args.release, &args.plugins, DefaultRelease::Embedded, printer)?;
    options.spec = Some(filling.spec.clone());
    options.interrupt = interrupt.clone();
    if let Some(lab) = labs::open(&flags, Some(&filling.spec), printer).await? {
        setup::use_lab(&mut options, &lab.connection).await?;
    }
    let outcome = commands::create(&options, Arc::new(Progress::with_lines(printer))).await?;
    printer.clear();
    views::created(printer, &outcome, false);
    Ok(())
}

async fn show_new_clusters(
    lab: &Lab,
    folder: &Path,
    shown: &mut BTreeSet<String>,
    printer: &Printer,
) -> Result<(), Failure> {
    for cluster in lab.clusters().await {
        let id = format!("{}-{}", cluster.name, cluster.role);
        if shown.contains(&id) {
            continue;
        }
        let path = kubeconfig_file(folder, &id);
        write_private(&path, &cluster.kubeconfig)
            .map_err(|error| Failure::environment(format!("`{}` can't be written: {error}", path.display())))?;
        printer.line(&format!(
            "{} cluster `{}` at {}: kubectl --kubeconfig {}",
            cluster.role,
            cluster.name,
            cluster.url,
            path.display()
        ));
        shown.insert(id);
    }
    Ok(())
}

fn kubeconfig_file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.kubeconfig"))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
