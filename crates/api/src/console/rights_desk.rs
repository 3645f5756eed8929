//! `/api/v1/rights-desk`: what people ask for about their data who cannot sign in, since their account is disabled or they lost what
//! they sign in with, and guardians of minors. They read a code at an address of the account and get a pass for half an hour;
//! it is sent in bodies, so that no log of addresses holds it.

use super::own_data::{archive, refused};
use super::people::{Address, From};
use super::published::{LanguageQuery, language};
use super::recording::{Concerns, ConcernsEach};
use super::rights_forms::{Kind, RequestView};
use super::rights_notices::{self, tell};
use super::{Access, Console, Input, Params, Routes, Undone};
use crate::forms::Moment;
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::rights_desk::Standing;
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{ErrorKind, Fault, Nano, Personal};
use tacit_privacy::requests::{Acting, Asker, Change, Event, New, Request, RequestError, Verified};
use tacit_storage::{Page, ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A code and where it was sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = RightsDeskCode)]
#[serde(deny_unknown_fields)]
struct Entering {
    /// Where it was sent.
    to: Address,
    /// The code (purpose `rights`).
    #[schema(max_length = 16)]
    code: String,
}

/// A pass for half an hour.
#[derive(Serialize, ToSchema)]
#[schema(as = RightsDeskPass)]
struct PassView {
    /// To be sent with what is asked.
    pass: String,
    /// Until when it is good.
    expires_at: Moment,
    /// For whom it is good.
    accounts: Vec<StandingView>,
}

/// For whom somebody may ask for something.
#[derive(Serialize, ToSchema)]
#[schema(as = RightsDeskStanding)]
struct StandingView {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// Whether who asks is the guardian, and not the person.
    guardian: bool,
}

/// Whose data it is about, and who asks.
#[derive(Deserialize, ToSchema)]
#[schema(as = RightsDeskAsking)]
#[serde(deny_unknown_fields)]
struct Asking {
    /// The pass.
    #[schema(max_length = 8192)]
    pass: String,
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
}

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = RightsDeskRequest)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The pass.
    #[schema(max_length = 8192)]
    pass: String,
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// What.
    kind: Kind,
    /// In the asker's words, up to 8,000 bytes; a cancellation, a restriction and a copy need none.
    #[schema(max_length = 8000)]
    #[serde(default)]
    text: Option<String>,
    /// Of a cancellation: money that is there now is given up. A guardian cannot do that.
    #[serde(default)]
    forfeits: bool,
}

/// What is done with a request by who made it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = RightsDeskEvent)]
#[serde(rename_all = "snake_case")]
enum DeskEvent {
    /// It is taken back.
    Withdraw,
    /// A question is answered.
    Reply,
    /// A refusal is not accepted.
    Appeal,
}

/// A change of a request.
#[derive(Deserialize, ToSchema)]
#[schema(as = RightsDeskChange)]
#[serde(deny_unknown_fields)]
struct Changing {
    /// The pass.
    #[schema(max_length = 8192)]
    pass: String,
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// The request.
    #[schema(value_type = String)]
    request: RightsRequestId,
    /// What is done with it.
    event: DeskEvent,
    /// In the asker's words; needed for a reply and an appeal.
    #[schema(max_length = 8000)]
    #[serde(default)]
    text: Option<String>,
}

/// The newest requests about an account.
#[derive(Serialize, ToSchema)]
#[schema(as = RightsDeskRequests)]
struct Requests {
    /// A hundred at most, newest first; a guardian sees what guardians asked for, and the person what they did, and that a
    /// guardian asked for a cancellation. Where a second factor is set up there are no words of what was not asked here.
    items: Vec<RequestView>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(rights_desk_enter))
        .add(Access::Public, routes!(rights_desk_ask))
        .add(Access::Public, routes!(rights_desk_list))
        .add(Access::Public, routes!(rights_desk_change))
        .add(Access::Public, routes!(rights_desk_copy))
}

async fn standing(console: &Console, pass: String, account: AccountId) -> Result<Standing, Refusal> {
    let found = console.identity.rights_desk_pass(&SecretString::from(pass), account).await?;
    found.ok_or_else(|| {
        let message = "the pass is not good for that account";
        Refusal::from(Fault::new(ErrorKind::Forbidden, "rights_desk.account", message)).about("account")
    })
}

const fn asker(standing: Standing) -> Asker {
    if standing.is_guardian { Asker::Guardian } else { Asker::Person }
}

/// Whether reading an address is not enough, since the person set up a second factor.
async fn is_weak_in_tx(console: &Console, tx: &mut ReadTx<'_>, standing: Standing) -> Result<bool, IdentityError> {
    Ok(!standing.is_guardian && console.identity.second_factor_set_in_tx(tx, standing.account).await?)
}

/// [`is_weak_in_tx`] in a transaction of its own.
async fn is_weak(console: &Console, standing: Standing) -> Result<bool, IdentityError> {
    console.db.read("console.desk.weak", |tx| Box::pin(is_weak_in_tx(console, tx, standing))).await
}

/// Answers, and says for the log whose data it was about.
fn about(account: AccountId, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Concerns(account));
    response
}

/// Gives a pass to who says the code that was sent to an address of an account, or of the guardian of a minor. The account is told at
/// each of its addresses.
#[utoipa::path(post, path = "/api/v1/rights-desk/enter", tag = "rights desk", request_body = Entering, responses(
    (status = 200, description = "The pass.", body = PassView),
    (status = 422, description = "The code is wrong or void (`code.wrong`).", body = Problem, content_type = "application/problem+json"),
))]
async fn rights_desk_enter(
    State(console): State<Console>,
    From(origin): From,
    Input(entering): Input<Entering>,
) -> Result<Response, Refusal> {
    let (contact, code) = (entering.to.contact()?, SecretString::from(entering.code));
    let pass = console.identity.rights_desk_enter(&contact, &code, &origin).await?;
    let (console, standings) = (&console, &pass.standings);
    let tell = async |tx: &mut WriteTx<'_>| {
        for standing in standings {
            let said = |language| rights_notices::entered(standing.is_guardian, language);
            console.notice_in_tx(tx, standing.account, said).await?;
        }
        Ok::<_, Undone>(())
    };
    let tell = &tell;
    console.db.write("console.desk.enter", |tx| Box::pin(tell(tx))).await?;
    let shown = |Standing { account, is_guardian }| StandingView { account, guardian: is_guardian };
    let each = ConcernsEach(standings.iter().map(|standing| standing.account).collect());
    let mut response = Json(PassView {
        pass: pass.token.expose_secret().to_owned(),
        expires_at: pass.expires_at.into(),
        accounts: standings.iter().copied().map(shown).collect(),
    })
    .into_response();
    response.extensions_mut().insert(each);
    Ok(response)
}

/// Asks for something. What a guardian asks for a minor is answered within three days; with a cancellation the data is not used from
/// then on, and it is erased after three days unless one of them takes it back. Of who only reads an address of the account, staff
/// makes sure before it is erased; and where a second factor is set up, before it is restricted.
#[utoipa::path(post, path = "/api/v1/rights-desk/requests", tag = "rights desk", request_body = Wanted, responses(
    (status = 201, description = "The request.", body = RequestView),
    (status = 401, description = "The pass is none, or too old.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "One of that kind is under way; or something stands in the way of a cancellation.", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "Words are missing, or a guardian gives up money.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn rights_desk_ask(State(console): State<Console>, Input(wanted): Input<Wanted>) -> Result<Response, Refusal> {
    let standing = standing(&console, wanted.pass, wanted.account).await?;
    let Standing { account, is_guardian } = standing;
    // What is refused counts too.
    console.identity.right_asked(account).await?;
    if is_guardian && wanted.forfeits {
        let message = "the money is the person's, and a guardian does not give it up: ask without it, and staff looks at what is left";
        return Err(Refusal::from(Fault::new(ErrorKind::Invalid, "rights_desk.forfeits", message)).about("forfeits"));
    }
    let mut forfeits = None;
    if matches!(wanted.kind, Kind::Cancellation) {
        // What is left then stands in the way of what a guardian asked, and staff looks at it.
        let most = (is_guardian || wanted.forfeits).then_some(Nano(i64::MAX));
        let held = console.requests.may_cancel(account, most).await?;
        forfeits = Some(held).filter(|held| !is_guardian && *held > Nano::ZERO);
    }
    let asker = asker(standing);
    let said = wanted.text.map(Personal::new);
    let new = &New { kind: wanted.kind.into(), asker, said, verified: Verified::Address, forfeits };
    let console = &console;
    let ask = async |tx: &mut WriteTx<'_>| {
        let request = console.requests.make_in_tx(tx, account, new).await?;
        tell(console, tx, &request).await?;
        Ok::<_, Undone>(request)
    };
    let ask = &ask;
    let request = console.db.write("console.desk.ask", |tx| Box::pin(ask(tx))).await?;
    let made = RequestView::of(request, console.clock.now());
    Ok(about(account, (StatusCode::CREATED, Json(made))))
}

/// What was asked for about an account, and how far it is.
#[utoipa::path(post, path = "/api/v1/rights-desk/requests/list", tag = "rights desk", request_body = Asking, responses(
    (status = 200, description = "The newest requests.", body = Requests),
    (status = 401, description = "The pass is none, or too old.", body = Problem, content_type = "application/problem+json"),
))]
async fn rights_desk_list(State(console): State<Console>, Input(asking): Input<Asking>) -> Result<Response, Refusal> {
    let standing = standing(&console, asking.pass, asking.account).await?;
    let (account, asker, now) = (standing.account, asker(standing), console.clock.now());
    let is_weak = is_weak(&console, standing).await?;
    let found = console.requests.of_account((account, asker), Page::default()).await?;
    let shown = found.items.into_iter().map(|request| match request.verified {
        Verified::Session | Verified::StepUp if is_weak => Request { said: None, answer: None, ..request },
        _ => request,
    });
    let items = shown.map(|request| RequestView::of(request, now)).collect();
    Ok(about(account, Json(Requests { items })))
}

/// Takes a request back, answers a question about it, or appeals. A cancellation that a guardian asked for the person takes back so that
/// staff looks at it.
#[utoipa::path(post, path = "/api/v1/rights-desk/requests/change", tag = "rights desk", request_body = Changing, responses(
    (status = 200, description = "The request as it is now.", body = RequestView),
    (status = 401, description = "The pass is none, or too old.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such request, or it is not theirs.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It has not come so far, or farther.", body = Problem, content_type = "application/problem+json"),
))]
async fn rights_desk_change(
    State(console): State<Console>,
    Input(changing): Input<Changing>,
) -> Result<Response, Refusal> {
    let standing = standing(&console, changing.pass, changing.account).await?;
    let (account, asker) = (standing.account, asker(standing));
    let event = match changing.event {
        DeskEvent::Withdraw => Event::Withdraw,
        DeskEvent::Reply => Event::Reply,
        DeskEvent::Appeal => Event::Appeal,
    };
    let change = &Change { event, text: changing.text.map(Personal::new), refusal: None };
    let (console, id) = (&console, changing.request);
    let write = async |tx: &mut WriteTx<'_>| {
        let request = console.requests.change_in_tx(tx, (Acting::Asker(account, asker), id), change).await?;
        if request.verified != Verified::Address && is_weak_in_tx(console, tx, standing).await? {
            let message =
                "reading an address is not enough for this account: whoever signed in to ask signs in to change it";
            return Err(Fault::new(ErrorKind::Conflict, "rights_desk.second_factor", message).into());
        }
        tell(console, tx, &request).await?;
        Ok::<_, Undone>(request)
    };
    let write = &write;
    let request = console.db.write("console.desk.change", |tx| Box::pin(write(tx))).await?;
    let shown = request.shown_to(asker).ok_or(RequestError::NotFound)?;
    Ok(about(account, Json(RequestView::of(shown, console.clock.now()))))
}

/// A copy of what is held about an account, for the person. Where a second factor is set up an address is not enough: then it is
/// asked for with a request of the kind `copy`, and so it is by guardians. The account is told at each of its addresses.
#[utoipa::path(post, path = "/api/v1/rights-desk/copy", tag = "rights desk", params(LanguageQuery), request_body = Asking, responses(
    (status = 200, description = "The archive (ZIP).", body = Vec<u8>, content_type = "application/zip"),
    (status = 401, description = "The pass is none, or too old.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "An address is not enough.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Many were asked for.", body = Problem, content_type = "application/problem+json"),
))]
async fn rights_desk_copy(
    State(console): State<Console>,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
    Input(asking): Input<Asking>,
) -> Result<Response, Refusal> {
    let language = language(&query, &headers)?;
    let standing = standing(&console, asking.pass, asking.account).await?;
    let (console, account) = (&console, standing.account);
    if standing.is_guardian || is_weak(console, standing).await? {
        let message =
            "reading an address is not enough for this account: ask for the copy with a request of the kind `copy`";
        return Err(Fault::new(ErrorKind::Conflict, "rights_desk.copy", message).into());
    }
    // Who is told to come later has had none.
    let pieces = console.copies.begin(account, language).await.map_err(refused)?;
    let count = async |tx: &mut WriteTx<'_>| {
        console.identity.copy_asked_in_tx(tx, account).await?;
        console.notice_in_tx(tx, account, rights_notices::copied).await
    };
    let count = &count;
    console.db.write("console.desk.copy", |tx| Box::pin(count(tx))).await?;
    Ok(about(account, archive(pieces)))
}
