//! SQL of call records.

use super::model::{CallFilter, CallRecord};
use crate::LedgerError;
use crate::settlement::FailedAttempt;
use tacit_kernel::Nano;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{CallId, ChannelId, TransactionId};
use tacit_kernel::rating::Usage;
use tacit_storage::{Bulk, Page, Paged, ReadTx, Row, Sql, SqlText, StorageError, Value, WriteTx};

/// The columns of a call, in the order of [`values`].
macro_rules! columns {
    () => {
        "id, account_id, key_id, session_id, started_at, endpoint, stream, source, model_id, model, group_id, \
         group_multiplier_ppm, channel_id, provider_id, credential_id, channel_multiplier_ppm, attempts, price_id, \
         status, error_code, http_status, input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, \
         audio_input_tokens, image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, usage_source, \
         amount, capped, settlement_id, first_byte_micros, duration_micros, concurrency, risk_marks, agent_family, \
         ip_sealed, user_agent_sealed"
    };
}

static CALLS_INSERT: Bulk =
    Bulk::new(concat!("INSERT INTO calls (", columns!(), ") VALUES"), COLUMNS, "ON CONFLICT (id) DO NOTHING");
const COLUMNS: usize = 41;
static ATTEMPTS_INSERT: Bulk = Bulk::new(
    "INSERT INTO call_attempts \
     (call_id, attempt, channel_id, credential_id, started_micros, duration_micros, error_code, http_status) VALUES",
    8,
    "ON CONFLICT (call_id, attempt) DO NOTHING",
);
const CALL_BY_ID: Sql = Sql::new(concat!("SELECT ", columns!(), " FROM calls WHERE id = $1"));
const CALL_PAGE: Sql = Sql::new(concat!("SELECT ", columns!(), " FROM calls WHERE id > $1 ORDER BY id LIMIT $2"));
const CALL_ATTEMPTS: Sql = Sql::new(
    "SELECT channel_id, credential_id, started_micros, duration_micros, error_code, http_status \
     FROM call_attempts WHERE call_id = $1 ORDER BY attempt",
);
const CALL_OF_CHANNEL: Sql = Sql::new("SELECT id FROM calls WHERE channel_id = $1 LIMIT 1");
const ATTEMPT_OF_CHANNEL: Sql = Sql::new("SELECT call_id FROM call_attempts WHERE channel_id = $1 LIMIT 1");

/// Every constant statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&CALL_BY_ID, &CALL_PAGE, &CALL_ATTEMPTS, &CALL_OF_CHANNEL, &ATTEMPT_OF_CHANNEL];
/// Every statement over many rows, for the same test.
pub(crate) static BULKS: &[&Bulk] = &[&CALLS_INSERT, &ATTEMPTS_INSERT];

/// A count as the database keeps it; the largest if it is larger than that.
fn count(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn values(call: &CallRecord, amount: Nano, capped: bool, settlement: Option<TransactionId>) -> [Value; COLUMNS] {
    let usage = &call.usage;
    [
        call.id.into(),
        call.account.into(),
        call.key.into(),
        call.session.into(),
        call.started_at.into(),
        Value::Word(call.endpoint.as_str()),
        call.stream.into(),
        Value::Word(call.source.as_str()),
        call.model_id.into(),
        call.model.as_deref().into(),
        call.group.into(),
        call.group_multiplier.into(),
        call.channel.into(),
        call.provider.into(),
        call.credential.into(),
        call.channel_multiplier.into(),
        call.attempts.into(),
        call.price.into(),
        Value::Word(call.status.as_str()),
        call.error.map_or(Value::Null, |error| Value::Word(error.as_str())),
        u32::from(call.http_status).into(),
        count(usage.input),
        count(usage.cache_read),
        count(usage.cache_write_5m),
        count(usage.cache_write_1h),
        count(usage.audio_input),
        count(usage.image_input),
        count(usage.output),
        count(usage.reasoning),
        count(usage.audio_output),
        Value::Word(call.usage_source.as_str()),
        amount.into(),
        capped.into(),
        settlement.into(),
        call.first_byte_micros.map(count).unwrap_or(Value::Null),
        count(call.duration_micros),
        call.concurrency.into(),
        call.risk_marks.into(),
        Value::Word(call.agent.as_str()),
        call.ip_sealed.as_deref().into(),
        call.user_agent_sealed.as_deref().into(),
    ]
}

/// Writes calls with what they pay; how many were not recorded yet.
pub(crate) async fn insert<'a>(
    tx: &mut WriteTx<'_>,
    calls: impl Iterator<Item = (&'a CallRecord, Nano, bool, Option<TransactionId>)>,
) -> Result<u64, LedgerError> {
    let mut rows = Vec::with_capacity(COLUMNS * calls.size_hint().0);
    for (call, amount, capped, settlement) in calls {
        rows.extend(values(call, amount, capped, settlement));
    }
    Ok(tx.bulk(&CALLS_INSERT, &rows).await?)
}

/// Writes the failed attempts of calls.
pub(crate) async fn attempts_insert<'a>(
    tx: &mut WriteTx<'_>,
    calls: impl Iterator<Item = (CallId, &'a [FailedAttempt])>,
) -> Result<(), LedgerError> {
    let mut rows: Vec<Value> = Vec::new();
    for (call, attempts) in calls {
        for (number, attempt) in (1_u32..).zip(attempts) {
            rows.extend([
                call.into(),
                number.into(),
                attempt.channel.into(),
                attempt.credential.into(),
                count(attempt.started_micros),
                count(attempt.duration_micros),
                attempt.error.map(ErrorCode::as_str).into(),
                attempt.http_status.map(u32::from).into(),
            ]);
        }
    }
    tx.bulk(&ATTEMPTS_INSERT, &rows).await?;
    Ok(())
}

fn word<T>(row: &Row, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, LedgerError> {
    match row.get::<Option<String>>(column)? {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or(LedgerError::Inconsistent { table: "calls", column }),
    }
}

fn status_code(n: i64) -> Result<u16, StorageError> {
    u16::try_from(n).map_err(|_| StorageError::inconsistent("calls", "http_status"))
}

fn call(row: &Row) -> Result<CallRecord, LedgerError> {
    Ok(CallRecord {
        id: row.get("id")?,
        account: row.get("account_id")?,
        key: row.get("key_id")?,
        session: row.get("session_id")?,
        started_at: row.get("started_at")?,
        endpoint: row.word("endpoint", Endpoint::parse)?,
        stream: row.get("stream")?,
        source: row.word("source", CallSource::parse)?,
        model_id: row.get("model_id")?,
        model: row.get("model")?,
        group: row.get("group_id")?,
        group_multiplier: row.get("group_multiplier_ppm")?,
        channel: row.get("channel_id")?,
        provider: row.get("provider_id")?,
        credential: row.get("credential_id")?,
        channel_multiplier: row.get("channel_multiplier_ppm")?,
        attempts: row.get("attempts")?,
        price: row.get("price_id")?,
        status: row.word("status", CallStatus::parse)?,
        error: word(row, "error_code", ErrorCode::parse)?,
        http_status: status_code(row.get("http_status")?)?,
        usage: Usage {
            input: row.get("input_tokens")?,
            cache_read: row.get("cache_read_tokens")?,
            cache_write_5m: row.get("cache_write_5m_tokens")?,
            cache_write_1h: row.get("cache_write_1h_tokens")?,
            audio_input: row.get("audio_input_tokens")?,
            image_input: row.get("image_input_tokens")?,
            output: row.get("output_tokens")?,
            reasoning: row.get("reasoning_tokens")?,
            audio_output: row.get("audio_output_tokens")?,
        },
        usage_source: row.word("usage_source", UsageSource::parse)?,
        amount: row.get("amount")?,
        capped: row.get("capped")?,
        settlement: row.get("settlement_id")?,
        first_byte_micros: row.get("first_byte_micros")?,
        duration_micros: row.get("duration_micros")?,
        concurrency: row.get("concurrency")?,
        risk_marks: row.get("risk_marks")?,
        agent: row.word("agent_family", AgentFamily::parse)?,
        ip_sealed: row.get("ip_sealed")?,
        user_agent_sealed: row.get("user_agent_sealed")?,
    })
}

/// One call.
pub(crate) async fn call_by_id(tx: &mut ReadTx<'_>, id: CallId) -> Result<Option<CallRecord>, LedgerError> {
    tx.one(&CALL_BY_ID, &[id.into()]).await?.as_ref().map(call).transpose()
}

/// Calls after that one in the order of ids.
pub(crate) async fn call_page(tx: &mut ReadTx<'_>, after: CallId, limit: i64) -> Result<Vec<CallRecord>, LedgerError> {
    tx.all(&CALL_PAGE, &[after.into(), limit.into()]).await?.iter().map(call).collect()
}

/// Calls newest first.
pub(crate) async fn call_list(
    tx: &mut ReadTx<'_>,
    filter: &CallFilter,
    page: Page,
) -> Result<Paged<CallRecord>, LedgerError> {
    let sql = SqlText::new(concat!("SELECT ", columns!(), " FROM calls WHERE 1 = 1"))
        .bind_some(" AND account_id = ", filter.account)
        .bind_some(" AND key_id = ", filter.key)
        .bind_some(" AND model = ", filter.model.as_deref())
        .bind_some(" AND status = ", filter.status.map(CallStatus::as_str))
        .bind_some(" AND channel_id = ", filter.channel)
        .bind_some(" AND started_at >= ", filter.since)
        .bind_some(" AND started_at < ", filter.until)
        .bind_some(" AND id >= ", filter.min_id)
        .bind_some(" AND id < ", page.after)
        .bind(" ORDER BY id DESC LIMIT ", page.fetch());
    let items = tx.query(sql).await?.iter().map(call).collect::<Result<Vec<_>, _>>()?;
    Ok(page.take(items, |call| call.id.0))
}

/// The failed attempts of a call.
pub(crate) async fn call_attempts(tx: &mut ReadTx<'_>, id: CallId) -> Result<Vec<FailedAttempt>, LedgerError> {
    let mut attempts = Vec::new();
    for row in tx.all(&CALL_ATTEMPTS, &[id.into()]).await? {
        attempts.push(FailedAttempt {
            channel: row.get("channel_id")?,
            credential: row.get("credential_id")?,
            started_micros: row.get("started_micros")?,
            duration_micros: row.get("duration_micros")?,
            error: word(&row, "error_code", ErrorCode::parse)?,
            http_status: row.get::<Option<i64>>("http_status")?.map(status_code).transpose()?,
        });
    }
    Ok(attempts)
}

/// Whether a record tells of that channel.
pub(crate) async fn channel_was_called(tx: &mut ReadTx<'_>, channel: ChannelId) -> Result<bool, LedgerError> {
    for statement in [&CALL_OF_CHANNEL, &ATTEMPT_OF_CHANNEL] {
        if tx.one(statement, &[channel.into()]).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
