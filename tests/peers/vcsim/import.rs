//! An appliance becomes a template.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{Vcsim, sandbox};

/// The description of a machine with one disk of 25 GiB.
const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:id="file1" ovf:href="disk.img" ovf:size="4"/></References>
  <DiskSection><Info>Disks</Info><Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="25"
    ovf:capacityAllocationUnits="byte * 2^30"/></DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="nic0"><Description>nic0</Description></Network></NetworkSection>
  <VirtualSystem ovf:id="vm"><Info>A machine</Info><Name>vm</Name>
    <OperatingSystemSection ovf:id="94"><Info>Linux</Info></OperatingSystemSection>
    <VirtualHardwareSection><Info>Hardware</Info>
      <System><vssd:ElementName>Hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>vmx-15</vssd:VirtualSystemType></System>
      <Item><rasd:ElementName>cpu</rasd:ElementName><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ElementName>memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
      <Item><rasd:Address>0</rasd:Address><rasd:ElementName>scsi</rasd:ElementName><rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:ElementName>disk</rasd:ElementName>
        <rasd:HostResource>ovf:/disk/disk1</rasd:HostResource><rasd:InstanceID>4</rasd:InstanceID><rasd:Parent>3</rasd:Parent>
        <rasd:ResourceType>17</rasd:ResourceType></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"#;

/// A tar archive: for each file a head of 512 bytes and the content, filled up to 512.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![];
    for (name, content) in files {
        let mut head = [0_u8; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[100..107].copy_from_slice(b"0000644");
        head[108..115].copy_from_slice(b"0000000");
        head[116..123].copy_from_slice(b"0000000");
        head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        head[136..147].copy_from_slice(b"00000000000");
        head[148..156].copy_from_slice(b"        ");
        head[156] = b'0';
        head[257..263].copy_from_slice(b"ustar\0");
        head[263..265].copy_from_slice(b"00");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// Serves one file to everybody who asks.
fn serves(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", content.len());
            let _ = stream.write_all(&content);
        }
    });
    format!("http://{address}/machine.ova")
}

fn arguments<'a>(vcsim: &'a Vcsim, url: &'a str) -> Vec<&'a str> {
    vec![
        "vsphere",
        "import-template",
        "--vcenter",
        &vcsim.address,
        "--thumbprint",
        &vcsim.thumbprint,
        "--url",
        url,
        "--name",
        "imported",
        "--eksd-release",
        "kubernetes-1-35-eks-10",
        "--os-family",
        "ubuntu",
        "--datacenter",
        "SDDC-Datacenter",
        "--datastore",
        "WorkloadDatastore",
        "--resource-pool",
        "Compute-ResourcePool",
        "--network",
        "sddc-cgw-network-1",
    ]
}

#[test]
fn an_appliance_becomes_a_template_that_a_preflight_takes() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let url = serves(archive(&[("machine.ovf", DESCRIPTION.as_bytes()), ("disk.img", b"disk")]));
    let mut dry = arguments(&vcsim, &url);
    dry.push("--dry-run");
    let ran = sandbox.run(&dry).expect(0);
    assert!(ran.stdout.contains("with the tags os:ubuntu and eksdRelease:kubernetes-1-35-eks-10"), "{}", ran.stdout);
    let imported = ("/vm/Templates/ubuntu-2204-kube-v1-35", "/vm/Templates/imported");
    vcsim.preflight(&sandbox, &[imported], 4);

    let ran = sandbox.run(arguments(&vcsim, &url)).expect(0);
    assert!(ran.stdout.contains("Made the template /SDDC-Datacenter/vm/Templates/imported"), "{}", ran.stdout);
    // Tags, disk, snapshot: all is as a create wants it.
    let (checks, _) = vcsim.preflight(&sandbox, &[imported], 0);
    assert_eq!(checks.not_passed(), Vec::<String>::new());
    let linked = ("  numCPUs: 2\n", "  numCPUs: 2\n  cloneMode: linkedClone\n");
    vcsim.preflight(&sandbox, &[imported, linked], 0);

    let again = sandbox.run(arguments(&vcsim, &url)).expect(0);
    assert!(again.stdout.contains("is there"), "{}", again.stdout);
    vcsim.assert_no_session();
}

#[test]
fn an_appliance_that_can_not_be_fetched_is_said() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/machine.ova");
    let ran = sandbox.run(arguments(&vcsim, &url)).expect(5);
    assert!(ran.stderr.contains("The vCenter can't fetch"), "{}", ran.stderr);
    // What failed leaves nothing that would pass for a fetched appliance.
    let again = sandbox.run(arguments(&vcsim, &url)).expect(5);
    assert!(again.stderr.contains("The vCenter can't fetch"), "{}", again.stderr);
    let mut elsewhere = arguments(&vcsim, &url);
    let at = elsewhere.iter().position(|a| *a == "WorkloadDatastore").unwrap();
    elsewhere[at] = "Gone";
    let ran = sandbox.run(&elsewhere).expect(5);
    assert!(ran.stderr.contains("no datastore `Gone`"), "{}", ran.stderr);
    vcsim.assert_no_session();
}
