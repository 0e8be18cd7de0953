//! Streamable HTTP. Whoever has the token may do what the user may do, so: this machine only unless told, Host and Origin
//! must be ours (a page in a browser is neither), no CORS, and bounds on bodies, requests, sessions and threads.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use velos_client::Home;
use velos_core::error::{ErrorCode, ErrorReply};

use crate::declare::Host;
use crate::server::{Server, failed, runtime};
use crate::token::Token;
use crate::toolbox::{Options, Toolbox};

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Sessions of clients of the older protocol; each keeps about 50 KB until it has been idle for five minutes.
const SESSIONS_MAX: usize = 64;
/// Requests that may come at once, and per second from then on.
const BURST: f64 = 200.0;
const PER_SECOND: f64 = 50.0;
/// The first protocol without sessions.
const STATELESS_SINCE: &str = "2026-07-28";

/// Where and for whom.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// More names by which clients may call this server (the Host header).
    pub hosts: Vec<String>,
}

/// What a person is told once the server listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Of the endpoint.
    pub url: String,
    /// Where the token is.
    pub token_file: PathBuf,
    /// Others can reach it.
    pub is_public: bool,
}

/// Serve until the process is ended. `ready` is called once clients can connect.
///
/// # Errors
/// When the address is taken, or the token cannot be kept safely.
pub fn serve_http(
    home: Home,
    options: Options,
    host: Arc<dyn Host>,
    http: &Http,
    ready: impl FnOnce(&Listening),
) -> Result<(), ErrorReply> {
    let token_file = home.path().join("mcp-token");
    make_home(&home)?;
    let token = Token::at(&token_file)?;
    let toolbox = Arc::new(Toolbox::new(home, options, host));
    runtime()?.block_on(async move {
        let listener = tokio::net::TcpListener::bind(http.address).await.map_err(|error| {
            failed(format!("cannot listen on {}: {error}", http.address))
                .hint("choose another port, or 0 for a free one")
        })?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let shared = Server::new(toolbox, "http");
        let server = move || shared.another();
        ready(&Listening {
            url: format!("http://{address}/mcp"),
            token_file,
            is_public: !address.ip().is_loopback(),
        });
        run(listener, server, &http.hosts, Some(token)).await
    })
}

/// Serve on a socket that listens already.
pub(crate) async fn run<S: ServerHandler + Send + 'static>(
    listener: tokio::net::TcpListener,
    server: impl Fn() -> S + Send + Sync + 'static,
    hosts: &[String],
    token: Option<Token>,
) -> Result<(), ErrorReply> {
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let app = router(server, address, hosts, token);
    // Small answers must not wait for company.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await.map_err(|error| failed(format!("the server broke: {error}")))
}

fn make_home(home: &Home) -> Result<(), ErrorReply> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home.path());
    made.map_err(|error| failed(format!("cannot make {}: {error}", home.path().display())))
}

/// The one endpoint behind its gate.
fn router<S: ServerHandler + Send + 'static>(
    server: impl Fn() -> S + Send + Sync + 'static,
    address: SocketAddr,
    hosts: &[String],
    token: Option<Token>,
) -> Router {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(std::time::Duration::from_secs(300));
    let sessions = Arc::new(sessions);
    let names = names(address, hosts);
    let origins: Vec<String> = names.iter().map(|name| format!("http://{name}:{}", address.port())).collect();
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(names)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_max_request_body_bytes(BODY_BYTES_MAX);
    let service = StreamableHttpService::new(move || Ok(server()), Arc::clone(&sessions), config);
    let gate = Arc::new(Gate { token, sessions, tokens: Mutex::new((BURST, Instant::now())) });
    Router::new().route_service("/mcp", service).layer(middleware::from_fn_with_state(gate, pass))
}

/// Names by which this server may be called.
fn names(address: SocketAddr, more: &[String]) -> Vec<String> {
    let mut names: Vec<String> = more.to_vec();
    let ip = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]);
    }
    if !address.ip().is_unspecified() {
        names.push(ip(address.ip()));
    }
    names.sort();
    names.dedup();
    names
}

#[derive(Debug)]
struct Gate {
    token: Option<Token>,
    sessions: Arc<LocalSessionManager>,
    /// Requests that may still come now, and when that was counted.
    tokens: Mutex<(f64, Instant)>,
}

impl Gate {
    fn has_room(&self) -> bool {
        // A panic elsewhere changes nothing about the numbers.
        let mut tokens = self.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let (left, counted) = *tokens;
        let left = (left + now.duration_since(counted).as_secs_f64() * PER_SECOND).min(BURST);
        let is_free = left >= 1.0;
        *tokens = (if is_free { left - 1.0 } else { left }, now);
        is_free
    }

    fn is_let_in(&self, request: &Request) -> bool {
        let Some(token) = &self.token else { return true };
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given
            .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")))
            .is_some_and(|given| token.is(given.trim()))
    }

    async fn is_full(&self) -> bool {
        self.sessions.sessions.read().await.len() >= SESSIONS_MAX
    }
}

/// A client of the older protocol without a session begins one.
fn begins_session(request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_stateless = text("mcp-protocol-version").is_some_and(|version| version >= STATELESS_SINCE);
    request.method() == axum::http::Method::POST && text("mcp-session-id").is_none() && !is_stateless
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let refuse = |status: StatusCode, words: &'static str| (status, words).into_response();
    if !gate.has_room() {
        return refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests; try again in a second\n");
    }
    if !gate.is_let_in(&request) {
        let mut response =
            refuse(StatusCode::UNAUTHORIZED, "send Authorization: Bearer and the token of mcp-token\n");
        let challenge = header::HeaderValue::from_static("Bearer realm=\"velos\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    if begins_session(&request) && gate.is_full().await {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many sessions; end one, or try again in five minutes\n",
        );
    }
    next.run(request).await
}

/// `127.0.0.1:7070`, `[::1]:7070`, or only a port.
///
/// # Errors
/// When it is none of these.
pub fn parse_address(text: &str) -> Result<SocketAddr, ErrorReply> {
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    let address = port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).ok();
    let named = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let named = named.map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    address.or(named).or_else(|| text.parse().ok()).ok_or_else(|| {
        ErrorReply::new(ErrorCode::Usage, format!("--http {text:?} is no address"))
            .hint("write 127.0.0.1:7070, or only the port")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("7070", "127.0.0.1:7070"),
            (":7070", "127.0.0.1:7070"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(parse_address(text).unwrap().to_string(), expected);
        }
        for bad in ["", "x", "127.0.0.1", "127.0.0.1:99999", "example.com:80"] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
        let public: SocketAddr = "10.0.0.1:80".parse().unwrap();
        assert_eq!(names(public, &["box.lan".to_owned()]), ["10.0.0.1", "box.lan"]);
    }

    #[test]
    fn a_flood_is_held_back() {
        let gate = Gate { token: None, sessions: Arc::default(), tokens: Mutex::new((3.0, Instant::now())) };
        let passed = (0..20).filter(|_| gate.has_room()).count();
        assert!((3..=5).contains(&passed), "{passed}");
    }
}
