//! Reading and writing the file.

use crate::platform_file::PlatformFile;
use crate::platform_file::form::{AccountFile, ChannelFile, GroupFile, KeyFile, ModelFile};
use tacit_catalog::ProviderSpec;
use tacit_kernel::limits::Limits;
use tacit_kernel::rating::TokenClass;
use tacit_kernel::{Nano, Timestamp};

pub(super) const FULL: &str = r#"
[groups.default]
[groups.vip]
multiplier = "0.8"

[providers.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"

[providers.claude]
dialect = "anthropic"
base_url = "https://api.anthropic.com"
auth = "bearer"

[models."gpt-4o"]
owned_by = "openai"
context_tokens = 128000
max_output_tokens = 16384
price = { input = "2.50", cache_read = "1.25", output = "10" }

[models.tiered]
[models.tiered.price]
per_call = "0.001"
tiers = [
    { above_input_tokens = 0, input = "1", output = "2" },
    { above_input_tokens = 200000, input = "2", output = "4" },
]
[models.tiered.next_price]
effective_at = 2030-01-01T00:00:00Z
input = "3"
output = "6"

[channels.main]
provider = "openai"
priority = 10
weight = 2
multiplier = "1.1"
max_concurrency = 100
models = { "gpt-4o" = "gpt-4o-2024-11-20", tiered = "t" }
credentials = { first = { env = "OPENAI_KEY" }, second = { file = "second.key" } }

[accounts."ann@example.org"]
group = "vip"
limits = { requests_per_minute = 60, spend_per_day = "5", expires_at = "2031-01-01", ip_ranges = ["10.0.0.0/8"] }
[accounts."ann@example.org".keys.laptop]
limits = { models = ["gpt-4o"] }
[accounts."ann@example.org".keys.ci]
enabled = false

[accounts.bob]
group = "default"
enabled = false
"#;

#[test]
fn a_full_file_is_read_and_written_back() {
    let file = PlatformFile::parse(FULL).unwrap();
    let tiered = &file.models.as_ref().unwrap()["tiered"];
    let start = Timestamp::parse("2030-01-01").unwrap();
    assert_eq!(tiered.price_at(Timestamp(start.0 - 1)).unwrap().per_call(), Nano(1_000_000));
    assert!(tiered.next_at(Timestamp(start.0 - 1)).is_some());
    assert_eq!(tiered.price_at(start).unwrap().per_call(), Nano(0), "from its moment on it counts as the price");
    assert!(tiered.next_at(start).is_none());
    let ann = &file.accounts.as_ref().unwrap()["ann@example.org"];
    assert_eq!(ann.limits.expires_at, Some(Timestamp::parse("2031-01-01").unwrap()));
    let places: Vec<_> = file.secrets().into_iter().map(|s| (s.place, s.reference.key())).collect();
    assert_eq!(
        places,
        [
            ("channels.main.credentials.first".to_owned(), "env:OPENAI_KEY".to_owned()),
            ("channels.main.credentials.second".to_owned(), "file:second.key".to_owned()),
        ]
    );
    let text = file.to_toml().unwrap();
    assert!(PlatformFile::parse(&text).unwrap() == file, "{text}");
    assert!(PlatformFile::parse("").unwrap() == PlatformFile::default());
}

/// The example is all the reference there is, so a new field has to go there too: the patterns below do not compile
/// without it.
#[test]
fn the_example_file_shows_every_field() {
    let text = include_str!("../../../../../platform.example.toml");
    let file = PlatformFile::parse(text).unwrap_or_else(|e| panic!("{e}"));
    let PlatformFile { groups: Some(groups), providers: Some(providers), models, channels, accounts } = file else {
        panic!("a section is missing");
    };
    let (models, channels, accounts) = (models.unwrap(), channels.unwrap(), accounts.unwrap());
    let GroupFile { multiplier: _ } = groups["standard"];
    let ProviderSpec { dialect: _, base_url: _, auth: Some(_), allow_private: _, enabled: _ } = providers["openai"]
    else {
        panic!("a field of a provider is missing");
    };
    let ModelFile {
        owned_by: _, context_tokens: Some(_), max_output_tokens: Some(_), enabled: _, price: Some(_), ..
    } = models["gpt-4o-mini"]
    else {
        panic!("a field of a model is missing");
    };
    let ModelFile {
        owned_by: _,
        context_tokens: _,
        max_output_tokens: _,
        enabled: _,
        price: Some(_),
        next_price: Some(_),
    } = &models["claude-sonnet"]
    else {
        panic!("a field of a model is missing");
    };
    let ChannelFile {
        provider: _,
        priority: _,
        weight: _,
        multiplier: _,
        max_concurrency: Some(_),
        enabled: _,
        models: _,
        credentials: Some(_),
    } = &channels["openai-main"]
    else {
        panic!("a field of a channel is missing");
    };
    let AccountFile { group: _, enabled: _, limits, keys: Some(keys) } = &accounts["alice"] else {
        panic!("an account without keys");
    };
    let KeyFile { enabled: _, limits: _ } = &keys["laptop"];
    let Limits {
        requests_per_minute: Some(_),
        tokens_per_minute: Some(_),
        concurrency: Some(_),
        spend_per_day: Some(_),
        spend_per_month: Some(_),
        spend_total: Some(_),
        expires_at: Some(_),
        models: Some(_),
        ip_ranges: Some(_),
    } = limits
    else {
        panic!("a limit is missing");
    };
    // What has a default is written out all the same.
    for field in ["multiplier", "allow_private", "enabled", "owned_by", "priority", "weight", "per_call"] {
        assert!(text.contains(&format!("\n{field} = ")), "{field}");
    }
    for class in TokenClass::ALL {
        assert!(text.contains(class.as_str()), "{}", class.as_str());
    }
}

#[test]
fn a_mistake_is_named_by_its_place() {
    let cases = [
        ("[grups.a]", "line 1, grups: unknown field `grups`"),
        ("[groups.a]\n[groups.a]", "line 2: duplicate key"),
        ("\n[groups.a]\nmultiplyer = \"1\"", "line 3, groups.a.multiplyer: unknown field `multiplyer`"),
        ("[groups.a]\nmultiplier = 1.5", "line 2, groups.a.multiplier: expected a string"),
        ("[groups.\"a b\"]", "groups.a b: the name of a group must"),
        ("[providers.p]\ndialect = \"openai\"\nbase_url = \"ftp://x\"", "providers.p: provider: base_url must begin"),
        ("[models.m]\nmax_output_tokens = 0", "models.m: model: context_tokens and"),
        (
            "[models.m]\nprice = { input = \"1\", output = \"1\", inptu = \"1\" }",
            "models.m.price: unknown rate `inptu`",
        ),
        (
            "[models.m]\nprice = { input = 1, output = \"1\" }",
            "models.m.price: input must be a decimal number in quotes",
        ),
        ("[models.m]\nprice = { input = \"1\" }", "models.m.price: missing field `output`"),
        (
            "[models.m]\nprice = { input = \"-1\", output = \"1\" }",
            "models.m.price: a rate or the price per call is neg",
        ),
        ("[models.m.next_price]\ninput = \"1\"\noutput = \"1\"", "models.m.next_price: effective_at is missing"),
        ("[channels.c]\nprovider = \"p\"\nweigth = 1", "line 3, channels.c.weigth: unknown field `weigth`"),
        ("[channels.c]\nprovider = \"p\"\nmax_concurrency = 0", "channels.c: channel: max_concurrency"),
        ("[accounts.ivy]\ngroup = \"g\"\nlimits = { rpm = 1 }", "line 3, accounts.*.limits: rpm: unknown field `rpm`"),
        (
            "[accounts.ivy.keys.\"a/b\"]\n[accounts.ivy]\ngroup = \"g\"",
            "accounts (number 1 by name).keys: the name of a key",
        ),
        ("[accounts.ivy]", "line 1, accounts.*: missing field `group`"),
    ];
    for (text, wanted) in cases {
        let Err(error) = PlatformFile::parse(text) else { panic!("accepted: {text}") };
        let told = error.to_string();
        assert!(told.contains(wanted), "{text}\n{told}\n{wanted}");
        assert!(!told.contains("ivy"), "{told}");
    }
}

#[test]
fn a_secret_written_into_the_file_is_refused_and_not_repeated() {
    for value in [
        "\"sk-canary\"",
        "{ env = [\"sk-canary\"] }",
        "{ text = \"sk-canary\" }",
        "{ env = \"A\", file = \"sk-canary\" }",
    ] {
        let text = format!("[channels.c]\nprovider = \"p\"\ncredentials = {{ main = {value} }}");
        let Err(error) = PlatformFile::parse(&text) else { panic!("accepted: {text}") };
        assert!(
            error.to_string().contains("channels.c.credentials.main: a secret is given by reference only"),
            "{error}"
        );
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    for text in ["[channels.c]\nprovider = \"p\"\nweight = \"sk-canary\"", "[channels.c]\ncredentials = \"sk-canary\""]
    {
        let Err(error) = PlatformFile::parse(text) else { panic!("accepted: {text}") };
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
