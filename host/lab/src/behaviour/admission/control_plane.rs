//! What the webhook of the Kubeadm control plane provider says.

use serde_json::{Value, json};

use crate::behaviour::meta::{number, set, text};

use super::{Verdict, invalid};

/// Major, minor and patch of a version like `v1.34.1` or `v1.34.1-eks-1-34-5`; nothing for what is no version.
pub(crate) fn version(text: &str) -> Option<(u64, u64, u64)> {
    let core = text.strip_prefix('v')?.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse::<u64>().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

pub(super) fn control_plane(new: &mut Value, old: Option<&Value>) -> Verdict {
    default(new);
    let replicas = number(new, "/spec/replicas").unwrap_or(1);
    let external = new.pointer("/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external").is_some();
    if replicas == 0 {
        return Err(invalid(new, "spec.replicas", "Forbidden: cannot be 0"));
    }
    if !external && replicas % 2 == 0 {
        return Err(invalid(new, "spec.replicas", "Forbidden: cannot be an even number when etcd is stacked"));
    }
    let wanted = text(new, "/spec/version");
    if version(wanted).is_none() {
        return Err(invalid(
            new,
            "spec.version",
            &format!("Invalid value: {wanted:?}: must be a valid semantic version"),
        ));
    }
    if new
        .pointer("/spec/rollout/strategy/rollingUpdate/maxSurge")
        .is_some_and(|surge| surge == &json!(0) || surge == &json!("0"))
        && replicas < 3
    {
        return Err(invalid(
            new,
            "spec.rollout.strategy.rollingUpdate",
            "Required value: when KubeadmControlPlane is configured to scale-in, replica count needs to be at least 3",
        ));
    }
    old.map_or(Ok(()), |old| change(new, old, external))
}

fn default(new: &mut Value) {
    if new.pointer("/spec/replicas").is_none() {
        set(new, &["spec", "replicas"], json!(1));
    }
    let wanted = text(new, "/spec/version").to_owned();
    if wanted.starts_with(|first: char| first.is_ascii_digit()) {
        set(new, &["spec", "version"], json!(format!("v{wanted}")));
    }
    if new.pointer("/spec/rollout/strategy/type").is_none() {
        set(new, &["spec", "rollout", "strategy", "type"], json!("RollingUpdate"));
    }
    if new.pointer("/spec/rollout/strategy/rollingUpdate/maxSurge").is_none() {
        set(new, &["spec", "rollout", "strategy", "rollingUpdate", "maxSurge"], json!(1));
    }
    if new.pointer("/spec/kubeadmConfigSpec/format").is_none() {
        set(new, &["spec", "kubeadmConfigSpec", "format"], json!("cloud-config"));
    }
}

fn change(new: &Value, old: &Value, external: bool) -> Verdict {
    let was = old.pointer("/spec/kubeadmConfigSpec/clusterConfiguration/etcd/external").is_some();
    if external != was {
        return Err(invalid(
            new,
            "spec.kubeadmConfigSpec.clusterConfiguration.etcd",
            "Forbidden: cannot change between external and local",
        ));
    }
    for field in ["networking", "controlPlaneEndpoint", "certificatesDir"] {
        let pointer = format!("/spec/kubeadmConfigSpec/clusterConfiguration/{field}");
        if new.pointer(&pointer) != old.pointer(&pointer) {
            return Err(invalid(
                new,
                &format!("spec.kubeadmConfigSpec.clusterConfiguration.{field}"),
                "Forbidden: cannot be modified",
            ));
        }
    }
    let (Some(wanted), Some(now)) = (version(text(new, "/spec/version")), version(text(old, "/spec/version"))) else {
        return Ok(());
    };
    if wanted.0 != now.0 || wanted.1 > now.1 + 1 {
        return Err(invalid(
            new,
            "spec.version",
            &format!(
                "Forbidden: cannot update Kubernetes version from {} to {}",
                text(old, "/spec/version"),
                text(new, "/spec/version")
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({"apiVersion": "controlplane.cluster.x-k8s.io/v1beta2", "kind": "KubeadmControlPlane", "metadata": {"name": "prod"},
            "spec": {"replicas": 3, "version": "v1.33.1-eks-1-33-28", "kubeadmConfigSpec": {"clusterConfiguration": {"etcd": {"local": {}}}}}})
    }

    fn refused(change: impl FnOnce(&mut Value), old: Option<&Value>) -> String {
        let mut new = sample();
        change(&mut new);
        control_plane(&mut new, old).expect_err("it passed")
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version("v1.34.10"), Some((1, 34, 10)));
        assert_eq!(version("v1.31.14-eks-1-31-45"), Some((1, 31, 14)));
        for broken in ["1.34.1", "v1.34", "latest", "v1.34.x", "v1.2.3.4", ""] {
            assert_eq!(version(broken), None, "{broken}");
        }
    }

    #[test]
    fn replicas_and_versions_are_checked() {
        let mut fine = sample();
        assert_eq!(control_plane(&mut fine, None), Ok(()));
        assert_eq!(number(&fine, "/spec/rollout/strategy/rollingUpdate/maxSurge"), Some(1));
        assert!(refused(|new| new["spec"]["replicas"] = json!(2), None).contains("even number"));
        assert!(refused(|new| new["spec"]["replicas"] = json!(0), None).contains("cannot be 0"));
        assert!(refused(|new| new["spec"]["version"] = json!("latest"), None).contains("semantic version"));
        let mut even = sample();
        even["spec"]["replicas"] = json!(2);
        even["spec"]["kubeadmConfigSpec"]["clusterConfiguration"]["etcd"] = json!({"external": {}});
        assert_eq!(control_plane(&mut even, None), Ok(()));
    }

    #[test]
    fn what_would_break_a_running_control_plane_is_refused() {
        let old = sample();
        assert!(
            refused(|new| new["spec"]["version"] = json!("v1.35.0"), Some(&old))
                .contains("cannot update Kubernetes version")
        );
        assert!(
            refused(
                |new| new["spec"]["kubeadmConfigSpec"]["clusterConfiguration"]["etcd"] = json!({"external": {}}),
                Some(&old)
            )
            .contains("external and local")
        );
        assert!(
            refused(
                |new| new["spec"]["kubeadmConfigSpec"]["clusterConfiguration"]["certificatesDir"] = json!("/x"),
                Some(&old)
            )
            .contains("cannot be modified")
        );
        let mut next = sample();
        next["spec"]["version"] = json!("v1.34.0");
        assert_eq!(control_plane(&mut next, Some(&old)), Ok(()));
    }
}
