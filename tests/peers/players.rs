//! Who plays the part of nodes: for each Deployment of cert-manager and Cluster API's providers the real program is started
//! as a process, with the service account's token, the certificate that cert-manager issued, and an endpoint that leads the
//! webhook's Service to it; then the Deployment is told to be available. Manifests and installers need not know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::apiserver::{ApiServer, Client, Processes, base64, found, free_port, own_address};

/// The program of an image.
const PROGRAMS: [(&str, &str); 5] = [
    ("cluster-api-controller", "capi-core"),
    ("kubeadm-bootstrap-controller", "capi-cabpk"),
    ("kubeadm-control-plane-controller", "capi-kcp"),
    ("capd-manager", "capi-capd"),
    ("cluster-api-vsphere-controller", "capv-manager"),
];
/// Those that are played only where somebody installed them.
const RARE: [&str; 1] = ["capv-manager"];

/// Flags of the manifests that a process sets itself.
const OWN_FLAGS: [&str; 5] =
    ["--leader-elect", "--diagnostics-address", "--insecure-diagnostics", "--webhook-", "--health-addr"];

/// Plays until it is dropped.
pub(crate) struct Players {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Players {
    /// Begins to play for a server; or says why this machine can't.
    pub(crate) fn start(server: &ApiServer) -> Result<Self, String> {
        for (_, program) in PROGRAMS.into_iter().filter(|(_, program)| !RARE.contains(program)) {
            found(program)?;
        }
        let mut stage = Stage {
            client: server.client("harness"),
            address: own_address()?.to_string(),
            server: server.server(),
            ca: server.ca().to_owned(),
            dir: server.path(""),
            processes: Processes::default(),
            playing: BTreeMap::new(),
            certificates: found("cert-manager")?,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                stage.look();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Players {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Stage {
    client: Client,
    address: String,
    server: String,
    ca: String,
    dir: PathBuf,
    processes: Processes,
    /// By namespace and name: where its health is asked for; none is one that is always well.
    playing: BTreeMap<String, Option<u16>>,
    certificates: PathBuf,
}

impl Stage {
    fn look(&mut self) {
        let path = "/apis/apps/v1/deployments?labelSelector=clusterctl.cluster.x-k8s.io";
        let Ok(list) = self.client.try_get(path) else { return };
        for deployment in list["items"].as_array().into_iter().flatten() {
            let part = |key: &str| deployment["metadata"][key].as_str().unwrap_or_default().to_owned();
            let (namespace, name) = (part("namespace"), part("name"));
            let key = format!("{namespace}/{name}");
            if !self.playing.contains_key(&key) {
                let health = if namespace == "cert-manager" {
                    self.play_certificates()
                } else {
                    self.play_provider(&namespace, &name, deployment).map(Some)
                };
                match health {
                    Some(health) => drop(self.playing.insert(key.clone(), health)),
                    None => continue,
                }
            }
            let well = self.playing[&key].is_none_or(healthy);
            let seen = deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"];
            if well && !seen {
                self.available(&namespace, &name, deployment);
            }
        }
        self.processes.start_again();
    }

    /// One process is all three of cert-manager's.
    fn play_certificates(&mut self) -> Option<Option<u16>> {
        if self.playing.keys().any(|key| key.starts_with("cert-manager/")) {
            return Some(None);
        }
        let service = "/api/v1/namespaces/cert-manager/services/cert-manager-webhook";
        let service = self.client.try_get(service).ok()?;
        self.client.try_get("/apis/cert-manager.io/v1/issuers").ok()?;
        let port = free_port();
        let mut command = Command::new(&self.certificates);
        command.args(["-webhook-port", &port.to_string()]);
        command.env("KUBECONFIG", self.kubeconfig("cert-manager", "token-of-harness"));
        let log = self.dir.join("cert-manager.log");
        self.processes.start("cert-manager", &log, &mut command);
        self.lead("cert-manager", &service, port);
        Some(None)
    }

    fn play_provider(&mut self, namespace: &str, name: &str, deployment: &Value) -> Option<u16> {
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let image = container["image"].as_str()?.rsplit('/').next()?.split(':').next()?;
        let (_, program) = PROGRAMS.into_iter().find(|(known, _)| *known == image)?;
        let secret = pod["volumes"].as_array()?.iter().find_map(|v| v["secret"]["secretName"].as_str())?;
        let secret = self.client.try_get(&format!("/api/v1/namespaces/{namespace}/secrets/{secret}")).ok()?;
        let services = self.client.try_get(&format!("/api/v1/namespaces/{namespace}/services")).ok()?;
        let named = |s: &&Value| s["metadata"]["name"].as_str().is_some_and(|n| n.contains("webhook"));
        let service = services["items"].as_array()?.iter().find(named)?.clone();
        let certificates = self.dir.join(format!("{program}-certificates"));
        std::fs::create_dir_all(&certificates).ok()?;
        for file in ["tls.crt", "tls.key"] {
            std::fs::write(certificates.join(file), decoded(secret["data"][file].as_str()?)).ok()?;
        }
        let account = pod["serviceAccountName"].as_str()?;
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}});
        let token =
            self.client.block_on(self.client.ask("POST", &path, "application/json", Some(wanted.to_string()))).ok()?;
        let kubeconfig = self.kubeconfig(program, token["status"]["token"].as_str()?);
        let [hook, health, diagnostics] = [free_port(), free_port(), free_port()];
        let mut command = Command::new(found(program).ok()?);
        let given = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        command.args(given.filter(|a| !OWN_FLAGS.iter().any(|own| a.starts_with(own))));
        command.args([
            "--leader-elect=false".to_owned(),
            format!("--diagnostics-address=127.0.0.1:{diagnostics}"),
            "--insecure-diagnostics=true".to_owned(),
            format!("--webhook-port={hook}"),
            format!("--webhook-cert-dir={}", certificates.display()),
            format!("--health-addr=127.0.0.1:{health}"),
        ]);
        if let Some(credentials) = self.credentials(namespace, pod, &certificates) {
            command.arg(format!("--credentials-file={}", credentials.display()));
        }
        command.env("KUBECONFIG", kubeconfig).env("POD_NAMESPACE", namespace).env("POD_NAME", name);
        command.env("POD_UID", "00000000-0000-0000-0000-000000000000").env("POD_IP", "127.0.0.1");
        let log = self.dir.join(format!("{program}.log"));
        self.processes.start(program, &log, &mut command);
        self.lead(namespace, &service, hook);
        Some(health)
    }

    /// The file of credentials that a provider brings besides its certificate, if it does.
    fn credentials(&self, namespace: &str, pod: &Value, folder: &std::path::Path) -> Option<PathBuf> {
        const FILE: &str = "credentials.yaml";
        let secrets = pod["volumes"].as_array()?.iter().filter_map(|v| v["secret"]["secretName"].as_str());
        let text = secrets.skip(1).find_map(|secret| {
            let secret = self.client.try_get(&format!("/api/v1/namespaces/{namespace}/secrets/{secret}")).ok()?;
            Some(decoded(secret["data"][FILE].as_str()?))
        })?;
        let path = folder.join(FILE);
        std::fs::write(&path, text).ok()?;
        Some(path)
    }

    /// Leads a Service to a process of this machine.
    fn lead(&self, namespace: &str, service: &Value, port: u16) {
        let name = service["metadata"]["name"].as_str().unwrap_or_default();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{name}-process"), "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": true}}],
            "ports": [{"name": service["spec"]["ports"][0]["name"].as_str().unwrap_or_default(), "protocol": "TCP", "port": port}],
        });
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}-process");
        self.client.apply(&path, &slice);
    }

    fn available(&self, namespace: &str, name: &str, deployment: &Value) {
        let status = json!({"status": {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [{"type": "Available", "status": "True", "reason": "Played", "message": "by a process"}],
        }});
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status");
        let patch = self.client.ask("PATCH", &path, "application/merge-patch+json", Some(status.to_string()));
        let _ = self.client.block_on(patch);
    }

    fn kubeconfig(&self, name: &str, token: &str) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": self.server, "certificate-authority-data": base64(self.ca.as_bytes())}}],
            "users": [{"name": "x", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        });
        let path = self.dir.join(format!("{name}.process.kubeconfig"));
        std::fs::write(&path, config.to_string()).expect("written");
        path
    }
}

/// Whether a manager says that it is ready, its webhooks included.
fn healthy(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let asked = stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.split(' ').nth(1) == Some("200")
}

fn decoded(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|b| *b != b'=').map(value).collect();
    let bytes = letters.chunks(4).flat_map(|chunk| {
        let n = chunk.iter().fold(0_u32, |n, v| n << 6 | u32::from(*v)) << (6 * (4 - chunk.len()));
        (0..chunk.len().saturating_sub(1)).map(move |i| (n >> (16 - 8 * i)) as u8)
    });
    bytes.collect()
}
