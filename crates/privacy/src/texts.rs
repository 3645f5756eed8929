//! What the words of the map are called in the languages of people.

use serde::Deserialize;
use std::collections::BTreeMap;

const TEXTS: &str = include_str!("../texts.toml");

/// A language of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// Every language.
    pub const ALL: &[Self] = &[Self::En, Self::Zh];

    /// Its tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The language of that tag.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.tag() == tag)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    en: String,
    zh: String,
}

/// Every text.
#[derive(Debug)]
pub struct Texts(BTreeMap<String, BTreeMap<String, Text>>);

/// A text that is not there.
#[derive(Debug, thiserror::Error)]
pub enum TextsError {
    /// A word of the map has no text.
    #[error("the {kind} {word} has no text in crates/privacy/texts.toml")]
    Missing {
        /// What the word is.
        kind: String,
        /// The word.
        word: String,
    },
    /// The program's own file is wrong, which a test sees to.
    #[error("texts: {0}")]
    Wrong(#[from] toml::de::Error),
}

impl Texts {
    /// The program's texts.
    ///
    /// # Errors
    /// [`TextsError::Wrong`].
    pub fn load() -> Result<Self, TextsError> {
        Ok(Self(toml::from_str(TEXTS)?))
    }

    /// What a word of that kind is called.
    ///
    /// # Errors
    /// [`TextsError::Missing`].
    pub fn of(&self, language: Language, kind: &str, word: &str) -> Result<&str, TextsError> {
        let found = self.0.get(kind).and_then(|words| words.get(word));
        let found = found.ok_or_else(|| TextsError::Missing { kind: kind.to_owned(), word: word.to_owned() })?;
        Ok(match language {
            Language::En => &found.en,
            Language::Zh => &found.zh,
        })
    }
}
