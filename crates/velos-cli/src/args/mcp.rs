//! Words of `velos mcp-server`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct McpServer {
    /// Refuse every tool that changes something
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Which tools there are: the eight that most tasks need, or all sixteen
    #[arg(long, value_name = "SET", value_enum, default_value_t = McpTools::All)]
    pub(crate) tools: McpTools,
    /// Show and touch only apps whose names fit (may be given several times)
    #[arg(long, value_name = "GLOB")]
    pub(crate) allow: Vec<String>,
    /// Declare output schemas and return structured content, for programs
    #[arg(long)]
    pub(crate) structured: bool,
    /// Serve over HTTP on this address or port instead of stdin and stdout
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<String>,
    /// Name by which clients may call the HTTP server, besides its address (may be given several times)
    #[arg(long, value_name = "NAME", requires = "http")]
    pub(crate) http_host: Vec<String>,
    /// Instead of serving, add this server, with the flags given here, to the configuration of a client
    #[arg(long, value_name = "CLIENT", value_enum, conflicts_with = "http")]
    pub(crate) install: Option<McpClient>,
    /// With --install: in the user's configuration, not in that of the project in this folder
    #[arg(long, requires = "install")]
    pub(crate) user: bool,
    /// With --install: only show the file as it would be
    #[arg(long, requires = "install")]
    pub(crate) print: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum McpClient {
    Claude,
    Cursor,
    Codex,
    Gemini,
    Vscode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum McpTools {
    Core,
    All,
}
