//! Token counts where no provider reports them. No tokenizer is run: it would have to read the whole text, differs
//! from model to model, and its result would still be an estimate.
//!
//! The rule: four bytes of UTF-8 make a token, rounded up. That is four ASCII characters, two of Greek or Cyrillic, one
//! and a third of Chinese, which present tokenizers of the large models come near to. Counts are kept in quarters of a
//! token, that is in bytes of text.

use memchr::memchr;

/// Tokens of so many quarters.
#[must_use]
pub const fn tokens(quarters: u64) -> u64 {
    quarters.div_ceil(4)
}

/// Quarters of a token in the raw inside of a JSON string: escapes count as the character they stand for.
#[must_use]
pub fn quarters_of_json_text(mut raw: &[u8]) -> u64 {
    let mut sum = 0_u64;
    while let Some((before, after)) = memchr(b'\\', raw).and_then(|i| raw.split_at_checked(i)) {
        sum += quarters(before);
        let (cost, skip) = match after.get(1..6) {
            Some([b'u', hex @ ..]) => (quarters_of_escape(hex), 6),
            _ => (1, 2),
        };
        sum += cost;
        raw = after.get(skip..).unwrap_or_default();
    }
    sum + quarters(raw)
}

fn quarters_of_escape(hex: &[u8]) -> u64 {
    let code = std::str::from_utf8(hex).ok().and_then(|t| u32::from_str_radix(t, 16).ok()).unwrap_or(0);
    match code {
        0..0x80 => 1,
        // Half of a surrogate pair counts half of a four-byte character.
        0x80..0x800 | 0xd800..0xe000 => 2,
        _ => 3,
    }
}

fn quarters(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_count_as_what_they_stand_for() {
        for text in ["", "hello world", "line\nline\t\"quoted\"\\", "naïve Ελλάδα", "你好，世界", "a🙂b", "tail\\"]
        {
            let escaped = serde_json::to_string(text).unwrap();
            let inner = &escaped.as_bytes()[1..escaped.len() - 1];
            assert_eq!(quarters_of_json_text(inner), text.len() as u64, "{text}");
        }
        assert_eq!(quarters_of_json_text(br"\u4f60\u597d"), 6);
        assert_eq!(quarters_of_json_text(br"\ud83d\ude42"), 4);
        assert_eq!(quarters_of_json_text(br"\u00e9"), 2);
        assert_eq!(quarters_of_json_text(br"cut\u00"), 6);
        assert_eq!(tokens(9), 3);
    }
}
