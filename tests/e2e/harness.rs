//! Runs the binary in a folder of its own with nothing of the caller's environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A folder that is removed at the end, and the binary run in it.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// What a run printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn from(output: &Output) -> Self {
        Self {
            // A signal has no code: -1 never equals a documented one.
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr.clone()).expect("standard error is UTF-8"),
        }
    }

    /// Fails the test unless the run ended with this code, and shows what it said.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), env: Vec::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file into the folder and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// A spec of `tests/specs`, copied here.
    pub(crate) fn spec(&self, name: &str) -> PathBuf {
        self.file(name, spec(name))
    }

    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kedge"));
        command.args(args).current_dir(self.path()).env_clear();
        command.env("HOME", self.path().join("home")).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::from(&self.command(args).output().expect("the binary starts"))
    }

    pub(crate) fn run_with_input<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("the binary starts");
        // The binary may refuse before it has read everything.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        Ran::from(&child.wait_with_output().expect("the binary ends"))
    }

    /// The names in the folder, sorted, without the given ones.
    pub(crate) fn left_behind(&self, known: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .expect("the folder can be read")
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|n| !known.contains(&n.as_str()))
            .collect();
        names.sort();
        names
    }
}

/// A spec of `tests/specs`.
pub(crate) fn spec(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A `kedge lab serve` that ends with its guard.
pub(crate) struct ServedLab {
    child: Child,
    /// The connection file, for `--lab=FILE`.
    pub(crate) connection: PathBuf,
}

impl ServedLab {
    /// Starts it and waits until it says that it serves.
    pub(crate) fn start(sandbox: &Sandbox, spec: &Path, more: &[&str]) -> Self {
        let connection = sandbox.path().join("lab.json");
        let mut args = vec!["lab", "serve", "-f", spec.to_str().expect("a plain path"), "--connection"];
        args.push(connection.to_str().expect("a plain path"));
        args.extend(more);
        let mut child = sandbox.command(args).spawn().expect("the lab starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("The lab is up") => break,
                Some(Ok(line)) => said.push(line),
                _ => {
                    let mut errors = String::new();
                    let _ = child.stderr.take().expect("a pipe").read_to_string(&mut errors);
                    panic!("the lab did not come up: {said:?}\n{errors}");
                }
            }
        }
        // Its output has to be read on, or it would block.
        std::thread::spawn(move || lines.for_each(drop));
        let errors = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || BufReader::new(errors).lines().for_each(drop));
        Self { child, connection }
    }

    /// The flag that uses it.
    pub(crate) fn flag(&self) -> String {
        format!("--lab={}", self.connection.display())
    }
}

impl Drop for ServedLab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What runs in a served lab, as its control API says.
pub(crate) fn lab_status(connection: &Path) -> serde_json::Value {
    let connection: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(connection).unwrap()).unwrap();
    let text = |key: &str| connection[key].as_str().unwrap().to_owned();
    let ca = reqwest::Certificate::from_pem(text("caPem").as_bytes()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        let request = client.get(format!("{}/v1/status", text("url"))).bearer_auth(text("token"));
        let reply = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    })
}
