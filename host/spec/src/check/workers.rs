//! Worker node groups.

use std::collections::HashSet;

use super::{Findings, names, worker, worker_title};
use crate::cluster::{Cluster, WorkerNodeGroupConfiguration};
use crate::path;

/// Names of objects are `CLUSTER-GROUP-HASH`.
const GROUP_NAME: usize = 40;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let groups = &cluster.spec.worker_node_group_configurations;
    if groups.is_empty() {
        findings.error(
            "no-workers",
            "spec.workerNodeGroupConfigurations",
            "the cluster has no worker node group",
            "add one: `workerNodeGroupConfigurations: [{name: md-0, count: 1, …}]`",
        );
        return;
    }
    let mut seen = HashSet::new();
    for (index, group) in groups.iter().enumerate() {
        name(!seen.insert(group.name.as_str()), index, group, findings);
        count(index, group, findings);
        names::labels(&group.labels, &path::join(&worker(index), "labels"), findings);
        names::taints(&group.taints, &path::join(&worker(index), "taints"), findings);
    }
    let keeps_away =
        |g: &WorkerNodeGroupConfiguration| g.taints.iter().any(|t| t.effect == "NoSchedule" || t.effect == "NoExecute");
    if cluster.is_self_managed() && groups.iter().all(keeps_away) {
        findings.error(
            "workers-all-tainted",
            &path::join(&worker(0), "taints"),
            "every worker node group has a `NoSchedule` or `NoExecute` taint, and the cluster's own controllers need a place",
            "leave one worker node group without such a taint",
        );
    }
}

fn name(again: bool, index: usize, group: &WorkerNodeGroupConfiguration, findings: &mut Findings<'_>) {
    let at = path::join(&worker(index), "name");
    if group.name.is_empty() {
        findings.error(
            "worker-name-missing",
            &at,
            format!("{} has no name", worker_title("", index)),
            "name it: only the first group may go without, and is called `md-0`",
        );
        return;
    }
    if !names::is_dns_label(&group.name) || group.name.len() > GROUP_NAME {
        findings.error(
            "worker-name-malformed",
            &at,
            format!("`{}` can't be the name of a worker node group", group.name),
            format!("use lower-case letters, digits and dashes, at most {GROUP_NAME}, starting and ending with a letter or digit"),
        );
    }
    if again {
        findings.error(
            "worker-name-twice",
            &at,
            format!("there are two worker node groups called `{}`", group.name),
            "give each its own name",
        );
    }
}

fn count(index: usize, group: &WorkerNodeGroupConfiguration, findings: &mut Findings<'_>) {
    let at = path::join(&worker(index), "count");
    let title = worker_title(&group.name, index);
    if let Some(count) = group.count.filter(|count| *count < 0) {
        findings.error("worker-count", &at, format!("{title} can't have {count} nodes"), "use zero or more");
    }
    let Some(scaling) = &group.autoscaling_configuration else { return };
    let at = path::join(&worker(index), "autoscalingConfiguration");
    let (least, most) = (scaling.min_count, scaling.max_count);
    let minimum = path::join(&at, "minCount");
    if least < 0 {
        findings.error(
            "autoscaling",
            &minimum,
            format!("{title} can't have {least} nodes at least"),
            "use zero or more",
        );
    }
    if least > most {
        findings.error(
            "autoscaling",
            &minimum,
            format!("{title} has at least {least} and at most {most} nodes, which can't be"),
            "`minCount` must not be greater than `maxCount`",
        );
    }
    let count = group.replicas();
    if count >= 0 && least <= most && !(least..=most).contains(&count) {
        findings.error(
            "autoscaling",
            &path::join(&worker(index), "count"),
            format!("{title} starts with {count} nodes, outside of its bounds {least} to {most}"),
            "set `count` within the bounds, or leave it out",
        );
    }
}
