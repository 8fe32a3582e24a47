//! The repository that a cluster is kept in.

use super::Findings;
use crate::cluster::{self, FluxConfig};
use crate::defaulted::DefaultedSpec;
use crate::finding::{Finding, ObjectRef};
use crate::path;

pub(super) fn check(spec: &DefaultedSpec, findings: &mut Findings<'_>) {
    let (Some(reference), Some(flux)) = (&spec.cluster().spec.git_ops_ref, spec.flux()) else { return };
    let document = ObjectRef::new(&reference.kind, &reference.name);
    let old = reference.kind == cluster::GITOPS_KIND;
    let at = if old { "spec.flux.github" } else { "spec" };
    let mut error = |path: &str, message: String, remedy: &str| {
        findings.found.push(Finding::error("gitops", message).at(&document, path).remedy(remedy));
    };
    provider(&flux, old, &mut error);
    if !is_branch(&flux.branch) {
        error(
            &path::join(at, "branch"),
            format!("`{}` can't be the name of a branch here", flux.branch),
            "use letters, digits, `_`, `+` and `,`; after one `/` or the first part also `-`",
        );
    }
    let folder = flux.cluster_config_path.as_str();
    if folder.split('/').any(|part| part == "..") {
        error(
            &path::join(at, "clusterConfigPath"),
            format!("`{folder}` leads out of the repository"),
            "write a path within the repository",
        );
    }
}

/// Exactly one place for the repository, and a name or address that it can have.
fn provider(flux: &FluxConfig, old: bool, error: &mut impl FnMut(&str, String, &str)) {
    match (&flux.github, &flux.git) {
        (Some(_), Some(_)) => {
            error("spec.git", "the repository is named twice, by `github` and by `git`".into(), "keep one of the two");
        }
        (None, None) => error("spec", "there is no repository".into(), "add `github` or `git`"),
        _ => {}
    }
    if let Some(github) = &flux.github {
        let at = if old { "spec.flux.github" } else { "spec.github" };
        let name = github.repository.as_str();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !name.is_empty() && !name.chars().all(plain) {
            error(
                &path::join(at, "repository"),
                format!("`{name}` can't be the name of a repository"),
                "use letters, digits, `-`, `_` and `.`: the name alone, without its owner",
            );
        }
    }
    if let Some(git) = &flux.git {
        let url = git.repository_url.as_str();
        let rest = url.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("ssh")).map(|(_, rest)| rest);
        let host = rest.and_then(|rest| rest.split('/').next()).map(|authority| authority.rsplit('@').next());
        if !url.is_empty() && host.flatten().is_none_or(str::is_empty) {
            error(
                "spec.git.repositoryUrl",
                format!("`{url}` is not the address of a repository over SSH"),
                "write it as `ssh://git@HOST/PATH.git`",
            );
        }
    }
}

/// EKS Anywhere's rule, which is narrower than Git's.
fn is_branch(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | ',');
    let tail = |c: char| word(c) || c == '-';
    // A head of words, then perhaps a dot and a slash, then a tail.
    let head = name.find(|c| !word(c)).unwrap_or(name.len());
    let rest = name.get(head..).unwrap_or_default();
    if head == 0 {
        return false;
    }
    let after = rest.strip_prefix('.').unwrap_or(rest);
    let after = after.strip_prefix('/').unwrap_or(after);
    if after.is_empty() {
        // The last word is the tail, which leaves one character for the head.
        return rest.is_empty() && head >= 2;
    }
    let separated = after.len() < rest.len();
    (separated || head >= 2 || after.starts_with('-')) && after.chars().all(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_those_that_flux_is_given() {
        for good in ["main", "feature/x", "feature-x", "a1", "a-", "v1.x", "v1./x", "a,b+c", "a-b-c"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in ["", "a", "/a", "a/", "a b", "a/b/c", "a..b", "-a", "a/b.c", "feature-x/y"] {
            assert!(!is_branch(bad), "{bad}");
        }
    }
}
