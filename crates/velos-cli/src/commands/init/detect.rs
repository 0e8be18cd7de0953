//! What kind of project a folder holds, and how such a project is started.

use std::path::Path;

use serde_json::Value;
use velos_config::Entry;

/// More of a project file is not read, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// At least one app; a Procfile says it all, else everything that is found.
pub(super) fn apps(folder: &Path) -> Vec<Entry> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if velos_core::name::AppName::new(name.as_str()).is_ok() { name } else { "app".to_owned() };
    if let Some(processes) = procfile(folder) {
        return processes;
    }
    let finders: [fn(&Path, &str) -> Option<Entry>; 8] = [node, django, python, rust, go, ruby, php, deno];
    let mut found: Vec<Entry> = finders.into_iter().filter_map(|find| find(folder, &name)).collect();
    let mut names: Vec<String> = Vec::new();
    for entry in &mut found {
        while names.contains(&entry.name) {
            entry.name.push_str("-2");
        }
        names.push(entry.name.clone());
    }
    if found.is_empty() {
        let mut entry = Entry::new(name);
        entry.comments.push("Nothing known was found here: put your script or command in.".to_owned());
        entry.text("command", "echo replace this with what starts the app; exec sleep 3600");
        found.push(entry);
    }
    found
}

fn read(folder: &Path, file: &str) -> Option<String> {
    let path = folder.join(file);
    let meta = std::fs::metadata(&path).ok()?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

fn app(name: &str, comment: &str) -> Entry {
    Entry { comments: vec![comment.to_owned()], ..Entry::new(name) }
}

/// `web: command` lines.
fn procfile(folder: &Path) -> Option<Vec<Entry>> {
    let text = read(folder, "Procfile")?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let entries: Vec<Entry> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, command)| (name.trim(), command.trim()))
        .filter(|(name, command)| velos_core::name::AppName::new(*name).is_ok() && !command.is_empty())
        .map(|(name, command)| {
            let mut entry = app(name, "From the Procfile.");
            entry.text("command", command);
            if name == "release" {
                entry.text("kind", "task");
            }
            entry
        })
        .collect();
    (!entries.is_empty()).then_some(entries)
}

fn node(folder: &Path, name: &str) -> Option<Entry> {
    let package: Value = serde_json::from_str(&read(folder, "package.json")?).ok()?;
    let named = package.get("name").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    let mut entry = app(named.unwrap_or(name), "A Node project (package.json).");
    let start = package.pointer("/scripts/start").and_then(Value::as_str).unwrap_or_default();
    // Node itself gets the signals that npm would swallow.
    let script =
        start.strip_prefix("node ").map(str::trim).filter(|script| !script.contains([' ', '&', '|', ';']));
    let main = package.get("main").and_then(Value::as_str);
    let usual = ["server.js", "index.js", "app.js", "src/index.js", "dist/index.js"];
    let exists = |file: &&str| folder.join(file).is_file();
    let found = script.or(main.filter(|_| start.is_empty()).filter(exists));
    match found.or(usual.into_iter().filter(|_| start.is_empty()).find(exists)) {
        Some(script) => entry.text("script", script),
        None if !start.is_empty() => {
            let tool = [
                ("pnpm-lock.yaml", "pnpm"),
                ("yarn.lock", "yarn"),
                ("bun.lock", "bun"),
                ("bun.lockb", "bun"),
            ];
            let tool = tool
                .into_iter()
                .find(|(lock, _)| folder.join(lock).is_file())
                .map_or("npm", |(_, tool)| tool);
            entry.text("command", &format!("exec {tool} run start"));
        }
        None => return None,
    }
    entry.text("env_production.NODE_ENV", "production");
    Some(entry)
}

fn django(folder: &Path, name: &str) -> Option<Entry> {
    read(folder, "manage.py")?;
    let mut entry = app(name, "A Django project (manage.py). In production use gunicorn or uvicorn instead.");
    entry.text("script", "manage.py");
    entry.texts("args", &["runserver".to_owned(), "--noreload".to_owned(), "127.0.0.1:8000".to_owned()]);
    Some(entry)
}

fn python(folder: &Path, name: &str) -> Option<Entry> {
    let marked = ["pyproject.toml", "requirements.txt", "setup.py", "Pipfile"];
    if folder.join("manage.py").exists() || !marked.iter().any(|file| folder.join(file).is_file()) {
        return None;
    }
    let project = read(folder, "pyproject.toml").and_then(|text| table_value(&text, "project", "name"));
    let mut entry = app(project.as_deref().unwrap_or(name), "A Python project.");
    let usual = ["main.py", "app.py", "server.py", "src/main.py", "bot.py", "run.py"];
    match usual.into_iter().find(|file| folder.join(file).is_file()) {
        Some(script) => entry.text("script", script),
        None => {
            let module = project.as_deref().unwrap_or(name).replace('-', "_");
            entry.text("script", "python3");
            entry.texts("args", &["-m".to_owned(), module]);
        }
    }
    Some(entry)
}

fn rust(folder: &Path, name: &str) -> Option<Entry> {
    let package = table_value(&read(folder, "Cargo.toml")?, "package", "name");
    let mut entry =
        app(package.as_deref().unwrap_or(name), "A Rust project: build it first (cargo build --release).");
    match package {
        Some(package) => entry.text("script", &format!("target/release/{package}")),
        None => entry.text("command", "exec cargo run --release"),
    }
    entry.text("interpreter", "none");
    if entry.lines.iter().any(|line| line.starts_with("command")) {
        entry.lines.retain(|line| !line.starts_with("interpreter"));
    }
    Some(entry)
}

fn go(folder: &Path, name: &str) -> Option<Entry> {
    let text = read(folder, "go.mod")?;
    let module = text.lines().find_map(|line| line.strip_prefix("module ")?.trim().rsplit('/').next());
    let mut entry = app(module.unwrap_or(name), "A Go project; in production start what `go build` makes.");
    entry.text("command", "exec go run .");
    Some(entry)
}

fn ruby(folder: &Path, name: &str) -> Option<Entry> {
    read(folder, "Gemfile")?;
    let mut entry = app(name, "A Ruby project (Gemfile).");
    let is_rails = folder.join("bin/rails").is_file();
    match is_rails {
        true => entry.text("command", "exec bin/rails server"),
        false if folder.join("config.ru").is_file() => entry.text("command", "exec bundle exec rackup"),
        false => return None,
    }
    Some(entry)
}

fn php(folder: &Path, name: &str) -> Option<Entry> {
    read(folder, "artisan")?;
    let mut entry = app(name, "A Laravel project (artisan): the queue worker.");
    entry.text("script", "artisan");
    entry.text("interpreter", "php");
    entry.texts("args", &["queue:work".to_owned()]);
    Some(entry)
}

fn deno(folder: &Path, name: &str) -> Option<Entry> {
    if !folder.join("deno.json").is_file() && !folder.join("deno.jsonc").is_file() {
        return None;
    }
    let mut entry = app(name, "A Deno project.");
    entry.text("command", "exec deno task start");
    Some(entry)
}

/// `key = "value"` in a table of a TOML file; good enough for names, which are written so.
fn table_value(text: &str, table: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != format!("[{table}]")).skip(1);
    let line = lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .find(|line| line.split_once('=').is_some_and(|(name, _)| name.trim() == key))?;
    let value = line.split_once('=')?.1.trim();
    let value = value.strip_prefix('"')?.split('"').next()?;
    velos_core::name::AppName::new(value).ok().map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_and_what_starts_them() {
        let projects: [&[(&str, &str)]; 11] = [
            &[
                ("package.json", r#"{"name": "@me/shop", "scripts": {"start": "node server.js"}}"#),
                ("server.js", ""),
            ],
            &[("package.json", r#"{"scripts": {"start": "next start"}}"#), ("pnpm-lock.yaml", "")],
            &[("package.json", "{}"), ("index.js", "")],
            &[("Procfile", "# x\nweb: bundle exec puma -p $PORT\nrelease: ./migrate\n"), ("Gemfile", "")],
            &[("manage.py", ""), ("requirements.txt", "")],
            &[("pyproject.toml", "[project]\nname = \"scraper\"\n"), ("main.py", "")],
            &[("requirements.txt", "")],
            &[("Cargo.toml", "[workspace]\n[package]\nedition = \"2024\"\nname = \"engine\"\n")],
            &[("go.mod", "module example.com/x/gate\n")],
            &[("Gemfile", ""), ("config.ru", "")],
            &[],
        ];
        let mut all = String::new();
        for files in projects {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().join("project");
            std::fs::create_dir(&home).unwrap();
            for (name, text) in files {
                std::fs::write(home.join(name), text).unwrap();
            }
            let text = velos_config::toml("", &apps(&home));
            let file = home.join("velos.toml");
            velos_config::load_text(&file, &text, &velos_config::Options::default())
                .unwrap_or_else(|error| panic!("{error}\n{text}"));
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            all.push_str(&format!("{names:?}{text}\n"));
        }
        insta::assert_snapshot!("init", all);
    }
}
