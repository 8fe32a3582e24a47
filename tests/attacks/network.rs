//! Ways to somewhere else: names, addresses, paths, redirects, headers, certificates, floods, echoes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kedge_plugin::{Decision, EndpointTarget, Environment, Limits, Policy, Resolver, Tls};

use crate::bed::Bed;
use crate::server::{Reply, SECRET, Server, environment, named, ok};
use crate::support::{Parts, limits, ok_text};
use crate::wat::{Ask, Piece, asking};

/// Sends one request and returns what the component was told.
async fn told(bed: &Bed, ask: Ask<'_>, environment: Environment) -> String {
    bed.run(&asking(&[ask]), environment).await.unwrap();
    bed.logged().pop().expect("something was logged")
}

#[tokio::test]
async fn row_21_servers_are_those_of_the_spec_and_have_no_tricks_in_their_names() {
    let bed = Bed::new().await;
    // A component opens by name, and only what it declared.
    let parts = Parts {
        run: Some(format!(
            "(call $open (i32.const 512) (i32.const 12) (i32.const 64)) (if (i32.eqz (i32.load8_u (i32.const 64))) (then unreachable)) {}",
            ok_text(600, 2)
        )),
        fields: r#"(data (i32.const 512) "evil.example") (data (i32.const 600) "{}")"#.into(),
        ..Parts::default()
    };
    bed.run(&parts, named("lab.example", false)).await.unwrap();
    bed.survived("not an endpoint of the provider's description").await;
    // What a spec may call a server.
    for bad in [
        "good@evil",
        "https://good",
        "good/evil",
        "good:443@evil",
        "good?x",
        "good#x",
        "good\\x",
        "good:0",
        "good..evil",
        "-good",
        "a b",
    ] {
        assert!(EndpointTarget::parse(bad, 443, Tls::System).is_err(), "{bad}");
    }
    let dotted = EndpointTarget::parse("VC.Example.COM.", 443, Tls::System).unwrap();
    assert_eq!(dotted.host, "vc.example.com");
    // A site's list of servers is compared with what was parsed.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, "version = 1\n[endpoints]\nallow = ['vc.example.com:443']\n").unwrap();
    assert!(Policy::read(&[path]).is_ok());
}

#[tokio::test]
async fn row_22_a_path_is_a_path() {
    let server = Server::start(|_| ok("", "reached")).await;
    for bad in ["https://evil.example/", "//evil.example/x", "evil", "", "/a b", "/a\\b", "/a#b", "/a\r\nHost: evil"] {
        let bed = Bed::new().await;
        let words = told(&bed, Ask::get(bad), server.environment()).await;
        assert!(words.contains("the path"), "{bad:?}: {words}");
        bed.survived("the path").await;
    }
    assert!(server.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn row_23_an_address_in_any_spelling_is_judged_by_where_it_leads() {
    for name in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "[::]",
        "[64:ff9b::7f00:1]",
        "localhost",
    ] {
        // Some are refused as names already; the others by the address that the system makes of them.
        let Ok(target) = EndpointTarget::parse(&format!("{name}:1"), 443, Tls::Insecure) else { continue };
        let bed = Bed::new().await;
        let words = told(&bed, Ask::get("/"), environment(target)).await;
        let judged = words.contains("loopback") || words.contains("unspecified");
        // A system that makes no address of a spelling leads nowhere either.
        assert!(judged || words.contains("can't be resolved"), "{name}: {words}");
        bed.survived(if judged { "leads to" } else { "resolved" }).await;
    }
}

#[tokio::test]
async fn row_24_metadata_services_are_out_of_reach_whatever_they_are_called() {
    for address in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "224.0.0.1",
        "0.0.0.0",
        "240.0.0.1",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:169.254.169.254]",
    ] {
        let bed = Bed::new().await;
        // Under its own name, and behind a good one.
        let words = told(&bed, Ask::get("/latest/meta-data/"), named(address, true)).await;
        assert!(words.contains("leads to"), "{address}: {words}");
        let ip = address.trim_matches(['[', ']']).parse().unwrap();
        let mut environment = named("vc.example.com", true);
        environment.resolver = Resolver::new(move |_, port| async move { Ok(vec![SocketAddr::new(ip, port)]) });
        let words = told(&bed, Ask::get("/"), environment).await;
        assert!(words.contains("`vc.example.com` leads to"), "{address}: {words}");
        bed.survived("leads to").await;
    }
}

#[tokio::test]
async fn row_25_a_name_is_resolved_once_in_a_session() {
    // The server closes each connection, so that every request needs a new one.
    let server = Server::start(|_| ok("connection: close\r\n", "hello")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, good) = (asked.clone(), server.address);
    let mut environment = named("lab.example", true);
    environment.endpoints.get_mut("lab").unwrap().tls = Tls::Ca(server.ca_pem.clone());
    environment.resolver = Resolver::new(move |_, _| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move { Ok(vec![if first { good } else { "169.254.169.254:443".parse().unwrap() }]) }
    });
    let bed = Bed::new().await;
    bed.run(&asking(&[Ask::get("/1"), Ask::get("/2"), Ask::get("/3")]), environment).await.unwrap();
    assert_eq!(bed.logged(), ["hello", "hello", "hello"]);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what was checked is what is dialled");
    bed.recorded("GET /3").await;
    // A name with a good and a bad address is refused whole.
    let mut environment = named("lab.example", true);
    environment.resolver =
        Resolver::new(move |_, _| async move { Ok(vec![good, "169.254.169.254:443".parse().unwrap()]) });
    assert!(told(&bed, Ask::get("/"), environment).await.contains("leads to 169.254.169.254"));
    bed.survived("169.254.169.254").await;
}

#[tokio::test]
async fn row_26_redirects_are_not_followed() {
    let elsewhere = Server::start(|_| ok("", "elsewhere")).await;
    let to = elsewhere.address;
    let server = Server::start(move |_| {
        let body = "moved";
        Reply::Bytes(
            format!(
                "HTTP/1.1 302 Found\r\nlocation: https://{to}/\r\nlocation: https://169.254.169.254/latest/\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    })
    .await;
    let bed = Bed::new().await;
    assert_eq!(told(&bed, Ask::get("/start"), server.environment()).await, "moved");
    assert_eq!(server.requests().len(), 1);
    assert!(elsewhere.requests().is_empty());
    bed.recorded("GET /start").await;
}

#[tokio::test]
async fn row_27_a_server_without_a_trusted_certificate_gets_nothing() {
    let server = Server::start(|_| ok("", "reached")).await;
    let with = |tls: Tls, name: &str| {
        let mut target = EndpointTarget::parse(name, 443, tls).unwrap();
        target.address = Some(server.address);
        environment(target)
    };
    for (environment, wanted) in [
        (with(Tls::System, "lab.example"), "certificate"),
        (with(Tls::Ca(server.ca_pem.clone()), "other.example"), "another name"),
        (with(Tls::Thumbprint("00".repeat(20)), "lab.example"), "thumbprint"),
    ] {
        let bed = Bed::new().await;
        let words = told(&bed, Ask::get("/"), environment).await;
        assert!(words.contains(wanted), "{wanted}: {words}");
        bed.survived(wanted).await;
    }
    assert!(server.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn row_28_headers_that_frame_or_route_are_the_hosts() {
    let server = Server::start(|_| ok("", "reached")).await;
    let many = "a".repeat(10);
    for (name, value) in [
        ("Host", "evil.example"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "0"),
        ("Proxy-Authorization", "x"),
        ("Connection", "upgrade"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Original-URL", "/admin"),
        ("Accept-Encoding", "gzip"),
        ("Cookie", "session=stolen"),
        ("Destination", "https://evil.example"),
        ("X-Custom", "a\r\nHost: evil"),
        ("bad name", &many),
    ] {
        let bed = Bed::new().await;
        let ask = Ask { headers: &[(name, Piece::Text(value))], ..Ask::get("/") };
        let words = told(&bed, ask, server.environment()).await;
        assert!(words.contains("header"), "{name}: {words}");
        bed.survived("header").await;
    }
    assert!(server.requests().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn row_29_sessions_share_no_connection_and_no_cookie() {
    let server = Server::start(|_| ok("set-cookie: session=secret; Path=/\r\n", "hello")).await;
    let bed = Bed::new().await;
    for _ in 0..2 {
        bed.run(&asking(&[Ask::get("/1"), Ask::get("/2")]), server.environment()).await.unwrap();
    }
    let with_cookie: Vec<bool> = server.requests().iter().map(|r| r.contains("cookie: session=secret")).collect();
    assert_eq!(with_cookie, [false, true, false, true], "a session's own, and no other's");
    bed.recorded("GET /2").await;
}

#[tokio::test]
async fn row_30_nothing_is_unpacked() {
    // What a gigabyte of zeros would be, were it unpacked.
    let server = Server::start(|_| ok("content-encoding: gzip\r\n", "\u{1f}not unpacked")).await;
    let bed = Bed::new().await;
    assert!(told(&bed, Ask::get("/"), server.environment()).await.ends_with("not unpacked"));
    assert!(!server.requests()[0].to_lowercase().contains("accept-encoding"));
    bed.recorded("GET /").await;
}

#[tokio::test]
async fn row_31_an_answer_without_end_is_cut_off() {
    let chunk = || format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    for head in ["transfer-encoding: chunked", "content-length: 10000000000"] {
        let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes();
        let server = Server::start(move |_| Reply::Endless(head.clone(), chunk())).await;
        let bed = Bed::with(Limits { response_bytes: 100_000, ..limits() }).await;
        let words = told(&bed, Ask::get("/"), server.environment()).await;
        assert!(words.contains("more than 100000 bytes") && words.contains("response-bytes"), "{words}");
        bed.survived("more than 100000 bytes").await;
    }
}

#[tokio::test]
async fn row_32_requests_are_counted() {
    let server = Server::start(|_| ok("", "hello")).await;
    let bed = Bed::with(Limits { requests: 3, ..limits() }).await;
    bed.run(&asking(&[Ask::get("/"); 5]), server.environment()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
    assert!(bed.logged()[4].contains("3 requests"), "{:?}", bed.logged());
    bed.survived("3 requests").await;
}

#[tokio::test]
async fn row_33_a_secret_goes_to_its_server_and_comes_back_as_stars() {
    let server = Server::start(|request| {
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        ok(&format!("x-echo: {body}\r\n"), &format!("you said {body} and c4n4ry&lt;&amp;&quot;value"))
    })
    .await;
    let bed = Bed::new().await;
    let ask = Ask { method: "POST", path: "/", headers: &[], body: &[Piece::Secret("password")] };
    assert_eq!(told(&bed, ask, server.environment()).await, "you said *** and ***");
    assert!(server.requests()[0].ends_with(SECRET), "the server got it");
    let events = serde_json::to_string(&bed.events()).unwrap();
    assert!(!events.contains("c4n4ry"), "{events}");
    assert!(events.contains(r#""secrets":["password"]"#));
    // One that was not declared goes nowhere.
    let ask = Ask { body: &[Piece::Secret("other")], method: "POST", ..Ask::get("/") };
    assert!(told(&bed, ask, server.environment()).await.contains("not one that the provider declares"));
    assert_eq!(server.requests().len(), 1);
    bed.survived("not one that the provider declares").await;
}

#[tokio::test]
async fn row_34_what_can_be_said_in_a_path_is_on_record() {
    // A channel that can't be closed: a plugin may say things to its own server. The audit keeps what it said and how much.
    let server = Server::start(|_| ok("", "heard")).await;
    let bed = Bed::new().await;
    told(&bed, Ask { method: "POST", body: &[Piece::Text("12345")], ..Ask::get("/?bits=0110") }, server.environment())
        .await;
    let events = bed.events();
    let event = events.iter().find(|e| e.function == "send").unwrap();
    assert!(event.target.ends_with("POST /?bits=0110"), "{}", event.target);
    assert_eq!((event.bytes_out, event.bytes_in, &event.decision), (5, 5, &Decision::Allowed));
    assert!(event.payload.as_ref().is_some_and(|d| d.len() == 64) && event.reply.is_some());
    bed.recorded("POST /?bits=0110").await;
}
