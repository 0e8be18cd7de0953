//! Addresses that `wait_for` may ask: of this machine only, since a server must not be made to ask others.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use velos_core::error::{ErrorCode, ErrorReply};

/// How long one connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    host: String,
    port: u16,
    path: String,
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl Url {
    /// `http://127.0.0.1:3000/health`
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorReply> {
        let wrong = |why: &str| {
            ErrorReply::new(ErrorCode::Usage, format!("url: {text:?} {why}"))
                .hint("write http://127.0.0.1:3000/health, or use until=port")
        };
        let rest = text.strip_prefix("http://").ok_or_else(|| wrong("does not begin with http://"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("has no such port"))?)
            }
            _ => (authority, 80),
        };
        if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            return Err(wrong("is not of this machine"));
        }
        if path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("has blanks in its path"));
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The status, when it is a good one.
    pub(crate) fn get(&self) -> Option<u16> {
        let host = self.host.trim_matches(['[', ']']);
        let address = (host, self.port).to_socket_addrs().ok()?;
        let mut stream =
            address.into_iter().find_map(|at| TcpStream::connect_timeout(&at, CONNECT_PATIENCE).ok())?;
        stream.set_read_timeout(Some(CONNECT_PATIENCE * 4)).ok()?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n",
            self.path, self.host, self.port
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = [0u8; 64];
        let mut length = 0;
        while length < 12 {
            match stream.read(answer.get_mut(length..)?) {
                Ok(0) | Err(_) => return None,
                Ok(more) => length += more,
            }
        }
        let line = String::from_utf8_lossy(answer.get(..length)?).into_owned();
        let status: u16 = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()?;
        (200..400).contains(&status).then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_only() {
        assert_eq!(
            Url::parse("http://localhost:3000/health?x=1").unwrap().to_string(),
            "http://localhost:3000/health?x=1"
        );
        assert_eq!(Url::parse("http://127.0.0.1").unwrap().to_string(), "http://127.0.0.1:80/");
        assert_eq!(Url::parse("http://[::1]:8080/").unwrap().port, 8080);
        for bad in [
            "https://localhost/",
            "http://example.com/",
            "http://169.254.169.254/",
            "http://localhost:99999/",
            "http://localhost@example.com/",
            "http://localhost/a b",
            "localhost:3000",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_good_status_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            for status in ["500 No", "204 Good"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0u8; 512];
                let _ = stream.read(&mut request).unwrap();
                write!(stream, "HTTP/1.1 {status}\r\n\r\n").unwrap();
            }
        });
        let url = Url::parse(&format!("http://127.0.0.1:{port}/x")).unwrap();
        assert_eq!(url.get(), None);
        assert_eq!(url.get(), Some(204));
        server.join().unwrap();
    }
}
