//! A real git with a repository on the disk, and a flux that writes down what it was told.

use std::path::Path;
use std::sync::Arc;

use super::*;

/// A folder with programs, and a repository that stands in for the one on the network.
struct Bed {
    home: tempfile::TempDir,
}

const GITHUB: &str = "https://github.com/acme/clusters.git";

fn git(arguments: &[&str], folder: &Path) -> String {
    let who =
        ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"];
    let done = std::process::Command::new(real("git")).args(who).args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

impl Bed {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bed = Self { home };
        std::fs::create_dir(bed.path("bin")).unwrap();
        // The network's address leads to the disk; everything else is git's own doing.
        let bare = bed.path("clusters.git").display().to_string();
        bed.program("git", &format!("exec {} -c url.{bare}.insteadOf={GITHUB} \"$@\"", real("git").display()));
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.path("bin").join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn options(&self, more: &[(&str, &str)]) -> Options {
        let mut options = Options::new(self.home.path(), "none");
        let mut variables: std::collections::BTreeMap<String, String> =
            more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        variables.insert("PATH".to_owned(), self.path("bin").display().to_string());
        options.environment = Arc::new(move |name| variables.get(name).cloned());
        options
    }

    /// The repository, with a first commit if it is not to be empty.
    fn repository(&self, empty: bool) {
        git(&["init", "--quiet", "--bare", "clusters.git"], self.home.path());
        if !empty {
            git(&["clone", "--quiet", "clusters.git", "first"], self.home.path());
            std::fs::write(self.path("first/README"), "ours").unwrap();
            let first = self.path("first");
            git(&["add", "."], &first);
            git(&["commit", "--quiet", "-m", "first"], &first);
            git(&["push", "--quiet", "origin", "HEAD:main"], &first);
        }
    }

    fn at(&self, branch: &str, file: &str) -> String {
        git(&["show", &format!("{branch}:{file}")], &self.path("clusters.git"))
    }

    fn commits(&self, branch: &str) -> usize {
        git(&["rev-list", branch], &self.path("clusters.git")).lines().count()
    }
}

fn real(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    std::env::split_paths(&path).map(|f| f.join(name)).find(|f| f.is_file()).expect("git is needed for this test")
}

fn github(branch: &str) -> Config {
    Config {
        host: Host::GitHub { owner: "acme".into(), repository: "clusters".into(), personal: true },
        namespace: "flux-system".into(),
        branch: branch.into(),
        path: "clusters/prod".into(),
    }
}

fn files(text: &str) -> Vec<(String, String)> {
    vec![
        ("clusters/prod/prod/eksa-system/eksa-cluster.yaml".to_owned(), text.to_owned()),
        ("clusters/prod/flux-system/gotk-sync.yaml".to_owned(), String::new()),
    ]
}

#[tokio::test]
async fn files_go_into_a_repository_that_has_some() {
    let bed = Bed::new();
    bed.repository(false);
    let repository = Repository::new(&github("main"), &Credential::Token("t".into()), &bed.options(&[])).unwrap();
    assert!(repository.exists().await.unwrap());
    repository.check(true, false).await.unwrap();
    assert!(!repository.has(&files("one")).await.unwrap());
    assert!(repository.commit(files("one")).await.unwrap());
    assert!(repository.has(&files("one")).await.unwrap() && !repository.has(&files("two")).await.unwrap());
    assert_eq!(bed.at("main", "clusters/prod/prod/eksa-system/eksa-cluster.yaml"), "one");
    assert_eq!(bed.at("main", "README"), "ours");
    assert!(!repository.commit(files("one")).await.unwrap(), "nothing changed");
    assert_eq!(bed.commits("main"), 2);

    let error = repository.check(true, false).await.unwrap_err().to_string();
    assert!(error.contains("`main`") && error.contains("`clusters/prod`"), "{error}");
    repository.check(true, true).await.unwrap();
    repository.check(false, false).await.unwrap();
}

#[tokio::test]
async fn what_flux_filled_stays_and_what_changed_is_committed() {
    let bed = Bed::new();
    bed.repository(false);
    let repository = Repository::new(&github("main"), &Credential::Token("t".into()), &bed.options(&[])).unwrap();
    repository.commit(files("one")).await.unwrap();
    let first = bed.path("first");
    git(&["pull", "--quiet", "origin", "main"], &first);
    std::fs::write(first.join("clusters/prod/flux-system/gotk-sync.yaml"), "of flux").unwrap();
    git(&["commit", "--quiet", "-am", "flux"], &first);
    git(&["push", "--quiet", "origin", "HEAD:main"], &first);
    assert!(repository.commit(files("two")).await.unwrap());
    assert_eq!(bed.at("main", "clusters/prod/flux-system/gotk-sync.yaml"), "of flux");
    assert_eq!(bed.at("main", "clusters/prod/prod/eksa-system/eksa-cluster.yaml"), "two");
}

#[tokio::test]
async fn an_empty_repository_and_a_branch_that_is_not_there_yet() {
    for empty in [true, false] {
        let bed = Bed::new();
        bed.repository(empty);
        let repository = Repository::new(&github("gitops"), &Credential::Token("t".into()), &bed.options(&[])).unwrap();
        repository.check(true, false).await.unwrap();
        assert!(repository.commit(files("one")).await.unwrap());
        assert_eq!(bed.at("gitops", "clusters/prod/prod/eksa-system/eksa-cluster.yaml"), "one");
        assert_eq!(bed.commits("gitops"), if empty { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_told_from_one_that_refuses() {
    let bed = Bed::new();
    bed.program("git", "echo 'remote: Repository not found.' >&2; exit 128");
    let new = || Repository::new(&github("main"), &Credential::Token("t".into()), &bed.options(&[])).unwrap();
    assert!(!new().exists().await.unwrap());
    bed.program("git", "echo 'fatal: Authentication failed' >&2; exit 128");
    let error = new().exists().await.unwrap_err().to_string();
    assert!(error.contains("Authentication failed") && error.contains(GITHUB), "{error}");
}

#[tokio::test]
async fn a_token_goes_to_git_in_its_environment_alone() {
    let bed = Bed::new();
    let said = bed.path("said");
    bed.program("git", &format!("echo \"$*\" >{0}; env >>{0}", said.display()));
    let repository = Repository::new(&github("main"), &Credential::Token("secret".into()), &bed.options(&[])).unwrap();
    repository.exists().await.unwrap();
    let said = std::fs::read_to_string(said).unwrap();
    assert_eq!(said.lines().next(), Some(format!("ls-remote --heads {GITHUB}").as_str()));
    // `x-access-token:secret` in base64.
    assert!(said.contains("GIT_CONFIG_VALUE_0=Authorization: Basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"), "{said}");
    assert!(said.contains("GIT_TERMINAL_PROMPT=0"));
}

#[tokio::test]
async fn a_key_and_its_passphrase_go_to_ssh() {
    let bed = Bed::new();
    let said = bed.path("said");
    bed.program("git", &format!("env >{}; \"$SSH_ASKPASS\" >>{0}", said.display()));
    for (name, text) in [("a key", "k"), ("hosts", "h")] {
        std::fs::write(bed.path(name), text).unwrap();
    }
    let config = Config {
        host: Host::Git { url: "ssh://git@example.com/clusters.git".into(), algorithm: "ed25519".into() },
        ..github("main")
    };
    let (key, hosts) = (bed.path("a key").display().to_string(), bed.path("hosts").display().to_string());
    let set = [
        ("EKSA_GIT_PRIVATE_KEY", key.as_str()),
        ("EKSA_GIT_KNOWN_HOSTS", hosts.as_str()),
        ("EKSA_GIT_SSH_KEY_PASSPHRASE", "open sesame"),
    ];
    let options = bed.options(&set);
    let credential = Credential::of(&config, &options).unwrap();
    assert_eq!(format!("{credential:?}"), "Credential { .. }");
    Repository::new(&config, &credential, &options).unwrap().exists().await.unwrap();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.contains(&format!("GIT_SSH_COMMAND=ssh -i '{key}' ")), "{said}");
    assert!(said.contains("StrictHostKeyChecking=yes") && said.ends_with("open sesame\n"), "{said}");

    for (missing, expected) in
        [(0, "`EKSA_GIT_PRIVATE_KEY` is not set"), (1, "`EKSA_GIT_KNOWN_HOSTS` is not set"), (2, "")]
    {
        let less: Vec<_> = set.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, v)| *v).collect();
        match Credential::of(&config, &bed.options(&less)) {
            Ok(_) => assert_eq!(missing, 2),
            Err(error) => assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}"),
        }
    }
    std::fs::write(bed.path("hosts"), "").unwrap();
    let error = Credential::of(&config, &options).unwrap_err().to_string();
    assert!(error.contains("is empty"), "{error}");
    let error = Credential::of(&github("main"), &bed.options(&[])).unwrap_err().to_string();
    assert!(error.contains("`EKSA_GITHUB_TOKEN`") && error.contains("acme/clusters"), "{error}");
}

async fn told(config: &Config, credential: &Credential) -> (Vec<String>, String) {
    let bed = Bed::new();
    let said = bed.path("said");
    bed.program("flux", &format!("printf '%s\\n' \"$@\" >{0}; env >{0}.env", said.display()));
    let flux = Flux::find(&bed.options(&[])).unwrap();
    flux.bootstrap(config, credential, Path::new("/k/kubeconfig")).await.unwrap();
    let arguments = std::fs::read_to_string(&said).unwrap().lines().map(str::to_owned).collect();
    (arguments, std::fs::read_to_string(bed.path("said.env")).unwrap())
}

#[tokio::test]
async fn flux_is_told_what_eks_anywhere_tells_it() {
    let (arguments, environment) = told(&github("main"), &Credential::Token("secret".into())).await;
    assert_eq!(
        arguments.join(" "),
        "bootstrap github --owner acme --repository clusters --path clusters/prod --ssh-key-algorithm ecdsa \
         --kubeconfig /k/kubeconfig --branch main --namespace flux-system --personal"
    );
    assert!(environment.contains("GITHUB_TOKEN=secret\n"));
    let config = Config {
        host: Host::Git { url: "ssh://git@example.com/c.git".into(), algorithm: "rsa".into() },
        ..github("b")
    };
    let key = Credential::Key { file: "/k".into(), known_hosts: "/h".into(), passphrase: Some("p".into()) };
    let (arguments, environment) = told(&config, &key).await;
    assert_eq!(
        arguments.join(" "),
        "bootstrap git --url ssh://git@example.com/c.git --path clusters/prod --ssh-key-algorithm rsa \
         --kubeconfig /k/kubeconfig --branch b --namespace flux-system --private-key-file /k --silent"
    );
    assert!(environment.contains("SSH_KNOWN_HOSTS=/h\n") && environment.contains("GIT_PASSWORD=p\n"));
}

#[tokio::test]
async fn flux_is_tried_again_and_its_last_words_are_told() {
    let bed = Bed::new();
    let (count, token) = (bed.path("count"), Credential::Token("t".into()));
    bed.program(
        "flux",
        &format!("echo x >>{0}; [ $(wc -l <{0}) -ge 3 ] || {{ echo no route >&2; exit 1; }}", count.display()),
    );
    let mut flux = Flux::find(&bed.options(&[])).unwrap();
    flux.hurry();
    flux.bootstrap(&github("main"), &token, Path::new("/k")).await.unwrap();
    bed.program("flux", "echo token has no rights >&2; exit 1");
    let error = flux.bootstrap(&github("main"), &token, Path::new("/k")).await.unwrap_err().to_string();
    assert_eq!(error, "`flux bootstrap github` failed (exit status: 1): token has no rights");
    std::fs::remove_file(bed.path("bin/flux")).unwrap();
    let error = Flux::find(&bed.options(&[])).err().unwrap().to_string();
    assert!(error.starts_with("`flux` is needed and not in PATH"), "{error}");
}
