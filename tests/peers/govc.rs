//! A stock govc against the simulated vCenter.

use crate::harness::{Sandbox, ServedLab};
use crate::{fails, peer, succeeds};

#[test]
fn govc_finds_what_the_spec_names() {
    let sandbox = Sandbox::new();
    let spec = sandbox.spec("vsphere-external-etcd.yaml");
    let lab = ServedLab::start(&sandbox, &spec, &[]);
    let connection: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&lab.connection).unwrap()).unwrap();
    let address = connection["endpoints"]["vcenter.example.com"]["address"].as_str().unwrap().to_owned();
    let secret = |name: &str| connection["credentials"][name].as_str().unwrap().to_owned();
    let govc = |args: &str| {
        let mut command = peer("govc", &sandbox);
        command.env("GOVC_URL", format!("https://{address}/sdk")).env("GOVC_INSECURE", "true");
        command
            .env("GOVC_USERNAME", secret("EKSA_VSPHERE_USERNAME"))
            .env("GOVC_PASSWORD", secret("EKSA_VSPHERE_PASSWORD"));
        command.env("GOVC_PERSIST_SESSION", "false").args(args.split_whitespace());
        command
    };
    assert!(succeeds(&mut govc("about")).contains("vCenter"));
    assert!(succeeds(&mut govc("datacenter.info SDDC-Datacenter")).contains("SDDC-Datacenter"));
    assert!(
        succeeds(&mut govc("find /SDDC-Datacenter -type n -name sddc-cgw-network-1")).contains("sddc-cgw-network-1")
    );
    assert!(succeeds(&mut govc("find /SDDC-Datacenter -type VirtualMachine")).contains("ubuntu-2204-kube-v1-35"));
    assert!(succeeds(&mut govc("find /SDDC-Datacenter -type p")).contains("Compute-ResourcePool"));
    assert!(succeeds(&mut govc("datastore.info /SDDC-Datacenter/datastore/WorkloadDatastore")).contains("Free"));
    assert!(succeeds(&mut govc("folder.info /SDDC-Datacenter/vm/capv/prod")).contains("prod"));
    assert!(
        succeeds(&mut govc(
            "pool.info -dc SDDC-Datacenter /SDDC-Datacenter/host/Cluster-1/Resources/Compute-ResourcePool"
        ))
        .contains("Mem")
    );
    let disks = succeeds(&mut govc(
        "device.info -dc SDDC-Datacenter -vm /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35 disk-*",
    ));
    assert!(disks.contains("disk"), "{disks}");
    let tags = succeeds(&mut govc("tags.attached.ls -r /SDDC-Datacenter/vm/Templates/ubuntu-2204-kube-v1-35"));
    assert!(tags.contains("os:ubuntu") && tags.contains("eksdRelease:"), "{tags}");
    assert!(fails(govc("about").env("GOVC_PASSWORD", "wrong")).contains("incorrect user name or password"));
}
