use std::time::Duration;

use serde_json::{Value, json};

use super::client::call;
use crate::{Connection, Fault, Lab, LabOptions};

const PATIENCE: Duration = Duration::from_secs(5);

fn spec() -> Vec<Value> {
    vec![
        json!({"kind": "Cluster", "metadata": {"name": "prod"}, "spec": {"kubernetesVersion": "1.34",
            "controlPlaneConfiguration": {"machineGroupRef": {"name": "cp"}}}}),
        json!({"kind": "VSphereDatacenterConfig", "spec": {"datacenter": "DC", "network": "net", "server": "vcenter.example.com:8443"}}),
        json!({"kind": "VSphereMachineConfig", "metadata": {"name": "cp"}, "spec": {"datastore": "s", "resourcePool": "*/Resources",
            "template": "t", "osFamily": "ubuntu"}}),
    ]
}

async fn lab(documents: Vec<Value>) -> Lab {
    Lab::start(LabOptions { documents, speed: f64::INFINITY, ..LabOptions::default() }).await.unwrap()
}

#[tokio::test]
async fn a_bootstrap_cluster_is_handed_out_once_and_taken_away() {
    let lab = lab(Vec::new()).await;
    let connection = lab.connection();
    assert_eq!(call(connection, "GET", "/v1/bootstrap/prod").await.unwrap().0, 404);
    // Two at a time get the same one.
    let (first, second) =
        tokio::join!(call(connection, "PUT", "/v1/bootstrap/prod"), call(connection, "PUT", "/v1/bootstrap/prod"));
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut codes = [first.0, second.0];
    codes.sort_unstable();
    assert_eq!(codes, [200, 201]);
    let kubeconfig =
        |body: &str| serde_json::from_str::<Value>(body).unwrap()["kubeconfig"].as_str().unwrap().to_owned();
    assert!(!kubeconfig(&first.1).is_empty());
    assert_eq!(lab.clusters().await.len(), 1);
    let url = lab.clusters().await[0].url.clone();
    assert!(kubeconfig(&first.1).contains(&url) && kubeconfig(&second.1).contains(&url));
    assert_eq!(call(connection, "GET", "/v1/bootstrap/prod").await.unwrap().0, 200);

    let status = connection.status(PATIENCE).await.unwrap();
    assert_eq!((status.clusters[0].name.as_str(), status.clusters[0].role.as_str()), ("prod", "bootstrap"));
    assert_eq!(status, lab.status().await);

    assert_eq!(call(connection, "DELETE", "/v1/bootstrap/prod").await.unwrap().0, 200);
    assert_eq!(call(connection, "DELETE", "/v1/bootstrap/prod").await.unwrap().0, 404);
    assert!(lab.clusters().await.is_empty());
    let address: std::net::SocketAddr = url.trim_start_matches("https://").parse().unwrap();
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "the API of a cluster that was taken away still answers"
    );
    lab.stop().await;
}

#[tokio::test]
async fn nothing_is_said_without_the_token() {
    let lab = lab(Vec::new()).await;
    for token in ["", "wrong", &lab.connection().token[1..]] {
        let stranger = Connection { token: token.to_owned(), ..lab.connection().clone() };
        for (method, path) in [("GET", "/v1/status"), ("PUT", "/v1/bootstrap/prod"), ("GET", "/nope")] {
            let (code, body) = call(&stranger, method, path).await.unwrap();
            assert_eq!(code, 401);
            assert!(body.contains("bearer token"), "{body}");
        }
        assert!(!stranger.is_alive(PATIENCE).await);
    }
    assert!(lab.clusters().await.is_empty());
    lab.stop().await;
}

#[tokio::test]
async fn requests_that_mean_nothing_are_refused_in_words() {
    let lab = lab(Vec::new()).await;
    for (method, path, expected) in [
        ("GET", "/v1/nope", 404),
        ("POST", "/v1/status", 405),
        ("POST", "/v1/bootstrap/prod", 405),
        ("PUT", "/v1/bootstrap/", 400),
        ("PUT", "/v1/bootstrap/a/b", 400),
        ("PUT", "/v1/bootstrap/a%20b", 400),
    ] {
        let (code, body) = call(lab.connection(), method, path).await.unwrap();
        assert_eq!(code, expected, "{method} {path}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["error"].is_string(), "{body}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn the_connection_says_all_that_a_client_needs() {
    let lab = lab(spec()).await;
    let connection = lab.connection();
    assert_eq!(connection.pid, std::process::id());
    let endpoint = &connection.endpoints["vcenter.example.com:8443"];
    assert_eq!(Some(endpoint.address), lab.vcenter().map(crate::vcenter::Vcenter::address));
    assert_eq!(connection.credentials["EKSA_VSPHERE_USERNAME"], "administrator@vsphere.local");
    let password = &connection.credentials["EKSA_VSPHERE_PASSWORD"];
    assert!(password.len() > 20);
    let status = lab.status().await.vcenter.unwrap();
    assert_eq!((status.servers, status.open_sessions), (vec!["vcenter.example.com:8443".to_owned()], 0));
    let shown = format!("{connection:?}");
    assert!(!shown.contains(password.as_str()) && !shown.contains(&connection.token), "{shown}");

    let other = self::lab(spec()).await;
    assert_ne!(other.connection().credentials, connection.credentials);
    assert_ne!(other.connection().token, connection.token);
    other.stop().await;
    lab.stop().await;
}

#[tokio::test]
async fn a_spec_without_a_server_has_a_lab_without_a_vcenter() {
    let lab = lab(vec![
        json!({"kind": "Cluster", "spec": {"kubernetesVersion": "1.34"}}),
        json!({"kind": "DockerDatacenterConfig"}),
    ])
    .await;
    assert!(lab.vcenter().is_none());
    assert!(lab.connection().endpoints.is_empty() && lab.connection().credentials.is_empty());
    assert_eq!(lab.status().await.vcenter, None);
    lab.stop().await;
}

#[tokio::test]
async fn faults_reach_the_vcenter() {
    let options = LabOptions { documents: spec(), faults: vec![Fault::VcenterUntrusted], ..LabOptions::default() };
    let lab = Lab::start(options).await.unwrap();
    assert_eq!(lab.connection().endpoints["vcenter.example.com:8443"].ca_pem, None);
    lab.stop().await;
}

#[tokio::test]
async fn a_connection_can_be_left_in_a_file_for_another_process() {
    let folder = std::env::temp_dir().join(format!("kedge-lab-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("lab.json");
    assert!(Connection::read(&path).unwrap().is_none());

    let lab = lab(spec()).await;
    lab.connection().write(&path).unwrap();
    let read = Connection::read(&path).unwrap().unwrap();
    assert_eq!(&read, lab.connection());
    assert!(read.is_alive(PATIENCE).await);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing unfinished is left");
    lab.stop().await;
    assert!(!read.is_alive(PATIENCE).await);

    std::fs::write(&path, "{}").unwrap();
    assert!(Connection::read(&path).unwrap_err().to_string().contains("does not describe a running lab"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_stopped_lab_leaves_no_listener() {
    let lab = lab(spec()).await;
    call(lab.connection(), "PUT", "/v1/bootstrap/prod").await.unwrap();
    let mut urls: Vec<String> = lab.clusters().await.into_iter().map(|cluster| cluster.url).collect();
    urls.push(lab.connection().url.clone());
    urls.extend(lab.vcenter().map(crate::vcenter::Vcenter::url));
    assert_eq!(urls.len(), 3);
    let addresses: Vec<std::net::SocketAddr> =
        urls.iter().map(|url| url.trim_start_matches("https://").parse().unwrap()).collect();
    lab.stop().await;
    for address in addresses {
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "{address} still answers");
    }
}
