//! The SQL of the snapshot: only what may be used.

use tacit_kernel::ids::{ChannelId, CredentialId};
use tacit_storage::{ReadTx, Sql, StorageError};

const CREDENTIALS: Sql = Sql::new(
    "SELECT id, channel_id, secret_sealed FROM channel_credentials WHERE status = 'active' ORDER BY channel_id, id",
);

/// Every statement of the snapshot.
pub(crate) const STATEMENTS: &[&Sql] = &[&CREDENTIALS];

pub(super) struct SealedCredential {
    pub(super) id: CredentialId,
    pub(super) channel: ChannelId,
    pub(super) secret_sealed: Vec<u8>,
}

pub(super) async fn credentials_active(tx: &mut ReadTx<'_>) -> Result<Vec<SealedCredential>, StorageError> {
    let rows = tx.all(&CREDENTIALS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(SealedCredential {
                id: row.get("id")?,
                channel: row.get("channel_id")?,
                secret_sealed: row.get("secret_sealed")?,
            })
        })
        .collect()
}
