//! The values of the chart for a spec: those that EKS Anywhere gives it (`pkg/curatedpackages`, v0.26.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kedge_spec::cluster::{
    Amounts, Cluster, OciNamespace, PackageController, PackageCronJob, RegistryMirrorConfiguration,
};
use kedge_spec::release::Mirror;
use serde_json::{Map, Value, json};

use crate::error::WorkflowError;
use crate::options::Options;

/// Where charts come from, and what they are made of, where nobody says otherwise.
const CHARTS: &str = "public.ecr.aws/eks-anywhere";
/// The registry of the packages' images, in its own region.
const IMAGES: &str = "783794618700.dkr.ecr.us-west-2.amazonaws.com";
const REGION: &str = "us-west-2";

/// Where things come from.
struct Registries {
    charts: String,
    images: String,
}

/// The values. Credentials are those of the environment, under the names of EKS Anywhere's variables.
pub(super) fn of(cluster: &Cluster, mirror: &Mirror, options: &Options) -> Result<Value, WorkflowError> {
    let get = |name: &str| (options.environment)(name).filter(|value| !value.is_empty());
    let mirrored = cluster.spec.registry_mirror_configuration.as_ref();
    let region = get("EKSA_AWS_REGION").unwrap_or_else(|| REGION.to_owned());
    let source = mirror.rewrite(CHARTS);
    let registries = registries(mirrored, &source, &region);
    let (id, secret) = (get("EKSA_AWS_ACCESS_KEY_ID"), get("EKSA_AWS_SECRET_ACCESS_KEY"));
    let without_credentials = id.is_none() || secret.is_none();
    let config = match get("EKSA_AWS_CONFIG_FILE") {
        None => String::new(),
        Some(path) => std::fs::read_to_string(&path).map_err(|error| WorkflowError::Input {
            message: format!("`{path}`, which `EKSA_AWS_CONFIG_FILE` names, can't be read: {error}"),
            help: "correct the path, or unset `EKSA_AWS_CONFIG_FILE`".into(),
        })?,
    };
    let mut values = json!({
        "sourceRegistry": source,
        "defaultRegistry": registries.charts,
        "defaultImageRegistry": registries.images,
        "clusterName": cluster.name,
        "registryMirrorSecret": mirror_secret(mirrored, &get),
        "awsSecret": {
            "id": coded(&id.unwrap_or_default()),
            "secret": coded(&secret.unwrap_or_default()),
            "region": coded(&region),
            "config": coded(&config),
        },
    });
    let mut set = |key: &str, value: Value| put(&mut values, key, value);
    if let Some(token) = get("EKSA_AWS_SESSION_TOKEN") {
        set("awsSecret", json!({"sessionToken": coded(&token)}));
    }
    if let Some(proxy) = &cluster.spec.proxy_configuration {
        let addresses = json!({
            "HTTP_PROXY": proxy.http_proxy, "HTTPS_PROXY": proxy.https_proxy, "NO_PROXY": proxy.no_proxy.join(","),
        });
        set("proxy", addresses);
    }
    let packages = cluster.spec.packages.as_ref();
    if let Some(own) = packages.and_then(|packages| packages.controller.as_ref()) {
        set("controller", controller(own));
    }
    if let Some(own) = packages.and_then(|packages| packages.cron_job.as_ref()) {
        set("cronjob", cron_job(own));
    }
    // There is nothing that it could refresh.
    if without_credentials && mirrored.is_none() {
        set("cronjob", json!({"suspend": true}));
    }
    Ok(values)
}

fn registries(mirror: Option<&RegistryMirrorConfiguration>, source: &str, region: &str) -> Registries {
    let Some(mirror) = mirror else {
        return Registries { charts: CHARTS.to_owned(), images: IMAGES.replace(REGION, region) };
    };
    let of_packages = |n: &&OciNamespace| n.registry.contains(".dkr.ecr.") && n.registry.contains(".amazonaws.com");
    let Some(found) = mirror.oci_namespaces.iter().find(of_packages) else {
        return Registries { charts: CHARTS.to_owned(), images: IMAGES.to_owned() };
    };
    let alone = RegistryMirrorConfiguration {
        oci_namespaces: vec![OciNamespace { registry: "r".to_owned(), namespace: found.namespace.clone() }],
        ..mirror.clone()
    };
    let place = Mirror::new(&alone).rewrite("r/").trim_end_matches('/').to_owned();
    // The registry of all regions has images alone; those of a region have the charts, too.
    let charts = if found.registry.starts_with("783794618700.") { source.to_owned() } else { place.clone() };
    Registries { charts, images: place }
}

fn mirror_secret(mirror: Option<&RegistryMirrorConfiguration>, get: &dyn Fn(&str) -> Option<String>) -> Value {
    let authenticates = mirror.is_some_and(|mirror| mirror.authenticate == Some(true));
    let credential =
        |name: &str, otherwise: &str| get(name).filter(|_| authenticates).unwrap_or_else(|| otherwise.to_owned());
    let endpoint = mirror.map_or_else(String::new, |mirror| {
        let alone = RegistryMirrorConfiguration { oci_namespaces: Vec::new(), ..mirror.clone() };
        Mirror::new(&alone).rewrite("public.ecr.aws/").trim_end_matches('/').to_owned()
    });
    let unchecked = mirror.is_some_and(|mirror| mirror.insecure_skip_verify == Some(true));
    let authority = mirror.and_then(|mirror| mirror.ca_cert_content.clone()).unwrap_or_default();
    json!({
        "endpoint": coded(&endpoint),
        "username": coded(&credential("REGISTRY_USERNAME", "username")),
        "password": coded(&credential("REGISTRY_PASSWORD", "password")),
        "cacertcontent": coded(&authority),
        "insecure": coded(if unchecked { "true" } else { "false" }),
    })
}

/// The chart puts them into Secrets as they are.
fn coded(text: &str) -> String {
    BASE64.encode(text)
}

fn controller(own: &PackageController) -> Value {
    let mut values = Map::new();
    texts(&mut values, [("digest", &own.digest), ("repository", &own.repository), ("tag", &own.tag)]);
    values.insert("enableWebhooks".to_owned(), json!(!own.disable_webhooks));
    let mut resources = Map::new();
    for (key, amounts) in [("limits", &own.resources.limits), ("requests", &own.resources.requests)] {
        let Amounts { cpu, memory } = amounts;
        let mut values = Map::new();
        texts(&mut values, [("cpu", cpu), ("memory", memory)]);
        if !values.is_empty() {
            resources.insert(key.to_owned(), Value::Object(values));
        }
    }
    if !resources.is_empty() {
        values.insert("resources".to_owned(), Value::Object(resources));
    }
    let variables = own.env.iter().filter_map(|variable| variable.split_once('='));
    let variables: Vec<Value> = variables.map(|(name, value)| json!({"name": name, "value": value})).collect();
    if !variables.is_empty() {
        values.insert("env".to_owned(), Value::Array(variables));
    }
    Value::Object(values)
}

fn cron_job(own: &PackageCronJob) -> Value {
    let mut values = Map::new();
    texts(&mut values, [("digest", &own.digest), ("repository", &own.repository), ("tag", &own.tag)]);
    values.insert("suspend".to_owned(), json!(own.disable));
    Value::Object(values)
}

fn texts<const N: usize>(values: &mut Map<String, Value>, entries: [(&str, &String); N]) {
    for (key, text) in entries {
        if !text.is_empty() {
            values.insert(key.to_owned(), json!(text));
        }
    }
}

/// Puts a value under a key, into what is there already.
fn put(values: &mut Value, key: &str, value: Value) {
    let Some(values) = values.as_object_mut() else { return };
    match (values.get_mut(key), value) {
        (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
        (_, value) => {
            values.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn values(cluster: &Value, environment: &'static [(&'static str, &'static str)]) -> Value {
        let mut typed = Cluster { name: "prod".to_owned(), ..Cluster::default() };
        typed.spec = serde_json::from_value(cluster.clone()).unwrap();
        let mut options = Options::new(std::env::temp_dir(), "bundles.yaml");
        options.environment =
            Arc::new(|name| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        let mirror = typed.spec.registry_mirror_configuration.as_ref().map(Mirror::new).unwrap_or_default();
        of(&typed, &mirror, &options).unwrap()
    }

    #[test]
    fn without_settings_they_are_eks_anywhere_s() {
        let values = values(&json!({"packages": {}}), &[]);
        assert_eq!(values["sourceRegistry"], "public.ecr.aws/eks-anywhere");
        assert_eq!(values["defaultRegistry"], "public.ecr.aws/eks-anywhere");
        assert_eq!(values["defaultImageRegistry"], "783794618700.dkr.ecr.us-west-2.amazonaws.com");
        assert_eq!((&values["clusterName"], &values["cronjob"]), (&json!("prod"), &json!({"suspend": true})));
        assert_eq!(values["awsSecret"]["region"], coded("us-west-2"));
        assert_eq!(values["registryMirrorSecret"]["insecure"], coded("false"));
        assert!(values.get("controller").is_none() && values.get("proxy").is_none());
    }

    #[test]
    fn every_field_of_the_spec_gets_there() {
        let controller = json!({
            "repository": "m.example/controller", "tag": "v1", "digest": "sha256:00", "disableWebhooks": true,
            "env": ["A=b=c", "EMPTY="],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        });
        let cron_job = json!({"repository": "r", "tag": "v2", "digest": "sha256:01", "disable": true});
        let proxy = json!({"httpProxy": "p:1", "httpsProxy": "p:2", "noProxy": ["a", "b"]});
        let spec = json!({"packages": {"controller": controller, "cronjob": cron_job}, "proxyConfiguration": proxy});
        let values = values(
            &spec,
            &[
                ("EKSA_AWS_ACCESS_KEY_ID", "id"),
                ("EKSA_AWS_SECRET_ACCESS_KEY", "key"),
                ("EKSA_AWS_REGION", "eu-west-1"),
            ],
        );
        let expected = json!({
            "repository": "m.example/controller", "tag": "v1", "digest": "sha256:00", "enableWebhooks": false,
            "env": [{"name": "A", "value": "b=c"}, {"name": "EMPTY", "value": ""}],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        });
        assert_eq!(values["controller"], expected);
        assert_eq!(
            values["cronjob"],
            json!({"repository": "r", "tag": "v2", "digest": "sha256:01", "suspend": true}),
            "as the spec says, and there are credentials to refresh"
        );
        assert_eq!(values["proxy"], json!({"HTTP_PROXY": "p:1", "HTTPS_PROXY": "p:2", "NO_PROXY": "a,b"}));
        assert_eq!(values["awsSecret"]["secret"], coded("key"));
        assert_eq!(values["defaultImageRegistry"], "783794618700.dkr.ecr.eu-west-1.amazonaws.com");
    }

    #[test]
    fn a_mirror_has_all_of_it() {
        let mirror = |registry: &str| {
            json!({"packages": {}, "registryMirrorConfiguration": {
                "endpoint": "m.example", "port": "5000", "authenticate": true, "insecureSkipVerify": true,
                "ociNamespaces": [
                    {"registry": "public.ecr.aws", "namespace": "eks"}, {"registry": registry, "namespace": "packages"},
                ],
            }})
        };
        let environment = &[("REGISTRY_USERNAME", "u"), ("REGISTRY_PASSWORD", "p")];
        let all = values(&mirror("783794618700.dkr.ecr.us-west-2.amazonaws.com"), environment);
        assert_eq!(all["sourceRegistry"], "m.example:5000/eks/eks-anywhere");
        assert_eq!(all["defaultRegistry"], "m.example:5000/eks/eks-anywhere");
        assert_eq!(all["defaultImageRegistry"], "m.example:5000/packages");
        assert_eq!(all["registryMirrorSecret"]["endpoint"], coded("m.example:5000"));
        assert_eq!(all["registryMirrorSecret"]["password"], coded("p"));
        assert_eq!(all["registryMirrorSecret"]["insecure"], coded("true"));
        assert!(all.get("cronjob").is_none(), "the mirror's credentials are refreshed");
        let regional = values(&mirror("067575901363.dkr.ecr.us-east-1.amazonaws.com"), environment);
        assert_eq!(regional["defaultRegistry"], "m.example:5000/packages");
    }
}
