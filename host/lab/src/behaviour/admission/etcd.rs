//! What the webhook of the etcdadm controller says.

use serde_json::{Value, json};

use crate::behaviour::meta::{number, set, text};
use crate::kube::object;

use super::{Verdict, invalid};

pub(super) fn cluster(new: &mut Value, _: Option<&Value>) -> Verdict {
    if new.pointer("/spec/replicas").is_none() {
        set(new, &["spec", "replicas"], json!(1));
    }
    let namespace = object::namespace(new).to_owned();
    if text(new, "/spec/infrastructureTemplate/namespace").is_empty() {
        set(new, &["spec", "infrastructureTemplate", "namespace"], json!(namespace));
    }
    let replicas = number(new, "/spec/replicas").unwrap_or(1);
    if replicas <= 0 {
        return Err(invalid(new, "spec.replicas", "Forbidden: cannot be less than or equal to 0"));
    }
    if replicas % 2 == 0 {
        return Err(invalid(new, "spec.replicas", "Forbidden: etcd cluster cannot have an even number of nodes"));
    }
    if text(new, "/spec/infrastructureTemplate/namespace") != namespace {
        return Err(invalid(
            new,
            "spec.infrastructureTemplate.namespace",
            "Invalid value: must match metadata.namespace",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_number_of_members_is_refused() {
        let sample = |replicas: i64| json!({"kind": "EtcdadmCluster", "metadata": {"name": "e", "namespace": "n"}, "spec": {"replicas": replicas, "infrastructureTemplate": {"name": "t"}}});
        assert_eq!(cluster(&mut sample(3), None), Ok(()));
        assert!(cluster(&mut sample(2), None).unwrap_err().contains("even number"));
        assert!(cluster(&mut sample(0), None).is_err());
        let mut elsewhere = sample(1);
        elsewhere["spec"]["infrastructureTemplate"]["namespace"] = json!("other");
        assert!(cluster(&mut elsewhere, None).unwrap_err().contains("must match"));
    }
}
