//! The tokenizer of the practice provider: simple enough to be counted by eye.
//!
//! A token is a run of letters and digits (Unicode's meaning of both), or any one other character that is not white
//! space. White space is no token of its own; it travels with the token after it. So `Hello, world!` has four tokens:
//! `Hello`, `,`, ` world`, `!`. White space at the very end travels with the last token.

/// The tokens of a text, in order; put together again they give the text. A text of white space only has none.
#[must_use]
pub fn tokens(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut rest = text.char_indices().peekable();
    while let Some((_, first)) = rest.next() {
        if first.is_whitespace() {
            continue;
        }
        if first.is_alphanumeric() {
            while rest.next_if(|(_, c)| c.is_alphanumeric()).is_some() {}
        }
        let end = rest.peek().map_or(text.len(), |(at, _)| *at);
        found.push(text.get(start..end).unwrap_or_default());
        start = end;
    }
    if start < text.len()
        && let Some(last) = found.last_mut()
    {
        *last = text.get(start - last.len()..).unwrap_or_default();
    }
    found
}

/// How many tokens a text has.
#[must_use]
pub fn count(text: &str) -> u64 {
    let mut inside = false;
    let mut sum = 0;
    for c in text.chars() {
        let word = c.is_alphanumeric();
        let continues = word && inside;
        if !c.is_whitespace() && !continues {
            sum += 1;
        }
        inside = word;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counted_by_eye() {
        let cases: [(&str, &[&str]); 6] = [
            ("Hello, world!", &["Hello", ",", " world", "!"]),
            ("", &[]),
            (" \n", &[]),
            ("gpt4 a-b", &["gpt4", " a", "-", "b"]),
            ("你好，世界", &["你好", "，", "世界"]),
            ("end \n", &["end \n"]),
        ];
        for (text, wanted) in cases {
            assert_eq!(tokens(text), wanted, "{text:?}");
            assert_eq!(count(text), wanted.len() as u64, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn tokens_give_the_text_again(text in "\\PC*[ \n]*") {
            let found = tokens(&text);
            prop_assert_eq!(found.len() as u64, count(&text));
            if !found.is_empty() {
                prop_assert_eq!(found.concat(), text);
            }
        }
    }
}
