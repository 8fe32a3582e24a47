//! Serves one simulated Kubernetes API until it is interrupted; writes its kubeconfig to the file named first.

use std::io::Write as _;

use kedge_lab::kube::{ClusterConfig, KubeCluster};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: serve_kube KUBECONFIG [NAME]")?;
    let name = arguments.next().unwrap_or_else(|| "lab".to_owned());
    let cluster = KubeCluster::start(ClusterConfig::new(&name, "v1.34.1")).await?;
    std::fs::write(&file, cluster.kubeconfig(&name))?;
    writeln!(std::io::stdout(), "{}", cluster.url())?;
    tokio::signal::ctrl_c().await?;
    cluster.stop().await;
    Ok(())
}
