//! Arguments of Kubernetes components.

use std::collections::BTreeMap;

use kedge_spec::provider::Argument;
use serde_json::{Value, json};

/// Arguments of one component, in the order of their names; what is set later wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Args(BTreeMap<String, String>);

impl Args {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Adds to a list that stands in one argument, `a,b`.
    pub(super) fn join(&mut self, name: &str, value: &str) {
        match self.0.get_mut(name) {
            Some(list) if !list.is_empty() => {
                list.push(',');
                list.push_str(value);
            }
            _ => self.set(name, value),
        }
    }

    /// Takes those that the provider gives this component.
    pub(super) fn take(&mut self, component: &str, arguments: &[Argument]) {
        for argument in arguments.iter().filter(|a| a.component == component) {
            self.set(&argument.name, argument.value.clone());
        }
    }

    /// As kubeadm's v1beta4 has them: a list of name and value.
    pub(super) fn list(&self) -> Vec<Value> {
        self.0.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_order_and_the_last_word_wins() {
        let mut args = Args::default();
        args.set("v", "2");
        args.set("bind-address", "0.0.0.0");
        let given = |component: &str, name: &str, value: &str| Argument {
            component: component.into(),
            name: name.into(),
            value: value.into(),
        };
        args.take("kubelet", &[given("kubelet", "v", "4"), given("scheduler", "a", "b")]);
        assert_eq!(
            args.list(),
            [json!({"name": "bind-address", "value": "0.0.0.0"}), json!({"name": "v", "value": "4"})]
        );
    }
}
