//! What is known to break a rule: `RULE PATH NUMBER` a line. The number may only become smaller.

use std::collections::BTreeMap;

use crate::finding::Finding;

/// The findings that are no known exceptions, and the exceptions that are none any more.
pub(crate) fn settle(known: &str, findings: Vec<Finding>) -> Result<Vec<Finding>, String> {
    let mut allowed = BTreeMap::new();
    for line in known.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (rule, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let number = words.next().and_then(|word| word.parse::<usize>().ok());
        let number = number.ok_or_else(|| format!("exceptions.txt: \"{line}\" is not RULE PATH NUMBER"))?;
        allowed.insert((rule.to_owned(), path.to_owned()), number);
    }
    let mut found: BTreeMap<(String, String), Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        found.entry((finding.rule.to_owned(), finding.path.clone())).or_default().push(finding);
    }
    let mut left = Vec::new();
    for (key, number) in &allowed {
        let now = found.get(key).map_or(0, Vec::len);
        if now < *number {
            let text = format!("{} {} is {now} now: write that", key.0, key.1);
            left.push(Finding::new("exception", "crates/velos-dev/exceptions.txt", 0, text));
        }
    }
    for (key, findings) in found {
        if findings.len() > allowed.get(&key).copied().unwrap_or(0) {
            left.extend(findings);
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_only_shrink() {
        let finding = |line| Finding::new("columns", "a.rs", line, "long");
        let two = || vec![finding(1), finding(2)];
        assert!(settle("columns a.rs 2\n", two()).unwrap().is_empty());
        assert_eq!(settle("columns a.rs 1\n", two()).unwrap().len(), 2);
        assert_eq!(settle("# none\n", two()).unwrap().len(), 2);
        assert_eq!(settle("columns a.rs 3\n", two()).unwrap()[0].text, "columns a.rs is 2 now: write that");
        assert!(settle("columns a.rs\n", two()).is_err());
    }
}
