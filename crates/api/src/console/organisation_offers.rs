//! `/api/v1/organisations/{organisation}/ownership-offer`: how an organisation gets another owner, who must want it.

use super::idempotency::Undone;
use super::organisation_notices::Step;
use super::{Access, Answer, Console, Input, Member, Routes};
use crate::forms::Moment;
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::organisations::{OrganisationPermission, OwnershipOffer};
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// An offer that waits for its answer.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnershipOffer)]
struct View {
    /// The account of the owner, who offers.
    #[schema(value_type = String)]
    owner: AccountId,
    /// The account of the member who may accept.
    #[schema(value_type = String)]
    member: AccountId,
    /// When it was made.
    created_at: Moment,
    /// When it is void.
    expires_at: Moment,
}

/// Who is to be the owner.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewOwner)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    /// The account of a member.
    #[schema(value_type = String)]
    account: AccountId,
}

impl From<OwnershipOffer> for View {
    fn from(offer: OwnershipOffer) -> Self {
        Self {
            owner: offer.owner,
            member: offer.member,
            created_at: offer.created_at.into(),
            expires_at: offer.expires_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    let concerned = Access::Member(OrganisationPermission::OrganisationRead, Scope::OrganisationsWrite);
    routes
        .add(
            Access::Member(OrganisationPermission::OwnershipTransfer, Scope::OrganisationsWrite),
            routes!(ownership_offers_make),
        )
        .add(concerned, routes!(ownership_offers_show, ownership_offers_end))
        .add(concerned.stepped_up(), routes!(ownership_offers_accept))
}

/// Offers an organisation to another member. An earlier offer is void; both are told.
#[utoipa::path(put, path = "/api/v1/organisations/{organisation}/ownership-offer", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), request_body = NewOwner, responses(
    (status = 200, description = "The offer, good for seven days.", body = View),
    (status = 409, description = "The caller owns it already.", body = Problem, content_type = "application/problem+json"),
))]
async fn ownership_offers_make(
    State(console): State<Console>,
    member: Member,
    Input(new): Input<NewOwner>,
) -> Answer<View> {
    let console = &console;
    let offer = async |tx: &mut WriteTx<'_>| {
        let offer = console.identity.ownership_offer_in_tx(tx, member.by(), new.account).await?;
        console.tell_member_in_tx(tx, (member.organisation, offer.member), Step::Offered).await?;
        console.tell_member_in_tx(tx, (member.organisation, offer.owner), Step::Offers).await?;
        Ok::<_, Undone>(View::from(offer))
    };
    let offer = &offer;
    Ok(Json(console.db.write("console.organisation.offer", |tx| Box::pin(offer(tx))).await?))
}

/// The offer that waits for its answer; for who made it and who got it.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/ownership-offer", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The offer.", body = View),
))]
async fn ownership_offers_show(State(console): State<Console>, member: Member) -> Answer<View> {
    let read = async |tx: &mut ReadTx<'_>| console.identity.ownership_offered_in_tx(tx, member.by()).await;
    let read = &read;
    Ok(Json(View::from(console.db.read("console.organisation.offered", |tx| Box::pin(read(tx))).await?)))
}

/// Withdraws an offer, or refuses it. Both are told.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/ownership-offer", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is void."),
))]
async fn ownership_offers_end(State(console): State<Console>, member: Member) -> Result<StatusCode, Refusal> {
    let console = &console;
    let end = async |tx: &mut WriteTx<'_>| {
        let offer = console.identity.ownership_offer_end_in_tx(tx, member.by()).await?;
        for account in [offer.owner, offer.member] {
            console.tell_member_in_tx(tx, (member.organisation, account), Step::OfferEnded).await?;
        }
        Ok::<_, Undone>(())
    };
    let end = &end;
    console.db.write("console.organisation.offer_end", |tx| Box::pin(end(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accepts an offer: the caller becomes the owner, and who offered an admin. Both are told.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/ownership-offer/accept", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is theirs."),
    (status = 409, description = "They own as many as one may.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn ownership_offers_accept(State(console): State<Console>, member: Member) -> Result<StatusCode, Refusal> {
    let console = &console;
    let accept = async |tx: &mut WriteTx<'_>| {
        let offer = console.identity.ownership_accept_in_tx(tx, member.by()).await?;
        console.tell_member_in_tx(tx, (member.organisation, offer.member), Step::Owner).await?;
        console.tell_member_in_tx(tx, (member.organisation, offer.owner), Step::WasOwner).await?;
        Ok::<_, Undone>(())
    };
    let accept = &accept;
    console.db.write("console.organisation.hand_over", |tx| Box::pin(accept(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}
