//! Every setting there is, in the order in which the example file shows them. The file reader, the environment reader,
//! the flags, `tacit config show` and `tacit.example.toml` are all made from this list; a test holds it against the
//! fields of [`super::Config`], so neither can have a setting that the other lacks.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A path on this machine.
    Path,
    /// A whole number within bounds.
    Number {
        /// At least.
        min: i64,
        /// At most.
        max: i64,
    },
    /// An IP address and a port.
    Address,
    /// An IP address and a port, or `off`.
    AddressOrOff,
    /// `unix:/path` or `tcp://host:port`.
    Endpoint,
    /// Network ranges.
    Networks,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A list of names of models.
    Names,
    /// A secret: `{ env = "NAME" }` or `{ file = "/path" }`.
    Secret,
    /// Providers of identities: an array of tables.
    Providers,
    /// The URL of a database; one with a password in it counts as a secret.
    Database,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Dotted name.
    pub(crate) key: &'static str,
    /// What its value must look like.
    pub(crate) kind: Kind,
    /// Value in the profile `production`, as TOML; `None` if it has none. `{data_dir}` stands for the data directory.
    pub(crate) production: Option<&'static str>,
    /// Value in the profile `development`, where it differs.
    pub(crate) development: Option<&'static str>,
    /// What the example shows if there is no value by default.
    pub(crate) sample: &'static str,
    /// What it is, for the example file.
    pub(crate) doc: &'static str,
}

impl Setting {
    /// The value it has when nobody says otherwise, as TOML.
    pub(crate) fn default_in(&self, development: bool) -> Option<&'static str> {
        match self.development {
            Some(value) if development => Some(value),
            _ => self.production,
        }
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("TACIT_{}", self.key.replace('.', "__").to_uppercase())
    }
}

const fn setting(key: &'static str, kind: Kind, production: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, production: Some(production), development: None, sample: "", doc }
}

/// A field of registration.
const fn asked(key: &'static str, production: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Word(&["required", "optional", "off"]), production, doc)
}

const fn optional(key: &'static str, kind: Kind, sample: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, production: None, development: None, sample, doc }
}

const fn in_development(mut setting: Setting, value: &'static str) -> Setting {
    setting.development = Some(value);
    setting
}

const fn seconds(key: &'static str, production: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Number { min: 1, max: 86_400 }, production, doc)
}

/// The settings.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "profile",
        Kind::Word(&["production", "development"]),
        "\"production\"",
        "Which defaults hold. `development` also starts the practice provider and makes a demo account with a key.",
    ),
    in_development(
        setting(
            "data_dir",
            Kind::Path,
            "\"/var/lib/tacit\"",
            "Where Tacit keeps its files: databases, master key, sockets. Mode 0700.",
        ),
        "\"data\"",
    ),
    setting(
        "database.url",
        Kind::Database,
        "\"sqlite:{data_dir}/tacit.db\"",
        "The main database: `sqlite:/path` or `postgres://user@host/name`. A URL with a password is a secret: give\n\
         { env = \"NAME\" } or { file = \"/path\" }.",
    ),
    setting(
        "database.max_connections",
        Kind::Number { min: 2, max: 1_000 },
        "16",
        "Connections to PostgreSQL at most; the keyring may have as many. The server's own max_connections must allow\n\
         both, for every control plane. Of no meaning for SQLite.",
    ),
    setting(
        "keyring.url",
        Kind::Database,
        "\"sqlite:{data_dir}/keyring.db\"",
        "The keyring: subject keys, apart from the data and from its backups. Written like database.url.",
    ),
    setting(
        "keyring.master_key",
        Kind::Secret,
        "{ file = \"{data_dir}/master.key\" }",
        "The key that unlocks the keyring. `tacit setup` makes the file. Without it the data cannot be read: keep a\n\
         copy of it, but not beside a backup of the databases.",
    ),
    setting("gateway.listen", Kind::Address, "\"127.0.0.1:8080\"", "The public port."),
    setting(
        "gateway.admin_listen",
        Kind::AddressOrOff,
        "\"127.0.0.1:8081\"",
        "/healthz, /readyz and /metrics of the gateway; \"off\" for none. Not for the public.",
    ),
    setting(
        "gateway.name",
        Kind::Text,
        "\"gateway-1\"",
        "Name of this gateway, unique in a cluster: a second one of the same name ends the session of the first.",
    ),
    setting(
        "gateway.sandbox",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Landlock and seccomp. With \"on\" the gateway refuses to start where the kernel cannot; \"off\" is shown by\n\
         every status page.",
    ),
    setting(
        "gateway.workers",
        Kind::Number { min: 0, max: 1_024 },
        "0",
        "Threads that serve; 0: as many as the machine has processors.",
    ),
    optional(
        "gateway.tls_cert",
        Kind::Path,
        "\"/etc/tacit/cert.pem\"",
        "Certificate chain and private key (PEM). Both: the public port speaks TLS. Neither: plain HTTP, for use behind\n\
         a proxy.",
    ),
    optional("gateway.tls_key", Kind::Path, "\"/etc/tacit/key.pem\"", "See gateway.tls_cert."),
    setting(
        "gateway.max_connections",
        Kind::Number { min: 1, max: 1_000_000 },
        "20000",
        "Client connections at the same time; more wait until one closes. Half of the limit of open files (LimitNOFILE)\n\
         is what can be had: a call needs a connection to its provider too. The log says so where it is less.",
    ),
    setting(
        "gateway.max_calls",
        Kind::Number { min: 1, max: 1_000_000 },
        "20000",
        "Calls at the same time, of all clients; more are refused with a word to try again. A stream takes some 30 KB,\n\
         and up to 100 KB more while its client reads slowly.",
    ),
    setting(
        "gateway.max_body_bytes",
        Kind::Number { min: 1_024, max: 1_073_741_824 },
        "33554432",
        "Largest request body. It is held in memory, never on disk.",
    ),
    setting(
        "gateway.max_answer_bytes",
        Kind::Number { min: 1_024, max: 4_294_967_296 },
        "268435456",
        "Largest answer that is not streamed. It is held in memory until it is whole. Streams may have any length.",
    ),
    setting(
        "gateway.max_bodies_bytes",
        Kind::Number { min: 65_536, max: 1_099_511_627_776 },
        "2147483648",
        "Most memory for the request bodies and the answers that are not streamed of all calls together; calls beyond it\n\
         are refused with a word to try again. Not less than either of the two above.",
    ),
    setting(
        "gateway.max_attempts",
        Kind::Number { min: 1, max: 32 },
        "4",
        "Attempts at a provider that one call makes at most, the first one included.",
    ),
    setting(
        "gateway.max_unacknowledged",
        Kind::Number { min: 100, max: 100_000_000 },
        "100000",
        "Call events (two a call, some 1 KB each) that are kept while the control plane is away, before new calls are\n\
         refused. It is looked at when a call begins, so the calls that are open then may go beyond it.",
    ),
    seconds(
        "gateway.head_timeout_seconds",
        "30",
        "How long the head of a request may take, and how long a connection of HTTP/1.1 may be idle. More than a proxy in\n\
         front keeps its idle connections, or it uses one that is just closed.",
    ),
    seconds("gateway.body_timeout_seconds", "60", "How long a request body may take to arrive."),
    seconds("gateway.connect_timeout_seconds", "10", "How long connecting to a provider may take."),
    seconds("gateway.first_byte_timeout_seconds", "600", "How long a provider may take until its first byte."),
    seconds("gateway.idle_timeout_seconds", "300", "How long a provider may be silent within a stream."),
    seconds(
        "gateway.keep_alive_seconds",
        "10",
        "A client that waits for a silent provider gets a comment or `ping` event this often.",
    ),
    seconds(
        "gateway.unread_timeout_seconds",
        "120",
        "How long a client may leave unread what it is sent. Its call is then cancelled and charged as that of a client\n\
         that went away (docs/billing.md).",
    ),
    seconds("gateway.drain_seconds", "60", "How long open calls may go on after a request to stop."),
    setting(
        "gateway.trusted_proxies",
        Kind::Networks,
        "[]",
        "Proxies whose X-Forwarded-For is believed, e.g. [\"10.0.0.0/8\"].",
    ),
    setting(
        "control.admin_socket",
        Kind::Path,
        "\"{data_dir}/admin.sock\"",
        "The socket of the administration commands; only its owner and root may use it.",
    ),
    setting(
        "control.admin_listen",
        Kind::AddressOrOff,
        "\"127.0.0.1:8082\"",
        "/healthz, /readyz and /metrics of the control plane; \"off\" for none. Not for the public.",
    ),
    setting(
        "control.lost_after_seconds",
        Kind::Number { min: 60, max: 86_400 },
        "900",
        "A gateway that has been away for so long is taken for lost: its open calls are settled by the published rule\n\
         (docs/billing.md) and the money it holds is released.",
    ),
    setting(
        "control.verify_seconds",
        Kind::Number { min: 0, max: 604_800 },
        "3600",
        "How often the control plane checks the whole ledger, as `tacit ledger verify` does; 0: never.",
    ),
    setting("console.name", Kind::Text, "\"Tacit\"", "The name of the platform, as it is shown to people."),
    in_development(
        optional(
            "console.url",
            Kind::Text,
            "\"https://ai.example\"",
            "Where people reach the platform: scheme and host. Links in messages begin with it, providers of identities send\n\
             people back there, and passkeys are for that host: another one makes them worthless. Without it none of them is\n\
             offered, nor invitations to organisations.",
        ),
        "\"http://localhost:8080\"",
    ),
    setting(
        "console.listen",
        Kind::Endpoint,
        "\"unix:{data_dir}/console.sock\"",
        "Where the control plane waits for requests to the console that gateways forward: unix:/path, which only its owner\n\
         and root may use, or tcp://host:port, which is not encrypted and believes what it is told of clients.",
    ),
    setting(
        "console.connect",
        Kind::Endpoint,
        "\"unix:{data_dir}/console.sock\"",
        "Where the gateway finds the console; written like console.listen.",
    ),
    setting(
        "console.network",
        Kind::Word(&["loopback", "private"]),
        "\"loopback\"",
        "Which addresses console.listen and console.connect may name. \"private\": any; the operator says that nobody but\n\
         gateways and control planes can reach or read that network.",
    ),
    setting(
        "console.anonymous_per_minute",
        Kind::Number { min: 1, max: 1_000_000 },
        "120",
        "How many requests that change something (a sign-in, a code, a registration) one address that is not signed in may\n\
         send to a control plane in a minute; its network, ten times as many.",
    ),
    setting(
        "console.anonymous_per_second",
        Kind::Number { min: 1, max: 100_000 },
        "50",
        "How many such requests of all who are not signed in together a control plane serves in a second. More are told to try\n\
         again, so that a flood from everywhere leaves the database to the calls.",
    ),
    setting(
        "registration.open",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether anybody may register. Codes are sent, so that messages must be configured too.",
    ),
    setting("registration.group", Kind::Text, "\"default\"", "The pricing group of who registers."),
    setting(
        "registration.minors",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether minors may register, with the consent of a guardian, who is sent a code.",
    ),
    asked("registration.username", "\"optional\"", "A name to sign in with; without one the platform makes one up."),
    asked("registration.email", "\"required\"", "An e-mail address, shown to be theirs by a code."),
    asked("registration.phone", "\"off\"", "A phone number, shown to be theirs by a code."),
    asked("registration.password", "\"optional\"", "A password; without one codes are sent to sign in."),
    asked("registration.invitation", "\"optional\"", "An invitation."),
    asked("registration.company", "\"off\"", "Company."),
    asked("registration.position", "\"off\"", "Position in the company."),
    asked("registration.country", "\"off\"", "Country."),
    asked("registration.region", "\"off\"", "Region or province."),
    asked("registration.city", "\"off\"", "City."),
    asked("registration.use_case", "\"off\"", "What the service is to be used for."),
    asked("registration.experience", "\"off\"", "Experience with such services."),
    asked("registration.referrer", "\"off\"", "How they heard of the service."),
    setting(
        "organisations.open",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether people may make organisations (docs/organisations.md).",
    ),
    setting(
        "sign_in.providers",
        Kind::Providers,
        "[]",
        "Providers of identities to sign in with (docs/accounts.md), in this file only, a table each:\n\
         [[sign_in.providers]]\n\
         id = \"example\"            in paths; tell the provider console.url/sign-in/callback/example\n\
         preset = \"oidc\"           or \"google\", \"github\", \"wechat\", \"qq\"\n\
         issuer = \"https://id.example\"    for \"oidc\"\n\
         client_id = \"tacit\"\n\
         client_secret = { file = \"/etc/tacit/example.secret\" }\n\
         name_en = \"Example\"\n\
         name_zh = \"示例\"\n\
         Also: allow_private = true for an address that is not on the public internet; ca = \"/path\" who signed its\n\
         certificate; authorize_url, token_url, user_url instead of those of a preset.",
    ),
    setting(
        "verification.person",
        Kind::Word(&["off", "staff", "agency"]),
        "\"off\"",
        "Whether persons may show who they are (docs/verification.md), and who decides. With \"agency\" staff decides what\n\
         the agency cannot tell.",
    ),
    setting("verification.enterprise", Kind::Word(&["off", "staff", "agency"]), "\"off\"", "The same of enterprises."),
    setting(
        "verification.person_papers",
        Kind::Words(&["id_card_front", "id_card_back", "passport"]),
        "[\"id_card_front\", \"id_card_back\"]",
        "The papers that are asked for with a document; one of which none is named here is not taken. With none at all\n\
         any document is taken, and no paper.",
    ),
    setting(
        "verification.enterprise_papers",
        Kind::Words(&["business_licence", "authorisation_letter"]),
        "[\"business_licence\"]",
        "The same of enterprises.",
    ),
    setting(
        "verification.paper_max_bytes",
        Kind::Number { min: 65_536, max: 8_388_608 },
        "5242880",
        "The largest paper.",
    ),
    setting(
        "verification.kept_days",
        Kind::Number { min: 0, max: 90 },
        "7",
        "Days after a verdict for which name, number, note and papers are kept; then they are deleted and their key is\n\
         destroyed.",
    ),
    setting(
        "verification.undecided_days",
        Kind::Number { min: 1, max: 90 },
        "30",
        "Days after which a case that nobody decided is over, and what it holds is deleted.",
    ),
    setting(
        "verification.accounts_per_number",
        Kind::Number { min: 0, max: 1_000_000 },
        "1",
        "Accounts that one number may be approved for at most; 0: any.",
    ),
    optional(
        "verification.unverified.api_keys",
        Kind::Number { min: 0, max: 1_000_000 },
        "1",
        "API keys that an account may have in use before it was verified; any if not given.",
    ),
    setting(
        "verification.unverified.management_keys",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may make management keys.",
    ),
    setting(
        "verification.unverified.organisations",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may make organisations.",
    ),
    setting(
        "verification.unverified.calls",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may call models at all.",
    ),
    optional(
        "verification.unverified.spend_per_day",
        Kind::Text,
        "\"1.00\"",
        "What it may spend on a day (UTC) at most, in the settlement currency.",
    ),
    optional("verification.unverified.spend_per_month", Kind::Text, "\"10.00\"", "The same in a calendar month."),
    optional("verification.unverified.models", Kind::Names, "[\"small\"]", "The only models that it may call."),
    setting(
        "verification.agency.provider",
        Kind::Word(&["none", "generic", "aliyun", "tencent"]),
        "\"none\"",
        "The agency that is asked whether name and number belong together. It is told them only of who agreed to it.",
    ),
    optional("verification.agency.name_en", Kind::Text, "\"Example Agency\"", "Its name, as people are told it."),
    optional("verification.agency.name_zh", Kind::Text, "\"示例核验机构\"", "The same in Chinese."),
    optional(
        "verification.agency.url",
        Kind::Text,
        "\"https://agency.example/check\"",
        "Where it is. Of \"aliyun\" and \"tencent\" only if it is not the usual place.",
    ),
    optional(
        "verification.agency.user",
        Kind::Text,
        "\"LTAI5tExample\"",
        "The AccessKey id (aliyun) or SecretId (tencent).",
    ),
    optional(
        "verification.agency.secret",
        Kind::Secret,
        "{ file = \"/etc/tacit/agency.secret\" }",
        "The AccessKey secret, the SecretKey or, for \"generic\", whsec_ and the key in base64.",
    ),
    setting(
        "verification.agency.allow_private",
        Kind::Word(&["on", "off"]),
        "\"off\"",
        "Whether the agency may have an address that is not on the public internet.",
    ),
    optional(
        "verification.agency.ca",
        Kind::Path,
        "\"/etc/tacit/agency-ca.pem\"",
        "Who signed the agency's certificate (PEM), if it is none of the authorities of the web.",
    ),
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

/// The setting of that name.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}

/// The example file: every setting with its meaning and its default, all commented out.
pub(crate) fn example() -> String {
    let mut out = String::from(
        "# Every setting of Tacit with its default. Made from the program's own list: `tacit config example`.\n\
         #\n\
         # Precedence, strongest first: flags (--set gateway.listen=…), environment (TACIT_GATEWAY__LISTEN), this file,\n\
         # the defaults of the profile. An unknown key or a bad value is an error. {data_dir} stands for data_dir.\n\
         # Secrets are given by reference only: { env = \"NAME\" } or { file = \"/path\" } (mode 0600).\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (table, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if table != section {
            section = table;
            out.push_str(&format!("\n[{table}]\n"));
        } else {
            out.push('\n');
        }
        for line in setting.doc.lines() {
            out.push_str(&format!("# {line}\n"));
        }
        match setting.kind {
            Kind::Word(words) => out.push_str(&format!("# One of: {}.\n", words.join(", "))),
            Kind::Words(words) => out.push_str(&format!("# Any of: {}.\n", words.join(", "))),
            _ => {}
        }
        if let Some(value) = setting.development {
            out.push_str(&format!("# In the profile development: {value}\n"));
        }
        match setting.production {
            Some(value) => out.push_str(&format!("#{name} = {value}\n")),
            None => out.push_str(&format!("# No default. For example:\n#{name} = {}\n", setting.sample)),
        }
    }
    out
}
