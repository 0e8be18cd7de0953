//! The same for TOML.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use super::Entry;

pub(super) fn with_entry(text: &str, name: &str, entry: &Entry) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let servers = document.entry("mcp_servers").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let servers = servers.as_table_like_mut().ok_or("mcp_servers is no table")?;
    let mut table = Table::new();
    table.insert("command", value(entry.command.as_str()));
    table.insert("args", value(entry.args.iter().collect::<Array>()));
    if !entry.env.is_empty() {
        let env: InlineTable = entry.env.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        table.insert("env", value(env));
    }
    if let Some(own) = servers.get(name)
        && own.to_string().trim() == Item::Table(table.clone()).to_string().trim()
    {
        return Ok(text.to_owned());
    }
    servers.insert(name, Item::Table(table));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_other_servers_stay() {
        let entry = Entry {
            command: "velos".into(),
            args: vec!["mcp-server".into(), "--read-only".into()],
            env: vec![("VELOS_HOME".into(), "/x".into())],
        };
        let text = "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = \"o\" # yes\n";
        let after = with_entry(text, "velos", &entry).unwrap();
        assert!(after.starts_with(text), "{after}");
        assert!(after.contains(
            "[mcp_servers.velos]\ncommand = \"velos\"\nargs = [\"mcp-server\", \"--read-only\"]\n"
        ));
        assert!(after.contains("env = { VELOS_HOME = \"/x\" }"), "{after}");
        assert_eq!(with_entry(&after, "velos", &entry).unwrap(), after);
        assert!(
            with_entry("mcp_servers = 5", "velos", &entry).is_err()
                && with_entry("a =", "velos", &entry).is_err()
        );
    }
}
