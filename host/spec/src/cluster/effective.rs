//! What holds when a spec says nothing: values that follow from several fields, or from none.

use serde_json::{Value, json};

use super::{Cluster, ControlPlaneConfiguration, MachineHealthCheck, WorkerNodeGroupConfiguration};

/// When a machine is replaced, with all defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthCheck {
    /// Seconds a node may take to join.
    pub node_startup_timeout: f64,
    /// Seconds a node may be unhealthy.
    pub unhealthy_machine_timeout: f64,
    /// A number, or a percentage as text.
    pub max_unhealthy: Value,
}

impl Cluster {
    /// The control plane's health check.
    pub fn control_plane_health_check(&self) -> HealthCheck {
        self.health_check(self.spec.control_plane_configuration.machine_health_check.as_ref(), "100%")
    }

    /// A worker node group's health check.
    pub fn worker_health_check(&self, group: &WorkerNodeGroupConfiguration) -> HealthCheck {
        self.health_check(group.machine_health_check.as_ref(), "40%")
    }

    fn health_check(&self, own: Option<&MachineHealthCheck>, max_unhealthy: &str) -> HealthCheck {
        let common = self.spec.machine_health_check.as_ref();
        let sources = || own.into_iter().chain(common);
        let seconds = |pick: fn(&MachineHealthCheck) -> Option<&String>, otherwise: f64| {
            sources().find_map(pick).and_then(|text| go_seconds(text)).unwrap_or(otherwise)
        };
        HealthCheck {
            node_startup_timeout: seconds(|c| c.node_startup_timeout.as_ref(), 600.0),
            unhealthy_machine_timeout: seconds(|c| c.unhealthy_machine_timeout.as_ref(), 300.0),
            max_unhealthy: sources().find_map(|c| c.max_unhealthy.clone()).unwrap_or_else(|| json!(max_unhealthy)),
        }
    }
}

impl ControlPlaneConfiguration {
    /// How many nodes more there may be while the control plane is replaced.
    pub fn max_surge(&self) -> i64 {
        let update = self.upgrade_rollout_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        update.map_or(1, |u| u.max_surge)
    }
}

impl WorkerNodeGroupConfiguration {
    /// How many nodes more, and how many fewer, there may be while the group is replaced.
    pub fn rollout(&self) -> (i64, i64) {
        let update = self.upgrade_rollout_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        update.map_or((1, 0), |u| (u.max_surge, u.max_unavailable.unwrap_or_default()))
    }
}

/// The seconds of a Go duration (`1h30m`, `5m0s`, `1.5s`); none if it is not one.
pub fn go_seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, seconds) in [
            ("10m", 600.0),
            ("1h30m", 5400.0),
            ("5m0s", 300.0),
            ("1.5s", 1.5),
            ("0", 0.0),
            ("-2s", -2.0),
            ("250ms", 0.25),
        ] {
            assert!(go_seconds(text).is_some_and(|s| (s - seconds).abs() < 1e-9), "{text}");
        }
        for text in ["", "10", "m", "1d", "1h 30m", "1..5s", "ten"] {
            assert_eq!(go_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_group_says_more_than_the_cluster_which_says_more_than_the_usual() {
        let mut cluster = Cluster::default();
        let group = WorkerNodeGroupConfiguration {
            machine_health_check: Some(MachineHealthCheck { max_unhealthy: Some(json!(2)), ..Default::default() }),
            ..Default::default()
        };
        cluster.spec.machine_health_check =
            Some(MachineHealthCheck { unhealthy_machine_timeout: Some("1m".into()), ..Default::default() });
        let check = cluster.worker_health_check(&group);
        assert_eq!(
            check,
            HealthCheck { node_startup_timeout: 600.0, unhealthy_machine_timeout: 60.0, max_unhealthy: json!(2) }
        );
        assert_eq!(cluster.control_plane_health_check().max_unhealthy, json!("100%"));
        assert_eq!(group.rollout(), (1, 0));
        assert_eq!(cluster.spec.control_plane_configuration.max_surge(), 1);
    }
}
