//! What the containers of a pod wrote.

use http::{Method, Request};

use super::Api;
use super::classify;
use super::request::query;
use crate::error::{Error, words};
use crate::object::{ObjectId, kinds};

impl Api {
    /// The last `lines` lines that a container wrote; with `previous`, those of its run before the last restart.
    ///
    /// # Errors
    /// The server refused, or did not answer within the time for one request. It is asked once.
    pub async fn pod_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: u32,
        previous: bool,
    ) -> Result<String, Error> {
        let object = ObjectId::namespaced(kinds::POD, namespace, pod).to_string();
        let mut uri = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?");
        query(&mut uri, "container", Some(container));
        query(&mut uri, "tailLines", Some(&lines.to_string()));
        query(&mut uri, "previous", previous.then_some("true"));
        let request = Request::builder().method(Method::GET).uri(&uri).body(Vec::new());
        let request = request.map_err(|_| Error::Incomplete { object: object.clone(), field: "usable name" })?;
        let unreachable = |message: String| Error::Unreachable {
            server: self.server.as_ref().into(),
            verb: "read the log of",
            object: object.clone(),
            message: message.into(),
            tried: self.retry.request,
            help: String::new().into(),
            source: None,
        };
        match tokio::time::timeout(self.retry.request, self.client.request_text(request)).await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(unreachable(classify::message(&error))),
            Err(_) => Err(unreachable(format!("no answer within {}", words(self.retry.request)))),
        }
    }
}
