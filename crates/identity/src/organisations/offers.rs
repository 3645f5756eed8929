//! How an organisation gets another owner: its owner offers it to a member, who accepts or does not. Nobody is made
//! answerable for an organisation, nor lends it what they were verified as, without having said so.

mod store;

pub(crate) use store::STATEMENTS;

use super::MOST_OWNED;
use super::access::{OrganisationPermission, OrganisationRole};
use super::model::OwnershipOffer;
use super::store as organisations;
use crate::verification::Restricted;
use crate::{Identity, IdentityError};
use tacit_kernel::ids::AccountId;
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, WriteTx};

/// How long an offer may be accepted, in microseconds: a week.
const LIFE: i64 = 7 * 86_400_000_000;

impl Identity {
    /// Offers an organisation to another member. An earlier offer is void.
    ///
    /// # Errors
    /// [`IdentityError::MemberNotFound`], [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationOwner`] to oneself,
    /// [`IdentityError::AccountDisabled`], [`IdentityError::OrganisationNotFound`],
    /// [`IdentityError::OrganisationClosed`]; storage, keyring.
    pub async fn ownership_offer_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        to: AccountId,
    ) -> Result<OwnershipOffer, IdentityError> {
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::OwnershipTransfer).await?;
        organisations::member_get(tx, organisation, to).await?.ok_or(IdentityError::MemberNotFound)?;
        if to == by {
            return Err(IdentityError::OrganisationOwner);
        }
        // Who cannot sign in cannot answer. How many they own is asked when they do: it is nobody else's business.
        let account = self.account_by_id_in_tx(tx, to).await?.ok_or(IdentityError::MemberNotFound)?;
        if !account.enabled {
            return Err(IdentityError::AccountDisabled);
        }
        let now = self.clock.now();
        let offer = OwnershipOffer { owner: by, member: to, created_at: now, expires_at: now.plus_micros(LIFE) };
        store::put(tx, organisation, &offer).await?;
        Ok(offer)
    }

    /// The offer that waits for its answer, as one of the two whom it concerns may see it.
    ///
    /// # Errors
    /// [`IdentityError::OfferNotFound`]; storage.
    pub async fn ownership_offered_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        (organisation, by): (AccountId, AccountId),
    ) -> Result<OwnershipOffer, IdentityError> {
        let offer = store::get(tx, organisation, self.clock.now()).await?.ok_or(IdentityError::OfferNotFound)?;
        let concerned = by == offer.owner || by == offer.member;
        if concerned { Ok(offer) } else { Err(IdentityError::OfferNotFound) }
    }

    /// Ends an offer: whoever made it withdraws it, or whoever got it refuses.
    ///
    /// # Errors
    /// [`IdentityError::OfferNotFound`], [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`];
    /// storage.
    pub async fn ownership_offer_end_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        by: (AccountId, AccountId),
    ) -> Result<OwnershipOffer, IdentityError> {
        self.member_may_in_tx(tx, by, OrganisationPermission::OrganisationRead).await?;
        let offer = self.ownership_offered_in_tx(tx, by).await?;
        store::delete(tx, by.0).await?;
        Ok(offer)
    }

    /// Whoever was offered an organisation becomes its owner, and the owner an admin.
    ///
    /// # Errors
    /// [`IdentityError::OfferNotFound`], [`IdentityError::TooMuch`] for who owns as many as one may,
    /// [`IdentityError::AccountDisabled`], `verification.required`, [`IdentityError::OrganisationNotFound`],
    /// [`IdentityError::OrganisationClosed`]; storage, keyring.
    pub async fn ownership_accept_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
    ) -> Result<OwnershipOffer, IdentityError> {
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::OrganisationRead).await?;
        let offer = self.ownership_offered_in_tx(tx, (organisation, by)).await?;
        if by != offer.member {
            return Err(IdentityError::OfferNotFound);
        }
        let gone = IdentityError::OfferNotFound;
        let mut before = organisations::member_get(tx, organisation, offer.owner).await?.ok_or(gone)?;
        let mut next = organisations::member_get(tx, organisation, by).await?.ok_or(IdentityError::OfferNotFound)?;
        if before.role != OrganisationRole::Owner {
            return Err(IdentityError::OfferNotFound);
        }
        let account = self.account_by_id_in_tx(tx, by).await?.ok_or(IdentityError::MemberNotFound)?;
        if !account.enabled {
            return Err(IdentityError::AccountDisabled);
        }
        if organisations::owned(tx, by).await? >= MOST_OWNED {
            return Err(IdentityError::TooMuch);
        }
        self.unverified_may_in_tx(tx, by, Restricted::Organisation).await?;
        let now = self.clock.now();
        (before.role, before.updated_at) = (OrganisationRole::Admin, now);
        (next.role, next.updated_at) = (OrganisationRole::Owner, now);
        // In this order, for there are never two.
        organisations::member_update(tx, organisation, &before).await?;
        organisations::member_update(tx, organisation, &next).await?;
        store::delete(tx, organisation).await?;
        // What it may do before it was verified is what its owner may.
        changes::append(tx, &Change::Account(organisation), now).await?;
        Ok(offer)
    }

    /// Who is no member any more has no offer.
    pub(super) async fn ownership_offer_void_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        member: AccountId,
    ) -> Result<(), IdentityError> {
        Ok(store::delete_to(tx, organisation, member).await?)
    }

    /// Forgets offers that are past their time.
    pub(crate) async fn ownership_offers_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        limit: u32,
    ) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now(), limit).await?)
    }
}
