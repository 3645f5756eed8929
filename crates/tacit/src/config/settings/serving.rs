//! Settings of the data, of gateways, of control planes and of the console.

use super::{Kind, Setting, in_development, optional, seconds, setting};

pub(super) const SETTINGS: &[Setting] = &[
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
        Kind::MasterKey,
        "{ file = \"{data_dir}/master.key\" }",
        "The key that unlocks the keyring: { file = \"/path\" }, { env = \"NAME\" }, { command = [\"/program\", \"argument\"] },\n\
         which prints it (run once, without a shell), or { pkcs11 = \"/path\" }, a file that only the token below opens.\n\
         `tacit setup` makes the file. Without it the data cannot be read: keep a copy of it, but not beside a backup of\n\
         the databases.",
    ),
    optional(
        "keyring.next_master_key",
        Kind::MasterKey,
        "{ file = \"/path\" }",
        "The master key that shall follow: `tacit keyring rekey` wraps the keyring with it. Until it takes the place of\n\
         keyring.master_key the keyring opens with either.",
    ),
    setting(
        "keyring.erasure_log",
        Kind::Path,
        "\"{data_dir}/erasures.log\"",
        "Where every erasure is written down once more, outside the databases: without it no backup of the keyring can be\n\
         restored (docs/backups.md). Put it on another disk and copy it often; it holds no id.",
    ),
    optional(
        "keyring.pkcs11.module",
        Kind::Path,
        "\"/usr/lib/softhsm/libsofthsm2.so\"",
        "The PKCS#11 module of the token.",
    ),
    optional("keyring.pkcs11.token", Kind::Text, "\"tacit\"", "Label of the token."),
    setting(
        "keyring.pkcs11.key",
        Kind::Text,
        "\"tacit-master\"",
        "Label of the AES key on the token that wraps the master key. `tacit setup` makes it, not to be taken out.",
    ),
    optional("keyring.pkcs11.pin", Kind::Secret, "{ file = \"/path\" }", "The user's PIN of the token."),
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
        "console.account_per_minute",
        Kind::Number { min: 10, max: 1_000_000 },
        "1200",
        "How many requests one account that is signed in, with its management keys, may send to a control plane in a minute.",
    ),
];
