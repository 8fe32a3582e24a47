//! Helm itself makes a cluster's network of a chart.

use kedge_lab::release;

use super::harness::{ServedLab, spec};
use super::{Sandbox, peer, succeeds};

/// The lab's Cilium as a chart whose templates look at the values that matter here.
fn chart(sandbox: &Sandbox) -> String {
    let folder = sandbox.path().join("chart");
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: cilium\nversion: 1.18.4\n").unwrap();
    std::fs::write(folder.join("values.yaml"), "routingMode: tunnel\npolicyEnforcementMode: default\n").unwrap();
    let carried = release::embedded();
    let manifests = carried.file("embedded:cilium.yaml").unwrap();
    let templates = manifests
        .replace("routing-mode: tunnel", "routing-mode: {{ .Values.routingMode }}")
        .replace("enable-policy: default", "enable-policy: {{ .Values.policyEnforcementMode }}");
    assert_ne!(templates, manifests);
    let more = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: told, namespace: kube-system}\ndata:\n  \
                image: {{ .Values.image.repository }}:{{ .Values.image.tag }}\n  \
                kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}\n  \
                tolerations: {{ .Values.operator.tolerations | len | quote }}\n";
    std::fs::write(folder.join("templates/all.yaml"), format!("{templates}{more}")).unwrap();
    folder.display().to_string()
}

#[test]
fn a_chart_is_installed_with_the_spec_s_settings() {
    let helm = peer("helm", &Sandbox::new()).get_program().to_owned();
    let bin = std::path::Path::new(&helm).parent().unwrap().display().to_string();
    let sandbox = Sandbox::new().env("PATH", &format!("{bin}:/usr/bin:/bin"));
    let text = spec("docker.yaml").replace(
        "cilium: {}",
        "cilium: {policyEnforcementMode: never, routingMode: direct, ipv4NativeRoutingCIDR: 10.0.0.0/8}",
    );
    let path = sandbox.file("docker.yaml", &text);
    let bundles = release::embedded().bundles_yaml;
    let with_chart = bundles.replace(
        "manifest: {uri: 'embedded:cilium.yaml'}",
        &format!("helmChart: {{name: cilium-chart, uri: '{}'}}", chart(&sandbox)),
    );
    assert_ne!(with_chart, bundles);
    sandbox.file("bundles.yaml", with_chart);
    let lab = ServedLab::start(&sandbox, &path, &[]);
    let name = text.lines().find_map(|l| l.strip_prefix("  name: ")).unwrap().to_owned();
    sandbox
        .run(["create", "cluster", "-f", "docker.yaml", "--bundles-override", "bundles.yaml", &lab.flag()])
        .expect(0);
    let kubeconfig = sandbox.path().join(&name).join(format!("{name}-eks-a-cluster.kubeconfig"));
    let get = |map: &str, key: &str| {
        let mut kubectl = peer("kubectl", &sandbox);
        kubectl.arg("--kubeconfig").arg(&kubeconfig);
        kubectl.args(["-n", "kube-system", "get", "configmap", map, "-o", &format!("jsonpath={{.data.{key}}}")]);
        succeeds(&mut kubectl)
    };
    assert_eq!(get("cilium-config", "routing-mode"), "native");
    assert_eq!(get("cilium-config", "enable-policy"), "never");
    assert!(get("told", "image").starts_with("public.ecr.aws/"), "{}", get("told", "image"));
    assert!(get("told", "kubernetes").starts_with("v1."), "{}", get("told", "kubernetes"));
    assert_eq!(get("told", "tolerations"), "3");
}
