//! HTTP access to a running station: `GET /status` returns its status as one JSON object, `POST /trigger` requests a verdict.
//!
//! There is no authentication, so only addresses of this machine are accepted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tiny_http::{Header, Method, Response, Server};

use crate::error::{Error, ErrorKind, Result};

/// Interval at which the thread checks whether to end.
const LOOK: Duration = Duration::from_millis(200);
/// Time limit of a request to another process.
const PATIENCE: Duration = Duration::from_secs(3);

/// A listening socket.
pub struct Dashboard {
    server: Server,
}

impl Dashboard {
    /// Listens on `address`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if other machines can reach the address, [`ErrorKind::Unavailable`] if it is in use.
    pub fn open(address: SocketAddr) -> Result<Self> {
        if !address.ip().is_loopback() {
            let what = format!(
                "reports.address wants an address of this machine only, such as 127.0.0.1:7460, found {address}"
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let failed = |error| Error::caused(ErrorKind::Unavailable, format!("cannot listen on {address}"), error);
        Ok(Self { server: Server::http(address).map_err(failed)? })
    }

    /// Its address, with the actual port if 0 was requested.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.server_addr().to_ip()
    }

    /// Answers requests until `stopped`. `status` returns the JSON object; `trigger` requests a verdict and returns whether the
    /// station accepts it.
    pub fn serve(&self, stopped: &dyn Fn() -> bool, status: &dyn Fn() -> String, trigger: &dyn Fn() -> bool) {
        while !stopped() {
            let Ok(Some(request)) = self.server.recv_timeout(LOOK) else { continue };
            let (code, body) = match (request.method(), request.url()) {
                (Method::Get, "/status") => (200, status()),
                (Method::Post, "/trigger") if trigger() => (202, r#"{"asked":true}"#.into()),
                (Method::Post, "/trigger") => {
                    (409, r#"{"error":"this station accepts no requests: trigger.on is not \"request\""}"#.into())
                }
                (_, "/status" | "/trigger") => {
                    (405, r#"{"error":"wrong method: use GET /status or POST /trigger"}"#.into())
                }
                _ => (404, r#"{"error":"not found: use GET /status or POST /trigger"}"#.into()),
            };
            let mut response = Response::from_string(body + "\n").with_status_code(code);
            if let Ok(json) = Header::from_bytes("Content-Type", "application/json") {
                response.add_header(json);
            }
            // The client may have disconnected.
            let _gone = request.respond(response);
        }
    }
}

/// Sends a request to a running station and returns the body of the answer.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if no station answers, [`ErrorKind::Input`] with its answer if it refuses.
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Result<String> {
    let silent = |error| Error::caused(ErrorKind::Unavailable, format!("no station answers on {address}"), error);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(silent)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n").map_err(silent)?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer).map_err(silent)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).unwrap_or_default();
    let body = body.trim().to_string();
    if code.starts_with('2') {
        Ok(body)
    } else {
        Err(Error::new(ErrorKind::Input, format!("the station on {address} answers {code}: {body}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn it_answers_what_it_knows_and_refuses_the_rest() {
        let dashboard = Dashboard::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = dashboard.address().unwrap();
        let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let status = || r#"{"station":"lid"}"#.to_string();
                let trigger = || asked.fetch_add(1, Ordering::Relaxed) == 0;
                dashboard.serve(&|| stop.load(Ordering::Relaxed), &status, &trigger);
            });
            assert_eq!(ask(address, "GET", "/status").unwrap(), r#"{"station":"lid"}"#);
            assert_eq!(ask(address, "POST", "/trigger").unwrap(), r#"{"asked":true}"#);
            for (method, path, code) in
                [("POST", "/trigger", "409"), ("POST", "/status", "405"), ("GET", "/else", "404")]
            {
                let error = ask(address, method, path).unwrap_err();
                assert!(error.message().contains(code), "{method} {path}: {}", error.message());
            }
            stop.store(true, Ordering::Relaxed);
        });
        drop(dashboard);
        assert_eq!(ask(address, "GET", "/status").unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(Dashboard::open("0.0.0.0:0".parse().unwrap()).err().unwrap().kind(), ErrorKind::Config);
    }
}
