//! What it costs, beside the sequence of govc calls that is the usual way.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{PASSWORD, PREFLIGHT, USER, Vcsim, sandbox};
use crate::harness::Sandbox;
use crate::{peer, succeeds};

/// How much faster than the govc sequence. A program without optimisation is slower than the one that users have.
const RATIO: f64 = if cfg!(debug_assertions) { 5.0 } else { 20.0 };
const TEMPLATE: &str = "/SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35";
const POOL: &str = "/SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool";

/// The calls that `eksctl anywhere` makes for the same spec, in its order, but for privileges, which it asks for without
/// govc: `eks-anywhere.md`, the order of `SetupAndValidateCreateCluster`.
fn govc_calls() -> Vec<String> {
    let home = "/SDDC-Datacenter";
    let mut calls = vec![
        "about -k".to_owned(),
        "datacenter.info SDDC-Datacenter".to_owned(),
        format!("find -maxdepth=1 {home}/network -type n -name sddc-cgw-network-1"),
    ];
    let name = "ubuntu-2204-kube-v1-35";
    for _ in 0..3 {
        calls.push(format!("find -json {home} -type VirtualMachine -name {name}"));
        calls.push(format!("device.info -dc SDDC-Datacenter -vm {TEMPLATE} -json disk-*"));
        calls.push(format!("snapshot.tree -vm {TEMPLATE}"));
    }
    for _ in 0..3 {
        calls.push(format!("datastore.info {home}/datastore/WorkloadDatastore"));
        calls.push(format!("folder.info {home}/vm/capv/prod"));
        calls.push(format!("find -json {home} -type p -name Compute-ResourcePool"));
    }
    calls.push(format!("find -json {home} -type VirtualMachine -name {name}"));
    calls.push(format!("tags.attached.ls -json -r {TEMPLATE}"));
    calls.push("tags.ls -json".to_owned());
    calls.extend(std::iter::repeat_n(format!("datastore.info -json=true {home}/datastore/WorkloadDatastore"), 3));
    calls.extend(std::iter::repeat_n(format!("pool.info -dc SDDC-Datacenter {POOL}"), 3));
    calls.extend(["session.logout".to_owned(), "session.logout -k".to_owned()]);
    calls
}

fn govc(vcsim: &Vcsim, sandbox: &Sandbox) -> Duration {
    let started = Instant::now();
    for call in govc_calls() {
        let mut command = peer("govc", sandbox);
        command.env("GOVC_URL", &vcsim.address).env("GOVC_INSECURE", "true").env("GOVC_DATACENTER", "SDDC-Datacenter");
        command.env("GOVC_USERNAME", USER).env("GOVC_PASSWORD", PASSWORD);
        succeeds(command.args(call.split_whitespace()));
    }
    started.elapsed()
}

/// The shortest of some preflights: what else runs on the machine is no cost of theirs.
fn kedge(vcsim: &Vcsim, sandbox: &Sandbox, code: i32, edits: &[(&str, &str)]) -> Duration {
    sandbox.file("spec.yaml", vcsim.spec(edits));
    let once = || {
        let started = Instant::now();
        sandbox.run(PREFLIGHT).expect(code);
        started.elapsed()
    };
    (0..5).map(|_| once()).min().unwrap()
}

#[test]
fn a_preflight_costs_little() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    vcsim.rules(&json!([]));
    let theirs = govc(&vcsim, &sandbox);
    let theirs_state = vcsim.state();
    vcsim.rules(&json!([]));
    sandbox.file("spec.yaml", vcsim.spec(&[]));
    sandbox.run(PREFLIGHT).expect(0);
    let ours_state = vcsim.state();
    let ours = kedge(&vcsim, &sandbox, 0, &[]);
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "govc: {} processes, {} requests on {} connections, {theirs:?}; kedge: {} requests on {} connections, {ours:?}; {ratio:.1} x",
        govc_calls().len(),
        theirs_state.requests.len(),
        theirs_state.connections,
        ours_state.requests.len(),
        ours_state.connections,
    );
    assert!(ours_state.requests.len() <= 12 && ours_state.connections <= 2);
    assert!(ratio >= RATIO, "{ratio:.1} times as fast as the govc sequence");

    vcsim.rules(&json!([{"match": ".", "delayMs": 50}]));
    let slow = kedge(&vcsim, &sandbox, 0, &[]);
    println!("with 50 ms for each reply: {slow:?}");
    assert!(slow <= Duration::from_millis(1500), "{slow:?}");

    vcsim.rules(&json!([]));
    let wrong = [
        ("SDDC-Datacenter", "Nowhere"),
        ("datastore/WorkloadDatastore", "datastore/Gone"),
        ("vm/capv/prod", "vm/Gone/prod"),
        ("network/sddc-cgw-network-1", "network/Gone"),
        ("ubuntu-2204-kube-v1-35", "gone"),
    ];
    for (from, to) in wrong {
        let said = kedge(&vcsim, &sandbox, 4, &[(from, to)]);
        println!("{to}: said in {said:?}");
        assert!(said <= Duration::from_secs(1), "{to}: {said:?}");
    }
}

#[test]
fn ten_thousand_machines_cost_no_more_than_ten() {
    let bare = [("template: /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35", "template: ubuntu-2204-kube-v1-35")];
    let ways = [("its path", &[][..]), ("its name alone", &bare[..])];
    let sandbox = sandbox();
    let cost = |machines: &str| {
        let vcsim = Vcsim::start_with(&sandbox, &["-machines", machines]);
        ways.map(|(_, edits)| kedge(&vcsim, &sandbox, 0, edits))
    };
    let (few, many) = (cost("10"), cost("10000"));
    for ((way, _), (few, many)) in ways.iter().zip(few.into_iter().zip(many)) {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        println!("a template by {way}: 10 machines: {few:?}, 10,000: {many:?}, {ratio:.2} x");
        assert!(ratio <= 2.0, "by {way}: {ratio:.2}");
    }
}
