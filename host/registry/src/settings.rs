//! How registries are reached: mirrors, authorities, plain HTTP on this machine.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::RegistryError;
use crate::reference::{Reference, is_host, is_loopback};

/// The proxies that registries are reached through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://` addresses.
    pub http: Option<String>,
    /// For `https://` addresses.
    pub https: Option<String>,
    /// Hosts that are reached directly, separated by commas.
    pub none: Option<String>,
}

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Registries (`host:port`) on this machine that are reached without TLS.
    pub plain_http: Vec<String>,
    /// Authorities (PEM) to trust besides those of the machine.
    pub authorities: Vec<Vec<u8>>,
    /// Registry and mirror (`host[:port][/path]`), in the order in which they are asked.
    pub mirrors: Vec<(String, String)>,
    /// Proxies.
    pub proxies: Proxies,
}

/// A settings file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    version: u32,
    #[serde(default, rename = "registry")]
    registries: Vec<One>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct One {
    name: String,
    #[serde(default)]
    mirrors: Vec<String>,
    #[serde(default)]
    plain_http: bool,
    /// PEM, relative to the settings file.
    ca: Option<PathBuf>,
}

impl Settings {
    /// Adds what a file says.
    ///
    /// # Errors
    /// The file, or one that it names, can't be read.
    pub fn read(&mut self, path: &Path) -> Result<(), RegistryError> {
        let bad = |why: String| RegistryError::Settings { path: Some(path.to_owned()), why };
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        if file.version != 1 {
            return Err(bad(format!("it has version {}, and this kedge reads version 1", file.version)));
        }
        for one in file.registries {
            if let Some(ca) = one.ca {
                let ca = path.parent().unwrap_or(Path::new(".")).join(ca);
                let pem = std::fs::read(&ca).map_err(|e| bad(format!("`{}`: {e}", ca.display())))?;
                self.authorities.push(pem);
            }
            if one.plain_http {
                self.plain_http.push(one.name.clone());
            }
            self.mirrors.extend(one.mirrors.into_iter().map(|mirror| (one.name.clone(), mirror)));
        }
        self.check().map_err(|error| match error {
            RegistryError::Settings { why, .. } => bad(why),
            other => other,
        })
    }

    /// Adds a mirror as a flag has it: `registry.example=mirror.example:5000/path`.
    ///
    /// # Errors
    /// It is none.
    pub fn mirror(&mut self, flag: &str) -> Result<(), RegistryError> {
        let (registry, mirror) = flag.split_once('=').ok_or_else(|| RegistryError::Settings {
            path: None,
            why: format!("`{flag}` is no mirror like `registry.example=mirror.example:5000/path`"),
        })?;
        self.mirrors.push((registry.to_owned(), mirror.to_owned()));
        self.check()
    }

    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        let bad = |why: String| Err(RegistryError::Settings { path: None, why });
        for registry in &self.plain_http {
            if !is_loopback(registry) {
                return bad(format!(
                    "`{registry}` is not on this machine, and without TLS anybody between could answer for it"
                ));
            }
        }
        for (registry, mirror) in &self.mirrors {
            let (host, path) = mirror.split_once('/').unwrap_or((mirror, ""));
            let sound = path.is_empty() || format!("localhost/{path}:x").parse::<Reference>().is_ok();
            if !is_host(registry) || !is_host(host) || !sound {
                return bad(format!(
                    "`{registry}={mirror}` is no mirror like `registry.example=mirror.example:5000/path`"
                ));
            }
        }
        Ok(())
    }

    /// Where to look for it, in order: mirrors, then the registry itself.
    pub(crate) fn places(&self, reference: &Reference) -> Vec<Reference> {
        let mut places: Vec<Reference> = self
            .mirrors
            .iter()
            .filter(|(registry, _)| *registry == reference.registry)
            .map(|(_, mirror)| {
                let (host, path) = mirror.split_once('/').unwrap_or((mirror, ""));
                reference.mirrored(host, path)
            })
            .collect();
        places.push(reference.clone());
        places
    }

    pub(crate) fn is_plain(&self, registry: &str) -> bool {
        self.plain_http.iter().any(|plain| plain == registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        let of = |host: &str| Settings { plain_http: vec![host.into()], ..Settings::default() }.check();
        of("127.0.0.1:5000").unwrap();
        of("localhost:5000").unwrap();
        assert!(of("10.0.0.1:5000").unwrap_err().to_string().contains("not on this machine"));
        assert!(of("localhost.example:80").is_err());
    }

    #[test]
    fn a_file_says_where_mirrors_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registries.toml");
        std::fs::write(folder.path().join("ca.pem"), "pem").unwrap();
        std::fs::write(
            &path,
            "version = 1\n[[registry]]\nname = 'registry.example'\nmirrors = ['a.example/cache', 'b.example:5000']\nca = 'ca.pem'\n",
        )
        .unwrap();
        let mut settings = Settings::default();
        settings.read(&path).unwrap();
        settings.mirror("registry.example=c.example").unwrap();
        assert_eq!(settings.authorities, [b"pem".to_vec()]);
        let reference = "registry.example/lab:1".parse().unwrap();
        let places: Vec<String> = settings.places(&reference).iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            ["a.example/cache/lab:1", "b.example:5000/lab:1", "c.example/lab:1", "registry.example/lab:1"]
        );
        for bad in ["registry.example", "=x.example", "a.example=../x", "a.example=b.example/A"] {
            assert!(Settings::default().mirror(bad).is_err(), "{bad}");
        }
        std::fs::write(&path, "version = 2\n").unwrap();
        assert!(Settings::default().read(&path).unwrap_err().to_string().contains("version 2"));
        std::fs::write(&path, "version = 1\n[[registry]]\nname = 'far.example'\nplain-http = true\n").unwrap();
        let error = Settings::default().read(&path).unwrap_err().to_string();
        assert!(error.contains("registries.toml") && error.contains("not on this machine"), "{error}");
    }
}
