//! Recipients are told of an erasure, in the manner of OpenDSR (docs/recipients.md): each that has an endpoint for it and was
//! given something by which it knows the person. What is sent is sealed with a key of its own, since the person's key is about
//! to go, and key and value go as soon as the recipient has answered or nobody hopes for it any more.

mod model;
mod store;
#[cfg(test)]
mod tests;

pub use model::{Notice, State};

use crate::recipients::{Kind, Recipients};
use model::{Identity, Request, Then, then};
use std::sync::Arc;
use tacit_identity::contacts::ContactKind;
use tacit_identity::verification::{Case, VerificationWay};
use tacit_identity::{Identity as Identities, IdentityError};
use tacit_kernel::datamap::{Copying, Correcting, Element, Place, Protection, Purpose, Retention, Subject};
use tacit_kernel::ids::{self, AccountId, ErasureId, ErasureNoticeId, RecipientId};
use tacit_kernel::{Clock, Fault, Timestamp};
use tacit_operations::posting::Posting;
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Sql, WriteTx};
use tacit_vault::{NoteKey, NoteVerifier, SealKey};
use zeroize::Zeroizing;

/// The label of the key that signs.
const KEY: &str = "tacit-requests";
/// How long whoever sends one may take, in microseconds: a minute, three times as long as a recipient has.
const LEASED: i64 = 60_000_000;

const fn sent(field: &'static str, category: &'static str) -> Element {
    Element {
        place: Place::Egress { recipient: "erasure notice", field },
        category,
        subject: Subject::Account("erasure_notices.erasure_id -> erasures.id, erasures.account_id -> accounts.id"),
        purposes: &[Purpose::Law],
        protection: Protection::SealedSubject,
        retention: Retention::Account,
        copying: Copying::Given,
        correcting: Correcting::Derived,
        cites: &["YY-8", "01-5.3"],
    }
}

/// What is sent: each recipient gets what it was given before, and nothing else.
pub const ELEMENTS: &[Element] = &[
    sent("email", "user.contact.email"),
    sent("phone", "user.contact.phone_number"),
    sent("name", "user.identity.verification"),
    sent("number", "user.identity.verification"),
];

/// What tells recipients. Cloning is cheap.
#[derive(Clone)]
pub struct Told {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    recipients: Recipients,
    posting: Arc<Posting>,
    signer: NoteKey,
}

/// Word that may be written when an erasure begins, each with a key of its own.
pub(crate) struct Prepared(Vec<(ErasureNoticeId, RecipientId, Kind, SealKey)>);

impl Told {
    /// What tells the recipients of that register.
    #[must_use]
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>),
        recipients: Recipients,
        posting: Arc<Posting>,
    ) -> Self {
        let signer = keys.note_key(KEY);
        Self { db, keys, clock, recipients, posting, signer }
    }

    /// Who is checked with it that word comes from this platform.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// Keys for whoever may have to be told. They lie in another database than the rest, so they come first.
    pub(crate) async fn prepare(&self) -> Result<Prepared, Fault> {
        let mut prepared = Vec::new();
        for recipient in self.recipients.list().await? {
            let knows = matches!(recipient.spec.kind, Kind::Mail | Kind::Sms | Kind::IdentityAgency);
            if recipient.spec.dsr_endpoint.is_some() && knows {
                let id = ErasureNoticeId::fresh();
                let key = self.keys.create_fleeting(id.0).await?;
                prepared.push((id, recipient.id, recipient.spec.kind, key));
            }
        }
        Ok(Prepared(prepared))
    }

    /// Writes down who is to be told that somebody is erased, in the transaction that begins it.
    pub(crate) async fn begin_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (identities, prepared): (&Identities, &Prepared),
        (erasure, account): (ErasureId, AccountId),
    ) -> Result<(), Fault> {
        for (id, recipient, kind, key) in &prepared.0 {
            let known = known(tx, identities, account, *kind).await?;
            if known.is_empty() {
                continue;
            }
            let json = serde_json::to_vec(&known).map_err(|_| Fault::internal("privacy.notice", "no JSON"))?;
            let json = Zeroizing::new(json);
            let (state, created_at) = (State::Waiting, self.clock.now());
            let notice =
                Notice { id: *id, erasure, recipient: *recipient, state, attempts: 0, created_at, ended_at: None };
            store::insert(tx, &notice, (key, &json)).await?;
        }
        Ok(())
    }

    /// The keys of those that were not needed go.
    pub(crate) async fn dismiss(&self, prepared: &Prepared, erasure: Option<ErasureId>) -> Result<(), Fault> {
        if prepared.0.is_empty() {
            return Ok(());
        }
        let written = match erasure {
            Some(erasure) => self.of_erasure(erasure).await?,
            None => Vec::new(),
        };
        for (id, ..) in prepared.0.iter().filter(|(id, ..)| !written.iter().any(|notice| notice.id == *id)) {
            self.keys.destroy_fleeting(id.0).await?;
        }
        Ok(())
    }

    /// Sends one that is due. True if there may be more.
    ///
    /// # Errors
    /// Storage, keyring. It is sent again then.
    pub async fn step(&self) -> Result<bool, Fault> {
        let (now, lease) = (self.clock.now(), ids::fresh());
        let take = async |tx: &mut WriteTx<'_>| {
            let Some((notice, sealed)) = store::due(tx, now).await? else { return Ok(None) };
            store::lease(tx, notice.id, (lease, now.plus_micros(LEASED))).await?;
            let recipient = self.recipients.find_in_tx(tx, notice.recipient).await?;
            Ok::<_, Fault>(Some((notice, sealed, recipient.and_then(|recipient| recipient.spec.dsr_endpoint))))
        };
        let take = &take;
        let Some((notice, sealed, endpoint)) = self.db.write("notice.take", |tx| Box::pin(take(tx))).await? else {
            return Ok(false);
        };
        let key = self.keys.get_fleeting(notice.id.0).await?;
        let known = sealed.zip(key).and_then(|(sealed, key)| store::opened(notice.id, &sealed, &key));
        let attempt = notice.attempts.saturating_add(1);
        let then = match (&known, &endpoint) {
            // From a backup, say: of whom it is cannot be told any more, or nobody is to be told any more.
            (None, _) | (_, None) => Then::Ends(State::Unknown),
            (Some(known), Some(endpoint)) => then(self.send(&notice, endpoint, known).await?, attempt),
        };
        drop(known);
        let now = self.clock.now();
        let write = async |tx: &mut WriteTx<'_>| match then {
            Then::Ends(state) => store::end(tx, (notice.id, lease), (state, now)).await,
            Then::Again(pause) => store::again(tx, (notice.id, lease), now.plus_micros(pause)).await.map(|()| false),
        };
        let write = &write;
        if self.db.write("notice.tried", |tx| Box::pin(write(tx))).await? {
            self.keys.destroy_fleeting(notice.id.0).await?;
        }
        Ok(true)
    }

    async fn send(&self, notice: &Notice, endpoint: &str, known: &[u8]) -> Result<Option<u16>, Fault> {
        let wrong = || Fault::internal("privacy.notice", "what was sealed is no list of identities");
        let identities: Vec<Identity> = serde_json::from_slice(known).map_err(|_| wrong())?;
        let request = Request {
            api_version: "1.0",
            regulation: "gdpr",
            subject_request_id: notice.id.0.to_string(),
            subject_request_type: "erasure",
            submitted_time: seconds(notice.created_at),
            subject_identities: &identities,
        };
        let body = Zeroizing::new(serde_json::to_vec(&request).map_err(|_| wrong())?);
        let headers = [
            ("x-tacit-key", self.signer.verifier().to_string()),
            ("x-tacit-signature", self.signer.sign_detached(&body)),
        ];
        Ok(self.posting.json(endpoint, &headers, &body).await)
    }

    /// Who is told of an erasure, and what became of it.
    ///
    /// # Errors
    /// Storage.
    pub async fn of_erasure(&self, erasure: ErasureId) -> Result<Vec<Notice>, Fault> {
        Ok(self.db.read("notice.of_erasure", |tx| Box::pin(store::of_erasure(tx, erasure))).await?)
    }

    /// How many wait.
    ///
    /// # Errors
    /// Storage.
    pub async fn waiting(&self) -> Result<u64, Fault> {
        Ok(self.db.read("notice.waiting", |tx| Box::pin(store::waiting(tx))).await?)
    }
}

/// By what a recipient of that kind knows somebody.
async fn known(
    tx: &mut WriteTx<'_>,
    identities: &Identities,
    account: AccountId,
    kind: Kind,
) -> Result<Vec<Identity>, Fault> {
    let contact = match kind {
        Kind::Mail => Some((ContactKind::Email, "email")),
        Kind::Sms => Some((ContactKind::Phone, "phone")),
        _ => None,
    };
    if let Some((kind, word)) = contact {
        let held = match identities.contacts_of_in_tx(tx, account).await {
            // Who was erased before is known to nobody here.
            Err(IdentityError::AccountErased) => return Ok(Vec::new()),
            held => held?,
        };
        let of_kind = held.iter().filter(|held| held.contact.kind() == kind);
        return Ok(of_kind.map(|held| Identity::new(word, held.contact.text())).collect());
    }
    if kind != Kind::IdentityAgency {
        return Ok(Vec::new());
    }
    let was_sent = |case: &Case| case.way == VerificationWay::Agency && case.submitted_at.is_some();
    let mut known = Vec::new();
    let mut page = Page { after: None, limit: 500 };
    loop {
        let cases = identities.cases_of_in_tx(tx, account, page).await?;
        for details in cases.items.iter().filter(|case| was_sent(case)).filter_map(|case| case.details.as_ref()) {
            known.push(Identity::new("name", details.name().reveal()));
            known.push(Identity::new(details.document().as_str(), details.number().reveal()));
        }
        page.after = match cases.next {
            Some(next) => Some(next),
            None => return Ok(known),
        };
    }
}

/// RFC 3339 without fractions, as OpenDSR has it.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// Those whose time is over go.
pub(crate) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<(), Fault> {
    Ok(store::forget(tx, before).await?)
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("told")
    }
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;
