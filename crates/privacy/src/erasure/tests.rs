//! Whoever is erased is gone, nobody else is touched, and a crash anywhere changes neither.

pub(crate) mod person;

use super::*;
use crate::backup::Shelf;
use crate::retention::Days;
use person::{Person, put, put_forgotten, put_offer, put_organisation, put_row};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use tacit_identity::passwords::Cost;
use tacit_identity::registration::{AgeBand, Language, Need, Registration, RegistrationRules};
use tacit_identity::sessions::Origin;
use tacit_identity::{AccountChange, Hashing};
use tacit_kernel::call::CallSource;
use tacit_kernel::limits::Limits;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Personal, Ppm};
use tacit_ledger::leases::LeaseRequest;
use tacit_storage::datamap::COLUMNS;
use tacit_storage::testing::{MIGRATED_AT, test_db, test_key_store};
use tacit_storage::{Engine, Row, SqlText, StorageError, Value, both_engines};

/// People in a database, and what erases them.
pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) keys: Arc<KeyStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) erasing: Erasing,
    people: u8,
}

impl World {
    pub(crate) async fn new(db: Db) -> Self {
        let clock = Arc::new(ManualClock::at(MIGRATED_AT));
        let keys = test_key_store(&clock).await;
        Self::with(db, keys, clock, Vec::new()).await
    }

    /// With that keyring, and backups on those shelves.
    pub(crate) async fn with(db: Db, keys: Arc<KeyStore>, clock: Arc<ManualClock>, shelves: Vec<Shelf>) -> Self {
        let hashing = Hashing::start(1, Cost { memory: 64, passes: 1 }).unwrap();
        let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), hashing);
        let ledger = Ledger::new(db.clone(), clock.clone());
        let audit = audit::Audit::new(db.clone(), keys.clone(), clock.clone());
        let parts = (db.clone(), keys.clone(), clock.clone() as Arc<dyn Clock>);
        let days = Days::new(180, 1095, 1096).unwrap();
        let retention = Retention::new(parts.clone(), ledger.clone(), audit.clone(), days).with_shelves(shelves);
        identity.group_put("all", Ppm::ONE).await.unwrap();
        let erasing = Erasing::new(parts, identity, ledger, retention, audit);
        Self { db, keys, clock, erasing, people: 0 }
    }

    /// Somebody looks at an account.
    pub(crate) async fn look_at(&self, account: AccountId, reason: Option<Personal<String>>) {
        let object = Object::one(ObjectKind::Account, account);
        let look = NewEntry::begun(Actor::Operator(0), Action::AccountRead, object, Some(account));
        self.erasing.audit.record(&NewEntry { reason, ..look }).await.unwrap();
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.erasing.identity
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.erasing.ledger
    }

    pub(crate) async fn account(&mut self) -> Person {
        self.people += 1;
        let name = Personal::new(format!("person {}", self.people));
        let identity = &self.erasing.identity;
        let group = identity.group_list().await.unwrap()[0].id;
        let account = identity.account_create(&name, group, &Limits::default()).await.unwrap().id;
        Person { account, number: self.people }
    }

    /// Two people and an organisation that the second owns: each has a row in everything.
    pub(crate) async fn society(&mut self) -> [Person; 3] {
        let [ann, ben, org] = [self.account().await, self.account().await, self.account().await];
        put_organisation(&self.db, org, ben.account).await;
        let member = self.account().await;
        put(&self.db, ann, member.account, org).await;
        put(&self.db, member, ann.account, org).await;
        put_offer(&self.db, ann, ben.account, org).await;
        for person in [ann, member, org] {
            self.erasing.ledger.top_up(person.account, Nano(5_000), &format!("paid {}", person.number)).await.unwrap();
            put_forgotten(&self.db, person).await;
            self.look_at(person.account, None).await;
        }
        [ann, member, org]
    }

    /// Runs a statement of a test.
    pub(crate) async fn execute(&self, text: String) -> u64 {
        let text: &'static str = text.leak();
        let done: Result<u64, StorageError> =
            self.db.write("test.execute", |tx| Box::pin(async move { tx.change(SqlText::new(text)).await })).await;
        done.unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    pub(crate) async fn query(&self, text: String) -> Vec<Row> {
        let text: &'static str = text.leak();
        let rows: Result<Vec<Row>, StorageError> =
            self.db.read("test.query", |tx| Box::pin(async move { tx.query(SqlText::new(text)).await })).await;
        rows.unwrap()
    }

    /// Every row of every table of people, in a text that shows each value, but for rows of the erasure itself.
    pub(crate) async fn dump(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let shown = |column: &str| match self.db.engine() {
            Engine::Sqlite => format!("quote({column})"),
            Engine::Postgres => format!("COALESCE(CAST({column} AS TEXT), 'NULL')"),
        };
        let mut columns: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let tables: BTreeSet<&str> = OWNERS.iter().map(Owner::table).collect();
        for element in COLUMNS {
            let tacit_kernel::datamap::Place::Column { table, column } = element.place else { continue };
            let is_of_all = !["erasures", "changes", "subject_keys", "gateway_sessions"].contains(&table);
            if tables.contains(table) && is_of_all {
                columns.entry(table).or_default().push(format!("'{column}=' || {}", shown(column)));
            }
        }
        let mut dump = BTreeMap::new();
        for (table, columns) in columns {
            let rows = self.query(format!("SELECT {} AS line FROM {table}", columns.join(" || ' ' || "))).await;
            dump.insert(table, rows.iter().map(|row| row.get("line").unwrap()).collect());
        }
        dump
    }

    /// Ways by which something leads to the account.
    pub(crate) async fn leading(&self, account: AccountId) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for way in OWNERS.iter().filter(|way| is_counted(way)) {
            let rows = self.db.read("test.rows", |tx| Box::pin(erasing::rows(tx, way, account))).await.unwrap();
            if rows > 0 {
                found.insert(way.path);
            }
        }
        found
    }

    pub(crate) async fn steps(&self) {
        self.clock.advance_micros(HEARD);
        while self.erasing.step().await.unwrap() {}
    }

    /// Steps until it is done; the keyring is turned as the control plane does.
    pub(crate) async fn through(&self, id: ErasureId) -> Erasure {
        self.steps().await;
        let purged = self.erasing.find(id).await.unwrap().unwrap();
        assert_eq!(purged.state, State::Purged, "old pages of the keyring would open the key still");
        self.erasing.keys.turn().await.unwrap();
        self.steps().await;
        let erasure = self.erasing.find(id).await.unwrap().unwrap();
        assert_eq!(erasure.state, State::Done);
        erasure
    }

    pub(crate) async fn books_add_up(&self) {
        let report = self.erasing.ledger.verify(&|_| None).await.unwrap();
        assert_eq!(report.violations, []);
    }
}

fn holds(line: &str, account: AccountId) -> bool {
    line.to_lowercase().replace('-', "").contains(&account.0.simple().to_string())
}

both_engines! {
    async fn the_fixture_has_a_row_for_every_way(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        let mut found = world.leading(ann.account).await;
        found.append(&mut world.leading(member.account).await);
        found.append(&mut world.leading(org.account).await);
        let offer = world.query("SELECT owner_id FROM organisation_offers".to_owned()).await;
        found.append(&mut world.leading(offer[0].get("owner_id").unwrap()).await);
        let holds = "legal_holds.account_id -> accounts.id";
        let missing: Vec<_> =
            OWNERS.iter().filter(|way| is_counted(way) && !found.contains(way.path) && way.path != holds).collect();
        assert_eq!(missing, Vec::<&Owner>::new(), "give the fixture a row for them");
    }

    async fn nothing_is_left_of_whoever_is_erased_and_nobody_else_is_touched(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        let before = world.dump().await;
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        assert_eq!(begun.state, State::Unreadable, "it cannot be read when it has begun");
        assert!(world.erasing.keys.get(ann.account.0).await.unwrap().is_none());
        let done = world.through(begun.id).await;
        assert_eq!(world.leading(ann.account).await, BTreeSet::new());
        assert_eq!((done.account, done.pseudonym), (None, None));
        let kept = done.kept(world.erasing.retention.days());
        assert!(kept.iter().all(|kept| kept.until > done.begun_at.plus_micros(180 * 86_399_000_000)), "{kept:?}");
        assert_eq!(kept.iter().map(|kept| kept.table).collect::<Vec<_>>(), ["disclosures", "transfers", "calls", "choices", "rights_requests", "ledger_accounts"]);
        world.books_add_up().await;

        let canary = person::hex(&ann.canary());
        for (table, lines) in world.dump().await {
            let gone: Vec<&String> = before[table].difference(&lines).collect();
            let come: Vec<&String> = lines.difference(&before[table]).collect();
            for line in &lines {
                // What somebody did is told by a number that leads nowhere; the log holds it as text.
                assert!(!holds(line, ann.account), "{table}: {line}");
                assert!(!line.to_lowercase().contains(&canary), "{table}: {line}");
            }
            let of_others = |line: &&&String| !ann.has(line);
            let changed: Vec<_> = gone.iter().filter(of_others).collect();
            match table {
                // Money that is given up goes to the platform.
                "ledger_accounts" => assert!(changed.iter().all(|line| !holds(line, member.account)), "{changed:?}"),
                _ => assert_eq!(changed, Vec::<&&String>::new(), "{table}"),
            }
            // The member whom she invited and her key in the organisation stay, and do not lead to her any more.
            let stay = gone.len().saturating_sub(changed.len()).saturating_sub(come.len());
            assert!(table != "account_profiles" || stay == 1, "{table}: {gone:?} {come:?}");
        }
        assert!(world.leading(org.account).await.contains("organisations.account_id -> accounts.id"));
        let member_key = world.query("SELECT status FROM api_keys WHERE member_id IS NULL AND status = 'disabled' AND ended = 'revoked'".to_owned());
        assert_eq!(member_key.await.len(), 1, "a key whose member is gone serves nobody");
    }

    async fn an_organisation_is_erased_with_all_that_hangs_on_it(db: Db) {
        let mut world = World::new(db).await;
        let [ann, _, org] = world.society().await;
        let begun = world.erasing.begin(org.account, Reason::Asked, true).await.unwrap();
        world.through(begun.id).await;
        assert_eq!(world.leading(org.account).await, BTreeSet::new());
        assert!(world.leading(ann.account).await.len() > 20, "its members stay");
        world.books_add_up().await;
    }

    async fn what_stands_against_it_is_said(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        let owner = world.query("SELECT owner_id FROM organisation_offers".to_owned()).await[0].get("owner_id").unwrap();
        let against = async |account, forfeits| match world.erasing.begin(account, Reason::Asked, forfeits).await {
            Err(ErasureError::Obstacle(obstacle)) => Some(obstacle),
            other => panic!("{other:?}"),
        };
        assert_eq!(against(ann.account, false).await, Some(Obstacle::Money { amount: Nano(5_000) }));
        assert_eq!(against(owner, true).await, Some(Obstacle::OwnsOrganisations));
        let ends = world.clock.now().plus_micros(86_400_000_000);
        world.erasing.retention.hold_put(ann.account, &Personal::new("a court".to_owned()), ends).await.unwrap();
        assert_eq!(against(ann.account, true).await, Some(Obstacle::Held));
        world.query("SELECT 1".to_owned()).await;
        let role: Result<u64, StorageError> = world.db.write("test.owner", |tx| Box::pin(async move {
            static MAKE: Sql = Sql::new("UPDATE account_roles SET role = 'owner' WHERE account_id = $1");
            tx.execute(&MAKE, &[member.account.into()]).await
        })).await;
        role.unwrap();
        assert_eq!(against(member.account, true).await, Some(Obstacle::LastOwner));
        assert!(matches!(
            world.erasing.begin(AccountId::fresh(), Reason::Asked, true).await, Err(ErasureError::Account)
        ));
        assert!(matches!(
            world.erasing.begin(ann.account, Reason::Restored, true).await, Err(ErasureError::Reason)
        ));
        let plan = world.erasing.plan(ann.account).await.unwrap();
        assert_eq!(plan.obstacles, [Obstacle::Held, Obstacle::Money { amount: Nano(5_000) }]);
        assert!(plan.ways.iter().any(|way| way.path.starts_with("passkeys.") && way.rows == 1));
        assert!(world.erasing.keys.get(ann.account.0).await.unwrap().is_some(), "nothing was done");
        assert!(world.erasing.keys.get(org.account.0).await.unwrap().is_some());
    }

    async fn nobody_acts_any_more_as_whoever_is_to_be_erased(db: Db) {
        let world = World::new(db).await;
        let identity = &world.erasing.identity;
        let group = identity.group_list().await.unwrap()[0].id;
        let rules = RegistrationRules { email: Need::Off, password: Need::Required, ..RegistrationRules::default() };
        let asked = |name: &str| Registration {
            username: Some(Personal::new(name.to_owned())),
            password: Some(SecretString::from("correct horse battery staple")),
            email: None,
            phone: None,
            profile: BTreeMap::new(),
            age: AgeBand::Adult,
            guardian: None,
            invitation: None,
            identity: None,
            language: Language::En,
        };
        let origin = Origin::new([198, 51, 100, 7].into(), "");
        let mut people = Vec::new();
        for name in ["ann", "ben"] {
            let signed_in = Box::pin(identity.register(&rules, &asked(name), group, &origin)).await.unwrap();
            let account = signed_in.session.account;
            let key = Personal::new("laptop".to_owned());
            let (_, secret) = identity.key_create(account, &key, CallSource::Api, &Limits::default()).await.unwrap();
            people.push((account, signed_in.token, identity.key_hash(&secret)));
        }
        let acts = async |of: usize| {
            let (_, token, hash) = &people[of];
            let facts = identity.key_grant_by_hash(*hash).await.unwrap().unwrap();
            (identity.caller_by_session(token).await.unwrap().is_some(), facts.account_enabled)
        };
        assert_eq!(acts(0).await, (true, true));
        world.erasing.begin(people[0].0, Reason::Asked, true).await.unwrap();
        assert_eq!(acts(0).await, (false, false), "at once, before any step");
        let again = identity.sign_in_with_password("ann", SecretString::from("correct horse battery staple"), &origin).await;
        assert!(again.is_err());
        assert_eq!(acts(1).await, (true, true));
    }

    async fn it_waits_until_every_gateway_can_have_heard(db: Db) {
        let mut world = World::new(db).await;
        let ann = world.account().await;
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        world.clock.advance_micros(HEARD - 1);
        while world.erasing.step().await.unwrap() {}
        let state = async || world.erasing.find(begun.id).await.unwrap().unwrap().state;
        assert_eq!(state().await, State::Unreadable);
        world.clock.advance_micros(1);
        while world.erasing.step().await.unwrap() {}
        assert_eq!(state().await, State::Purged);
    }

    async fn a_hold_that_was_put_as_it_began_keeps_the_rows(db: Db) {
        let mut world = World::new(db).await;
        let (ann, ben) = (world.account().await, world.account().await);
        let ends = world.clock.now().plus_micros(86_400_000_000);
        world.erasing.retention.hold_put(ben.account, &Personal::new("a court".to_owned()), ends).await.unwrap();
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        // Whoever put it did not see yet that it had begun.
        static OF_HER: Sql = Sql::new("UPDATE legal_holds SET account_id = $1");
        let of_her: Result<u64, StorageError> =
            world.db.write("test.hold", |tx| Box::pin(async move { tx.execute(&OF_HER, &[ann.account.into()]).await })).await;
        of_her.unwrap();
        world.steps().await;
        assert_eq!(world.erasing.find(begun.id).await.unwrap().unwrap().state, State::Unreadable);
        world.clock.advance_micros(86_400_000_000);
        world.steps().await;
        assert_eq!(world.erasing.find(begun.id).await.unwrap().unwrap().state, State::Purged);
    }

    async fn it_waits_until_gateways_have_given_back_what_they_hold(db: Db) {
        let mut world = World::new(db).await;
        let ann = world.account().await;
        let ledger = world.erasing.ledger.clone();
        ledger.top_up(ann.account, Nano(900), "k").await.unwrap();
        let session = ledger.session_open("gw", "1", true).await.unwrap().session;
        let lease = |request, want, give_back| LeaseRequest {
            session, account: ann.account, request, need: Nano(0), want: Nano(want), give_back: Nano(give_back),
        };
        assert_eq!(ledger.lease(lease(1, 900, 0)).await.unwrap().granted, Nano(900));
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        world.steps().await;
        let state = async || world.erasing.find(begun.id).await.unwrap().unwrap().state;
        assert_eq!(state().await, State::Unreadable, "a gateway holds its money");
        ledger.lease(lease(2, 0, 900)).await.unwrap();
        world.steps().await;
        assert_eq!(state().await, State::Unreadable, "the gateway was not heard since");
        ledger.session_seen(&[session]).await.unwrap();
        let enabled = AccountChange { enabled: Some(true), ..AccountChange::default() };
        let enabled = world.erasing.identity.account_update(ann.account, &enabled).await;
        assert!(matches!(enabled, Err(IdentityError::AccountErased)), "nobody brings it back");
        let ends = world.clock.now().plus_micros(86_400_000_000);
        let held = world.erasing.retention.hold_put(ann.account, &Personal::new("a court".to_owned()), ends).await;
        assert!(held.is_err(), "there is nothing left to hold");
        // Money that comes in meanwhile goes with the rest, also into a second purse.
        ledger.top_up(ann.account, Nano(7), "late").await.unwrap();
        world.steps().await;
        assert_eq!(state().await, State::Purged);
        world.books_add_up().await;
    }

    async fn a_crash_anywhere_is_made_good(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        // After the key was destroyed and before that was written down.
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        let set = async |sql: &'static Sql, place: i64| {
            let row: &[Value] = &[place.into(), begun.id.into()];
            let done: Result<u64, StorageError> =
                world.db.write("test.crash", |tx| Box::pin(async move { tx.execute(sql, row).await })).await;
            done.unwrap();
        };
        static FROZEN: Sql = Sql::new("UPDATE erasures SET state = 'frozen', unreadable_at = NULL, place = $1 WHERE id = $2");
        static PLACE: Sql = Sql::new("UPDATE erasures SET place = $1 WHERE id = $2");
        set(&FROZEN, 0).await;
        assert_eq!(world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap().id, begun.id, "it is the same");
        assert_eq!(world.erasing.find(begun.id).await.unwrap().unwrap().state, State::Unreadable);
        // Somebody wrote rows behind the place where it is: it is not over before no row is left.
        set(&PLACE, i64::try_from(OWNERS.len()).unwrap()).await;
        world.erasing.step().await.unwrap();
        let again = world.erasing.find(begun.id).await.unwrap().unwrap();
        assert_eq!((again.state, again.place), (State::Unreadable, 0));
        let done = world.through(begun.id).await;
        assert!(done.rows["passkeys"] == 1, "{:?}", done.rows);
        assert_eq!(world.leading(ann.account).await, BTreeSet::new());
        assert!(world.leading(member.account).await.len() > 20);
        let _ = org;
    }

    async fn rows_that_are_written_meanwhile_go_too(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        let before = world.leading(ann.account).await;
        static LATE: Sql = Sql::new("UPDATE erasures SET place = $1 WHERE id = $2");
        let row: &[Value] = &[i64::try_from(OWNERS.len() - 1).unwrap().into(), begun.id.into()];
        let late: Result<u64, StorageError> =
            world.db.write("test.late", |tx| Box::pin(async move { tx.execute(&LATE, row).await })).await;
        late.unwrap();
        world.clock.advance_micros(HEARD);
        world.erasing.step().await.unwrap();
        assert_eq!(world.leading(ann.account).await, before, "the account cannot go before its rows");
        assert_eq!(world.erasing.find(begun.id).await.unwrap().unwrap().place, 0);
        world.through(begun.id).await;
        // A call of a gateway that nobody heard of: it leads to nobody, and stays so.
        put_row(&world.db, "usage_daily", ann, member.account, org).await;
        assert_eq!(world.leading(ann.account).await.len(), 1);
    }

    async fn a_restored_backup_is_erased_again(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        // As it is when the data is older than the keyring: the key is gone, the rows are there.
        let owner: AccountId =
            world.query("SELECT owner_id FROM organisation_offers".to_owned()).await[0].get("owner_id").unwrap();
        world.erasing.keys.destroy(&[ann.account.0, owner.0]).await.unwrap();
        assert_eq!(world.erasing.replay().await.unwrap(), 2);
        assert_eq!(world.erasing.replay().await.unwrap(), 2, "the same two, which are under way");
        world.steps().await;
        assert_eq!(world.leading(ann.account).await, BTreeSet::new());
        assert_eq!(world.leading(owner).await, BTreeSet::new());
        assert_eq!(world.erasing.replay().await.unwrap(), 0);
        assert!(world.leading(member.account).await.len() > 20);
        assert!(world.leading(org.account).await.len() > 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_is_left_in_the_files() {
    let test = test_db(Engine::Sqlite).await;
    let path = std::path::PathBuf::from(test.url().strip_prefix("sqlite:").unwrap());
    let mut world = World::new(Db::clone(&test)).await;
    let [ann, member, _] = world.society().await;
    let files_with = |person: Person| {
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
        let canary = person.canary();
        files.filter(|file| std::fs::read(file).unwrap().windows(canary.len()).any(|bytes| bytes == canary)).count()
    };
    assert!(files_with(ann) > 0);
    let begun = world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
    world.through(begun.id).await;
    assert_eq!(files_with(ann), 0);
    assert!(files_with(member) > 0);
}
