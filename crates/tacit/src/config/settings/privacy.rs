//! Settings of what is published about personal data.

use super::{Kind, Setting, optional, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "privacy.profile",
        Kind::Word(&["youyun", "01ai"]),
        "\"youyun\"",
        "Which published policy the platform keeps (docs/privacy.md): \"youyun\" keeps no request and no answer, \"01ai\"\n\
         allows people to turn a history on.",
    ),
    optional("privacy.company", Kind::Text, "\"Example Ltd.\"", "Who answers for personal data; stands in the policy."),
    optional("privacy.address", Kind::Text, "\"1 Example Road, Example City\"", "Where that company is."),
    optional("privacy.contact", Kind::Text, "\"privacy@example.org\"", "Where people write to about their data."),
    optional("privacy.officer", Kind::Text, "\"the data protection officer, dpo@example.org\"", "Who looks after it."),
    optional(
        "privacy.regulator",
        Kind::Text,
        "\"the regulator, https://regulator.example\"",
        "Where people may complain.",
    ),
    optional(
        "privacy.security_contact",
        Kind::Text,
        "\"mailto:security@example.org\"",
        "Where holes in the security are to be told, as a URL; stands in /.well-known/security.txt (RFC 9116).",
    ),
];
