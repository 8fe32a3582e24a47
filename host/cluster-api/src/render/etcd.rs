//! etcd on machines of its own.

use kedge_spec::provider::Role;
use serde_json::{Map, Value, json};

use super::bottlerocket;
use super::context::{Context, put};
use super::features::CIPHERS;
use super::file::File;
use super::node::{self, Family};
use crate::error::Error;
use crate::object::kinds;

pub(super) fn objects(context: &Context<'_>) -> Result<Vec<Value>, Error> {
    let Some(own) = &context.cluster.spec.external_etcd_configuration else { return Ok(Vec::new()) };
    let template = context.template(&Role::Etcd)?;
    let contribution = context.node(&Role::Etcd)?;
    let family = Family::of(contribution)?;
    let release = context.release();

    let mut config = Map::new();
    put(&mut config, "etcdadmBuiltin", true);
    put(&mut config, "format", family.format().unwrap_or_default());
    if family == Family::Bottlerocket {
        put(&mut config, "bottlerocketConfig", bottlerocket::etcd(context, contribution)?);
        put(&mut config, "certBundles", bottlerocket::bundles(contribution)?);
    } else {
        let mut cloud_init = Map::new();
        put(&mut cloud_init, "version", release.etcd_version.clone());
        if family != Family::Container {
            put(&mut cloud_init, "installDir", "/usr/bin");
        }
        put(&mut cloud_init, "etcdReleaseURL", release.etcd_url.clone());
        put(&mut config, "cloudInitConfig", cloud_init);
        let mut commands = Vec::new();
        if !contribution.certificates.is_empty()
            && let Some((_, update)) = node::trust_store(family)
        {
            commands.push(update.to_owned());
        }
        commands.extend(contribution.pre_commands.iter().cloned());
        put(&mut config, "preEtcdadmCommands", commands);
        put(&mut config, "postEtcdadmCommands", contribution.post_commands.clone());
    }
    let mut files = node::trusted(contribution, family);
    files.extend(contribution.files.iter().map(File::from));
    put(&mut config, "files", files.iter().map(File::to_value).collect::<Vec<_>>());
    put(&mut config, "users", contribution.users.iter().map(node::user).collect::<Vec<_>>());
    put(&mut config, "ntp", node::ntp(contribution));
    put(&mut config, "cipherSuites", CIPHERS);
    if family != Family::Container
        && let Some(proxy) = &context.proxy
    {
        put(&mut config, "proxy", proxy.etcdadm());
    }
    if let Some(mirror) = &context.mirror {
        put(&mut config, "registryMirror", mirror.etcdadm());
    }

    let name = format!("{}-etcd", context.name());
    let mut object = context.object(&kinds::ETCD_CLUSTER.api_version, &kinds::ETCD_CLUSTER.kind, &name);
    if let Some(map) = object.as_object_mut() {
        map.insert(
            "spec".to_owned(),
            json!({
                "replicas": own.count,
                "infrastructureTemplate": {
                    "apiVersion": template.api_version,
                    "kind": template.kind,
                    "name": template.name,
                    "namespace": crate::NAMESPACE,
                },
                "etcdadmConfigSpec": config,
            }),
        );
    }
    Ok(vec![template.object, object])
}
