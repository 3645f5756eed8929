//! The real program: what it prints, how it exits, and that its supervisor keeps it alive.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking; not all of these are in a #[test]")]

mod audit;

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn tacit() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("TACIT_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn free() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A development platform in a directory of its own.
struct Platform {
    dir: tempfile::TempDir,
    supervisor: Child,
}

impl Platform {
    fn start() -> Self {
        Self::start_with(tacit(), "")
    }

    /// With that program, and these lines more in the section `gateway` of its configuration.
    fn start_with(program: Command, gateway: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), program, gateway)
    }

    fn start_in(dir: tempfile::TempDir, mut program: Command, gateway: &str) -> Self {
        let config = format!(
            "profile = \"development\"\ndata_dir = {:?}\n[gateway]\nlisten = \"{}\"\nadmin_listen = \"off\"\n{gateway}\
             [control]\nadmin_listen = \"off\"\n[practice]\nlisten = \"{}\"\n[log]\nformat = \"json\"\n",
            dir.path().join("data").display().to_string(),
            free(),
            free(),
        );
        std::fs::write(dir.path().join("tacit.toml"), config).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let out = std::fs::File::create(dir.path().join("out")).unwrap();
        let supervisor = program
            .args(["serve", "--config"])
            .arg(dir.path().join("tacit.toml"))
            .stdout(out)
            .stderr(log)
            .spawn()
            .unwrap();
        let platform = Self { dir, supervisor };
        platform.until("the banner", || platform.file("out").contains("ANTHROPIC_BASE_URL"));
        platform
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", self.file("log"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        tacit().args(arguments).arg("--config").arg(self.dir.path().join("tacit.toml")).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}\n{}", said(&output), self.file("log"));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)))
    }

    /// Processes of the supervisor that run as `role`.
    fn pid(&self, role: &str) -> Option<u32> {
        let parent = self.supervisor.id();
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let after: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
            (after.get(1)?.parse() == Ok(parent) && line.split('\0').nth(1) == Some(role)).then_some(pid)
        })
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.supervisor.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.supervisor.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.supervisor.kill();
    }
}

#[test]
fn a_killed_child_comes_back_alone_and_the_demo_works_on_the_running_platform() {
    let platform = Platform::start();
    let (gateway, control) = (platform.pid("gateway").unwrap(), platform.pid("control").unwrap());

    // The gateway gets nothing from our environment or command line that is not harmless.
    let seen = std::fs::read(format!("/proc/{control}/cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&seen).contains("master"));

    assert!(Command::new("kill").args(["-9", &gateway.to_string()]).status().unwrap().success());
    platform.until("another gateway", || platform.pid("gateway").is_some_and(|pid| pid != gateway));
    assert_eq!(platform.pid("control"), Some(control), "the control plane was not touched");

    assert!(Command::new("kill").args(["-9", &control.to_string()]).status().unwrap().success());
    let gateway = platform.pid("gateway").unwrap();
    platform.until("another control plane", || platform.pid("control").is_some_and(|pid| pid != control));
    assert_eq!(platform.pid("gateway"), Some(gateway), "the gateway was not touched");
    platform.until("a platform that answers", || {
        let output = platform.run(&["status", "--json"]);
        output.status.success() && !said(&output).contains("no gateway is connected")
    });

    let demo = platform.json(&["demo"]);
    assert!(demo["answer"].as_str().unwrap().len() > 10, "{demo}");
    assert_eq!(demo["call"]["status"], "completed");
    assert_eq!(demo["call"]["source"], "demo");
    assert_eq!(demo["charge"]["amount"], demo["call"]["amount"]);
    assert!(demo["charge"]["lines"].as_array().unwrap().len() >= 2);
    assert!(!demo["ledger_entries"].as_array().unwrap().is_empty());
    assert_eq!((&demo["ledger_balanced"], &demo["canaries_found"]), (&Value::Bool(true), &Value::from(0)));

    let calls = platform.json(&["calls", "list"]);
    let id = calls["items"][0]["id"].as_str().unwrap().to_owned();
    let shown = platform.run(&["calls", "show", &id]);
    assert!(said(&shown).contains("Charge by price version 1"), "{}", said(&shown));
    let detail = platform.json(&["calls", "show", &id]);
    assert!(detail["revealed"].is_null());
    // The one attempt that brought the answer.
    let credential = detail["call"]["credential"].as_str().unwrap();
    let [attempt] = detail["attempts"].as_array().unwrap().as_slice() else { panic!("{detail}") };
    assert_eq!((&attempt["outcome"], &attempt["error_code"]), (&Value::from("answered"), &Value::Null), "{detail}");
    assert_eq!((&attempt["attempt"], &attempt["http_status"]), (&Value::from(1), &Value::from(200)), "{detail}");
    assert_eq!((&attempt["credential"], &attempt["provider"]), (&Value::from(credential), &detail["call"]["provider"]));
    assert_eq!(attempt["duration_micros"], detail["call"]["duration_micros"]);
    let line = said(&shown).lines().find(|l| l.contains("answered")).map(str::to_owned).unwrap();
    assert!(line.contains(credential) && line.contains(attempt["channel"].as_str().unwrap()), "{line}");
    let revealed = platform.json(&["calls", "show", &id, "--reveal"]);
    assert_eq!(revealed["revealed"]["ip"], "127.0.0.1");
    assert!(platform.file("log").contains("call.revealed"));
    let csv = platform.run(&["calls", "list", "--csv"]);
    assert!(said(&csv).starts_with("id,started_at,"), "{}", said(&csv));
    let rows: Vec<Vec<String>> = said(&csv).lines().map(|l| l.split(',').map(str::to_owned).collect()).collect();
    let column = rows[0].iter().position(|c| c == "credential").unwrap();
    assert_eq!((rows[0].len(), rows[1][column].as_str()), (rows[1].len(), credential));
    assert!(platform.run(&["ledger", "verify"]).status.success());

    // What the platform is, as a file, changes nothing when it is applied again.
    let file = platform.dir.path().join("platform.toml");
    std::fs::write(&file, platform.run(&["export"]).stdout).unwrap();
    let diff = platform.json(&["diff", file.to_str().unwrap()]);
    assert_eq!(diff["changes"], serde_json::json!([]), "{diff}");
}

/// The certificate is nobody's but the gateway's own, and does not bear the address at which the demo calls it.
#[test]
fn the_demo_and_the_proof_work_on_a_gateway_with_tls() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let (certificate, key) = make("api.example.org");
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_file, certificate).unwrap();
    std::fs::write(&key_file, key).unwrap();
    let platform = Platform::start_in(dir, tacit(), &format!("tls_cert = {cert_file:?}\ntls_key = {key_file:?}\n"));
    let demo = platform.json(&["demo"]);
    assert_eq!(demo["call"]["status"], "completed", "{demo}");
    assert_eq!((&demo["ledger_balanced"], &demo["canaries_found"]), (&Value::Bool(true), &Value::from(0)));

    let key = platform.file("data/demo.key");
    let settings = platform.json(&["config", "show"]);
    let listen = settings.as_array().unwrap().iter().find(|setting| setting["key"] == "gateway.listen").unwrap();
    let url = format!("https://{}", listen["value"].as_str().unwrap());
    let arguments = ["prove", "no-bodies", "--drive", &url, "--key", key.trim(), "--settle", "1"];
    let report = platform.json(&arguments);
    let answered = report["driven"].as_array().unwrap().iter().filter(|call| call["status"] == 200).count();
    assert!(answered >= 6, "{report}");

    // Any other certificate is refused, so that nobody else is given the key.
    let (other, _) = make("127.0.0.1");
    std::fs::write(&cert_file, other).unwrap();
    let output = platform.run(&["demo", "--json"]);
    assert!(!output.status.success() && said(&output).contains("cannot be reached"), "{}", said(&output));
}

/// As an upgrade under a running platform does it.
#[test]
fn a_child_comes_back_when_the_program_s_file_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("tacit");
    std::fs::copy(env!("CARGO_BIN_EXE_tacit"), &copy).unwrap();
    let mut program = Command::new(&copy);
    program.stdin(Stdio::null());
    let mut platform = Platform::start_with(program, "");
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, "something else").unwrap();
    let gateway = platform.pid("gateway").unwrap();
    assert!(Command::new("kill").args(["-9", &gateway.to_string()]).status().unwrap().success());
    platform.until("another gateway", || platform.pid("gateway").is_some_and(|pid| pid != gateway));
    platform.until("a platform that answers", || {
        let output = platform.run(&["status", "--json"]);
        output.status.success() && !said(&output).contains("no gateway is connected")
    });
    assert!(platform.supervisor.try_wait().unwrap().is_none(), "the supervisor goes on");
}

#[test]
fn a_running_platform_is_asked_for_plainly() {
    let dir = tempfile::tempdir().unwrap();
    let output = tacit().args(["status", "--data-dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("tacit serve"), "{}", said(&output));
}

#[test]
fn setup_makes_what_serve_needs_and_check_tells_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let run = |arguments: &[&str]| tacit().args(arguments).arg("--data-dir").arg(&data).output().unwrap();
    let missing = run(&["config", "check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("tacit setup"), "{}", said(&missing));
    let refused = run(&["serve"]);
    assert!(said(&refused).contains("tacit setup"), "{}", said(&refused));

    for _ in 0..2 {
        let setup = run(&["setup"]);
        assert!(setup.status.success(), "{}", said(&setup));
    }
    for file in ["master.key", "tacit.db", "keyring.db"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(data.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let other = run(&["setup", "--set", "money.currency=CNY"]);
    assert!(!other.status.success() && said(&other).contains("USD"), "{}", said(&other));
    assert!(run(&["config", "check"]).status.success());
    let shown = run(&["config", "show", "--json"]);
    let key = std::fs::read_to_string(data.join("master.key")).unwrap();
    assert!(!said(&shown).contains(key.trim()));
}

#[test]
fn wrong_questions_exit_with_2() {
    for arguments in [&["nonsense"][..], &["config", "check", "--set", "gateway.lisen=1"], &["status", "--set", "x"]] {
        let output = tacit().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
    let no_file = tacit().args(["config", "show", "--config", "/nonexistent.toml"]).output().unwrap();
    assert_eq!(no_file.status.code(), Some(2));
}

#[test]
fn the_example_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tacit.example.toml");
    let printed = tacit().args(["config", "example"]).output().unwrap();
    assert_eq!(said(&printed), std::fs::read_to_string(path).unwrap());
}
