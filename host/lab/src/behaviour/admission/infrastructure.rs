//! What the webhooks of infrastructure providers have in common.

use serde_json::Value;

use crate::behaviour::meta::text;
use crate::kube::object;

use super::{Verdict, invalid};

/// A template of machines stays as it was made: machines that came from it could not be told from others.
pub(super) fn machine_template(new: &mut Value, old: Option<&Value>) -> Verdict {
    if !text(new, "/spec/template/spec/providerID").is_empty() {
        return Err(invalid(new, "spec.template.spec.providerID", "Forbidden: cannot be set in templates"));
    }
    match old {
        Some(old) if old.pointer("/spec/template/spec") != new.pointer("/spec/template/spec") => {
            let kind = object::kind(new).to_owned();
            Err(invalid(
                new,
                "spec.template.spec",
                &format!(
                    "Invalid value: {kind} spec.template.spec field is immutable. Please create a new resource instead."
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// An endpoint that is set stays where it is.
pub(super) fn cluster(new: &mut Value, old: Option<&Value>) -> Verdict {
    let Some(old) = old else { return Ok(()) };
    let (before, now) = (text(old, "/spec/controlPlaneEndpoint/host"), text(new, "/spec/controlPlaneEndpoint/host"));
    if !before.is_empty() && before != now {
        return Err(invalid(new, "spec.controlPlaneEndpoint", &format!("Invalid value: {now:?}: field is immutable")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_immutable_but_its_labels_are_not() {
        let sample = |cpus: i64| json!({"kind": "SimMachineTemplate", "metadata": {"name": "t"}, "spec": {"template": {"spec": {"cpus": cpus}}}});
        assert_eq!(machine_template(&mut sample(2), None), Ok(()));
        assert_eq!(machine_template(&mut sample(2), Some(&sample(2))), Ok(()));
        assert!(machine_template(&mut sample(4), Some(&sample(2))).unwrap_err().contains("immutable"));
        let mut named = sample(2);
        named["spec"]["template"]["spec"]["providerID"] = json!("sim://1");
        assert!(machine_template(&mut named, None).unwrap_err().contains("cannot be set in templates"));
    }

    #[test]
    fn an_endpoint_can_be_set_once() {
        let sample = |host: &str| json!({"kind": "SimCluster", "metadata": {"name": "c"}, "spec": {"controlPlaneEndpoint": {"host": host, "port": 6443}}});
        assert_eq!(cluster(&mut sample("a"), Some(&sample(""))), Ok(()));
        assert!(cluster(&mut sample("b"), Some(&sample("a"))).is_err());
    }
}
