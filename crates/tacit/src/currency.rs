//! The settlement currency is fixed with the first start on a database: every amount in it is in that currency, so
//! another word in the configuration would turn all balances into something else without a posting.

use tacit_kernel::Timestamp;
use tacit_storage::{Db, Sql, StorageError};

const FIX: Sql = Sql::new(
    "INSERT INTO platform (singleton, currency, created_at) VALUES (1, $1, $2) ON CONFLICT (singleton) DO NOTHING",
);
const FIXED: Sql = Sql::new("SELECT currency FROM platform WHERE singleton = 1");

/// Fixes the currency of a new database.
///
/// # Errors
/// If the database has another one.
pub(crate) async fn fix(db: &Db, currency: &str, now: Timestamp) -> anyhow::Result<()> {
    let fixed: Option<String> = db
        .write("platform.currency", |tx| {
            Box::pin(async move {
                tx.execute(&FIX, &[currency.to_owned().into(), now.into()]).await?;
                tx.one(&FIXED, &[]).await?.map(|row| row.get("currency")).transpose()
            })
        })
        .await
        .map_err(|e: StorageError| crate::control::detailed(e))?;
    let fixed = fixed.unwrap_or_default();
    anyhow::ensure!(
        fixed == currency,
        "money.currency is {currency}, but the amounts in this database are in {fixed}: set it to {fixed}"
    );
    Ok(())
}
