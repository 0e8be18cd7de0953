//! Templates over common formats of lines, and over labelled logs when they are there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use velos_log_engine::template::Miner;

/// Ids of the templates of these lines.
fn ids(lines: &[Vec<u8>]) -> Vec<u64> {
    let mut miner = Miner::learn(lines.iter().map(Vec::as_slice));
    let keys: Vec<usize> = lines.iter().map(|line| miner.add(line)).collect();
    let mut of = HashMap::new();
    for template in miner.templates() {
        of.extend(template.keys.iter().map(|key| (*key, template.id)));
    }
    keys.iter().map(|key| of[key]).collect()
}

/// Grouping accuracy (Zhu et al., ICSE-SEIP 2019) and the F1 of templates (Jiang et al., ISSTA 2024).
fn score<T: Ord + Clone>(truth: &[T], found: &[u64]) -> (f64, f64) {
    let mut true_groups: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    let mut found_groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (n, (label, id)) in truth.iter().zip(found).enumerate() {
        true_groups.entry(label.clone()).or_default().push(n);
        found_groups.entry(*id).or_default().push(n);
    }
    let right: Vec<usize> = found_groups
        .values()
        .filter(|group| true_groups[&truth[group[0]]] == **group)
        .map(Vec::len)
        .collect();
    let accuracy = right.iter().sum::<usize>() as f64 / truth.len() as f64;
    let f1 = 2.0 * right.len() as f64 / (found_groups.len() + true_groups.len()) as f64;
    (accuracy, f1)
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

const MESSAGES: usize = 12;

fn message(kind: usize, dice: &mut Dice) -> String {
    let (n, m) = (dice.below(100_000), 1 + dice.below(250));
    let user = dice.of(&["alice", "bob", "carol", "dave", "eve", "root", "guest"]);
    match kind {
        0 => format!("Accepted password for {user} from 10.0.{m}.{m} port {n}"),
        1 => "Server listening".to_owned(),
        2 => format!("Request handled in {n}ms"),
        3 => format!("Loaded {n} modules from /srv/app{m}/lib"),
        4 => format!("cache miss for key user:{n}"),
        5 => format!("block blk_-{n}{n} received of size {n} from /10.1.1.{m}"),
        6 => format!("opening /var/x{n} failed: No such file or directory"),
        7 => format!("opening /var/x{n} failed: Permission denied"),
        8 => format!("session {n:016x} expired after {m} seconds"),
        9 => format!("timeout={m}s addr=10.0.0.{m}:{n} retries={m}"),
        10 => "GC finished".to_owned(),
        _ => format!("jobs: {n} pending, {m} running"),
    }
}

type Format = (&'static str, fn(&mut Dice, &str) -> String);

const FORMATS: &[Format] = &[
    ("plain", |_, text| text.to_owned()),
    ("syslog", |dice, text| {
        format!(
            "Jul {:2} 10:{:02}:03 web{} sshd[{}]: {text}",
            1 + dice.below(30),
            dice.below(60),
            dice.below(9),
            dice.below(9_999)
        )
    }),
    ("level", |dice, text| {
        format!("2024-01-01T10:{:02}:03.123Z {} {text}", dice.below(60), dice.of(&["INFO", "WARN", "ERROR"]))
    }),
    ("python", |dice, text| {
        format!(
            "2024-01-01 10:{:02}:03,123 - {} - {} - {text}",
            dice.below(60),
            dice.of(&["app.db", "app.web", "root"]),
            dice.of(&["INFO", "DEBUG"])
        )
    }),
    ("glued", |dice, text| {
        format!("{}:{}:{text}", dice.of(&["INFO", "DEBUG"]), dice.of(&["app.db", "root"]))
    }),
    ("spring", |dice, text| {
        format!(
            "2024-01-01 10:{:02}:03.123  {} {} --- [nio-{}] {} : {text}",
            dice.below(60),
            dice.of(&["INFO", "WARN"]),
            dice.below(999),
            dice.below(99),
            dice.of(&["c.e.Api", "o.s.Web"])
        )
    }),
    ("logcat", |dice, text| {
        format!(
            "03-17 10:{:02}:03.123  {}  {} {} {}: {text}",
            dice.below(60),
            dice.below(9_999),
            dice.below(9_999),
            dice.of(&["D", "I"]),
            dice.of(&["Window", "Audio"])
        )
    }),
    ("brackets", |dice, text| {
        format!(
            "[10:{:02}:03] [{}] [{}] {text}",
            dice.below(60),
            dice.of(&["INFO", "WARN"]),
            dice.of(&["main", "io"])
        )
    }),
    ("bars", |dice, text| {
        format!(
            "20240101-10:{:02}:03|{}|{}|{text}",
            dice.below(60),
            dice.of(&["Main", "Io"]),
            dice.below(999)
        )
    }),
    ("klog", |dice, text| {
        format!(
            "I0612 10:{:02}:03.123456       1 {}.go:{}] {text}",
            dice.below(60),
            dice.of(&["main", "x"]),
            dice.below(99)
        )
    }),
    ("spans", |dice, text| {
        format!(
            "2024-01-01T10:{:02}:03.123456Z  {} request{{id={:016x} method={}}}: shop::{}: {text}",
            dice.below(60),
            dice.of(&["INFO", "WARN"]),
            dice.below(1 << 60),
            dice.of(&["GET", "POST"]),
            dice.of(&["orders", "users"])
        )
    }),
    ("logfmt", |dice, text| {
        format!(
            "time=\"2024-01-01T10:{:02}:03Z\" level={} msg=\"{text}\"",
            dice.below(60),
            dice.of(&["info", "warn"])
        )
    }),
    ("json", |dice, text| format!("{{\"level\":30,\"time\":{},\"msg\":\"{text}\"}}", dice.below(99_999))),
];

#[test]
fn headers_of_common_formats_are_left_out() {
    for (name, format) in FORMATS {
        let mut dice = Dice(7);
        let (mut lines, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..1_000 {
            let kind = dice.below(MESSAGES as u64) as usize;
            let text = message(kind, &mut dice);
            lines.push(format(&mut dice, &text).into_bytes());
            labels.push(kind);
        }
        let (accuracy, f1) = score(&labels, &ids(&lines));
        assert!(accuracy > 0.999 && f1 > 0.999, "{name}: GA {accuracy}, FGA {f1}");
    }
}

/// Each group is one statement of a program, and no two groups are the same one.
const STATEMENTS: &[&[&str]] = &[
    &[
        "Invalid user 0 from 10.0.0.1",
        "Invalid user admin from 10.0.0.2",
        "Invalid user 123 from 10.0.0.3",
        "Invalid user pi from 10.0.0.4",
    ],
    &["New session 12 of user root.", "New session 7 of user 0.", "New session 9 of user pi."],
    &[
        "Block b_1 stored as bytes (estimated size 22.9 KB, free 1.2 MB)",
        "Block b_2 stored as bytes (estimated size 120.0 B, free 317.5 KB)",
    ],
    &["slept for 5 seconds", "slept for 2 minutes"],
    &["request done in 1.204ms", "request done in 350µs", "request done in 1m2.5s"],
    &["visible is true", "visible is false"],
    &["setLightsOn(true)", "setLightsOn(false)"],
    &["resumed com.example.app/.ui.Main now", "resumed com.example.app/com.example.app.Other now"],
    &["Payment 1 authorized via stripe", "Payment 2 authorized via adyen", "Payment 3 authorized via paypal"],
    &["Payment 1 declined: expired_card", "Payment 2 declined: do_not_honor", "Payment 3 declined: no_funds"],
    &[
        "mail to a@x.io with template welcome",
        "mail to b@x.io with template reset",
        "mail to c@x.io with template bill",
    ],
    &["lock l=1, ws=null, pid=7", "lock l=2, ws=WorkSource{10113}, pid=8"],
    &[
        "10.0.0.1 - alice [18/Mar/2026:16:24:38 +0000] \"GET /a?b=1 HTTP/1.1\" 200 84 \"https://x.io/7\" \"curl/8.1.0\"",
        "10.0.0.2 - - [18/Mar/2026:16:24:39 +0000] \"GET / HTTP/1.1\" 304 - \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
        "10.0.0.3 - bob [19/Mar/2026:16:24:38 +0000] \"GET /b/c.js HTTP/1.1\" 404 12 \"-\" \"-\"",
    ],
    &["GET / 200 1.5 ms - 12", "GET /cart?id=7 404 0.2 ms - -", "GET /x/y 500 12.5 ms - 7"],
    &["Not Found: /", "Not Found: /favicon.ico", "Not Found: /a/b?c=d"],
    &[
        "node fan speeds ( **** 3064 **** )",
        "node fan speeds ( 3011 **** 3100 )",
        "node fan speeds ( 3011 3000 3100 )",
    ],
    &["killing com.example.shop for memory", "killing org.example.mail for memory"],
    &["wake: {'power': Yes, 'left': 12}", "wake: {'power': No, 'left': 3}"],
    &[
        "Task shop.tasks.mail[550e8400-e29b-41d4-a716-446655440000] received",
        "Task shop.tasks.sync[550e8400-e29b-41d4-a716-446655440001] received",
    ],
    &["finished SendInvoice in 12 ms", "finished ResizeImage in 7 ms", "finished SyncStock in 40 ms"],
    &["order 7 sent via dhl", "order 8 sent via ups", "order 9 sent via fedex"],
    &["open 'a.db': Permission denied", "open 'b.db': Permission denied"],
    &["open 'a.db': No such file or directory"],
    &["ran query \"red hat\" twice", "ran query \"shoes\" twice", "ran query \"blue old hat\" twice"],
    &["cron runs at */5 * * * *", "cron runs at 0 3 * * 1"],
    &["[mailer] heartbeat is fine", "[api] heartbeat is fine", "[scheduler] heartbeat is fine"],
    &["call finished with code OK", "call finished with code NotFound", "call finished with code Internal"],
    &[
        "user alice signed up from DE with plan free",
        "user bob signed up from DE with plan free",
        "user carol signed up from DE with plan free",
        "user dave signed up from FR with plan free",
        "user alice signed up from FR with plan free",
        "user alice signed up from FR with plan pro",
        "user alice signed up from FR with plan team",
        "user walter signed up from US with plan gold",
    ],
    &["loaded plugins [auth, cache, cors]", "loaded plugins [gzip]", "loaded plugins [gzip, stats]"],
    &["parsed {\"a\": 1, \"b\": \"x\"} twice", "parsed {\"c\": null} twice", "parsed {\"a\": \"y\"} twice"],
    &["tax for DE computed", "tax for FR computed"],
    &["charged 12.50 EUR to a card", "charged 3.10 USD to a card"],
    &["flushed mode=fast now", "flushed mode=full now"],
    &["switched theme to 'dark'", "switched theme to 'light'"],
    &["scaled web (reason: cpu)", "scaled web (reason: memory)"],
    &["handling EventType: LAUNCH for c_1", "handling EventType: CLEANUP for c_2"],
    &["handling EventType: JOB_SETUP"],
    &["handling EventType: JOB_COMMIT"],
    &["broadcast action:com.example.play, kind:1", "broadcast action:com.example.TICK, kind:2"],
    &[
        "server environment:os.arch=amd64",
        "server environment:user.dir=/",
        "server environment:java.vendor=Oracle",
        "server environment:host.name=web-12",
    ],
    &[
        "mode goes from AUTO to AUTO",
        "mode goes from AUTO to OFF",
        "mode goes from OFF to AUTO",
        "mode goes from OFF to OFF",
    ],
    &[
        "vote 1, LOOKING (n.state), LEADING (my state)",
        "vote 2, LOOKING (n.state), LOOKING (my state)",
        "vote 3, LOOKING (n.state), FOLLOWING (my state)",
        "vote 4, LEADING (n.state), LEADING (my state)",
        "vote 5, LEADING (n.state), LOOKING (my state)",
        "vote 6, LEADING (n.state), FOLLOWING (my state)",
        "vote 7, FOLLOWING (n.state), LEADING (my state)",
        "vote 8, FOLLOWING (n.state), LOOKING (my state)",
        "vote 9, FOLLOWING (n.state), FOLLOWING (my state)",
    ],
    &["job went from NEW to READY"],
    &["job went from READY to RUNNING"],
    &["job went from RUNNING to DONE"],
    &[
        "app.mail.from is deprecated, use app.mail.sender",
        "app.db.url is deprecated, use app.db.link",
        "app.port is deprecated, use app.http.port",
    ],
    &["mirror mail is started now", "mirror web is started now", "mirror db is started now"],
    &["mirror mail is stopped now", "mirror web is stopped now", "mirror db is stopped now"],
    &["service restarted"],
    &["java.lang.NullPointerException: no cart"],
    &["java.lang.IllegalStateException: no cart"],
    &["Failed to open the config"],
    &["Failed to read the config"],
    &["Failed to write the config"],
    &["Found no errors"],
    &["Found 3 errors", "Found 17 errors"],
    &["service started"],
    &["service stopped"],
];

#[test]
fn lines_of_one_statement_are_one_template() {
    let lines: Vec<Vec<u8>> =
        STATEMENTS.iter().copied().flatten().map(|line| line.as_bytes().to_vec()).collect();
    let mut ids = ids(&lines).into_iter();
    let mut of_groups = std::collections::HashSet::new();
    for group in STATEMENTS {
        let found: std::collections::HashSet<u64> = ids.by_ref().take(group.len()).collect();
        assert_eq!(found.len(), 1, "{group:?}");
        assert!(found.into_iter().all(|id| of_groups.insert(id)), "{group:?} is like another");
    }
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let mut lines: Vec<Vec<u8>> =
        STATEMENTS.iter().copied().flatten().map(|line| line.as_bytes().to_vec()).collect();
    let of =
        |lines: &[Vec<u8>]| -> BTreeMap<Vec<u8>, u64> { lines.iter().cloned().zip(ids(lines)).collect() };
    let expected = of(&lines);
    let mut dice = Dice(11);
    for _ in 0..5 {
        for n in (1..lines.len()).rev() {
            lines.swap(n, dice.below(n as u64 + 1) as usize);
        }
        assert_eq!(of(&lines), expected);
    }
}

#[test]
fn one_pattern_alone_keeps_its_words() {
    for (name, format) in FORMATS.iter().filter(|(name, _)| *name != "plain") {
        let mut dice = Dice(3);
        let lines: Vec<Vec<u8>> = (0..200)
            .map(|_| {
                let text = message(2, &mut dice);
                format(&mut dice, &text).into_bytes()
            })
            .collect();
        let mut miner = Miner::learn(lines.iter().map(Vec::as_slice));
        lines.iter().for_each(|line| {
            miner.add(line);
        });
        let texts: Vec<String> = miner.templates().into_iter().map(|template| template.text).collect();
        assert_eq!(texts, ["Request handled in <N>ms"], "{name}");
    }
}

/// Labelled logs that may not be given away; without them there is nothing to test.
#[test]
fn labelled_logs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/loghub_dev");
    let root = std::env::var_os("VELOS_LOGHUB").map_or(root, Into::into);
    let Ok(entries) = std::fs::read_dir(&root) else {
        eprintln!("skipped: no labelled logs in {}", root.display());
        return;
    };
    let mut scores = Vec::new();
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read(folder.join(format!("{name}_2k.log"))).unwrap();
        let mut lines: Vec<Vec<u8>> = velos_log_engine::lines(&text).map(<[u8]>::to_vec).collect();
        let truth = std::fs::read_to_string(folder.join("groundtruth.csv")).unwrap();
        let mut labels: Vec<String> =
            truth.lines().skip(1).filter_map(|row| row.split(',').nth(1)).map(str::to_owned).collect();
        labels.truncate(lines.len());
        assert_eq!(labels.len(), lines.len(), "{name}");
        let (accuracy, f1) = score(&labels, &ids(&lines));
        lines.reverse();
        labels.reverse();
        let (reversed, _) = score(&labels, &ids(&lines));
        assert!((accuracy - reversed).abs() <= 0.02, "{name}: order changes GA {accuracy} to {reversed}");
        eprintln!("{name}: GA {accuracy:.3}, FGA {f1:.3}");
        scores.push((accuracy, f1));
    }
    let mean = |pick: fn(&(f64, f64)) -> f64| scores.iter().map(pick).sum::<f64>() / scores.len() as f64;
    let (accuracy, f1) = (mean(|score| score.0), mean(|score| score.1));
    assert!(accuracy >= 0.95 && f1 >= 0.93, "GA {accuracy}, FGA {f1}");
}
