//! A container engine on a Unix socket: as much of the API as a bootstrap cluster needs, and faults on request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What the engine holds, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    /// Containers by name: their creation body, and whether they run.
    pub(crate) containers: BTreeMap<String, (Value, bool)>,
    pub(crate) images: Vec<String>,
    /// `METHOD /path` of each request, without version and query.
    pub(crate) requests: Vec<String>,
    /// Answers in place of the engine's own: the first that fits a request's method and path is used, and used up.
    pub(crate) faults: Vec<Fault>,
    /// How programs on nodes end: exit code and what they say on standard error, by a word of their command.
    pub(crate) programs: Vec<(&'static str, i64, &'static str)>,
    /// The commands that were run, whole.
    pub(crate) commands: Vec<String>,
    /// What programs were given to read, one for each command.
    pub(crate) inputs: Vec<String>,
    execs: Vec<Value>,
    networks: Vec<Value>,
    info: Value,
}

pub(crate) struct Fault {
    pub(crate) request: &'static str,
    pub(crate) status: u16,
    pub(crate) message: String,
}

/// A running engine. Its socket goes with it.
pub(crate) struct Engine {
    folder: tempfile::TempDir,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let info = json!({"OSType": "linux", "MemTotal": 16_000_000_000_i64, "CgroupVersion": "2", "Driver": "overlay2",
            "DockerRootDir": "/nonexistent", "SecurityOptions": ["name=seccomp,profile=default"], "ServerVersion": "27.0"});
        let state = Arc::new(Mutex::new(State { info, images: vec!["node:1".into()], ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &state).await });
            }
        });
        Self { folder, state }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(crate) fn fault(&self, request: &'static str, status: u16, message: &str) {
        self.with(|s| s.faults.push(Fault { request, status, message: message.into() }));
    }

    pub(crate) fn info(&self, field: &str, value: Value) {
        self.with(|s| s.info[field] = value);
    }

    pub(crate) fn asked(&self, request: &str) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|r| r.starts_with(request)).count()
    }
}

enum Reply {
    Json(u16, Value),
    /// Frames of a program's output: stream (1 or 2) and text.
    Stream(u16, Vec<(u8, String)>),
}

async fn serve(mut stream: UnixStream, state: &Mutex<State>) {
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        let mut piece = [0; 4096];
        let Ok(n @ 1..) = stream.read(&mut piece).await else { return };
        bytes.extend_from_slice(&piece[..n]);
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..at]).into_owned(), bytes[at + 4..].to_vec());
        }
    };
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while body.len() < length.unwrap_or(0) {
        let mut piece = [0; 4096];
        let Ok(n @ 1..) = stream.read(&mut piece).await else { return };
        body.extend_from_slice(&piece[..n]);
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = match path.strip_prefix("/v") {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => &rest[rest.find('/').unwrap()..],
        _ => path,
    };
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let reply = state.lock().unwrap().answer(&format!("{method} {path}"), query, &body);
    let text = match reply {
        Reply::Json(status, Value::Null) => {
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
        }
        Reply::Json(status, value) => {
            let body = value.to_string();
            format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
        }
        Reply::Stream(status, frames) => {
            let upgrade =
                if status == 101 { "connection: Upgrade\r\nupgrade: tcp\r\n" } else { "connection: close\r\n" };
            let mut out = format!("HTTP/1.1 {status} x\r\n{upgrade}\r\n").into_bytes();
            for (to, text) in frames {
                out.extend_from_slice(&[to, 0, 0, 0]);
                out.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            out
        }
    };
    drop(stream.write_all(&text).await);
    let reads =
        |s: &State| s.execs.get(path.split('/').nth(2)?.get(1..)?.parse::<usize>().ok()?)?["AttachStdin"].as_bool();
    if head.contains("Upgrade") && reads(&state.lock().unwrap()) == Some(true) {
        // What goes to a program, up to the end of it.
        let mut input = String::new();
        drop(stream.read_to_string(&mut input).await);
        state.lock().unwrap().inputs.push(input);
    }
    drop(stream.shutdown().await);
}

fn error(status: u16, message: &str) -> Reply {
    Reply::Json(status, json!({"message": message}))
}

impl State {
    fn answer(&mut self, request: &str, query: &str, body: &Value) -> Reply {
        self.requests.push(request.to_owned());
        if let Some(at) = self.faults.iter().position(|f| request.starts_with(f.request)) {
            let fault = self.faults.remove(at);
            return error(fault.status, &fault.message);
        }
        let parameter =
            |name: &str| query.split('&').find_map(|p| p.strip_prefix(&format!("{name}="))).unwrap_or("").to_owned();
        let parts: Vec<&str> = request.split(['/', ' ']).filter(|p| !p.is_empty()).collect();
        match parts.as_slice() {
            ["GET", "version"] => Reply::Json(200, json!({"Version": "27.0", "ApiVersion": "1.47"})),
            ["GET", "info"] => Reply::Json(200, self.info.clone()),
            ["GET", "networks"] => Reply::Json(200, self.networks.clone().into()),
            ["GET", "networks", id] => match self.networks.iter().find(|n| n["Id"] == *id) {
                Some(network) => Reply::Json(200, network.clone()),
                None => error(404, "network not found"),
            },
            ["POST", "networks", "create"] => {
                self.networks
                    .push(json!({"Id": "n1", "Name": body["Name"], "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]}}));
                Reply::Json(201, json!({"Id": "n1", "Warning": ""}))
            }
            ["GET", "images", .., "json"] => {
                let name = request.trim_start_matches("GET /images/").trim_end_matches("/json");
                if self.images.iter().any(|i| i == name) {
                    Reply::Json(
                        200,
                        json!({"Id": "sha256:1", "RepoDigests": ["node@sha256:aa"], "Config": {"Entrypoint": ["/entry"], "Cmd": ["init"]}}),
                    )
                } else {
                    error(404, &format!("No such image: {name}"))
                }
            }
            ["POST", "images", "create"] => {
                let name = parameter("fromImage").replace("%3A", ":");
                self.images.push(name);
                Reply::Json(
                    200,
                    json!({"id": "layer", "status": "Downloading", "progressDetail": {"current": 5, "total": 10}}),
                )
            }
            ["GET", "containers", "json"] => {
                let listed = self.containers.iter().map(|(name, (body, running))| {
                    json!({"Id": name, "Names": [format!("/{name}")], "Labels": body["Labels"], "State": if *running { "running" } else { "exited" }})
                });
                Reply::Json(200, listed.collect())
            }
            ["POST", "containers", "create"] => {
                self.containers.insert(parameter("name"), (body.clone(), false));
                Reply::Json(201, json!({"Id": "c1", "Warnings": []}))
            }
            ["POST", "containers", name, "start"] => match self.containers.get_mut(*name) {
                Some(container) => {
                    container.1 = true;
                    Reply::Json(204, Value::Null)
                }
                None => error(404, "No such container"),
            },
            ["GET", "containers", name, "json"] => match self.containers.get(*name) {
                Some((body, running)) => Reply::Json(
                    200,
                    json!({
                        "Id": name, "State": {"Running": running}, "Config": {"Labels": body["Labels"]},
                        "NetworkSettings": {"Networks": {"kind": {"NetworkID": "n1", "IPAddress": "172.18.0.2"}},
                            "Ports": body["HostConfig"]["PortBindings"]},
                    }),
                ),
                None => error(404, "No such container"),
            },
            ["GET", "containers", _, "logs"] => {
                Reply::Stream(200, vec![(1, "[  OK  ] Reached target multi-user.target - Multi-User System.\n".into())])
            }
            ["DELETE", "containers", name] => {
                assert_eq!((parameter("v"), parameter("force")), ("true".into(), "true".into()), "volumes go too");
                match self.containers.remove(*name) {
                    Some(_) => Reply::Json(204, Value::Null),
                    None => error(404, "No such container"),
                }
            }
            ["POST", "containers", _, "exec"] => {
                self.execs.push(body.clone());
                Reply::Json(201, json!({"Id": format!("e{}", self.execs.len() - 1)}))
            }
            ["POST", "exec", id, "start"] => {
                let (command, ended) = self.program(id);
                let out = if command.contains("/kind/version") { "v1.34.1" } else { "" };
                self.commands.push(command);
                Reply::Stream(101, vec![(1, out.to_owned()), (2, ended.1.to_owned())])
            }
            ["GET", "exec", id, "json"] => Reply::Json(200, json!({"ExitCode": self.program(id).1.0})),
            _ => error(501, &format!("the test's engine has no answer to {request}")),
        }
    }

    fn program(&self, id: &str) -> (String, (i64, &'static str)) {
        let exec = &self.execs[id[1..].parse::<usize>().unwrap()];
        let command: Vec<&str> = exec["Cmd"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let command = command.join(" ");
        let ended = self.programs.iter().find(|(word, _, _)| command.contains(word)).map_or((0, ""), |p| (p.1, p.2));
        (command, ended)
    }
}
