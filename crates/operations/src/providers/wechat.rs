//! WeChat (a website's sign-in by a code that is scanned): its own names for what OAuth 2.0 calls otherwise, the secret in the
//! query, and two names for somebody: one for this program, and one for all programs of its operator if they are bound.

use super::Returned;
use super::model::{Person, ProviderError, ProviderSettings, Started};
use super::web::{Web, address};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tacit_kernel::Personal;
use url::Url;

pub(super) struct WeChat {
    id: String,
    secret: SecretString,
    redirect: String,
    authorize: Url,
    token: Url,
    web: Web,
}

/// It refuses with status 200, `errcode` and no `openid`.
#[derive(Deserialize)]
struct Redeemed {
    openid: Option<String>,
    unionid: Option<String>,
}

impl WeChat {
    pub(super) fn new(settings: &ProviderSettings, redirect: String, web: Web) -> Result<Self, String> {
        let of = |set: &Option<String>, preset, name| address(set.as_deref(), preset, name);
        Ok(Self {
            id: settings.client_id.clone(),
            secret: settings.client_secret.clone(),
            redirect,
            authorize: of(&settings.authorize_url, "https://open.weixin.qq.com/connect/qrconnect", "authorize_url")?,
            token: of(&settings.token_url, "https://api.weixin.qq.com/sns/oauth2/access_token", "token_url")?,
            web,
        })
    }

    pub(super) fn start(&self, state: &str) -> Started {
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .append_pair("appid", &self.id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("response_type", "code")
            .append_pair("scope", "snsapi_login")
            .append_pair("state", state);
        url.set_fragment(Some("wechat_redirect"));
        Started { url: url.into(), nonce: SecretString::from(""), verifier: SecretString::from("") }
    }

    pub(super) async fn finish(&self, returned: &Returned<'_>) -> Result<Person, ProviderError> {
        let mut url = self.token.clone();
        url.query_pairs_mut()
            .append_pair("appid", &self.id)
            .append_pair("secret", self.secret.expose_secret())
            .append_pair("code", returned.code)
            .append_pair("grant_type", "authorization_code");
        let redeemed: Redeemed = self.web.get(&url, None).await?;
        known(redeemed.openid, redeemed.unionid)
    }
}

/// By the name for all programs of the operator where there is one. The other may have been told before.
pub(super) fn known(openid: Option<String>, unionid: Option<String>) -> Result<Person, ProviderError> {
    let present = |name: Option<String>| name.filter(|name| !name.is_empty());
    let openid = present(openid).ok_or(ProviderError::Refused)?;
    // They come from two spaces of names, in which the same text may be two persons.
    let open = format!("openid:{openid}");
    let (subject, also) = match present(unionid) {
        Some(unionid) => (format!("unionid:{unionid}"), Some(open)),
        None => (open, None),
    };
    Ok(Person { subject: Personal::new(subject), also: also.map(Personal::new), shown: Personal::new(String::new()) })
}
