//! The smallest provider there is: nothing optional, one kind, no machines of its own. It renders a cluster object.

use kedge_sdk::prelude::*;

/// The provider.
#[derive(Debug, Default)]
pub struct Acme;

kedge_sdk::export!(Acme);

impl Provider for Acme {
    fn describe(&self) -> Description {
        let infrastructure = Infrastructure::new("acme", "infrastructure.acme.example")
            .kinds("AcmeCluster", "AcmeMachineTemplate")
            .versions(&["v1"]);
        Description::new("acme", "Acme", "0.1.0", infrastructure)
            .datacenter("AcmeDatacenterConfig", &["acme.example/v1"])
    }

    fn schema(&self, kind: &str) -> Result<Value, Failure> {
        match kind {
            "AcmeDatacenterConfig" => {
                let spec = schema::object([("region", schema::string("Where the machines are"))]);
                Ok(spec.required(&["region"]).document())
            }
            other => Err(Failure::unknown_kind(other)),
        }
    }

    fn generate(&self, name: &str, _options: &Options) -> Result<String, Failure> {
        Ok(format!(
            "apiVersion: acme.example/v1\nkind: AcmeDatacenterConfig\nmetadata:\n  name: {name}\nspec:\n  region: \"\" # Required\n"
        ))
    }

    fn templates(&self, _input: &Input) -> Result<Vec<MachineTemplate>, Failure> {
        Ok(vec![])
    }

    fn node(&self, _input: &Input, _role: &Role) -> Result<NodeContribution, Failure> {
        Ok(NodeContribution::for_os("ubuntu"))
    }

    fn infrastructure(&self, input: &Input) -> Result<InfrastructureObjects, Failure> {
        let region = input.documents.datacenter()?.required_str("spec.region")?;
        let cluster = Manifest::new("infrastructure.acme.example/v1", "AcmeCluster", &input.cluster_name)
            .namespace(&input.namespace)
            .spec(json!({"region": region}));
        Ok(InfrastructureObjects::new(cluster.build()))
    }
}
