//! Sessions: one run of a gateway process each. What a gateway holds of customers' money, and which calls it has open,
//! hangs on its session.

use crate::{Ledger, LedgerError};
use serde::Serialize;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::SessionId;
use tacit_storage::{Bulk, Page, Paged, ReadTx, Row, Sql, Value, WriteTx};

const SESSION_INSERT: Sql = Sql::new(
    "INSERT INTO gateway_sessions (id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at) \
     VALUES ($1, $2, $3, $4, 0, $5, $5, NULL)",
);
const SESSION_OPEN_OF_GATEWAY: Sql =
    Sql::new("SELECT id FROM gateway_sessions WHERE gateway = $1 AND ended_at IS NULL ORDER BY id");
const SESSION_BY_ID: Sql = Sql::new(
    "SELECT id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at FROM gateway_sessions WHERE id = $1",
);
const SESSION_FIRST: Sql = Sql::new(
    "SELECT id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at FROM gateway_sessions \
     ORDER BY id DESC LIMIT $1",
);
const SESSION_BEFORE: Sql = Sql::new(
    "SELECT id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at FROM gateway_sessions \
     WHERE id < $2 ORDER BY id DESC LIMIT $1",
);
const SESSION_OPEN_ALL: Sql = Sql::new(
    "SELECT id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at FROM gateway_sessions \
     WHERE ended_at IS NULL ORDER BY id",
);
const SESSION_END: Sql = Sql::new("UPDATE gateway_sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL");

static SESSION_SEEN: Bulk = Bulk::new(
    "UPDATE gateway_sessions SET seen_at = v.column2 FROM (VALUES",
    2,
    ") AS v WHERE id = v.column1 AND ended_at IS NULL",
);

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &SESSION_INSERT,
    &SESSION_OPEN_OF_GATEWAY,
    &SESSION_BY_ID,
    &SESSION_FIRST,
    &SESSION_BEFORE,
    &SESSION_OPEN_ALL,
    &SESSION_END,
];

/// A session just opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The new session.
    pub session: SessionId,
    /// Earlier sessions of the same gateway that never ended; the caller hands each to
    /// [`crate::Settler::settle_lost`]. A session that is not settled then is named again at the next opening.
    pub ended: Vec<SessionId>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Configured name of the gateway.
    pub gateway: String,
    /// Version of its program.
    pub version: String,
    /// Whether the gateway has locked itself in.
    pub sandbox: bool,
    /// The last batch of events that is durable: in the journal, or settled since.
    pub acknowledged: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When a control plane last found it connected, give or take half a minute.
    pub seen_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl SessionView {
    /// Whether nothing was heard of the session between these two looks at it, and it has not ended.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        let heard = |session: &Self| (session.acknowledged, session.seen_at, session.ended_at);
        heard(self) == heard(other)
    }
}

impl Ledger {
    /// Opens a session for a gateway process.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn session_open(&self, gateway: &str, version: &str, sandbox: bool) -> Result<Opened, LedgerError> {
        let now = self.clock.now();
        let open = async |tx: &mut WriteTx<'_>| {
            let mut ended = Vec::new();
            for row in tx.all(&SESSION_OPEN_OF_GATEWAY, &[gateway.into()]).await? {
                ended.push(row.get("id")?);
            }
            let session = SessionId::fresh();
            let values = [session.into(), gateway.into(), version.into(), sandbox.into(), now.into()];
            tx.execute(&SESSION_INSERT, &values).await?;
            Ok(Opened { session, ended })
        };
        let open = &open;
        self.db.write("session.open", |tx| Box::pin(open(tx))).await
    }

    /// A gateway comes back within the life of its process: the last batch of its events that is durable.
    ///
    /// # Errors
    /// [`LedgerError::SessionUnknown`], [`LedgerError::SessionEnded`], [`LedgerError::Storage`].
    pub async fn session_resume(&self, session: SessionId) -> Result<u64, LedgerError> {
        let view = self.db.read("session.resume", |tx| Box::pin(session_by_id(tx, session))).await?;
        match view {
            None => Err(LedgerError::SessionUnknown),
            Some(SessionView { ended_at: Some(_), .. }) => Err(LedgerError::SessionEnded),
            Some(view) => Ok(view.acknowledged),
        }
    }

    /// Notes that these sessions are connected, for every control plane to see.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn session_seen(&self, sessions: &[SessionId]) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut sessions = sessions.to_vec();
        sessions.sort_unstable();
        let values: Vec<Value> = sessions.into_iter().flat_map(|session| [session.into(), now.into()]).collect();
        let values = &values;
        self.db
            .write("session.seen", |tx| Box::pin(async move { Ok(tx.bulk(&SESSION_SEEN, values).await.map(drop)?) }))
            .await
    }

    /// All sessions that have not ended, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn session_list_open(&self) -> Result<Vec<SessionView>, LedgerError> {
        self.db.read("session.list_open", |tx| Box::pin(sessions_open(tx))).await
    }

    /// All sessions, newest first.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn session_list(&self, page: Page) -> Result<Paged<SessionView>, LedgerError> {
        self.db.read("session.list", |tx| Box::pin(session_page(tx, page))).await
    }
}

async fn sessions_open(tx: &mut ReadTx<'_>) -> Result<Vec<SessionView>, LedgerError> {
    tx.all(&SESSION_OPEN_ALL, &[]).await?.iter().map(view).collect()
}

async fn session_page(tx: &mut ReadTx<'_>, page: Page) -> Result<Paged<SessionView>, LedgerError> {
    let limit = Value::from(page.fetch());
    let rows = match page.after {
        None => tx.all(&SESSION_FIRST, &[limit]).await?,
        Some(after) => tx.all(&SESSION_BEFORE, &[limit, after.into()]).await?,
    };
    let items = rows.iter().map(view).collect::<Result<Vec<_>, LedgerError>>()?;
    Ok(page.take(items, |session| session.id.0))
}

pub(crate) async fn session_by_id(tx: &mut ReadTx<'_>, id: SessionId) -> Result<Option<SessionView>, LedgerError> {
    tx.one(&SESSION_BY_ID, &[id.into()]).await?.as_ref().map(view).transpose()
}

/// Holds the transaction to a session that has not ended.
///
/// # Errors
/// [`LedgerError::SessionUnknown`], [`LedgerError::SessionEnded`].
pub(crate) async fn session_must_be_open(tx: &mut ReadTx<'_>, id: SessionId) -> Result<(), LedgerError> {
    match session_by_id(tx, id).await? {
        None => Err(LedgerError::SessionUnknown),
        Some(SessionView { ended_at: Some(_), .. }) => Err(LedgerError::SessionEnded),
        Some(_) => Ok(()),
    }
}

/// Marks a session as ended; false if it already was, or is not known.
pub(crate) async fn session_end(tx: &mut WriteTx<'_>, id: SessionId, now: Timestamp) -> Result<bool, LedgerError> {
    Ok(tx.execute(&SESSION_END, &[id.into(), now.into()]).await? == 1)
}

fn view(row: &Row) -> Result<SessionView, LedgerError> {
    Ok(SessionView {
        id: row.get("id")?,
        gateway: row.get("gateway")?,
        version: row.get("version")?,
        sandbox: row.get("sandbox")?,
        acknowledged: row.get("acknowledged")?,
        started_at: row.get("started_at")?,
        seen_at: row.get("seen_at")?,
        ended_at: row.get("ended_at")?,
    })
}
