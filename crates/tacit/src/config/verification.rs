//! The settings of verification.

use super::{Source, Switch};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tacit_identity::verification::{
    AgencyShown, Document, KindRules, PaperKind, UnverifiedRules, VerificationKind, VerificationRules, VerificationWay,
};
use tacit_kernel::Nano;
use tacit_operations::agency::{AgencyProvider, NumberKind};

/// Who shows themselves how, and what they may do before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verification {
    pub(crate) person: DecidedBy,
    pub(crate) enterprise: DecidedBy,
    pub(crate) person_papers: Vec<PaperKind>,
    pub(crate) enterprise_papers: Vec<PaperKind>,
    pub(crate) paper_max_bytes: u64,
    pub(crate) kept_days: u32,
    pub(crate) undecided_days: u32,
    pub(crate) accounts_per_number: u32,
    pub(crate) unverified: Unverified,
    pub(crate) agency: Agency,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecidedBy {
    Off,
    Staff,
    Agency,
}

/// What an account may do before it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unverified {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_keys: Option<u32>,
    pub(crate) management_keys: Switch,
    pub(crate) organisations: Switch,
    pub(crate) calls: Switch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spend_per_day: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spend_per_month: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) models: Option<Vec<String>>,
}

/// The agency that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agency {
    pub(crate) provider: Provider,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name_en: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name_zh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Source>,
    pub(crate) allow_private: Switch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    None,
    Generic,
    Aliyun,
    Tencent,
}

impl Provider {
    /// As the agency's client has it.
    pub(crate) const fn named(self) -> Option<AgencyProvider> {
        match self {
            Self::None => None,
            Self::Generic => Some(AgencyProvider::Generic),
            Self::Aliyun => Some(AgencyProvider::Aliyun),
            Self::Tencent => Some(AgencyProvider::Tencent),
        }
    }
}

impl DecidedBy {
    const fn way(self) -> Option<VerificationWay> {
        match self {
            Self::Off => None,
            Self::Staff => Some(VerificationWay::Staff),
            Self::Agency => Some(VerificationWay::Agency),
        }
    }
}

fn amount(text: Option<&String>) -> Result<Option<Nano>, String> {
    let wrong =
        |_| "give an amount in the settlement currency that is not negative, such as \"5\" or \"0.50\"".to_owned();
    let amount = text.map(|text| Nano::parse(text)).transpose().map_err(wrong)?;
    if amount.is_some_and(|amount| amount.0 < 0) { Err("an amount is not negative".into()) } else { Ok(amount) }
}

impl Verification {
    /// As the identity service asks for it. Amounts were judged by [`Self::contradictions`].
    pub(crate) fn rules(&self) -> VerificationRules {
        let kind = |by: DecidedBy, papers: &[PaperKind]| KindRules { way: by.way(), papers: papers.to_vec() };
        let unverified = &self.unverified;
        VerificationRules {
            person: kind(self.person, &self.person_papers),
            enterprise: kind(self.enterprise, &self.enterprise_papers),
            paper_max: self.paper_max_bytes,
            papers_days: self.kept_days,
            undecided_days: self.undecided_days,
            accounts_per_number: (self.accounts_per_number > 0).then_some(self.accounts_per_number),
            agency: self.agency.shown(),
            unverified: UnverifiedRules {
                api_keys: unverified.api_keys,
                management_keys: unverified.management_keys == Switch::On,
                organisations: unverified.organisations == Switch::On,
                calls: unverified.calls == Switch::On,
                spend_per_day: amount(unverified.spend_per_day.as_ref()).ok().flatten(),
                spend_per_month: amount(unverified.spend_per_month.as_ref()).ok().flatten(),
                models: unverified.models.clone(),
            },
        }
    }

    /// Every secret that is referred to, by its setting.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        self.agency.secret.iter().map(|source| ("verification.agency.secret", source))
    }

    /// Rules that concern more than one setting.
    pub(super) fn contradictions(&self, wrong: &mut impl FnMut(&'static str, String)) {
        for (key, kind, papers) in [
            ("verification.person_papers", VerificationKind::Person, &self.person_papers),
            ("verification.enterprise_papers", VerificationKind::Enterprise, &self.enterprise_papers),
        ] {
            if papers.iter().any(|paper| paper.kind() != kind) {
                wrong(key, "a paper of the other kind is in this list".into());
            }
        }
        let unverified = &self.unverified;
        for (key, text) in [
            ("verification.unverified.spend_per_day", &unverified.spend_per_day),
            ("verification.unverified.spend_per_month", &unverified.spend_per_month),
        ] {
            if let Err(text) = amount(text.as_ref()) {
                wrong(key, text);
            }
        }
        let nobody = self.person == DecidedBy::Off && self.enterprise == DecidedBy::Off;
        if nobody && self.rules().unverified != UnverifiedRules::default() {
            wrong(
                "verification.unverified",
                "nobody can be verified, so this would bound everybody for ever: set verification.person or \
                 verification.enterprise too"
                    .into(),
            );
        }
        self.agency.contradictions(wrong);
        for (key, by, document) in [
            ("verification.person", self.person, Document::IdCard),
            ("verification.enterprise", self.enterprise, Document::BusinessLicence),
        ] {
            let knows = self.agency.shown().is_some_and(|agency| agency.documents.contains(&document));
            if by == DecidedBy::Agency && !knows {
                let text = "the agency cannot be asked about that: set verification.agency.provider to one that can";
                wrong(key, text.into());
            }
        }
    }
}

impl Agency {
    fn shown(&self) -> Option<AgencyShown> {
        let document = |number: &NumberKind| match number {
            NumberKind::IdCard => Document::IdCard,
            NumberKind::BusinessLicence => Document::BusinessLicence,
        };
        Some(AgencyShown {
            documents: self.provider.named()?.knows().iter().map(document).collect(),
            name_en: self.name_en.clone()?,
            name_zh: self.name_zh.clone()?,
        })
    }

    fn contradictions(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let Some(provider) = self.provider.named() else {
            if self.url.is_some() || self.secret.is_some() {
                wrong("verification.agency.provider", "nobody is asked with \"none\": name the agency".into());
            }
            return;
        };
        if self.name_en.is_none() || self.name_zh.is_none() {
            let text = "people are told whom their name is sent to: set name_en and name_zh too";
            wrong("verification.agency.provider", text.into());
        }
        if self.secret.is_none() || (provider != AgencyProvider::Generic && self.user.is_none()) {
            let text = "this agency needs a key: set verification.agency.secret, and user unless it is \"generic\"";
            wrong("verification.agency.provider", text.into());
        }
        if provider == AgencyProvider::Generic && self.url.is_none() {
            wrong("verification.agency.provider", "set verification.agency.url too (docs/verification.md)".into());
        }
    }
}
