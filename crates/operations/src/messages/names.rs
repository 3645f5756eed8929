//! Names that people choose, where they stand in messages to others: what the platform sends in its own name must not carry
//! somebody's advertisement, nor a link, and mail programs make links of whatever looks like a host.

/// Of a name in a message, in characters.
const LONGEST: usize = 60;

/// A name as it may stand in a message: one line, of at most 60 characters, in which nothing is an address.
#[must_use]
pub fn shown_name(name: &str) -> String {
    // What is not seen hides what is.
    let seen = |c: &char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let letters: Vec<char> = name.chars().filter(seen).collect();
    let mut shown = String::new();
    for (place, letter) in letters.iter().copied().enumerate() {
        // `Dr. Who` is a name, `dr.who` is a host.
        let joins = letters.get(place + 1).is_some_and(|next| !next.is_whitespace());
        let breaks = match letter {
            '.' | '。' | '．' | '｡' | '․' | '‧' => joins,
            '/' | '\\' | '@' | ':' | '＠' | '／' | '：' | '<' | '>' => true,
            other => other.is_whitespace() || other.is_control(),
        };
        shown.push(if breaks { ' ' } else { letter });
    }
    let one_line = shown.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(LONGEST) {
        Some(_) => one_line.chars().take(LONGEST - 1).chain(['…']).collect(),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::shown_name;
    use proptest::prelude::*;

    #[test]
    fn a_name_stays_a_name_and_an_address_is_none() {
        for (name, shown) in [
            ("Analytical Engines", "Analytical Engines"),
            ("Dr. Who Inc.", "Dr. Who Inc."),
            ("上海机器（集团）。", "上海机器（集团）。"),
            ("Win at https://evil.example/x?y", "Win at https evil example x?y"),
            ("evil。example", "evil example"),
            ("evil.\u{200b}example", "evil example"),
            ("a@b.example", "a b example"),
            ("one\r\n\r\ntwo\u{2028}three", "one two three"),
        ] {
            assert_eq!(shown_name(name), shown);
        }
        assert_eq!(shown_name(&"长".repeat(61)).chars().count(), 60);
        assert_eq!(shown_name(&"长".repeat(60)), "长".repeat(60));
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_is_an_address(name in "\\PC{0,40}[.。@:/ ]?\\PC{0,40}") {
            let shown = shown_name(&name);
            prop_assert!(shown.chars().count() <= 60);
            prop_assert!(!shown.contains(['@', '/', ':', '\n', '\r']));
            let letters: Vec<_> = shown.chars().collect();
            prop_assert!(letters.windows(2).all(|two| !(two[0] == '.' && !two[1].is_whitespace() && two[1] != '…')), "{}", shown);
            prop_assert_eq!(shown_name(&shown), shown);
        }
    }
}
