//! The clauses of a published policy: what each promises, what keeps it, which tests prove it, and what of it is still to
//! be built.

use serde::{Deserialize, Serialize};

const YOUYUN: &str = include_str!("../profiles/youyun.toml");
const O1AI: &str = include_str!("../profiles/01ai.toml");

/// A service with a published policy that this platform can run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name of its policy.
    pub policy: String,
    /// What stands before the number of a clause where the data map cites it.
    pub prefix: String,
    /// How much of bodies may be kept at most: `none` or `history`.
    pub bodies: String,
    /// Calendar days within which requests of persons are answered.
    pub days_to_answer: u32,
    /// Its clauses, in their order.
    #[serde(rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// A clause.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Its number in the policy, such as `2.2b`.
    pub id: String,
    /// What it promises.
    pub promise: String,
    /// What keeps the promise.
    pub mechanism: String,
    /// The tests that fail when it is broken, each as `file::name`.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What of it is still to be built.
    #[serde(default)]
    pub missing: Option<String>,
}

/// How many clauses stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proofs {
    /// Clauses.
    pub clauses: usize,
    /// Those that are kept, and proved.
    pub proved: usize,
    /// Those of which a part is still to be built.
    pub partly_missing: usize,
    /// Those of which all is.
    pub missing: usize,
}

/// A profile that is not there, or that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is none of that name.
    #[error("there is no profile {0}: youyun and 01ai are")]
    Unknown(String),
    /// The program's own is wrong, which a test sees to.
    #[error("profile: {0}")]
    Wrong(#[from] toml::de::Error),
}

impl Profile {
    /// The names of the profiles.
    pub const NAMES: &[&str] = &["youyun", "01ai"];

    /// The profile of that name.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub fn named(name: &str) -> Result<Self, ProfileError> {
        let text = match name {
            "youyun" => YOUYUN,
            "01ai" => O1AI,
            _ => return Err(ProfileError::Unknown(name.to_owned())),
        };
        Ok(toml::from_str(text)?)
    }

    /// All profiles as a page of Markdown.
    ///
    /// # Errors
    /// [`ProfileError::Wrong`].
    pub fn table() -> Result<String, ProfileError> {
        let mut page = String::from(
            "# The clauses of the two policies\n\nWhat keeps each clause, and the tests that fail when it is broken. Made by \
             `cargo xtask generate` from `crates/privacy/profiles`; `tacit privacy clauses` prints the same.\n",
        );
        for name in Self::NAMES {
            let profile = Self::named(name)?;
            let Proofs { clauses, proved, partly_missing, missing } = profile.proofs();
            page += &format!(
                "\n## {} (`{name}`)\n\n{clauses} clauses: {proved} kept and proved, {partly_missing} in part, {missing} still \
                 to be built.\n\n| clause | promise | mechanism | proved by | still to be built |\n| --- | --- | --- | --- | --- |\n",
                profile.policy
            );
            for clause in &profile.clauses {
                let tests: Vec<String> = clause.tests.iter().map(|test| format!("`{test}`")).collect();
                page += &format!(
                    "| {}-{} | {} | {} | {} | {} |\n",
                    profile.prefix,
                    clause.id,
                    clause.promise,
                    clause.mechanism,
                    tests.join("<br>"),
                    clause.missing.as_deref().unwrap_or("")
                );
            }
        }
        Ok(page)
    }

    /// How its clauses stand.
    #[must_use]
    pub fn proofs(&self) -> Proofs {
        let count = |wanted: fn(&Clause) -> bool| self.clauses.iter().filter(|clause| wanted(clause)).count();
        Proofs {
            clauses: self.clauses.len(),
            proved: count(|clause| clause.missing.is_none()),
            partly_missing: count(|clause| clause.missing.is_some() && !clause.tests.is_empty()),
            missing: count(|clause| clause.missing.is_some() && clause.tests.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_of_clauses_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/clauses.md");
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(kept == super::Profile::table().unwrap(), "make it again: cargo xtask generate");
    }
}
