//! From a file to nodes. Everything is bounded: bytes, depth, number of values, time of an evaluation.

mod evaluate;
mod json;
mod toml;
mod yaml;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::node::{self, Node, Offset};
use crate::problem::{ConfigError, Problem};

/// A larger file is refused before it is read, bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Deeper nesting is refused.
const DEPTH_MAX: usize = 32;
/// More values are refused (aliases of YAML count each time).
const NODES_MAX: usize = 1_000_000;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Toml,
    /// JSON5, of which JSON is a part.
    Json,
    Yaml,
    /// Evaluated by `node`.
    JavaScript,
}

impl Format {
    /// By extension.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "toml" => Some(Self::Toml),
            "json" | "json5" => Some(Self::Json),
            "yml" | "yaml" => Some(Self::Yaml),
            "js" | "cjs" | "mjs" => Some(Self::JavaScript),
            _ => None,
        }
    }
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) root: Node,
    /// For places; empty when the file was evaluated.
    text: String,
}

impl Document {
    /// Something wrong at a place of this file.
    pub(crate) fn problem(&self, at: Offset, message: impl Into<String>) -> Problem {
        let place = (!self.text.is_empty()).then(|| node::place(&self.text, at));
        Problem { file: self.path.clone(), place, message: message.into(), hint: None }
    }
}

/// Why a text is none of its format, and where.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) at: Offset,
    pub(crate) message: String,
}

/// Read, by extension.
pub(crate) fn document(path: &Path, json_is_script: bool) -> Result<Document, ConfigError> {
    let Some(format) = Format::of(path) else {
        return Err(Problem::of_file(path, "it has no extension of a configuration file")
            .hint("use .toml, .json, .json5, .yaml, .yml, .config.js, .cjs or .mjs")
            .into());
    };
    let text = bounded(path)?;
    let evaluated = match format {
        Format::JavaScript => Some(evaluate::run(path, evaluate::Source::Module)?),
        // Most of it is JSON after all.
        Format::Json if json_is_script && json::parse(&text).is_err() => {
            Some(evaluate::run(path, evaluate::Source::Expression)?)
        }
        Format::Toml | Format::Json | Format::Yaml => None,
    };
    if let Some(json) = evaluated {
        let root = json::parse(&json).map_err(|error| Problem::of_file(path, error.message))?;
        return Ok(Document { path: path.to_path_buf(), root, text: String::new() });
    }
    parse(path, format, text)
}

/// Parse a text that needs no evaluation.
pub(crate) fn parse(path: &Path, format: Format, text: String) -> Result<Document, ConfigError> {
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let root = match format {
        Format::Toml => toml::parse(&text),
        Format::Yaml => yaml::parse(&text),
        Format::Json | Format::JavaScript => json::parse(&text),
    };
    match root {
        Ok(root) => Ok(Document { path: path.to_path_buf(), root, text }),
        Err(Malformed { at, message }) => {
            let place = Some(node::place(&text, at));
            Err(Problem { file: path.to_path_buf(), place, message, hint: None }.into())
        }
    }
}

/// A file as text; a device, a folder and what is too large are refused.
pub(crate) fn bounded(path: &Path) -> Result<String, ConfigError> {
    let wrong = |message: String| ConfigError::from(Problem::of_file(path, message));
    let meta = std::fs::metadata(path).map_err(|error| wrong(format!("cannot read it: {error}")))?;
    if !meta.is_file() {
        return Err(wrong("it is no regular file".to_owned()));
    }
    let too_large = |bytes: u64| wrong(format!("it has {bytes} bytes; at most {FILE_BYTES_MAX} are read"));
    if meta.len() > FILE_BYTES_MAX {
        return Err(too_large(meta.len()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| wrong(format!("cannot read it: {error}")))?;
    // It may grow under our hands.
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(format!("cannot read it: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(bytes.len() as u64));
    }
    String::from_utf8(bytes)
        .map_err(|error| wrong(format!("it is not UTF-8 from byte {} on", error.utf8_error().valid_up_to())))
}
