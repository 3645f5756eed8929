//! The rule for names that an operator gives to groups, providers, channels, credentials and models. Such a name
//! appears in logs, metrics and command lines, so it is a token that needs no escaping in any of them.

/// The longest name, in bytes.
pub const MAX: usize = 128;

/// What a name must look like; for error messages.
pub const RULE: &str = "1 to 128 letters, digits or any of . _ : / @ + - and begin with a letter or digit";

/// Whether the text may be such a name. See [`RULE`]; letters are ASCII.
#[must_use]
pub fn is_token(text: &str) -> bool {
    text.len() <= MAX
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens() {
        let longest = "x".repeat(MAX);
        for good in ["a", "gpt-4o:free", "openai/o3", "anthropic.claude-v2:1", "claude@20250101", &longest] {
            assert!(is_token(good), "{good}");
        }
        let longer = "x".repeat(MAX + 1);
        for bad in ["", "-a", "/a", ".", "a b", "a\n", "a\"", "a\\", "a{b}", "a=b", "ä", "a,b", &longer] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
