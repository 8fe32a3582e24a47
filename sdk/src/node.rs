//! What a node needs beyond what Kubernetes and the Cluster ask for.

pub use crate::bindings::exports::kedge::provider::machines::{
    Argument, HostMount, NodeContribution, NodeFile, NodeUser,
};

impl NodeContribution {
    /// Nothing yet, for an operating system: `ubuntu`, `redhat`, `bottlerocket` or `container`.
    pub fn for_os(os_family: &str) -> Self {
        Self {
            os_family: os_family.into(),
            files: vec![],
            pre_commands: vec![],
            post_commands: vec![],
            arguments: vec![],
            mounts: vec![],
            users: vec![],
            ntp_servers: vec![],
            certificates: vec![],
            cert_sans: vec![],
            node_name: None,
            extensions: vec![],
        }
    }

    /// An argument of a component: `kubelet`, `api-server`, `controller-manager`, `scheduler`, `etcd`.
    #[must_use]
    pub fn argument(mut self, component: &str, name: &str, value: &str) -> Self {
        self.arguments.push(Argument { component: component.into(), name: name.into(), value: value.into() });
        self
    }

    /// A file of root.
    #[must_use]
    pub fn file(mut self, path: &str, permissions: &str, content: impl Into<String>) -> Self {
        self.files.push(NodeFile {
            path: path.into(),
            owner: "root:root".into(),
            permissions: permissions.into(),
            content: content.into(),
        });
        self
    }

    /// A command before kubeadm.
    #[must_use]
    pub fn pre_command(mut self, command: &str) -> Self {
        self.pre_commands.push(command.into());
        self
    }

    /// A further name the API server's certificate is good for.
    #[must_use]
    pub fn cert_san(mut self, name: &str) -> Self {
        self.cert_sans.push(name.into());
        self
    }

    /// A further fact by name.
    #[must_use]
    pub fn extension(mut self, name: &str, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), value.into()));
        self
    }
}
