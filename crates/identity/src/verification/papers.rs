//! The papers of a case. They are sealed with a key of the case's own, which lies in the keyring, in pieces that open only
//! in their place; when they have served the key is destroyed. They are shown to whoever decides and to nobody else.

mod store;

pub(crate) use store::STATEMENTS;

use super::{Case, CaseEvent, Media, PaperKind, PaperView, VerificationError};
use crate::{Identity, IdentityError};
use tacit_kernel::ids::{self, AccountId, VerificationId};
use tacit_storage::{ReadTx, StorageError, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a paper in one row.
const PIECE: usize = 256 << 10;

const fn aad(paper: Uuid) -> Aad<'static> {
    Aad { table: "verification_pieces", column: "content_sealed", row: paper }
}

/// The key of a piece: another one for each place, so that pieces cannot change places.
fn piece_key(key: &SealKey, place: usize) -> SealKey {
    key.derive(&format!("verification-piece {place}"))
}

impl Identity {
    /// Adds a paper to a case of an account that can still be changed, in the place of the one of its kind.
    ///
    /// # Errors
    /// [`VerificationError::PaperInvalid`], [`VerificationError::NotFound`], [`VerificationError::State`];
    /// [`IdentityError::TooMany`] papers; storage, keyring.
    pub async fn paper_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, case): (AccountId, VerificationId),
        kind: PaperKind,
        bytes: &[u8],
    ) -> Result<Case, IdentityError> {
        let invalid = |message| Err(VerificationError::PaperInvalid { message }.into());
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.verification.paper_max {
            return invalid("the paper is larger than is taken here; send a smaller picture");
        }
        let Some(media) = Media::of(bytes) else { return invalid("a paper is a JPEG, a PNG or a PDF") };
        let mut row = self.case_to_change_in_tx(tx, (account, case), CaseEvent::Change).await?;
        if kind.kind() != row.kind || !self.verification.of(row.kind).papers.contains(&kind) {
            return invalid("that paper is not asked for");
        }
        self.paper_sent_in_tx(tx, account, case.0).await?;
        let key = self.keys.get_fleeting(case.0).await?.ok_or(VerificationError::State)?;
        let (id, now) = (ids::fresh(), self.clock.now());
        let sealed = |(place, piece): (usize, &[u8])| piece_key(&key, place).seal(&aad(id), piece);
        let pieces = bytes.chunks(PIECE).enumerate().map(sealed).collect();
        store::put(tx, case, id, &PaperView { kind, media, size, created_at: now }, pieces).await?;
        row.updated_at = now;
        super::store::update(tx, &row).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Takes a paper out of a case that can still be changed.
    ///
    /// # Errors
    /// [`VerificationError::PaperNotFound`], [`VerificationError::NotFound`], [`VerificationError::State`]; storage.
    pub async fn paper_remove_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, case): (AccountId, VerificationId),
        kind: PaperKind,
    ) -> Result<(), IdentityError> {
        let mut row = self.case_to_change_in_tx(tx, (account, case), CaseEvent::Change).await?;
        if !store::delete_one(tx, case, kind).await? {
            return Err(VerificationError::PaperNotFound.into());
        }
        row.updated_at = self.clock.now();
        Ok(super::store::update(tx, &row).await?)
    }

    /// A paper in clear, for whoever decides about a case that was submitted.
    ///
    /// # Errors
    /// [`VerificationError::PaperNotFound`], also once it is deleted; storage, keyring.
    pub async fn paper_reveal(
        &self,
        case: VerificationId,
        kind: PaperKind,
    ) -> Result<(PaperView, Zeroizing<Vec<u8>>), IdentityError> {
        let read = async |tx: &mut ReadTx<'_>| {
            let row = super::store::by_id(tx, case).await?.filter(|row| row.submitted_at.is_some());
            row.ok_or(VerificationError::PaperNotFound)?;
            let (id, view) = store::one(tx, case, kind).await?.ok_or(VerificationError::PaperNotFound)?;
            Ok::<_, IdentityError>((id, view, store::pieces(tx, id).await?))
        };
        let read = &read;
        let (id, view, pieces) = self.db.read("verification.paper", |tx| Box::pin(read(tx))).await?;
        let key = self.keys.get_fleeting(case.0).await?.ok_or(VerificationError::PaperNotFound)?;
        let damaged = || StorageError::inconsistent("verification_pieces", "content_sealed");
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(view.size).unwrap_or(0)));
        for (place, sealed) in pieces.iter().enumerate() {
            bytes.extend_from_slice(&piece_key(&key, place).open(&aad(id), sealed).map_err(|_| damaged())?);
        }
        // A piece that is missing at the end would not be missed otherwise.
        if u64::try_from(bytes.len()).ok() != Some(view.size) {
            return Err(damaged().into());
        }
        Ok((view, bytes))
    }

    pub(super) async fn papers_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        case: VerificationId,
    ) -> Result<Vec<PaperView>, IdentityError> {
        Ok(store::of_case(tx, case).await?)
    }

    /// Makes the key of a case. A case whose key was destroyed never has one again: its id is not used twice.
    pub(super) async fn papers_key_create(&self, case: VerificationId) -> Result<(), IdentityError> {
        self.keys.create_fleeting(case.0).await?;
        Ok(())
    }

    pub(super) async fn papers_delete_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        case: VerificationId,
    ) -> Result<(), IdentityError> {
        Ok(store::delete_all(tx, case).await?)
    }
}
