//! Whose rows are: the columns by which rows lead to an account, and what the erasure of that account does with the rows.
//! The erasure of a person is made of this, and nothing else.

use tacit_kernel::datamap::OnErasure::{
    self, Committed, Deleted, Destroyed, Expires, Itself, LeadsNowhere, Pseudonymous, Settled, Unlinked,
};
use tacit_kernel::datamap::retention::{HANDLING_RECORDS, NETWORK_LOGS, TRADE_RECORDS};

/// A way from the rows of a table to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The columns from the table to the account, as [`tacit_kernel::datamap::Subject::Account`] has them.
    pub path: &'static str,
    /// What erasing the account does with the rows.
    pub on_erasure: OnErasure,
    /// Columns that are emptied where rows stay.
    pub emptied: &'static [&'static str],
    /// Columns that hold the pseudonym too where rows stay, since they cannot be empty.
    pub renamed: &'static [&'static str],
}

/// One step of a path: the column leads to that of the other table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The table.
    pub table: &'static str,
    /// Its column.
    pub column: &'static str,
    /// The table it leads to.
    pub to_table: &'static str,
    /// The column there.
    pub to_column: &'static str,
}

impl Owner {
    const fn new(path: &'static str, on_erasure: OnErasure) -> Self {
        Self { path, on_erasure, emptied: &[], renamed: &[] }
    }

    const fn emptied(self, emptied: &'static [&'static str]) -> Self {
        Self { emptied, ..self }
    }

    const fn renamed(self, renamed: &'static [&'static str]) -> Self {
        Self { renamed, ..self }
    }

    /// The table whose rows they are.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(table, _)| table)
    }

    /// The steps from the table to the account; none for the table of accounts itself.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let column = |text: &'static str| text.trim().split_once('.');
        let steps = self.path.split(',').filter_map(|step| step.split_once("->"));
        steps
            .filter_map(|(from, to)| {
                let ((table, column), (to_table, to_column)) = (column(from)?, column(to)?);
                Some(Step { table, column, to_table, to_column })
            })
            .collect()
    }
}

/// Every way from a row to an account, tables that others lead to after those that lead to them.
pub const OWNERS: &[Owner] = &[
    Owner::new("subject_keys.subject -> accounts.id", Destroyed),
    Owner::new("leases.account_id -> accounts.id", Deleted),
    Owner::new("open_calls.begun -> accounts.id", Settled),
    Owner::new("call_journal.events -> accounts.id", Settled),
    Owner::new("set_aside_events.account_id -> accounts.id", Deleted),
    Owner::new("changes.subject -> accounts.id", Expires),
    Owner::new("verification_codes.target -> accounts.id", Expires),
    Owner::new("guesses.subject -> accounts.id", Expires),
    Owner::new("sign_in_ceremonies.account_id -> accounts.id", Deleted),
    Owner::new("console_sessions.account_id -> accounts.id", Deleted),
    Owner::new("known_devices.account_id -> accounts.id", Deleted),
    Owner::new("recovery_codes.account_id -> accounts.id", Deleted),
    Owner::new("second_factors.account_id -> accounts.id", Deleted),
    Owner::new("linked_identities.account_id -> accounts.id", Deleted),
    Owner::new("passkeys.account_id -> accounts.id", Deleted),
    Owner::new("account_passwords.account_id -> accounts.id", Deleted),
    Owner::new("account_contacts.account_id -> accounts.id", Deleted),
    Owner::new("account_roles.account_id -> accounts.id", Deleted),
    Owner::new("management_keys.account_id -> accounts.id", Deleted),
    Owner::new("idempotency_keys.account_id -> accounts.id", Deleted),
    Owner::new("development_outbox.account_id -> accounts.id", Deleted),
    Owner::new("messages.account_id -> accounts.id", Deleted),
    Owner::new("invitations.inviter_id -> accounts.id", Deleted),
    Owner::new("account_profiles.invited_by -> accounts.id", Unlinked),
    Owner::new("account_profiles.account_id -> accounts.id", Deleted),
    Owner::new(
        "verification_pieces.paper_id -> verification_papers.id, verification_papers.case_id -> verification_cases.id, \
         verification_cases.account_id -> accounts.id",
        Deleted,
    ),
    Owner::new(
        "verification_papers.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
        Deleted,
    ),
    Owner::new(
        "verification_checks.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
        Deleted,
    ),
    Owner::new("verification_cases.account_id -> accounts.id", Deleted),
    Owner::new("disclosures.account_id -> accounts.id", Pseudonymous(HANDLING_RECORDS))
        .emptied(&["authority_sealed", "reason_sealed"]),
    Owner::new("disclosures.proposed_by -> accounts.id", LeadsNowhere(HANDLING_RECORDS)),
    Owner::new("disclosures.decided_by -> accounts.id", LeadsNowhere(HANDLING_RECORDS)),
    // Before the calls: what is counted of them later is of the pseudonym.
    Owner::new("transfers.account_id -> accounts.id", Pseudonymous(HANDLING_RECORDS)),
    Owner::new("late_calls.call_id -> calls.id, calls.account_id -> accounts.id", LeadsNowhere(NETWORK_LOGS)),
    Owner::new("call_attempts.call_id -> calls.id, calls.account_id -> accounts.id", LeadsNowhere(NETWORK_LOGS)),
    Owner::new("calls.account_id -> accounts.id", Pseudonymous(NETWORK_LOGS))
        .renamed(&["key_id"])
        .emptied(&["ip_sealed", "user_agent_sealed"]),
    Owner::new("choices.account_id -> accounts.id", Pseudonymous(HANDLING_RECORDS)),
    Owner::new("rights_requests.account_id -> accounts.id", Pseudonymous(HANDLING_RECORDS))
        .emptied(&["said_sealed", "answer_sealed"]),
    Owner::new("incident_subjects.account_id -> accounts.id", Deleted),
    Owner::new("incident_criteria.actor_id -> accounts.id", LeadsNowhere(HANDLING_RECORDS)),
    Owner::new("incident_clocks.reported_by -> accounts.id", LeadsNowhere(HANDLING_RECORDS)),
    Owner::new("legal_holds.account_id -> accounts.id", Deleted),
    Owner::new("usage_daily.account_id -> accounts.id", Deleted),
    Owner::new(
        "ledger_entries.ledger_account_id -> ledger_accounts.id, ledger_accounts.owner_id -> accounts.id",
        LeadsNowhere(TRADE_RECORDS),
    ),
    Owner::new(
        "forgotten_entries.ledger_account_id -> ledger_accounts.id, ledger_accounts.owner_id -> accounts.id",
        LeadsNowhere(TRADE_RECORDS),
    ),
    Owner::new("ledger_accounts.owner_id -> accounts.id", Pseudonymous(TRADE_RECORDS)),
    Owner::new("audit_entries.subject_id -> accounts.id", Committed),
    Owner::new("audit_entries.actor_id -> accounts.id", LeadsNowhere(HANDLING_RECORDS)),
    // Whoever unlinks them ends them: a key of a project without a member is the project's alone, and may serve.
    Owner::new("api_keys.member_id -> accounts.id", Unlinked),
    Owner::new("api_keys.account_id -> accounts.id", Deleted),
    Owner::new("organisation_offers.owner_id -> accounts.id", Deleted),
    Owner::new("organisation_offers.member_id -> accounts.id", Deleted),
    Owner::new("organisation_offers.organisation_id -> accounts.id", Deleted),
    Owner::new("organisation_invitations.inviter_id -> accounts.id", Deleted),
    Owner::new("organisation_invitations.organisation_id -> accounts.id", Deleted),
    Owner::new("organisation_projects.organisation_id -> accounts.id", Deleted),
    Owner::new("organisation_members.account_id -> accounts.id", Deleted),
    Owner::new("organisation_members.organisation_id -> accounts.id", Deleted),
    Owner::new("organisations.account_id -> accounts.id", Deleted),
    Owner::new("erasure_notices.erasure_id -> erasures.id, erasures.account_id -> accounts.id", Itself),
    Owner::new("erasures.account_id -> accounts.id", Itself),
    Owner::new("accounts.id", Deleted),
];
