use super::world::{HOUR, PASSWORD, SECOND, World, email, origin, plain, secret};
use crate::codes::CodePurpose;
use crate::identities::{Arrived, Begun, Flow, LinkedIdentity, Stranger};
use crate::registration::{Need, Registration, RegistrationRules};
use crate::second_factor::SecondFactor;
use crate::sessions::{Method, Session};
use crate::sign_in::SignedIn;
use crate::{AccountChange, IdentityError};
use secrecy::{ExposeSecret, SecretString};
use tacit_kernel::ids::AccountId;
use tacit_storage::{Db, Page, Row, Sql, StorageError, both_engines};
use totp_rs::Builder;

const ROWS: Sql = Sql::new("SELECT subject_lookup AS a, subject_sealed AS b, shown_sealed AS c FROM linked_identities");
const CEREMONIES: Sql =
    Sql::new("SELECT handle_hash AS a, browser_hash AS b, content_sealed AS c FROM sign_in_ceremonies");

fn stranger(subject: &str) -> Stranger {
    Stranger::new("example", subject.to_owned(), None, "canary@example.org")
}

fn begun() -> Begun {
    Begun { provider: "example".into(), nonce: secret("canary-nonce"), verifier: secret("canary-verifier") }
}

impl World {
    /// Signs in with a provider that knows them as that.
    async fn arrive(&self, subject: &Stranger, browser: &SecretString) -> Result<Arrived, IdentityError> {
        self.identity.identity_arrived(subject, browser, &origin(2)).await
    }

    async fn ticket(&self, subject: &Stranger, browser: &SecretString) -> SecretString {
        match self.arrive(subject, browser).await.unwrap() {
            Arrived::NotKnown { ticket, .. } => ticket,
            other => panic!("{other:?}"),
        }
    }

    async fn arrived(&self, subject: &Stranger) -> Result<SignedIn, IdentityError> {
        match self.arrive(subject, &secret("browser")).await? {
            Arrived::SignedIn(signed_in) => Ok(*signed_in),
            other => panic!("{other:?}"),
        }
    }

    async fn link(&self, session: &Session, subject: &Stranger) -> Result<LinkedIdentity, IdentityError> {
        self.identity.identity_link(session, subject, &origin(2)).await
    }

    async fn linked(&self, account: AccountId) -> Vec<LinkedIdentity> {
        self.identity.identity_list(account, Page::default()).await.unwrap().items
    }

    /// Registers with a ticket and nothing else.
    async fn join_with(&self, ticket: &SecretString, browser: &SecretString) -> Result<SignedIn, IdentityError> {
        let rules = RegistrationRules { email: Need::Optional, ..RegistrationRules::default() };
        let asked = Registration { identity: Some((ticket.clone(), browser.clone())), ..plain() };
        Box::pin(self.identity.register(&rules, &asked, self.group, &origin(1))).await
    }
}

/// Somebody who has an identity of a third party and no other way in.
pub(super) async fn signed_in_alone(world: &World) -> Session {
    let browser = secret("browser");
    let ticket = world.ticket(&stranger("alone"), &browser).await;
    world.join_with(&ticket, &browser).await.unwrap().session
}

both_engines! {
    async fn what_was_begun_is_finished_once_and_where_it_began(db: Db) {
        let world = World::new(db).await;
        let begin = async || {
            let flow = Flow::fresh();
            world.identity.identity_begin(&flow, &begun(), None).await.unwrap();
            flow
        };
        let back = async |flow: &Flow| world.identity.identity_returned(flow, None, &origin(1)).await;
        let lost = |got: Result<Begun, IdentityError>| assert!(matches!(got, Err(IdentityError::SignInLost)));

        let flow = begin().await;
        let kept = back(&flow).await.unwrap();
        assert_eq!((kept.provider.as_str(), kept.nonce.expose_secret()), ("example", "canary-nonce"));
        assert_eq!(kept.verifier.expose_secret(), "canary-verifier");
        lost(back(&flow).await);

        // Another browser, which uses it up: whoever has seen the state has not got it.
        let flow = begin().await;
        lost(back(&Flow { state: flow.state.clone(), browser: secret("another") }).await);
        lost(back(&flow).await);

        // Another state in the same browser.
        let flow = begin().await;
        lost(back(&Flow { state: secret("another"), browser: flow.browser.clone() }).await);
        back(&flow).await.unwrap();

        // Ten minutes.
        let flow = begin().await;
        world.clock.advance_micros(600 * SECOND);
        lost(back(&flow).await);
        let flow = begin().await;
        world.clock.advance_micros(600 * SECOND - 1);
        back(&flow).await.unwrap();

        // What was begun to sign in links nothing, and the other way round; nor is it finished by somebody else.
        let (ann, ben) = (world.person("ann").await.session, world.person("ben").await.session);
        let flow = begin().await;
        lost(world.identity.identity_returned(&flow, Some(&ann), &origin(1)).await);
        let flow = Flow::fresh();
        world.identity.identity_begin(&flow, &begun(), Some(&ann)).await.unwrap();
        lost(back(&flow).await);
        lost(world.identity.identity_returned(&flow, Some(&ben), &origin(1)).await);
        let flow = Flow::fresh();
        world.identity.identity_begin(&flow, &begun(), Some(&ann)).await.unwrap();
        world.identity.identity_returned(&flow, Some(&ann), &origin(1)).await.unwrap();
    }

    async fn nothing_of_what_was_begun_can_be_read(db: Db) {
        let world = World::new(db.clone()).await;
        let flow = Flow::fresh();
        world.identity.identity_begin(&flow, &begun(), None).await.unwrap();
        let ticket = world.ticket(&stranger("canary-subject"), &flow.browser).await;
        let signed_in = world.join_with(&ticket, &flow.browser).await.unwrap();
        world.ticket(&stranger("canary-other"), &flow.browser).await;
        let mut bytes = Vec::new();
        for sql in [&ROWS, &CEREMONIES] {
            let rows: Result<Vec<Row>, StorageError> =
                db.read("test.rows", |tx| Box::pin(async move { tx.all(sql, &[]).await })).await;
            let rows = rows.unwrap();
            assert!(!rows.is_empty());
            for row in rows {
                for column in ["a", "b", "c"] {
                    bytes.extend(row.get::<Option<Vec<u8>>>(column).unwrap().unwrap_or_default());
                }
            }
        }
        let (state, browser) = (flow.state.expose_secret().as_bytes(), flow.browser.expose_secret().as_bytes());
        for piece in [b"canary".as_slice(), &state[..8], &browser[..8], &ticket.expose_secret().as_bytes()[..8]] {
            assert!(!bytes.windows(piece.len()).any(|w| w == piece));
        }
        let linked = world.linked(signed_in.session.account).await;
        assert_eq!(linked[0].subject.reveal(), "canary-subject");
        assert_eq!(linked[0].shown.reveal(), "canary@example.org");
    }

    async fn who_is_not_known_registers_and_is_known_then(db: Db) {
        let world = World::new(db).await;
        let browser = secret("browser");
        let ticket = world.ticket(&stranger("1"), &browser).await;
        for (ticket, browser) in [(&ticket, &secret("another")), (&secret("wrong"), &browser)] {
            assert!(matches!(world.join_with(ticket, browser).await, Err(IdentityError::SignInLost)));
        }
        let joined = world.join_with(&ticket, &browser).await.unwrap().session;
        assert_eq!((joined.method, joined.complete), (Method::Identity, true));
        assert!(matches!(world.join_with(&ticket, &browser).await, Err(IdentityError::SignInLost)), "once");
        let again = world.arrived(&stranger("1")).await.unwrap().session;
        assert_eq!((again.account, again.method), (joined.account, Method::Identity));
        assert!(world.linked(joined.account).await[0].used_at.is_some());

        // Of two tickets for one identity only one makes an account.
        let (first, second) = (world.ticket(&stranger("2"), &browser).await, world.ticket(&stranger("2"), &browser).await);
        world.join_with(&first, &browser).await.unwrap();
        assert!(matches!(world.join_with(&second, &browser).await, Err(IdentityError::IdentityTaken)));

        // A ticket is void after ten minutes.
        let late = world.ticket(&stranger("3"), &browser).await;
        world.clock.advance_micros(600 * SECOND);
        assert!(matches!(world.join_with(&late, &browser).await, Err(IdentityError::SignInLost)));
    }

    async fn what_the_operator_asks_for_is_asked_with_an_identity_too(db: Db) {
        let world = World::new(db).await;
        let browser = secret("browser");
        let ticket = world.ticket(&stranger("1"), &browser).await;
        let without = Registration { identity: Some((ticket, browser)), ..plain() };
        let refused = world.register(&without).await.unwrap_err();
        assert!(matches!(refused, IdentityError::RegistrationField { field: "email", .. }));
        let address = email("ann@example.org");
        let wrong = Registration { email: Some((address.clone(), secret("000000"))), ..without.clone() };
        assert!(matches!(world.register(&wrong).await, Err(IdentityError::CodeWrong)));
        let code = world.code(CodePurpose::Register, &address).await;
        let account = world.register(&Registration { email: Some((address, code)), ..without }).await.unwrap();
        assert_eq!(world.arrived(&stranger("1")).await.unwrap().session.account, account.session.account);
    }

    async fn an_address_that_a_provider_tells_opens_no_account(db: Db) {
        let world = World::new(db).await;
        let ann = world.person("canary").await.session;
        // The provider says `canary@example.org`, which is the address of that account.
        let ticket = world.ticket(&stranger("somebody"), &secret("browser")).await;
        let other = world.join_with(&ticket, &secret("browser")).await.unwrap().session;
        assert_ne!(other.account, ann.account);
        assert_eq!(world.linked(ann.account).await, []);
    }

    async fn an_identity_is_linked_by_who_has_just_shown_who_they_are(db: Db) {
        let world = World::new(db).await;
        let (ann, ben) = (world.person("ann").await.session, world.person("ben").await.session);
        let linked = world.link(&ann, &stranger("1")).await.unwrap();
        assert_eq!(world.linked(ann.account).await, std::slice::from_ref(&linked));
        assert_eq!(world.arrived(&stranger("1")).await.unwrap().session.account, ann.account);
        for session in [&ann, &ben] {
            assert!(matches!(world.link(session, &stranger("1")).await, Err(IdentityError::IdentityTaken)));
        }
        // The same text is another person with another provider.
        let elsewhere = Stranger::new("other", "1".into(), None, "");
        world.link(&ben, &elsewhere).await.unwrap();
        assert_eq!(world.arrived(&elsewhere).await.unwrap().session.account, ben.account);

        let missing = world.identity.identity_unlink(ben.account, linked.id).await;
        assert!(matches!(missing, Err(IdentityError::IdentityNotFound)), "of somebody else");
        world.identity.identity_unlink(ann.account, linked.id).await.unwrap();
        assert!(matches!(world.arrive(&stranger("1"), &secret("b")).await.unwrap(), Arrived::NotKnown { .. }));

        world.identity.session_end(ben.account, ben.id).await.unwrap();
        assert!(matches!(world.link(&ben, &stranger("9")).await, Err(IdentityError::SessionGone)));
        world.clock.advance_micros(HOUR);
        assert!(matches!(world.link(&ann, &stranger("9")).await, Err(IdentityError::StepUpRequired)));
        for linking in [&ann, &ben] {
            let begin = world.identity.identity_begin(&Flow::fresh(), &begun(), Some(linking)).await;
            assert!(matches!(begin, Err(IdentityError::StepUpRequired)));
        }
    }

    async fn an_older_name_for_somebody_is_known_too(db: Db) {
        let world = World::new(db).await;
        let ann = world.person("ann").await.session;
        world.link(&ann, &stranger("openid:1")).await.unwrap();
        let now = Stranger::new("example", "unionid:7".into(), Some("openid:1".into()), "");
        assert_eq!(world.arrived(&now).await.unwrap().session.account, ann.account);
    }

    async fn the_last_way_in_stays(db: Db) {
        let world = World::new(db).await;
        let browser = secret("browser");
        let ticket = world.ticket(&stranger("1"), &browser).await;
        let session = world.join_with(&ticket, &browser).await.unwrap().session;
        let first = world.linked(session.account).await[0].id;
        let last = world.identity.identity_unlink(session.account, first).await;
        assert!(matches!(last, Err(IdentityError::WayInLast)));
        assert_eq!(world.linked(session.account).await.len(), 1, "and nothing was done");
        let second = world.link(&session, &stranger("2")).await.unwrap().id;
        // At once, so that each could think the other stays.
        let both = [first, second].map(|id| {
            let identity = world.identity.clone();
            tokio::spawn(async move { identity.identity_unlink(session.account, id).await.is_ok() })
        });
        let mut gone = 0;
        for one in both {
            gone += u32::from(one.await.unwrap());
        }
        assert_eq!((gone, world.linked(session.account).await.len()), (1, 1));
        world.identity.password_change(&session, secret(PASSWORD)).await.unwrap();
        let last = world.linked(session.account).await[0].id;
        world.identity.identity_unlink(session.account, last).await.unwrap();
    }

    async fn a_second_factor_is_asked_for_and_a_disabled_account_stays_shut(db: Db) {
        let world = World::new(db).await;
        let session = world.person("ann").await.session;
        world.link(&session, &stranger("1")).await.unwrap();
        let begun = world.identity.totp_begin(session.account, "Test", "ann").await.unwrap();
        let key = data_encoding::BASE32_NOPAD.decode(begun.secret.expose_secret().as_bytes()).unwrap();
        let app = Builder::new().with_secret(key).build().unwrap();
        let shows = |at: i64| secret(&app.generate(u64::try_from(at / SECOND).unwrap()).to_string());
        let now = tacit_kernel::Clock::now(&*world.clock).0;
        world.identity.totp_confirm(session.account, &shows(now), Some(&session)).await.unwrap();
        world.clock.advance_micros(60 * SECOND);
        let half = world.arrived(&stranger("1")).await.unwrap();
        assert!(!half.session.complete);
        let code = SecondFactor::Totp(shows(now + 60 * SECOND));
        assert!(world.identity.sign_in_complete(&half.token, &code, &origin(2)).await.unwrap().session.complete);

        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        world.identity.account_update(session.account, &off).await.unwrap();
        assert!(matches!(world.arrived(&stranger("1")).await, Err(IdentityError::AccountDisabled)));
    }

    async fn coming_back_is_slowed_like_other_ways_in_and_beginning_is_bounded(db: Db) {
        let world = World::new(db).await;
        let mut answers = Vec::new();
        for _ in 0..23 {
            let flow = Flow { state: secret("guessed"), browser: secret("guessed") };
            answers.push(world.identity.identity_returned(&flow, None, &origin(9)).await.map(drop));
        }
        let tried = answers.iter().filter(|a| matches!(a, Err(IdentityError::SignInLost))).count();
        assert_eq!(tried, 21, "twenty are free, and one more");
        assert!(matches!(answers.last(), Some(Err(IdentityError::TooMany { .. }))));
        let mut begun_there = 0;
        for _ in 0..310 {
            begun_there += usize::from(world.identity.identity_may_begin(None, &origin(10)).await.is_ok());
        }
        assert_eq!(begun_there, 301);
        world.clock.advance_micros(HOUR);
        while world.identity.forget_step().await.unwrap() {}
        let rows = world.db.read("test.rows", |tx| Box::pin(async move { tx.all(&CEREMONIES, &[]).await })).await;
        let rows: Result<Vec<Row>, StorageError> = rows;
        assert_eq!(rows.unwrap().len(), 0, "what was not finished is forgotten");
    }
}
