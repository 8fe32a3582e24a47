//! Who a provider is and what it will ask for.

pub use crate::bindings::exports::kedge::provider::describe::{
    EndpointNeed, Infrastructure, KindClaim, KindRole, Provider as Description, SecretNeed,
};

impl Description {
    /// A provider with nothing but its name, its title on progress lines, its version and the Cluster API
    /// infrastructure provider it goes with.
    pub fn new(name: &str, title: &str, version: &str, infrastructure: Infrastructure) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            version: version.into(),
            kinds: vec![],
            endpoints: vec![],
            secrets: vec![],
            infrastructure,
            machine_documents: false,
            user_endpoint: true,
            extra_cni: vec![],
            extensions: vec![],
        }
    }

    /// Claims the kind that `spec.datacenterRef` names. Every provider claims exactly one.
    #[must_use]
    pub fn datacenter(self, kind: &str, api_versions: &[&str]) -> Self {
        self.claim(KindRole::Datacenter, kind, api_versions)
    }

    /// Claims a kind that `machineGroupRef`s name, and says that every group needs one.
    #[must_use]
    pub fn machine(mut self, kind: &str, api_versions: &[&str]) -> Self {
        self.machine_documents = true;
        self.claim(KindRole::Machine, kind, api_versions)
    }

    /// Claims a kind of document.
    #[must_use]
    pub fn claim(mut self, role: KindRole, kind: &str, api_versions: &[&str]) -> Self {
        self.kinds.push(KindClaim {
            role,
            kind: kind.into(),
            api_versions: api_versions.iter().map(ToString::to_string).collect(),
        });
        self
    }

    /// Asks for a server.
    #[must_use]
    pub fn endpoint(mut self, need: EndpointNeed) -> Self {
        self.endpoints.push(need);
        self
    }

    /// Asks for a secret to refer to.
    #[must_use]
    pub fn secret(mut self, need: SecretNeed) -> Self {
        self.secrets.push(need);
        self
    }

    /// The provider finds the control plane's address itself; a user may not name one.
    #[must_use]
    pub fn own_endpoint(mut self) -> Self {
        self.user_endpoint = false;
        self
    }

    /// Says that the infrastructure provider's controllers make machines through the container engine, whose socket
    /// they expect at this path on the nodes they run on. The host gives it to a bootstrap cluster that it makes.
    #[must_use]
    pub fn engine_socket(mut self, path: &str) -> Self {
        self.extensions.push(("engine-socket".into(), path.into()));
        self
    }

    /// Allows a CNI plugin besides Cilium.
    #[must_use]
    pub fn cni(mut self, name: &str) -> Self {
        self.extra_cni.push(name.into());
        self
    }
}

impl Infrastructure {
    /// The Cluster API provider `name` (as clusterctl knows it) with its API group. Release key and namespace follow
    /// from the name; kinds and versions start empty.
    pub fn new(name: &str, api_group: &str) -> Self {
        Self {
            name: name.into(),
            release_key: name.into(),
            namespace: format!("{name}-system"),
            api_group: api_group.into(),
            cluster_kind: String::new(),
            machine_template_kind: String::new(),
            api_versions: vec![],
        }
    }

    /// The entry of a release's `versionsBundles` with its components.
    #[must_use]
    pub fn release_key(mut self, key: &str) -> Self {
        self.release_key = key.into();
        self
    }

    /// The namespace it is installed in.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The kinds of its cluster and machine template objects.
    #[must_use]
    pub fn kinds(mut self, cluster: &str, machine_template: &str) -> Self {
        self.cluster_kind = cluster.into();
        self.machine_template_kind = machine_template.into();
        self
    }

    /// API versions that the provider can render, best first.
    #[must_use]
    pub fn versions(mut self, versions: &[&str]) -> Self {
        self.api_versions = versions.iter().map(ToString::to_string).collect();
        self
    }

    /// `group/version` of the best version.
    pub fn api_version(&self) -> String {
        let version = self.api_versions.first().map_or("v1beta1", String::as_str);
        format!("{}/{version}", self.api_group)
    }
}

impl EndpointNeed {
    /// A server whose address is in a field (`spec.server`) of a kind of document.
    pub fn new(name: &str, purpose: &str, kind: &str, server_field: &str) -> Self {
        Self {
            name: name.into(),
            purpose: purpose.into(),
            kind: kind.into(),
            server_field: server_field.into(),
            default_port: 443,
            insecure_field: None,
            thumbprint_field: None,
        }
    }

    /// The boolean field that switches certificate checks off.
    #[must_use]
    pub fn insecure_field(mut self, field: &str) -> Self {
        self.insecure_field = Some(field.into());
        self
    }

    /// The field with the certificate's SHA-1 thumbprint.
    #[must_use]
    pub fn thumbprint_field(mut self, field: &str) -> Self {
        self.thumbprint_field = Some(field.into());
        self
    }
}

impl SecretNeed {
    /// A secret that a create can't go without, from the first of these environment variables that is set.
    pub fn required(name: &str, purpose: &str, environment: &[&str]) -> Self {
        Self {
            name: name.into(),
            purpose: purpose.into(),
            environment: environment.iter().map(ToString::to_string).collect(),
            endpoint: None,
            required: true,
        }
    }

    /// A secret that may be missing.
    pub fn optional(name: &str, purpose: &str, environment: &[&str]) -> Self {
        Self { required: false, ..Self::required(name, purpose, environment) }
    }

    /// The endpoint whose requests may carry it.
    #[must_use]
    pub fn for_endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }
}
