//! Requests on the way to the vCenter: few connections, and a second try where one breaks.

use kedge_sdk::prelude::*;
use kedge_sdk::{EndpointError, Response};

/// How many requests are on their way at one time, and so how many connections there are.
const PARALLEL: usize = 2;

/// Sends questions side by side; answers in their order. One whose connection breaks is asked once more: a question
/// changes nothing.
pub(crate) fn ask_all(endpoint: &Endpoint, requests: &[Request]) -> Vec<Result<Response, EndpointError>> {
    let mut answers: Vec<_> = requests.chunks(PARALLEL).flat_map(|some| endpoint.send_all(some)).collect();
    for (request, answer) in requests.iter().zip(&mut answers) {
        if matches!(answer, Err(EndpointError::Unreachable(_))) {
            *answer = endpoint.send(request);
        }
    }
    answers
}

/// Sends one question.
pub(crate) fn ask(endpoint: &Endpoint, request: &Request) -> Result<Response, EndpointError> {
    match endpoint.send(request) {
        Err(EndpointError::Unreachable(_)) => endpoint.send(request),
        answer => answer,
    }
}

/// The seconds that a server asks to be left alone for, if it does.
pub(crate) fn retry_after(response: &Response) -> Option<String> {
    matches!(response.status, 429 | 503).then(|| response.header("Retry-After").unwrap_or_default().trim().to_owned())
}
