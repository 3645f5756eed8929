//! What the identity service has to tell people, as messages in two languages.

use super::people::channel_of;
use super::verification_notices;
use std::sync::Arc;
use tacit_identity::notices::{self, Notice, Part, Recovered, Telling, Told};
use tacit_identity::registration::Language;
use tacit_kernel::Clock;
use tacit_kernel::{Personal, Timestamp};
use tacit_operations::messages::{self, Changed, Content, Messages, MessagesError, NewMessage};
use tacit_storage::WriteTx;

/// Writes notices of the identity service into the outbox.
pub struct Notices {
    messages: Messages,
    clock: Arc<dyn Clock>,
}

impl Notices {
    /// With that outbox.
    #[must_use]
    pub fn new(messages: Messages, clock: Arc<dyn Clock>) -> Self {
        Self { messages, clock }
    }
}

impl notices::Notices for Notices {
    fn tell<'n, 't: 'n>(&'n self, tx: &'n mut WriteTx<'t>, told: Told<'n>) -> Telling<'n> {
        Box::pin(async move {
            let now = self.clock.now();
            for contact in told.to {
                let message = NewMessage {
                    content: content(told.notice, told.language, now),
                    channel: channel_of(contact),
                    language: match told.language {
                        Language::En => messages::Language::En,
                        Language::Zh => messages::Language::Zh,
                    },
                    recipient: Personal::new(contact.text().to_owned()),
                    account: Some(told.account),
                    not_before: None,
                    expires_at: now.plus_micros(messages::LONGEST),
                };
                match self.messages.enqueue(tx, &message).await {
                    Ok(_) => {}
                    // What failed in the database fails the change too.
                    Err(MessagesError::Storage(error)) => return Err(error),
                    Err(error) => tracing::warn!(event = "console.notice_unsent", error.code = error.code()),
                }
            }
            Ok(())
        })
    }
}

fn content(notice: Notice<'_>, language: Language, at: Timestamp) -> Content {
    match notice {
        Notice::Changed(part) => Content::ContactChanged { what: changed(part), at },
        Notice::NewDevice(session) => {
            Content::NewDevice { device: session.device.clone(), place: session.address.clone(), at: session.seen_at }
        }
        Notice::KeyLeaked => said(leaked(language)),
        Notice::ManagementKeyMade => said(management_key(language)),
        Notice::ManagementKeyChanged => said(management_key_changed(language)),
        Notice::KeyMadeByStaff => said(key_by_staff(language)),
        Notice::RecoveryCodesRenewed => said(recovery_codes(language)),
        Notice::Recovered(what) => recovered(what, language),
        Notice::CancellationStopped => said(cancellation_stopped(language)),
        Notice::Case(step) => said(verification_notices::text(step, language)),
    }
}

const fn changed(part: Part) -> Changed {
    match part {
        Part::Email => Changed::Email,
        Part::Phone => Changed::Phone,
        Part::Password => Changed::Password,
        Part::SecondFactor => Changed::SecondFactor,
        Part::Identity => Changed::Identity,
        Part::Passkey => Changed::Passkey,
        Part::Name => Changed::Name,
    }
}

fn said((title, text): (&str, &str)) -> Content {
    Content::AccountNotice { title: Personal::new(title.to_owned()), text: Personal::new(text.to_owned()) }
}

const fn leaked(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "An API key was disabled",
            "Somebody found one of your API keys where it does not belong and reported it, so it was ended at once. Look at \
             your keys in the console, make a new one, and check your call records.",
        ),
        Language::Zh => (
            "API 密钥已停用",
            "有人在不应出现的地方发现了您的一个 API 密钥并进行了举报，该密钥已立即停用。请在控制台检查您的密钥，创建新的密钥，\
             并核对调用记录。",
        ),
    }
}

const fn cancellation_stopped(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "Your account was not deleted yet",
            "The time has come for the deletion of your account that was asked for, but something stands in the way: an organisation \
             that you own, money that came in since, or a demand of the law. We look at it and answer you; the console shows how \
             far it is.",
        ),
        Language::Zh => (
            "您的账户尚未注销",
            "您账户的注销申请已到执行时间，但仍有事项待处理，例如您拥有的组织、此后到账的余额或法律要求。我们会核实并答复您，进展见控制台。",
        ),
    }
}

const fn management_key(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "A management key was made",
            "A management key was made for your account. Whoever holds it may use the console's API in your name, as far as the \
             key says. If it was not you, revoke it in the console and change your password.",
        ),
        Language::Zh => (
            "已创建管理密钥",
            "您的账号创建了一个管理密钥。持有者可以在该密钥的权限范围内以您的名义使用控制台 API。如果不是您本人操作，请在控制台吊销该密钥并修改密码。",
        ),
    }
}

const fn management_key_changed(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "A management key was changed",
            "What a management key of your account may do, or until when, was changed. If it was not you, revoke the key in the \
             console and change your password.",
        ),
        Language::Zh => (
            "管理密钥已变更",
            "您的账号的一个管理密钥的权限或有效期已变更。如果不是您本人操作，请在控制台吊销该密钥并修改密码。",
        ),
    }
}

const fn key_by_staff(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "An API key was made for your account",
            "Staff of the platform made an API key for your account. What it is used for is charged to your account. If you did \
             not ask for it, disable it in the console and tell the platform.",
        ),
        Language::Zh => (
            "已为您的账号创建 API 密钥",
            "平台工作人员为您的账号创建了一个 API 密钥，使用该密钥产生的费用由您的账号承担。如果您没有提出过此要求，请在控制台停用该密钥并告知平台。",
        ),
    }
}

const fn recovery_codes(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "Your recovery codes were renewed",
            "New recovery codes were made for the second factor of your account; the old ones are void. If it was not you, \
             change your password and set the second factor up anew.",
        ),
        Language::Zh => (
            "恢复代码已更新",
            "您的账号的两步验证已生成新的恢复代码，旧代码已失效。如果不是您本人操作，请修改密码并重新设置两步验证。",
        ),
    }
}

fn recovered(what: Recovered, language: Language) -> Content {
    let Recovered { management_keys, passkeys, identities, api_keys } = what;
    let (title, text) = match language {
        Language::En => (
            "What was ended with your account's recovery",
            format!(
                "So that nobody else stays in your account, all sessions were ended. Management keys revoked: \
                 {management_keys}. Passkeys of the last seven days removed: {passkeys}. Linked identities of the last seven \
                 days removed: {identities}. API keys that still work: {api_keys}; look through them in the console and end those \
                 that you do not know."
            ),
        ),
        Language::Zh => (
            "账号恢复时已停用的内容",
            format!(
                "为防止他人继续使用您的账号，所有会话已结束。已吊销的管理密钥：{management_keys} 个。已移除的最近七天添加的通行密钥：\
                 {passkeys} 个。已解除的最近七天关联的第三方身份：{identities} 个。仍可使用的 API 密钥：{api_keys} 个；请在控制台逐一核对，\
                 停用您不认识的密钥。"
            ),
        ),
    };
    said((title, &text))
}
