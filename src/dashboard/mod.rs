//! A running station over HTTP: its status, and requests for a verdict. `GET /status` answers with one JSON object,
//! `POST /trigger` asks for one moment to be judged.
//!
//! There is no token: an address that other machines reach is refused.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tiny_http::{Header, Method, Response, Server};

use crate::error::{Error, ErrorKind, Result};

/// How long a thread sleeps before it looks whether to end.
const LOOK: Duration = Duration::from_millis(200);
/// How long asking another process may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A socket that listens.
pub struct Dashboard {
    server: Server,
}

impl Dashboard {
    /// Listens on `address`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the address is not of this machine alone, [`ErrorKind::Unavailable`] when it is taken.
    pub fn open(address: SocketAddr) -> Result<Self> {
        if !address.ip().is_loopback() {
            let what = format!(
                "reports.address wants an address of this machine alone, such as 127.0.0.1:7460, found {address}"
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let failed = |error| Error::caused(ErrorKind::Unavailable, format!("cannot listen on {address}"), error);
        Ok(Self { server: Server::http(address).map_err(failed)? })
    }

    /// Where it listens: the port that was found free, where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.server_addr().to_ip()
    }

    /// Answers until `stopped`. `status` makes the JSON object; `trigger` asks for a verdict and tells whether it could.
    pub fn serve(&self, stopped: &dyn Fn() -> bool, status: &dyn Fn() -> String, trigger: &dyn Fn() -> bool) {
        while !stopped() {
            let Ok(Some(request)) = self.server.recv_timeout(LOOK) else { continue };
            let (code, body) = match (request.method(), request.url()) {
                (Method::Get, "/status") => (200, status()),
                (Method::Post, "/trigger") if trigger() => (202, r#"{"asked":true}"#.into()),
                (Method::Post, "/trigger") => {
                    (409, r#"{"error":"the station takes no requests: trigger.on is not \"request\""}"#.into())
                }
                (_, "/status" | "/trigger") => (405, r#"{"error":"GET /status or POST /trigger"}"#.into()),
                _ => (404, r#"{"error":"there are GET /status and POST /trigger"}"#.into()),
            };
            let mut response = Response::from_string(body + "\n").with_status_code(code);
            if let Ok(json) = Header::from_bytes("Content-Type", "application/json") {
                response.add_header(json);
            }
            // Who asked may have gone away.
            let _gone = request.respond(response);
        }
    }
}

/// Asks a running station: the body of its answer.
///
/// # Errors
/// [`ErrorKind::Unavailable`] when none answers there, [`ErrorKind::Input`] with what it says when it refuses.
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
