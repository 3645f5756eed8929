//! Whom an incident concerns, computed to accounts. Every criterion is a condition on an account, so that all of them are gone
//! over in the same way: accounts in the order of their ids, some thousands in a transaction that also says how far it came.
//! An organisation has no eyes to read with: its owner is concerned in its place.

use super::model::{Criterion, Sought, Window};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::SqlText;
use uuid::Uuid;

/// Accounts of one step.
pub(super) const STEP: u32 = 5000;
/// Ids of calls tell when they were made. A call may last for so long, and the clocks of gateways differ by so much: a day.
const APART: i64 = 86_400_000_000;

/// Writes down those accounts after `sought.after` up to `last` that the criterion finds.
pub(super) fn step(sought: &Sought, last: Uuid, now: Timestamp) -> SqlText {
    let sql = SqlText::new("INSERT INTO incident_subjects (incident_id, account_id, state, message_id, updated_at) ")
        .bind("SELECT ", sought.incident)
        .push(
            ", COALESCE((SELECT o.account_id FROM organisation_members AS o \
             WHERE o.organisation_id = a.id AND o.role = 'owner'), a.id), 'waiting', NULL, ",
        )
        .bind("", now)
        .bind(" FROM accounts AS a WHERE a.id > ", sought.after)
        .bind(" AND a.id <= ", last);
    let sql = match &sought.criterion {
        Criterion::Everyone => sql,
        // Who is listed was written down when they were.
        Criterion::Listed(_) => sql.push(" AND 1 = 0"),
        Criterion::SignedIn { window } => signed_in(sql, *window),
        Criterion::Shown { window, actor } => shown(sql, *window, actor),
        Criterion::Calls { window, provider, channel, gateway } => {
            let call = |sql: SqlText| {
                let mut sql = called(sql, *window);
                if let Some(provider) = provider {
                    sql = sql.bind(" AND (c.provider_id = ", *provider).bind(
                        " OR EXISTS (SELECT 1 FROM call_attempts AS t JOIN channels AS h ON h.id = t.channel_id \
                         WHERE t.call_id = c.id AND h.provider_id = ",
                        *provider,
                    );
                    sql = sql.push("))");
                }
                if let Some(channel) = channel {
                    sql = sql.bind(" AND (c.channel_id = ", *channel).bind(
                        " OR EXISTS (SELECT 1 FROM call_attempts AS t WHERE t.call_id = c.id AND t.channel_id = ",
                        *channel,
                    );
                    sql = sql.push("))");
                }
                match gateway {
                    Some(gateway) => sql
                        .bind(" AND c.session_id IN (SELECT id FROM gateway_sessions WHERE gateway = ", gateway.clone())
                        .push(")"),
                    None => sql,
                }
            };
            let sql = call(sql.push(" AND (EXISTS (SELECT 1 FROM calls AS c WHERE c.account_id = a.id"));
            // The member of an organisation whose key it was.
            let sql = sql.push(
                ") OR EXISTS (SELECT 1 FROM api_keys AS k JOIN calls AS c ON c.account_id = k.account_id AND c.key_id = k.id \
                 WHERE k.member_id = a.id",
            );
            call(sql).push("))")
        }
    };
    sql.push(" ON CONFLICT DO NOTHING")
}

/// That a call was under way.
fn called(sql: SqlText, window: Window) -> SqlText {
    let id = |at: i64| {
        let millis = u128::try_from(at / 1000).unwrap_or_default();
        Uuid::from_u128(millis << 80)
    };
    sql.bind(" AND c.id >= ", id(window.from.0.saturating_sub(APART)))
        .bind(" AND c.id <= ", id(window.until.0.saturating_add(APART)))
        .bind(" AND c.started_at <= ", window.until)
        .bind(" AND c.started_at + c.duration_micros >= ", window.from)
}

/// That somebody else's look or act is in the audit log.
fn shown(sql: SqlText, window: Window, actor: &str) -> SqlText {
    let sql = match actor.parse::<AccountId>() {
        Ok(own) => sql.bind(" AND a.id <> ", own),
        Err(_) => sql,
    };
    sql.push(" AND EXISTS (SELECT 1 FROM audit_entries AS e WHERE e.subject_id = a.id AND e.phase <> 'refused'")
        .bind(" AND e.actor_id = ", actor.to_owned())
        .bind(" AND e.created_at >= ", window.from)
        .bind(" AND e.created_at <= ", window.until)
        .push(")")
}

/// That a sign-in lasted, or was made, as the audit log remembers of those that are gone.
fn signed_in(sql: SqlText, window: Window) -> SqlText {
    sql.bind(
        " AND (EXISTS (SELECT 1 FROM console_sessions AS s WHERE s.account_id = a.id AND s.created_at <= ",
        window.until,
    )
    .bind(" AND s.seen_at >= ", window.from)
    .push(
        ") OR EXISTS (SELECT 1 FROM audit_entries AS e WHERE e.subject_id = a.id AND e.action = 'session.create' \
             AND e.phase = 'done'",
    )
    .bind(" AND e.created_at >= ", window.from)
    .bind(" AND e.created_at <= ", window.until)
    .push("))")
}
