//! What people and guardians are told of requests: that something happened, and nothing of what was said.

use super::{Console, Undone};
use tacit_identity::registration::Language;
use tacit_privacy::requests as r;
use tacit_storage::WriteTx;

/// Where whoever asked sees how far it is: who asked at the desk may not be able to sign in.
const fn place(request: &r::Request, language: Language) -> &'static str {
    match (request.verified, language) {
        (r::Verified::Address, Language::En) => "The page /privacy/requests",
        (r::Verified::Address, Language::Zh) => "“/privacy/requests”页面",
        (_, Language::En) => "The console",
        (_, Language::Zh) => "控制台",
    }
}

/// What a person is told who asked, or a guardian who did.
fn to_asker(request: &r::Request, language: Language) -> (&'static str, String) {
    let until = request.cooling_until.unwrap_or(request.due_at);
    let (id, place, account) = (request.id, place(request, language), request.account);
    let is_guardian = request.asker == r::Asker::Guardian;
    let restricted = request.kind == r::Kind::Restriction && request.answer.is_none();
    match (request.state, language) {
        (r::State::Cooling, Language::En) if is_guardian => (
            "The account of your ward is going to be deleted",
            format!(
                "You asked for the deletion of the account {account} ({id}). It happens at {until}, and nothing more is sent to you \
                 then; from now on its data is not used. Until then you may take it back at /privacy/requests. Whoever has the \
                 account is told, and may object; then somebody looks at it."
            ),
        ),
        (r::State::Cooling, Language::Zh) if is_guardian => (
            "您的被监护人的账户即将注销",
            format!(
                "您已申请注销账户 {account}（{id}）。注销将于 {until} 执行，届时不再另行通知；自即日起停止使用其信息。在此之前您可在“/privacy/requests”页面撤回。账户使用者会收到通知并可提出异议，届时由工作人员处理。"
            ),
        ),
        (r::State::Cooling, Language::En) => (
            "Your account is going to be deleted",
            format!(
                "You asked for the deletion of your account ({id}). It happens at {until}, and nothing more is sent to you then. \
                 Until then you may take it back in the console. If it was not you, do that now and change your password."
            ),
        ),
        (r::State::Cooling, Language::Zh) => (
            "您的账户即将注销",
            format!(
                "您已申请注销账户（{id}）。注销将于 {until} 执行，届时不再另行通知；在此之前您可在控制台撤回。如非本人操作，请立即撤回并修改密码。"
            ),
        ),
        (r::State::Fulfilled, Language::En) if restricted => (
            "The data is kept and not used",
            format!(
                "As you asked ({id}), the data of the account {account} is kept from now on and not used: calls are refused. Whoever \
                 signs in to the account lifts that under its choices."
            ),
        ),
        (r::State::Fulfilled, Language::Zh) if restricted => (
            "信息已停止使用",
            format!(
                "根据您的请求（{id}），账户 {account} 的信息自即日起仅存储、不使用，调用会被拒绝。登录该账户后可在“选择”中解除。"
            ),
        ),
        (r::State::NeedInfo, Language::En) => (
            "A question about your request",
            format!("We need to know something more for your request {id}. {place} shows what it is; answer it there."),
        ),
        (r::State::NeedInfo, Language::Zh) => {
            ("您的请求需要补充信息", format!("处理您的请求 {id} 还需要补充信息，{place}显示所需内容，请在该处回复。"))
        }
        (r::State::Fulfilled, Language::En) => {
            ("Your request is done", format!("Your request {id} is done. {place} shows our answer."))
        }
        (r::State::Fulfilled, Language::Zh) => {
            ("您的请求已完成", format!("您的请求 {id} 已处理完成，{place}显示答复。"))
        }
        (r::State::Refused | r::State::Upheld, Language::En) => (
            "Your request was refused",
            format!(
                "Your request {id} was refused. {place} shows why, and how you may appeal; you may also turn to the regulator \
                 that the privacy policy names."
            ),
        ),
        (r::State::Refused | r::State::Upheld, Language::Zh) => (
            "您的请求未获支持",
            format!("您的请求 {id} 未获支持。{place}显示原因和申诉方式；您也可以向隐私政策所列的监管机构投诉。"),
        ),
        (r::State::Withdrawn, Language::En) => {
            ("Your request was taken back", format!("Your request {id} was taken back, and nothing is done."))
        }
        (r::State::Withdrawn, Language::Zh) => ("您的请求已撤回", format!("您的请求 {id} 已撤回，不再处理。")),
        (r::State::Open | r::State::Appealed | r::State::Executing, Language::En) => (
            "We have your request",
            format!("We have your request {id} and answer it until {until}. {place} shows how far it is."),
        ),
        (r::State::Open | r::State::Appealed | r::State::Executing, Language::Zh) => {
            ("已收到您的请求", format!("已收到您的请求 {id}，我们将于 {until} 前答复，{place}显示进展。"))
        }
    }
}

/// What the person is told of what a guardian asked.
fn of_guardian(request: &r::Request, language: Language) -> (&'static str, String) {
    let until = request.cooling_until.unwrap_or(request.due_at);
    let id = request.id;
    match (request.kind, request.state, language) {
        (r::Kind::Cancellation, r::State::Cooling, Language::En) => (
            "Your account is going to be deleted",
            format!(
                "Your guardian asked for the deletion of your account ({id}). It happens at {until}, and nothing more is sent to \
                 you then; from now on your data is not used. If you do not want it, take it back until then, in the console or at \
                 /privacy/requests: then somebody looks at it."
            ),
        ),
        (r::Kind::Cancellation, r::State::Cooling, Language::Zh) => (
            "您的账户即将注销",
            format!(
                "您的监护人已申请注销您的账户（{id}）。注销将于 {until} 执行，届时不再另行通知；自即日起停止使用您的信息。如您不同意，请在此之前在控制台或“/privacy/requests”页面撤回，届时由工作人员处理。"
            ),
        ),
        (r::Kind::Cancellation, r::State::Open, Language::En) => (
            "The deletion of your account is looked at",
            format!(
                "Your guardian asked for the deletion of your account ({id}). Nothing is deleted before we have looked at it."
            ),
        ),
        (r::Kind::Cancellation, r::State::Open, Language::Zh) => {
            ("账户注销申请正在核实", format!("您的监护人已申请注销您的账户（{id}）。在我们核实之前不会删除任何信息。"))
        }
        (r::Kind::Restriction, r::State::Fulfilled, Language::En) => (
            "Your data is kept and not used",
            format!(
                "Your guardian asked that your data is kept and not used ({id}): calls are refused. You lift that in the console, \
                 under your choices."
            ),
        ),
        (r::Kind::Restriction, r::State::Fulfilled, Language::Zh) => (
            "您的信息已停止使用",
            format!(
                "您的监护人已申请限制处理您的信息（{id}）：仅存储、不使用，调用会被拒绝。您可在控制台的“选择”中解除。"
            ),
        ),
        (_, r::State::Withdrawn, Language::En) => (
            "A request of your guardian was taken back",
            format!("The request {id} of your guardian about your data was taken back, and nothing is done."),
        ),
        (_, r::State::Withdrawn, Language::Zh) => {
            ("您的监护人已撤回请求", format!("您的监护人就您的信息提出的请求 {id} 已撤回，不再处理。"))
        }
        (.., Language::En) => (
            "A request of your guardian",
            format!("Your guardian asked for something about your data ({id}), and is told what becomes of it."),
        ),
        (.., Language::Zh) => {
            ("您的监护人提出了请求", format!("您的监护人就您的信息提出了请求（{id}），处理情况将告知监护人。"))
        }
    }
}

/// Tells whoever asked, and the person, what became of a request, if it becomes of it.
pub(super) async fn tell(console: &Console, tx: &mut WriteTx<'_>, request: &r::Request) -> Result<(), Undone> {
    let account = request.account;
    if request.asker == r::Asker::Guardian {
        console.notice_in_tx(tx, account, |language| of_guardian(request, language)).await?;
        return console.guardian_notice_in_tx(tx, account, |language| to_asker(request, language)).await;
    }
    console.notice_in_tx(tx, account, |language| to_asker(request, language)).await
}

/// That somebody came to the desk for an account.
pub(super) fn entered(is_guardian: bool, language: Language) -> (&'static str, String) {
    let text = match (is_guardian, language) {
        (false, Language::En) => {
            "Somebody who reads a code at an address of your account came to the desk for requests about your data \
             (/privacy/requests), where they may ask for something in your name for half an hour. If it was not you, secure that \
             address and remove it from your account."
        }
        (false, Language::Zh) => {
            "有人凭您账户地址收到的验证码进入了个人信息权利请求页面（/privacy/requests），半小时内可以以您的名义提出请求。如非本人操作，请保护好该地址，并将其从账户中移除。"
        }
        (true, Language::En) => {
            "Whoever reads the address of your guardian came to the desk for requests about your data (/privacy/requests), where \
             they may ask for something as your guardian for half an hour."
        }
        (true, Language::Zh) => {
            "有人凭您监护人地址收到的验证码进入了个人信息权利请求页面（/privacy/requests），半小时内可以以监护人身份提出请求。"
        }
    };
    let title = match language {
        Language::En => "Somebody came to the desk for your data",
        Language::Zh => "有人进入了您的个人信息权利请求页面",
    };
    (title, text.to_owned())
}

/// That a copy was taken at the desk.
pub(super) fn copied(language: Language) -> (&'static str, String) {
    match language {
        Language::En => (
            "A copy of your data was taken",
            "Somebody who reads a code at an address of your account took a copy of all that is held about you. If it was not you, \
             secure that address, remove it from your account, and tell us."
                .to_owned(),
        ),
        Language::Zh => (
            "您的个人信息副本已被获取",
            "有人凭您账户地址收到的验证码获取了您的全部个人信息副本。如非本人操作，请保护好该地址，将其从账户中移除，并告知我们。".to_owned(),
        ),
    }
}
