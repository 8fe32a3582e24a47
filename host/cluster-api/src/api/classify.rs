//! Which answers are final, and which may be different in a moment.

use kube::core::Status;

/// What an unhappy answer means for asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// There is no such object.
    NotFound,
    /// The path is not served: the kind is not known (yet).
    NotServed,
    /// An object of that name is there already.
    AlreadyExists,
    /// Somebody else changed it, or owns the field.
    Conflict,
    /// The answer stays the same.
    Permanent,
    /// It may work in a moment.
    Transient,
}

/// Fragments of messages that say: the webhook, not the request, is in the way.
const WEBHOOK_NOT_ANSWERING: &[&str] = &[
    "failed calling webhook",
    "failed to call webhook",
    "conversion webhook for",
    "no endpoints available for service",
    "connection refused",
    "x509: ",
    "context deadline exceeded",
    "i/o timeout",
    "no service port",
    "TLS handshake",
];

/// Sorts an answer of the API server.
pub(crate) fn of_status(status: &Status) -> Class {
    match (status.code, status.reason.as_str()) {
        (404, reason) if reason != "NotFound" || status.message.contains("could not find the requested resource") => {
            Class::NotServed
        }
        (404, _) => Class::NotFound,
        (409, "AlreadyExists") => Class::AlreadyExists,
        (409, _) => Class::Conflict,
        (403, _) if status.message.contains("not yet ready to handle request") => Class::Transient,
        (408 | 429 | 500..=599, _) => Class::Transient,
        _ if !status.message.contains("denied the request")
            && WEBHOOK_NOT_ANSWERING.iter().any(|sign| status.message.contains(sign)) =>
        {
            Class::Transient
        }
        _ => Class::Permanent,
    }
}

/// Sorts an answer, or the lack of one.
pub(crate) fn of_error(error: &kube::Error) -> Class {
    match error {
        kube::Error::Api(status) => of_status(status),
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
            if certificate_trouble(error) { Class::Permanent } else { Class::Transient }
        }
        _ => Class::Permanent,
    }
}

/// Whether the API server's own certificate is the trouble.
pub(crate) fn certificate_trouble(error: &kube::Error) -> bool {
    let chain = chain(error);
    chain.contains("invalid peer certificate") || chain.contains("UnknownIssuer")
}

/// All messages of an error and its causes, without those that only repeat the one before.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut current = Some(error);
    while let Some(error) = current {
        let message = error.to_string();
        if !text.contains(&message) {
            // An outer message usually ends in the inner one; the inner one alone says the same.
            if message.contains(&text) && !text.is_empty() {
                text = message;
            } else {
                if !text.is_empty() {
                    text.push_str(": ");
                }
                text.push_str(&message);
            }
        }
        current = error.source();
    }
    text
}

/// What the server or the connection said, for people.
pub(crate) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => {
            let message = status.message.trim_end_matches('.');
            match message.strip_prefix("admission webhook ") {
                Some(rest) => format!("the webhook {rest}"),
                None => message.to_owned(),
            }
        }
        kube::Error::Api(status) if !status.reason.is_empty() => format!("`{}` without a message", status.reason),
        kube::Error::Api(status) => format!("HTTP status {} without a message", status.code),
        kube::Error::Service(source) => chain(source.as_ref()),
        other => chain(other),
    }
}

/// What to do about an answer that is final.
pub(crate) fn help(error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else {
        return if certificate_trouble(error) {
            "the kubeconfig's certificate authority is not the one of this server; fetch the kubeconfig again"
                .to_owned()
        } else {
            "check the address in the kubeconfig and the network between here and there".to_owned()
        };
    };
    match (status.code, status.reason.as_str()) {
        (401, _) => "the credentials of the kubeconfig are not (or no longer) accepted; fetch the kubeconfig again".to_owned(),
        (403, _) if status.message.contains("being terminated") => "wait until the namespace is gone, then run the same command again".to_owned(),
        (403, _) if status.message.contains("denied the request") => "correct the field that the webhook names".to_owned(),
        (403, _) if status.message.contains("exceeded quota") => {
            "raise the quota of the namespace, or take away what it counts, then run the same command again".to_owned()
        }
        (403, _) => "use a kubeconfig whose user may do this".to_owned(),
        (404, _) => "check that the provider which brings this kind is installed".to_owned(),
        (409, _) if status.message.contains("conflict with") => {
            "another writer set these fields; take its change into the spec, or undo it there, then run the same command again".to_owned()
        }
        (409, _) => "it changed in the same moment; run the same command again".to_owned(),
        (413, _) => "the object is larger than the server takes".to_owned(),
        (400 | 422, _) => "correct the field that the server names".to_owned(),
        _ => String::new(),
    }
}
