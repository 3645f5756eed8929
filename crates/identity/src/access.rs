//! Who may do what on the console: permissions, the roles that bundle them, and the caller who has them.
//!
//! A permission is declared here and nowhere else; it is checked in one place, where the console API registers its
//! routes. It says what a member of **staff** may do with what belongs to others or to the platform. What an account
//! does with its own (its keys, its wallet, its data) needs no permission, only that it is signed in; a management key
//! needs a scope for it.

mod sets;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sets::sets;
use std::fmt;
use std::str::FromStr;
use tacit_kernel::ids::{AccountId, ManagementKeyId, SignInId};

/// An enum of permissions: name, stable text, whether it asks for step-up, and what it allows in one line.
macro_rules! permissions {
    ($(#[$about:meta])+ $what:ident { $($name:ident = $text:literal, $step_up:ident, $doc:literal;)+ }) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $what {
            $(#[doc = $doc] $name,)+
        }

        impl $what {
            /// Every permission, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it allows, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }

            /// Whether using it needs that the caller has proved anew, a moment ago, who they are.
            #[must_use]
            pub const fn needs_step_up(self) -> bool {
                match self { $(Self::$name => $crate::access::permissions!(@$step_up),)+ }
            }
        }
    };
    (@step_up) => { true };
    (@plain) => { false };
}
pub(crate) use permissions;

permissions! {
    /// One thing that staff may be allowed to do. Names are part of the interface and never change their meaning.
    Permission {
        AccountsRead = "accounts.read", plain, "See accounts with their personal fields masked.";
        AccountsUnmask = "accounts.unmask", step_up, "See personal fields of an account in clear; each look is recorded and shown to the person.";
        AccountsWrite = "accounts.write", plain, "Create accounts and change their group, limits and status.";
        SessionsEnd = "sessions.end", plain, "End the sign-ins of an account.";
        CredentialsReset = "credentials.reset", step_up, "Reset the password or second factor of an account.";
        KeysRead = "keys.read", plain, "See the API keys of all accounts, never their secrets.";
        KeysCreate = "keys.create", step_up, "Make API keys for accounts, whose money they spend.";
        KeysWrite = "keys.write", plain, "Change and disable API keys of all accounts.";
        CallsRead = "calls.read", plain, "See call records of all accounts, without address and user agent.";
        CallsUnmask = "calls.unmask", step_up, "See address and user agent of a call; each look is recorded and shown to the person.";
        MessagesUnmask = "messages.unmask", step_up, "See what was written to people in clear, codes included, in the outbox of a development platform; each look is recorded and shown to the person.";
        MoneyRead = "money.read", plain, "See wallets, ledger, orders and invoices of all accounts.";
        MoneyChange = "money.change", step_up, "Credit, debit and refund; every movement is a posting with a reason.";
        LedgerVerify = "ledger.verify", plain, "Run the check of the whole ledger and see its findings.";
        CodesWrite = "codes.write", step_up, "Make redemption codes and see them once.";
        ModelsWrite = "models.write", plain, "Register and change models.";
        PricesWrite = "prices.write", step_up, "Set prices and the multipliers of groups and channels.";
        ProvidersRead = "providers.read", plain, "See providers and channels with their health, never their credentials.";
        ProvidersWrite = "providers.write", step_up, "Change providers and channels, and set their credentials.";
        ProvidersRevealCredential = "providers.reveal_credential", step_up, "See the credential of a channel in clear; each look is recorded.";
        TicketsRead = "tickets.read", plain, "See the tickets of all accounts.";
        TicketsWrite = "tickets.write", plain, "Answer, assign and close tickets.";
        NoticesWrite = "notices.write", plain, "Publish announcements and incidents.";
        RiskRead = "risk.read", plain, "See risk rules, marks and cases.";
        RiskWrite = "risk.write", step_up, "Change risk rules, and decide cases and appeals.";
        VerificationRead = "verification.read", plain, "See cases of verification with names and numbers masked.";
        VerificationDecide = "verification.decide", step_up, "See papers, names and numbers of a case of verification in clear, and decide it; each look is recorded with its reason.";
        PrivacyRead = "privacy.read", plain, "See requests of data subjects, consents, recipients of data and the record of processing.";
        PrivacyWrite = "privacy.write", step_up, "Decide requests of data subjects: export, correction, restriction, erasure; change the register of recipients.";
        IncidentsRead = "incidents.read", plain, "See incidents, whom they concern, by number, and who has to be told until when.";
        IncidentsWrite = "incidents.write", step_up, "Open incidents, say whom they concern, tell those people, report and close them.";
        PoliciesWrite = "policies.write", step_up, "Publish a version of a policy.";
        AuditRead = "audit.read", plain, "Read the audit log.";
        RolesRead = "roles.read", plain, "See roles and who has them.";
        RolesWrite = "roles.write", step_up, "Make and change roles, and give them to accounts.";
        SettingsRead = "settings.read", plain, "See the settings of the platform, never its secrets.";
        SettingsWrite = "settings.write", step_up, "Change the settings of the platform.";
        SystemRead = "system.read", plain, "See gateways, jobs, backups and the state of the platform.";
        SystemWrite = "system.write", step_up, "Run and repeat jobs, and settle what was set aside.";
    }
}

/// A text that names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such permission")]
pub struct UnknownPermission;

sets! {
    /// A set of permissions.
    Permissions of Permission, else UnknownPermission
}

permissions! {
    /// One thing that a management key may be allowed to do with what belongs to its owner. A person who is signed in needs
    /// none of these. What is about sign-ins, credentials and management keys themselves no key does.
    Scope {
        AccountRead = "account.read", plain, "See what is held about the owner, and who of the staff has looked at it.";
        AccountWrite = "account.write", plain, "Change the owner's profile, and invite others to the platform.";
        KeysRead = "keys.read", plain, "See the owner's API keys, never their secrets.";
        KeysWrite = "keys.write", plain, "Make, change and revoke API keys of the owner.";
        CallsRead = "calls.read", plain, "See the owner's call records.";
        WalletRead = "wallet.read", plain, "See the owner's balance, every movement of it, and what was used.";
        VerificationRead = "verification.read", plain, "See how far the owner's verification is.";
        VerificationWrite = "verification.write", plain, "Open, fill in, hand in and withdraw a case of verification of the owner.";
        OrganisationsRead = "organisations.read", plain, "See the owner's organisations with their members and projects, as far as the owner's role there allows it.";
        OrganisationsWrite = "organisations.write", plain, "Make, join, change and leave organisations, as far as the owner's role there allows it.";
        OrganisationKeysRead = "organisation_keys.read", plain, "See API keys of the owner's organisations, as far as the owner's role there allows it.";
        OrganisationKeysWrite = "organisation_keys.write", plain, "Make, change and revoke API keys of the owner's organisations, as far as the owner's role there allows it.";
        OrganisationWalletRead = "organisation_wallet.read", plain, "See balance, movements and usage of the owner's organisations, as far as the owner's role there allows it.";
    }
}

/// A text that names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope")]
pub struct UnknownScope;

sets! {
    /// A set of scopes.
    Scopes of Scope, else UnknownScope
}

/// A role that every platform has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltInRole {
    /// Everything. There is always one.
    Owner,
    /// Runs the platform; does not touch money, privacy decisions or who has which role.
    Admin,
    /// Money: orders, refunds, invoices, the ledger.
    Finance,
    /// Helps people; sees what is masked.
    Support,
    /// Abuse and fraud.
    Risk,
    /// The rights of data subjects.
    PrivacyOfficer,
    /// Sees everything that is not personal, changes nothing.
    Auditor,
}

impl BuiltInRole {
    /// Every built-in role.
    pub const ALL: [Self; 7] =
        [Self::Owner, Self::Admin, Self::Finance, Self::Support, Self::Risk, Self::PrivacyOfficer, Self::Auditor];

    /// Its stable name. A role of the operator's own may not take it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Finance => "finance",
            Self::Support => "support",
            Self::Risk => "risk",
            Self::PrivacyOfficer => "privacy_officer",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it is for, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Owner => "Everything. There is always one.",
            Self::Admin => "Runs the platform; touches neither money, nor privacy decisions, nor who has which role.",
            Self::Finance => "Money: orders, refunds, codes, invoices, the ledger.",
            Self::Support => "Helps people; personal fields stay masked.",
            Self::Risk => "Abuse and fraud: rules, cases, appeals; decides who is verified.",
            Self::PrivacyOfficer => "The rights of data subjects, the policies, and incidents.",
            Self::Auditor => "Sees whatever is not personal; changes nothing.",
        }
    }

    /// What it allows.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        use Permission as P;
        let listed: &[P] = match self {
            Self::Owner => return Permissions::all(),
            Self::Admin => &[
                P::AccountsRead,
                P::AccountsWrite,
                P::SessionsEnd,
                P::CredentialsReset,
                P::KeysRead,
                P::KeysCreate,
                P::KeysWrite,
                P::CallsRead,
                P::ModelsWrite,
                P::PricesWrite,
                P::ProvidersRead,
                P::ProvidersWrite,
                P::TicketsRead,
                P::TicketsWrite,
                P::NoticesWrite,
                P::RiskRead,
                P::VerificationRead,
                P::AuditRead,
                P::RolesRead,
                P::SettingsRead,
                P::SettingsWrite,
                P::SystemRead,
                P::SystemWrite,
            ],
            Self::Finance => &[
                P::AccountsRead,
                P::CallsRead,
                P::MoneyRead,
                P::MoneyChange,
                P::LedgerVerify,
                P::CodesWrite,
                P::TicketsRead,
            ],
            Self::Support => &[
                P::AccountsRead,
                P::SessionsEnd,
                P::KeysRead,
                P::CallsRead,
                P::MoneyRead,
                P::ProvidersRead,
                P::VerificationRead,
                P::TicketsRead,
                P::TicketsWrite,
            ],
            Self::Risk => &[
                P::AccountsRead,
                P::AccountsWrite,
                P::SessionsEnd,
                P::KeysRead,
                P::KeysWrite,
                P::CallsRead,
                P::CallsUnmask,
                P::RiskRead,
                P::RiskWrite,
                P::VerificationRead,
                P::VerificationDecide,
                P::TicketsRead,
            ],
            Self::PrivacyOfficer => &[
                P::AccountsRead,
                P::AccountsUnmask,
                P::PrivacyRead,
                P::PrivacyWrite,
                P::IncidentsRead,
                P::IncidentsWrite,
                P::PoliciesWrite,
                P::AuditRead,
                P::TicketsRead,
                P::TicketsWrite,
            ],
            Self::Auditor => &[
                P::CallsRead,
                P::MoneyRead,
                P::LedgerVerify,
                P::ProvidersRead,
                P::RiskRead,
                P::PrivacyRead,
                P::AuditRead,
                P::RolesRead,
                P::SettingsRead,
                P::SystemRead,
            ],
        };
        listed.iter().copied().collect()
    }
}

/// What a caller showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A sign-in on the console.
    Session(SignInId),
    /// A management key, with what it may do with what is its owner's own.
    ManagementKey(ManagementKeyId, Scopes),
}

/// Who uses the console API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that acts.
    pub account: AccountId,
    /// What it showed.
    pub via: Via,
    /// What it may do beyond what is its own.
    pub permissions: Permissions,
    /// Whether it proved anew, a moment ago, who it is.
    pub stepped_up: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<_> = Permission::ALL.iter().map(|p| p.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
            let form = permission.as_str().split_once('.');
            assert!(form.is_some_and(|(on, what)| !on.is_empty() && !what.is_empty()), "{permission}");
            assert!(permission.meaning().ends_with('.'), "{permission}");
        }
        assert_eq!("accounts.fly".parse::<Permission>(), Err(UnknownPermission));
        for role in BuiltInRole::ALL {
            assert_eq!(BuiltInRole::parse(role.as_str()), Some(role));
        }
    }

    #[test]
    fn sets() {
        let some: Permissions = [Permission::RolesRead, Permission::AccountsRead].into_iter().collect();
        assert!(some.has(Permission::AccountsRead) && !some.has(Permission::AccountsUnmask));
        assert!(some.is_within(Permissions::all()) && !Permissions::all().is_within(some));
        assert_eq!(Permissions::all().intersection(some), some);
        assert_eq!(Permissions::NONE.union(some), some);
        assert_eq!(Permissions::all().iter().count(), Permission::ALL.len());
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(text, r#"["accounts.read","roles.read"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), some);
        assert!(serde_json::from_str::<Permissions>(r#"["x.y"]"#).is_err());
    }

    #[test]
    fn scopes_read_back_and_are_no_permissions() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(*scope));
            assert!(scope.meaning().ends_with('.') && !scope.needs_step_up(), "{scope}");
        }
        let text = serde_json::to_string(&Scopes::all()).unwrap();
        assert_eq!(serde_json::from_str::<Scopes>(&text).unwrap(), Scopes::all());
        assert!(serde_json::from_str::<Scopes>(r#"["accounts.read"]"#).is_err(), "what staff may is no scope");
        // What the keys have that were made before there were scopes: it is read by the program.
        let migration = include_str!("../../storage/migrations/0013_scopes.sql");
        let (_, default) = migration.split_once("DEFAULT\n    '").unwrap();
        let default: Scopes = serde_json::from_str(default.split_once('\'').unwrap().0).unwrap();
        assert_eq!(default.iter().count(), 13);
    }

    #[test]
    fn roles_hold_what_their_meaning_says() {
        use Permission as P;
        assert_eq!(BuiltInRole::Owner.permissions(), Permissions::all());
        let has = |role: BuiltInRole, p| role.permissions().has(p);
        for p in [
            P::MoneyChange,
            P::PrivacyWrite,
            P::RolesWrite,
            P::AccountsUnmask,
            P::ProvidersRevealCredential,
            P::VerificationDecide,
        ] {
            assert!(!has(BuiltInRole::Admin, p), "{p}");
            assert!(!has(BuiltInRole::Support, p), "{p}");
        }
        for p in BuiltInRole::Auditor.permissions().iter() {
            let reads = p.as_str().ends_with(".read") || p == P::LedgerVerify;
            assert!(reads, "an auditor changes nothing, but has {p}");
        }
        assert!(!has(BuiltInRole::Auditor, P::AccountsRead), "accounts are personal");
        // What shows a person in clear is given to nobody but who decides about it.
        for p in [P::AccountsUnmask, P::CallsUnmask, P::ProvidersRevealCredential, P::VerificationDecide] {
            assert!(p.needs_step_up(), "{p}");
        }
        let unmask = |p| BuiltInRole::ALL.into_iter().filter(|r| has(*r, p)).count();
        assert_eq!((unmask(P::AccountsUnmask), unmask(P::CallsUnmask)), (2, 2));
        assert_eq!((unmask(P::ProvidersRevealCredential), unmask(P::VerificationDecide)), (1, 2));
        // Cases are personal, masked or not.
        assert!(!has(BuiltInRole::Auditor, P::VerificationRead) && !has(BuiltInRole::Finance, P::VerificationRead));
    }
}
