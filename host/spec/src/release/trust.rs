//! Whether a release is what it says, and goes with the program and the spec: signatures, licences, versions.

use super::license::{License, is_day};
use super::signature::{self, PublicKey, Signature, Signers};
use super::{Release, canonical};
use crate::defaulted::DefaultedSpec;
use crate::finding::Finding;
use crate::version::KubernetesVersion;

/// The minor versions of EKS Anywhere 0 whose specs and releases this program was made for.
const KNOWN: std::ops::RangeInclusive<u64> = 24..=26;
/// The first Cluster API that serves the versions of its kinds that this program writes (`v1beta2`).
const CLUSTER_API: semver::Version = semver::Version::new(1, 11, 0);

/// What a release is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Whose signatures count.
    pub signers: &'a Signers,
    /// Whether a release without signature is refused.
    pub require_signature: bool,
    /// The key of licences; without one, their signature is not checked. EKS Anywhere does not publish its own.
    pub license_key: Option<&'a PublicKey>,
    /// Today in UTC, `YYYY-MM-DD`.
    pub today: &'a str,
    /// `spec.eksaVersion` as the file has it.
    pub asked_version: Option<&'a str>,
}

impl Release {
    /// What is known of the signature of the bundles.
    pub fn signature(&self, signers: &Signers) -> Signature {
        signature::of_bundles(&self.manifest(), signers)
    }

    /// What is known of the signature of a Kubernetes version's EKS-D manifest; none if that was not loaded.
    pub fn eksd_signature(&self, version: KubernetesVersion, signers: &Signers) -> Option<Signature> {
        let bundle = self.bundle(version)?;
        let eksd = self.eksd.get(&bundle.eksd_url)?;
        let channel = eksd.pointer("/spec/channel").and_then(serde_json::Value::as_str).unwrap_or_default();
        Some(signature::of_eksd(&self.head, channel, eksd, signers))
    }

    /// The bytes that the signature of the bundles is made over: for a site that signs its own.
    pub fn signed_bytes(&self) -> Vec<u8> {
        canonical::bundles(&self.manifest())
    }

    /// The bytes that the signature of a Kubernetes version's EKS-D manifest is made over, if that was loaded.
    pub fn eksd_signed_bytes(&self, version: KubernetesVersion) -> Option<Vec<u8>> {
        Some(canonical::eksd(self.eksd.get(&self.bundle(version)?.eksd_url)?))
    }

    /// Everything there is to say about the release for a spec.
    pub fn check(&self, spec: &DefaultedSpec, terms: &Terms<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        let signature = self.signature(terms.signers);
        check_signature(signature, "the release", &format!("`{}`", self.name), terms, &mut found);
        for version in Self::needed(spec.cluster()) {
            if let Some(signature) = self.eksd_signature(version, terms.signers) {
                let name = format!("of Kubernetes {version}");
                check_signature(signature, "the EKS-D manifest", &name, terms, &mut found);
            }
        }
        self.check_license(spec, signature, terms, &mut found);
        self.check_versions(spec, terms, &mut found);
        found
    }

    /// A licence is asked for where EKS Anywhere asks for one: with a signed release, for a Kubernetes version that is out
    /// of standard support.
    fn check_license(&self, spec: &DefaultedSpec, signature: Signature, terms: &Terms<'_>, found: &mut Vec<Finding>) {
        const PATH: &str = "spec.licenseToken";
        let cluster = spec.cluster();
        let reference = spec.cluster_ref();
        let version = cluster.spec.kubernetes_version;
        let token = cluster.spec.license_token.as_deref().filter(|t| !t.is_empty());
        let ended = self.end_of_standard_support(version).filter(|end| *end < terms.today);
        let Some(ended) = ended else { return };
        let since = format!("standard support of Kubernetes {version} ended on {ended}");
        let Some(token) = token else {
            let newer = self
                .kubernetes_versions()
                .into_iter()
                .find(|v| self.end_of_standard_support(*v).is_some_and(|end| end >= terms.today));
            let newer = newer.map(|v| format!(", or use Kubernetes {v} or newer")).unwrap_or_default();
            found.push(match signature {
                Signature::Valid => Finding::error("license-required", format!("{since}, and there is no licence"))
                    .at(&reference, PATH)
                    .remedy(format!("set `spec.licenseToken`{newer}")),
                _ => Finding::note("extended-support", since)
                    .at(&reference, "spec.kubernetesVersion")
                    .remedy(format!("nothing is asked for, because the release is not signed{newer}")),
            });
            return;
        };
        match License::read(token, terms.license_key, terms.today) {
            Err(error) => found.push(
                Finding::error("license", format!("the licence can't be used: {error}"))
                    .at(&reference, PATH)
                    .remedy("put in the whole token as you got it, or renew it"),
            ),
            Ok(license) if !license.verified => found.push(
                Finding::note(
                    "license-unverified",
                    format!("the licence holds until {}; its signature was not checked", license.until),
                )
                .at(&reference, PATH)
                .remedy("EKS Anywhere does not publish the key of licences; name it with `--license-key FILE` if you have it"),
            ),
            Ok(_) => {}
        }
    }

    fn check_versions(&self, spec: &DefaultedSpec, terms: &Terms<'_>, found: &mut Vec<Finding>) {
        let reference = spec.cluster_ref();
        let known = format!("v0.{} to v0.{}", KNOWN.start(), KNOWN.end());
        if let Some(least) = self.version_at("/spec/cliMinVersion")
            && (least.major > 0 || least.minor > *KNOWN.end())
        {
            found.push(
                Finding::warning(
                    "release-newer",
                    format!(
                        "the release `{}` is for EKS Anywhere v{least} and newer, and this program knows {known}",
                        self.name
                    ),
                )
                .remedy("what is new in it may be missing; look for a newer version of this program"),
            );
        }
        let core = self.bundles.first().and_then(|b| b.value.pointer("/clusterAPI/version")?.as_str());
        if let Some(core) = core.and_then(version)
            && core < CLUSTER_API
        {
            found.push(
                Finding::error(
                    "release-older",
                    format!(
                        "the release `{}` brings Cluster API v{core}, which does not know the objects that this program writes",
                        self.name
                    ),
                )
                .remedy(format!("use a release with Cluster API v{CLUSTER_API} or newer: EKS Anywhere v0.25 and later")),
            );
        }
        if let (Some(asked), Some(own)) = (terms.asked_version, self.eksa_version())
            && asked != own
            && let (Some(a), Some(b)) = (version(asked), version(&own))
            && (a.major, a.minor) != (b.major, b.minor)
        {
            found.push(
                Finding::warning(
                    "release-skew",
                    format!("the spec is of EKS Anywhere {asked}, and the release in use is {own}"),
                )
                .at(&reference, "spec.eksaVersion")
                .remedy("the release decides; leave `--bundles-override` out to use the one that the spec names"),
            );
        }
    }

    /// The day on which the standard support of a Kubernetes version ends, `YYYY-MM-DD`, if the release says so.
    pub fn end_of_standard_support(&self, version: KubernetesVersion) -> Option<&str> {
        let end = self.bundle(version)?.value.get("endOfStandardSupport")?.as_str()?;
        is_day(end).then_some(end)
    }

    fn version_at(&self, at: &str) -> Option<semver::Version> {
        version(self.head.pointer(at)?.as_str()?)
    }
}

fn check_signature(signature: Signature, what: &str, name: &str, terms: &Terms<'_>, found: &mut Vec<Finding>) {
    match signature {
        Signature::Wrong => found.push(
            Finding::error(
                "release-signature",
                format!("{what} {name} was changed after it was signed, or somebody else signed it"),
            )
            .remedy(
                "fetch the release anew from where it is published; a release that a site signs itself needs that \
                 site's key (`--release-key FILE`)",
            ),
        ),
        Signature::Absent if terms.require_signature => found.push(
            Finding::error("release-unsigned", format!("{what} {name} is not signed"))
                .remedy("use a published release, or leave `--require-signed-release` out"),
        ),
        Signature::Valid | Signature::Absent => {}
    }
}

fn version(text: &str) -> Option<semver::Version> {
    semver::Version::parse(text.trim_start_matches('v')).ok()
}
