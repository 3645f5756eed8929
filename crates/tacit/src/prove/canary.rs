//! Canaries: what to look for.

use rand::RngExt as _;

/// Shorter texts would be found by chance.
pub(super) const SHORTEST: usize = 16;

/// Characters of fresh canaries: lower case, because header names are lowered on their way, and such whose
/// hexadecimal form has no letter, so that both cases of it are one needle.
const ALPHABET: &[u8; 29] = b"0123456789abcdefghipqrstuvwxy";
/// Random characters that all canaries of one run begin with: one needle finds them all.
const MAGIC: usize = 10;
/// With the magic a multiple of three, so that in base64 both halves of a canary have the same alignment.
const NUMBER: usize = 5;

/// A text that must be found nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Canary {
    /// Where it was sent, or how it was named; this and never the text is shown.
    pub(crate) name: String,
    text: String,
}

impl Canary {
    /// # Errors
    /// If the text is shorter than 16 bytes.
    pub(crate) fn new(name: String, text: String) -> anyhow::Result<Self> {
        anyhow::ensure!(
            text.len() >= SHORTEST,
            "{name}: a canary needs at least {SHORTEST} bytes, so that its halves \
            are not found by chance"
        );
        Ok(Self { name, text })
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its halves: a body can be stored in pieces.
    pub(super) fn halves(&self) -> (&str, &str) {
        let middle = self.text.len() / 2;
        let at = (middle..self.text.len()).find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        self.text.split_at(at)
    }
}

/// Makes fresh canaries that all begin alike, and whose halves do too.
pub(crate) struct Minter {
    magic: String,
    minted: Vec<Canary>,
}

impl Minter {
    pub(crate) fn new() -> Self {
        Self { magic: random(MAGIC), minted: Vec::new() }
    }

    /// A new canary under that name: twice the magic and a number of its own, so that each half can be told.
    pub(crate) fn mint(&mut self, name: impl Into<String>) -> String {
        let half = format!("{}{}", self.magic, self.number());
        let text = format!("{half}{half}");
        self.minted.push(Canary { name: name.into(), text: text.clone() });
        text
    }

    /// All that were made.
    pub(crate) fn minted(self) -> Vec<Canary> {
        self.minted
    }

    fn number(&self) -> String {
        let mut left = self.minted.len();
        let mut digits = String::with_capacity(NUMBER);
        for _ in 0..NUMBER {
            digits.push(char::from(ALPHABET.get(left % ALPHABET.len()).copied().unwrap_or(b'0')));
            left /= ALPHABET.len();
        }
        digits
    }
}

fn random(length: usize) -> String {
    let mut rng = rand::rng();
    let mut next = || char::from(ALPHABET.get(rng.random_range(0..ALPHABET.len())).copied().unwrap_or(b'0'));
    (0..length).map(|_| next()).collect()
}
