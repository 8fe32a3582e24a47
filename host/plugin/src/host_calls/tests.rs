use std::sync::Mutex;

use kedge_spec::provider::CheckStatus;

use super::*;
use crate::audit::CallResult;
use crate::contract::sample::description;
use crate::endpoint::server_tests::{ok, server};
use crate::endpoint::{Part, Tls};
use crate::secrets::{Encoding, SecretStore};

#[derive(Default)]
struct Kept {
    events: Mutex<Vec<AuditEvent>>,
    lines: Mutex<Vec<String>>,
}

impl AuditSink for Kept {
    fn event(&self, event: &AuditEvent) {
        self.events.lock().unwrap().push(event.clone());
    }
}

impl LogSink for Kept {
    fn line(&self, _: &str, _: LogLevel, message: &str) {
        self.lines.lock().unwrap().push(message.to_owned());
    }
}

const VALUE: &str = "s3cret-value";

fn environment(target: Option<crate::endpoint::EndpointTarget>) -> Environment {
    let secrets = SecretStore::from_lookup(&description(), |name| (name == "LAB_PASSWORD").then(|| VALUE.to_owned()));
    let mut environment = Environment { secrets: Arc::new(secrets), ..Environment::nothing() };
    match target {
        Some(target) => {
            environment.endpoints.insert("lab".into(), target);
        }
        None => {
            environment.absent.insert("lab".into(), "`spec.server` is not set".into());
        }
    }
    environment
}

fn calls(kept: &Arc<Kept>, grant: Grant) -> HostCalls {
    HostCalls::new(
        "lab".into(),
        "00".into(),
        grant,
        kept.clone(),
        kept.clone(),
        Arc::new(Limits::default()),
        Tape::None,
    )
}

#[allow(clippy::unnecessary_wraps, reason = "as the bindings hand it over")]
fn request(path: &str, body: Vec<Part>) -> Result<Request, String> {
    Ok(Request { method: "POST".into(), path: path.into(), headers: vec![], body })
}

#[tokio::test]
async fn every_request_is_recorded_and_no_value_is() {
    let server = server(|_| ok("", "answer")).await;
    let kept = Arc::new(Kept::default());
    let environment = environment(Some(server.target(Tls::Insecure)));
    let mut calls = calls(&kept, Grant::Environment { environment, outcomes: None });
    calls.during = "preflight.run";
    let opened = calls.call(HostCall::Open { name: "lab".into() }).await.unwrap();
    let HostAnswer::Open(Ok(endpoint)) = opened else { panic!("{opened:?}") };
    // The same endpoint again is the same client, with its cookies.
    let again = calls.call(HostCall::Open { name: "lab".into() }).await.unwrap();
    assert!(matches!(again, HostAnswer::Open(Ok(same)) if same == endpoint));
    let secret = Part::Secret { name: "password".into(), encoding: Encoding::Plain };
    let requests = vec![
        request("/one?q=1", vec![Part::Text("1234".into()), secret]),
        request("//evil", vec![]),
        Err("a body part `x` is not known".into()),
    ];
    let answer = calls.call(HostCall::Send { endpoint, requests }).await.unwrap();
    let HostAnswer::Send(answers) = answer else { panic!("{answer:?}") };
    assert_eq!(answers[0].as_ref().unwrap().body, b"answer");
    assert!(
        matches!(answers[1], Err(EndpointError::Refused(_))) && matches!(answers[2], Err(EndpointError::Refused(_)))
    );

    let events = kept.events.lock().unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let sent = &events[2];
    assert_eq!(
        (sent.interface.as_str(), sent.function.as_str(), sent.during.as_str()),
        ("endpoints", "send", "preflight.run")
    );
    assert_eq!(sent.target, "lab (lab.example) POST /one?q=1");
    assert_eq!((sent.decision.clone(), sent.result.clone()), (Decision::Allowed, CallResult::Status(200)));
    assert_eq!((sent.bytes_out, sent.bytes_in, sent.secrets.as_slice()), (4, 6, ["password".to_owned()].as_slice()));
    assert!(matches!(&events[3].decision, Decision::Refused(why) if why.contains("does not start with one `/`")));
    assert!(matches!(&events[4].decision, Decision::Refused(_)));
    assert!(!serde_json::to_string(&*events).unwrap().contains(VALUE));
}

#[tokio::test]
async fn what_was_not_granted_is_refused_with_its_reason() {
    let kept = Arc::new(Kept::default());
    let mut calls = calls(&kept, Grant::Environment { environment: environment(None), outcomes: None });
    for (name, wanted) in
        [("lab", "`spec.server` is not set"), ("other", "not an endpoint of the provider's description")]
    {
        let answer = calls.call(HostCall::Open { name: name.into() }).await.unwrap();
        assert!(
            matches!(&answer, HostAnswer::Open(Err(EndpointError::NotGranted(why))) if why.contains(wanted)),
            "{answer:?}"
        );
    }
    // A handle that was never given out.
    let answer = calls.call(HostCall::Send { endpoint: 7, requests: vec![request("/", vec![])] }).await.unwrap();
    assert!(
        matches!(&answer, HostAnswer::Send(all) if matches!(all.as_slice(), [Err(EndpointError::NotGranted(_))])),
        "{answer:?}"
    );
    let answer = calls.call(HostCall::EngineInfo).await.unwrap();
    assert!(matches!(answer, HostAnswer::EngineInfo(Err(EngineError::Unreachable(_)))));
    let outcome = CheckOutcome {
        check: "x".into(),
        status: CheckStatus::Passed,
        expected: String::new(),
        found: String::new(),
        findings: vec![],
    };
    calls.call(HostCall::Report { outcome }).await.unwrap();
    assert!(kept.events.lock().unwrap().iter().all(|e| matches!(e.decision, Decision::Refused(_))));
}

#[tokio::test]
async fn secrets_can_be_asked_about_but_not_read() {
    let kept = Arc::new(Kept::default());
    let mut calls = calls(&kept, Grant::Environment { environment: environment(None), outcomes: None });
    for (call, wanted) in [
        (HostCall::SecretAvailable { name: "password".into() }, true),
        (HostCall::SecretAvailable { name: "username".into() }, false),
        (HostCall::SecretSame { a: "password".into(), b: "password".into() }, true),
        (HostCall::SecretSame { a: "username".into(), b: "cp-password".into() }, false),
    ] {
        assert!(matches!(calls.call(call).await.unwrap(), HostAnswer::Known(known) if known == wanted));
    }
    calls.call(HostCall::Log { level: LogLevel::Info, message: format!("the password is {VALUE}\n") }).await.unwrap();
    assert_eq!(*kept.lines.lock().unwrap(), ["the password is ***"]);
}

#[tokio::test]
async fn results_go_out_as_they_happen() {
    let kept = Arc::new(Kept::default());
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut calls = calls(&kept, Grant::Environment { environment: environment(None), outcomes: Some(sender) });
    let outcome = CheckOutcome {
        check: "net".into(),
        status: CheckStatus::Failed,
        expected: "a".into(),
        found: "b".into(),
        findings: vec![],
    };
    calls.call(HostCall::Report { outcome: outcome.clone() }).await.unwrap();
    assert_eq!(receiver.try_recv().unwrap(), outcome);
    drop(receiver);
    // Nobody listening is no reason to stop.
    calls.call(HostCall::Report { outcome }).await.unwrap();
    assert_eq!(kept.events.lock().unwrap()[1].target, "net");
}
