//! Curated packages: their controller, which Helm installs from the release's chart, as EKS Anywhere has it installed.

mod values;

use kedge_cluster_api::api::Api;
use kedge_cluster_api::{ObjectId, TypeRef};

use crate::error::WorkflowError;
use crate::load::Prepared;
use crate::networking::helm::{Chart, Helm, Target};
use crate::options::Options;
use crate::run::Run;
use crate::step::Failure;

/// The installation's name, and the chart's.
const NAME: &str = "eks-anywhere-packages";
/// Where it is installed.
const NAMESPACE: &str = "eksa-packages";
/// What the chart makes one of for the cluster.
const CONTROLLER: TypeRef = TypeRef::of("packages.eks.amazonaws.com/v1alpha1", "PackageBundleController");

/// Whether the spec asks for them. A cluster that another one manages gets them from there; a rehearsal has no registry.
pub(crate) fn wanted(prepared: &Prepared, options: &Options) -> bool {
    let packages = prepared.cluster().spec.packages.as_ref();
    packages.is_some_and(|packages| !packages.disable) && prepared.cluster().is_self_managed() && !options.rehearsal
}

/// What would be installed, for people.
pub(crate) fn title(prepared: &Prepared) -> Option<String> {
    Some(format!("the chart {}", prepared.view.packages_chart()?))
}

/// Whether the controller of this cluster's packages is there.
pub(crate) async fn installed(api: &Api, cluster: &str) -> Result<bool, Failure> {
    let id = ObjectId::namespaced(CONTROLLER, NAMESPACE, cluster);
    Ok(api.serves(&id.kind).await? && api.get(&id).await?.is_some())
}

/// Installs it.
pub(crate) async fn install(run: &Run) -> Result<(), WorkflowError> {
    let (prepared, options) = (&run.prepared, &run.options);
    let reference = prepared.view.packages_chart().ok_or_else(|| WorkflowError::Input {
        message: format!("the release `{}` has no chart of curated packages", prepared.release.name()),
        help: "use another release, or set `spec.packages.disable: true`".into(),
    })?;
    let chart = Chart {
        reference,
        kubernetes: prepared.cluster().spec.kubernetes_version.to_string(),
        values: values::of(prepared.cluster(), prepared.view.mirror(), options)?,
    };
    let helm = Helm::find(prepared.cluster(), options, prepared.view.management_image("eksa.cliTools"))?;
    let file = run.folder.kubeconfig_file();
    let kubeconfig = run.folder.read(&file)?.unwrap_or_default();
    let path = std::path::absolute(run.folder.path_of(&file)).unwrap_or_else(|_| run.folder.path_of(&file));
    let target = Target { name: NAME, namespace: NAMESPACE, path: &path, kubeconfig: &kubeconfig };
    helm.install(&target, &chart, &options.interrupt).await
}
