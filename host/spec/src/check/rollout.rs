//! How nodes are replaced, and when.

use serde_json::Value;

use super::{Findings, worker};
use crate::cluster::{Cluster, MachineHealthCheck, UpgradeRolloutStrategy};
use crate::path;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    let plane = &cluster.spec.control_plane_configuration;
    let at = "spec.controlPlaneConfiguration.upgradeRolloutStrategy";
    if let Some(strategy) = &plane.upgrade_rollout_strategy {
        kind(strategy, at, findings);
        if let Some(update) = &strategy.rolling_update
            && !(0..=1).contains(&update.max_surge)
        {
            findings.error(
                "rollout",
                &path::join(&path::join(at, "rollingUpdate"), "maxSurge"),
                format!("the control plane can have 0 or 1 nodes more while it is replaced, not {}", update.max_surge),
                "use 0 or 1",
            );
        }
    }
    for (index, group) in cluster.spec.worker_node_group_configurations.iter().enumerate() {
        let at = path::join(&worker(index), "upgradeRolloutStrategy");
        if let Some(strategy) = &group.upgrade_rollout_strategy {
            kind(strategy, &at, findings);
            if strategy.kind == "RollingUpdate" && strategy.rolling_update.is_none() {
                findings.error(
                    "rollout",
                    &path::join(&at, "rollingUpdate"),
                    "`RollingUpdate` needs to know how many nodes there may be more or fewer meanwhile",
                    "add `rollingUpdate: {maxSurge: 1, maxUnavailable: 0}`",
                );
            }
            if let Some(update) = &strategy.rolling_update {
                let fewer = update.max_unavailable.unwrap_or_default();
                if update.max_surge < 0 || fewer < 0 {
                    findings.error(
                        "rollout",
                        &path::join(&at, "rollingUpdate"),
                        "`maxSurge` and `maxUnavailable` can't be negative",
                        "use zero or more",
                    );
                } else if update.max_surge == 0 && fewer == 0 {
                    findings.error(
                        "rollout",
                        &path::join(&at, "rollingUpdate"),
                        "with neither more nor fewer nodes allowed, none can ever be replaced",
                        "set `maxSurge` or `maxUnavailable` to 1 or more",
                    );
                }
            }
        }
        health(group.machine_health_check.as_ref(), &path::join(&worker(index), "machineHealthCheck"), findings);
    }
    health(plane.machine_health_check.as_ref(), "spec.controlPlaneConfiguration.machineHealthCheck", findings);
    health(cluster.spec.machine_health_check.as_ref(), "spec.machineHealthCheck", findings);
}

fn kind(strategy: &UpgradeRolloutStrategy, at: &str, findings: &mut Findings<'_>) {
    match strategy.kind.as_str() {
        "InPlace" => findings.error(
            "rollout-in-place",
            &path::join(at, "type"),
            "`InPlace` works on bare metal alone",
            "use `RollingUpdate`",
        ),
        "RollingUpdate" => {}
        _ => findings.error(
            "rollout-type",
            &path::join(at, "type"),
            "the rollout strategy does not say which one it is",
            "add `type: RollingUpdate`",
        ),
    }
}

fn health(check: Option<&MachineHealthCheck>, at: &str, findings: &mut Findings<'_>) {
    let Some(check) = check else { return };
    for (field, value) in [
        ("nodeStartupTimeout", &check.node_startup_timeout),
        ("unhealthyMachineTimeout", &check.unhealthy_machine_timeout),
    ] {
        if let Some(text) = value
            && !crate::cluster::go_seconds(text).is_some_and(|seconds| seconds > 0.0)
        {
            findings.error(
                "duration",
                &path::join(at, field),
                format!("`{text}` is not a duration"),
                "write it with units, for example `10m` or `1h30m`",
            );
        }
    }
    let acceptable = match &check.max_unhealthy {
        None => true,
        Some(Value::Number(n)) => n.as_u64().is_some(),
        Some(Value::String(text)) => {
            let percent = text.strip_suffix('%').and_then(|n| n.parse::<u32>().ok()).filter(|n| *n <= 100);
            percent.is_some() || text.parse::<u32>().is_ok()
        }
        Some(_) => false,
    };
    if !acceptable {
        findings.error(
            "max-unhealthy",
            &path::join(at, "maxUnhealthy"),
            format!(
                "`maxUnhealthy` can't be `{}`",
                check.max_unhealthy.as_ref().map(ToString::to_string).unwrap_or_default().trim_matches('"')
            ),
            "use a number of machines, or a percentage such as `\"40%\"`",
        );
    }
}
