use super::*;
use clap::CommandFactory;

/// Every command and argument, a line each, so that a change of the surface is seen.
fn surface(command: &clap::Command, path: &str, out: &mut Vec<String>) {
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        let mut arguments: Vec<String> = sub
            .get_arguments()
            .filter(|a| !a.is_global_set() && a.get_id() != "help" && a.get_id() != "version")
            .map(|a| match a.get_long() {
                Some(long) => format!("--{long}"),
                None => a.get_id().to_string().to_uppercase(),
            })
            .collect();
        arguments.sort();
        if sub.get_subcommands().next().is_none() {
            out.push(format!("{path} {}", arguments.join(" ")).trim_end().to_owned());
        }
        surface(sub, &path, out);
    }
}

#[test]
fn the_command_line_is_sound_and_as_promised() {
    Cli::command().debug_assert();
    let mut lines = Vec::new();
    surface(&Cli::command(), "tacit", &mut lines);
    for promised in [
        "serve",
        "control",
        "gateway",
        "practice",
        "setup",
        "config check",
        "config show",
        "config example",
        "status",
        "keyring status",
        "keyring rotate",
        "keyring rekey",
        "audit list",
        "audit show",
        "audit checkpoint",
        "audit key",
        "audit export",
        "audit verify",
        "provider add",
        "provider list",
        "provider show",
        "provider update",
        "provider disable",
        "channel add",
        "channel list",
        "channel show",
        "channel update",
        "channel disable",
        "model add",
        "model list",
        "model show",
        "model update",
        "model disable",
        "price set",
        "price list",
        "group add",
        "group list",
        "group show",
        "group update",
        "messages log",
        "messages test",
        "messages list",
        "messages show",
        "account add",
        "account list",
        "account show",
        "account update",
        "account disable",
        "key add",
        "key list",
        "key show",
        "key update",
        "key disable",
        "wallet grant",
        "wallet topup",
        "wallet show",
        "wallet entries",
        "calls list",
        "calls show",
        "calls set-aside list",
        "calls set-aside settle",
        "calls set-aside drop",
        "ledger verify",
        "apply",
        "diff",
        "export",
        "demo",
        "prove no-bodies",
    ] {
        let start = format!("tacit {promised}");
        assert!(lines.iter().any(|l| *l == start || l.starts_with(&format!("{start} "))), "{promised}: {lines:#?}");
    }
    let list = lines.iter().find(|l| l.starts_with("tacit calls list")).unwrap();
    assert_eq!(
        list,
        "tacit calls list --account --after --channel --csv --key --limit --model --since --status --until"
    );
}

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("tacit").chain(line.split(' ')))
}

#[test]
fn usual_lines_parse() {
    for line in [
        "serve --profile development --set gateway.listen=127.0.0.1:1",
        "provider add openai --dialect openai --base-url https://api.openai.com/v1",
        "channel add main --provider openai --model a --model b=c --secret-env KEY --priority -5",
        "price set gpt --input 1.25 --output 10 --cache-read 0.125",
        "price set gpt --price-json {}",
        "key create acct_1 --spend-per-day 5 --allow-ip 10.0.0.0/8 --expires-at 2027-01-01 --json",
        "wallet adjust acct_1 -2.5",
        "calls list --status completed --since 2026-01-01 --csv",
        "calls show call_1 --reveal",
        "apply platform.toml --prune",
        "export --accounts",
        "--json status",
    ] {
        parsed(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    }
}

#[test]
fn mistakes_are_usage_errors() {
    for line in [
        "nonsense",
        "provider add openai",
        "price set gpt --input 1",
        "price set gpt --input 1.0000000001 --output 1",
        "key add a --allow-ip 10.0.0.0/99",
        "calls list --status done",
        "calls list --csv --json",
        "calls list --since yesterday",
        "wallet grant acct_1 1,5",
    ] {
        assert!(parsed(line).is_err(), "{line}");
    }
}
