//! Whether a word is a name: by itself, or by the word before it.

use super::key::mark;

/// Words that announce a name. In order.
#[rustfmt::skip]
const CUES: &[&[u8]] = &[
    b"=", b"account", b"as", b"backend", b"branch", b"broker", b"browser", b"bucket", b"by", b"channel", b"city",
    b"class", b"client", b"cluster", b"code", b"codec", b"collection", b"color", b"column", b"command", b"component",
    b"container", b"country", b"currency", b"customer", b"database", b"deployment", b"destination", b"device",
    b"domain", b"driver", b"email", b"encoding", b"endpoint", b"env", b"environment", b"event", b"feature", b"field",
    b"file", b"flag", b"format", b"from", b"group", b"handler", b"host", b"hostname", b"id", b"image", b"index",
    b"interface", b"job", b"key", b"kind", b"label", b"language", b"locale", b"member", b"merchant", b"method",
    b"metric", b"mode", b"model", b"module", b"name", b"named", b"namespace", b"node", b"operation", b"package",
    b"peer", b"permission", b"pipeline", b"plan", b"platform", b"plugin", b"pod", b"policy", b"pool", b"priority",
    b"process", b"product", b"profile", b"project", b"protocol", b"provider", b"query", b"queue", b"region",
    b"replica", b"repository", b"role", b"route", b"rule", b"schema", b"scope", b"server", b"service", b"session",
    b"shard", b"sku", b"source", b"stage", b"status", b"step", b"stream", b"table", b"tag", b"task", b"team",
    b"template", b"tenant", b"thread", b"tier", b"to", b"tool", b"topic", b"type", b"unit", b"upstream", b"user",
    b"username", b"using", b"vendor", b"version", b"via", b"volume", b"worker", b"workspace", b"zone",
];

/// Words before `to` that something is done after. In order.
#[rustfmt::skip]
const BEFORE_VERBS: &[&[u8]] = &[
    b"able", b"about", b"asked", b"attempt", b"attempted", b"attempting", b"failed", b"forced", b"going", b"how",
    b"need", b"needs", b"not", b"ready", b"refused", b"tried", b"try", b"trying", b"unable", b"used", b"waiting",
    b"want", b"wants",
];

/// Whether a verb follows behind this word and `to`.
pub(super) fn wants_verb(word: &[u8]) -> bool {
    BEFORE_VERBS.binary_search(&word.to_ascii_lowercase().as_slice()).is_ok()
}

/// Whether this word announces a name.
pub(super) fn is_cue(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word).to_ascii_lowercase();
    CUES.binary_search(&word.as_slice()).is_ok()
}

/// A name that somebody made up: `SendInvoice`, `send_invoice`, `send-invoice`, `shop.tasks.send`; not a sentence's word, and
/// not the class of an error, which says what happened.
pub(super) fn is_identifier(word: &[u8]) -> bool {
    let core = word.trim_ascii_end();
    let core = core.split(|byte| matches!(byte, b'[' | b'(' | b',')).next().unwrap_or_default();
    let is_joined = core.windows(3).any(|three| {
        matches!(three, [a, b'_' | b'-' | b'.', b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric())
    });
    let humps = core
        .windows(2)
        .filter(|two| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count();
    let is_name =
        core.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$'));
    is_name
        && core.len() >= 5
        && core.iter().any(u8::is_ascii_lowercase)
        && (is_joined || humps >= 1)
        && !core.ends_with(b"Exception")
        && !core.ends_with(b"Error")
}

/// Letters in an order that nobody chose, as ids have them: `CZlvHnLVgtydKBNkeXEVC`.
pub(super) fn is_random(word: &[u8]) -> bool {
    let humps = word
        .windows(2)
        .filter(|two| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count();
    (16..=64).contains(&word.len()) && word.iter().all(u8::is_ascii_alphanumeric) && humps * 6 >= word.len()
}

/// What is named before its value: `EventType:`, `(reason:`.
pub(super) fn is_label(word: &[u8], goes_on: bool) -> bool {
    let Some(name) = word.strip_suffix(b":") else { return false };
    let inner =
        name.strip_prefix(b"(").filter(|inner| inner.len() > 2 && inner.iter().all(u8::is_ascii_lowercase));
    inner.is_some()
        // At the end it more often is what the message is about.
        || goes_on
            && name.ends_with(b"Type")
            && name.len() > 5
            && name.iter().all(u8::is_ascii_alphabetic)
            && name.iter().any(u8::is_ascii_lowercase)
}

/// Whether words of one place are a name and a value each, or all of them in quotes: `mode=fast`, `user.name=root`, `'dark'`.
pub(super) fn are_settings(values: &[&[u8]], goes_on: bool) -> bool {
    let Some(first) = values.first() else { return false };
    let name =
        |word: &[u8]| word.iter().position(|byte| *byte == b'=').filter(|at| *at > 0 && at + 1 < word.len());
    let is_same_name = name(first).is_some_and(|at| {
        let named = first.get(..=at).unwrap_or_default();
        values.iter().all(|word| word.starts_with(named) && word.len() > named.len())
    });
    // `action:com.example.play`, `action:<HOST>`
    let is_same_label = first.iter().position(|byte| *byte == b':').filter(|at| *at > 1).is_some_and(|at| {
        let label = first.get(..=at).unwrap_or_default();
        let is_word = label.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b':');
        let is_name = |rest: &[u8]| {
            let core = rest.strip_suffix(b",").unwrap_or(rest);
            core == [mark::ANY] || core.contains(&b'.') && is_identifier(core)
        };
        goes_on && is_word && values.iter().all(|word| word.strip_prefix(label).is_some_and(is_name))
    });
    // Who speaks: `[mailer] heartbeat`.
    let is_tag = |word: &&[u8]| {
        let word = word.strip_suffix(b":").unwrap_or(word);
        let inner = word.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        inner.is_some_and(|inner| {
            inner.len() > 1 && inner.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-')
        })
    };
    if values.len() >= 3 && values.iter().all(is_tag) {
        return true;
    }
    // Each setting has a name of its own.
    let is_dotted = |word: &&[u8]| {
        let start = word.iter().position(|byte| *byte == b':').map_or(0, |at| at + 1);
        name(word).and_then(|at| word.get(start..at)).is_some_and(|name| name.contains(&b'.'))
    };
    let is_quoted = |quote: u8| {
        values.iter().all(|word| {
            let word = word.strip_suffix(b",").or_else(|| word.strip_suffix(b".")).unwrap_or(word);
            word.len() > 2 && word.first() == Some(&quote) && word.last() == Some(&quote)
        })
    };
    is_same_name
        || is_same_label
        || values.len() >= 3 && values.iter().all(is_dotted)
        || is_quoted(b'\'')
        || is_quoted(b'"')
}

/// What became of something rather than its name: `started`, `failed`, `up`.
pub(super) fn is_outcome(word: &[u8]) -> bool {
    let core = word.split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    core.ends_with(b"ed")
        || core.ends_with(b"ing")
        || matches!(
            core,
            b"up" | b"down" | b"ok" | b"OK" | b"done" | b"lost" | b"is" | b"was" | b"has" | b"not"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_are_in_order() {
        assert!(CUES.is_sorted() && BEFORE_VERBS.is_sorted());
        assert!(is_cue(b"user") && is_cue(b"Host:") && is_cue(b"=") && !is_cue(b"usher"));
    }

    #[test]
    fn identifiers_are_neither_words_nor_classes_of_errors() {
        for name in ["SendInvoice", "send_invoice", "image-resize", "shop.tasks.mail[1", "eu-west"] {
            assert!(is_identifier(name.as_bytes()), "{name}");
        }
        for other in
            ["started", "Berlin", "GET", "java.lang.IllegalStateException", "TypeError", "a_b", "done."]
        {
            assert!(!is_identifier(other.as_bytes()), "{other}");
        }
        assert!(is_outcome(b"restarted,") && is_outcome(b"up") && !is_outcome(b"alice"));
    }
}
