use super::resolve::{Given, Origin, Problems, Resolved, resolve};
use super::settings::{SETTINGS, example};
use super::*;

fn given(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Given {
    Given {
        file: Some((PathBuf::from("tacit.toml"), file.to_owned())),
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        flags: flags.iter().map(|(k, v)| (format!("--set {k}"), (*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn good(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Resolved {
    resolve(&given(file, environment, flags)).unwrap()
}

fn bad(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
    let Problems(list) = resolve(&given(file, environment, flags)).unwrap_err();
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let file = "[gateway]\nlisten = \"1.1.1.1:1\"\nname = \"from-file\"\nmax_body_bytes = 2048";
    let environment = [("TACIT_GATEWAY__LISTEN", "2.2.2.2:2"), ("TACIT_GATEWAY__NAME", "from-env"), ("HOME", "x")];
    let resolved = good(file, &environment, &[("gateway.listen", "3.3.3.3:3")]);
    assert_eq!(resolved.config.gateway.listen.to_string(), "3.3.3.3:3");
    assert_eq!(resolved.config.gateway.name, "from-env");
    assert_eq!(resolved.config.gateway.max_body_bytes, 2048);
    assert_eq!(resolved.config.gateway.keep_alive_seconds, 10);
    let origin = |key| resolved.values[key].1.to_string();
    assert_eq!(origin("gateway.listen"), "flag --set gateway.listen");
    assert_eq!(origin("gateway.name"), "environment TACIT_GATEWAY__NAME");
    assert_eq!(origin("gateway.max_body_bytes"), "file tacit.toml");
    assert_eq!(origin("gateway.keep_alive_seconds"), "default");
}

#[test]
fn the_profile_picks_defaults_and_the_data_directory_is_put_in() {
    let resolved = good("profile = \"development\"\ndata_dir = \"d\"", &[], &[]);
    assert_eq!(resolved.config.log.format, Format::Pretty);
    assert_eq!(resolved.config.database.url, DatabaseUrl::Plain("sqlite:d/tacit.db".into()));
    assert_eq!(resolved.config.keyring.master_key, MasterSource::File("d/master.key".into()));
    assert_eq!(good("", &[], &[]).config.log.format, Format::Json);
}

#[test]
fn unknown_keys_are_errors_that_name_key_source_and_remedy() {
    assert_eq!(
        bad("[gateway]\nlisen = \"1.1.1.1:1\"", &[("TACIT_GATEWAY__NAMES", "x")], &[("log.levels", "info")]),
        [
            "gateway.lisen (file tacit.toml): there is no such setting; did you mean gateway.listen?",
            "log.levels (flag --set log.levels): there is no such setting; did you mean log.level?",
            "gateway.names (environment TACIT_GATEWAY__NAMES): there is no such setting; did you mean gateway.name?",
        ]
    );
    assert_eq!(bad("nonsense = 1", &[], &[]).len(), 1);
    assert_eq!(bad("[nonsense]\na = 1", &[], &[]).len(), 1);
}

#[test]
fn bad_values_are_errors() {
    for (key, value) in [
        ("gateway.listen", "8080"),
        ("gateway.admin_listen", "on"),
        ("gateway.sandbox", "yes"),
        ("gateway.max_body_bytes", "10MB"),
        ("gateway.max_body_bytes", "1"),
        ("gateway.max_body_bytes", "1073741825"),
        ("gateway.max_connections", "0"),
        ("gateway.max_calls", "0"),
        ("gateway.max_answer_bytes", "-1"),
        ("gateway.max_answer_bytes", "2147483649"),
        ("gateway.max_attempts", "0"),
        ("gateway.max_unacknowledged", "1"),
        ("gateway.head_timeout_seconds", "0"),
        ("gateway.unread_timeout_seconds", "0"),
        ("database.max_connections", "1"),
        ("control.lost_after_seconds", "1"),
        ("control.verify_seconds", "-1"),
        ("gateway.trusted_proxies", "10.0.0.0/99"),
        ("gateway.name", ""),
        ("gateway.name", "a b"),
        ("gateway.tls_cert", "cert.pem"),
        ("database.url", "mysql://x"),
        ("link.listen", "tcp://10.0.0.1:7443"),
        ("link.listen", "10.0.0.1:7443"),
        ("link.connect", "nowhere"),
        ("console.listen", "tcp://10.0.0.1:7443"),
        ("console.listen", "tcp://localhost:7443"),
        ("console.connect", "tcp://10.0.0.1:7443"),
        ("console.connect", "127.0.0.1:7443"),
        ("console.network", "public"),
        ("console.url", "ai.example.com"),
        ("console.url", "http://ai.example.com"),
        ("console.url", "https://ai.example.com/console"),
        ("console.name", " "),
        ("money.currency", "usd"),
        ("money.settlement", "loose"),
        ("log.level", "trace"),
        ("messages.max_attempts", "0"),
        ("messages.smtp.port", "70000"),
        ("messages.smtp.tls", "maybe"),
        ("messages.sms.provider", "aliyun"),
        ("messages.smtp.password", "geheim"),
    ] {
        let problems = bad("", &[], &[(key, value)]);
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|p| p.starts_with(&format!("{key} (flag --set {key}): "))), "{problems:?}");
    }
    assert_eq!(bad("a = [", &[], &[]).len(), 1);
    assert_eq!(bad("[gateway]\nlisten = 8080", &[], &[]).len(), 1);
    let long = "x".repeat(120);
    assert_eq!(
        bad("", &[], &[("data_dir", &long)]).len(),
        5,
        "two ends of the link and of the console, and the admin socket"
    );
}

#[test]
fn bounds_are_settings_and_must_fit_together() {
    let file = "[gateway]\nmax_calls = 7\nmax_bodies_bytes = 70000\nmax_body_bytes = 70000\nmax_answer_bytes = 5000";
    let environment = [("TACIT_GATEWAY__UNREAD_TIMEOUT_SECONDS", "5"), ("TACIT_DATABASE__MAX_CONNECTIONS", "40")];
    let config = good(file, &environment, &[("gateway.max_connections", "9"), ("control.verify_seconds", "0")]).config;
    let gateway = &config.gateway;
    assert_eq!((gateway.max_calls, gateway.max_connections, gateway.unread_timeout_seconds), (7, 9, 5));
    assert_eq!((gateway.max_bodies_bytes, gateway.max_body_bytes, gateway.max_answer_bytes), (70_000, 70_000, 5_000));
    assert_eq!((config.database.max_connections, config.control.verify_seconds), (40, 0));

    assert_eq!(
        bad("[gateway]\nmax_bodies_bytes = 65536", &[("TACIT_GATEWAY__MAX_ANSWER_BYTES", "65537")], &[]),
        [
            "gateway.max_body_bytes (default): more than gateway.max_bodies_bytes, which holds them all: raise that, or \
             lower this",
            "gateway.max_answer_bytes (environment TACIT_GATEWAY__MAX_ANSWER_BYTES): more than gateway.max_bodies_bytes, \
             which holds them all: raise that, or lower this",
        ]
    );
    assert_eq!(
        bad("", &[], &[("gateway.max_calls", "1000001")]),
        ["gateway.max_calls (flag --set gateway.max_calls): give a whole number from 1 to 1000000"]
    );
}

#[test]
fn settings_of_messages_must_fit_together() {
    let smtp = "[messages.smtp]\nhost = \"mail.example\"\nfrom = \"a@b.example\"\n";
    assert_eq!(good(smtp, &[], &[]).config.messages.smtp.host.as_deref(), Some("mail.example"));
    assert_eq!(
        good(smtp, &[("TACIT_MESSAGES__SMTP__PORT", "2525")], &[]).config.messages.smtp.port,
        Some(2525),
        "sections within sections have variables too"
    );
    for (more, expected) in [
        ("tls = \"none\"", "messages.smtp.tls (file tacit.toml): \"none\" sends codes and addresses in clear"),
        ("user = \"u\"", "messages.smtp.user (file tacit.toml): set both"),
        (
            "hosts = \"x\"",
            "messages.smtp.hosts (file tacit.toml): there is no such setting; did you mean messages.smtp.host?",
        ),
    ] {
        let problems = bad(&format!("{smtp}{more}"), &[], &[]);
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
    }
    good(&format!("{smtp}tls = \"none\"\ncleartext = \"on\""), &[], &[]);
    good(&smtp.replace("mail.example", "127.0.0.1").replace("from", "tls = \"none\"\nfrom"), &[], &[]);
    for (file, key) in [
        ("[messages.smtp]\nhost = \"h\"", "messages.smtp.host"),
        ("[messages.smtp]\nfrom = \"a@b.example\"", "messages.smtp.host"),
        ("[messages.sms]\ndeclaration = \"x\"", "messages.sms.provider"),
        ("[messages.sms]\nprovider = \"twilio\"\ndeclaration = \"x\"", "messages.sms.provider"),
        ("[messages.sms]\nprovider = \"generic\"", "messages.sms.provider"),
    ] {
        let problems = bad(file, &[], &[]);
        assert!(problems.len() == 1 && problems[0].starts_with(key), "{problems:?}");
    }
}

#[test]
fn the_console_leaves_the_machine_only_if_the_operator_says_so() {
    for (address, network) in
        [("tcp://127.0.0.1:7443", "loopback"), ("tcp://[::1]:7443", "loopback"), ("tcp://10.0.0.1:7443", "private")]
    {
        let config = good("", &[], &[("console.listen", address), ("console.network", network)]).config;
        assert_eq!(config.console.listen.to_string(), address);
    }
}

#[test]
fn secrets_are_references() {
    let by_variable = good(
        "",
        &[("TACIT_DATABASE__URL", "postgres://u:geheim@h/d"), ("TACIT_MK", "k")],
        &[("keyring.master_key", "env:TACIT_MK")],
    );
    assert_eq!(by_variable.config.database.url, DatabaseUrl::Secret(Source::Env("TACIT_DATABASE__URL".into())));
    assert_eq!(by_variable.config.keyring.master_key, MasterSource::Env("TACIT_MK".into()));
    assert!(!serde_json::to_string(&by_variable.config).unwrap().contains("geheim"));
    assert!(!format!("{:?}", by_variable.values).contains("geheim"));

    for url in ["postgres://u:geheim@h/d", "postgres://h/d?password=geheim"] {
        for problems in [bad(&format!("[database]\nurl = {url:?}"), &[], &[]), bad("", &[], &[("database.url", url)])] {
            assert!(problems[0].starts_with("database.url ("), "{problems:?}");
            assert!(!problems.concat().contains("geheim"), "{problems:?}");
        }
    }
    for file in ["[keyring]\nmaster_key = \"geheim\"", "[keyring]\nmaster_key = { env = \"A\", file = \"geheim\" }"] {
        let problems = bad(file, &[], &[]);
        assert!(problems[0].starts_with("keyring.master_key (file") && !problems[0].contains("geheim"), "{problems:?}");
    }
    assert_eq!(
        good("[database]\nurl = \"postgres://u@h/d\"", &[], &[]).values["database.url"].1,
        Origin::File("tacit.toml".into())
    );
}

fn recipient() -> String {
    tacit_privacy::backup::Identities::generate(tacit_kernel::Timestamp(0)).1
}

#[test]
fn backups_have_a_place_a_key_and_an_end_and_the_keyring_another_place() {
    let recipient = recipient();
    let place = |directory, keyring| {
        let pairs = [("backup.directory", directory), ("backup.keyring_directory", keyring)];
        let keys = [("backup.recipients", recipient.as_str()), ("backup.keyring_recipients", recipient.as_str())];
        [pairs, keys].concat()
    };
    let config = good("", &[], &place("/a/data", "/a/keys")).config;
    assert_eq!(config.backup.shelves().unwrap().len(), 2);
    assert_eq!((config.backup.keep_days, config.backup.keyring_keep_days, config.backup.every()), (35, 7, None));
    assert_eq!(good("", &[], &[]).config.backup.shelves().unwrap().len(), 0);
    for (data, keyring) in [("/a", "/a"), ("/a", "/a/keys"), ("/a/data", "/a"), ("/a/b/../b", "/a/b/../b/c")] {
        let problems = bad("", &[], &place(data, keyring));
        assert!(problems.len() == 1 && problems[0].starts_with("backup.keyring_directory"), "{problems:?}");
    }
    for (key, value, of) in [
        ("backup.directory", "/a", "backup.recipients"),
        ("backup.recipients", recipient.as_str(), "backup.recipients"),
        ("backup.keyring_directory", "/a", "backup.keyring_recipients"),
        ("backup.recipients", "age1nonsense", "backup.recipients"),
        ("backup.keep_days", "36", "backup.keep_days"),
        ("backup.keep_days", "0", "backup.keep_days"),
        ("backup.keyring_keep_days", "8", "backup.keyring_keep_days"),
        ("backup.every_hours", "1", "backup.every_hours"),
    ] {
        let problems = bad("", &[], &[(key, value)]);
        assert!(problems.len() == 1 && problems[0].starts_with(of), "{key}: {problems:?}");
    }
}

#[test]
fn the_list_of_settings_is_the_configuration() {
    let mut every = given("", &[], &[]);
    for setting in SETTINGS.iter().filter(|s| s.production.is_none()) {
        let sample: toml::Table = toml::from_str(&format!("v = {}", setting.sample)).unwrap();
        let text = match &sample["v"] {
            toml::Value::Table(reference) => {
                let (how, what) = reference.iter().next().unwrap();
                format!("{how}:{}", what.as_str().unwrap())
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(list) if list.iter().all(toml::Value::is_str) => {
                list.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        every.flags.push(("--set".into(), setting.key.into(), text));
    }
    // Such a provider needs what is sampled.
    every.flags.push(("--set".into(), "messages.sms.provider".into(), "aliyun".into()));
    every.flags.push(("--set".into(), "verification.person".into(), "agency".into()));
    every.flags.push(("--set".into(), "verification.agency.provider".into(), "aliyun".into()));
    // And backups are for somebody.
    let recipient = recipient();
    every.flags.push(("--set".into(), "backup.recipients".into(), recipient.clone()));
    every.flags.push(("--set".into(), "backup.keyring_recipients".into(), recipient));
    let config = resolve(&every).unwrap().config;
    let mut open = vec![(String::new(), toml::Table::try_from(&config).unwrap())];
    let mut fields = Vec::new();
    while let Some((prefix, table)) = open.pop() {
        for (name, value) in table {
            match value {
                // A table that is a setting is a reference to a secret.
                toml::Value::Table(inner) if !SETTINGS.iter().any(|s| s.key == format!("{prefix}{name}")) => {
                    open.push((format!("{prefix}{name}."), inner));
                }
                _ => fields.push(format!("{prefix}{name}")),
            }
        }
    }
    let mut listed: Vec<String> = SETTINGS.iter().map(|s| s.key.to_owned()).collect();
    fields.sort();
    listed.sort();
    assert_eq!(fields, listed);
}

#[test]
fn the_configuration_comes_back_from_json() {
    let config =
        good("", &[], &[("gateway.admin_listen", "off"), ("gateway.trusted_proxies", "10.0.0.0/8, ::1/128")]).config;
    assert_eq!(serde_json::from_str::<Config>(&serde_json::to_string(&config).unwrap()).unwrap(), config);
}

#[test]
fn the_example_file_is_fresh_and_says_what_holds_anyway() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tacit.example.toml");
    let on_disk = std::fs::read_to_string(path).unwrap();
    assert_eq!(on_disk, example(), "make it again: tacit config example > tacit.example.toml");

    // Uncommented, every line that shows a default is accepted and changes nothing.
    let (mut live, mut before) = (String::new(), "");
    for line in on_disk.lines() {
        match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && before != "# No default. For example:" => {
                live.push_str(setting)
            }
            Some(_) => {}
            None => live.push_str(line),
        }
        live.push('\n');
        before = line;
    }
    assert!(live.contains("listen = "), "{live}");
    assert_eq!(good(&live, &[], &[]).config, good("", &[], &[]).config);
}

#[test]
fn providers_of_identities_are_tables_of_the_file_with_secrets_by_reference() {
    let provider = |more: &str| {
        format!(
            "[console]\nurl = \"https://ai.example\"\n[[sign_in.providers]]\nid = \"a\"\npreset = \"github\"\nclient_id = \"x\"\n\
             name_en = \"A\"\nname_zh = \"甲\"\n{more}"
        )
    };
    let secret = "client_secret = { env = \"TACIT_GITHUB\" }\n";
    // The variable of a secret is none that is unknown.
    let config = good(&provider(secret), &[("TACIT_GITHUB", "s")], &[]).config;
    assert_eq!(config.sign_in.providers[0].client_secret, Source::Env("TACIT_GITHUB".into()));
    assert_eq!(serde_json::from_str::<Config>(&serde_json::to_string(&config).unwrap()).unwrap(), config);

    for (file, wanted) in [
        (provider("client_secret = \"canary\"\n"), "give tables"),
        (provider(&format!("{secret}canary = 1\n")), "give tables"),
        (provider(secret).replace("github", "canary"), "give tables"),
        (provider(secret).replace("github", "oidc"), "needs an issuer"),
        (
            provider(&format!("{secret}issuer = \"https://canary.example\"\n")).replace("github", "google"),
            "leave it out",
        ),
        (provider(secret).replace("url = \"https://ai.example\"", ""), "console.url: set it"),
        (provider(secret).replace("https://ai.example", "http://ai.example"), "scheme and host alone"),
        (provider(secret).replace("https://ai.example", "https://ai.example/console"), "scheme and host alone"),
    ] {
        let said = bad(&file, &[], &[]).join("\n");
        assert!(said.contains(wanted) && !said.contains("canary"), "{said}");
    }
    assert_eq!(sign_in::site("http://localhost:8080").unwrap(), ("http://localhost:8080".into(), "localhost".into()));
    assert_eq!(sign_in::site("https://ai.example:443/").unwrap(), ("https://ai.example".into(), "ai.example".into()));
}
