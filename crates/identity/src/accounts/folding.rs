//! When two names of accounts are one. People take `Admin`, `ADMIN`, the full-width `Ａｄｍｉｎ` and an `аdmin` with a Cyrillic
//! letter for the same name, so that they are the same: whoever has one has them all, and signs in by any of them.
//!
//! Compared is the skeleton of UTS 39 (what looks alike is written alike) of the name after NFKC and full case folding, without
//! what is not shown at all. The skeleton writes some small letters and digits as capitals (`0` as `O`), so that it is
//! folded once more; and since a capital `I` looks like an `l`, so does an `i` here. Capitals of other scripts that look like Latin
//! ones, and whose small letters do not, are not told (`В` is `в` and no `b`): case comes first. What is kept is how it was
//! chosen, sealed; compared is a keyed hash.

use caseless::Caseless as _;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;
use zeroize::Zeroizing;

/// What stands for all names that are one. Empty if nothing of the name can be seen.
pub(super) fn folded(name: &str) -> Zeroizing<String> {
    let alike: Zeroizing<String> = Zeroizing::new(skeleton(&plain(name)).collect());
    Zeroizing::new(once(alike.chars().map(|c| if c == 'i' { 'l' } else { c })))
}

/// A name without what is not seen, compatible characters and case.
pub(super) fn plain(name: &str) -> Zeroizing<String> {
    Zeroizing::new(once(name.chars()).trim().to_owned())
}

/// NFKC, full case folding, and NFKC once more, for folding may leave what can be composed.
fn once(text: impl Iterator<Item = char>) -> String {
    text.filter(|c| !is_unseen(*c)).nfkc().default_case_fold().nfkc().filter(|c| !is_unseen(*c)).collect()
}

/// What has no form of its own (`Default_Ignorable_Code_Point` of Unicode).
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_take_for_one_name_is_one() {
        let same = [
            &["admin", "Admin", "ADMIN", "Ａｄｍｉｎ", "аdmin", "ad\u{200b}min", "ad\u{ad}min", "admın"][..],
            &["straße", "STRASSE", "strasse"],
            &["José", "Jose\u{301}", "JOSÉ"],
            &["ΣΊΣΥΦΟΣ", "σίσυφος"],
            &["bill0", "BillO", "BiIIo"],
            &["paypal", "paypaI", "PAYPAL"],
            &["小明", "小明\u{fe00}"],
        ];
        for names in same {
            for name in names {
                assert_eq!(*folded(name), *folded(names[0]), "{name} is {}", names[0]);
            }
        }
        for (one, other) in
            [("admin", "administrator"), ("José", "Jose"), ("小明", "小红"), ("ann", "anna"), ("é", "e")]
        {
            assert_ne!(*folded(one), *folded(other));
        }
        assert_eq!(*folded("\u{3164}\u{200b}"), "");
    }

    /// Names that are there are found by what they were folded to. With other tables some would not be found again, or be given to
    /// somebody else: whoever takes newer ones writes a migration that has all names renewed (`name_form = 'exact'`, see
    /// `Identity::names_renew`), and changes the numbers here.
    #[test]
    fn the_tables_are_those_that_names_were_folded_with() {
        assert_eq!(unicode_normalization::UNICODE_VERSION, (18, 0, 0));
        assert_eq!(unicode_security::UNICODE_VERSION, (18, 0, 0));
        assert_eq!(caseless::UNICODE_VERSION, (16, 0, 0));
    }

    proptest! {
        #[test]
        fn case_and_width_never_matter(name in "\\PC{1,12}") {
            prop_assert_eq!(&*folded(&name.to_uppercase().to_lowercase()), &*folded(&name.to_lowercase()));
            prop_assert_eq!(&*folded(&name.nfkc().collect::<String>()), &*folded(&name));
        }
    }
}
