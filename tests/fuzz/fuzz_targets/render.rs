//! Any spec that is accepted renders, twice to the same bytes, and the same again from what was made of it by defaults.
//! The provider is a stand-in that claims whatever kinds the spec names: what is looked at is the host.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use kedge_cluster_api::render::{RenderInput, render};
use kedge_spec::provider::{
    Contributions, Description, Infrastructure, InfrastructureObjects, KindClaim, KindRole, MachineTemplate,
    NodeContribution, Role,
};
use kedge_spec::release::{Bundles, Release};
use kedge_spec::{DefaultedSpec, Source, Spec};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const GROUP: &str = "infrastructure.cluster.x-k8s.io";

fn release() -> &'static Release {
    static READ: OnceLock<Release> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host/lab/release");
        let bundles = std::fs::read_to_string(folder.join("bundles.yaml")).expect("the carried release");
        let bundles = Bundles::parse(&bundles, "bundles").expect("the carried release");
        let eksd = bundles
            .eksd_urls()
            .map(|(_, url)| {
                let file = url.rsplit(['/', ':']).next().expect("a name");
                let text = std::fs::read_to_string(folder.join("eksd").join(file)).expect("an EKS-D manifest");
                (url.to_owned(), text)
            })
            .collect();
        bundles.with_eksd(eksd).expect("a release")
    })
}

fn provider(spec: &Spec) -> Description {
    let claim = |role, kind: &str| KindClaim {
        role,
        kind: kind.to_owned(),
        api_versions: vec!["anywhere.eks.amazonaws.com/v1alpha1".to_owned()],
    };
    let machine = spec.documents().iter().find(|d| d.kind.ends_with("MachineConfig")).map(|d| d.kind.clone());
    let mut kinds = vec![claim(KindRole::Datacenter, spec.datacenter_kind())];
    kinds.extend(machine.iter().map(|kind| claim(KindRole::Machine, kind)));
    Description {
        name: "thing".into(),
        title: "Thing".into(),
        version: "1.0.0".into(),
        kinds,
        endpoints: Vec::new(),
        secrets: Vec::new(),
        infrastructure: Infrastructure {
            name: "thing".into(),
            release_key: "vSphere".into(),
            namespace: "thing-system".into(),
            api_group: GROUP.into(),
            cluster_kind: "ThingCluster".into(),
            machine_template_kind: "ThingMachineTemplate".into(),
            api_versions: vec!["v1beta1".into()],
        },
        machine_documents: machine.is_some(),
        user_endpoint: machine.is_some(),
        extra_cni: vec!["kindnetd".into()],
        extensions: BTreeMap::new(),
    }
}

fn contributions(spec: &DefaultedSpec) -> Contributions {
    let cluster = &spec.cluster().spec;
    let mut roles = vec![Role::ControlPlane];
    roles.extend(cluster.external_etcd_configuration.is_some().then_some(Role::Etcd));
    roles.extend(cluster.worker_node_group_configurations.iter().map(|g| Role::Worker(g.name.clone())));
    let template = |role: &Role| MachineTemplate {
        role: role.clone(),
        object: json!({"apiVersion": format!("{GROUP}/v1beta1"), "kind": "ThingMachineTemplate", "spec": {"template": {"spec": {}}}}),
        in_place: Vec::new(),
    };
    let node = NodeContribution {
        os_family: "ubuntu".into(),
        files: Vec::new(),
        pre_commands: Vec::new(),
        post_commands: Vec::new(),
        arguments: Vec::new(),
        mounts: Vec::new(),
        users: Vec::new(),
        ntp_servers: Vec::new(),
        certificates: Vec::new(),
        cert_sans: Vec::new(),
        node_name: None,
        extensions: BTreeMap::new(),
    };
    Contributions {
        templates: roles.iter().map(template).collect(),
        nodes: roles.iter().map(|role| (role.clone(), node.clone())).collect(),
        infrastructure: InfrastructureObjects {
            cluster: json!({
                "apiVersion": format!("{GROUP}/v1beta1"), "kind": "ThingCluster",
                "metadata": {"name": spec.cluster().name, "namespace": "eksa-system"}, "spec": {},
            }),
            others: Vec::new(),
        },
        addons: Vec::new(),
    }
}

fn complete(spec: Spec, provider: &Description) -> Option<DefaultedSpec> {
    let spec = spec.with_host_defaults(provider, Some(release()));
    let documents = spec.provider_documents();
    spec.complete(documents, Vec::new()).ok()
}

fn manifests(spec: &DefaultedSpec, provider: &Description) -> Option<String> {
    let mut findings = spec.check(provider, release());
    findings.extend(spec.not_at_create());
    if findings.iter().any(kedge_spec::Finding::is_error) {
        return None;
    }
    let view = release().view(spec).expect("a spec without errors has a release");
    let contributions = contributions(spec);
    let input = RenderInput { spec, release: &view, provider, contributions: &contributions };
    let manifests = render(&input).expect("a spec without errors renders").to_yaml();
    assert_eq!(render(&input).expect("again").to_yaml(), manifests, "rendering is not stable");
    Some(manifests)
}

fuzz_target!(|data: &[u8]| {
    let Ok(source) = Source::from_bytes("fuzz.yaml", data) else { return };
    let Ok(spec) = Spec::parse(source) else { return };
    let provider = provider(&spec);
    let Some(spec) = complete(spec, &provider) else { return };
    let Some(first) = manifests(&spec, &provider) else { return };
    let again = Spec::parse(Source::new("again.yaml", spec.to_yaml())).expect("what is kept can be read");
    let again = complete(again, &provider).expect("and completed");
    assert_eq!(again.hash(), spec.hash(), "what is kept is another spec");
    let second = manifests(&again, &provider).expect("and is accepted");
    assert_eq!(first, second, "what is kept renders to something else");
});
