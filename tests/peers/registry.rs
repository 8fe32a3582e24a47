//! A stock Docker registry, with TLS, with and without a login, and crane as the referee: what one pushes the other pulls.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::Sandbox;
use crate::{peer, skipped, succeeds};

/// The password of `me`, in the registry's own form.
const PASSWORD: &str = "hunter2hunter2";
const HTPASSWD: &str = "me:$2y$05$T48aF7WlUXMeFlj64RcIYO4EhagXg92TBGI0DRTU5huT/OhSwkJMe\n";

/// Debian's `docker-registry`, on a free port, in a folder of its own. It ends with its guard.
struct Registry {
    child: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// None if this machine has no such program.
    fn start(sandbox: &Sandbox, login: bool, test: &str) -> Option<Self> {
        let program = Path::new("/usr/bin/docker-registry");
        if !program.exists() {
            skipped(test, "there is no `docker-registry` (a package of Debian)");
            return None;
        }
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        sandbox.file("ca.pem", issuer.pem());
        sandbox.file("cert.pem", leaf.pem());
        sandbox.file("key.pem", key.serialize_pem());
        sandbox.file("htpasswd", HTPASSWD);
        let at = |name: &str| sandbox.path().join(name).display().to_string();
        // The registry picks a port by itself, and says which in its log.
        let auth = if login {
            format!("auth:\n  htpasswd:\n    realm: tests\n    path: {}\n", at("htpasswd"))
        } else {
            String::new()
        };
        let config = format!(
            "version: 0.1\nlog:\n  level: info\n  formatter: json\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n  tls:\n    certificate: {}\n    key: {}\n{auth}",
            at("storage"),
            at("cert.pem"),
            at("key.pem"),
        );
        let config = sandbox.file("registry.yml", config);
        let mut child = Command::new(program)
            .arg("serve")
            .arg(config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the registry starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        let port = loop {
            let line = lines.next().unwrap_or_else(|| panic!("the registry ended: {said:#?}")).unwrap();
            let text = serde_json::from_str::<Value>(&line).ok().and_then(|l| l["msg"].as_str().map(str::to_owned));
            if let Some(port) = text.as_deref().and_then(|t| t.strip_prefix("listening on 127.0.0.1:")) {
                break port.split(',').next().unwrap().to_owned();
            }
            said.push(line);
        };
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address: format!("localhost:{port}") })
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/acme/{rest}", self.address)
    }
}

/// The program with what it needs to know of the registry.
fn kedge(sandbox: &Sandbox, args: &[&str]) -> crate::harness::Ran {
    let ca = sandbox.path().join("ca.pem").display().to_string();
    sandbox.run(args.iter().map(|a| (*a).to_owned()).chain(["--registry-ca".to_owned(), ca]))
}

fn referee(name: &str, sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = peer(name, sandbox);
    command.env("SSL_CERT_FILE", sandbox.path().join("ca.pem")).args(args);
    command
}

fn login(sandbox: &Sandbox, registry: &Registry) {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("me:{PASSWORD}"));
    std::fs::create_dir_all(sandbox.path().join("home/.docker")).unwrap();
    sandbox.file("home/.docker/config.json", format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address));
}

fn component(sandbox: &Sandbox) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_kedge")).parent().and_then(Path::parent).unwrap();
    let built = target.join("plugins/wasm32-wasip2/component/kedge_plugin_docker.wasm");
    sandbox.file("lab.wasm", std::fs::read(&built).unwrap_or_else(|e| panic!("{}: {e}", built.display())))
}

#[test]
fn what_kedge_pushes_crane_pulls_with_and_without_a_login() {
    for wanted in [false, true] {
        let sandbox = Sandbox::new();
        let Some(registry) = Registry::start(&sandbox, wanted, "registry::crane") else { return };
        let wasm = std::fs::read(component(&sandbox)).unwrap();
        let name = registry.name("lab:1");
        if wanted {
            let denied = kedge(&sandbox, &["plugin", "push", "lab.wasm", &name]).expect(3);
            assert!(denied.stderr.contains("docker login"), "{}", denied.stderr);
            login(&sandbox, &registry);
        }
        // Who does not know the authority does not talk to it.
        let strange = sandbox.run(["plugin", "push", "lab.wasm", &name]).expect(3);
        assert!(strange.stderr.contains("--registry-ca"), "{}", strange.stderr);
        let pushed = kedge(&sandbox, &["plugin", "push", "lab.wasm", &name, "-o", "json"]).expect(0);
        let pushed: Value = serde_json::from_str(&pushed.stdout).unwrap();
        let crane = |args: &[&str]| succeeds(&mut referee("crane", &sandbox, args));
        assert_eq!(crane(&["digest", &name]).trim(), pushed["manifest"].as_str().unwrap());
        crane(&["validate", "--remote", &name, "--fast"]);
        let blob = referee(
            "crane",
            &sandbox,
            &["blob", &registry.name(&format!("lab@{}", pushed["digest"].as_str().unwrap()))],
        )
        .output()
        .unwrap();
        assert_eq!(blob.stdout, wasm);

        // And the other way: a copy that crane makes, by tag and by digest, and a layout that it writes.
        crane(&["copy", &name, &registry.name("copy:2")]);
        kedge(&sandbox, &["plugin", "pull", &registry.name("copy:2"), "-f", "copy.wasm"]).expect(0);
        assert_eq!(std::fs::read(sandbox.path().join("copy.wasm")).unwrap(), wasm);
        let by_digest = pushed["reference"].as_str().unwrap();
        crane(&["pull", "--format=oci", by_digest, "layout"]);
        sandbox.run(["plugin", "install", by_digest, "--offline", "layout", "--yes"]).expect(0);
        sandbox.run(["plugin", "verify", "docker"]).expect(0);
        // What is no plugin is told.
        crane(&[
            "append",
            "--new_layer",
            sandbox.file("layer.tar", [0; 1024]).to_str().unwrap(),
            "--new_tag",
            &registry.name("image:1"),
        ]);
        let image = kedge(&sandbox, &["plugin", "pull", &registry.name("image:1"), "-f", "x.wasm"]).expect(3);
        assert!(image.stderr.contains("not a plugin"), "{}", image.stderr);
    }
}
