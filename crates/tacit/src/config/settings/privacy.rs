//! Settings of what is published about personal data.

use super::{Kind, Setting, optional, setting};
use tacit_kernel::datamap::retention::{AUDIT, CALL_RECORD, LEDGER};

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
    setting(
        "privacy.cooling_off_days",
        Kind::Number { min: 0, max: 15 },
        "7",
        "Days for which somebody who cancels their account may take it back before everything of it is erased.",
    ),
    optional(
        "privacy.home_country",
        Kind::Country,
        "\"CN\"",
        "Where the platform is at home, two letters of ISO 3166-1: calls that providers elsewhere answer are counted as\n\
         transfers abroad (docs/recipients.md). Without it every call is.",
    ),
    setting(
        "privacy.transfers_filing",
        Kind::Number { min: 1, max: 1_000_000_000 },
        "100000",
        "From how many people a year whose calls are answered abroad on a contract is to be filed. By default as China's\n\
         Provisions on cross-border flows of data (2024-03-22) have it, article 8. At four fifths of it staff is told.",
    ),
    setting(
        "privacy.transfers_assessment",
        Kind::Number { min: 1, max: 1_000_000_000 },
        "1000000",
        "From how many on the authority is to assess it; article 7 of the same.",
    ),
    setting(
        "incidents.clocks",
        Kind::Clocks,
        "[\"cn-1h 1h Protection department and public security, critical infrastructure (CN) | 保护工作部门和公安机关（关键信息基础设施）\", \
         \"cn-4h 4h Provincial cyberspace administration (CN) | 省级网信部门\", \
         \"eu-24h 24h CSIRT, early warning (EU, NIS2 article 23) | 欧盟 CSIRT 预警（NIS2 第 23 条）\", \
         \"gdpr-33 72h Supervisory authority (EU, GDPR article 33) | 欧盟监管机构（GDPR 第 33 条）\"]",
        "Times within which a law wants somebody to be told of an incident, from the moment when it is found, each as\n\
         \"name 72h English | 中文\" (h hours, d days; between clocks in a variable or flag: ;). Which of them hold is for\n\
         counsel to say; one that does not apply is ticked off by saying so (docs/incidents.md).",
    ),
    setting(
        "retention.call_records_days",
        Kind::Number { min: CALL_RECORD.min as i64, max: CALL_RECORD.max as i64 },
        "400",
        "Days for which records of calls are kept; where a call came from goes after 180 days in any case. Not less than a\n\
         law demands: China's Cybersecurity Law, article 21.",
    ),
    setting(
        "retention.ledger_days",
        Kind::Number { min: LEDGER.min as i64, max: LEDGER.max as i64 },
        "3653",
        "Days for which transactions of the ledger are kept; balances stay. Not less than a law demands: China's E-Commerce\n\
         Law, article 31. Laws on the books of companies may demand more: ask counsel.",
    ),
    setting(
        "retention.audit_days",
        Kind::Number { min: AUDIT.min as i64, max: AUDIT.max as i64 },
        "1095",
        "Days for which the contents of the audit log are kept; its commitments, which say nothing, stay. Not less than a\n\
         law demands: China's Personal Information Protection Law, article 56.",
    ),
];
