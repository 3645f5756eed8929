//! What people are told of their cases of verification: that something happened, and nothing of what a case says.

use tacit_identity::notices::CaseStep;
use tacit_identity::registration::Language;

/// Title and text of what is told of a case that came so far.
pub(super) const fn text(step: CaseStep, language: Language) -> (&'static str, &'static str) {
    match (step, language) {
        (CaseStep::Submitted, Language::En) => (
            "Your verification was submitted",
            "Your case of verification was submitted and waits for a decision. You are told as soon as there is one. If \
             it was not you who submitted it, change your password and withdraw the case in the console.",
        ),
        (CaseStep::Submitted, Language::Zh) => (
            "您的认证申请已提交",
            "您的认证申请已提交，正在等待审核，结果会另行通知。如果不是您本人提交，请修改密码，并在控制台撤回该申请。",
        ),
        (CaseStep::NeedsMore, Language::En) => (
            "Your verification needs something more",
            "Something is missing in your case of verification. The console shows what it is; change the case there and \
             submit it again.",
        ),
        (CaseStep::NeedsMore, Language::Zh) => {
            ("您的认证申请需要补充材料", "您的认证申请还需要补充材料。请在控制台查看原因，修改后重新提交。")
        }
        (CaseStep::Approved, Language::En) => (
            "You are verified",
            "Your case of verification was approved. What you said and your papers are deleted after the time that the \
             console shows.",
        ),
        (CaseStep::Approved, Language::Zh) => {
            ("您的认证已通过", "您的认证申请已通过审核。您提交的信息和材料将在控制台所示期限后删除。")
        }
        (CaseStep::Rejected, Language::En) => (
            "Your verification was not approved",
            "Your case of verification was not approved. The console shows why; you may begin another one. What you said \
             and your papers are deleted after the time that the console shows.",
        ),
        (CaseStep::Rejected, Language::Zh) => (
            "您的认证未通过",
            "您的认证申请未通过审核。请在控制台查看原因，您可以重新申请。您提交的信息和材料将在控制台所示期限后删除。",
        ),
    }
}
