//! Settings of the link between gateways and control planes, of money, of messages, of the practice provider and of the log.

use super::{Kind, Setting, in_development, optional, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "link.listen",
        Kind::Endpoint,
        "\"unix:{data_dir}/link.sock\"",
        "Where the control plane waits for gateways: unix:/path, or tcp://host:port, which needs link.ca, link.cert and\n\
         link.key (mutual TLS).",
    ),
    setting(
        "link.connect",
        Kind::Endpoint,
        "\"unix:{data_dir}/link.sock\"",
        "Where the gateway finds its control plane; written like link.listen. Over TCP the control plane's certificate\n\
         must carry that host.",
    ),
    optional("link.ca", Kind::Path, "\"/etc/tacit/link-ca.pem\"", "Who signed the other side's certificate (PEM)."),
    optional("link.cert", Kind::Path, "\"/etc/tacit/link-cert.pem\"", "Our certificate on the link (PEM)."),
    optional("link.key", Kind::Path, "\"/etc/tacit/link-key.pem\"", "Its private key (PEM)."),
    setting(
        "money.currency",
        Kind::Text,
        "\"USD\"",
        "Settlement currency (ISO 4217). Fixed with the first start on a database.",
    ),
    setting(
        "money.settlement",
        Kind::Word(&["grouped", "strict"]),
        "\"grouped\"",
        "\"grouped\": the last byte of an answer waits until it is on disk that the call was begun. \"strict\": until it\n\
         is on disk how it ended, from which its exact charge follows. Both are settled within a moment.",
    ),
    setting(
        "money.default_output_tokens",
        Kind::Number { min: 1, max: 10_000_000 },
        "16384",
        "What is reserved for the answer at first if neither the request nor the model says how long it may become.",
    ),
    setting(
        "messages.service_name",
        Kind::Text,
        "\"Tacit\"",
        "What the platform calls itself in e-mails and text messages (docs/messages.md).",
    ),
    optional(
        "messages.templates",
        Kind::Path,
        "\"/etc/tacit/templates\"",
        "A directory with templates that are taken instead of the program's, such as zh/code.sign_in.txt.",
    ),
    setting(
        "messages.max_attempts",
        Kind::Number { min: 1, max: 50 },
        "10",
        "Attempts to send a message, at most: the second after 5 seconds, each further one after twice as long, up to a\n\
         quarter of an hour.",
    ),
    setting(
        "messages.concurrency",
        Kind::Number { min: 1, max: 256 },
        "8",
        "Messages that a control plane sends at the same time.",
    ),
    setting(
        "messages.timeout_seconds",
        Kind::Number { min: 1, max: 600 },
        "30",
        "How long an attempt to send a message may take.",
    ),
    optional(
        "messages.smtp.host",
        Kind::Text,
        "\"smtp.example.com\"",
        "The mail server. Without one no e-mail is sent: in production whatever needs one is refused, in development\n\
         `tacit messages list` shows what would have been sent.",
    ),
    optional(
        "messages.smtp.port",
        Kind::Number { min: 1, max: 65_535 },
        "587",
        "Its port; if not given 587 with \"starttls\", 465 with \"implicit\", 25 with \"none\".",
    ),
    setting(
        "messages.smtp.tls",
        Kind::Word(&["starttls", "implicit", "none"]),
        "\"starttls\"",
        "How the connection is protected. With \"starttls\" nothing is said to a server that does not offer it. \"none\" is\n\
         for a server on this machine.",
    ),
    setting(
        "messages.smtp.cleartext",
        Kind::Word(&["on", "off"]),
        "\"off\"",
        "With \"on\", messages.smtp.tls = \"none\" is allowed to other machines too: codes, addresses and the password can\n\
         be read on the way.",
    ),
    optional("messages.smtp.user", Kind::Text, "\"no-reply@example.com\"", "Who we are to the mail server."),
    optional(
        "messages.smtp.password",
        Kind::Secret,
        "{ file = \"/etc/tacit/smtp.password\" }",
        "The password of messages.smtp.user.",
    ),
    optional("messages.smtp.from", Kind::Text, "\"no-reply@example.com\"", "The address that e-mails come from."),
    optional(
        "messages.smtp.from_name",
        Kind::Text,
        "\"Example AI\"",
        "The name beside it; messages.service_name if not given.",
    ),
    optional(
        "messages.smtp.ca",
        Kind::Path,
        "\"/etc/tacit/mail-ca.pem\"",
        "Who signed the mail server's certificate (PEM), if it is none of the authorities of the web.",
    ),
    setting(
        "messages.sms.provider",
        Kind::Word(&["none", "aliyun", "tencent", "twilio", "generic"]),
        "\"none\"",
        "Who sends text messages.",
    ),
    optional(
        "messages.sms.user",
        Kind::Text,
        "\"LTAI5tExample\"",
        "The AccessKey id (aliyun), SecretId (tencent) or account SID (twilio).",
    ),
    optional(
        "messages.sms.secret",
        Kind::Secret,
        "{ file = \"/etc/tacit/sms.secret\" }",
        "The AccessKey secret, SecretKey or auth token of messages.sms.user.",
    ),
    optional(
        "messages.sms.declaration",
        Kind::Path,
        "\"/etc/tacit/sms.toml\"",
        "The file that declares sender, approved templates or, for \"generic\", the request (docs/messages.md).",
    ),
    setting(
        "messages.sms.allow_private",
        Kind::Word(&["on", "off"]),
        "\"off\"",
        "Whether the provider may have an address that is not on the public internet.",
    ),
    optional(
        "messages.sms.ca",
        Kind::Path,
        "\"/etc/tacit/sms-ca.pem\"",
        "Who signed the provider's certificate (PEM), if it is none of the authorities of the web.",
    ),
    setting(
        "practice.listen",
        Kind::Address,
        "\"127.0.0.1:8089\"",
        "Where the practice provider listens (profile development only).",
    ),
    setting(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug"]),
        "\"info\"",
        "The least important events to write.",
    ),
    in_development(
        setting("log.format", Kind::Word(&["json", "pretty"]), "\"json\"", "How events are written to standard error."),
        "\"pretty\"",
    ),
];
