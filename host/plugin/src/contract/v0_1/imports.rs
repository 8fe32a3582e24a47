//! The imports of contract 0.1: each becomes a [`HostCall`].

use wasmtime::Result;
use wasmtime::component::Resource;

use super::answers;
use super::bindings::kedge::provider::{container_engine, endpoints, log, report, secrets, types};
use crate::container_engine::EngineError;
use crate::endpoint::{EndpointError, Part, Request, Response};
use crate::host_calls::{HostAnswer, HostCall};
use crate::log_line::LogLevel;
use crate::secrets::Encoding;
use crate::session::State;

/// What a component's endpoint handle stands for.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Handle(u32);

async fn call(state: &mut State, call: HostCall) -> Result<HostAnswer> {
    Ok(state.calls.call(call).await?)
}

/// Takes the answer of one kind out; another one would be a mistake in this crate.
macro_rules! expect {
    ($answer:expr, $kind:path) => {
        match $answer {
            $kind(value) => value,
            other => return Err(wasmtime::Error::msg(format!("the host answered {other:?}"))),
        }
    };
}

impl types::Host for State {}

impl log::Host for State {
    async fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        let (level, message) = match level {
            log::Level::Debug => (LogLevel::Debug, message),
            log::Level::Info => (LogLevel::Info, message),
            log::Level::Warn => (LogLevel::Warn, message),
            log::Level::Other(name) => (LogLevel::Info, format!("{name}: {message}")),
        };
        call(self, HostCall::Log { level, message }).await?;
        Ok(())
    }
}

impl report::Host for State {
    async fn outcome(&mut self, outcome: report::CheckOutcome) -> Result<()> {
        call(self, HostCall::Report { outcome: answers::check_outcome(outcome) }).await?;
        Ok(())
    }
}

fn request(request: endpoints::Request) -> Result<Request, String> {
    let headers =
        request.headers.into_iter().map(|h| Ok((h.name, parts(h.value)?))).collect::<Result<Vec<_>, String>>()?;
    Ok(Request { method: request.method, path: request.path, headers, body: parts(request.body)? })
}

fn parts(parts: Vec<endpoints::Part>) -> Result<Vec<Part>, String> {
    parts
        .into_iter()
        .map(|part| {
            Ok(match part {
                endpoints::Part::Text(text) => Part::Text(text),
                endpoints::Part::Bytes(bytes) => Part::Bytes(bytes),
                endpoints::Part::Secret(secret) => Part::Secret {
                    name: secret.name,
                    encoding: match secret.encoding {
                        endpoints::Encoding::Plain => Encoding::Plain,
                        endpoints::Encoding::Xml => Encoding::Xml,
                        endpoints::Encoding::Json => Encoding::Json,
                        endpoints::Encoding::Base64 => Encoding::Base64,
                        endpoints::Encoding::Other(name) => {
                            return Err(format!("the encoding `{}` is not known", name.escape_debug()));
                        }
                    },
                },
                endpoints::Part::BasicAuth((user, password)) => Part::BasicAuth { user, password },
                endpoints::Part::Other(name) => {
                    return Err(format!("a body part `{}` is not known", name.escape_debug()));
                }
            })
        })
        .collect()
}

fn response(response: Response) -> endpoints::Response {
    endpoints::Response { status: response.status, headers: response.headers, body: response.body }
}

fn endpoint_error(error: EndpointError) -> endpoints::EndpointError {
    match error {
        EndpointError::NotGranted(why) => endpoints::EndpointError::NotGranted(why),
        EndpointError::Unreachable(why) => endpoints::EndpointError::Unreachable(why),
        EndpointError::Untrusted(why) => endpoints::EndpointError::Untrusted(why),
        EndpointError::TimedOut(why) => endpoints::EndpointError::TimedOut(why),
        EndpointError::Exhausted(why) => endpoints::EndpointError::Exhausted(why),
        EndpointError::Refused(why) => endpoints::EndpointError::Refused(why),
        EndpointError::Other(why) => endpoints::EndpointError::Other(why),
    }
}

impl endpoints::Host for State {
    async fn open(&mut self, name: String) -> Result<Result<Resource<Handle>, endpoints::EndpointError>> {
        match expect!(call(self, HostCall::Open { name }).await?, HostAnswer::Open) {
            Ok(id) => Ok(Ok(self.table.push(Handle(id))?)),
            Err(error) => Ok(Err(endpoint_error(error))),
        }
    }

    async fn now(&mut self) -> Result<u64> {
        Ok(expect!(call(self, HostCall::Now).await?, HostAnswer::Now))
    }

    async fn pause(&mut self, milliseconds: u32) -> Result<()> {
        call(self, HostCall::Pause { milliseconds }).await?;
        Ok(())
    }
}

impl endpoints::HostEndpoint for State {
    async fn server(&mut self, this: Resource<Handle>) -> Result<String> {
        let endpoint = self.table.get(&this)?.0;
        Ok(expect!(call(self, HostCall::Server { endpoint }).await?, HostAnswer::Server))
    }

    async fn send(
        &mut self,
        this: Resource<Handle>,
        one: endpoints::Request,
    ) -> Result<Result<endpoints::Response, endpoints::EndpointError>> {
        let answers = self.send_all(this, vec![one]).await?;
        answers.into_iter().next().ok_or_else(|| wasmtime::Error::msg("the host gave no answer to a request"))
    }

    async fn send_all(
        &mut self,
        this: Resource<Handle>,
        requests: Vec<endpoints::Request>,
    ) -> Result<Vec<Result<endpoints::Response, endpoints::EndpointError>>> {
        let endpoint = self.table.get(&this)?.0;
        let requests = requests.into_iter().map(request).collect();
        let answers = expect!(call(self, HostCall::Send { endpoint, requests }).await?, HostAnswer::Send);
        Ok(answers.into_iter().map(|a| a.map(response).map_err(endpoint_error)).collect())
    }

    async fn certificate(
        &mut self,
        this: Resource<Handle>,
    ) -> Result<Result<endpoints::Certificate, endpoints::EndpointError>> {
        let endpoint = self.table.get(&this)?.0;
        let answer = expect!(call(self, HostCall::Certificate { endpoint }).await?, HostAnswer::Certificate);
        Ok(answer
            .map(|c| endpoints::Certificate {
                sha1_thumbprint: c.sha1_thumbprint,
                sha256_thumbprint: c.sha256_thumbprint,
                subject: c.subject,
                issuer: c.issuer,
                not_after: c.not_after,
                trusted: c.trusted,
            })
            .map_err(endpoint_error))
    }

    async fn drop(&mut self, this: Resource<Handle>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl secrets::Host for State {
    async fn available(&mut self, name: String) -> Result<bool> {
        Ok(expect!(call(self, HostCall::SecretAvailable { name }).await?, HostAnswer::Known))
    }

    async fn same(&mut self, a: String, b: String) -> Result<bool> {
        Ok(expect!(call(self, HostCall::SecretSame { a, b }).await?, HostAnswer::Known))
    }
}

fn engine_error(error: EngineError) -> container_engine::EngineError {
    match error {
        EngineError::Unreachable(why) => container_engine::EngineError::Unreachable(why),
        EngineError::Other(why) => container_engine::EngineError::Other(why),
    }
}

impl container_engine::Host for State {
    async fn ping(&mut self) -> Result<Result<(), container_engine::EngineError>> {
        Ok(expect!(call(self, HostCall::EnginePing).await?, HostAnswer::EnginePing).map_err(engine_error))
    }

    async fn version(&mut self) -> Result<Result<container_engine::EngineVersion, container_engine::EngineError>> {
        let answer = expect!(call(self, HostCall::EngineVersion).await?, HostAnswer::EngineVersion);
        Ok(answer
            .map(|v| container_engine::EngineVersion {
                version: v.version,
                api_version: v.api_version,
                os: v.os,
                arch: v.arch,
            })
            .map_err(engine_error))
    }

    async fn info(&mut self) -> Result<Result<container_engine::EngineInfo, container_engine::EngineError>> {
        let answer = expect!(call(self, HostCall::EngineInfo).await?, HostAnswer::EngineInfo);
        Ok(answer
            .map(|i| container_engine::EngineInfo {
                cpus: i.cpus,
                memory: i.memory,
                cgroup_version: i.cgroup_version,
                rootless: i.rootless,
                extensions: i.extensions,
            })
            .map_err(engine_error))
    }

    async fn networks(&mut self) -> Result<Result<Vec<container_engine::Network>, container_engine::EngineError>> {
        let answer = expect!(call(self, HostCall::EngineNetworks).await?, HostAnswer::EngineNetworks);
        Ok(answer
            .map(|all| {
                all.into_iter()
                    .map(|n| container_engine::Network { name: n.name, driver: n.driver, subnets: n.subnets })
                    .collect()
            })
            .map_err(engine_error))
    }
}
