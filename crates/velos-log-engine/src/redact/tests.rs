use super::*;

fn redacted(line: &str) -> String {
    String::from_utf8(Redactor::new().line(line.as_bytes()).into_owned()).unwrap()
}

/// Put together here, so that no scanner takes this file for a leak.
fn made(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn every_planted_secret_is_hidden() {
    let random = "a8Kd93mfLs02kfMz71Qpx5TtB4wYv6Rn8Jc";
    let secrets = [
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
    ];
    for (secret, line) in &secrets {
        let hidden = redacted(&line.replace("{}", secret));
        assert!(!hidden.contains(secret.as_str()) && hidden.contains("[REDACTED:"), "{line}: {hidden}");
    }
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
