//! The node image: there already, or pulled, and checked against the digest that the release names.

use std::collections::HashMap;

use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;
use serde_json::Value;

use super::address::Lookup;
use super::engine::Engine;
use super::failure::{self, Trouble};
use crate::{BootstrapError, NodeImage, Progress};

/// A registry that breaks off is asked again, so often in all.
const TRIES: u32 = 3;

/// Makes sure that the engine has the image.
pub(super) async fn ensure(
    engine: &Engine,
    image: &NodeImage,
    lookup: Lookup<'_>,
    progress: &dyn Progress,
) -> Result<(), BootstrapError> {
    if let Some(digests) = present(engine, image).await? {
        return check(image, &digests, progress);
    }
    let mut tried = 0;
    loop {
        tried += 1;
        match pull(engine, image, lookup, progress).await {
            Ok(()) => break,
            Err(error) => {
                let again = matches!(failure::trouble(&error), Trouble::RegistryUnreachable | Trouble::Silent);
                if !again || tried >= TRIES {
                    return Err(refused(engine, image, error));
                }
                progress.note(&format!("the pull of `{}` broke off and is tried again: {error}", image.reference));
            }
        }
    }
    match present(engine, image).await? {
        Some(digests) => check(image, &digests, progress),
        None => Err(BootstrapError::Image {
            image: image.reference.clone(),
            reason: "it was pulled, and the engine does not have it".into(),
            trouble: Trouble::ImageMissing,
        }),
    }
}

/// An image that can't be had is said to be so, whatever words the engine has for it.
fn refused(engine: &Engine, image: &NodeImage, error: bollard::errors::Error) -> BootstrapError {
    match failure::trouble(&error) {
        trouble @ (Trouble::ImageForbidden
        | Trouble::ImageMissing
        | Trouble::RegistryUnreachable
        | Trouble::DiskFull) => {
            BootstrapError::Image { image: image.reference.clone(), reason: error.to_string(), trouble }
        }
        Trouble::NotFound => BootstrapError::Image {
            image: image.reference.clone(),
            reason: error.to_string(),
            trouble: Trouble::ImageMissing,
        },
        _ => engine.failed(format!("pull the image `{}`", image.reference), error),
    }
}

/// The digests under which registries know the image, if the engine has it.
async fn present(engine: &Engine, image: &NodeImage) -> Result<Option<Vec<String>>, BootstrapError> {
    match engine.client.inspect_image(&image.reference).await {
        Ok(found) => Ok(Some(found.repo_digests.unwrap_or_default())),
        Err(error) if matches!(failure::trouble(&error), Trouble::NotFound | Trouble::ImageMissing) => Ok(None),
        Err(error) => Err(engine.failed(format!("look for the image `{}`", image.reference), error)),
    }
}

fn check(image: &NodeImage, digests: &[String], progress: &dyn Progress) -> Result<(), BootstrapError> {
    let Some(wanted) = image.digest.as_deref().filter(|d| !d.is_empty()) else { return Ok(()) };
    if digests.is_empty() {
        // An image that was built or loaded here never was in a registry.
        progress.note(&format!(
            "the image `{}` came from no registry, so that there is no digest to compare with the release's",
            image.reference
        ));
        return Ok(());
    }
    if digests.iter().any(|d| d.rsplit_once('@').is_some_and(|(_, digest)| digest == wanted)) {
        return Ok(());
    }
    Err(BootstrapError::Digest { image: image.reference.clone(), wanted: wanted.to_owned(), found: digests.join(", ") })
}

async fn pull(
    engine: &Engine,
    image: &NodeImage,
    lookup: Lookup<'_>,
    progress: &dyn Progress,
) -> Result<(), bollard::errors::Error> {
    let options = CreateImageOptions { from_image: Some(image.reference.clone()), ..Default::default() };
    let mut pull = engine.client.create_image(Some(options), None, credentials(&image.reference, lookup));
    let object = format!("image {}", image.reference);
    let mut layers = Layers::default();
    progress.waiting(&object, "the engine to pull it");
    let mut said = String::new();
    while let Some(news) = pull.next().await {
        layers.add(&news?);
        let sentence = layers.sentence();
        if !sentence.is_empty() && sentence != said {
            progress.waiting(&object, &sentence);
            said = sentence;
        }
    }
    Ok(())
}

/// How far the layers of an image are.
#[derive(Debug, Default)]
struct Layers {
    /// Bytes that are there and bytes in all, by layer.
    downloads: HashMap<String, (i64, i64)>,
    extracting: bool,
}

impl Layers {
    fn add(&mut self, news: &CreateImageInfo) {
        let (Some(id), Some(status)) = (&news.id, news.status.as_deref()) else { return };
        let detail = news.progress_detail.as_ref();
        let numbers = detail.and_then(|d| Some((d.current?, d.total?)));
        match (status, numbers) {
            ("Downloading", Some(numbers)) => {
                self.downloads.insert(id.clone(), numbers);
            }
            ("Download complete" | "Pull complete", _) => {
                if let Some((current, total)) = self.downloads.get_mut(id) {
                    *current = *total;
                }
            }
            ("Extracting", _) => self.extracting = true,
            _ => {}
        }
    }

    /// Tens of percents: a line each in a log, and no more.
    fn sentence(&self) -> String {
        let (there, all) = self.downloads.values().fold((0, 0), |(a, b), (current, total)| (a + current, b + total));
        if all == 0 {
            return String::new();
        }
        if there >= all && self.extracting {
            return "downloaded; being unpacked".into();
        }
        format!("downloading, {} % of {} MB", there * 10 / all * 10, all / 1_000_000)
    }
}

/// A login for the image's registry, as `docker login` keeps it in its configuration file.
fn credentials(image: &str, lookup: Lookup<'_>) -> Option<DockerCredentials> {
    let registry = registry(image);
    let folder = lookup("DOCKER_CONFIG").or_else(|| lookup("HOME").map(|home| format!("{home}/.docker")))?;
    let text = std::fs::read_to_string(format!("{folder}/config.json")).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let key = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
    let auth = value.get("auths")?.get(key)?.get("auth")?.as_str().filter(|auth| !auth.is_empty())?;
    let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, auth).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(DockerCredentials {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        serveraddress: Some(key.to_owned()),
        ..Default::default()
    })
}

/// The registry of an image: the first part, if it looks like a host.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn news(id: &str, status: &str, numbers: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.into()),
            status: Some(status.into()),
            progress_detail: numbers
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..Default::default()
        }
    }

    #[test]
    fn progress_is_told_in_tens_of_percents() {
        let mut layers = Layers::default();
        assert_eq!(layers.sentence(), "");
        layers.add(&news("a", "Downloading", Some((10_000_000, 60_000_000))));
        layers.add(&news("b", "Downloading", Some((0, 40_000_000))));
        assert_eq!(layers.sentence(), "downloading, 10 % of 100 MB");
        layers.add(&news("a", "Download complete", None));
        assert_eq!(layers.sentence(), "downloading, 60 % of 100 MB");
        layers.add(&news("b", "Pull complete", None));
        layers.add(&news("b", "Extracting", Some((1, 2))));
        assert_eq!(layers.sentence(), "downloaded; being unpacked");
    }

    #[test]
    fn digests_are_compared() {
        let image = NodeImage { reference: "r/n:1".into(), digest: Some("sha256:aa".into()) };
        let check = |digests: &[&str]| {
            check(&image, &digests.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>(), &crate::Silent)
        };
        check(&["r/n@sha256:aa"]).unwrap();
        check(&[]).unwrap();
        let error = check(&["r/n@sha256:bb"]).unwrap_err();
        assert!(matches!(&error, BootstrapError::Digest { .. }), "{error}");
        assert!(error.to_string().contains("sha256:aa") && error.to_string().contains("sha256:bb"), "{error}");
    }

    #[test]
    fn a_login_is_found_by_registry() {
        let home = tempfile::tempdir().unwrap();
        let auth = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "me:it:self");
        std::fs::write(home.path().join("config.json"), format!(r#"{{"auths":{{"r.io:5000":{{"auth":"{auth}"}}}}}}"#))
            .unwrap();
        let folder = home.path().to_str().unwrap().to_owned();
        let lookup = move |name: &str| (name == "DOCKER_CONFIG").then(|| folder.clone());
        let found = credentials("r.io:5000/a/b:1", &lookup).unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("me"), Some("it:self")));
        assert!(credentials("other.io/a:1", &lookup).is_none());
        assert_eq!(
            (registry("kindest/node:v1"), registry("localhost/x"), registry("r.io/x")),
            ("docker.io", "localhost", "r.io")
        );
    }
}
