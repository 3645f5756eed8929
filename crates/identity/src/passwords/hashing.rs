//! The threads that compute digests: few, of the lowest priority, with a short queue. What does not fit into it is refused
//! at once with a clear answer, so that a flood costs nobody else anything.

use crate::IdentityError;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use zxcvbn::{Score, zxcvbn};

/// What one digest costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// What OWASP asks for at least (Password Storage Cheat Sheet, Argon2id): 19 MiB, two passes.
    fn default() -> Self {
        Self { memory: 19_456, passes: 2 }
    }
}

/// The least that a new password must be worth: more than a million guesses by who knows which passwords are common (NIST SP
/// 800-63B, 3.1.1.2, asks to compare with those). Guessing over the network is slowed besides.
const GUESSED_LATE: Score = Score::Two;
/// How many wait for a thread, for each thread.
const QUEUE: usize = 16;
/// The lowest priority that Linux knows.
const NICENESS: i32 = 19;

type Work = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// The way to the threads. They end when the last way to them is dropped.
#[derive(Clone)]
pub struct Hashing {
    work: SyncSender<Work>,
    /// What is compared with where there is no password, so that it takes as long.
    decoy: Arc<SecretString>,
}

impl Hashing {
    /// Starts so many threads.
    ///
    /// # Errors
    /// If a thread cannot be started or the cost is none that Argon2 knows.
    pub fn start(threads: usize, cost: Cost) -> io::Result<Self> {
        let params = Params::new(cost.memory, cost.passes, 1, None).map_err(io::Error::other)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = digest(&argon, "nobody's").map_err(|_| io::Error::other("no digest can be computed"))?;
        let (send, receive) = sync_channel::<Work>(threads.max(1) * QUEUE);
        let receive = Arc::new(Mutex::new(receive));
        for _ in 0..threads.max(1) {
            let (argon, receive) = (argon.clone(), Arc::clone(&receive));
            std::thread::Builder::new().name("password".to_owned()).spawn(move || serve(&argon, &receive))?;
        }
        Ok(Self { work: send, decoy: Arc::new(decoy) })
    }

    /// The digest of a new password, in the PHC form, if it is not one that is soon guessed; `names` are what is tried first.
    ///
    /// # Errors
    /// [`IdentityError::PasswordWeak`], [`IdentityError::Busy`].
    pub(super) async fn digest(
        &self,
        password: SecretString,
        names: Vec<SecretString>,
    ) -> Result<SecretString, IdentityError> {
        self.done(move |argon| {
            let names: Vec<&str> = names.iter().map(ExposeSecret::expose_secret).collect();
            if zxcvbn(password.expose_secret(), &names).score() < GUESSED_LATE {
                let message = "that password is one of the first that are guessed: take a few words that do not go \
                    together, or what a password manager makes up";
                return Err(IdentityError::PasswordWeak { message });
            }
            digest(argon, password.expose_secret())
        })
        .await?
    }

    /// Whether the password is the one of that digest.
    pub(super) async fn verify(&self, kept: Option<SecretString>, said: SecretString) -> Result<bool, IdentityError> {
        let (real, decoy) = (kept.is_some(), Arc::clone(&self.decoy));
        self.done(move |argon| {
            let kept = kept.as_ref().unwrap_or(&decoy);
            let parsed = PasswordHash::new(kept.expose_secret()).map_err(|_| IdentityError::Busy)?;
            Ok(argon.verify_password(said.expose_secret().as_bytes(), &parsed).is_ok() && real)
        })
        .await?
    }

    async fn done<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let (send, receive) = oneshot::channel();
        let work: Work = Box::new(move |argon| {
            // Who has gone away is not worked for.
            if !send.is_closed() {
                let _ = send.send(work(argon));
            }
        });
        self.work.try_send(work).map_err(|_| IdentityError::Busy)?;
        receive.await.map_err(|_| IdentityError::Busy)
    }
}

fn digest(argon: &Argon2<'static>, password: &str) -> Result<SecretString, IdentityError> {
    let digest = argon.hash_password(password.as_bytes()).map_err(|_| IdentityError::Busy)?;
    Ok(SecretString::from(digest.to_string()))
}

fn serve(argon: &Argon2<'static>, receive: &Mutex<Receiver<Work>>) {
    // Of this thread alone, on Linux. Where it is refused it is slower for others, not wrong.
    let _ = rustix::process::nice(NICENESS);
    loop {
        let next = match receive.lock() {
            Ok(receive) => receive.recv(),
            Err(_) => return,
        };
        match next {
            Ok(work) => work(argon),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};

    fn text(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_digest() {
        let hashing = Hashing::start(1, Cost { memory: 64, passes: 1 }).unwrap();
        let kept = hashing.digest(text("correct horse"), Vec::new()).await.unwrap();
        assert!(kept.expose_secret().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_ne!(
            kept.expose_secret(),
            hashing.digest(text("correct horse"), Vec::new()).await.unwrap().expose_secret()
        );
        assert!(hashing.verify(Some(kept.clone()), text("correct horse")).await.unwrap());
        assert!(!hashing.verify(Some(kept), text("correct horsf")).await.unwrap());
        assert!(!hashing.verify(None, text("nobody's")).await.unwrap(), "nobody has no password");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_at_once() {
        let hashing = Hashing::start(1, Cost { memory: 64, passes: 1 }).unwrap();
        let (held, hold) = std::sync::mpsc::channel::<()>();
        let (begins, begun) = std::sync::mpsc::channel();
        let held_up = move |_: &Argon2<'static>| {
            begins.send(()).unwrap();
            hold.recv().unwrap_err();
        };
        hashing.work.try_send(Box::new(held_up)).unwrap();
        begun.recv().unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            let mut one = Box::pin(hashing.verify(None, text("guess")));
            match one.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => waiting.push(one),
                Poll::Ready(said) => break said,
            }
        };
        assert!(matches!(refused, Err(IdentityError::Busy)));
        assert_eq!(waiting.len(), QUEUE);
        drop(held);
        for one in waiting {
            assert!(!one.await.unwrap());
        }
    }
}
