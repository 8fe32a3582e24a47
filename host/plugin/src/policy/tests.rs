use super::*;

fn policy(texts: &[&str]) -> Result<Policy, PluginError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let path = folder.path().join(format!("{index}.toml"));
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    Policy::read(&paths)
}

#[test]
fn special_addresses_need_a_grant_of_their_own() {
    let plain = AddressPolicy::default();
    let wide = policy(&["version = 1\n[addresses]\nallow = ['0.0.0.0/0', '::/0']"]).unwrap().addresses();
    for bad in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "fe80::1",
        "240.0.0.1",
        "0.1.2.3",
    ] {
        assert!(plain.refuses(bad.parse().unwrap()).is_some(), "{bad}");
        assert!(wide.refuses(bad.parse().unwrap()).is_some(), "{bad} by a wide range");
    }
    for good in ["10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"] {
        assert!(plain.refuses(good.parse().unwrap()).is_none(), "{good}");
    }
    let by_file = policy(&["version = 1\n[addresses]\ngrant = ['127.0.0.0/8']"]).unwrap().addresses();
    assert!(by_file.refuses("127.0.0.1".parse().unwrap()).is_none());
    assert!(by_file.refuses("10.0.0.1".parse().unwrap()).is_none(), "a grant narrows nothing");
    let granted = Policy::default().with_addresses(&["127.0.0.0/8".parse().unwrap()]).addresses();
    assert!(granted.refuses("127.0.0.1".parse().unwrap()).is_none());
    assert!(granted.refuses("::1".parse().unwrap()).is_some());
    assert!(granted.refuses("169.254.169.254".parse().unwrap()).is_some());
}

#[test]
fn the_narrower_layer_wins() {
    let both = policy(&[
        "version = 1\n[addresses]\nfamilies = ['ipv4']\nallow = ['10.0.0.0/8']\n[limits]\nmemory-bytes = 1000000\nsession-time = 60\n[endpoints]\nallow = ['*.corp.example:443', 'vc.other.example']",
        "version = 1\n[addresses]\ndeny = ['10.9.0.0/16']\nallow = ['10.0.0.0/8', '192.168.0.0/16', '127.0.0.0/8']\n[limits]\nmemory-bytes = 2000000\ndepth = 10",
    ])
    .unwrap();
    let addresses = both.addresses();
    assert!(addresses.refuses("10.1.2.3".parse().unwrap()).is_none());
    for (bad, wanted) in
        [("10.9.1.1", "denies"), ("192.168.1.1", "outside"), ("127.0.0.1", "outside"), ("fd00::1", "family")]
    {
        let why = addresses.refuses(bad.parse().unwrap()).unwrap();
        assert!(why.contains(wanted), "{bad}: {why}");
    }
    let limits = both.limits(&Limits::default());
    assert_eq!((limits.memory_bytes, limits.depth, limits.session_time.as_secs()), (1_000_000, 10, 60));
    assert_eq!(limits.handles, Limits::default().handles);
    assert!(both.server("vc.corp.example", 443).is_none());
    assert!(both.server("vc.other.example", 8443).is_none());
    for (host, port) in
        [("vc.corp.example", 8443), ("corp.example", 443), ("evilcorp.example", 443), ("x.other.example", 443)]
    {
        assert!(both.server(host, port).unwrap().contains("0.toml"), "{host}:{port}");
    }
}

#[test]
fn plugins_are_allowed_by_digest_name_and_publisher() {
    let digest = "ab".repeat(32);
    let listed =
        policy(&[&format!("version = 1\n[plugins]\nallow = ['built-in', 'sha256:{digest}', 'acme']")]).unwrap();
    assert_eq!(listed.plugin("x", true, &digest, false, &Signer::None).unwrap(), Word::Granted);
    assert_eq!(listed.plugin("acme", true, "00", false, &Signer::None).unwrap(), Word::Silent, "a name is not a grant");
    assert_eq!(listed.plugin("any", true, "00", true, &Signer::None).unwrap(), Word::Granted);
    assert!(listed.plugin("file", false, "00", false, &Signer::None).is_ok(), "it may turn out to be `acme`");
    let error = listed.plugin("x", true, "00", false, &Signer::None).unwrap_err();
    assert!(matches!(&error, PluginError::Forbidden { policy, .. } if policy.ends_with("0.toml")), "{error:?}");
    let signed = policy(&["version = 1\n[plugins]\nrequire-signature = true"]).unwrap();
    assert!(signed.plugin("x", true, "00", false, &Signer::None).unwrap_err().to_string().contains("not signed"));
    assert!(signed.plugin("x", true, "00", true, &Signer::None).is_ok());
}

#[test]
fn a_policy_that_says_something_else_is_an_error() {
    for (text, wanted) in [
        ("version = 2", "version 2"),
        ("", "version"),
        ("version = 1\n[plugin]", "plugin"),
        ("version = 1\n[limits]\nmemory = 1", "memory"),
        ("version = 1\n[limits]\ndepth = 1000", "at most 120"),
        ("version = 1\n[addresses]\nallow = ['10.0.0.0']", "IP address"),
        ("version = 1\n[plugins]\nallow = ['sha256:XYZ']", "no digest"),
        ("version = 1\n[plugins]\nallow = ['publisher:acme']", "publishers"),
        ("version = 1\n[[plugins.publishers]]\nname = 'a'\nkey = 'missing.pem'", "missing.pem"),
        ("version = 1\n[[plugins.publishers]]\nname = 'a'", "either a `key`"),
        ("version = 1\n[[plugins.publishers]]\nname = 'a'\nidentity = 'a@b.example'", "either a `key`"),
        (
            "version = 1\n[[plugins.publishers]]\nname = 'a'\nidentity = 'a@b.example'\nissuer = 'https://b.example'\ntrusted-root = 'missing.json'",
            "missing.json",
        ),
    ] {
        let error = policy(&[text]).unwrap_err();
        assert!(error.to_string().contains(wanted), "{text}: {error}");
    }
    assert!(matches!(Policy::read(&["/nonexistent/policy.toml".into()]), Err(PluginError::Policy { .. })));
}
