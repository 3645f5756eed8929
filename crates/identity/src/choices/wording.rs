//! What people are told of what they may decide about the use of their data. With each decision the digest of the text is kept that
//! was shown, so that a consent to one text is none to another (policy of 01.AI, 2.8.3).

use super::Matter;
use crate::registration::Language;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

const LANGUAGES: [Language; 2] = [Language::En, Language::Zh];
/// Bytes of a digest that are shown.
const DIGEST: usize = 16;

/// A question, and what the answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The question.
    pub title: &'static str,
    /// What happens if it is allowed, and if it is not.
    pub text: &'static str,
}

/// What somebody is asked about a matter.
#[must_use]
pub const fn wording(matter: Matter, language: Language) -> Wording {
    let (title, text) = match (matter, language) {
        (Matter::Use, Language::En) => (
            "My data may be used, and not only kept",
            "Without it your data is restricted: your calls are refused, nobody of our staff sees or uses your data, and nothing \
             is done with it but what you do here yourself, what keeps others safe, and what laws and books demand. You can lift \
             it here at any time.",
        ),
        (Matter::Use, Language::Zh) => (
            "允许使用（而不仅是存储）我的个人信息",
            "关闭后，您的个人信息将被限制处理：调用会被拒绝，工作人员不得查看或使用，除您本人在此处的操作、保护他人安全以及法律和账务所必需\
             之外，不再作任何处理。您可随时在此恢复。",
        ),
        (Matter::FraudDetection, Language::En) => (
            "My data may serve to find those who cheat",
            "It rests on a legitimate interest, to which you may object with a request that says why. What you object to stops at \
             once, and goes on only if we show you that others need the protection more.",
        ),
        (Matter::FraudDetection, Language::Zh) => (
            "允许将我的个人信息用于识别欺诈",
            "该处理基于保障服务与他人安全的必要，您可通过说明理由的请求提出拒绝。提出后立即停止，仅当我们向您说明保护他人确有更充分的必要时才会恢复。",
        ),
        (Matter::Improvement, Language::En) => (
            "My data may serve to make the service better",
            "Only what you tell us for it, and only once nobody can be found in it. Without it nothing of the service is missing. \
             You can take it back at any time; what was done before stays lawful.",
        ),
        (Matter::Improvement, Language::Zh) => (
            "允许将我的个人信息用于改进服务",
            "仅限您为此提供的内容，且须经去标识化处理、无法识别到您。不同意不影响使用任何功能。您可随时撤回，撤回前的处理仍然有效。",
        ),
    };
    Wording { title, text }
}

/// The digest of what somebody is asked about a matter, in all languages.
#[must_use]
pub fn digest(matter: Matter) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for language in LANGUAGES {
        let Wording { title, text } = wording(matter, language);
        for part in [title, "\0", text, "\0"] {
            context.update(part.as_bytes());
        }
    }
    let whole = context.finish();
    let (first, _) = whole.as_ref().split_at_checked(DIGEST).unwrap_or_default();
    HEXLOWER.encode(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_matter_has_a_text_of_its_own_in_each_language() {
        let texts: BTreeSet<&str> = Matter::ALL
            .iter()
            .flat_map(|matter| LANGUAGES.map(|language| wording(*matter, language)))
            .flat_map(|wording| [wording.title, wording.text])
            .collect();
        assert_eq!(texts.len(), Matter::ALL.len() * LANGUAGES.len() * 2);
        let digests: BTreeSet<String> = Matter::ALL.iter().map(|matter| digest(*matter)).collect();
        assert_eq!(digests.len(), Matter::ALL.len());
        assert!(digests.iter().all(|digest| digest.len() == 2 * DIGEST), "{digests:?}");
    }
}
