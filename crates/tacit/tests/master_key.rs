//! The sources of the master key, with the real program: a file, a variable, a program that prints it, and a token
//! (SoftHSM2, which must be installed: a test that lacks it fails and says so).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failing test panics")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MODULES: &[&str] = &["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
const PIN: &str = "fedcba-4711";

/// A data directory, with the tokens of SoftHSM2 beside it.
struct World {
    dir: TempDir,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
}

impl World {
    fn new(settings: &[String]) -> Self {
        let dir = tempfile::Builder::new().prefix("tacit-mk-").tempdir().unwrap();
        fs::create_dir(dir.path().join("tokens")).unwrap();
        let config =
            format!("directories.tokendir = {}\nobjectstore.backend = file\n", dir.path().join("tokens").display());
        fs::write(dir.path().join("softhsm2.conf"), config).unwrap();
        Self { dir, settings: settings.to_vec(), environment: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    fn with(&mut self, settings: &[String]) -> &Self {
        self.settings = settings.to_vec();
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("TACIT_")) {
            command.env_remove(name);
        }
        command.args(words).arg("--data-dir").arg(self.path("data")).arg("--set").arg("control.admin_listen=off");
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf")).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).current_dir(self.dir.path());
        command
    }

    /// Runs a command to its end: whether it succeeded, and all that it said.
    fn run(&self, words: &[&str]) -> (bool, String) {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    fn good(&self, words: &[&str]) -> String {
        let (success, said) = self.run(words);
        assert!(success, "{words:?}: {said}");
        said
    }

    fn bad(&self, words: &[&str], why: &str) {
        let (success, said) = self.run(words);
        assert!(!success && said.contains(why), "{words:?}: {said}");
        assert!(!said.contains("tacit-master-A") && !said.contains(PIN), "{said}");
    }

    /// Starts a control plane and waits until it answers.
    fn control(&self) -> Control {
        let child = self.command(&["control"]).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let control = Control(child);
        let until = Instant::now() + Duration::from_secs(60);
        while !self.run(&["keyring", "status"]).0 {
            assert!(Instant::now() < until, "the control plane does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        control
    }
}

struct Control(Child);

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn module() -> &'static str {
    let found = MODULES.iter().find(|path| Path::new(path).exists());
    found.expect("SoftHSM2 is not installed: apt-get install softhsm2")
}

fn token(world: &World, label: &str) {
    let words = ["--init-token", "--free", "--label", label, "--so-pin", "abcdef-4711", "--pin", PIN];
    let made = Command::new("softhsm2-util")
        .args(words)
        .env("SOFTHSM2_CONF", world.path("softhsm2.conf"))
        .output()
        .expect("SoftHSM2 is not installed: apt-get install softhsm2");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn on_token(world: &World, label: &str, file: &str) -> Vec<String> {
    let pin = world.put("pin", PIN);
    vec![
        format!("keyring.master_key=pkcs11:{}", world.path(file).display()),
        format!("keyring.pkcs11.module={}", module()),
        format!("keyring.pkcs11.token={label}"),
        format!("keyring.pkcs11.pin=file:{pin}"),
    ]
}

#[test]
fn a_token_wraps_the_master_key_and_nothing_else_opens_it() {
    let mut world = World::new(&[]);
    token(&world, "one");
    let settings = on_token(&world, "one", "master.wrapped");
    world.with(&settings).good(&["setup"]);
    // The key itself lies nowhere; the file is for its owner only.
    let wrapped = world.path("master.wrapped");
    assert_eq!(fs::metadata(&wrapped).unwrap().permissions().mode() & 0o777, 0o600);
    let content = fs::read_to_string(&wrapped).unwrap();
    assert!(content.starts_with("tacit-wrapped-pkcs11-1 ") && !content.contains("tacit-master-"), "{content}");
    assert!(!world.path("data/master.key").exists());
    world.good(&["config", "check"]);
    // Again: the key is there, and it is the same one.
    world.good(&["setup"]);
    assert_eq!(fs::read_to_string(&wrapped).unwrap(), content);

    // Every way in which it can be wrong, and what it says then.
    let with = |from: &[String], key: &str, value: &str| {
        let kept = from.iter().filter(|s| !s.starts_with(&format!("{key}="))).cloned();
        kept.chain([format!("{key}={value}")]).collect::<Vec<_>>()
    };
    let wrong = world.put("wrong-pin", "123456");
    world.with(&with(&settings, "keyring.pkcs11.pin", &format!("file:{wrong}")));
    world.bad(&["config", "check"], "does not take keyring.pkcs11.pin");
    world.with(&with(&settings, "keyring.pkcs11.token", "two")).bad(&["config", "check"], "no token with the label");
    world.with(&with(&settings, "keyring.pkcs11.key", "other")).bad(&["config", "check"], "no AES key with the label");
    world.with(&with(&settings, "keyring.pkcs11.module", "/no/such.so")).bad(&["config", "check"], "cannot be loaded");
    let none: Vec<String> = settings.iter().filter(|s| !s.contains("pkcs11.token")).cloned().collect();
    world.with(&none).bad(&["config", "check"], "set keyring.pkcs11.module, keyring.pkcs11.token");
    // Another token with a key of the same label: it is another key.
    token(&world, "two");
    let other = with(&settings, "keyring.pkcs11.token", "two");
    let elsewhere = with(&other, "keyring.master_key", &format!("pkcs11:{}", world.path("other.wrapped").display()));
    world.with(&elsewhere).bad(&["setup"], "the master key does not open the keyring");
    world.with(&other).bad(&["config", "check"], "was wrapped by another key");
    // A bit of the file.
    let mut flipped = content.trim().to_owned().into_bytes();
    let at = flipped.len() - 8;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    world.put("master.wrapped", &String::from_utf8(flipped).unwrap());
    world.with(&settings).bad(&["config", "check"], "keyring.master_key cannot be read");
    world.put("master.wrapped", "tacit-master-AAAA");
    world.bad(&["config", "check"], "not a master key that was wrapped by tacit-wrapped-pkcs11-1");
    world.put("master.wrapped", &content);
    world.good(&["config", "check"]);
}

#[test]
fn a_running_platform_goes_from_a_file_to_a_token_and_its_hashes_stay() {
    let mut world = World::new(&[]);
    world.good(&["setup"]);
    {
        let _control = world.control();
        world.good(&["group", "add", "default", "--multiplier", "1"]);
        world.good(&["account", "add", "ann", "--group", "default"]);
        world.bad(&["keyring", "rekey"], "set keyring.next_master_key");
        let status: serde_json::Value = serde_json::from_str(&world.good(&["keyring", "status", "--json"])).unwrap();
        assert_eq!((&status["epoch"], &status["turning"]), (&1.into(), &false.into()), "{status}");
        let said = world.good(&["keyring", "rotate"]);
        assert!(said.contains("epoch 2"), "{said}");
        assert!(world.good(&["account", "show", "ann"]).contains("ann"));
    }
    token(&world, "one");
    let on_token = on_token(&world, "one", "master.wrapped");
    let next: Vec<String> =
        on_token.iter().map(|setting| setting.replacen("keyring.master_key=", "keyring.next_master_key=", 1)).collect();
    world.with(&next).good(&["setup"]);
    {
        let _control = world.control();
        let said = world.good(&["keyring", "rekey"]);
        assert!(said.contains("keyring.next_master_key"), "{said}");
        assert!(world.good(&["account", "show", "ann"]).contains("ann"));
        // Who did that stands in the log.
        let log = world.good(&["audit", "list"]);
        assert!(log.contains("keyring.rekey") && log.contains("keyring.rotate"), "{log}");
    }
    // Killed right behind it: either configuration that knows the new key starts, the old one alone does not.
    world.with(&[]).bad(&["setup"], "the master key does not open the keyring");
    world.with(&next).good(&["setup"]);
    world.with(&on_token);
    let _control = world.control();
    // By its name, which is looked up by its hash.
    assert!(world.good(&["account", "show", "ann"]).contains("ann"));
}

#[test]
fn a_program_or_a_variable_gives_it() {
    let mut world = World::new(&[]);
    world.good(&["setup"]);
    let key = fs::read_to_string(world.path("data/master.key")).unwrap();
    let program = world.put("give", &format!("#!/bin/sh\necho '{}'\n", key.trim()));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(world.path("data/master.key")).unwrap();
    world.bad(&["config", "check"], "keyring.master_key cannot be read");
    world.with(&[format!("keyring.master_key=command:{program}")]).good(&["setup"]);
    world.environment.push(("TACIT_TEST_MK".into(), key.trim().into()));
    world.with(&["keyring.master_key=env:TACIT_TEST_MK".to_owned()]).good(&["setup"]);
    world.with(&["keyring.master_key=env:TACIT_TEST_NONE".to_owned()]).bad(&["setup"], "is not set");
    world.with(&["keyring.master_key=command:/bin/false".to_owned()]).bad(&["setup"], "did not give the master key");
    // With arguments it is written in the file.
    let config = world.put(
        "tacit.toml",
        &format!("[keyring]\nmaster_key = {{ command = [\"/bin/cat\", {:?}] }}\n", world.put("key", &key)),
    );
    world.with(&[]).good(&["setup", "--config", &config]);
}

#[test]
fn another_keyring_is_refused() {
    let world = World::new(&[]);
    world.good(&["setup"]);
    {
        let _control = world.control();
        world.good(&["group", "add", "default", "--multiplier", "1"]);
        world.good(&["account", "add", "ann", "--group", "default"]);
    }
    for file in ["keyring.db", "keyring.db-wal", "keyring.db-shm"] {
        let _ = fs::remove_file(world.path("data").join(file));
    }
    world.bad(&["setup"], "it is that of another keyring");
    // Whoever takes away the log too does not get further.
    fs::remove_file(world.path("data").join("erasures.log")).unwrap();
    world.bad(&["setup"], "the keyring is not the one of this database");
}
