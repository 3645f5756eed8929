//! What people are told of their cases of verification: that something happened, and nothing of what a case says.

use super::Console;
use tacit_identity::registration::Language;
use tacit_identity::verification::{Case, CaseState};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_operations::messages::Content;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It was submitted.
    Submitted,
    /// Something is missing.
    NeedsMore,
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
}

impl Step {
    /// What a verdict made of it.
    pub(super) const fn of(case: &Case) -> Option<Self> {
        match case.state {
            CaseState::NeedsMore => Some(Self::NeedsMore),
            CaseState::Approved => Some(Self::Approved),
            CaseState::Rejected => Some(Self::Rejected),
            CaseState::Draft | CaseState::Submitted | CaseState::Withdrawn | CaseState::Expired => None,
        }
    }

    const fn text(self, language: Language) -> (&'static str, &'static str) {
        match (self, language) {
            (Self::Submitted, Language::En) => (
                "Your verification was submitted",
                "Your case of verification was submitted and waits for a decision. You are told as soon as there is one. If \
                 it was not you who submitted it, change your password and withdraw the case in the console.",
            ),
            (Self::Submitted, Language::Zh) => (
                "您的认证申请已提交",
                "您的认证申请已提交，正在等待审核，结果会另行通知。如果不是您本人提交，请修改密码，并在控制台撤回该申请。",
            ),
            (Self::NeedsMore, Language::En) => (
                "Your verification needs something more",
                "Something is missing in your case of verification. The console shows what it is; change the case there and \
                 submit it again.",
            ),
            (Self::NeedsMore, Language::Zh) => {
                ("您的认证申请需要补充材料", "您的认证申请还需要补充材料。请在控制台查看原因，修改后重新提交。")
            }
            (Self::Approved, Language::En) => (
                "You are verified",
                "Your case of verification was approved. What you said and your papers are deleted after the time that the \
                 console shows.",
            ),
            (Self::Approved, Language::Zh) => {
                ("您的认证已通过", "您的认证申请已通过审核。您提交的信息和材料将在控制台所示期限后删除。")
            }
            (Self::Rejected, Language::En) => (
                "Your verification was not approved",
                "Your case of verification was not approved. The console shows why; you may begin another one. What you said \
                 and your papers are deleted after the time that the console shows.",
            ),
            (Self::Rejected, Language::Zh) => (
                "您的认证未通过",
                "您的认证申请未通过审核。请在控制台查看原因，您可以重新申请。您提交的信息和材料将在控制台所示期限后删除。",
            ),
        }
    }
}

impl Console {
    /// Tells a person, at each of their addresses. What cannot be told holds up nothing: the console shows it too.
    pub(super) async fn told_of_case(&self, account: AccountId, step: Step) {
        let content = |language| {
            let (title, text) = step.text(language);
            Content::AccountNotice { title: Personal::new(title.to_owned()), text: Personal::new(text.to_owned()) }
        };
        self.notify_all(account, content).await;
    }
}
