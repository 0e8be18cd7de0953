use super::*;

fn redacted(line: &str) -> String {
    String::from_utf8(Redactor::new().line(line.as_bytes()).into_owned()).unwrap()
}

/// Put together here, so that no scanner takes this file for a leak.
fn made(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn all_rules_can_be_built() {
    assert!((0..RULES.len()).all(|number| pattern(number).is_some()));
    assert_eq!(literals().search.patterns_len(), literals().owners.len());
}

const RANDOM: &str = "a8Kd93mfLs02kfMz71Qpx5TtB4wYv6Rn8Jc";

#[track_caller]
fn check_hidden(secrets: &[(String, &str)]) {
    for (secret, line) in secrets {
        let hidden = redacted(&line.replace("{}", secret));
        assert!(!hidden.contains(secret.as_str()) && hidden.contains("[REDACTED:"), "{line}: {hidden}");
    }
}

#[test]
fn every_planted_secret_is_hidden() {
    let random = RANDOM;
    check_hidden(&[
        (made(&["AKIA", "IOSFODNN7EXAMPLE"]), "key id {} used"),
        (made(&["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0In0", ".abcDEF_-123"]), "got {} from client"),
        (made(&["ghp_", random, "Q1"]), "clone with {}"),
        (made(&["glpat-", "x8Kd93mfLs02kfMz71Qp"]), "{}"),
        (made(&["xoxb-", "1234567890-abcdefGHIJ"]), "slack {}!"),
        (made(&["sk-ant-", "api03-", random]), "using {}"),
        (made(&["sk-proj-", random]), "OPENAI {}"),
        (made(&["sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"]), "charge {}"),
        (made(&["AIza", random]), "maps?key={}"),
        (made(&["npm_", random, "z"]), "//registry/:_authToken={}"),
        ("hunter2".into(), "postgres://app:{}@db:5432/x"),
        ("p@ss/w0rd".into(), "redis://:{}@cache.local"),
        ("s3cr3tValue".into(), "DB_PASSWORD={}"),
        ("correct horse".into(), r#"{"user":"a","password":"{}"}"#),
        ("pa55word".into(), r#"config: \"password\":\"{}\""#),
        ("abcd".into(), "password='{}'"),
        ("tok_12345678".into(), "GET /x?access_token={}&a=1"),
        ("dGVzdDp0ZXN0MTIz".into(), "Authorization: Basic {}"),
        ("0123456789abcdef".into(), "authorization: Bearer {}"),
        ("v3rySecret!".into(), "client_secret: {}"),
        ("k3y-93mfLs02".into(), "x-api-key: {}"),
        ("letmein".into(), "mysql --password={} -h db"),
        ("t0psecret".into(), "curl -u admin:{} https://x"),
        ("swordfish".into(), "  password: {}"),
        ("hunter2!".into(), "the password is {} ok"),
        ("Zx81kQ".into(), "sshpass -p {} ssh root@host"),
        ("hunter2!".into(), "mysqldump -uroot -p{} app"),
        ("hunter2x".into(), "passwd = {}"),
        ("c2VjcmV0LWtleS0xMjM0NTY3OA".into(), "APP_KEY=base64:{}"),
        ("S3cret".into(), "<password>{}</password>"),
        ("S3cret".into(), r#"<add key="Password" value="{}"/>"#),
        ("S3cret".into(), "next=x%26password%3D{}&x=1"),
        ("Sup3rS3cret".into(), "db.pass: {}"),
        ("abcDEF123%2Bxyzw0".into(), "https://x.blob.core.windows.net/c?sv=2022&sig={}"),
        ("5f4dcc3b5aa765d61d8327de".into(), "GET /b?X-Amz-Signature={}"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(), "aws_secret_access_key = {}"),
    ]);
}

#[test]
fn cards_sessions_and_keys_of_more_services_are_hidden() {
    let random = RANDOM;
    check_hidden(&[
        ("4111 1111 1111 1111".into(), "paid with {} 12/27"),
        ("5500-0000-0000-0004".into(), "card {} declined"),
        ("378282246310005".into(), r#"{"card_number":"{}","amount":12}"#),
        ("4242424242424242".into(), "charge {} ok"),
        ("123".into(), r#"{"cvv":"{}"}"#),
        ("a8f5f167f44f4964e6c998dee827110c".into(), "session_id={}"),
        ("s8Kd93mfLs02kfMz".into(), r#"{"sessionId":"{}"}"#),
        ("abc123def456".into(), "sessionid: {}"),
        ("550e8400-e29b-41d4-a716-446655440000".into(), "session-id {} opened"),
        ("q1w2e3r4t5y6u7i8o9p0asdf".into(), "PHPSESSID={}; path=/"),
        ("s%3AabcDEF123.ghiJKL456".into(), "connect.sid={}"),
        ("5A1F0C9E7B6D4432.node1".into(), "GET /cart;JSESSIONID={} 200"),
        ("a1b2c3d4e5f6a7b8c9d0".into(), "https://{}@o12.ingest.example.io/4"),
        (made(&["glagent-", "x8Kd93mfLs02kfMz71Qp"]), "agent {}"),
        (made(&["1//0", random]), "refresh {}"),
        (made(&["dapi", "0123456789abcdef0123456789abcdef"]), "{}"),
        (made(&["sq0atp-", "x8Kd93mfLs02kfMz71QpAa"]), "square {}"),
        (made(&["ntn_", random]), "notion {}"),
        (made(&["figd_", random]), "figma {}"),
        (made(&["gsk_", random, "a8Kd93mf"]), "groq {}"),
        (made(&["r8_", random]), "replicate {}"),
        (made(&["key-", "0123456789abcdef0123456789abcdef"]), "mailgun {}"),
        (made(&["dp.pt.", random]), "doppler {}"),
        (made(&["pscale_tkn_", random]), "{}"),
        (made(&["NRAK-", "ABCDEFGHIJKLMNOPQRSTUVWX"]), "{}"),
        (made(&["MTIzNDU2Nzg5MDEyMzQ1Njc4", ".GabcDE.", random]), "discord bot {}"),
        (made(&[random, random]), "POST https://discord.com/api/webhooks/123456789012345678/{}"),
        ("0123456789abcdef0123456789abcdef".into(), "TWILIO_AUTH={}"),
        (made(&["SK", "0123456789abcdef0123456789abcdef"]), "twilio {}"),
        (made(&["SG.", "abcdefghij0123456789ab.", random]), "sendgrid {}"),
        (made(&["abc8Q~", "abcdefghijklmnopqrstuvwxyz0123456"]), "azure client {}"),
        (
            "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==".into(),
            "Endpoint=sb://x;SharedAccessKeyName=a;SharedAccessKey={}",
        ),
        ("S3cr3tPw1".into(), "Server=db;Database=shop;User Id=sa;Password={};Encrypt=true"),
        ("S3cr3tPw1".into(), "jdbc:postgresql://db/shop?user=app&password={}&ssl=true"),
        ("0a1b2c3d4e5f".into(), "Ocp-Apim-Subscription-Key: {}"),
        ("S3cr3tPw1".into(), "redis-cli -h cache -a {} ping"),
        ("S3cr3tPw1".into(), "openssl rsa -in k.pem -passin pass:{}"),
        ("abcdEFGH1234567890abcdEFGH".into(), "https://x.test/o?X-Goog-Signature={}"),
        (made(&["pbkdf2_", "sha256$720000$abcDEF123$Zm9vYmFyYmF6cXV4MTIzNDU2"]), "hash {}"),
        (made(&["pypi-", random]), "upload with {}"),
        (
            made(&["-----BEGIN PRIV", "ATE KEY-----\\nMIIEv\\n-----END PRIV", "ATE KEY-----"]),
            r#"{"private_key": "{}\n"}"#,
        ),
    ]);
}

#[test]
fn ordinary_lines_stay() {
    for line in [
        "Failed password for invalid user admin from 10.0.0.1 port 22 ssh2",
        "SyntaxError: Unexpected token } in JSON at position 4",
        "password=null token=undefined secret=***",
        "Invalid password: try again",
        "token expired",
        "basic authentication enabled",
        "GET https://example.com/a@b",
        "session opened for user root by (uid=0)",
        "sessionid:0x14f05578bd80018",
        "using task-scheduler for desk-booking-service-alpha",
        "refreshing access token for user 12",
        "Adding job token for job_1445144423722_0020 to jobTokenSecretManager",
        "bearer of bad news",
        "tests pass: 12",
        "PWD=/srv/app/current",
        "AppWindowToken{9f4ef63 token=Token{a64f992 ActivityRecord{de9231d u0}}}",
        "max_tokens=4096 prompt_tokens: 1532",
        "password: must be at least 8 characters",
        "UPDATE users SET password = ? WHERE id = ?",
        "mysql -u root -p app",
        "<token>...</token>",
        "const token = getToken()",
        "session_id=42",
        "session 1234 of user root",
        "sessionId=0x14f05578bd80018, timeout=30000",
        "session-id: none",
        "new session id for worker-12",
        "sessionid is required",
        "PHPSESSID cookie missing",
        "JSESSIONID=null",
        "took 1772359503123456789 ns, id=4111111111111111",
        "block blk_4111111111111111 size 67108864",
        "request 550e8400-e29b-41d4-a716-446655440000 done",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
        "1772359503123 1772359503124 1772359503125",
        "2024-05-14 10:23:45 1234 5678 9012 3456",
        "public-key-pinning off, key-value store ready",
        "task sk-learn-model-training-job started",
        "connected to https://example.com:8443/a@b/c",
        "webhook /api/webhooks/list",
        "docker login succeeded",
        "expected 3 tokens, got 4",
        "cvv check enabled",
        "user@example.com wrote 12345678901234 bytes",
        "git fetch ssh://git@github.com/acme/shop.git",
        "phc_ratio=12",
        "fm2_ratio 12",
    ] {
        assert_eq!(redacted(line), line);
    }
}

#[test]
fn equal_secrets_have_equal_names_and_kinds_are_told() {
    let mut redactor = Redactor::with_salt(7);
    let mut of = |text: &str| String::from_utf8(redactor.line(text.as_bytes()).into_owned()).unwrap();
    let (one, other) = (of("password=alpha9"), of("DB_PASSWORD=alpha9"));
    assert_eq!(one.strip_prefix("password="), other.strip_prefix("DB_PASSWORD="));
    assert_ne!(one, of("password=alpha8"));
    assert!(one.starts_with("password=[REDACTED:password:"), "{one}");
}

#[test]
fn private_keys_over_lines_and_blocks() {
    let begin = ["-----BEGIN RSA PRIV", "ATE KEY-----"].concat();
    let end = ["-----END RSA PRIV", "ATE KEY-----"].concat();
    let text = format!("before\n{begin}\nMIIEabc+/=\nDEFG\n{end}\nafter password=abcd1234 x\nlast");
    let (mut redactor, mut out) = (Redactor::new(), Vec::new());
    redactor.block(text.as_bytes(), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("MIIE") && !out.contains("DEFG") && !out.contains("abcd1234"), "{out}");
    assert!(out.starts_with("before\n[REDACTED:private-key") && out.ends_with(" x\nlast"), "{out}");
    assert_eq!(out.lines().count(), text.lines().count());
}

#[test]
fn documents_are_searched_to_their_leaves() {
    let mut redactor = Redactor::with_salt(1);
    let document = serde_json::json!({"a": ["x", {"b": "token AKIAIOSFODNN7EXAMPLE1\nplain"}], "c": 1});
    let text = redactor.document(document).to_string();
    assert!(!text.contains("AKIA") && text.contains("plain"), "{text}");
}
