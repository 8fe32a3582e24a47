//! AWS IAM as an identity provider: what is made once for a cluster, and no part of what is rendered.
//!
//! Nothing of it is kept on the disk. The certificate of the authenticator is a Secret beside the cluster's objects, which
//! goes along when they move; the cluster's identity is a ConfigMap on the cluster itself. A second run finds both there, so
//! that rendered manifests are the same bytes whoever renders them.

use kedge_cluster_api::api::{Api, Apply};
use kedge_cluster_api::render::authenticator;
use kedge_cluster_api::{FIELD_MANAGER, NAMESPACE, ObjectId, kinds};
use kedge_spec::Source;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::folder::Readers;
use crate::run::Run;
use crate::step::Failure;

/// Whether the spec asks for it.
pub(crate) fn wanted(run: &Run) -> bool {
    run.prepared.spec.aws_iam().is_some()
}

/// The Secrets of a cluster, where its objects are.
pub(crate) fn secrets(cluster: &str) -> [ObjectId; 2] {
    [kedge_cluster_api::render::aws_iam_secret_name(cluster), kubeconfig_secret(cluster)]
        .map(|name| ObjectId::namespaced(kinds::SECRET, NAMESPACE, &name))
}

fn kubeconfig_secret(cluster: &str) -> String {
    format!("{cluster}-aws-iam-kubeconfig")
}

/// Whether the certificate is there.
pub(crate) async fn has_certificate(run: &Run, api: &Api) -> Result<bool, Failure> {
    let [certificate, _] = secrets(run.name());
    Ok(!wanted(run) || api.get(&certificate).await?.is_some())
}

/// Makes the certificate by which API server and authenticator know each other, unless it is there: nodes have it in
/// their files, and another one would make none of them roll.
pub(crate) async fn make_certificate(run: &Run, api: &Api) -> Result<(), Failure> {
    if has_certificate(run, api).await? {
        return Ok(());
    }
    let (certificate, key) = certificate().map_err(|error| {
        Failure::new(
            format!("a certificate for the authenticator can't be made: {error}"),
            "run the same command again",
        )
    })?;
    let [id, _] = secrets(run.name());
    apply(api, &secret(&id, &json!({"cert.pem": certificate, "key.pem": key}))).await
}

/// A certificate that signs itself, for the node's own address: certificate and key as PEM.
fn certificate() -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, authenticator::NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Which cluster it is to the authenticator: what the cluster says, or a new identity that it gets.
pub(crate) async fn identified(workload: &Api) -> Result<String, Failure> {
    let id = ObjectId::namespaced(kinds::CONFIG_MAP, authenticator::NAMESPACE, authenticator::NAME);
    if let Some(found) = workload.get(&id).await? {
        return identity_in(&found).ok_or_else(|| {
            Failure::new(format!("{id} has no `clusterID`"), format!("delete {id} and run the same command again"))
                .about(id.to_string())
        });
    }
    let made = uuid::Uuid::new_v4().to_string();
    apply(workload, &authenticator::identity(&made)).await?;
    Ok(made)
}

fn identity_in(object: &Value) -> Option<String> {
    let text = object.pointer("/data/config.yaml")?.as_str()?;
    let config = kedge_spec::yaml_documents(&Source::new("config.yaml", text)).ok()?;
    Some(config.first()?.get("clusterID")?.as_str()?.to_owned())
}

/// The file of the kubeconfig.
pub(crate) fn kubeconfig_file(cluster: &str) -> String {
    format!("{cluster}-aws.kubeconfig")
}

/// Whether the kubeconfig is written, as file and as Secret.
pub(crate) async fn has_kubeconfig(run: &Run) -> Result<bool, Failure> {
    if !wanted(run) {
        return Ok(true);
    }
    let Some(home) = run.home_if_there().await? else { return Ok(false) };
    let [_, secret] = secrets(run.name());
    Ok(run.folder.has(&kubeconfig_file(run.name())) && home.get(&secret).await?.is_some())
}

/// Writes the kubeconfig for users of AWS IAM into the folder, and as the Secret in which others look for it.
pub(crate) async fn write_kubeconfig(run: &Run) -> Result<(), Failure> {
    let admin = run.folder.read(&run.folder.kubeconfig_file())?.unwrap_or_default();
    let identity = identified(&run.workload().await?).await?;
    let Some(kubeconfig) = kubeconfig(run.name(), &admin, &identity) else {
        let file = run.folder.path_of(&run.folder.kubeconfig_file());
        return Err(Failure::new(
            format!("`{}` names no cluster", file.display()),
            "delete that file and run the same command again: it is written anew",
        ));
    };
    let [_, id] = secrets(run.name());
    apply(&run.home().await?, &secret(&id, &json!({"value": kubeconfig}))).await?;
    Ok(run.folder.write(&kubeconfig_file(run.name()), &kubeconfig, Readers::Owner)?)
}

/// The cluster is reached as by its administrator; who one is, is for AWS to say.
fn kubeconfig(name: &str, admin: &str, identity: &str) -> Option<String> {
    let admin = kedge_spec::yaml_documents(&Source::new("kubeconfig", admin)).ok()?;
    let cluster = admin.first()?.pointer("/clusters/0/cluster")?;
    let user = format!("{name}-aws");
    Some(kedge_spec::yaml_document(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": user, "context": {"cluster": name, "user": user}}],
        "current-context": user,
        "preferences": {},
        "users": [{"name": user, "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": authenticator::NAME,
            "args": ["token", "-i", identity],
        }}}],
    })))
}

/// A Secret that goes along when the cluster moves.
fn secret(id: &ObjectId, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": id.name,
            "namespace": NAMESPACE,
            "labels": {"clusterctl.cluster.x-k8s.io/move": "true"},
        },
        "type": "Opaque",
        "stringData": data,
    })
}

async fn apply(api: &Api, object: &Value) -> Result<(), Failure> {
    api.apply_one(object, FIELD_MANAGER, Apply { force: true, dry_run: false }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;

    #[test]
    fn the_certificate_is_for_the_node_itself_and_signs_itself() {
        let (certificate, key) = certificate().unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "{key}");
        let key = KeyPair::from_pem(&key).unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_pem(&certificate, key).unwrap();
        assert!(issuer.key_usages().contains(&KeyUsagePurpose::KeyCertSign));
        let body: String = certificate.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(body).unwrap();
        let says = |words: &[u8]| der.windows(words.len()).any(|part| part == words);
        assert!(says(b"localhost") && says(&[127, 0, 0, 1]) && says(authenticator::NAME.as_bytes()));
    }

    #[test]
    fn the_kubeconfig_reaches_the_cluster_as_its_administrator_does() {
        let admin =
            "clusters:\n- name: x\n  cluster: {server: 'https://192.0.2.1:6443', certificate-authority-data: QQ==}\n";
        let text = kubeconfig("prod", admin, "0b1c").unwrap();
        let read = &kedge_spec::yaml_documents(&Source::new("k", text.as_str())).unwrap()[0];
        assert_eq!(read["clusters"][0]["cluster"]["server"], "https://192.0.2.1:6443");
        assert_eq!(read["clusters"][0]["cluster"]["certificate-authority-data"], "QQ==");
        assert_eq!(read["current-context"], "prod-aws");
        assert_eq!(read["users"][0]["user"]["exec"]["args"], json!(["token", "-i", "0b1c"]));
        assert!(kubeconfig("prod", "", "0b1c").is_none());
    }

    #[test]
    fn an_identity_is_read_as_it_was_written() {
        assert_eq!(identity_in(&authenticator::identity("0b1c-2d")).as_deref(), Some("0b1c-2d"));
        assert_eq!(identity_in(&json!({"data": {"config.yaml": "clusterID: ''"}})).as_deref(), Some(""));
        assert_eq!(identity_in(&json!({"data": {}})), None);
    }
}
