//! The vSphere provider: machines are clones of a template in a vCenter.
//!
//! `spec` reads the documents into types, `paths` knows where a vCenter keeps things. `generate`, `schema`, `defaults`
//! and `check` look after the documents, `render` makes objects of them, `preflight` asks the vCenter (over `soap` and
//! `rest`) what is true there, `upgrade` says what a change means, and `commands` are those of `kedge vsphere`.

mod appliance;
mod check;
mod clock;
mod commands;
mod defaults;
mod describe;
mod facts;
mod generate;
mod lifecycle;
mod paths;
mod preflight;
mod privileges;
mod render;
mod rest;
mod schemas;
mod soap;
mod spec;
mod ssh;
mod sso;
mod upgrade;
mod wire;

use kedge_sdk::prelude::*;

/// The kind that `spec.datacenterRef` names.
pub const DATACENTER: &str = "VSphereDatacenterConfig";
/// The kind that `machineGroupRef`s name.
pub const MACHINE: &str = "VSphereMachineConfig";

/// The provider.
#[derive(Debug, Default)]
pub struct Vsphere;

kedge_sdk::export!(Vsphere, with preflight, upgrade, lifecycle, commands);

impl Provider for Vsphere {
    fn describe(&self) -> Description {
        describe::describe()
    }

    fn schema(&self, kind: &str) -> Result<Value, Failure> {
        schemas::schema(kind)
    }

    fn generate(&self, name: &str, options: &Options) -> Result<String, Failure> {
        Ok(generate::generate(name, options.kubernetes_version()?))
    }

    fn defaults(&self, documents: &mut Defaulting) -> Result<(), Failure> {
        defaults::defaults(documents)
    }

    fn check(&self, documents: &Documents, findings: &mut Findings) {
        check::check(documents, findings);
    }

    fn templates(&self, input: &Input) -> Result<Vec<MachineTemplate>, Failure> {
        render::templates::templates(input)
    }

    fn node(&self, input: &Input, role: &Role) -> Result<NodeContribution, Failure> {
        render::node::Nodes::of(input)?.node(role)
    }

    fn nodes(&self, input: &Input, roles: &[Role]) -> Result<Vec<NodeContribution>, Failure> {
        let nodes = render::node::Nodes::of(input)?;
        roles.iter().map(|role| nodes.node(role)).collect()
    }

    fn infrastructure(&self, input: &Input) -> Result<InfrastructureObjects, Failure> {
        render::cluster::infrastructure(input)
    }

    fn addons(&self, input: &Input) -> Result<Vec<Placed>, Failure> {
        render::addons::addons(input)
    }
}

impl Preflight for Vsphere {
    fn plan(&self, input: &Input) -> Result<Vec<Check>, Failure> {
        preflight::plan(input)
    }

    fn run(&self, input: &Input, skip: &[String], host: &mut dyn Host) -> Result<Value, Failure> {
        preflight::run(input, skip, host)
    }
}

impl Upgrade for Vsphere {
    fn compare(&self, old: &Documents, new: &Documents) -> Result<Vec<Compared>, Failure> {
        upgrade::compare(old, new)
    }
}

impl Lifecycle for Vsphere {
    fn steps(&self) -> Vec<String> {
        vec![lifecycle::STEP.to_owned()]
    }

    fn before(&self, _step: &str, input: &Input, host: &mut dyn Host) -> Result<(), Failure> {
        lifecycle::before(input, host)
    }
}

impl Commands for Vsphere {
    fn list(&self) -> Vec<Command> {
        commands::list()
    }

    fn run_command(
        &self,
        command: &str,
        arguments: &Arguments,
        documents: &Documents,
        host: &mut dyn Host,
    ) -> Result<Answer, Failure> {
        commands::run(command, arguments, documents, host)
    }
}

#[cfg(test)]
mod testing;
