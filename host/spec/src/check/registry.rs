//! Proxy, registry mirror, and the other things a cluster talks to.

use std::net::IpAddr;

use super::{Findings, control_plane};
use crate::cluster::{Cluster, ProxyConfiguration, RegistryMirrorConfiguration};
use crate::path;

pub(super) fn check(cluster: &Cluster, findings: &mut Findings<'_>) {
    if let Some(proxy) = &cluster.spec.proxy_configuration {
        self::proxy(proxy, findings);
    }
    if let Some(mirror) = &cluster.spec.registry_mirror_configuration {
        self::mirror(mirror, findings);
    }
    if let Some(pods) = &cluster.spec.pod_iam_config {
        let issuer = pods.service_account_issuer.as_str();
        if issuer.is_empty() {
            findings.error(
                "pod-iam-issuer",
                "spec.podIamConfig.serviceAccountIssuer",
                "IAM roles for pods need an issuer of service account tokens",
                "set `serviceAccountIssuer` to the URL of the OIDC provider",
            );
        }
    }
    let controller = cluster.spec.packages.as_ref().and_then(|packages| packages.controller.as_ref());
    for (index, variable) in controller.iter().flat_map(|controller| &controller.env).enumerate() {
        if variable.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            findings.error(
                "packages-env",
                &path::item("spec.packages.controller.env", index),
                format!("`{variable}` is not a variable and its value"),
                "write `NAME=value`",
            );
        }
    }
    if let Some(packages) = &cluster.spec.packages
        && !cluster.is_self_managed()
    {
        for (field, set) in [("controller", packages.controller.is_some()), ("cronjob", packages.cron_job.is_some())] {
            if set {
                findings.error(
                    "packages",
                    &path::join("spec.packages", field),
                    format!("`{field}` belongs to the management cluster"),
                    "remove it from this cluster",
                );
            }
        }
    }
}

/// Host and port, with or without a scheme. Whether the name resolves is not looked at: that depends on where one is.
fn proxy(proxy: &ProxyConfiguration, findings: &mut Findings<'_>) {
    let at = "spec.proxyConfiguration";
    for (field, value) in [("httpProxy", &proxy.http_proxy), ("httpsProxy", &proxy.https_proxy)] {
        let here = path::join(at, field);
        let example = "write host and port, for example `proxy.example.com:3128`";
        if value.is_empty() {
            findings.error("proxy-missing", &here, format!("`{field}` is missing"), example);
            continue;
        }
        let url = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"));
        // Of a URL the part between the user's name and the path.
        let rest = url.map_or(value.as_str(), |rest| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority.rsplit_once('@').map_or(authority, |(_, host)| host)
        });
        match rest.rsplit_once(':') {
            None => findings.error("proxy-malformed", &here, format!("`{value}` has no port"), example),
            Some((host, port)) => {
                if !is_port(port) {
                    findings.error(
                        "proxy-malformed",
                        &here,
                        format!("`{port}` is not a port"),
                        "use a number from 1 to 65535",
                    );
                }
                if !is_host(host) {
                    findings.error("proxy-malformed", &here, format!("`{host}` is not a host"), example);
                }
            }
        }
    }
}

fn mirror(mirror: &RegistryMirrorConfiguration, findings: &mut Findings<'_>) {
    let at = "spec.registryMirrorConfiguration";
    let endpoint = mirror.endpoint.as_str();
    let here = path::join(at, "endpoint");
    if endpoint.is_empty() {
        findings.error(
            "mirror-endpoint",
            &here,
            "the registry mirror has no address",
            "set `endpoint` to its host name or IP address",
        );
    } else if !is_host(endpoint) {
        findings.error(
            "mirror-endpoint",
            &here,
            format!("`{endpoint}` is not a host name or an IP address"),
            "write the host alone: the port stands in `port`, and there is no scheme",
        );
    }
    if !mirror.port.is_empty() && !is_port(&mirror.port) {
        findings.error(
            "mirror-port",
            &path::join(at, "port"),
            format!("`{}` is not a port", mirror.port),
            "use a number from 1 to 65535",
        );
    }
    let mut packages = 0;
    for (index, namespace) in mirror.oci_namespaces.iter().enumerate() {
        let here = path::item(&path::join(at, "ociNamespaces"), index);
        if namespace.registry.is_empty() {
            findings.error(
                "mirror-namespace",
                &path::join(&here, "registry"),
                "an OCI namespace has to say which registry it mirrors",
                "set `registry`, for example to `public.ecr.aws`",
            );
        }
        if namespace.registry.contains(".dkr.ecr.") && namespace.registry.contains(".amazonaws.com") {
            packages += 1;
            if packages > 1 {
                findings.error(
                    "mirror-namespace",
                    &path::join(&here, "registry"),
                    "there can be one mirror of the registry of curated packages",
                    "remove one of them",
                );
            }
        }
    }
    if let Some(content) = mirror.ca_cert_content.as_deref().filter(|c| !c.trim().is_empty()) {
        certificate(content, &path::join(at, "caCertContent"), findings);
    }
}

/// PEM with certificates, and nothing that looks like one and is none.
fn certificate(content: &str, at: &str, findings: &mut Findings<'_>) {
    let why = if content.contains("-----BEGIN CERTIFICATE-----") {
        x509_cert::Certificate::load_pem_chain(content.as_bytes()).err().map(|error| error.to_string())
    } else {
        Some("it holds no certificate".to_owned())
    };
    if let Some(why) = why {
        findings.error(
            "mirror-certificate",
            at,
            format!("this is not a certificate in PEM form: {why}"),
            "paste the whole certificate as a block (`caCertContent: |`), from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`",
        );
    }
}

pub(super) fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().is_ok() || (!text.starts_with('*') && control_plane::is_domain(text))
}
