//! What members are told of what others did with them: written in the transaction that does it.

use super::{Console, Undone};
use tacit_identity::organisations::OrganisationRole;
use tacit_identity::registration::Language;
use tacit_kernel::ids::AccountId;
use tacit_operations::messages::shown_name;
use tacit_storage::WriteTx;

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They have another role.
    Role(OrganisationRole),
    /// They have another budget.
    Budget,
    /// They were removed.
    Removed,
    /// The organisation is offered to them.
    Offered,
    /// They offer it.
    Offers,
    /// The offer was withdrawn or refused.
    OfferEnded,
    /// They are the owner.
    Owner,
    /// They were the owner.
    WasOwner,
}

const fn role(role: OrganisationRole, language: Language) -> &'static str {
    match (role, language) {
        (role, Language::En) => role.as_str(),
        (OrganisationRole::Owner, Language::Zh) => "所有者",
        (OrganisationRole::Admin, Language::Zh) => "管理员",
        (OrganisationRole::Billing, Language::Zh) => "财务",
        (OrganisationRole::Developer, Language::Zh) => "开发者",
        (OrganisationRole::Viewer, Language::Zh) => "查看者",
    }
}

impl Step {
    /// The title names no organisation, for it is all that goes into a text message.
    fn text(self, organisation: &str, language: Language) -> (&'static str, String) {
        match (self, language) {
            (Self::Role(now), Language::En) => (
                "Your role in an organisation was changed",
                format!(
                    "You are now {} in {organisation}. Keys that the role does not allow are disabled.",
                    role(now, language)
                ),
            ),
            (Self::Role(now), Language::Zh) => (
                "您在组织中的角色已变更",
                format!("您在“{organisation}”中的角色现为{}。该角色不允许的密钥已停用。", role(now, language)),
            ),
            (Self::Budget, Language::En) => (
                "Your budget in an organisation was changed",
                format!("What your keys in {organisation} may spend was changed. The console shows how much it is."),
            ),
            (Self::Budget, Language::Zh) => {
                ("您在组织中的预算已变更", format!("您在“{organisation}”中的密钥可用预算已变更，请在控制台查看。"))
            }
            (Self::Removed, Language::En) => (
                "You were removed from an organisation",
                format!("You are no member of {organisation} any more. Your keys there are disabled."),
            ),
            (Self::Removed, Language::Zh) => {
                ("您已被移出组织", format!("您已不再是“{organisation}”的成员，您在该组织中的密钥已停用。"))
            }
            (Self::Offered, Language::En) => (
                "An organisation is offered to you",
                format!(
                    "The owner of {organisation} offers it to you. You become its owner only if you accept in the console, \
                     within seven days; if you do nothing, nothing changes."
                ),
            ),
            (Self::Offered, Language::Zh) => (
                "有组织请求移交给您",
                format!(
                    "“{organisation}”的所有者希望将其移交给您。七天内在控制台接受后您才会成为所有者；如不处理，不会有任何变化。"
                ),
            ),
            (Self::Offers, Language::En) => (
                "You offered an organisation to somebody",
                format!(
                    "You offered {organisation} to another member, who may accept within seven days. If it was not you, \
                     withdraw the offer in the console and change your password."
                ),
            ),
            (Self::Offers, Language::Zh) => (
                "您已请求移交组织",
                format!(
                    "您已请求将“{organisation}”移交给另一位成员，对方可在七天内接受。如果不是您本人操作，请在控制台撤回并修改密码。"
                ),
            ),
            (Self::OfferEnded, Language::En) => (
                "An organisation keeps its owner",
                format!("The offer to hand over {organisation} was withdrawn or refused. Nothing has changed."),
            ),
            (Self::OfferEnded, Language::Zh) => {
                ("组织移交未进行", format!("移交“{organisation}”的请求已被撤回或拒绝，没有任何变化。"))
            }
            (Self::Owner, Language::En) => {
                ("You own an organisation now", format!("You accepted {organisation} and are its owner now."))
            }
            (Self::Owner, Language::Zh) => {
                ("您已成为组织的所有者", format!("您已接受移交，现为“{organisation}”的所有者。"))
            }
            (Self::WasOwner, Language::En) => (
                "An organisation has another owner",
                format!("{organisation} was handed over as you had offered. You are an admin there now."),
            ),
            (Self::WasOwner, Language::Zh) => {
                ("组织已移交", format!("“{organisation}”已按您的请求移交，您现为该组织的管理员。"))
            }
        }
    }
}

impl Console {
    /// Tells a member at each of their addresses, if what happens is done.
    pub(super) async fn tell_member_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, account): (AccountId, AccountId),
        step: Step,
    ) -> Result<(), Undone> {
        let name = self.identity.organisation_in_tx(tx, organisation).await?.name;
        let name = shown_name(name.as_ref().map_or("", |name| name.reveal()));
        self.notice_in_tx(tx, account, |language| step.text(&name, language)).await
    }
}
