//! Settings of people: how they register and sign in, their organisations, and who they are shown to be.

use super::{Kind, Setting, asked, optional, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "registration.open",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether anybody may register. Codes are sent, so that messages must be configured too.",
    ),
    setting("registration.group", Kind::Text, "\"default\"", "The pricing group of who registers."),
    setting(
        "registration.minors",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether minors may register, with the consent of a guardian, who is sent a code.",
    ),
    asked("registration.username", "\"optional\"", "A name to sign in with; without one the platform makes one up."),
    asked("registration.email", "\"required\"", "An e-mail address, shown to be theirs by a code."),
    asked("registration.phone", "\"off\"", "A phone number, shown to be theirs by a code."),
    asked("registration.password", "\"optional\"", "A password; without one codes are sent to sign in."),
    asked("registration.invitation", "\"optional\"", "An invitation."),
    setting(
        "registration.phone_countries",
        Kind::Names,
        "[]",
        "Country codes of the phone numbers that may become somebody's, such as \"86\", without the +; with none here those of\n\
         every country.",
    ),
    setting(
        "registration.texts_per_day",
        Kind::Number { min: 1, max: 1_000 },
        "20",
        "Text messages with codes and invitations in a day to one number, and as many that one account asks for: each costs.",
    ),
    asked("registration.name", "\"off\"", "Their real name, which is not the name they sign in with."),
    asked("registration.company", "\"off\"", "Company."),
    asked("registration.position", "\"off\"", "Position in the company."),
    asked("registration.country", "\"off\"", "Country."),
    asked("registration.region", "\"off\"", "Region or province."),
    asked("registration.city", "\"off\"", "City."),
    asked("registration.use_case", "\"off\"", "What the service is to be used for."),
    asked("registration.experience", "\"off\"", "Experience with such services."),
    asked("registration.referrer", "\"off\"", "How they heard of the service."),
    setting(
        "organisations.open",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether people may make organisations (docs/organisations.md).",
    ),
    setting(
        "sign_in.providers",
        Kind::Providers,
        "[]",
        "Providers of identities to sign in with (docs/accounts.md), in this file only, a table each:\n\
         [[sign_in.providers]]\n\
         id = \"example\"            in paths; tell the provider console.url/sign-in/callback/example\n\
         preset = \"oidc\"           or \"google\", \"github\", \"wechat\", \"qq\"\n\
         issuer = \"https://id.example\"    for \"oidc\"\n\
         client_id = \"tacit\"\n\
         client_secret = { file = \"/etc/tacit/example.secret\" }\n\
         name_en = \"Example\"\n\
         name_zh = \"示例\"\n\
         Also: allow_private = true for an address that is not on the public internet; ca = \"/path\" who signed its\n\
         certificate; authorize_url, token_url, user_url instead of those of a preset.",
    ),
    setting(
        "verification.person",
        Kind::Word(&["off", "staff", "agency"]),
        "\"off\"",
        "Whether persons may show who they are (docs/verification.md), and who decides. With \"agency\" staff decides what\n\
         the agency cannot tell.",
    ),
    setting("verification.enterprise", Kind::Word(&["off", "staff", "agency"]), "\"off\"", "The same of enterprises."),
    setting(
        "verification.person_papers",
        Kind::Words(&["id_card_front", "id_card_back", "passport"]),
        "[\"id_card_front\", \"id_card_back\"]",
        "The papers that are asked for with a document; one of which none is named here is not taken. With none at all\n\
         any document is taken, and no paper.",
    ),
    setting(
        "verification.enterprise_papers",
        Kind::Words(&["business_licence", "authorisation_letter"]),
        "[\"business_licence\"]",
        "The same of enterprises.",
    ),
    setting(
        "verification.paper_max_bytes",
        Kind::Number { min: 65_536, max: 8_388_608 },
        "5242880",
        "The largest paper.",
    ),
    setting(
        "verification.kept_days",
        Kind::Number { min: 0, max: 90 },
        "7",
        "Days after a verdict for which name, number, note and papers are kept; then they are deleted and their key is\n\
         destroyed.",
    ),
    setting(
        "verification.undecided_days",
        Kind::Number { min: 1, max: 90 },
        "30",
        "Days after which a case that nobody decided is over, and what it holds is deleted.",
    ),
    setting(
        "verification.accounts_per_number",
        Kind::Number { min: 0, max: 1_000_000 },
        "1",
        "Accounts that one number may be approved for at most; 0: any.",
    ),
    optional(
        "verification.unverified.api_keys",
        Kind::Number { min: 0, max: 1_000_000 },
        "1",
        "API keys that an account may have in use before it was verified; any if not given.",
    ),
    setting(
        "verification.unverified.management_keys",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may make management keys.",
    ),
    setting(
        "verification.unverified.organisations",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may make organisations.",
    ),
    setting(
        "verification.unverified.calls",
        Kind::Word(&["on", "off"]),
        "\"on\"",
        "Whether it may call models at all.",
    ),
    optional(
        "verification.unverified.spend_per_day",
        Kind::Text,
        "\"1.00\"",
        "What it may spend on a day (UTC) at most, in the settlement currency.",
    ),
    optional("verification.unverified.spend_per_month", Kind::Text, "\"10.00\"", "The same in a calendar month."),
    optional("verification.unverified.models", Kind::Names, "[\"small\"]", "The only models that it may call."),
    setting(
        "verification.agency.provider",
        Kind::Word(&["none", "generic", "aliyun", "tencent"]),
        "\"none\"",
        "The agency that is asked whether name and number belong together. It is told them only of who agreed to it.",
    ),
    optional("verification.agency.name_en", Kind::Text, "\"Example Agency\"", "Its name, as people are told it."),
    optional("verification.agency.name_zh", Kind::Text, "\"示例核验机构\"", "The same in Chinese."),
    optional(
        "verification.agency.url",
        Kind::Text,
        "\"https://agency.example/check\"",
        "Where it is. Of \"aliyun\" and \"tencent\" only if it is not the usual place.",
    ),
    optional(
        "verification.agency.user",
        Kind::Text,
        "\"LTAI5tExample\"",
        "The AccessKey id (aliyun) or SecretId (tencent).",
    ),
    optional(
        "verification.agency.secret",
        Kind::Secret,
        "{ file = \"/etc/tacit/agency.secret\" }",
        "The AccessKey secret, the SecretKey or, for \"generic\", whsec_ and the key in base64.",
    ),
    setting(
        "verification.agency.allow_private",
        Kind::Word(&["on", "off"]),
        "\"off\"",
        "Whether the agency may have an address that is not on the public internet.",
    ),
    optional(
        "verification.agency.ca",
        Kind::Path,
        "\"/etc/tacit/agency-ca.pem\"",
        "Who signed the agency's certificate (PEM), if it is none of the authorities of the web.",
    ),
];
