//! SQL of incidents, of their clocks and criteria, and of whom they concern.

use super::model::{Clock, Counts, Criterion, Incident, Kind, Reported, Sought, State, Told, Window, Words};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, IncidentCriterionId, IncidentId, MessageId};
use tacit_storage::{Page, ReadTx, Row, Sql, SqlText, StorageError, Value, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

const INSERT: Sql = Sql::new(
    "INSERT INTO incidents (id, kind, state, found_at, began_at, ended_at, categories, words_sealed, clearing, created_at, \
     updated_at, notified_at, published_at, closed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE incidents SET kind = $2, state = $3, found_at = $4, began_at = $5, ended_at = $6, categories = $7, \
     words_sealed = $8, clearing = $9, created_at = $10, updated_at = $11, notified_at = $12, published_at = $13, \
     closed_at = $14 WHERE id = $1",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, kind, state, found_at, began_at, ended_at, categories, words_sealed, clearing, created_at, updated_at, \
     notified_at, published_at, closed_at FROM incidents WHERE id = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, kind, state, found_at, began_at, ended_at, categories, words_sealed, clearing, created_at, updated_at, \
     notified_at, published_at, closed_at FROM incidents WHERE id < $1 ORDER BY id DESC LIMIT $2",
);
const PUBLISHED: Sql = Sql::new(
    "SELECT id, kind, state, found_at, began_at, ended_at, categories, words_sealed, clearing, created_at, updated_at, \
     notified_at, published_at, closed_at FROM incidents WHERE published_at IS NOT NULL ORDER BY published_at DESC, id DESC \
     LIMIT $1",
);
// Of which they were told, or may read everywhere.
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT i.id AS id, i.kind AS kind, i.state AS state, i.found_at AS found_at, i.began_at AS began_at, \
     i.ended_at AS ended_at, i.categories AS categories, i.words_sealed AS words_sealed, i.clearing AS clearing, \
     i.created_at AS created_at, i.updated_at AS updated_at, i.notified_at AS notified_at, i.published_at AS published_at, \
     i.closed_at AS closed_at FROM incident_subjects AS s JOIN incidents AS i ON i.id = s.incident_id \
     WHERE s.account_id = $1 AND i.id < $2 AND (i.notified_at IS NOT NULL OR i.published_at IS NOT NULL) \
     ORDER BY i.id DESC LIMIT $3",
);
const IN_STATE: Sql = Sql::new("SELECT id FROM incidents WHERE state = $1 ORDER BY id LIMIT 100");
const CLEARING: Sql = Sql::new("SELECT id FROM incidents WHERE clearing = 1 ORDER BY id LIMIT 100");
const CLEARED: Sql = Sql::new("UPDATE incidents SET clearing = 0 WHERE id = $1");
const OVER: Sql = Sql::new("SELECT id FROM incidents WHERE closed_at < $1 ORDER BY id LIMIT 100");
const FORGET: Sql = Sql::new("DELETE FROM incidents WHERE id = $1");
const OPEN: Sql = Sql::new("SELECT COUNT(*) AS n FROM incidents WHERE closed_at IS NULL");

const CLOCK_INSERT: Sql = Sql::new(
    "INSERT INTO incident_clocks (id, incident_id, clock, english, chinese, due_at) VALUES ($1, $2, $3, $4, $5, $6)",
);
const CLOCKS: Sql = Sql::new(
    "SELECT id, clock, english, chinese, due_at, reported_at, reported_by, reported_to_sealed FROM incident_clocks \
     WHERE incident_id = $1 ORDER BY due_at, clock",
);
const REPORT: Sql = Sql::new(
    "UPDATE incident_clocks SET reported_at = $2, reported_by = $3, reported_to_sealed = $4 \
     WHERE id = $1 AND reported_at IS NULL",
);
const CLOCKS_FORGET: Sql = Sql::new("DELETE FROM incident_clocks WHERE incident_id = $1");
const OVERDUE: Sql = Sql::new("SELECT COUNT(*) AS n FROM incident_clocks WHERE reported_at IS NULL AND due_at < $1");

const SOUGHT_INSERT: Sql = Sql::new(
    "INSERT INTO incident_criteria (id, incident_id, kind, from_at, until_at, provider_id, channel_id, gateway, actor_id, \
     accounts, looked, found, after_id, created_at, finished_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
);
const SOUGHT: Sql = Sql::new(
    "SELECT id, incident_id, kind, from_at, until_at, provider_id, channel_id, gateway, actor_id, accounts, looked, found, \
     after_id, created_at, finished_at FROM incident_criteria WHERE incident_id = $1 ORDER BY id",
);
const SOUGHT_OPEN: Sql = Sql::new(
    "SELECT id, incident_id, kind, from_at, until_at, provider_id, channel_id, gateway, actor_id, accounts, looked, found, \
     after_id, created_at, finished_at FROM incident_criteria WHERE finished_at IS NULL ORDER BY id LIMIT 1",
);
const SOUGHT_ONE: Sql = Sql::new(
    "SELECT id, incident_id, kind, from_at, until_at, provider_id, channel_id, gateway, actor_id, accounts, looked, found, \
     after_id, created_at, finished_at FROM incident_criteria WHERE id = $1",
);
const SOUGHT_GO_ON: Sql =
    Sql::new("UPDATE incident_criteria SET looked = $2, found = $3, after_id = $4, finished_at = $5 WHERE id = $1");
const SOUGHT_FORGET: Sql = Sql::new("DELETE FROM incident_criteria WHERE incident_id = $1");

const SUBJECTS: Sql = Sql::new(
    "SELECT account_id, state, updated_at FROM incident_subjects WHERE incident_id = $1 AND account_id > $2 \
     ORDER BY account_id LIMIT $3",
);
const COUNTS: Sql =
    Sql::new("SELECT state, COUNT(*) AS n FROM incident_subjects WHERE incident_id = $1 GROUP BY state");
const WAITING: Sql = Sql::new(
    "SELECT account_id FROM incident_subjects WHERE incident_id = $1 AND state = 'waiting' ORDER BY account_id LIMIT $2",
);
const TELL: Sql = Sql::new(
    "UPDATE incident_subjects SET state = $3, message_id = $4, updated_at = $5 \
     WHERE incident_id = $1 AND account_id = $2 AND state = 'waiting'",
);
// A row of the outbox stays for longer than a message waits.
const FOLLOW: Sql = Sql::new(
    "SELECT s.account_id AS account_id, m.state AS state FROM incident_subjects AS s \
     LEFT JOIN messages AS m ON m.id = s.message_id WHERE s.incident_id = $1 AND s.state = 'written' AND s.account_id > $2 \
     ORDER BY s.account_id LIMIT $3",
);
const FOLLOWED: Sql = Sql::new(
    "UPDATE incident_subjects SET state = $3, updated_at = $4 WHERE incident_id = $1 AND account_id = $2 AND state = 'written'",
);
const AGAIN: Sql = Sql::new(
    "UPDATE incident_subjects SET state = 'waiting', message_id = NULL, updated_at = $2 \
     WHERE incident_id = $1 AND state IN ('failed', 'no_address')",
);
// Who is held stays until the hold ends.
const SUBJECTS_FORGET: Sql = Sql::new(
    "DELETE FROM incident_subjects WHERE incident_id = $1 AND account_id IN (SELECT account_id FROM incident_subjects \
     WHERE incident_id = $1 AND account_id NOT IN (SELECT account_id FROM legal_holds WHERE ends_at > $2) \
     ORDER BY account_id LIMIT $3)",
);
const LIST_SUBJECT: Sql = Sql::new(
    "INSERT INTO incident_subjects (incident_id, account_id, state, message_id, updated_at) \
     SELECT $1, COALESCE((SELECT o.account_id FROM organisation_members AS o WHERE o.organisation_id = a.id \
     AND o.role = 'owner'), a.id), 'waiting', NULL, $3 FROM accounts AS a WHERE a.id = $2 ON CONFLICT DO NOTHING",
);
const IS_ACCOUNT: Sql = Sql::new("SELECT id FROM accounts WHERE id = $1");
const ACCOUNTS: Sql = Sql::new("SELECT COUNT(*) AS n FROM accounts");
const LAST_OF_STEP: Sql = Sql::new("SELECT id FROM accounts WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2");

pub(crate) const STATEMENTS: &[&Sql] = &[
    &INSERT,
    &UPDATE,
    &BY_ID,
    &LIST,
    &PUBLISHED,
    &OF_ACCOUNT,
    &IN_STATE,
    &CLEARING,
    &CLEARED,
    &OVER,
    &FORGET,
    &OPEN,
    &CLOCK_INSERT,
    &CLOCKS,
    &REPORT,
    &CLOCKS_FORGET,
    &OVERDUE,
    &SOUGHT_INSERT,
    &SOUGHT,
    &SOUGHT_OPEN,
    &SOUGHT_ONE,
    &SOUGHT_GO_ON,
    &SOUGHT_FORGET,
    &SUBJECTS,
    &COUNTS,
    &WAITING,
    &TELL,
    &FOLLOW,
    &FOLLOWED,
    &AGAIN,
    &SUBJECTS_FORGET,
    &LIST_SUBJECT,
    &IS_ACCOUNT,
    &ACCOUNTS,
    &LAST_OF_STEP,
];

const fn words_at(id: IncidentId) -> Aad<'static> {
    Aad { table: "incidents", column: "words_sealed", row: id.0 }
}

const fn told_at(row: Uuid) -> Aad<'static> {
    Aad { table: "incident_clocks", column: "reported_to_sealed", row }
}

fn incident(row: &Row, key: &SealKey) -> Result<Incident, StorageError> {
    let wrong = || StorageError::inconsistent("incidents", "words_sealed");
    let id: IncidentId = row.get("id")?;
    let sealed: Vec<u8> = row.get("words_sealed")?;
    let plain = key.open(&words_at(id), &sealed).map_err(|_| wrong())?;
    let words: Words = serde_json::from_slice(&plain).map_err(|_| wrong())?;
    Ok(Incident {
        id,
        kind: row.word("kind", Kind::parse)?,
        state: row.word("state", State::parse)?,
        found_at: row.get("found_at")?,
        began_at: row.get("began_at")?,
        ended_at: row.get("ended_at")?,
        categories: row.json("categories")?,
        words,
        clearing: row.get("clearing")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        notified_at: row.get("notified_at")?,
        published_at: row.get("published_at")?,
        closed_at: row.get("closed_at")?,
    })
}

fn values(i: &Incident, key: &SealKey) -> Result<[Value; 14], StorageError> {
    let wrong = |column| move |_| StorageError::inconsistent("incidents", column);
    let words = serde_json::to_vec(&i.words).map_err(wrong("words_sealed"))?;
    Ok([
        i.id.into(),
        Value::Word(i.kind.as_str()),
        Value::Word(i.state.as_str()),
        i.found_at.into(),
        i.began_at.into(),
        i.ended_at.into(),
        serde_json::to_string(&i.categories).map_err(wrong("categories"))?.into(),
        key.seal(&words_at(i.id), &words).into(),
        i.clearing.into(),
        i.created_at.into(),
        i.updated_at.into(),
        i.notified_at.into(),
        i.published_at.into(),
        i.closed_at.into(),
    ])
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, i: &Incident, key: &SealKey) -> Result<(), StorageError> {
    tx.execute(&INSERT, &values(i, key)?).await.map(drop)
}

pub(super) async fn update(tx: &mut WriteTx<'_>, i: &Incident, key: &SealKey) -> Result<(), StorageError> {
    tx.execute(&UPDATE, &values(i, key)?).await.map(drop)
}

pub(super) async fn by_id(
    tx: &mut ReadTx<'_>,
    id: IncidentId,
    key: &SealKey,
) -> Result<Option<Incident>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.map(|row| incident(&row, key)).transpose()
}

/// Newest first.
pub(super) async fn list(tx: &mut ReadTx<'_>, page: Page, key: &SealKey) -> Result<Vec<Incident>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    tx.all(&LIST, &[before.into(), page.fetch().into()]).await?.iter().map(|row| incident(row, key)).collect()
}

/// Those that everybody may read, newest first, at most so many.
pub(super) async fn published(tx: &mut ReadTx<'_>, most: u32, key: &SealKey) -> Result<Vec<Incident>, StorageError> {
    tx.all(&PUBLISHED, &[most.into()]).await?.iter().map(|row| incident(row, key)).collect()
}

/// Those that somebody is told of, newest first.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
    key: &SealKey,
) -> Result<Vec<Incident>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    let rows = tx.all(&OF_ACCOUNT, &[account.into(), before.into(), page.fetch().into()]).await?;
    rows.iter().map(|row| incident(row, key)).collect()
}

fn ids(rows: &[Row]) -> Result<Vec<IncidentId>, StorageError> {
    rows.iter().map(|row| row.get("id")).collect()
}

pub(super) async fn in_state(tx: &mut ReadTx<'_>, state: State) -> Result<Vec<IncidentId>, StorageError> {
    ids(&tx.all(&IN_STATE, &[Value::Word(state.as_str())]).await?)
}

pub(super) async fn clearing(tx: &mut ReadTx<'_>) -> Result<Vec<IncidentId>, StorageError> {
    ids(&tx.all(&CLEARING, &[]).await?)
}

pub(super) async fn cleared(tx: &mut WriteTx<'_>, id: IncidentId) -> Result<(), StorageError> {
    tx.execute(&CLEARED, &[id.into()]).await.map(drop)
}

/// Those that were closed before.
pub(super) async fn over(tx: &mut ReadTx<'_>, before: Timestamp) -> Result<Vec<IncidentId>, StorageError> {
    ids(&tx.all(&OVER, &[before.into()]).await?)
}

/// The incident, and all of it but whom it concerned, who went before.
pub(super) async fn forget(tx: &mut WriteTx<'_>, id: IncidentId) -> Result<(), StorageError> {
    tx.execute(&CLOCKS_FORGET, &[id.into()]).await?;
    tx.execute(&SOUGHT_FORGET, &[id.into()]).await?;
    tx.execute(&FORGET, &[id.into()]).await.map(drop)
}

/// How many are not closed, and how many clocks ran out.
pub(super) async fn open(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<(u64, u64), StorageError> {
    let open = tx.one(&OPEN, &[]).await?.map_or(Ok(0), |row| row.get("n"))?;
    let overdue = tx.one(&OVERDUE, &[now.into()]).await?.map_or(Ok(0), |row| row.get("n"))?;
    Ok((open, overdue))
}

pub(super) async fn clock_insert(tx: &mut WriteTx<'_>, incident: IncidentId, c: &Clock) -> Result<(), StorageError> {
    let text = |text: &String| Value::Text(text.clone());
    let row = [c.id.into(), incident.into(), text(&c.name), text(&c.english), text(&c.chinese), c.due_at.into()];
    tx.execute(&CLOCK_INSERT, &row).await.map(drop)
}

/// In the order in which they run out.
pub(super) async fn clocks(
    tx: &mut ReadTx<'_>,
    incident: IncidentId,
    key: &SealKey,
) -> Result<Vec<Clock>, StorageError> {
    let rows = tx.all(&CLOCKS, &[incident.into()]).await?;
    let clock = |row: &Row| {
        let id: Uuid = row.get("id")?;
        let wrong = || StorageError::inconsistent("incident_clocks", "reported_to_sealed");
        let sealed: Option<Vec<u8>> = row.get("reported_to_sealed")?;
        let reported = match (row.get::<Option<Timestamp>>("reported_at")?, sealed) {
            (Some(at), Some(sealed)) => {
                let plain = key.open(&told_at(id), &sealed).map_err(|_| wrong())?;
                let to = String::from_utf8(plain.to_vec()).map_err(|_| wrong())?;
                Some(Reported { at, by: row.get("reported_by")?, to })
            }
            _ => None,
        };
        Ok(Clock {
            id: id.into(),
            name: row.get("clock")?,
            english: row.get("english")?,
            chinese: row.get("chinese")?,
            due_at: row.get("due_at")?,
            reported,
        })
    };
    rows.iter().map(clock).collect()
}

/// False if it was ticked off already.
pub(super) async fn report(
    tx: &mut WriteTx<'_>,
    clock: &Clock,
    reported: &Reported,
    key: &SealKey,
) -> Result<bool, StorageError> {
    let sealed = key.seal(&told_at(clock.id.0), reported.to.as_bytes());
    let row = [clock.id.into(), reported.at.into(), reported.by.clone().into(), sealed.into()];
    Ok(tx.execute(&REPORT, &row).await? == 1)
}

fn sought(row: &Row) -> Result<Sought, StorageError> {
    let wrong = |column| StorageError::inconsistent("incident_criteria", column);
    let window = || {
        let (from, until) = (row.get::<Option<Timestamp>>("from_at")?, row.get::<Option<Timestamp>>("until_at")?);
        from.zip(until).map(|(from, until)| Window { from, until }).ok_or_else(|| wrong("from_at"))
    };
    let criterion = match row.get::<String>("kind")?.as_str() {
        "everyone" => Criterion::Everyone,
        "calls" => Criterion::Calls {
            window: window()?,
            provider: row.get("provider_id")?,
            channel: row.get("channel_id")?,
            gateway: row.get("gateway")?,
        },
        "shown" => Criterion::Shown {
            window: window()?,
            actor: row.get::<Option<String>>("actor_id")?.ok_or_else(|| wrong("actor_id"))?,
        },
        "signed_in" => Criterion::SignedIn { window: window()? },
        "listed" => Criterion::Listed(Vec::new()),
        _ => return Err(wrong("kind")),
    };
    Ok(Sought {
        id: row.get("id")?,
        incident: row.get("incident_id")?,
        criterion,
        accounts: row.get("accounts")?,
        looked: row.get("looked")?,
        found: row.get("found")?,
        after: row.get("after_id")?,
        created_at: row.get("created_at")?,
        finished_at: row.get("finished_at")?,
    })
}

fn count(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

pub(super) async fn sought_insert(tx: &mut WriteTx<'_>, s: &Sought) -> Result<(), StorageError> {
    let window = s.criterion.window();
    let (provider, channel, gateway) = match &s.criterion {
        Criterion::Calls { provider, channel, gateway, .. } => (*provider, *channel, gateway.clone()),
        _ => (None, None, None),
    };
    let actor = match &s.criterion {
        Criterion::Shown { actor, .. } => Some(actor.clone()),
        _ => None,
    };
    let row = [
        s.id.into(),
        s.incident.into(),
        Value::Word(s.criterion.word()),
        window.map(|window| window.from).into(),
        window.map(|window| window.until).into(),
        provider.into(),
        channel.into(),
        gateway.into(),
        actor.into(),
        count(s.accounts),
        count(s.looked),
        count(s.found),
        s.after.into(),
        s.created_at.into(),
        s.finished_at.into(),
    ];
    tx.execute(&SOUGHT_INSERT, &row).await.map(drop)
}

/// The criteria of an incident, in the order in which they were said.
pub(super) async fn sought_of(tx: &mut ReadTx<'_>, incident: IncidentId) -> Result<Vec<Sought>, StorageError> {
    tx.all(&SOUGHT, &[incident.into()]).await?.iter().map(sought).collect()
}

/// The oldest that is not through.
pub(super) async fn sought_open(tx: &mut ReadTx<'_>) -> Result<Option<Sought>, StorageError> {
    tx.one(&SOUGHT_OPEN, &[]).await?.as_ref().map(sought).transpose()
}

pub(super) async fn sought_one(tx: &mut ReadTx<'_>, id: IncidentCriterionId) -> Result<Option<Sought>, StorageError> {
    tx.one(&SOUGHT_ONE, &[id.into()]).await?.as_ref().map(sought).transpose()
}

pub(super) async fn sought_go_on(tx: &mut WriteTx<'_>, s: &Sought) -> Result<(), StorageError> {
    let row = [s.id.into(), count(s.looked), count(s.found), s.after.into(), s.finished_at.into()];
    tx.execute(&SOUGHT_GO_ON, &row).await.map(drop)
}

pub(super) async fn sought_forget(tx: &mut WriteTx<'_>, incident: IncidentId) -> Result<(), StorageError> {
    tx.execute(&SOUGHT_FORGET, &[incident.into()]).await.map(drop)
}

/// Writes down whoever a statement finds; how many they were that nobody had found.
pub(super) async fn subjects_insert(tx: &mut WriteTx<'_>, sql: SqlText) -> Result<u64, StorageError> {
    tx.change(sql).await
}

/// Writes down an account; false if it was there.
pub(super) async fn subject_insert(
    tx: &mut WriteTx<'_>,
    incident: IncidentId,
    account: AccountId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&LIST_SUBJECT, &[incident.into(), account.into(), now.into()]).await? == 1)
}

pub(super) async fn is_account(tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, StorageError> {
    Ok(tx.one(&IS_ACCOUNT, &[account.into()]).await?.is_some())
}

pub(super) async fn accounts(tx: &mut ReadTx<'_>) -> Result<u64, StorageError> {
    tx.one(&ACCOUNTS, &[]).await?.map_or(Ok(0), |row| row.get("n"))
}

/// The last of so many accounts after that one; `None`: there are not so many.
pub(super) async fn last_of_step(tx: &mut ReadTx<'_>, after: Uuid, step: u32) -> Result<Option<Uuid>, StorageError> {
    let row = tx.one(&LAST_OF_STEP, &[after.into(), (step - 1).into()]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// Who is concerned, in the order of their ids, and whether they were told.
pub(super) async fn subjects(
    tx: &mut ReadTx<'_>,
    incident: IncidentId,
    page: Page,
) -> Result<Vec<(AccountId, Told, Timestamp)>, StorageError> {
    let after = page.after.unwrap_or_default();
    let rows = tx.all(&SUBJECTS, &[incident.into(), after.into(), page.fetch().into()]).await?;
    let subject = |row: &Row| Ok((row.get("account_id")?, row.word("state", Told::parse)?, row.get("updated_at")?));
    rows.iter().map(subject).collect()
}

pub(super) async fn counts(tx: &mut ReadTx<'_>, incident: IncidentId) -> Result<Counts, StorageError> {
    let mut counts = Counts::default();
    for row in tx.all(&COUNTS, &[incident.into()]).await? {
        let n = row.get("n")?;
        match row.word("state", Told::parse)? {
            Told::Waiting => counts.waiting = n,
            Told::Written => counts.written = n,
            Told::Sent => counts.sent = n,
            Told::Failed => counts.failed = n,
            Told::NoAddress => counts.no_address = n,
        }
    }
    Ok(counts)
}

/// Some to whom nothing was written.
pub(super) async fn waiting(
    tx: &mut ReadTx<'_>,
    incident: IncidentId,
    most: u32,
) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&WAITING, &[incident.into(), most.into()]).await?.iter().map(|row| row.get("account_id")).collect()
}

/// Says what became of who waited; false if another was first.
pub(super) async fn tell(
    tx: &mut WriteTx<'_>,
    (incident, account): (IncidentId, AccountId),
    (told, message): (Told, Option<MessageId>),
    now: Timestamp,
) -> Result<bool, StorageError> {
    let row = [incident.into(), account.into(), Value::Word(told.as_str()), message.into(), now.into()];
    Ok(tx.execute(&TELL, &row).await? == 1)
}

/// Some to whom a message was written, and the state of that; `None` if it is not there any more.
pub(super) async fn follow(
    tx: &mut ReadTx<'_>,
    incident: IncidentId,
    after: AccountId,
    most: u32,
) -> Result<Vec<(AccountId, Option<String>)>, StorageError> {
    let rows = tx.all(&FOLLOW, &[incident.into(), after.into(), most.into()]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("state")?))).collect()
}

pub(super) async fn followed(
    tx: &mut WriteTx<'_>,
    (incident, account): (IncidentId, AccountId),
    told: Told,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = [incident.into(), account.into(), Value::Word(told.as_str()), now.into()];
    tx.execute(&FOLLOWED, &row).await.map(drop)
}

/// Whoever was not reached waits again.
pub(super) async fn again(tx: &mut WriteTx<'_>, incident: IncidentId, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&AGAIN, &[incident.into(), now.into()]).await
}

/// Takes out some whom it concerned; how many. `now` counts for holds.
pub(super) async fn subjects_forget(
    tx: &mut WriteTx<'_>,
    incident: IncidentId,
    now: Timestamp,
    most: u32,
) -> Result<u64, StorageError> {
    tx.execute(&SUBJECTS_FORGET, &[incident.into(), now.into(), most.into()]).await
}
