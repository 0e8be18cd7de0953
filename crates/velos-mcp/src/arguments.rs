//! The arguments of a call: what is wrong is said with the name of the field and an example.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::spec::Spec;

/// Typed arguments. What is null counts as not given.
pub(crate) fn parse<T: DeserializeOwned>(spec: &Spec, given: Map<String, Value>) -> Result<T, ErrorReply> {
    let given: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
    serde_path_to_error::deserialize(Value::Object(given)).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!("{path}: ") };
        let mut text = error.into_inner().to_string();
        // The one that serde knows least about: what there would be instead.
        if let Some(rest) = text.strip_prefix("unknown field ") {
            text = format!("there is no field {rest}");
        }
        ErrorReply::new(ErrorCode::Usage, format!("{field}{text}"))
            .hint(format!("example: {} {}", spec.name, spec.example))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;
    use crate::tools::log_read::Arguments;

    fn refusal(json: &str) -> String {
        let given = serde_json::from_str(json).unwrap();
        let error = parse::<Arguments>(spec::find("log_read").unwrap(), given).unwrap_err();
        format!("{}; {}", error.message, error.hint.unwrap())
    }

    #[test]
    fn the_field_and_an_example_are_named() {
        let text = refusal(r#"{"lines": "many"}"#);
        assert!(text.starts_with("lines: invalid type: string \"many\", expected usize"), "{text}");
        assert!(text.ends_with("example: log_read {\"name\":\"api\",\"lines\":20}"), "{text}");
        assert!(
            refusal(r#"{"line": 5}"#).contains("there is no field `line`, expected one of `name`, `lines`")
        );
        let text = refusal(r#"{"stream": "both"}"#);
        assert!(
            text.contains("stream: unknown variant `both`, expected one of `all`, `out`, `err`"),
            "{text}"
        );
    }

    #[test]
    fn null_is_nothing() {
        let given = serde_json::from_str(r#"{"name": null, "lines": null}"#).unwrap();
        assert!(parse::<Arguments>(spec::find("log_read").unwrap(), given).is_ok());
    }
}
