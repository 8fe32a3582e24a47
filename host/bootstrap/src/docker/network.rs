//! The network that nodes are on: the one that kind uses, so that its clusters and these are neighbours.

use std::collections::HashMap;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::failure::{Trouble, trouble_in};
use crate::BootstrapError;

/// Unless `KIND_EXPERIMENTAL_DOCKER_NETWORK` names another.
pub(super) const USUAL: &str = "kind";
const MTU: &str = "com.docker.network.driver.mtu";
/// Networks of other programs may have taken one.
const TRIES: u8 = 5;

/// Makes sure that the network is there, and gives its id and its subnets.
pub(super) async fn ensure(engine: &Engine, name: &str) -> Result<(String, Vec<String>), BootstrapError> {
    if let Some(found) = find(engine, name).await? {
        return Ok(found);
    }
    let mtu = engine
        .client
        .inspect_network("bridge", None::<InspectNetworkOptions>)
        .await
        .ok()
        .and_then(|bridge| bridge.options)
        .and_then(|options| options.get(MTU).cloned());
    let mut options = HashMap::from([("com.docker.network.bridge.enable_ip_masquerade".to_owned(), "true".to_owned())]);
    options.extend(mtu.map(|mtu| (MTU.to_owned(), mtu)));
    let request = |v6: Option<String>| NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        enable_ipv6: v6.is_some().then_some(true),
        ipam: v6.map(|subnet| Ipam {
            config: Some(vec![IpamConfig { subnet: Some(subnet), ..Default::default() }]),
            ..Default::default()
        }),
        options: Some(options.clone()),
        ..Default::default()
    };
    // With IPv6 as kind makes it, where the engine has it.
    let mut last = None;
    for attempt in 0..TRIES {
        match engine.client.create_network(request(Some(subnet(name, attempt)))).await {
            Ok(_) => return made(engine, name).await,
            Err(error) => {
                let overlap = error.to_string().contains("overlap");
                last = Some(error);
                if !overlap {
                    break;
                }
            }
        }
    }
    match engine.client.create_network(request(None)).await {
        Ok(_) => made(engine, name).await,
        // Somebody else made it in this moment.
        Err(error) if error.to_string().contains("already exists") => made(engine, name).await,
        Err(error) => {
            let first = last.map(|e| e.to_string()).filter(|e| trouble_in(e) != Trouble::Other);
            tracing::debug!(?first, "no network with IPv6");
            Err(engine.failed(format!("make the network `{name}`"), error))
        }
    }
}

async fn made(engine: &Engine, name: &str) -> Result<(String, Vec<String>), BootstrapError> {
    find(engine, name).await?.ok_or_else(|| BootstrapError::Engine {
        at: engine.address.to_string(),
        action: format!("make the network `{name}`"),
        reason: "it said that it had, and there is none".into(),
        trouble: Trouble::Other,
        source: Box::new(bollard::errors::Error::RequestTimeoutError),
    })
}

/// Engines allow several networks of one name. The one with most containers is the one that is used.
async fn find(engine: &Engine, name: &str) -> Result<Option<(String, Vec<String>)>, BootstrapError> {
    let failed = |error| engine.failed("list its networks", error);
    let networks = engine.client.list_networks(None::<ListNetworksOptions>).await.map_err(failed)?;
    let mut best: Option<(usize, String, Vec<String>)> = None;
    for network in networks.into_iter().filter(|n| n.name.as_deref() == Some(name)) {
        let id = network.id.unwrap_or_default();
        let details = engine.client.inspect_network(&id, None::<InspectNetworkOptions>).await;
        let containers = details.ok().and_then(|n| n.containers).map_or(0, |c| c.len());
        let subnets = network.ipam.and_then(|i| i.config).unwrap_or_default();
        let subnets = subnets.into_iter().filter_map(|c| c.subnet).collect();
        let better = best.as_ref().is_none_or(|(most, at, _)| containers > *most || (containers == *most && id < *at));
        if better {
            best = Some((containers, id, subnets));
        }
    }
    Ok(best.map(|(_, id, subnets)| (id, subnets)))
}

/// A network of unique local addresses, always the same for a name.
fn subnet(name: &str, attempt: u8) -> String {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([attempt]);
    let digest = hash.finalize();
    let mut groups = [0_u16; 4];
    for (group, pair) in groups.iter_mut().zip(digest.chunks_exact(2)) {
        *group = pair.iter().fold(0, |value, byte| (value << 8) | u16::from(*byte));
    }
    let [a, b, c, d] = groups;
    format!("fd{:02x}:{b:x}:{c:x}:{d:x}::/64", a & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_local_and_differ() {
        let nets: Vec<ipnet::Ipv6Net> = (0..TRIES).map(|n| subnet("kind", n).parse().unwrap()).collect();
        for net in &nets {
            assert_eq!(net.network().segments()[0] & 0xff00, 0xfd00, "{net}");
            assert_eq!((net.prefix_len(), net.trunc()), (64, *net));
        }
        assert_ne!(nets[0], nets[1]);
        assert_eq!(subnet("kind", 0), subnet("kind", 0));
    }
}
