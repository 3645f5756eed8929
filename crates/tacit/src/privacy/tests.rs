//! The data map of the whole program, and what is made of it.

use super::{map, published};
use std::collections::BTreeSet;
use std::path::Path;
use tacit_kernel::datamap::{Basis, Copying, Element, Place, Purpose, Subject, Withheld};
use tacit_privacy::{Controller, Language, Map, Page, Policy, Profile, Record, Texts, dataset};

fn policy(profile: &str) -> Policy {
    let controller = Controller {
        service: "Canary <Service>".into(),
        company: Some("Canary Ltd.".into()),
        contact: Some("privacy@canary.example".into()),
        officer: Some("the officer of canaries".into()),
        regulator: Some("the regulator of canaries".into()),
        ..Controller::default()
    };
    published(Profile::named(profile).unwrap(), controller).unwrap()
}

#[test]
fn no_element_is_declared_twice() {
    let names: Vec<String> = map().elements().iter().map(Map::name).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert!(names.len() > 400 && distinct.len() == names.len(), "{} of {}", distinct.len(), names.len());
}

#[test]
fn whatever_is_somebodys_has_a_purpose_that_something_allows() {
    for element in map().of_persons() {
        let name = Map::name(element);
        assert!(!element.purposes.is_empty() && !element.cites.is_empty(), "{name}");
        for purpose in element.purposes {
            assert!(Basis::ALL.contains(&purpose.basis()), "{name}");
            assert!(!purpose.as_str().contains("sell") && !purpose.as_str().contains("marketing"), "{name}");
        }
    }
}

#[test]
fn nothing_serves_improvement_without_consent() {
    assert_eq!(Purpose::Improvement.basis(), Basis::Consent);
    for element in map().of_persons() {
        assert_ne!(element.purposes, [Purpose::Improvement], "{}", Map::name(element));
    }
}

#[test]
fn what_tells_of_others_is_in_no_copy() {
    let of = |name: &str| *map().elements().iter().find(|element| Map::name(element) == name).unwrap();
    for name in ["account_profiles.invited_by", "audit_entries.actor_id", "audit_entries.address_sealed"] {
        assert_eq!(of(name).copying, Copying::Withheld(Withheld::OfOthers), "{name}");
    }
    for name in ["account_passwords.digest_sealed", "second_factors.secret_sealed", "passkeys.credential_sealed"] {
        assert_eq!(of(name).copying, Copying::Withheld(Withheld::Guards), "{name}");
    }
    for name in ["account_contacts.value_sealed", "calls.ip_sealed", "account_profiles.fields_sealed"] {
        assert_eq!(of(name).copying, Copying::Given, "{name}");
    }
}

#[test]
fn nothing_of_a_device_is_read_that_could_follow_it() {
    const FOLLOWING: [&str; 9] =
        ["imei", "imsi", "mac_address", "iccid", "ssid", "sensor", "clipboard", "location", "fingerprint"];
    let follows = |name: &str| FOLLOWING.iter().any(|word| name.contains(word));
    for element in map().elements() {
        assert!(!follows(&Map::name(element)) && !follows(element.category), "{}", Map::name(element));
    }
    assert!(follows("known_devices.mac_address"));
}

/// The text of a page without its markup.
fn plain(html: &str) -> String {
    html.replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[test]
fn every_element_of_a_person_is_in_the_policy_in_both_languages() {
    let texts = Texts::load().unwrap();
    for profile in Profile::NAMES {
        let policy = policy(profile);
        for language in Language::ALL {
            let page = plain(&policy.page(Page::Policy, *language));
            let record = plain(&policy.page(Page::Record, *language));
            for element in map().of_persons() {
                let category = texts.of(*language, "category", element.category).unwrap();
                assert!(page.contains(category) && record.contains(category), "{}", Map::name(element));
                for purpose in element.purposes {
                    let purpose = texts.of(*language, "purpose", purpose.as_str()).unwrap();
                    assert!(page.contains(purpose) && record.contains(purpose), "{}", Map::name(element));
                }
            }
        }
    }
}

#[test]
fn a_word_without_a_text_stops_it() {
    let stray = Element { category: "user.biometric", ..*map().of_persons().next().unwrap() };
    let texts = Texts::load().unwrap();
    let refused = Record::of(&Map::new([stray]), &texts, &Controller::default(), Language::En).unwrap_err();
    assert!(refused.to_string().contains("user.biometric"), "{refused}");
}

#[test]
fn what_the_policy_says_of_bodies_is_what_the_profile_allows() {
    let page = |profile: &str, language| policy(profile).page(Page::Policy, language).to_string();
    assert!(page("youyun", Language::En).contains("never stored") && page("youyun", Language::Zh).contains("从不保存"));
    assert!(page("01ai", Language::En).contains("turn your history on"));
    assert!(!page("01ai", Language::En).contains("never stored"));
}

#[test]
fn who_answers_for_it_stands_in_the_policy() {
    for language in Language::ALL {
        let page = policy("01ai").page(Page::Policy, *language).to_string();
        for said in
            ["Canary Ltd.", "privacy@canary.example", "the officer of canaries", "the regulator of canaries", "15"]
        {
            assert!(page.contains(said), "{said}");
        }
        assert!(page.contains("Canary &lt;Service&gt;") && !page.contains("<Service>"));
    }
}

#[test]
fn the_cookies_are_those_of_the_map() {
    let map = map();
    assert_eq!(map.cookies().count(), 3);
    for language in Language::ALL {
        let page = policy("youyun").page(Page::Cookies, *language).to_string();
        for cookie in map.cookies() {
            let Place::Cookie { name } = cookie.place else { continue };
            assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
        }
    }
}

#[test]
fn whoever_is_sent_something_is_named() {
    let page = plain(&policy("youyun").page(Page::Recipients, Language::En));
    let texts = Texts::load().unwrap();
    assert!(map().recipients().len() > 5);
    for recipient in map().recipients() {
        assert!(page.contains(texts.of(Language::En, "recipient", recipient).unwrap()), "{recipient}");
    }
}

#[test]
fn the_map_is_a_dataset_of_fideslang() {
    let text = dataset(&map()).unwrap();
    for said in ["dataset:", "fides_key: tacit", "name: calls", "name: ip_sealed", "user.device.ip_address", "180 days"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// The clauses that the map cites, of which a profile has none.
fn unknown_cites(map: &Map, profiles: &[Profile]) -> BTreeSet<&'static str> {
    let known = |cite: &str| {
        profiles.iter().any(|profile| {
            let of_profile = |id: &str| format!("{}-{id}", profile.prefix);
            // What stands at a clause in several parts is cited as one.
            profile.clauses.iter().any(|clause| of_profile(&clause.id).trim_end_matches(['a', 'b', 'c']) == cite)
        })
    };
    map.elements().iter().flat_map(|element| element.cites).copied().filter(|cite| !known(cite)).collect()
}

#[test]
fn what_the_map_cites_is_a_clause() {
    let profiles: Vec<Profile> = Profile::NAMES.iter().map(|name| Profile::named(name).unwrap()).collect();
    assert_eq!(unknown_cites(&map(), &profiles), BTreeSet::new());
    let stray = Element { cites: &["YY-99"], ..*map().of_persons().next().unwrap() };
    assert_eq!(unknown_cites(&Map::new([stray]), &profiles), BTreeSet::from(["YY-99"]));
}

/// Whether the test that a clause cites is there.
fn is_there(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let Ok(text) = std::fs::read_to_string(root.join(file)) else { return false };
    let is_test = ["fn ", "def "].iter().any(|word| text.contains(&format!("{word}{name}(")));
    is_test
        && (text.contains("#[test]")
            || text.contains("::test")
            || text.contains("both_engines!")
            || text.contains("def test"))
}

#[test]
fn every_clause_has_its_proof_or_says_what_is_missing() {
    for name in Profile::NAMES {
        let profile = Profile::named(name).unwrap();
        for clause in &profile.clauses {
            assert!(!clause.tests.is_empty() || clause.missing.is_some(), "{name} {}", clause.id);
            for test in &clause.tests {
                assert!(is_there(test), "{name} {}: there is no test {test}", clause.id);
            }
        }
        let proofs = profile.proofs();
        assert_eq!(proofs.clauses, proofs.proved + proofs.partly_missing + proofs.missing);
    }
    assert!(!is_there("crates/tacit/src/privacy/tests.rs::no_such_test") && !is_there("README.md::no"));
}

#[test]
fn whoever_is_nobody_says_why() {
    for element in map().elements() {
        if let Subject::Nobody(why) = element.subject {
            assert!(!why.is_empty(), "{}", Map::name(element));
        }
    }
}
