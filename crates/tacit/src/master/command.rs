//! The master key from the standard output of a program, such as that of a password store.

use anyhow::Context as _;
use secrecy::SecretString;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest output, in bytes.
const MOST: usize = 4096;

/// Runs a program, given with its arguments, and gives what it prints. It is run by itself, without a shell; what it says
/// on its standard error is not looked at: it may quote the secret.
///
/// # Errors
/// If it cannot be started, takes longer than half a minute, prints more than 4 KiB or no text, or fails.
pub(super) fn output(words: &[String]) -> anyhow::Result<SecretString> {
    run(words, PATIENCE)
}

fn run(words: &[String], patience: Duration) -> anyhow::Result<SecretString> {
    let (program, arguments) = words.split_first().context("the command is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let printed = printed(&mut child, patience);
    if printed.is_err() {
        // What it is doing is of no use any more; that it is over already is no harm.
        let _ = child.kill();
        let _ = child.wait();
    }
    printed.with_context(|| format!("{program} did not give the master key"))
}

fn printed(child: &mut Child, patience: Duration) -> anyhow::Result<SecretString> {
    let until = Instant::now() + patience;
    let output = child.stdout.take().context("it has no output")?;
    let (give, take) = mpsc::sync_channel(1);
    // A thread of its own: reading has no time limit. It ends with the program, or with a grandchild that holds the pipe.
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
        let read = output.take(u64::try_from(MOST).unwrap_or(0) + 1).read_to_end(&mut bytes);
        // Nobody waits for it any more if that took too long.
        let _ = give.send(read.map(|_| bytes));
    });
    let bytes = take.recv_timeout(patience).ok().context("it takes too long")??;
    anyhow::ensure!(bytes.len() <= MOST, "it prints more than {MOST} bytes");
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        anyhow::ensure!(Instant::now() < until, "it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    };
    anyhow::ensure!(status.success(), "it failed ({status})");
    let text = std::str::from_utf8(&bytes).ok().context("what it prints is not text")?;
    Ok(SecretString::from(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn sh(script: &str) -> anyhow::Result<SecretString> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&words, Duration::from_secs(2))
    }

    #[test]
    fn what_a_program_prints_is_taken_and_no_more() {
        assert_eq!(sh("echo ' key '; echo geheim >&2").unwrap().expose_secret(), "key");
        let none = output(&[]).unwrap_err();
        assert!(format!("{none:#}").contains("empty"));
        assert!(format!("{:#}", output(&["/no/such/program".to_owned()]).unwrap_err()).contains("cannot be started"));
        for (script, why) in [
            ("echo geheim; exit 3", "it failed"),
            ("echo geheim; exec >&-; sleep 60", "too long"),
            ("echo geheim; sleep 60", "too long"),
            ("yes geheim", "more than 4096"),
            ("printf '\\377'", "not text"),
        ] {
            let begun = Instant::now();
            let error = format!("{:#}", sh(script).unwrap_err());
            assert!(error.contains(why) && !error.contains("geheim"), "{script}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{script}");
        }
    }

    #[test]
    fn no_shell_reads_the_words() {
        let words = ["/bin/echo", "$HOME;", "`id`"].map(str::to_owned);
        assert_eq!(output(&words).unwrap().expose_secret(), "$HOME; `id`");
    }
}
