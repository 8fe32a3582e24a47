//! When machines are replaced.

use kedge_spec::cluster::MachineHealthCheck;
use serde_json::{Value, json};

use super::context::Context;
use crate::error::Error;
use crate::object::kinds;

/// How long a node may take to join, in seconds.
const STARTUP: i64 = 600;
/// How long a node may be unhealthy, in seconds.
const UNHEALTHY: i64 = 300;

/// A health check of the machines with a label. `own` are the settings of the group, before those of the cluster.
pub(super) fn check(
    context: &Context<'_>,
    name: &str,
    label: (&str, &str),
    own: Option<&MachineHealthCheck>,
    max_unhealthy: &str,
) -> Result<Value, Error> {
    let all = context.cluster.spec.machine_health_check.as_ref();
    let pick = |field: fn(&MachineHealthCheck) -> Option<&String>| own.and_then(field).or_else(|| all.and_then(field));
    let seconds = |field: fn(&MachineHealthCheck) -> Option<&String>, words: &str, default: i64| match pick(field) {
        None => Ok(default),
        Some(text) => go_duration(text).ok_or_else(|| {
            Error::render(
                format!("`{text}` is not a time for `machineHealthCheck.{words}`"),
                "write it as `5m0s` or `1h`",
            )
        }),
    };
    let startup = seconds(|c| c.node_startup_timeout.as_ref(), "nodeStartupTimeout", STARTUP)?;
    let unhealthy = seconds(|c| c.unhealthy_machine_timeout.as_ref(), "unhealthyMachineTimeout", UNHEALTHY)?;
    let most = own
        .and_then(|c| c.max_unhealthy.clone())
        .or_else(|| all.and_then(|c| c.max_unhealthy.clone()))
        .unwrap_or_else(|| max_unhealthy.into());
    let mut object = context.object(&kinds::MACHINE_HEALTH_CHECK.api_version, &kinds::MACHINE_HEALTH_CHECK.kind, name);
    if let Some(map) = object.as_object_mut() {
        let (key, value) = label;
        map.insert(
            "spec".to_owned(),
            json!({
                "clusterName": context.name(),
                "selector": {"matchLabels": {key: value}},
                "checks": {
                    "nodeStartupTimeoutSeconds": startup,
                    "unhealthyNodeConditions": [
                        {"type": "Ready", "status": "Unknown", "timeoutSeconds": unhealthy},
                        {"type": "Ready", "status": "False", "timeoutSeconds": unhealthy},
                    ],
                },
                "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": most}},
            }),
        );
    }
    Ok(object)
}

/// A Go duration in whole seconds, rounded down: `1h30m`, `5m0s`, `1.5h`, `300s`.
pub(super) fn go_duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|at| *at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    if text.trim().is_empty() || !(0.0..=f64::from(i32::MAX)).contains(&seconds) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "checked to be within i32 just above")]
    Some(seconds.floor() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, seconds) in [
            ("5m0s", 300),
            ("1h30m", 5400),
            ("300s", 300),
            ("1.5h", 5400),
            ("0", 0),
            ("8760h0m0s", 31_536_000),
            ("1500ms", 1),
        ] {
            assert_eq!(go_duration(text), Some(seconds), "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "5d", "1e3s", "999999999h"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
