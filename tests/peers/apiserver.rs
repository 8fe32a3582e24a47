//! Real API servers as plain processes: etcd, kube-apiserver and the parts of kube-controller-manager that a management
//! cluster without nodes needs. Each on free ports, below a folder of its own, and gone with its guard.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a process may take to come up on a busy machine.
const UP_WITHIN: Duration = Duration::from_secs(120);

/// Users of an API server, each with a token of its own: requests are counted by user.
pub(crate) const USERS: [(&str, &str); 5] = [
    ("kedge", "system:masters"),
    ("clusterctl", "system:masters"),
    ("harness", "system:masters"),
    ("nobody", "no-group"),
    ("system:kube-controller-manager", ""),
];

/// A peer's path, or why the test can't run: the tier says so and counts it.
pub(crate) fn found(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var("KEDGE_PEERS").map_err(|_| "KEDGE_PEERS names no folder".to_owned())?;
    let path = Path::new(&folder).join(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built: run `tests/peers/build all`", path.display())) }
}

/// Processes that end with their guard.
#[derive(Default)]
pub(crate) struct Processes(Vec<(String, Child)>, Vec<(String, PathBuf, Again)>);

/// How a process is started another time.
type Again = (std::ffi::OsString, Vec<std::ffi::OsString>, Vec<(std::ffi::OsString, Option<std::ffi::OsString>)>, u32);

/// How often a process that ends is started again.
const TRIES: u32 = 5;

impl Processes {
    pub(crate) fn start(&mut self, name: &str, log: &Path, command: &mut Command) {
        let out = File::options().create(true).append(true).open(log).expect("a log file");
        let err = out.try_clone().expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("a peer starts");
        self.0.push((name.to_owned(), child));
        if !self.1.iter().any(|(n, ..)| n == name) {
            let own = |text: &std::ffi::OsStr| text.to_owned();
            let environment = command.get_envs().map(|(k, v)| (own(k), v.map(own))).collect();
            let again = (own(command.get_program()), command.get_args().map(own).collect(), environment, 0);
            self.1.push((name.to_owned(), log.to_owned(), again));
        }
    }

    /// Starts again what has ended by itself, as a node would: a manager may end once while its kinds are not served yet.
    pub(crate) fn start_again(&mut self) {
        let ended = |(name, child): &mut (String, Child)| child.try_wait().ok().flatten().map(|_| name.clone());
        let ended: Vec<String> = self.0.iter_mut().filter_map(ended).collect();
        for name in ended {
            self.0.retain(|(n, _)| *n != name);
            let Some((_, log, (program, args, environment, tries))) = self.1.iter_mut().find(|(n, ..)| *n == name)
            else {
                continue;
            };
            *tries += 1;
            assert!(*tries <= TRIES, "{name} ends again and again: see {}", log.display());
            let mut command = Command::new(&*program);
            command.args(&*args);
            for (key, value) in &*environment {
                match value {
                    Some(value) => command.env(key, value),
                    None => command.env_remove(key),
                };
            }
            let log = log.clone();
            self.start(&name, &log, &mut command);
        }
    }

    /// Ends one by force, as a machine that loses its power would.
    pub(crate) fn kill(&mut self, name: &str) {
        let at = self.0.iter().position(|(n, _)| n == name).expect("it runs");
        let (_, mut child) = self.0.remove(at);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Fails if one has ended by itself, and says what it said last.
    fn all_run(&mut self) {
        for (name, child) in &mut self.0 {
            if let Ok(Some(status)) = child.try_wait() {
                let log = self.1.iter().find(|(n, ..)| n == name).map(|(_, log, _)| std::fs::read_to_string(log));
                let log = log.and_then(Result::ok).unwrap_or_default();
                panic!("{name} ended: {status}: {}", log.lines().last().unwrap_or_default());
            }
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (_, child) in self.0.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One API server.
pub(crate) struct ApiServer {
    pub(crate) name: String,
    pub(crate) processes: Processes,
    dir: tempfile::TempDir,
    ca: String,
    ports: [u16; 3],
}

pub(crate) fn free_port() -> u16 {
    free_ports::<1>()[0]
}

fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    std::array::from_fn(|n| held[n].local_addr().expect("an address").port())
}

/// An address of this machine that is not loopback: endpoints may not name loopback addresses.
pub(crate) fn own_address() -> Result<IpAddr, String> {
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(|e| e.to_string())?;
    // No packet is sent: the kernel only chooses the way it would go.
    socket.connect("192.0.2.1:9").map_err(|e| format!("this machine has no address but loopback: {e}"))?;
    Ok(socket.local_addr().map_err(|e| e.to_string())?.ip())
}

impl ApiServer {
    /// Starts one and waits until it answers; or says why this machine can't.
    pub(crate) fn start(name: &str) -> Result<Self, String> {
        let programs = ["etcd", "kube-apiserver", "kube-controller-manager"].map(found);
        let [etcd, _, controllers] = programs;
        let (etcd, controllers) = (etcd?, controllers?);
        found("kube-apiserver")?;
        let dir = tempfile::Builder::new().prefix("kedge-peer-").tempdir().expect("a folder");
        let address = own_address()?.to_string();
        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc", &address].map(str::to_owned);
        let certificate = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let ca = certificate.cert.pem();
        std::fs::write(dir.path().join("tls.crt"), &ca).expect("written");
        std::fs::write(dir.path().join("tls.key"), certificate.signing_key.serialize_pem()).expect("written");
        let tokens: String = USERS
            .iter()
            .map(|(user, group)| match *group {
                "" => format!("{},{user},{user}\n", token(user)),
                group => format!("{},{user},{user},\"{group}\"\n", token(user)),
            })
            .collect();
        std::fs::write(dir.path().join("tokens.csv"), tokens).expect("written");
        std::fs::write(
            dir.path().join("audit.yaml"),
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\nrules:\n- {level: Metadata, users: [kedge, clusterctl]}\n- {level: None}\n",
        )
        .expect("written");
        let mut server =
            Self { name: name.to_owned(), processes: Processes::default(), dir, ca, ports: free_ports::<3>() };
        let [client, peer, _] = server.ports;
        let urls = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let mut command = Command::new(etcd);
        command.args(["--name", name, "--unsafe-no-fsync", "--quota-backend-bytes", "4294967296", "--data-dir"]);
        command.arg(server.path("etcd")).args(["--listen-client-urls", &urls.0, "--advertise-client-urls", &urls.0]);
        command.args(["--listen-peer-urls", &urls.1, "--initial-advertise-peer-urls", &urls.1]);
        command.args(["--initial-cluster", &format!("{name}={}", urls.1)]);
        let log = server.path("etcd.log");
        server.processes.start("etcd", &log, &mut command);
        server.start_api();

        let kubeconfig = server.kubeconfig("system:kube-controller-manager");
        let mut command = Command::new(controllers);
        command.arg("--kubeconfig").arg(kubeconfig).args([
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,clusterrole-aggregation-controller",
        ]);
        command.arg(format!("--service-account-private-key-file={}", server.path("tls.key").display()));
        let log = server.path("controllers.log");
        server.processes.start("kube-controller-manager", &log, &mut command);
        Ok(server)
    }

    /// Starts the API server on what etcd holds, and waits until it answers.
    pub(crate) fn start_api(&mut self) {
        let [etcd, _, port] = self.ports;
        let at = |file: &str| self.path(file).display().to_string();
        let mut command = Command::new(found("kube-apiserver").expect("it was there"));
        command.args([
            format!("--etcd-servers=http://127.0.0.1:{etcd}"),
            "--bind-address=0.0.0.0".to_owned(),
            format!("--secure-port={port}"),
            "--advertise-address=192.0.2.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--tls-cert-file={}", at("tls.crt")),
            format!("--tls-private-key-file={}", at("tls.key")),
            format!("--token-auth-file={}", at("tokens.csv")),
            // The certificate, because public keys of this form are read from no private key.
            format!("--service-account-key-file={}", at("tls.crt")),
            format!("--service-account-signing-key-file={}", at("tls.key")),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--enable-aggregator-routing=true".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--profiling=false".to_owned(),
            "--max-requests-inflight=800".to_owned(),
            "--max-mutating-requests-inflight=400".to_owned(),
            format!("--audit-policy-file={}", at("audit.yaml")),
            format!("--audit-log-path={}", at("audit.log")),
            "--audit-log-mode=blocking".to_owned(),
            "--audit-log-maxsize=2000".to_owned(),
        ]);
        let log = self.path("apiserver.log");
        self.processes.start("kube-apiserver", &log, &mut command);
        let client = self.client("harness");
        let begun = Instant::now();
        loop {
            self.processes.all_run();
            if client.try_get("/readyz").is_ok() {
                return;
            }
            assert!(begun.elapsed() < UP_WITHIN, "{} does not answer: see {}", self.name, log.display());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// A kubeconfig of a user.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.kubeconfig_with(user, &token(user))
    }

    /// A kubeconfig with a token.
    pub(crate) fn kubeconfig_with(&self, name: &str, token: &str) -> PathBuf {
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": {"server": self.server(), "certificate-authority-data": base64(self.ca.as_bytes())}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": name}}],
        });
        let path = self.path(&format!("{}.kubeconfig", name.replace(':', "-")));
        std::fs::write(&path, config.to_string()).expect("written");
        path
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(&self.server(), &self.ca, &token(user))
    }

    /// The requests of a user so far, by verb; what is no object is `discovery`.
    pub(crate) fn requests(&self, user: &str) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        let log = std::fs::read_to_string(self.path("audit.log")).unwrap_or_default();
        for line in log.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            if event["user"]["username"] != user {
                continue;
            }
            let verb = if event.get("objectRef").is_some() { event["verb"].as_str() } else { None };
            *counted.entry(verb.unwrap_or("discovery").to_owned()).or_default() += 1;
        }
        counted
    }

    pub(crate) fn count(&self, user: &str) -> usize {
        self.requests(user).values().sum()
    }
}

fn token(user: &str) -> String {
    format!("token-of-{}", user.replace(':', "-"))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let n = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            (0..4).map(move |i| if i <= chunk.len() { LETTERS[(n >> (18 - 6 * i)) as usize & 63] as char } else { '=' })
        })
        .collect()
}

/// What a test says to an API server itself.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    runtime: Arc<tokio::runtime::Runtime>,
    server: String,
    token: String,
}

pub(crate) type Refused = (u16, String);

impl Client {
    pub(crate) fn new(server: &str, ca: &str, token: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
        let http = reqwest::Client::builder().tls_certs_only([ca]).build().expect("a client");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        Self { http, runtime, server: server.to_owned(), token: token.to_owned() }
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Option<String>,
    ) -> Result<Value, Refused> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.server)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body);
        }
        let reply = request.send().await.map_err(|e| (0, e.to_string()))?;
        let status = reply.status();
        let text = reply.text().await.map_err(|e| (0, e.to_string()))?;
        if status.is_success() {
            Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
        } else {
            Err((status.as_u16(), text))
        }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn try_get(&self, path: &str) -> Result<Value, Refused> {
        self.block_on(self.ask("GET", path, "", None))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.try_get(path).unwrap_or_else(|(code, text)| panic!("GET {path}: {code} {text}"))
    }

    #[track_caller]
    pub(crate) fn items(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().expect("a list").clone()
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, object: &Value) -> Value {
        let answer = self.block_on(self.ask("POST", path, "application/json", Some(object.to_string())));
        answer.unwrap_or_else(|(code, text)| panic!("POST {path}: {code} {text}"))
    }

    #[track_caller]
    pub(crate) fn merge(&self, path: &str, patch: &Value) -> Value {
        let answer = self.block_on(self.ask("PATCH", path, "application/merge-patch+json", Some(patch.to_string())));
        answer.unwrap_or_else(|(code, text)| panic!("PATCH {path}: {code} {text}"))
    }

    /// Applies on the server's side, as `harness`.
    #[track_caller]
    pub(crate) fn apply(&self, path: &str, object: &Value) -> Value {
        let path = format!("{path}?fieldManager=harness&force=true");
        let answer = self.block_on(self.ask("PATCH", &path, "application/apply-patch+yaml", Some(object.to_string())));
        answer.unwrap_or_else(|(code, text)| panic!("apply {path}: {code} {text}"))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) {
        if let Err((code, text)) = self.block_on(self.ask("DELETE", path, "", None)) {
            assert_eq!(code, 404, "DELETE {path}: {text}");
        }
    }

    /// Asks again until it holds, within a bound.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, within: Duration, mut holds: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < within, "{what}: not after {within:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
