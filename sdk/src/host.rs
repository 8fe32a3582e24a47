//! What a plugin may ask of the host, as a trait: the real host in a component, a fake one in a test.

pub use crate::bindings::kedge::provider::container_engine::{EngineError, EngineInfo, EngineVersion, Network};
pub use crate::bindings::kedge::provider::log::Level;
pub use crate::bindings::kedge::provider::report::{CheckOutcome as Outcome, Status};
use crate::endpoint::{Certificate, Endpoint, EndpointError, Request, Response};

/// The host of a call that may look at the environment.
pub trait Host {
    /// Writes a line to the log.
    fn log(&mut self, level: Level, message: &str);

    /// Reports the result of a preflight check. [`crate::Reporter`] keeps the order of the plan.
    fn report(&mut self, outcome: Outcome);

    /// Opens a server by its name in the description.
    ///
    /// # Errors
    /// The description does not list it, or it was not granted.
    fn open(&mut self, endpoint: &str) -> Result<Endpoint, EndpointError>;

    /// Milliseconds since 1970 by the clock of the host's machine, to compare a server's with.
    fn now(&mut self) -> u64;

    /// Waits, for something that a server does by itself: milliseconds, at most a minute.
    fn pause(&mut self, milliseconds: u32);

    /// Whether the host has a value for a secret of the description.
    fn secret_available(&mut self, name: &str) -> bool;

    /// Whether two secrets have the same value.
    fn secrets_same(&mut self, a: &str, b: &str) -> bool;

    /// Asks the container engine for a sign of life.
    ///
    /// # Errors
    /// There is no engine, or it does not answer.
    fn engine_ping(&mut self) -> Result<(), EngineError>;

    /// The container engine's version.
    ///
    /// # Errors
    /// There is no engine, or it does not answer.
    fn engine_version(&mut self) -> Result<EngineVersion, EngineError>;

    /// What the container engine's machine is like.
    ///
    /// # Errors
    /// There is no engine, or it does not answer.
    fn engine_info(&mut self) -> Result<EngineInfo, EngineError>;

    /// The container engine's networks.
    ///
    /// # Errors
    /// There is no engine, or it does not answer.
    fn engine_networks(&mut self) -> Result<Vec<Network>, EngineError>;
}

/// One open server: what [`Endpoint`] sends through.
pub trait Connection {
    /// The server as the spec names it.
    fn server(&self) -> String;
    /// Sends one request.
    ///
    /// # Errors
    /// No answer came.
    fn send(&self, request: &Request) -> Result<Response, EndpointError>;
    /// Sends several side by side; answers in the order of the requests.
    fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, EndpointError>>;
    /// Reads the server's certificate.
    ///
    /// # Errors
    /// No connection.
    fn certificate(&self) -> Result<Certificate, EndpointError>;
}

/// In words, for a user: why the container engine did not answer.
pub fn explain_engine(error: &EngineError) -> &str {
    match error {
        EngineError::Unreachable(why) | EngineError::Other(why) => why,
    }
}
