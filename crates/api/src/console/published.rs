//! What is published about personal data: the privacy policy and its pages under `/privacy`, and the well-known documents.

use super::{Access, Console, Params, Reference, Routes};
use crate::forms::Moment;
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tacit_kernel::datamap::retention::CLASSES;
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use tacit_privacy::recipients::Recipient;
use tacit_privacy::{Language, Page, Policy};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// Days for which `security.txt` holds: less than a year, as RFC 9116 recommends.
const SECURITY_DAYS: i64 = 180;

/// What is published.
#[derive(Debug)]
pub struct Published {
    /// The policy and its pages.
    pub policy: Arc<Policy>,
    /// SHA-256 of the program that runs, in hexadecimal digits.
    pub build: String,
    /// Where holes in the security are to be told, as a URL.
    pub security_contact: Option<String>,
    /// The address of the platform.
    pub url: Option<String>,
}

/// In which language.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LanguageQuery {
    /// `en` or `zh`; if it is not given, what the browser prefers.
    #[serde(default)]
    language: Option<String>,
}

/// The program of the page `requests`.
#[utoipa::path(get, path = "/privacy/requests.js", tag = "privacy", responses(
    (status = 200, description = "The program.", body = String, content_type = "text/javascript"),
))]
async fn privacy_script() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"))], tacit_privacy::SCRIPT)
        .into_response()
}

/// What can be checked of this platform by a program.
#[derive(Serialize, ToSchema)]
struct PrivacyFacts {
    /// The version of the program.
    version: String,
    /// SHA-256 of the program that runs, in hexadecimal digits.
    build: String,
    /// How much of requests and answers may be kept at most: `none` or `history`.
    bodies: String,
    /// The published policy that the platform keeps.
    policy: String,
    /// Calendar days within which requests of persons are answered.
    days_to_answer: u32,
    /// How long things are kept.
    retention: Vec<RetentionFact>,
    /// Who receives data.
    recipients: Vec<RecipientFact>,
    /// The key (a `vkey` of C2SP signed-note) of what recipients are told of erasures (docs/recipients.md).
    requests_key: String,
    /// The newest checkpoint of the audit log, signed; `null` before the first.
    checkpoint: Option<String>,
}

/// A class of retention.
#[derive(Serialize, ToSchema)]
struct RetentionFact {
    /// Its name.
    class: &'static str,
    /// Days it is kept at least.
    min_days: u32,
    /// Days it is kept at most.
    max_days: u32,
    /// The law that demands the least.
    law: Option<&'static str>,
}

/// Somebody who receives data, with what is taken to be so of them: what was not checked within 90 days, or is not known, counts
/// as kept without end and trained with.
#[derive(Serialize, ToSchema)]
struct RecipientFact {
    /// The name.
    name: String,
    /// What they do.
    kind: &'static str,
    /// For whom they decide: `processor` or `controller`.
    role: &'static str,
    /// Where they are: ISO 3166-1.
    country: String,
    /// What for.
    purposes: Vec<&'static str>,
    /// Days for which they keep what they receive; `null`: without end.
    retention_days: Option<u32>,
    /// Whether they train models with it.
    trains: bool,
    /// Since when there is a contract.
    contract_at: Option<Moment>,
    /// When somebody looked last.
    checked_at: Option<Moment>,
}

impl RecipientFact {
    fn of(recipient: Recipient, now: Timestamp) -> Self {
        let (assumed, spec) = (recipient.spec.assumed(now), recipient.spec);
        Self {
            name: recipient.name,
            kind: spec.kind.as_str(),
            role: spec.role.as_str(),
            country: spec.country,
            purposes: spec.purposes.iter().map(|purpose| purpose.as_str()).collect(),
            retention_days: assumed.retention_days,
            trains: assumed.trains,
            contract_at: spec.contract_at.map(Into::into),
            checked_at: spec.checked_at.map(Into::into),
        }
    }
}

/// The support of Global Privacy Control.
#[derive(Serialize, ToSchema)]
struct PrivacyControl {
    /// That it is honoured: nothing is sold or shared, whatever a browser says.
    gpc: bool,
    /// Since when, as a date.
    #[serde(rename = "lastUpdate")]
    last_update: &'static str,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(privacy_policy))
        .add(Access::Public, routes!(privacy_page))
        .add(Access::Public, routes!(privacy_style))
        .add(Access::Public, routes!(privacy_script))
        .add(Access::Public, routes!(privacy_facts))
        .add(Access::Public, routes!(privacy_control))
        .add(Access::Public, routes!(security_txt))
}

/// What the query says, else the first language of the browser that there are pages in.
pub(super) fn language(query: &LanguageQuery, headers: &HeaderMap) -> Result<Language, Refusal> {
    if let Some(tag) = &query.language {
        let unknown = || Fault::new(ErrorKind::Invalid, "request.language", "there are pages in en and zh");
        return Ok(Language::parse(tag).ok_or_else(unknown)?);
    }
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tags = wanted.split(',').filter_map(|tag| tag.trim().get(..2));
    Ok(tags.filter_map(Language::parse).next().unwrap_or(Language::En))
}

fn html(published: &Published, of: Page, language: Language) -> Response {
    // Of one page its own program too, which asks this platform and nobody else.
    page_with(published.policy.page(of, language).to_string(), language, of == Page::Requests)
}

/// A page of these, with what a browser may do with it: nothing but its style sheet.
pub(super) fn page(html: String, language: Language) -> Response {
    page_with(html, language, false)
}

fn page_with(html: String, language: Language, has_program: bool) -> Response {
    let may = if has_program {
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    } else {
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
        (header::VARY, HeaderValue::from_static("accept-language")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(may)),
    ];
    (headers, html).into_response()
}

/// The register as it stands now, which the pages are made of anew if it is another one.
async fn register(console: &Console) -> Result<Vec<Recipient>, Fault> {
    let register = console.receivers.recipients.list().await?;
    let told = console.published.policy.tell(&register, console.clock.now());
    told.map_err(|error| Fault::internal("privacy.page", error.to_string()))?;
    Ok(register)
}

/// The privacy policy, made from the data map of the program that runs.
#[utoipa::path(get, path = "/privacy", tag = "privacy", params(LanguageQuery), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
async fn privacy_policy(
    State(console): State<Console>,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok(html(&console.published, Page::Policy, language(&query, &headers)?))
}

/// A page of the policy: `cookies`, `recipients`, `record` (the record of processing), `limits` (what it does not protect
/// against) or `requests` (where people ask for something who cannot sign in).
#[utoipa::path(get, path = "/privacy/{page}", tag = "privacy", params(
    ("page" = String, Path, description = "Its name."), LanguageQuery,
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
async fn privacy_page(
    State(console): State<Console>,
    Reference(name): Reference<String>,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let page = Page::ALL.iter().copied().find(|page| page.name() == name && *page != Page::Policy);
    let page =
        page.ok_or_else(|| Fault::new(ErrorKind::NotFound, "privacy.page_not_found", "there is no such page"))?;
    register(&console).await?;
    Ok(html(&console.published, page, language(&query, &headers)?))
}

/// The style sheet of these pages.
#[utoipa::path(get, path = "/privacy/style.css", tag = "privacy", responses(
    (status = 200, description = "The style sheet.", body = String, content_type = "text/css"),
))]
async fn privacy_style() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))], tacit_privacy::STYLE)
        .into_response()
}

/// What can be checked of this platform by a program.
#[utoipa::path(get, path = "/.well-known/privacy.json", tag = "privacy", responses(
    (status = 200, description = "The facts.", body = PrivacyFacts),
))]
async fn privacy_facts(State(console): State<Console>) -> Result<Json<PrivacyFacts>, Refusal> {
    let profile = console.published.policy.profile();
    let retention = CLASSES.iter().map(|class| RetentionFact {
        class: class.name,
        min_days: class.min,
        max_days: class.max,
        law: class.law.map(|law| law.id),
    });
    let (now, register) = (console.clock.now(), register(&console).await?);
    let active = register.into_iter().filter(|recipient| recipient.spec.enabled);
    Ok(Json(PrivacyFacts {
        version: console.platform.version.clone(),
        build: console.published.build.clone(),
        bodies: profile.bodies.clone(),
        policy: profile.policy.clone(),
        days_to_answer: profile.days_to_answer,
        retention: retention.collect(),
        requests_key: console.receivers.told.verifier().to_string(),
        recipients: active.map(|recipient| RecipientFact::of(recipient, now)).collect(),
        checkpoint: console.audit.newest().await?,
    }))
}

/// That Global Privacy Control is honoured: whatever a browser says, nothing is sold or shared for advertising.
#[utoipa::path(get, path = "/.well-known/gpc.json", tag = "privacy", responses(
    (status = 200, description = "The statement.", body = PrivacyControl),
))]
async fn privacy_control() -> Json<PrivacyControl> {
    Json(PrivacyControl { gpc: true, last_update: "2026-11-26" })
}

/// Where holes in the security are to be told (RFC 9116).
#[utoipa::path(get, path = "/.well-known/security.txt", tag = "privacy", responses(
    (status = 200, description = "The document.", body = String, content_type = "text/plain"),
    (status = 404, description = "The operator has named no contact.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn security_txt(State(console): State<Console>) -> Result<Response, Refusal> {
    let published = &console.published;
    let none = || Fault::new(ErrorKind::NotFound, "security.no_contact", "the operator has named no contact");
    let contact = published.security_contact.as_deref().ok_or_else(none)?;
    let expires = console.clock.now().plus_micros(SECURITY_DAYS * 86_400_000_000);
    let mut text = format!("Contact: {contact}\nExpires: {}\nPreferred-Languages: en, zh\n", expires);
    if let Some(url) = &published.url {
        text += &format!("Canonical: {url}/.well-known/security.txt\nPolicy: {url}/privacy\n");
    }
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response())
}
