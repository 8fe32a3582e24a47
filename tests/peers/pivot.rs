//! Clusters moved between two real API servers: by this program, by a stock clusterctl, and by one after the other.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apiserver::{ApiServer, found};
use crate::harness::{Ran, Sandbox};
use crate::management::*;
use crate::still_life::*;
use crate::{peer, skipped, succeeds};

/// The arguments of a move of everything in the namespace.
fn args(from: &ApiServer, to: &ApiServer, more: &[&str]) -> Vec<String> {
    let file = |server: &ApiServer| server.kubeconfig("kedge").display().to_string();
    let mut args = ["move", "--kubeconfig", &file(from), "--to-kubeconfig", &file(to), "--namespace", NAMESPACE]
        .map(str::to_owned)
        .to_vec();
    args.extend(more.iter().map(|m| (*m).to_owned()));
    args
}

fn moves(sandbox: &Sandbox, from: &ApiServer, to: &ApiServer) -> Ran {
    sandbox.run(args(from, to, &[])).expect(0)
}

/// A stock clusterctl with the tier's repository.
pub(crate) fn clusterctl(sandbox: &Sandbox, server: &ApiServer, args: &str) -> Command {
    let mut command = peer("clusterctl", sandbox);
    command.env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true").env("GOPROXY", "off");
    command.arg("--config").arg(manifests().expect("manifests").join("clusterctl.yaml"));
    command.args(args.split_whitespace()).arg("--kubeconfig").arg(server.kubeconfig("clusterctl"));
    command
}

fn empty(server: &ApiServer) -> bool {
    contents(server).is_empty()
}

#[test]
fn clusters_move_there_and_clusterctl_moves_them_back() {
    let (one, two) = match pair() {
        Ok(pair) => pair,
        Err(why) => return skipped("clusters_move_there_and_clusterctl_moves_them_back", &why),
    };
    let sandbox = Sandbox::new();
    paint(&one, 2);
    let before = contents(&one);
    assert_eq!(before.len(), 2 * OBJECTS);

    // A rehearsal says what would move and changes nothing.
    let versions = |server: &ApiServer| -> Vec<Value> {
        KINDS
            .iter()
            .flat_map(|k| server.client("harness").items(&k.list()))
            .map(|o| o["metadata"]["resourceVersion"].clone())
            .collect()
    };
    let (was, target) = (versions(&one), versions(&two));
    let rehearsed = sandbox.run(args(&one, &two, &["--dry-run"])).expect(0);
    assert!(rehearsed.stdout.contains("2 clusters with 50 objects"), "{}", rehearsed.stdout);
    assert!(rehearsed.stdout.contains("KubeadmControlPlane default/c001"), "{}", rehearsed.stdout);
    assert_eq!((versions(&one), versions(&two)), (was, target));

    let moved = moves(&sandbox, &one, &two);
    assert!(moved.stdout.contains("Moved 2 clusters, 50 objects"), "{}", moved.stdout);
    assert_eq!(contents(&two), before);
    assert!(empty(&one), "{:?}", contents(&one).keys());
    assert_eq!(at_work(&two).len(), 2);

    // Run again, it finds nothing to do and says so.
    let again = sandbox.run(args(&one, &two, &[])).expect(0);
    assert!(again.stdout.contains("Nothing was left to be moved"), "{}", again.stdout);
    assert_eq!(contents(&two), before);

    // clusterctl takes what this program left, and this program what clusterctl left.
    revive(&two);
    let target = one.kubeconfig("clusterctl");
    succeeds(clusterctl(&sandbox, &two, &format!("move -n {NAMESPACE}")).arg("--to-kubeconfig").arg(target));
    assert_eq!(contents(&one), before);
    assert!(empty(&two));
    revive(&one);
    moves(&sandbox, &one, &two);
    assert_eq!(contents(&two), before);
    assert!(empty(&one));
}

#[test]
fn folders_are_those_of_clusterctl() {
    let (one, two) = match pair() {
        Ok(pair) => pair,
        Err(why) => return skipped("folders_are_those_of_clusterctl", &why),
    };
    let sandbox = Sandbox::new();
    paint(&one, 1);
    let before = contents(&one);
    let kedge = |server: &ApiServer| server.kubeconfig("kedge").display().to_string();
    let to_directory = |name: &str| {
        sandbox.run(["move", "--kubeconfig", &kedge(&one), "-n", NAMESPACE, "--to-directory", name]).expect(0)
    };
    to_directory("ours");
    assert_eq!(at_work(&one).len(), 1, "the cluster goes on");
    std::fs::create_dir(sandbox.path().join("theirs")).unwrap();
    succeeds(&mut clusterctl(&sandbox, &one, &format!("move -n {NAMESPACE} --to-directory theirs")));
    let files = |name: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(sandbox.path().join(name)).unwrap();
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(files("ours"), files("theirs"));

    // What clusterctl wrote is restored by this program, and what this program wrote by clusterctl.
    sandbox.run(["move", "--from-directory", "theirs", "--to-kubeconfig", &kedge(&two)]).expect(0);
    assert_eq!(contents(&two), before);
    assert_eq!(at_work(&two).len(), 1);
    wipe(&two);
    let target = two.kubeconfig("clusterctl");
    let mut command = peer("clusterctl", &sandbox);
    command.env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true").env("GOPROXY", "off");
    command.args(["move", "--from-directory", "ours", "--to-kubeconfig"]).arg(target);
    succeeds(&mut command);
    assert_eq!(contents(&two), before);
}

/// Kills a move after a time, as `kill -9` does. False if it was done before.
fn killed_after(sandbox: &Sandbox, args: &[String], after: Duration) -> bool {
    let mut child = sandbox.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    while begun.elapsed() < after {
        if child.try_wait().expect("it can be asked").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let killed = child.try_wait().expect("it can be asked").is_none();
    let _ = child.kill();
    let _ = child.wait();
    killed
}

/// Killed at many points of a move and run again each time until it is done. Never are both sides at work, nothing is lost,
/// nothing doubled.
fn killed_again_and_again(points: u32) {
    let (one, two) = pair().expect("they start");
    let sandbox = Sandbox::new();
    paint(&one, 2);
    let before = contents(&one);
    // How long a whole move takes here and now, there and back.
    let begun = Instant::now();
    moves(&sandbox, &one, &two);
    let whole = begun.elapsed();
    revive(&two);
    let mut sides = [&two, &one];
    let mut killed = 0;
    for point in 0..points {
        let [from, to] = sides;
        let args = args(from, to, &[]);
        // Spread over the move, and not in the same order as the points.
        let part = f64::from(point * 7 % points) / f64::from(points);
        killed += u32::from(killed_after(&sandbox, &args, whole.mul_f64(part)));
        let both: Vec<String> = at_work(from).intersection(&at_work(to)).cloned().collect();
        assert!(both.is_empty(), "point {point}: {both:?} are at work on both sides");
        let ran = sandbox.run(&args).expect(0);
        assert_eq!(contents(to), before, "point {point}: {}", ran.stderr);
        assert!(empty(from), "point {point}: {:?}", contents(from).keys());
        assert_eq!(at_work(to).len(), 2, "point {point}");
        revive(to);
        sides = [to, from];
    }
    println!("killed at {killed} of {points} points of a move of {whole:.2?}");
    assert!(killed * 3 > points, "only {killed} of {points} moves were caught");
}

#[test]
fn killed_at_some_points_a_move_is_done_by_running_it_again() {
    if let Err(why) = found("kube-apiserver").and(manifests()) {
        return skipped("killed_at_some_points_a_move_is_done_by_running_it_again", &why);
    }
    killed_again_and_again(6);
}

#[test]
#[ignore = "the long sweep: 30 points"]
fn killed_at_thirty_points_a_move_is_done_by_running_it_again() {
    killed_again_and_again(30);
}

#[test]
fn api_servers_die_in_the_middle_of_a_move() {
    let (one, mut two) = match pair() {
        Ok(pair) => pair,
        Err(why) => return skipped("api_servers_die_in_the_middle_of_a_move", &why),
    };
    let sandbox = Sandbox::new();
    paint(&one, 30);
    let before = contents(&one);
    let mut child = sandbox.command(args(&one, &two, &[])).spawn().expect("it starts");
    let client = two.client("harness");
    client.until("some objects are there", Duration::from_secs(60), |c| !c.items(&SECRET.list()).is_empty());
    two.processes.kill("kube-apiserver");
    assert!(child.try_wait().unwrap().is_none(), "the move was done before the server died");
    two.start_api();
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(contents(&two), before);
    assert!(empty(&one));
    assert_eq!(at_work(&two).len(), 30);
}

/// A user that may read everything of Cluster API and write nothing.
fn reader(server: &ApiServer) {
    let client = server.client("harness");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "no-group"}],
    });
    let group = "/apis/rbac.authorization.k8s.io/v1";
    client.apply(&format!("{group}/clusterroles/reader"), &role);
    client.apply(&format!("{group}/clusterrolebindings/reader"), &binding);
}

/// Everything that can be wrong with a target is said with the object, the reason and what to do, and nothing is lost.
#[test]
fn a_target_that_does_not_fit_is_refused_and_nothing_is_lost() {
    let (one, two) = match pair() {
        Ok(pair) => pair,
        Err(why) => return skipped("a_target_that_does_not_fit_is_refused_and_nothing_is_lost", &why),
    };
    let sandbox = Sandbox::new();
    paint(&one, 1);
    let before = contents(&one);
    let client = two.client("harness");
    let from = one.kubeconfig("kedge").display().to_string();
    let to = two.kubeconfig("kedge");
    let attempt = |to: &Path, code: i32, sayings: &[&str]| {
        let to = to.display().to_string();
        let ran = sandbox.run(["move", "--kubeconfig", &from, "--to-kubeconfig", &to, "-n", NAMESPACE]).expect(code);
        for saying in sayings {
            assert!(ran.stderr.contains(saying), "`{saying}` is not in: {}", ran.stderr);
        }
        assert!(ran.stderr.contains("help: "), "{}", ran.stderr);
        assert_eq!(contents(&one), before);
        assert_eq!(at_work(&one).len(), 1, "the source works on");
    };

    // Nobody there, somebody unknown, somebody without rights, somebody who may only read.
    let nowhere = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    });
    attempt(&sandbox.file("nowhere.kubeconfig", nowhere.to_string()), 3, &["https://127.0.0.1:1"]);
    attempt(&two.kubeconfig_with("stranger", "no-such-token"), 3, &["credentials"]);
    attempt(
        &two.kubeconfig("nobody"),
        4,
        &["may not list CustomResourceDefinition objects", "may not list Provider objects", "nothing was touched"],
    );
    reader(&two);
    attempt(
        &two.kubeconfig("nobody"),
        4,
        &[
            "may not create, delete, patch Cluster objects in the namespace default",
            "may not create, delete, patch Secret objects in the namespace default",
            "nothing was touched",
        ],
    );
    assert!(empty(&two));

    // A provider that is missing, one that is older.
    let inventory = "/apis/clusterctl.cluster.x-k8s.io/v1alpha3/namespaces/capd-system/providers/infrastructure-docker";
    let entry = client.get(inventory);
    client.merge(inventory, &json!({"version": "v1.13.0"}));
    attempt(&to, 4, &["the provider infrastructure-docker is v1.13.0 on", "nothing was touched"]);
    client.delete(inventory);
    attempt(&to, 4, &["the provider infrastructure-docker is not installed on", "nothing was touched"]);
    let entry = json!({"apiVersion": entry["apiVersion"], "kind": "Provider", "metadata": {"name": "infrastructure-docker", "namespace": "capd-system"}, "type": entry["type"], "version": entry["version"]});
    client.apply(inventory, &entry);

    // An object of the same name with other content.
    let path = format!("{}/c000-ca", SECRET.list());
    client.apply(&path, &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c000-ca", "namespace": NAMESPACE}, "data": {"tls.key": "b3RoZXI="}}));
    attempt(&to, 4, &["Secret default/c000-ca is on", "already with another", "delete it there if it is a left-over"]);
    assert_eq!(client.get(&path)["data"]["tls.key"], json!("b3RoZXI="), "what was there stays");
    client.delete(&path);

    // A quota that the last objects run into: a check of each alone sees nothing. All is put back.
    let quotas = format!("/api/v1/namespaces/{NAMESPACE}/resourcequotas");
    client.apply(&format!("{quotas}/few"), &json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": NAMESPACE}, "spec": {"hard": {"count/secrets": "6"}}}));
    let status = json!({"status": {"hard": {"count/secrets": "6"}, "used": {"count/secrets": "0"}}});
    client.merge(&format!("{quotas}/few/status"), &status);
    attempt(&to, 5, &["exceeded quota: few", "all was put back as it was", "raise the quota"]);
    client.until("what was made is gone", Duration::from_secs(20), |_| empty(&two));
    client.delete(&format!("{quotas}/few"));

    // A policy that refuses one object.
    let policies = "/apis/admissionregistration.k8s.io/v1";
    client.apply(&format!("{policies}/validatingadmissionpolicies/no-machines"), &json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "no-machines"},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": ["cluster.x-k8s.io"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["machines"]}]},
            "validations": [{"expression": "object.metadata.name != 'c000-m1'", "message": "not this machine"}],
        },
    }));
    client.apply(&format!("{policies}/validatingadmissionpolicybindings/no-machines"), &json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "no-machines"},
        "spec": {"policyName": "no-machines", "validationActions": ["Deny"]},
    }));
    // A policy is at work a moment after it was made.
    let probe = json!({"apiVersion": MACHINE.api_version, "kind": "Machine", "metadata": {"name": "c000-m1", "namespace": NAMESPACE}, "spec": {"clusterName": "x", "bootstrap": {"dataSecretName": "x"}, "infrastructureRef": {"apiGroup": "a", "kind": "B", "name": "c"}}});
    client.until("the policy is at work", Duration::from_secs(30), |c| {
        let path = format!("{}?dryRun=All", MACHINE.list());
        c.block_on(c.ask("POST", &path, "application/json", Some(probe.to_string())))
            .is_err_and(|(_, text)| text.contains("not this machine"))
    });
    attempt(&to, 4, &["Machine default/c000-m1", "not this machine", "nothing was touched"]);
    assert!(empty(&two));
    client.delete(&format!("{policies}/validatingadmissionpolicybindings/no-machines"));
    client.until("the policy rests", Duration::from_secs(30), |c| {
        let path = format!("{}?dryRun=All", MACHINE.list());
        c.block_on(c.ask("POST", &path, "application/json", Some(probe.to_string()))).is_ok()
    });

    // And when all of it is in order, the same command moves.
    let to = to.display().to_string();
    sandbox.run(["move", "--kubeconfig", &from, "--to-kubeconfig", &to, "-n", NAMESPACE]).expect(0);
    assert_eq!(contents(&two), before);
    assert!(empty(&one));
}
