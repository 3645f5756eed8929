//! Whom an incident concerns is found, wherever the search is cut off; they are told once each, of all four parts, and nobody is
//! before these are said.

use super::working::DAY;
use super::*;
use crate::Texts;
use crate::erasure::Reason as Cause;
use crate::erasure::tests::World;
use crate::erasure::tests::person::uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tacit_identity::contacts::Contact;
use tacit_kernel::ids::{ChannelId, KeyId, ProviderId, SessionId};
use tacit_kernel::{Clock as _, Personal};
use tacit_operations::messages::{Route, Schedule, Setup as Sending, Templates};
use tacit_storage::both_engines;

const PARTS: [&str; 4] = ["keys were read", "the hole is closed", "change your password", "credit for a month"];

struct Desk {
    world: World,
    incidents: Incidents,
}

fn messages(world: &World, closed: bool) -> Messages {
    let sending = Sending {
        email: if closed { Route::Closed } else { Route::Development },
        sms: if closed { Route::Closed } else { Route::Development },
        templates: Templates::load(None, "Test").unwrap(),
        schedule: Schedule::DEFAULT,
        concurrency: 1,
        longest_attempt: Duration::from_secs(1),
    };
    Messages::new(world.db.clone(), world.keys.clone(), world.clock.clone(), sending)
}

fn setup() -> Setup {
    let clocks = ["cn-1h 1h Authority | 主管部门", "gdpr-33 72h Supervisory authority | 监管机构"];
    let clocks: Vec<LegalClock> = clocks.iter().map(|text| LegalClock::parse(text).unwrap()).collect();
    let controller = Controller {
        service: "Test".into(),
        company: Some("Canary Ltd.".into()),
        contact: Some("privacy@canary.example".into()),
        ..Controller::default()
    };
    Setup { clocks, controller, site: Some("https://ai.example/".into()), days: 1095 }
}

impl Desk {
    async fn new(db: Db) -> Self {
        let world = World::new(db).await;
        // Ids of calls tell their time, and windows lie in the past.
        world.clock.advance_micros(30 * DAY);
        let incidents = Self::incidents(&world, false, setup());
        Self { world, incidents }
    }

    fn incidents(world: &World, closed: bool, setup: Setup) -> Incidents {
        let parts = (world.db.clone(), world.keys.clone(), world.clock.clone() as Arc<dyn tacit_kernel::Clock>);
        let incidents = Incidents::new(parts, world.identity().clone(), messages(world, closed), setup).unwrap();
        Incidents { step: 2, ..incidents }
    }

    async fn account(&mut self) -> AccountId {
        self.world.account().await.account
    }

    async fn open(&self) -> IncidentId {
        let found_at = self.world.clock.now().plus_micros(-HOUR / 2);
        let new = New { kind: Kind::Leak, found_at, began_at: None, ended_at: None };
        self.incidents.open(&new).await.unwrap().id
    }

    /// Says all that is told.
    async fn write(&self, id: IncidentId) {
        let words = Language::ALL.iter().flat_map(|language| {
            let said = move |part: &Part| (*language, *part, format!("{} {}", language.tag(), PARTS[*part as usize]));
            Part::ALL.iter().map(said)
        });
        let categories = Some(vec!["user.contact.email".to_owned()]);
        let change = Change { categories, words: words.collect(), ..Change::default() };
        self.incidents.update(id, &change).await.unwrap();
    }

    async fn through(&self) {
        while self.incidents.step().await.unwrap() {}
    }

    /// An incident that concerns whom the criterion finds.
    async fn found(&self, criterion: Criterion) -> BTreeSet<AccountId> {
        let id = self.open().await;
        self.incidents.seek(id, &criterion).await.unwrap();
        self.through().await;
        let facts = self.incidents.find(id).await.unwrap();
        assert!(facts.is_sought());
        let found: BTreeSet<AccountId> = self.told(id).await.into_keys().collect();
        assert_eq!(facts.sought[0].found, found.len() as u64);
        found
    }

    async fn told(&self, id: IncidentId) -> BTreeMap<AccountId, Told> {
        let page = Page { after: None, limit: 500 };
        let items = self.incidents.subjects(id, page).await.unwrap().items;
        items.into_iter().map(|(account, told, _)| (account, told)).collect()
    }

    async fn contact(&self, account: AccountId, contact: Contact) {
        let (identity, contact) = (self.world.identity(), &contact);
        let put = async |tx: &mut WriteTx<'_>| identity.contact_put_in_tx(tx, account, contact).await;
        let put = &put;
        self.world.db.write("test.contact", |tx| Box::pin(put(tx))).await.unwrap();
    }

    fn uuid(&self, id: impl Into<Uuid>) -> String {
        uuid(self.world.db.engine(), id.into())
    }

    /// A call that was under way for an hour from then on.
    async fn call(
        &self,
        account: AccountId,
        key: KeyId,
        at: Timestamp,
        provider: ProviderId,
        session: SessionId,
    ) -> Uuid {
        let id = Uuid::from_u128(
            u128::try_from(at.0 / 1000).unwrap() << 80 | Uuid::from(KeyId::fresh()).as_u128() & 0xffff_ffff,
        );
        let [call, account, key, provider, session] =
            [self.uuid(id), self.uuid(account), self.uuid(key), self.uuid(provider), self.uuid(session)];
        self.world
            .execute(format!(
                "INSERT INTO calls (id, account_id, key_id, session_id, started_at, endpoint, stream, source, group_id, \
                 group_multiplier_ppm, channel_multiplier_ppm, attempts, status, http_status, input_tokens, \
                 cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens, image_input_tokens, \
                 output_tokens, reasoning_tokens, audio_output_tokens, usage_source, amount, capped, duration_micros, \
                 concurrency, risk_marks, agent_family, provider_id, channel_id) VALUES ({call}, {account}, {key}, {session}, \
                 {}, 'x', 0, 'api', {call}, 1, 1, 1, 'completed', 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'provider', 0, 0, {HOUR}, \
                 1, 0, 'curl', {provider}, {provider})",
                at.0
            ))
            .await;
        id
    }

    async fn messages(&self) -> Vec<(AccountId, String, String)> {
        let rows =
            self.world.query("SELECT account_id, channel, language FROM messages WHERE kind = 'incident'".to_owned());
        let row = |row: &tacit_storage::Row| {
            (row.get("account_id").unwrap(), row.get("channel").unwrap(), row.get("language").unwrap())
        };
        let mut found: Vec<(AccountId, String, String)> = rows.await.iter().map(row).collect();
        found.sort_unstable();
        found
    }

    /// As if messages had been sent, or not.
    async fn ended(&self, account: AccountId, state: &str) {
        let account = self.uuid(account);
        let ended = self.world.execute(format!(
            "UPDATE messages SET state = '{state}', finished_at = 1, recipient_sealed = NULL, variables_sealed = NULL \
             WHERE account_id = {account} AND state = 'waiting'"
        ));
        assert_eq!(ended.await, 1);
        self.incidents.follow().await.unwrap();
    }
}

both_engines! {
    async fn everybody_is_found_and_an_organisation_is_its_owner(db: Db) {
        let mut desk = Desk::new(db).await;
        let [ann, member, org] = desk.world.society().await;
        let owner: AccountId =
            desk.world.query("SELECT owner_id FROM organisation_offers".to_owned()).await[0].get("owner_id").unwrap();
        let id = desk.open().await;
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        // Cut off after a step, another process goes on.
        assert!(desk.incidents.step().await.unwrap());
        let half = desk.incidents.find(id).await.unwrap();
        assert_eq!((half.sought[0].looked, half.sought[0].accounts, half.is_sought()), (2, 4, false));
        let another = Desk::incidents(&desk.world, false, setup());
        while another.step().await.unwrap() {}
        let all = BTreeSet::from([ann.account, member.account, owner]);
        assert_eq!(desk.told(id).await.into_keys().collect::<BTreeSet<_>>(), all, "{org:?}");
        let facts = desk.incidents.find(id).await.unwrap();
        assert_eq!((facts.sought[0].looked, facts.told.all(), facts.sought[0].found), (4, 3, 3));
        // The same once more finds nobody new.
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        desk.through().await;
        assert_eq!(desk.incidents.find(id).await.unwrap().sought[1].found, 0);
    }

    async fn each_criterion_finds_whom_it_means_and_nobody_else(db: Db) {
        let mut desk = Desk::new(db).await;
        let [ann, ben, eve] = [desk.account().await, desk.account().await, desk.account().await];
        let now = desk.world.clock.now();
        let at = |hours: i64| now.plus_micros(hours * HOUR);
        let window = Window { from: at(-10), until: at(-8) };
        let (one, other) = (ProviderId::fresh(), ProviderId::fresh());
        let session = SessionId::fresh();
        let gateway = desk.uuid(session);
        desk.world.execute(format!("INSERT INTO gateway_sessions VALUES ({gateway}, 'gw-1', '1', 1, 0, 0, 0, 1)")).await;
        // One that lasts into the window, one that begins when it ends, one that was over and one that comes later.
        desk.call(ann, KeyId::fresh(), at(-11).plus_micros(1), one, session).await;
        let failed = desk.call(ben, KeyId::fresh(), at(-8), other, SessionId::fresh()).await;
        desk.call(eve, KeyId::fresh(), at(-11).plus_micros(-1), one, session).await;
        desk.call(eve, KeyId::fresh(), at(-8).plus_micros(1), one, session).await;
        let calls = |provider: Option<ProviderId>, channel: Option<ChannelId>, gateway: Option<&str>| Criterion::Calls {
            window, provider, channel, gateway: gateway.map(str::to_owned),
        };
        assert_eq!(desk.found(calls(None, None, None)).await, BTreeSet::from([ann, ben]));
        assert_eq!(desk.found(calls(Some(one), None, None)).await, BTreeSet::from([ann]));
        assert_eq!(desk.found(calls(None, Some(ChannelId(other.0)), None)).await, BTreeSet::from([ben]));
        assert_eq!(desk.found(calls(None, None, Some("gw-1"))).await, BTreeSet::from([ann]));
        assert_eq!(desk.found(calls(None, None, Some("gw-2"))).await, BTreeSet::new());
        // It was tried at the first provider before, which saw what was sent.
        let (call, channel) = (desk.uuid(failed), desk.uuid(one));
        desk.world.execute(format!("INSERT INTO call_attempts VALUES ({call}, 1, {channel}, {channel}, 0, 1, NULL, 500)")).await;
        assert_eq!(desk.found(calls(None, Some(ChannelId(one.0)), None)).await, BTreeSet::from([ann, ben]));
        let none = Window { from: at(-30), until: at(-20) };
        let quiet = Criterion::Calls { window: none, provider: None, channel: None, gateway: None };
        assert_eq!(desk.found(quiet).await, BTreeSet::new());

        // Somebody of the staff looked at two people, later at a third, and always at themselves.
        let staff = desk.account().await;
        for (account, phase, hours) in [(ann, "done", -9), (ben, "begun", -8), (eve, "done", -7), (eve, "refused", -9), (staff, "done", -9)] {
            let size = desk.world.query("SELECT COUNT(*) AS n FROM audit_entries".to_owned()).await[0].get::<i64>("n").unwrap();
            let bytes = if desk.world.db.engine() == tacit_storage::Engine::Sqlite { "X'00'" } else { "'\\x00'" };
            let subject = desk.uuid(account);
            desk.world.execute(format!(
                "INSERT INTO audit_entries (seq, created_at, commitment, actor_kind, actor_id, action, object_kind, subject_id, \
                 phase, fields) VALUES ({size}, {}, {bytes}, 'account', '{staff}', 'account.read', 'account', {subject}, '{phase}', '')",
                at(hours).0
            )).await;
        }
        let shown = |actor: String| Criterion::Shown { window, actor };
        assert_eq!(desk.found(shown(staff.to_string())).await, BTreeSet::from([ann, ben]));
        assert_eq!(desk.found(shown(AccountId::fresh().to_string())).await, BTreeSet::new());

        // Signed in: from before into it, and not: over before.
        for (account, created, seen) in [(ann, -12, -10), (ben, -12, -11), (eve, -8, -1)] {
            let (id, account) = (desk.uuid(SessionId::fresh()), desk.uuid(account));
            let bytes = |n: &str| if desk.world.db.engine() == tacit_storage::Engine::Sqlite { format!("X'{n}'") } else { format!("'\\x{n}'") };
            let (token, nothing) = (bytes(&Uuid::from(KeyId::fresh()).simple().to_string()), bytes("00"));
            desk.world.execute(format!(
                "INSERT INTO console_sessions VALUES ({id}, {account}, {token}, 'password', 1, {nothing}, {nothing}, {}, {}, {}, NULL)",
                at(created).0, at(seen).0, i64::MAX
            )).await;
        }
        assert_eq!(desk.found(Criterion::SignedIn { window }).await, BTreeSet::from([ann, eve]));

        assert_eq!(desk.found(Criterion::Listed(vec![eve, ben, eve])).await, BTreeSet::from([ben, eve]));
        let id = desk.open().await;
        let stranger = desk.incidents.seek(id, &Criterion::Listed(vec![ann, AccountId::fresh()])).await;
        assert!(matches!(stranger, Err(IncidentError::Criterion(_))), "{stranger:?}");
        assert_eq!(desk.told(id).await.len(), 0, "all of them or none");
        for wrong in [
            Criterion::SignedIn { window: Window { from: at(-1), until: at(-2) } },
            Criterion::SignedIn { window: Window { from: at(-1), until: at(1) } },
            shown("ann".to_owned()),
            Criterion::Listed(Vec::new()),
        ] {
            assert!(matches!(desk.incidents.seek(id, &wrong).await, Err(IncidentError::Criterion(_))), "{wrong:?}");
        }
    }

    async fn a_call_of_an_organisation_concerns_its_owner_and_the_member(db: Db) {
        let mut desk = Desk::new(db).await;
        let [ann, _, org] = desk.world.society().await;
        let owner: AccountId =
            desk.world.query("SELECT owner_id FROM organisation_offers".to_owned()).await[0].get("owner_id").unwrap();
        let ann_id = desk.uuid(ann.account);
        let key: KeyId =
            desk.world.query(format!("SELECT id FROM api_keys WHERE member_id = {ann_id}")).await[0].get("id").unwrap();
        let at = desk.world.clock.now().plus_micros(-5 * HOUR);
        desk.call(org.account, key, at, ProviderId::fresh(), SessionId::fresh()).await;
        let window = Window { from: at, until: at };
        let criterion = Criterion::Calls { window, provider: None, channel: None, gateway: None };
        assert_eq!(desk.found(criterion).await, BTreeSet::from([ann.account, owner]));
    }

    async fn nobody_is_told_before_all_of_it_is_said(db: Db) {
        let mut desk = Desk::new(db).await;
        let ann = desk.account().await;
        desk.contact(ann, Contact::email("ann@canary.example").unwrap()).await;
        let id = desk.open().await;
        let missing = async |event| match desk.incidents.happen(id, (event, true)).await {
            Err(IncidentError::Missing(missing)) => missing,
            other => panic!("{other:?}"),
        };
        assert!(matches!(desk.incidents.happen(id, (Event::Notify, true)).await, Err(IncidentError::State(_))));
        desk.incidents.happen(id, (Event::Assess, false)).await.unwrap();
        assert_eq!(missing(Event::Notify).await.len(), 10);
        assert!(matches!(desk.incidents.announce(id).await, Err(IncidentError::Missing(_))));
        desk.write(id).await;
        assert_eq!(missing(Event::Notify).await, ["scope"]);
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        assert_eq!(missing(Event::Notify).await, ["scope"], "not before all were looked for");
        let draft = desk.incidents.draft(id, Draft::Report, Language::En).await;
        assert!(matches!(draft, Err(IncidentError::Missing(ref missing)) if missing == &["scope"]), "{draft:?}");
        desk.through().await;
        let nameless = Setup { controller: Controller::default(), ..setup() };
        let nameless = Desk::incidents(&desk.world, false, nameless);
        let draft = nameless.draft(id, Draft::Report, Language::En).await;
        assert!(matches!(draft, Err(IncidentError::Missing(ref m)) if m == &["privacy.contact", "privacy.company"]), "{draft:?}");
        let closed = Desk::incidents(&desk.world, true, setup());
        assert!(matches!(closed.happen(id, (Event::Notify, false)).await, Err(IncidentError::NoChannel)));
        assert_eq!(desk.messages().await, []);

        for (language, others) in [(Language::En, "zh "), (Language::Zh, "en ")] {
            for draft in Draft::ALL {
                let text = desk.incidents.draft(id, *draft, language).await.unwrap();
                for part in PARTS {
                    assert!(text.contains(&format!("{} {part}", language.tag())), "{text}");
                    assert!(!text.contains(&format!("{others}{part}")), "{text}");
                }
                let texts = Texts::load().unwrap();
                for said in [texts.of(language, "category", "user.contact.email").unwrap(), "privacy@canary.example", &id.to_string()] {
                    assert!(text.contains(said), "{said}: {text}");
                }
            }
        }
        let report = desk.incidents.draft(id, Draft::Report, Language::En).await.unwrap();
        for said in ["People concerned: 1, found by: every account", "Authority: until", "Canary Ltd.", "; open"] {
            assert!(report.contains(said), "{said}: {report}");
        }
        assert!(!desk.incidents.page(Language::En).await.unwrap().contains("keys were read"));
        assert_eq!(desk.incidents.of_account(ann, Page::default()).await.unwrap().items, []);
        desk.incidents.happen(id, (Event::Notify, false)).await.unwrap();
        assert_eq!(desk.incidents.of_account(ann, Page::default()).await.unwrap().items.len(), 1);
        assert!(!desk.incidents.page(Language::En).await.unwrap().contains("keys were read"), "it was not announced");
        let late = desk.incidents.update(id, &Change { kind: Some(Kind::Loss), ..Change::default() }).await;
        assert!(matches!(late, Err(IncidentError::State(_))), "what people are told stays");
        desk.incidents.announce(id).await.unwrap();
        for (language, said) in [(Language::En, "en keys were read"), (Language::Zh, "zh keys were read")] {
            let page = desk.incidents.page(language).await.unwrap();
            assert!(page.contains(said) && page.contains(&format!("id=\"{id}\"")), "{page}");
        }
    }

    async fn each_is_told_once_in_their_language_by_mail_or_else_on_the_phone(db: Db) {
        let mut desk = Desk::new(db).await;
        let [ann, ben, eve, dan] =
            [desk.account().await, desk.account().await, desk.account().await, desk.account().await];
        desk.contact(ann, Contact::email("ann@canary.example").unwrap()).await;
        desk.contact(ann, Contact::phone("+8613800000001", None).unwrap()).await;
        desk.contact(ben, Contact::phone("+8613800000002", None).unwrap()).await;
        desk.contact(dan, Contact::email("dan@canary.example").unwrap()).await;
        let bytes = if desk.world.db.engine() == tacit_storage::Engine::Sqlite { "X'00'" } else { "'\\x00'" };
        let account = desk.uuid(ben);
        desk.world.execute(format!(
            "INSERT INTO account_profiles VALUES ({account}, {bytes}, 'adult', NULL, NULL, 'zh', NULL, 0, 0, NULL)"
        )).await;
        // Of an older one nothing is said.
        let unsaid = desk.open().await;
        let id = desk.open().await;
        desk.write(id).await;
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        desk.through().await;
        desk.incidents.happen(id, (Event::Assess, false)).await.unwrap();
        assert_eq!(desk.messages().await, [], "nobody said so");
        desk.incidents.happen(id, (Event::Notify, false)).await.unwrap();
        // Two processes at once.
        let other = Desk::incidents(&desk.world, false, setup());
        let (one, two) = tokio::join!(desk.incidents.step(), other.step());
        one.unwrap();
        two.unwrap();
        desk.through().await;
        let mut all = vec![
            (ann, "email".to_owned(), "en".to_owned()),
            (ben, "sms".to_owned(), "zh".to_owned()),
            (dan, "email".to_owned(), "en".to_owned()),
        ];
        all.sort_unstable();
        assert_eq!(desk.messages().await, all);
        let told = desk.told(id).await;
        assert_eq!((told[&ann], told[&ben], told[&eve], told[&dan]), (Told::Written, Told::Written, Told::NoAddress, Told::Written));

        // What became of it.
        for clock in ["cn-1h", "gdpr-33"] {
            let new = NewReport { clock: clock.to_owned(), to: "the authority".to_owned(), at: None, by: None };
            desk.incidents.report(id, &new).await.unwrap();
        }
        let incidents = desk.incidents.clone();
        let close = async || incidents.happen(id, (Event::Close, false)).await;
        assert!(matches!(close().await, Err(IncidentError::Waiting(3))));
        desk.ended(ann, "sent").await;
        desk.ended(ben, "failed").await;
        desk.ended(dan, "expired").await;
        let told = desk.told(id).await;
        assert_eq!((told[&ann], told[&ben], told[&dan]), (Told::Sent, Told::Failed, Told::Failed));
        assert!(matches!(close().await, Err(IncidentError::Unreached(3))));
        // Tried again is whoever was not reached, and nobody else.
        desk.contact(eve, Contact::email("eve@canary.example").unwrap()).await;
        desk.incidents.happen(id, (Event::Notify, false)).await.unwrap();
        desk.through().await;
        assert_eq!(desk.messages().await.len(), 6);
        for account in [ben, eve] {
            desk.ended(account, "sent").await;
        }
        desk.ended(dan, "failed").await;
        assert!(matches!(close().await, Err(IncidentError::Unreached(1))));
        desk.incidents.announce(id).await.unwrap();
        // Whoever is found meanwhile is told too before it is over.
        let late = desk.account().await;
        desk.contact(late, Contact::email("late@canary.example").unwrap()).await;
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        assert!(matches!(close().await, Err(IncidentError::State(_))), "it is looked for whom it concerns");
        // Another that cannot be told holds it up for nobody.
        desk.world.execute(format!("UPDATE incidents SET state = 'notifying' WHERE id = {}", desk.uuid(unsaid))).await;
        desk.incidents.seek(unsaid, &Criterion::Listed(vec![ann])).await.unwrap();
        while !matches!(desk.incidents.step().await, Ok(false) | Err(_)) {}
        assert_eq!(desk.told(id).await[&late], Told::Written);
        assert!(desk.incidents.step().await.is_err(), "and is told of");
        desk.ended(late, "sent").await;
        assert_eq!(close().await.unwrap().state, State::Closed);
        assert_eq!(desk.messages().await.len(), 7);
        assert_eq!(desk.incidents.of_account(dan, Page::default()).await.unwrap().items.len(), 1, "in their console");
    }

    async fn clocks_run_side_by_side_until_somebody_says_who_was_told(db: Db) {
        let desk = Desk::new(db).await;
        let id = desk.open().await;
        let later = Setup { clocks: Vec::new(), ..setup() };
        let later = Desk::incidents(&desk.world, false, later);
        let facts = later.find(id).await.unwrap();
        let due: Vec<(&str, i64)> =
            facts.clocks.iter().map(|clock| (clock.name.as_str(), clock.due_at.micros_since(facts.incident.found_at) / HOUR)).collect();
        assert_eq!(due, [("cn-1h", 1), ("gdpr-33", 72)], "settings that change change no incident");
        assert_eq!(desk.incidents.counts().await.unwrap(), (1, 0));
        desk.world.clock.advance_micros(HOUR);
        assert_eq!(desk.incidents.counts().await.unwrap(), (1, 1), "one ran out");
        let report = async |clock: &str, to: &str, at: Option<Timestamp>| {
            let new = NewReport { clock: clock.to_owned(), to: to.to_owned(), at, by: Some("1000".to_owned()) };
            desk.incidents.report(id, &new).await
        };
        let now = desk.world.clock.now();
        for (to, at) in [(" ", None), ("them", Some(now.plus_micros(1))), ("them", Some(Timestamp(1))), (&*"x".repeat(501), None)] {
            assert!(matches!(report("cn-1h", to, at).await, Err(IncidentError::ReportedTo)), "{at:?}");
        }
        assert!(matches!(report("cn-2h", "them", None).await, Err(IncidentError::Clock)));
        let facts = report("cn-1h", "Canary Authority, Ms Li", None).await.unwrap();
        let reported = facts.clocks[0].reported.clone().unwrap();
        assert_eq!((reported.at, reported.by.as_deref(), reported.to.as_str()), (now, Some("1000"), "Canary Authority, Ms Li"));
        assert!(facts.clocks[0].is_overdue(now), "it was late, and stays so");
        assert_eq!(desk.incidents.counts().await.unwrap(), (1, 0));
        assert!(matches!(report("cn-1h", "again", None).await, Err(IncidentError::Reported)));
        let run = desk.incidents.happen(id, (Event::Close, false)).await;
        assert!(matches!(run, Err(IncidentError::ClocksRun(ref run)) if run == &["gdpr-33"]), "{run:?}");
        report("gdpr-33", "does not apply: nobody in the Union", None).await.unwrap();
        desk.incidents.happen(id, (Event::Close, false)).await.unwrap();
        assert_eq!(desk.incidents.counts().await.unwrap(), (0, 0));
        assert_eq!(desk.incidents.happen(id, (Event::Reopen, false)).await.unwrap().state, State::Open);

        // What was said lies sealed.
        desk.write(id).await;
        let rows = desk.world.query("SELECT words_sealed FROM incidents".to_owned()).await;
        let told = desk.world.query("SELECT reported_to_sealed FROM incident_clocks WHERE clock = 'cn-1h'".to_owned()).await;
        let sealed: [Vec<u8>; 2] = [rows[0].get("words_sealed").unwrap(), told[0].get("reported_to_sealed").unwrap()];
        for sealed in sealed {
            let text = String::from_utf8_lossy(&sealed).into_owned();
            assert!(!text.contains("password") && !text.contains("Canary"), "{text}");
        }
    }

    async fn who_was_taken_to_be_concerned_is_taken_out_until_somebody_was_told(db: Db) {
        let mut desk = Desk::new(db).await;
        let ann = desk.account().await;
        desk.account().await;
        let id = desk.open().await;
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        desk.through().await;
        desk.incidents.clear(id).await.unwrap();
        let early = desk.incidents.seek(id, &Criterion::Listed(vec![ann])).await;
        assert!(matches!(early, Err(IncidentError::State(_))), "else it would be taken out too");
        desk.through().await;
        let facts = desk.incidents.find(id).await.unwrap();
        assert_eq!((facts.told.all(), facts.sought.len(), facts.incident.clearing), (0, 0, false));
        desk.incidents.seek(id, &Criterion::Listed(vec![ann])).await.unwrap();
        desk.write(id).await;
        desk.incidents.happen(id, (Event::Assess, false)).await.unwrap();
        desk.incidents.happen(id, (Event::Notify, true)).await.unwrap();
        assert!(matches!(desk.incidents.clear(id).await, Err(IncidentError::State(_))));
        let change = Change { words: vec![(Language::En, Part::Advice, "x".repeat(PART_MAX + 1))], ..Change::default() };
        let other = desk.open().await;
        assert!(matches!(desk.incidents.update(other, &change).await, Err(IncidentError::Text)));
        let change = Change { categories: Some(vec!["user.biometric".to_owned()]), ..Change::default() };
        assert!(matches!(desk.incidents.update(other, &change).await, Err(IncidentError::Category(_))));
        let stranger = desk.incidents.find(IncidentId::fresh()).await;
        assert!(matches!(stranger, Err(IncidentError::NotFound)));
    }

    async fn who_is_erased_is_in_no_incident_and_old_ones_are_forgotten(db: Db) {
        let mut desk = Desk::new(db).await;
        let [ann, ben] = [desk.account().await, desk.account().await];
        let id = desk.open().await;
        desk.incidents.seek(id, &Criterion::Everyone).await.unwrap();
        desk.through().await;
        let begun = desk.world.erasing.begin(ann, Cause::Asked, false).await.unwrap();
        desk.world.through(begun.id).await;
        assert_eq!(desk.told(id).await.into_keys().collect::<Vec<_>>(), [ben]);
        desk.through().await;
        assert_eq!(desk.told(id).await.len(), 1, "and is not found again");
        for clock in ["cn-1h", "gdpr-33"] {
            let new = NewReport { clock: clock.to_owned(), to: "them".to_owned(), at: None, by: None };
            desk.incidents.report(id, &new).await.unwrap();
        }
        desk.incidents.happen(id, (Event::Close, false)).await.unwrap();
        let days = |days: i64| desk.world.clock.advance_micros(days * DAY);
        days(1095);
        desk.through().await;
        assert!(desk.incidents.find(id).await.is_ok(), "its time is not over");
        let ends = desk.world.clock.now().plus_micros(10 * DAY);
        let court = Personal::new("a court".to_owned());
        desk.world.erasing.retention.hold_put(ben, &court, ends).await.unwrap();
        days(1);
        desk.through().await;
        assert!(desk.incidents.find(id).await.is_ok(), "somebody is held");
        days(10);
        desk.through().await;
        assert!(matches!(desk.incidents.find(id).await, Err(IncidentError::NotFound)));
        for table in ["incidents", "incident_subjects", "incident_criteria", "incident_clocks"] {
            let rows = desk.world.query(format!("SELECT COUNT(*) AS n FROM {table}")).await;
            assert_eq!(rows[0].get::<i64>("n").unwrap(), 0, "{table}");
        }
    }
}
