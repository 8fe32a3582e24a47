//! A lab to try by hand: `cargo run -p kedge-lab --example serve -- SPEC.json [FAULT...]`, where SPEC.json holds the documents of a spec as an array.
//!
//! Prints what a shell has to set to look around with `govc`, and ends with Ctrl-C.

use kedge_lab::{Fault, Lab, LabOptions};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("the first argument is a file with the documents of a spec as a JSON array")?;
    let documents: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let faults = arguments.map(|text| text.parse::<Fault>()).collect::<Result<_, _>>()?;
    let lab = Lab::start(LabOptions { documents, faults, speed: 10.0, ..LabOptions::default() }).await?;
    let connection = lab.connection();
    println!("# control API: curl -k -H 'Authorization: Bearer {}' {}/v1/status", connection.token, connection.url);
    if let Some(vcenter) = lab.vcenter() {
        println!("export GOVC_URL={} GOVC_INSECURE=true", vcenter.url());
        println!(
            "export GOVC_USERNAME={} GOVC_PASSWORD={}",
            vcenter.credentials().username,
            vcenter.credentials().password
        );
    }
    tokio::signal::ctrl_c().await?;
    lab.stop().await;
    Ok(())
}
