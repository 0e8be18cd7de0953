//! `velos ai-keys`: the legend of `--ai`.

use crate::ai::{KEYS, OF_LOGS};

pub(crate) fn run(context: &super::Context) -> super::Result {
    if context.machine {
        let keys: serde_json::Map<String, serde_json::Value> = KEYS
            .iter()
            .chain(&OF_LOGS)
            .map(|(short, long, _)| ((*short).to_owned(), (*long).into()))
            .collect();
        crate::output::print(&format!("{}\n", serde_json::Value::Object(keys)))?;
        return Ok(0);
    }
    let text: String = KEYS
        .iter()
        .chain(&OF_LOGS)
        .map(|(short, long, what)| format!("{short:<5}{long:<18}{what}\n"))
        .collect();
    context.say(&text)?;
    Ok(0)
}
