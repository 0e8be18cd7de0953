//! What secrets look like. Each rule has literals, one of which every match holds; only then its expression is tried.

/// A kind of secret.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// In lower case; looked for in any case.
    pub(super) literals: &'static [&'static str],
    /// The group `s` is the secret; without it the whole match.
    pub(super) pattern: &'static str,
    pub(super) check: Check,
}

/// What a match must also be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    None,
    /// Not a placeholder, a type or a null.
    Value,
    /// Also with a digit or a mix of cases: nothing that a sentence holds.
    Random,
    /// Also no number and no address: letters and digits by turns, as random ones are.
    Session,
}

const fn rule(name: &'static str, literals: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { name, literals, pattern, check: Check::None }
}

const fn checked(
    name: &'static str,
    literals: &'static [&'static str],
    pattern: &'static str,
    check: Check,
) -> Rule {
    Rule { name, literals, pattern, check }
}

/// Names of settings that hold secrets.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "accesskey",
    "access-key",
    "account_key",
    "accountkey",
    "private_key",
    "privatekey",
    "token",
    "credential",
    "auth_key",
    "signing_key",
    "encryption_key",
    "app_key",
    "master_key",
    "secret_key",
    "shared_key",
    "sharedkey",
    "session_key",
    "license_key",
    "licensekey",
    "subscription-key",
    "subscription_key",
    "functions-key",
    "hmac_key",
    "storage_key",
    "deploy_key",
    "consumer_key",
    "service_key",
    "ssh_key",
    "webhook_key",
    "passcode",
];

pub(super) const RULES: &[Rule] = &[
    rule(
        "private-key",
        &["private key"],
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----(?s:.*?)(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|$)",
    ),
    rule(
        "aws-key",
        &["akia", "asia", "aroa", "aida", "abia", "acca"],
        r"\b(AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z2-7][A-Z0-9]{15}\b",
    ),
    checked(
        "aws-secret",
        &["aws"],
        r#"(?i)aws.{0,20}?(secret|key)[A-Za-z_]{0,20}["']?\s*[:=]\s*["']?(?P<s>[A-Za-z0-9/+=]{40})\b"#,
        Check::Random,
    ),
    rule("jwt", &["eyj"], r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*){1,3}"),
    rule(
        "github-token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{20,255})",
    ),
    rule(
        "gitlab-token",
        &[
            "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "gloas-", "glimt-",
            "glagent-", "glwt-", "glffct-",
        ],
        r"\bgl(pat|dt|rt|cbt|ptt|ft|soat|oas|imt|agent|wt|ffct)-[A-Za-z0-9_.-]{16,}",
    ),
    rule(
        "slack-token",
        &["xoxa", "xoxb", "xoxp", "xoxe", "xoxr", "xoxs", "xoxo", "xoxc", "xoxd", "xapp-", "hooks.slack.com"],
        r"\b(xox[abceoprsd](-[A-Za-z0-9%.-]+|\.[A-Za-z0-9.-]+)|xapp-[0-9]-[A-Za-z0-9-]+|hooks\.slack\.com/(services|workflows)/(?P<s>[A-Za-z0-9/_-]{16,}))",
    ),
    rule("anthropic-key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    rule(
        "openai-key",
        &["sk-"],
        r"\bsk-(proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]*[0-9A-Z][A-Za-z0-9_-]{16,}",
    ),
    rule(
        "stripe-key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "whsec_"],
        r"\b([srp]k_(live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,})",
    ),
    rule(
        "google-key",
        &["aiza", "ya29.", "gocspx-", "1//0", ":apa91b"],
        r"\b(AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{30,}|[A-Za-z0-9_-]{8,16}:APA91b[A-Za-z0-9_-]{60,})",
    ),
    rule("npm-token", &["npm_", "_authtoken"], r"(\bnpm_[A-Za-z0-9]{30,}|_authToken=(?P<s>[^\s$]{8,}))"),
    rule("pypi-token", &["pypi-"], r"\bpypi-[A-Za-z0-9_-]{32,}"),
    rule("sendgrid-key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    rule(
        "hub-token",
        &[
            "hf_",
            "dop_v1_",
            "shpat_",
            "dckr_pat_",
            "hvs.",
            "age-secret-key-",
            "lin_api_",
            "glsa_",
            "rubygems_",
            "sq0csp-",
            "shpss_",
        ],
        r"\b(hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{32,}|shp(at|ss)_[a-fA-F0-9]{32,}|dckr_pat_[A-Za-z0-9_-]{20,}|hvs\.[A-Za-z0-9_-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{40,}|lin_api_[A-Za-z0-9]{30,}|glsa_[A-Za-z0-9_]{30,}|rubygems_[a-f0-9]{40,}|sq0csp-[A-Za-z0-9_-]{30,})",
    ),
    rule(
        "service-token",
        &[
            "doo_v1_",
            "dor_v1_",
            "shpca_",
            "shppa_",
            "dckr_oat_",
            "glc_ey",
            "rubygems_",
            "sq0atp-",
            "dapi",
            "pmak-",
            "nrak-",
            "ntn_",
            "figd_",
            "dp.pt.",
            "dp.st.",
            "dp.ct.",
            "pscale_tkn_",
            "pscale_pw_",
            "pscale_oauth_",
            "sbp_",
            "nfp_",
            "fm2_",
            "atatt3",
            "atctt3",
            "ccipat_",
            "bkua_",
            "r8_",
            "gsk_",
            "xai-",
            "pplx-",
            "sntrys_",
            "sntryu_",
            "hrku-",
            "eaac",
            "key-",
            "pat-na1-",
            "pat-eu1-",
            "atlasv1.",
            "access_token$production$",
            "8q~",
            "sgp_",
            "tskey-",
            "phc_",
            "phx_",
        ],
        r"\b(do[or]_v1_[a-f0-9]{32,}|shp(ca|pa)_[a-fA-F0-9]{32,}|dckr_oat_[A-Za-z0-9_-]{20,}|glc_eyJ[A-Za-z0-9+/=]{20,}|sq0atp-[A-Za-z0-9_-]{20,}|dapi[a-f0-9]{32}(-[0-9])?|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|NRAK-[A-Z0-9]{20,}|ntn_[A-Za-z0-9]{30,}|figd_[A-Za-z0-9_-]{30,}|dp\.(pt|st|ct)\.[A-Za-z0-9_.-]{30,}|pscale_(tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,}|sbp_[a-f0-9]{40,}|nfp_[A-Za-z0-9]{30,}|fm2_[A-Za-z0-9+/=_-]{40,}|AT[AC]TT3[A-Za-z0-9_=-]{40,}|CCIPAT_[A-Za-z0-9_]{30,}|bkua_[a-f0-9]{40}|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}|pplx-[A-Za-z0-9]{40,}|sntry[su]_[A-Za-z0-9+/=_]{40,}|HRKU-[A-Za-z0-9_-]{30,}|EAAC[A-Za-z0-9]{60,}|key-[a-f0-9]{32}|pat-(na|eu)1-[a-f0-9]{8}-[a-f0-9-]{27}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{50,}|access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}|[A-Za-z0-9_~.]{3}8Q~[A-Za-z0-9_~.-]{31,34}|sgp_[A-Za-z0-9_]{40,}|tskey-[a-z]{3,8}-[A-Za-z0-9]{8,}-[A-Za-z0-9]{16,}|ph[cx]_[A-Za-z0-9]{40,})",
    ),
    rule(
        "discord-token",
        &["/api/webhooks/", "discord", "bot "],
        r"(\b[MNO][A-Za-z0-9_-]{22,27}\.[GXYZ][A-Za-z0-9_-]{5}\.[A-Za-z0-9_-]{27,}|/api/webhooks/[0-9]{17,20}/(?P<s>[A-Za-z0-9_-]{40,}))",
    ),
    rule("twilio-key", &["twilio"], r"\bSK[a-f0-9]{32}\b|(?i)twilio\S*[ =:]+(?P<s>[a-f0-9]{32})\b"),
    rule("webhook", &["webhookb2/"], r"webhookb2/(?P<s>[A-Za-z0-9@/_-]{40,})"),
    rule("telegram-token", &[":aa"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    rule(
        "password-hash",
        &["$2a$", "$2b$", "$2y$", "$argon2", "$6$", "$5$", "$1$", "$apr1$", "$y$", "$scrypt$", "pbkdf2_sha"],
        r"\$(2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}|argon2(id|i|d)\$\S{20,}|[56]\$\S{1,20}\$[./A-Za-z0-9]{40,}|(1|apr1)\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|y\$[./A-Za-z0-9]+\$\S{20,}|scrypt\$\S{20,})|\bpbkdf2_sha(1|256|512)\$[0-9]+\$\S{20,}",
    ),
    rule(
        "url-password",
        &["://"],
        r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:(?P<s>[^\s@"'<>]+)@[A-Za-z0-9\[]"#,
    ),
    rule("url-token", &["://"], r"\b[A-Za-z][A-Za-z0-9+.-]*://(?P<s>[A-Za-z0-9_-]{20,})@[A-Za-z0-9\[]"),
    checked("bearer", &["bearer"], r#"(?i)\bbearer[ :=]+["']?(?P<s>[A-Za-z0-9._~+/-]{8,}=*)"#, Check::Random),
    checked(
        "authorization",
        &["authorization", "proxy-auth"],
        r#"(?i)\b(proxy-)?authorization["']?\s*[:=]\s*\[?\s*["']?((basic|bearer|token|digest|apikey|negotiate|bot)\s+)?(?P<s>[A-Za-z0-9._~+/:-]{6,}=*)"#,
        Check::Value,
    ),
    checked("basic", &["basic "], r"(?i)\bbasic (?P<s>[A-Za-z0-9+/]{10,}={0,2})", Check::Random),
    checked(
        "cookie",
        &["cookie"],
        r#"(?i)\b(set-)?cookie["']?\s*:\s*\[?["']?(?P<s>[A-Za-z0-9_.-]+=[^\r\n"']{6,})"#,
        Check::None,
    ),
    // password = "...", "password": "...", DB_PASSWORD='...', \"secret\":\"...\"
    checked(
        "password",
        NAMES,
        r#"(?i)[A-Z0-9_.-]*(password|passwd|passphrase|passcode|pwd|secret|api[_-]?key|(access|account|private|auth|signing|encryption|app|master|shared|session|license|subscription|functions|hmac|storage|deploy|consumer|service|ssh|webhook)[_-]?key|token|credentials?)[A-Z0-9_]{0,12}\\?["']?\]?\s{0,2}(=>|[:=])\s{0,2}(\\?"(?P<s>[^"\\]{1,512})|'(?P<t>[^']{1,512})|`(?P<u>[^`]{1,512}))"#,
        Check::Value,
    ),
    // password=..., PASSWORD=..., ?token=...&
    checked(
        "password",
        NAMES,
        r#"(?i)[A-Z0-9_.-]*(password|passwd|passphrase|passcode|pwd|secret|api[_-]?key|(access|account|private|auth|signing|encryption|app|master|shared|session|license|subscription|functions|hmac|storage|deploy|consumer|service|ssh|webhook)[_-]?key|token|credentials?)[A-Z0-9_]{0,12}=(?P<s>[^\s,;&"'`<>\[\](){}]{3,512})"#,
        Check::Value,
    ),
    // password: ... alone on a line, or something random behind the name
    checked(
        "password",
        NAMES,
        r#"(?im)^\s*(-\s+)?[A-Z0-9_.-]*(password|passwd|passphrase|passcode|pwd|secret|api[_-]?key|token)\\?["']?:\s+(?P<s>[^\s"',;]{4,512})\s*$"#,
        Check::Value,
    ),
    checked(
        "password",
        NAMES,
        r#"(?i)[A-Z0-9_.-]*(password|passwd|passphrase|passcode|pwd|secret|api[_-]?key|(access|account|private|auth|signing|encryption|app|master|shared|session|license|subscription|functions|hmac|storage|deploy|consumer|service|ssh|webhook)[_-]?key|token)[A-Z0-9_]{0,12}\\?["']?(:\s{0,2}|\s+=\s+|\s+is:?\s+|\s+set to\s+|\s+)(?P<s>[^\s,;"'`<>\[\](){}]{6,512})"#,
        Check::Random,
    ),
    checked(
        "password",
        &["pass=", "pass\":", "passw="],
        r#"(?i)\b[A-Z0-9_]*passw?["']?\s?[:=]\s?["']?(?P<s>[^\s,;&"'`<>\[\](){}]{4,512})"#,
        Check::Value,
    ),
    checked(
        "password",
        &["-u "],
        r#"\b(curl|https?|xh)\b.*\s-u ["']?[A-Za-z0-9._@-]{1,64}:(?P<s>[^\s"':]{3,256})"#,
        Check::Value,
    ),
    checked(
        "password",
        &["--pass", "--token", "--secret", "--api-key"],
        r#"(?i)--(pass(word)?|token|secret|api-key)[ =]["']?(?P<s>[^\s"']{3,512})"#,
        Check::Value,
    ),
    checked(
        "password",
        &["sshpass", "mysql"],
        r#"\b(sshpass\s+-p\s*|mysql\w*\s(.*\s)?-p)["']?(?P<s>[^\s"'-][^\s"']{2,255})"#,
        Check::Value,
    ),
    // <password>...</password>, <add key="Password" value="..."/>
    checked(
        "password",
        &["password>", "passwd>", "secret>", "token>", "apikey>"],
        r"(?i)(password|passwd|secret|token|apikey)>(?P<s>[^<>\s]{3,512})</",
        Check::Value,
    ),
    checked(
        "password",
        &["value=\""],
        r#"(?i)(key|name)="[^"]*(password|secret|token|api[_-]?key)[^"]*"\s+value="(?P<s>[^"]{3,512})""#,
        Check::Value,
    ),
    // Form fields that were encoded twice
    checked(
        "password",
        &["%3d"],
        r"(?i)(password|passwd|secret|token|api_?key)%3d(?P<s>[^%&\s]{3,512})",
        Check::Value,
    ),
    checked(
        "password",
        &["pass:"],
        r#"(?i)\b[A-Z0-9_.-]*[._]pass:\s+["']?(?P<s>[^\s,;"'`<>\[\](){}]{6,512})"#,
        Check::Random,
    ),
    rule(
        "signature",
        &["sig=", "x-amz-signature=", "x-amz-security-token=", "x-goog-signature="],
        r"(?i)([?&]sig|x-amz-signature|x-amz-security-token|x-goog-signature)=(?P<s>[A-Za-z0-9%+/=_-]{16,2048})",
    ),
    // Cookies of servers whose value is all that a request needs
    checked(
        "session",
        &["phpsessid", "jsessionid", "connect.sid", "asp.net_sessionid", "aspsessionid", "laravel_session"],
        r#"(?i)\b(phpsessid|jsessionid|connect\.sid|asp\.net_sessionid|aspsessionid[a-z]{0,8}|laravel_session)\\?["']?\s{0,2}[:=]\s{0,2}\\?["']?(?P<s>[A-Za-z0-9%._~+/!:=-]{6,512})"#,
        Check::Value,
    ),
    checked(
        "session",
        &["session_id", "sessionid", "session-id", "sessid", "_session="],
        r#"(?i)\b[A-Z0-9_.-]*(session[_-]?id|sessid|_session)\\?["']?\]?(\s{0,2}(=>|[:=])\s{0,2}|\s+is\s+|\s+)\\?["']?(?P<s>[A-Za-z0-9%._~+/-]{8,512}=*)"#,
        Check::Session,
    ),
    checked(
        "card-code",
        &["cvv", "cvc", "ssn"],
        r#"(?i)\b(cvv2?|cvc2?|ssn|card_?cvv|card_?cvc)\\?["']?\s{0,2}[:=]\s{0,2}\\?["']?(?P<s>[0-9]{3}-?[0-9]{2}-?[0-9]{4}|[0-9]{3,4})\b"#,
        Check::None,
    ),
    checked(
        "password",
        &["redis-cli", "docker login", "ldapsearch", "sqlcmd", "-passin", "-passout"],
        r#"(\bredis-cli\b.*\s-a|\bdocker login\b.*\s-p|\bldapsearch\b.*\s-w|\bsqlcmd\b.*\s-P)\s+["']?(?P<s>[^\s"'-][^\s"']{2,255})|-pass(in|out)\s+pass:(?P<t>\S{3,255})"#,
        Check::Value,
    ),
];
