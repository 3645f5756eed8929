//! Signed notes: a text and signatures below it, as the specification C2SP signed-note (<https://c2sp.org/signed-note>)
//! has them, with keys of Ed25519 (type 1). The two crates that do this bring a second library of cryptography with them;
//! what is left without it is a few lines.

use crate::merkle::note_hash;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The type of a key of Ed25519: it stands before the public key.
const ED25519_TYPE: u8 = 1;
/// What every signature line begins with: an em dash and a space.
const MARK: &str = "\u{2014} ";
/// Signatures that are looked at; more are an attempt to keep somebody busy.
const MOST_SIGNATURES: usize = 100;

/// A note that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form of a signed note.
    #[error("not a signed note: a text, an empty line, and lines of signatures")]
    Malformed,
    /// No signature of the wanted key.
    #[error("the note bears no signature of this key")]
    NotSigned,
    /// A signature that claims to be of the wanted key and is not.
    #[error("the signature of the note is forged, or its text was changed")]
    Forged,
    /// A text that is not a verifier key.
    #[error("not a verifier key: NAME+8 hexadecimal digits+base64")]
    BadKey,
}

/// The public half of a key: who can be checked with it, and how. Its text form is the `vkey` of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    public: [u8; 32],
}

impl NoteVerifier {
    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 over name, newline, type and public key.
    fn id(&self) -> [u8; 4] {
        let hash = note_hash(&[self.name.as_bytes(), b"\n", &[ED25519_TYPE], &self.public]);
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }

    /// The text of a note that bears a signature of this key.
    ///
    /// # Errors
    /// [`NoteError::Malformed`], `NotSigned`, `Forged`. Signatures of other keys are passed over, as the specification
    /// asks.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let allowed = |c: char| c == '\n' || !c.is_control();
        if !note.chars().all(allowed) {
            return Err(NoteError::Malformed);
        }
        let cut = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, rest) = note.split_at_checked(cut + 1).ok_or(NoteError::Malformed)?;
        let lines = rest.strip_prefix('\n').and_then(|r| r.strip_suffix('\n')).ok_or(NoteError::Malformed)?;
        let mut signed = false;
        for line in lines.split('\n').take(MOST_SIGNATURES) {
            let (name, encoded) =
                line.strip_prefix(MARK).and_then(|l| l.split_once(' ')).ok_or(NoteError::Malformed)?;
            let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| NoteError::Malformed)?;
            let (id, signature) = bytes.split_at_checked(4).ok_or(NoteError::Malformed)?;
            if !is_name(name) || signature.is_empty() {
                return Err(NoteError::Malformed);
            }
            if name != self.name || id != self.id() {
                continue;
            }
            let key = UnparsedPublicKey::new(&ED25519, &self.public);
            key.verify(text.as_bytes(), signature).map_err(|_| NoteError::Forged)?;
            signed = true;
        }
        if signed { Ok(text) } else { Err(NoteError::NotSigned) }
    }
}

impl NoteVerifier {
    /// Whether that is a signature of those bytes, as [`NoteKey::sign_detached`] makes it.
    #[must_use]
    pub fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        BASE64.decode(signature.as_bytes()).is_ok_and(|signature| key.verify(bytes, &signature).is_ok())
    }
}

/// Not empty, without spaces and without a plus.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&typed))
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey);
        };
        let typed = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::BadKey)?;
        let Some((&ED25519_TYPE, public)) = typed.split_first() else { return Err(NoteError::BadKey) };
        let public = public.try_into().map_err(|_| NoteError::BadKey)?;
        let key = Self { name: name.to_owned(), public };
        // A key that was copied wrongly is found here, and not by a note that seems forged.
        let whole = is_name(name) && HEXLOWER.encode(&key.id()) == id;
        if whole { Ok(key) } else { Err(NoteError::BadKey) }
    }
}

/// A key that signs notes. It is never printed.
#[derive(Clone)]
pub struct NoteKey {
    pair: Arc<Ed25519KeyPair>,
    verifier: NoteVerifier,
}

impl NoteKey {
    /// The key of that seed (RFC 8032). Its name is the label, a dash, and what tells this key from those of other
    /// platforms: the beginning of a hash of its public half.
    #[must_use]
    pub(crate) fn from_seed(label: &str, seed: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "every 32 bytes are a seed of Ed25519; the length is in the type")]
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed");
        let mut public = [0; 32];
        for (to, from) in public.iter_mut().zip(pair.public_key().as_ref()) {
            *to = *from;
        }
        let [a, b, c, d, ..] = note_hash(&[&public]);
        let name = format!("{label}-{}", HEXLOWER.encode(&[a, b, c, d]));
        Self { pair: Arc::new(pair), verifier: NoteVerifier { name, public } }
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// The note of a text that ends with a newline.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.verifier.id().to_vec();
        bytes.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n{MARK}{} {}\n", self.verifier.name, BASE64.encode(&bytes))
    }

    /// The signature of some bytes, apart from them, in base64. A key that signs notes is not to sign what others choose.
    #[must_use]
    pub fn sign_detached(&self, bytes: &[u8]) -> String {
        BASE64.encode(self.pair.sign(bytes).as_ref())
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
