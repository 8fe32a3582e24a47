//! Who is at the other end: certificates, thumbprints, and servers that are something else.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use super::{PASSWORD, USER, Vcsim, sandbox, sandbox_of};
use crate::harness::Sandbox;

#[test]
fn a_certificate_of_a_known_authority_needs_nothing_else() {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // Another name than the certificates have that it issues: they would pass for self-signed.
    authority.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = authority.self_signed(&authority_key).unwrap();
    let authority_pem = authority.pem();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority_pem, &authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();

    let sandbox = sandbox();
    let roots = sandbox.file("roots.pem", &authority_pem);
    let vcsim = Vcsim::start_as(&sandbox, &certificate.pem(), &key.serialize_pem(), PASSWORD, &[]);
    let pin = format!("thumbprint: \"{}\"", vcsim.thumbprint);
    let (checks, _) = vcsim.preflight(&sandbox, &[(&pin, "thumbprint: \"\"")], 4);
    let said = checks.get("certificate")["findings"][0]["message"].as_str().unwrap().to_owned();
    assert!(said.contains("this machine does not trust"), "{said}");

    // The same machine, with the authority among its roots.
    let sandbox = sandbox.env("SSL_CERT_FILE", roots.to_str().unwrap());
    let (checks, _) = vcsim.preflight(&sandbox, &[(&pin, "thumbprint: \"\"")], 0);
    assert_eq!(checks.get("certificate")["found"], "a certificate of a known authority");
}

#[test]
fn a_self_signed_certificate_is_taken_with_its_thumbprint_alone() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    let pin = format!("thumbprint: \"{}\"", vcsim.thumbprint);

    let (checks, _) = vcsim.preflight(&sandbox, &[(&pin, "thumbprint: \"\"")], 4);
    let check = checks.get("certificate");
    assert_eq!(check["findings"][0]["code"], "certificate-untrusted");
    assert!(check["remedy"].as_str().unwrap().contains(&vcsim.thumbprint), "{check}");

    let other = format!("thumbprint: \"00{}\"", &vcsim.thumbprint[2..]);
    let (checks, _) = vcsim.preflight(&sandbox, &[(&pin, &other)], 4);
    let check = checks.get("certificate");
    assert_eq!(check["findings"][0]["code"], "thumbprint-mismatch");
    assert!(check["remedy"].as_str().unwrap().contains(&vcsim.thumbprint), "{check}");

    for same in [vcsim.thumbprint.to_lowercase(), vcsim.thumbprint.replace(':', "")] {
        let same = format!("thumbprint: \"{same}\"");
        let (checks, _) = vcsim.preflight(&sandbox, &[(&pin, &same)], 0);
        assert_eq!(checks.get("certificate")["found"], "the thumbprint of the spec");
    }

    let insecure = [("insecure: false", "insecure: true"), (pin.as_str(), "thumbprint: \"\"")];
    let (checks, _) = vcsim.preflight(&sandbox, &insecure, 0);
    assert_eq!(checks.not_passed(), ["certificate: warned"]);
    vcsim.assert_no_session();
}

#[test]
fn a_thumbprint_in_another_form_is_refused_before_anything_is_asked() {
    let sandbox = sandbox();
    let vcsim = Vcsim::start(&sandbox);
    vcsim.rules(&json!([]));
    let pin = format!("thumbprint: \"{}\"", vcsim.thumbprint);
    sandbox.file("spec.yaml", vcsim.spec(&[(&pin, "thumbprint: \"sha256:abc\"")]));
    let ran = sandbox.run(super::PREFLIGHT);
    assert!(matches!(ran.code, 3 | 4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("thumbprint"), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(vcsim.state().requests, Vec::<String>::new());
}

/// A server that answers each connection with the same bytes.
fn serves(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

fn preflight_at(sandbox: &Sandbox, address: &str) -> serde_json::Value {
    let spec = crate::harness::spec("vsphere-external-etcd.yaml")
        .replace("server: vcenter.example.com", &format!("server: {address}"));
    sandbox.file("spec.yaml", spec);
    let ran = sandbox.run(super::PREFLIGHT).expect(4);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    report["checks"][0].clone()
}

#[test]
fn something_else_than_a_vcenter_is_said_to_be_that() {
    let sandbox = sandbox();
    let http = serves(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let check = preflight_at(&sandbox, &http);
    assert_eq!((&check["id"], &check["outcome"]), (&json!("server"), &json!("failed")), "{check:#}");
    assert!(check["remedy"].as_str().unwrap().contains("server"), "{check:#}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let check = preflight_at(&sandbox, &nobody);
    assert!(check["findings"][0]["message"].as_str().unwrap().contains("refused"), "{check:#}");

    let vcsim = Vcsim::start(&sandbox);
    for (status, body) in
        [(200, "<html><body>It works</body></html>"), (404, "not here"), (200, "<a><b></a>"), (200, "")]
    {
        vcsim.rules(&json!([{"match": "POST /sdk", "status": status, "body": body}]));
        let (checks, _) = vcsim.preflight(&sandbox, &[], 4);
        let check = checks.get("server");
        assert_eq!(check["findings"][0]["code"], "vcenter-reply", "{body}: {check:#}");
    }
}

#[test]
fn every_character_of_a_password_works_and_none_is_ever_shown() {
    let mut password: String = (' '..='~').filter(|c| *c != '\u{7f}').collect();
    password.push_str("Größe€\u{1F511}");
    let sandbox = sandbox_of(USER, &password);
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::generate_simple_self_signed(names).unwrap();
    let vcsim =
        Vcsim::start_as(&sandbox, &certificate.cert.pem(), &certificate.signing_key.serialize_pem(), &password, &[]);
    sandbox.file("spec.yaml", vcsim.spec(&[]));
    let mut args = super::PREFLIGHT.to_vec();
    args.extend(["-v", "9"]);
    let ran = sandbox.run(&args).expect(0);

    // A refusal quotes more of what was sent.
    vcsim.rules(&json!([{"match": "RetrievePropertiesEx", "drop": true}]));
    let broken = sandbox.run(&args).expect(4);
    let forms = [
        password.clone(),
        password
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
        serde_json::to_string(&password).unwrap().trim_matches('"').to_owned(),
    ];
    for form in &forms {
        for text in [&ran.stdout, &ran.stderr, &broken.stdout, &broken.stderr] {
            assert!(!text.contains(form.as_str()), "the password is shown:\n{text}");
        }
    }
}
