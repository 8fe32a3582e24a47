//! A registry mirror, as containerd on a node is told of it: a `hosts.toml` for each registry it stands in for.

use std::fmt::Write as _;

use crate::Mirror;

const FOLDER: &str = "/etc/containerd/certs.d";
const CA: &str = "/etc/containerd/certs.d/mirror-ca.crt";

/// A script that sets it up and starts containerd again, to be given to `sh` on a node. Values go in as files by base64,
/// so that no character of them means anything to the shell.
pub(super) fn script(mirror: &Mirror) -> String {
    let mut files = Vec::new();
    if let Some(pem) = &mirror.ca_pem {
        files.push((CA.to_owned(), pem.clone()));
    }
    for host in &mirror.hosts {
        files.push((format!("{FOLDER}/{}/hosts.toml", host.registry), hosts(mirror, &host.path)));
    }
    // The mirror by its own name, for images that name it.
    files.push((format!("{FOLDER}/{}/hosts.toml", mirror.endpoint), hosts(mirror, "")));
    let mut config = String::new();
    if let Some((user, password)) = &mirror.login {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        config = format!(
            "\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.{}.auth]\n  username = {}\n  password = {}\n",
            quoted(&mirror.endpoint),
            quoted(user),
            quoted(password)
        );
    }
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let mut script = "set -e\n".to_owned();
    for (path, content) in &files {
        let (path, content) = (encode(path), encode(content));
        // Writing to a string can't fail.
        let _ = writeln!(
            script,
            "f=$(echo {path} | base64 -d); mkdir -p \"$(dirname \"$f\")\"; echo {content} | base64 -d > \"$f\""
        );
    }
    // Newer node images look there already.
    let _ = writeln!(
        script,
        "c=/etc/containerd/config.toml\ngrep -q '^ *config_path' $c || printf '\\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\\n  config_path = \"{FOLDER}\"\\n' >> $c"
    );
    if !config.is_empty() {
        let _ = writeln!(script, "echo {} | base64 -d >> $c", encode(&config));
    }
    script.push_str("systemctl restart containerd\n");
    script
}

fn hosts(mirror: &Mirror, path: &str) -> String {
    let path = path.trim_matches('/');
    let url = if path.is_empty() {
        format!("https://{}", mirror.endpoint)
    } else {
        format!("https://{}/v2/{path}", mirror.endpoint)
    };
    let mut text = format!("[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    if !path.is_empty() {
        text.push_str("  override_path = true\n");
    }
    if mirror.insecure {
        text.push_str("  skip_verify = true\n");
    } else if mirror.ca_pem.is_some() {
        let _ = writeln!(text, "  ca = \"{CA}\"");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MirrorHost;

    #[test]
    fn each_registry_gets_its_place_in_the_mirror() {
        let mut mirror = Mirror {
            endpoint: "10.0.0.1:5000".into(),
            hosts: vec![MirrorHost { registry: "public.ecr.aws".into(), path: "eks".into() }],
            ca_pem: Some("PEM".into()),
            ..Mirror::default()
        };
        let text = hosts(&mirror, "eks");
        assert!(text.contains("[host.\"https://10.0.0.1:5000/v2/eks\"]") && text.contains("override_path"), "{text}");
        assert!(text.contains("ca = ") && !text.contains("skip_verify"), "{text}");
        mirror.insecure = true;
        assert!(hosts(&mirror, "").contains("skip_verify"));
    }

    #[test]
    fn nothing_of_a_password_means_anything_to_the_shell() {
        let mirror = Mirror {
            endpoint: "m:1".into(),
            login: Some(("me".into(), "a'b\"$(rm -rf /)`x`\\".into())),
            ..Mirror::default()
        };
        let script = script(&mirror);
        assert!(!script.contains("rm -rf"), "{script}");
        assert!(!format!("{mirror:?}").contains("rm -rf"));
    }
}
