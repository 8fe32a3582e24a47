//! A lab for a command: started in this process, or one that runs already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kedge_lab::{Connection, Fault, Lab, LabOptions};
use kedge_spec::{Source, Spec};
use kedge_workflow::SpecInput;

use crate::args::LabUse;
use crate::failure::Failure;
use crate::printer::Printer;

/// How long a lab that should be running gets to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A lab in use.
#[derive(Debug)]
pub(crate) struct UsedLab {
    pub(crate) connection: Connection,
    /// Present if it lives and ends with this process.
    own: Option<Lab>,
}

impl UsedLab {
    /// Whether what is made in it outlives this process.
    pub(crate) fn outlives(&self) -> bool {
        self.own.is_none()
    }

    pub(crate) async fn stop(self) {
        if let Some(lab) = self.own {
            lab.stop().await;
        }
    }
}

/// The lab that the flags ask for, if they ask for one.
///
/// Without a spec (a create that stopped before it kept one) the lab that is started has nothing of it in it.
pub(crate) async fn open(
    flags: &LabUse,
    spec: Option<&SpecInput>,
    printer: &Printer,
) -> Result<Option<UsedLab>, Failure> {
    let Some(place) = &flags.lab else {
        let shaped = flags.shape.lab_speed.is_some() || !flags.shape.lab_fault.is_empty();
        if shaped {
            return Err(Failure::usage(
                "`--lab-speed` and `--lab-fault` shape a lab, and no lab is used",
                "add `--lab`",
            ));
        }
        return Ok(None);
    };
    if let Some(path) = place {
        return running(path).await.map(Some);
    }
    let documents = match spec.map_or_else(|| Ok(Vec::new()), documents) {
        Ok(documents) => documents,
        // A spec that can't be read has no lab; what is wrong with it is for the command itself to say.
        Err(_) if flags.shape.lab_fault.iter().all(|f| f != "help") => return Ok(None),
        Err(_) => Vec::new(),
    };
    let name = cluster_name(&documents);
    if let Some(name) = &name {
        let path = connection_file(name);
        if let Ok(Some(connection)) = Connection::read(&path)
            && connection.is_alive(PATIENCE).await
        {
            printer.note(&format!(
                "using the lab that runs already (process {}, `{}`)",
                connection.pid,
                path.display()
            ));
            say_simulated(printer);
            return Ok(Some(UsedLab { connection, own: None }));
        }
    }
    let lab = start(documents, flags.shape.lab_speed, &flags.shape.lab_fault).await?;
    say_simulated(printer);
    Ok(Some(UsedLab { connection: lab.connection().clone(), own: Some(lab) }))
}

/// Starts a lab in this process.
pub(crate) async fn start(
    documents: Vec<serde_json::Value>,
    speed: Option<f64>,
    faults: &[String],
) -> Result<Lab, Failure> {
    if faults.iter().any(|fault| fault == "help") {
        return Err(Failure::usage("`--lab-fault` takes one of these", kedge_lab::fault::known()));
    }
    let faults = faults
        .iter()
        .map(|text| text.parse::<Fault>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::usage(error.to_string(), "`--lab-fault help` lists them with their arguments"))?;
    let options = LabOptions { documents, speed: speed.unwrap_or(f64::INFINITY), faults, ..LabOptions::default() };
    Lab::start(options).await.map_err(|error| Failure::environment(format!("the lab can't start: {error}")))
}

/// The documents of a spec.
pub(crate) fn documents(spec: &SpecInput) -> Result<Vec<serde_json::Value>, String> {
    let (name, text) = match spec {
        SpecInput::File(path) => {
            (path.display().to_string(), std::fs::read_to_string(path).map_err(|e| e.to_string())?)
        }
        SpecInput::Text { name, text } => (name.clone(), text.clone()),
    };
    let spec = Spec::parse(Source::new(name, text)).map_err(|rejected| rejected.to_string())?;
    Ok(spec.documents().iter().map(|document| document.body.clone()).collect())
}

/// The name of the Cluster among documents.
pub(crate) fn cluster_name(documents: &[serde_json::Value]) -> Option<String> {
    let cluster = documents.iter().find(|d| d.get("kind").and_then(|k| k.as_str()) == Some("Cluster"))?;
    cluster.pointer("/metadata/name")?.as_str().map(str::to_owned)
}

/// Where a served lab leaves its connection for the create of this cluster.
pub(crate) fn connection_file(cluster: &str) -> PathBuf {
    Path::new(cluster).join(".kedge").join("lab").join("connection.json")
}

async fn running(path: &Path) -> Result<UsedLab, Failure> {
    let help = "start one with `kedge lab serve -f FILE`, or use `--lab` alone for one in this process";
    let connection = Connection::read(path)
        .map_err(|error| Failure::environment_with(error.to_string(), help))?
        .ok_or_else(|| Failure::environment_with(format!("there is no lab at `{}`", path.display()), help))?;
    if !connection.is_alive(PATIENCE).await {
        return Err(Failure::environment_with(format!("the lab of `{}` does not answer", path.display()), help));
    }
    Ok(UsedLab { connection, own: None })
}

fn say_simulated(printer: &Printer) {
    printer.note("the infrastructure is simulated (lab): nothing real is created or changed");
}
