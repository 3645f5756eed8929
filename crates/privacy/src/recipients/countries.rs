//! The countries and territories that ISO 3166-1 has a code of two letters for, with what each is called.

use crate::Language;

/// A line each: the code, its name in English, its name in Chinese, apart by tabs.
const COUNTRIES: &str = include_str!("../../countries.tsv");

/// What stands for a country that nobody has told: ISO 3166 leaves this code to whoever uses it.
pub const UNKNOWN: &str = "ZZ";

fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    COUNTRIES.lines().filter_map(|line| {
        let (code, names) = line.split_once('\t')?;
        let (english, chinese) = names.split_once('\t')?;
        Some((code, english, chinese))
    })
}

/// The code as it is written in the list, if there is a country of that code.
#[must_use]
pub fn country(code: &str) -> Option<&'static str> {
    lines().map(|(code, ..)| code).find(|known| *known == code)
}

/// What the country of that code is called; the code itself where there is none.
#[must_use]
pub fn country_name(code: &str, language: Language) -> &str {
    let found = lines().find(|(known, ..)| *known == code);
    match (found, language) {
        (Some((_, english, _)), Language::En) => english,
        (Some((_, _, chinese)), Language::Zh) => chinese,
        (None, _) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_with_both_names() {
        let codes: Vec<&str> = lines().map(|(code, ..)| code).collect();
        assert_eq!((codes.len(), COUNTRIES.lines().count()), (249, 249));
        assert!(codes.is_sorted() && codes.iter().all(|code| code.len() == 2));
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(lines().all(|(code, english, chinese)| english != code && chinese != code));
        assert_eq!((country("CN"), country("cn"), country("XX"), country(UNKNOWN)), (Some("CN"), None, None, None));
        assert_eq!(country_name("DE", Language::Zh), "德国");
        assert_eq!(country_name(UNKNOWN, Language::En), "ZZ");
    }
}
