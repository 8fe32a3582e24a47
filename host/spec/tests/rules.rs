//! Each rule of a Cluster: one change of a good spec, and what is said about it where.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::format_collect)]

mod common;

use common::{BASE, acme, said, with};
use kedge_spec::Severity;

/// From, to, code, path, and what stands at the place that is pointed at.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const NAME: &str = "  name: prod\nspec:\n  kubernetesVersion";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Shape.
    ("controlPlaneConfiguration:", "controlPlaneConfigration:", "unknown-field", "spec.controlPlaneConfigration", "controlPlaneConfigration"),
    ("    count: 3\n    endpoint", "    count: three\n    endpoint", "wrong-type", "spec.controlPlaneConfiguration.count", "three"),
    ("    count: 3\n    endpoint", "    count: '3'\n    endpoint", "wrong-type", "spec.controlPlaneConfiguration.count", "'3'"),
    ("    count: 3\n    endpoint", "    endpoint", "missing-field", "spec.controlPlaneConfiguration.count", "controlPlaneConfiguration"),
    ("  name: prod\nspec:\n  kube", "  name: on\nspec:\n  kube", "not-quoted", "metadata.name", "on"),
    ("cidrBlocks: [192.168.0.0/16]", "cidrBlocks: 192.168.0.0/16", "wrong-type", "spec.clusterNetwork.pods.cidrBlocks", "192.168.0.0/16"),
    ("  kubernetesVersion: \"1.34\"\n", "", "missing-field", "spec.kubernetesVersion", "spec"),
    ("\"1.34\"", "1.3", "value-malformed", "spec.kubernetesVersion", "1.3"),
    ("\"1.34\"", "v1.34", "value-malformed", "spec.kubernetesVersion", "v1.34"),
    ("  - name: md-0", "  - name: md-0\n    taints: [{key: a, effect: NoSchedul}]", "value-not-allowed", "spec.workerNodeGroupConfigurations[0].taints[0].effect", "NoSchedul"),
    ("  - name: md-0", "  - name: md-0\n    taints: [{effect: NoSchedule}]", "missing-field", "spec.workerNodeGroupConfigurations[0].taints[0].key", "effect"),
    ("    name: prod-cp\n", "    nam: prod-cp\n", "unknown-field", "spec.controlPlaneConfiguration.machineGroupRef.nam", "nam"),
    ("    count: 3\n    endpoint", "    count: 3\n    Count: 3\n    endpoint", "duplicate-key", "spec.controlPlaneConfiguration.Count", "Count"),
    // Names.
    (NAME, "  name: a-name-of-thirty-six-characters-long\nspec:\n  kubernetesVersion", "cluster-name-too-long", "metadata.name", "a-name"),
    (NAME, "  name: 1prod\nspec:\n  kubernetesVersion", "cluster-name-malformed", "metadata.name", "1prod"),
    (NAME, "  name: my_prod\nspec:\n  kubernetesVersion", "cluster-name-malformed", "metadata.name", "my_prod"),
    (NAME, "  name: Prod\nspec:\n  kubernetesVersion", "cluster-name-malformed", "metadata.name", "Prod"),
    (NAME, "  name: prod-\nspec:\n  kubernetesVersion", "cluster-name-malformed", "metadata.name", "prod-"),
    (NAME, "  name: p\nspec:\n  kubernetesVersion", "cluster-name-malformed", "metadata.name", "p"),
    (NAME, "  name: prod\n  namespace: Bad_\nspec:\n  kubernetesVersion", "namespace-malformed", "metadata.namespace", "Bad_"),
    (NAME, "  name: prod\n  namespace: other\nspec:\n  kubernetesVersion", "namespace-differs", "metadata.namespace", "metadata"),
    // Control plane and etcd.
    ("    count: 3\n    endpoint", "    count: 0\n    endpoint", "control-plane-count", "spec.controlPlaneConfiguration.count", "0"),
    ("    count: 3\n    endpoint", "    count: -1\n    endpoint", "control-plane-count", "spec.controlPlaneConfiguration.count", "-1"),
    ("      host: 10.1.2.3", "      host: ''", "endpoint-missing", "spec.controlPlaneConfiguration.endpoint.host", "''"),
    ("    endpoint:\n      host: 10.1.2.3\n", "", "endpoint-missing", "spec.controlPlaneConfiguration.endpoint.host", "controlPlaneConfiguration"),
    ("10.1.2.3", "192.168.3.4", "endpoint-in-range", "spec.controlPlaneConfiguration.endpoint.host", "192.168.3.4"),
    ("10.1.2.3", "10.100.0.1", "endpoint-in-range", "spec.controlPlaneConfiguration.endpoint.host", "10.100.0.1"),
    ("10.1.2.3", "0.0.0.0", "endpoint-malformed", "spec.controlPlaneConfiguration.endpoint.host", "0.0.0.0"),
    ("10.1.2.3", "https://10.1.2.3", "endpoint-malformed", "spec.controlPlaneConfiguration.endpoint.host", "https"),
    ("10.1.2.3", "10.1.2.300", "endpoint-malformed", "spec.controlPlaneConfiguration.endpoint.host", "10.1.2.300"),
    ("    endpoint:", "    certSans: [ok.example.com, 'https://x']\n    endpoint:", "cert-san", "spec.controlPlaneConfiguration.certSans[1]", "'https://x'"),
    ("    endpoint:", "    labels: {'bad key': x}\n    endpoint:", "label-malformed", "spec.controlPlaneConfiguration.labels[bad key]", "x"),
    ("    endpoint:", "    labels: {a: 'bad value'}\n    endpoint:", "label-malformed", "spec.controlPlaneConfiguration.labels.a", "'bad value'"),
    ("    endpoint:", "    taints: [{key: a, effect: NoExecute}, {key: a, effect: NoExecute}]\n    endpoint:", "taint-twice", "spec.controlPlaneConfiguration.taints[1]", "key"),
    ("    endpoint:", "    auditPolicyContent: '{'\n    endpoint:", "audit-policy", "spec.controlPlaneConfiguration.auditPolicyContent", "'{'"),
    ("    endpoint:", "    upgradeRolloutStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2}}\n    endpoint:", "rollout", "spec.controlPlaneConfiguration.upgradeRolloutStrategy.rollingUpdate.maxSurge", "2"),
    ("    endpoint:", "    upgradeRolloutStrategy: {type: InPlace}\n    endpoint:", "rollout-in-place", "spec.controlPlaneConfiguration.upgradeRolloutStrategy.type", "InPlace"),
    ("    endpoint:", "    machineHealthCheck: {nodeStartupTimeout: ten}\n    endpoint:", "duration", "spec.controlPlaneConfiguration.machineHealthCheck.nodeStartupTimeout", "ten"),
    ("    endpoint:", "    machineHealthCheck: {maxUnhealthy: 140%}\n    endpoint:", "max-unhealthy", "spec.controlPlaneConfiguration.machineHealthCheck.maxUnhealthy", "140%"),
    ("    endpoint:", "    kubeletConfiguration: {kind: KubeletConfiguration, maxPod: 5}\n    endpoint:", "unknown-field", "spec.controlPlaneConfiguration.kubeletConfiguration.maxPod", "maxPod"),
    ("    endpoint:", "    kubeletConfiguration: {providerID: x}\n    endpoint:", "kubelet-reserved", "spec.controlPlaneConfiguration.kubeletConfiguration.providerID", "x"),
    ("    endpoint:", "    kubeletConfiguration: {kind: KubeletConfiguration, maxPods: lots}\n    endpoint:", "wrong-type", "spec.controlPlaneConfiguration.kubeletConfiguration.maxPods", "lots"),
    ("    endpoint:", "    kubeletConfiguration: {kind: KubeletConfiguration, evictionHard: [a]}\n    endpoint:", "wrong-type", "spec.controlPlaneConfiguration.kubeletConfiguration.evictionHard", "evictionHard"),
    ("    endpoint:", "    kubeletConfiguration: {kind: KubeletConfiguration, syncFrequency: often}\n    endpoint:", "duration", "spec.controlPlaneConfiguration.kubeletConfiguration.syncFrequency", "often"),
    ("    endpoint:", "    kubeletConfiguration: {maxPods: 5}\n    endpoint:", "kubelet-kind", "spec.controlPlaneConfiguration.kubeletConfiguration.kind", "kubeletConfiguration"),
    ("    endpoint:", "    auditPolicyContent: '{kind: Policy, apiVersion: audit.k8s.io/v1}'\n    endpoint:", "audit-policy", "spec.controlPlaneConfiguration.auditPolicyContent", "'{kind"),
    ("    endpoint:", "    certSans: [localhost]\n    endpoint:", "cert-san", "spec.controlPlaneConfiguration.certSans[0]", "localhost"),
    ("    endpoint:", "    upgradeRolloutStrategy: {rollingUpdate: {maxSurge: 1}}\n    endpoint:", "rollout-type", "spec.controlPlaneConfiguration.upgradeRolloutStrategy.type", "upgradeRolloutStrategy"),
    ("    endpoint:", "    kubeletConfiguration: {kind: Kubelet}\n    endpoint:", "kubelet-kind", "spec.controlPlaneConfiguration.kubeletConfiguration.kind", "Kubelet"),
    ("  externalEtcdConfiguration:\n    count: 3", "  externalEtcdConfiguration:\n    count: 4", "etcd-count-even", "spec.externalEtcdConfiguration.count", "4"),
    ("  externalEtcdConfiguration:\n    count: 3", "  externalEtcdConfiguration:\n    count: 0", "etcd-count", "spec.externalEtcdConfiguration.count", "0"),
    ("  externalEtcdConfiguration:\n    count: 3", "  externalEtcdConfiguration:\n    count: 1", "etcd-count-unusual", "spec.externalEtcdConfiguration.count", "1"),
    // Workers.
    ("  - name: md-1", "  - name: md-0", "worker-name-twice", "spec.workerNodeGroupConfigurations[1].name", "md-0"),
    ("  - name: md-1", "  - name: ''", "worker-name-missing", "spec.workerNodeGroupConfigurations[1].name", "''"),
    ("  - name: md-1", "  - name: MD_1", "worker-name-malformed", "spec.workerNodeGroupConfigurations[1].name", "MD_1"),
    ("    count: 2", "    count: -2", "worker-count", "spec.workerNodeGroupConfigurations[0].count", "-2"),
    ("    count: 2", "    count: 2\n    autoscalingConfiguration: {minCount: 3, maxCount: 5}", "autoscaling", "spec.workerNodeGroupConfigurations[0].count", "2"),
    ("    count: 2", "    count: 2\n    autoscalingConfiguration: {minCount: 3, maxCount: 1}", "autoscaling", "spec.workerNodeGroupConfigurations[0].autoscalingConfiguration.minCount", "3"),
    ("    count: 2", "    count: 2\n    autoscalingConfiguration: {minCount: -1, maxCount: 5}", "autoscaling", "spec.workerNodeGroupConfigurations[0].autoscalingConfiguration.minCount", "-1"),
    ("    count: 2", "    count: 2\n    kubernetesVersion: 1.35", "worker-version-skew", "spec.workerNodeGroupConfigurations[0].kubernetesVersion", "1.35"),
    ("    count: 2", "    count: 2\n    kubernetesVersion: 1.30", "worker-version-skew", "spec.workerNodeGroupConfigurations[0].kubernetesVersion", "1.30"),
    ("    count: 2", "    count: 2\n    kubernetesVersion: 1.32", "kubernetes-version-unknown", "spec.workerNodeGroupConfigurations[0].kubernetesVersion", "1.32"),
    ("    count: 2", "    count: 2\n    upgradeRolloutStrategy: {type: RollingUpdate}", "rollout", "spec.workerNodeGroupConfigurations[0].upgradeRolloutStrategy.rollingUpdate", "upgradeRolloutStrategy"),
    ("    count: 2", "    count: 2\n    upgradeRolloutStrategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}", "rollout", "spec.workerNodeGroupConfigurations[0].upgradeRolloutStrategy.rollingUpdate", "rollingUpdate"),
    ("    count: 2", "    count: 2\n    upgradeRolloutStrategy: {rollingUpdate: {maxSurge: -1}}", "rollout", "spec.workerNodeGroupConfigurations[0].upgradeRolloutStrategy.rollingUpdate", "rollingUpdate"),
    // References.
    ("      name: prod-cp\n", "      name: prod-pc\n", "reference-missing", "spec.controlPlaneConfiguration.machineGroupRef.name", "prod-pc"),
    ("      kind: AcmeMachineConfig\n      name: prod-cp\n", "      kind: AcmeMachineConfg\n      name: prod-cp\n", "reference-kind", "spec.controlPlaneConfiguration.machineGroupRef.kind", "AcmeMachineConfg"),
    ("    machineGroupRef:\n      kind: AcmeMachineConfig\n      name: prod-etcd\n", "", "machine-ref-missing", "spec.externalEtcdConfiguration.machineGroupRef", "externalEtcdConfiguration"),
    ("    kind: AcmeDatacenterConfig\n    name: prod\n", "    kind: AcmeDatacenterConfig\n    name: elsewhere\n", "reference-missing", "spec.datacenterRef.name", "elsewhere"),
    ("  datacenterRef:", "  identityProviderRefs: [{kind: OIDCConfig, name: sso}]\n  datacenterRef:", "reference-missing", "spec.identityProviderRefs[0].name", "sso"),
    ("  datacenterRef:", "  identityProviderRefs: [{kind: LdapConfig, name: sso}]\n  datacenterRef:", "reference-kind", "spec.identityProviderRefs[0].kind", "LdapConfig"),
    ("  datacenterRef:", "  gitOpsRef: {kind: Flux, name: f}\n  datacenterRef:", "reference-kind", "spec.gitOpsRef.kind", "Flux"),
    ("  datacenterRef:", "  gitOpsRef: {kind: FluxConfig, name: ''}\n  datacenterRef:", "value-empty", "spec.gitOpsRef.name", "''"),
    ("      name: prod-cp\n", "      name: prod\n", "document-unused", "metadata.name", "prod-cp"),
    ("kind: AcmeMachineConfig\nmetadata:\n  name: prod-cp", "kind: AcmeMachinConfig\nmetadata:\n  name: prod-cp", "unknown-kind", "kind", "AcmeMachinConfig"),
    ("anywhere.eks.amazonaws.com/v1alpha1\nkind: AcmeMachineConfig", "anywhere.eks.amazonaws.com/v9\nkind: AcmeMachineConfig", "api-version", "apiVersion", "anywhere"),
    ("anywhere.eks.amazonaws.com/v1alpha1\nkind: Cluster", "example.com/v1\nkind: Cluster", "api-version", "apiVersion", "example.com"),
    // Network.
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: []", "cidr-missing", "spec.clusterNetwork.pods.cidrBlocks", "cidrBlocks"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.0/33]", "cidr-malformed", "spec.clusterNetwork.pods.cidrBlocks[0]", "192.168.0.0/33"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.0]", "cidr-malformed", "spec.clusterNetwork.pods.cidrBlocks[0]", "192.168.0.0"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.0/16, 10.0.0.0/16]", "cidr-several", "spec.clusterNetwork.pods.cidrBlocks", "cidrBlocks"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.1/16]", "cidr-host-bits", "spec.clusterNetwork.pods.cidrBlocks[0]", "192.168.0.1/16"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [10.100.0.0/16]", "cidr-overlap", "spec.clusterNetwork.services.cidrBlocks[0]", "10.96.0.0/12"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.0/24]", "node-mask", "spec.clusterNetwork.pods.cidrBlocks[0]", "192.168.0.0/24"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: [192.168.0.0/16]\n    nodes: {cidrMaskSize: 16}", "node-mask", "spec.clusterNetwork.nodes.cidrMaskSize", "16"),
    ("      cidrBlocks: [192.168.0.0/16]", "      cidrBlocks: ['128.0.0.0/7']", "node-mask", "spec.clusterNetwork.pods.cidrBlocks[0]", "'128.0.0.0/7'"),
    ("      cilium: {}", "      cilium:", "cni-missing", "spec.clusterNetwork.cniConfig", "cniConfig"),
    ("    cniConfig:\n      cilium: {}\n", "", "cni-missing", "spec.clusterNetwork.cniConfig", "clusterNetwork"),
    ("    cniConfig:\n      cilium: {}\n", "    cni: celium\n", "cni-unknown", "spec.clusterNetwork.cni", "celium"),
    ("    cniConfig:\n      cilium: {}\n", "    cniConfig: {cilium: {}}\n    cni: cilium\n", "cni-twice", "spec.clusterNetwork.cni", "cilium"),
    ("      cilium: {}", "      cilium: {}\n      kindnetd: {}", "cni-twice", "spec.clusterNetwork.cniConfig", "cniConfig"),
    ("      cilium: {}", "      kindnetd: {}", "cni-not-for-provider", "spec.clusterNetwork.cniConfig.kindnetd", "kindnetd"),
    ("      cilium: {}", "      cilium: {policyEnforcementMode: allways}", "cilium-policy-mode", "spec.clusterNetwork.cniConfig.cilium.policyEnforcementMode", "allways"),
    ("      cilium: {}", "      cilium: {routingMode: direct}", "cilium-routing", "spec.clusterNetwork.cniConfig.cilium.ipv4NativeRoutingCIDR", "cilium"),
    ("      cilium: {}", "      cilium: {skipUpgrade: true, policyEnforcementMode: never}", "cilium-skip-upgrade", "spec.clusterNetwork.cniConfig.cilium.skipUpgrade", "true"),
    ("    cniConfig:", "    dns: {resolvConf: {path: etc/resolv.conf}}\n    cniConfig:", "resolv-conf", "spec.clusterNetwork.dns.resolvConf.path", "etc/resolv.conf"),
    // What the cluster talks to.
    ("  datacenterRef:", "  proxyConfiguration: {httpProxy: 'p:3128'}\n  datacenterRef:", "proxy-missing", "spec.proxyConfiguration.httpsProxy", "proxyConfiguration"),
    ("  datacenterRef:", "  proxyConfiguration: {httpProxy: 'p:3128', httpsProxy: 'p:99999'}\n  datacenterRef:", "proxy-malformed", "spec.proxyConfiguration.httpsProxy", "'p:99999'"),
    ("  datacenterRef:", "  proxyConfiguration: {httpProxy: 'p:3128', httpsProxy: p}\n  datacenterRef:", "proxy-malformed", "spec.proxyConfiguration.httpsProxy", "p"),
    ("  datacenterRef:", "  registryMirrorConfiguration: {port: 5000}\n  datacenterRef:", "mirror-endpoint", "spec.registryMirrorConfiguration.endpoint", "registryMirrorConfiguration"),
    ("  datacenterRef:", "  registryMirrorConfiguration: {endpoint: 'https://r'}\n  datacenterRef:", "mirror-endpoint", "spec.registryMirrorConfiguration.endpoint", "'https://r'"),
    ("  datacenterRef:", "  registryMirrorConfiguration: {endpoint: r, port: 70000}\n  datacenterRef:", "mirror-port", "spec.registryMirrorConfiguration.port", "70000"),
    ("  datacenterRef:", "  registryMirrorConfiguration: {endpoint: r, caCertContent: abc}\n  datacenterRef:", "mirror-certificate", "spec.registryMirrorConfiguration.caCertContent", "abc"),
    ("  datacenterRef:", "  registryMirrorConfiguration: {endpoint: r, ociNamespaces: [{namespace: x}]}\n  datacenterRef:", "mirror-namespace", "spec.registryMirrorConfiguration.ociNamespaces[0].registry", "namespace"),
    ("  datacenterRef:", "  podIamConfig: {serviceAccountIssuer: ''}\n  datacenterRef:", "pod-iam-issuer", "spec.podIamConfig.serviceAccountIssuer", "''"),
    ("  datacenterRef:", "  managementCluster: {name: mgmt}\n  packages: {controller: {tag: x}}\n  datacenterRef:", "packages", "spec.packages.controller", "controller"),
    // Versions.
    ("\"1.34\"", "1.28", "kubernetes-version-unknown", "spec.kubernetesVersion", "1.28"),
    ("  datacenterRef:", "  bundlesRef: {name: b}\n  eksaVersion: 0.26\n  datacenterRef:", "not-quoted", "spec.eksaVersion", "0.26"),
    ("  datacenterRef:", "  bundlesRef: {name: b}\n  eksaVersion: v0.26\n  datacenterRef:", "eksa-version", "spec.eksaVersion", "v0.26"),
    ("  datacenterRef:", "  bundlesRef: {name: b}\n  eksaVersion: v0.26.0\n  datacenterRef:", "bundles-and-version", "spec.bundlesRef", "bundlesRef"),
    ("  datacenterRef:", "  bundlesRef: {name: b}\n  datacenterRef:", "bundles-ref", "spec.bundlesRef", "bundlesRef"),
    // Only later.
    ("  datacenterRef:", "  etcdEncryption: [{providers: [{kms: {name: k, socketListenAddress: s}}], resources: [secrets]}]\n  datacenterRef:", "not-at-create", "spec.etcdEncryption", "etcdEncryption"),
    ("  datacenterRef:", "  packages: {controller: {env: [A=1, B]}}\n  datacenterRef:", "packages-env", "spec.packages.controller.env[1]", "B"),
];

#[test]
fn each_rule_says_what_is_wrong_where_and_what_to_do() {
    let provider = acme();
    let wrong: Vec<String> = CASES.iter().filter_map(|case| misses(case, &provider)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a case does not keep to.
fn misses((from, to, code, path, pointed): &Case, provider: &kedge_spec::provider::Description) -> Option<String> {
    let text = with(from, to);
    let found = said(&text, provider);
    let listed: Vec<_> = found.iter().map(|d| format!("{} {}", d.finding.code, d.finding.path)).collect();
    let is_it = |d: &&kedge_spec::Diagnostic| d.finding.code == *code && (d.finding.path == *path || path.is_empty());
    let Some(hit) = found.iter().find(is_it) else {
        return Some(format!("{to:?} should give {code} at {path}; said: {listed:?}"));
    };
    let span = hit.span.unwrap();
    let shown = text[span.start..].lines().next().unwrap_or_default();
    if !shown.starts_with(pointed) {
        return Some(format!("{code} {path} points at {shown:?}, not {pointed:?}"));
    }
    if hit.finding.remedy.is_empty() || hit.finding.message.ends_with('.') {
        return Some(format!("{code} {path}: no remedy, or a full stop: {:?}", hit.finding));
    }
    let line = text[..span.start].matches('\n').count() + 1;
    (hit.line != line).then(|| format!("{code} {path}: line {} is {line}", hit.line))
}

#[test]
fn a_good_spec_gives_nothing_to_say() {
    let found = said(BASE, &acme());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_honoured_is_not_refused() {
    let rich = with(
        "    endpoint:",
        "    certSans: [api.example.com, 10.9.9.9]\n    taints: []\n    labels: {example.com/team: a}\n    upgradeRolloutStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0}}\n    machineHealthCheck: {maxUnhealthy: 50%}\n    endpoint:",
    )
    .replace("    count: 2", "    count: 2\n    kubernetesVersion: 1.33\n    autoscalingConfiguration: {minCount: 1, maxCount: 5}\n    taints: [{key: a, value: b, effect: PreferNoSchedule}]\n    upgradeRolloutStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}")
    .replace("  datacenterRef:", "  managementCluster: {name: prod}\n  podIamConfig: {serviceAccountIssuer: 'https://i.example.com'}\n  proxyConfiguration: {httpProxy: 'http://p.example.com:3128', httpsProxy: '10.0.0.1:3128', noProxy: [.example.com]}\n  registryMirrorConfiguration: {endpoint: 10.0.0.2, port: 5000}\n  machineHealthCheck: {unhealthyMachineTimeout: 5m}\n  datacenterRef:")
    .replace("      cilium: {}", "      cilium: {policyEnforcementMode: always}");
    let found = said(&rich, &acme());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn stacked_etcd_asks_for_an_odd_control_plane() {
    let start = BASE.find("  externalEtcdConfiguration").unwrap();
    let end = BASE.find("  datacenterRef").unwrap();
    let stacked = format!("{}{}", &BASE[..start], &BASE[end..]);
    for (count, code) in [
        ("2", "control-plane-count-even"),
        ("4", "control-plane-count-even"),
        ("1", "control-plane-count-unusual"),
        ("7", "control-plane-count-unusual"),
    ] {
        let found = said(&stacked.replacen("count: 3", &format!("count: {count}"), 1), &acme());
        assert!(found.iter().any(|d| d.finding.code == code), "{count}: {found:#?}");
    }
    let unusual = said(&stacked.replacen("count: 3", "count: 1", 1), &acme());
    assert!(unusual.iter().all(|d| d.finding.severity == Severity::Warning));
}

#[test]
fn a_provider_may_do_without_machine_documents_and_endpoints() {
    let mut provider = acme();
    provider.user_endpoint = false;
    provider.machine_documents = false;
    provider.extra_cni = vec!["kindnetd".into()];
    let found = said(&with("      cilium: {}", "      kindnetd: {}"), &provider);
    let codes: Vec<_> = found.iter().map(|d| d.finding.code.as_str()).collect();
    assert!(codes.contains(&"endpoint-not-allowed"), "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == "machine-ref-unused").count(), 4, "{codes:?}");
    assert!(!codes.contains(&"cni-not-for-provider"));
}

#[test]
fn workers_need_a_place_for_the_clusters_own_controllers() {
    let taint = "    taints: [{key: a, effect: NoSchedule}]\n";
    let one = BASE.replacen("    count: 2\n", &format!("    count: 2\n{taint}"), 1);
    assert!(said(&one, &acme()).is_empty());
    let both = one.replacen("    count: 1\n", &format!("    count: 1\n{taint}"), 1);
    assert!(said(&both, &acme()).iter().any(|d| d.finding.code == "workers-all-tainted"));
}

#[test]
fn all_errors_come_at_once_even_beside_a_wrong_shape() {
    let text = with("    count: 3\n    endpoint", "    count: three\n    endpoint")
        .replace("10.96.0.0/12", "192.168.0.0/20")
        .replace("md-1", "md-0")
        .replace("  datacenterRef", "  gitOps: {}\n  datacenterRef");
    let codes: Vec<_> = said(&text, &acme()).into_iter().map(|d| d.finding.code).collect();
    for code in ["wrong-type", "cidr-overlap", "worker-name-twice", "unknown-field"] {
        assert!(codes.iter().any(|c| c == code), "{code} in {codes:?}");
    }
    assert!(!codes.iter().any(|c| c == "control-plane-count"), "what can't be read is not judged: {codes:?}");
}
