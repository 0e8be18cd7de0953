//! The template id of each line, 16 hex digits per line: `template_ids [FILE]`. With `--templates` the templates instead,
//! each with its count.

use std::io::{self, Read, Write};

use velos_log_engine::template::Miner;

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut shows_templates = false;
    let mut path = None;
    for argument in std::env::args_os().skip(1) {
        if argument == "--templates" {
            shows_templates = true;
        } else {
            path = Some(argument);
        }
    }
    match path {
        Some(path) => std::fs::File::open(path)?.read_to_end(&mut bytes)?,
        None => io::stdin().lock().read_to_end(&mut bytes)?,
    };
    let mut miner = Miner::learn(velos_log_engine::lines(&bytes));
    let keys: Vec<usize> = velos_log_engine::lines(&bytes).map(|line| miner.add(line)).collect();
    let templates = miner.templates();
    let mut of_key = vec![0_usize; miner.keys()];
    for (number, template) in templates.iter().enumerate() {
        for key in &template.keys {
            if let Some(slot) = of_key.get_mut(*key) {
                *slot = number;
            }
        }
    }
    let numbers = keys.iter().filter_map(|key| of_key.get(*key));
    let mut out = io::BufWriter::new(io::stdout().lock());
    if shows_templates {
        let mut counts = vec![0_u64; templates.len()];
        for number in numbers {
            if let Some(count) = counts.get_mut(*number) {
                *count += 1;
            }
        }
        let mut rows: Vec<_> = templates.iter().zip(counts).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (template, count) in rows {
            writeln!(out, "{count}\t{}", template.text)?;
        }
    } else {
        for template in numbers.filter_map(|number| templates.get(*number)) {
            writeln!(out, "{:016x}", template.id)?;
        }
    }
    out.flush()
}
