//! This program against a vCenter that somebody else wrote: govmomi's simulator, behind a front that counts requests,
//! delays, breaks and rewrites them.

mod capv;
mod certificates;
mod checks;
mod commands;
mod conformance;
mod faults;
mod import;
mod speed;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::harness::{Ran, Sandbox, spec};
use crate::peer;

const USER: &str = "administrator@vsphere.local";
const PASSWORD: &str = "Tr1cky<&\"pass";

/// A running vcsim, with an inventory like the one that the specs name. It ends with its guard.
pub(crate) struct Vcsim {
    child: Child,
    address: String,
    control: String,
    thumbprint: String,
}

impl Drop for Vcsim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What has happened since the rules were set.
struct State {
    requests: Vec<String>,
    connections: u64,
    sessions: u64,
    rest_sessions: u64,
}

impl Vcsim {
    fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &[])
    }

    fn start_with(sandbox: &Sandbox, more: &[&str]) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = rcgen::generate_simple_self_signed(names).unwrap();
        Self::start_as(sandbox, &certificate.cert.pem(), &certificate.signing_key.serialize_pem(), PASSWORD, more)
    }

    fn start_as(sandbox: &Sandbox, certificate: &str, key: &str, password: &str, more: &[&str]) -> Self {
        let mut child = peer("vcsim", sandbox)
            .args(["-username", "administrator", "-password", password, "-tlscert"])
            .arg(sandbox.file("vcsim.pem", certificate))
            .arg("-tlskey")
            .arg(sandbox.file("vcsim.key", key))
            .arg("-folder")
            .arg(sandbox.path().join("datastores"))
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("vcsim says where it listens").unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        let (address, control, thumbprint) = (text("address"), text("control"), text("thumbprint"));
        Self { child, address, control, thumbprint }
    }

    /// What happens to requests from now on. Counting begins anew.
    fn rules(&self, rules: &Value) {
        self.ask("POST", "/rules", &rules.to_string());
    }

    fn state(&self) -> State {
        let state: Value = serde_json::from_str(&self.ask("GET", "/state", "")).unwrap();
        let number = |name: &str| state[name].as_u64().unwrap();
        State {
            requests: state["requests"]
                .as_array()
                .map_or(vec![], |all| all.iter().map(|line| line.as_str().unwrap().to_owned()).collect()),
            connections: number("connections"),
            sessions: number("sessions"),
            rest_sessions: number("restSessions"),
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        body.to_owned()
    }

    /// A spec that names it, with some of its parts replaced. A part that is not there fails the test.
    fn spec(&self, edits: &[(&str, &str)]) -> String {
        let whole = spec("vsphere-external-etcd.yaml")
            .replace("server: vcenter.example.com", &format!("server: {}", self.address))
            .replace("thumbprint: \"\"", &format!("thumbprint: \"{}\"", self.thumbprint));
        edits.iter().fold(whole, |text, (from, to)| {
            assert!(text.contains(from), "the spec has no {from:?}");
            text.replace(from, to)
        })
    }

    /// A preflight of such a spec, as JSON.
    fn preflight(&self, sandbox: &Sandbox, edits: &[(&str, &str)], code: i32) -> (Checks, Ran) {
        sandbox.file("spec.yaml", self.spec(edits));
        let ran = sandbox.run(PREFLIGHT).expect(code);
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}\n{}", ran.stdout, ran.stderr));
        (Checks(report["checks"].as_array().unwrap().clone()), ran)
    }

    /// Nobody but the set-up is logged in.
    #[track_caller]
    fn assert_no_session(&self) {
        let state = self.state();
        assert_eq!((state.sessions, state.rest_sessions), (0, 0), "sessions left behind after {:#?}", state.requests);
    }
}

const PREFLIGHT: [&str; 8] =
    ["preflight", "-f", "spec.yaml", "--bundles-override", "embedded:bundles.yaml", "--skip-ip-check", "-o", "json"];

/// The records of a preflight.
struct Checks(Vec<Value>);

impl Checks {
    #[track_caller]
    fn get(&self, id: &str) -> &Value {
        self.0.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {:#?}", self.0))
    }

    /// `ID: OUTCOME` of all that did not pass.
    fn not_passed(&self) -> Vec<String> {
        let others = self.0.iter().filter(|check| check["outcome"] != "passed");
        others.map(|check| format!("{}: {}", check["id"], check["outcome"]).replace('"', "")).collect()
    }
}

fn sandbox() -> Sandbox {
    sandbox_of(USER, PASSWORD)
}

/// A folder for somebody who works with a vCenter on this machine. No user's vCenter would be there: it takes a grant.
fn sandbox_of(user: &str, password: &str) -> Sandbox {
    let sandbox = Sandbox::new().env("EKSA_VSPHERE_USERNAME", user).env("EKSA_VSPHERE_PASSWORD", password);
    let settings = sandbox.path().join("home/.config/kedge");
    std::fs::create_dir_all(&settings).unwrap();
    let grant = "version = 1\n[addresses]\ngrant = ['127.0.0.0/8', '::1/128']\n";
    std::fs::write(settings.join("policy.toml"), grant).unwrap();
    sandbox
}

/// A rule that changes answers to requests.
fn replaces(matches: &str, from: &str, to: &str) -> Value {
    json!([{"match": matches, "replace": [[from, to]]}])
}
