//! The settlement currency is fixed with the first start on a database: every amount in it is in that currency, so
//! another word in the configuration would turn all balances into something else without a posting.

use crate::{Ledger, LedgerError};
use tacit_storage::Sql;

const FIX: Sql = Sql::new(
    "INSERT INTO platform (singleton, currency, created_at) VALUES (1, $1, $2) ON CONFLICT (singleton) DO NOTHING",
);
const FIXED: Sql = Sql::new("SELECT currency FROM platform WHERE singleton = 1");
pub(crate) const STATEMENTS: &[&Sql] = &[&FIX, &FIXED];

impl Ledger {
    /// Fixes the currency of a new database, and says which one it has.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn currency(&self, wanted: &str) -> Result<String, LedgerError> {
        let now = self.clock.now();
        let fixed: Option<String> = self
            .db
            .write("platform.currency", |tx| {
                Box::pin(async move {
                    tx.execute(&FIX, &[wanted.to_owned().into(), now.into()]).await?;
                    tx.one(&FIXED, &[]).await?.map(|row| row.get("currency")).transpose()
                })
            })
            .await
            .map_err(|error: tacit_storage::StorageError| LedgerError::from(error))?;
        Ok(fixed.unwrap_or_default())
    }
}
