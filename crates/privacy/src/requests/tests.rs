//! What people ask for is done for them and for nobody else, in time, and can be taken back until it is begun.

use super::*;
use crate::erasure::tests::World;
use tacit_identity::choices::Matter;
use tacit_kernel::Timestamp;
use tacit_storage::both_engines;

const TEXT: &str = "my birthday is wrong";

struct Desk {
    world: World,
    requests: Requests,
    /// For whom something is asked.
    ann: AccountId,
}

impl Desk {
    async fn new(db: Db, cooling_days: u32) -> Self {
        let mut world = World::new(db).await;
        let ann = world.account().await.account;
        let (keys, clock) = (world.keys.clone(), world.clock.clone() as Arc<dyn Clock>);
        let audit = Audit::new(world.db.clone(), keys.clone(), clock.clone());
        let erasing = world.erasing.clone();
        let requests = Requests::new((world.db.clone(), keys, clock), erasing, audit, (15, cooling_days));
        Self { world, requests, ann }
    }

    async fn make(&self, kind: Kind, said: &str, verified: Verified) -> Result<Request, RequestError> {
        self.make_as(Asker::Person, kind, said, verified).await
    }

    async fn make_as(&self, asker: Asker, kind: Kind, said: &str, verified: Verified) -> Result<Request, RequestError> {
        let new = &New { kind, asker, said: Some(Personal::new(said.to_owned())), verified, forfeits: None };
        let make = async |tx: &mut WriteTx<'_>| self.requests.make_in_tx(tx, self.ann, new).await;
        let make = &make;
        self.world.db.write("test.make", |tx| Box::pin(make(tx))).await
    }

    async fn change(
        &self,
        id: RightsRequestId,
        event: Event,
        refusal: Option<Refusal>,
    ) -> Result<Request, RequestError> {
        self.change_as(Acting::Staff, id, event, refusal).await
    }

    async fn change_by(
        &self,
        who: AccountId,
        id: RightsRequestId,
        event: Event,
        refusal: Option<Refusal>,
    ) -> Result<Request, RequestError> {
        self.change_as(Acting::Asker(who, Asker::Person), id, event, refusal).await
    }

    async fn change_as(
        &self,
        who: Acting,
        id: RightsRequestId,
        event: Event,
        refusal: Option<Refusal>,
    ) -> Result<Request, RequestError> {
        let change = &Change { event, text: Some(Personal::new(format!("said at {event:?}"))), refusal };
        let change = async |tx: &mut WriteTx<'_>| self.requests.change_in_tx(tx, (who, id), change).await;
        let change = &change;
        self.world.db.write("test.change", |tx| Box::pin(change(tx))).await
    }

    async fn allows(&self, matter: Matter) -> bool {
        self.world.identity().choices(self.ann).await.unwrap().allows(matter)
    }

    async fn now(&self, id: RightsRequestId) -> Request {
        self.requests.find(id).await.unwrap()
    }

    async fn is_there(&self) -> bool {
        self.world.keys.get(self.ann.0).await.unwrap().is_some()
    }

    fn days(&self, days: i64) {
        self.world.clock.advance_micros(days * DAY);
    }

    /// How the audit log tells of erasures, oldest first.
    async fn told(&self) -> Vec<String> {
        let entries = self.requests.audit.list(&Default::default(), None, 100).await.unwrap();
        let erased = entries.into_iter().filter(|entry| entry.kept.action == "account.erase");
        let mut told: Vec<String> = erased.map(|entry| entry.kept.phase).collect();
        told.reverse();
        told
    }
}

both_engines! {
    async fn an_account_is_cancelled_after_its_time_for_reflection_unless_that_is_taken_back(db: Db) {
        let desk = Desk::new(db, 7).await;
        let first = desk.make(Kind::Cancellation, "", Verified::StepUp).await.unwrap();
        assert_eq!((first.state, first.said.is_none()), (State::Cooling, true));
        assert_eq!(first.cooling_until, Some(first.received_at.plus_micros(7 * DAY)));
        let again = desk.make(Kind::Cancellation, "", Verified::StepUp).await;
        assert!(matches!(again, Err(RequestError::UnderWay)), "{again:?}");
        desk.days(6);
        assert_eq!((desk.requests.cool().await.unwrap(), desk.is_there().await), (0, true));
        assert!(matches!(desk.requests.cancel(first.id, None).await, Err(RequestError::State)), "nobody shortens it");
        assert_eq!(desk.change_by(desk.ann, first.id, Event::Withdraw, None).await.unwrap().state, State::Withdrawn);
        desk.days(30);
        assert_eq!((desk.requests.cool().await.unwrap(), desk.is_there().await), (0, true), "it was taken back");

        let second = desk.make(Kind::Cancellation, "", Verified::StepUp).await.unwrap();
        desk.days(7);
        assert_eq!((desk.requests.cool().await.unwrap(), desk.is_there().await), (1, false));
        assert_eq!(desk.told().await, ["begun", "done"]);
        let done = desk.now(second.id).await;
        assert_eq!((done.state, done.closed_at.is_some(), done.cooling_until), (State::Fulfilled, true, None));
        assert_eq!(desk.requests.cool().await.unwrap(), 0, "once");
        let late = desk.change_by(desk.ann, second.id, Event::Withdraw, None).await;
        assert!(matches!(late, Err(RequestError::State)));
        // What stays of it leads to nobody.
        for _ in 0..40 {
            desk.world.steps().await;
        }
        let after = desk.now(second.id).await;
        assert!(after.account != desk.ann && after.said.is_none(), "{after:?}");
        assert_eq!(desk.requests.of_account((desk.ann, Asker::Person), Page::default()).await.unwrap().items, []);
    }

    async fn what_stands_in_the_way_is_for_somebody_to_look_at(db: Db) {
        let desk = Desk::new(db, 0).await;
        desk.world.ledger().top_up(desk.ann, tacit_kernel::Nano(5), "late").await.unwrap();
        let nano = tacit_kernel::Nano;
        for most in [None, Some(nano(4))] {
            let refused = desk.requests.may_cancel(desk.ann, most).await;
            assert!(matches!(refused, Err(RequestError::Obstacle(ErasureError::Obstacle(Obstacle::Money { .. })))));
        }
        assert_eq!(desk.requests.may_cancel(desk.ann, Some(nano(5))).await.unwrap(), nano(5));
        let request = desk.make(Kind::Cancellation, "goodbye", Verified::StepUp).await.unwrap();
        assert_eq!((desk.requests.cool().await.unwrap(), desk.is_there().await), (0, true));
        let open = desk.now(request.id).await;
        assert_eq!((open.state, open.said, open.due_at), (State::Open, Some(Personal::new("goodbye".to_owned())), request.due_at));
        assert_eq!(desk.told().await, ["begun", "refused"]);
        // Nobody says that it is done while the account is there.
        assert!(matches!(desk.change(request.id, Event::Fulfil, None).await, Err(RequestError::State)));
        assert!(matches!(desk.requests.cancel(request.id, None).await, Err(RequestError::Obstacle(_))));
        let unseen = desk.requests.cancel(request.id, Some(Timestamp(1))).await;
        assert!(matches!(unseen, Err(RequestError::State)), "it is not as who decides has seen it");
        assert_eq!(desk.now(request.id).await.state, State::Open);
        desk.change(request.id, Event::Refuse, Some(Refusal::Law)).await.unwrap();
        assert!(matches!(desk.requests.cancel(request.id, None).await, Err(RequestError::State)));
        assert!(desk.is_there().await);
    }

    async fn who_only_read_a_code_waits_for_somebody_and_a_crash_is_made_good(db: Db) {
        let desk = Desk::new(db, 0).await;
        let request = desk.make(Kind::Cancellation, "", Verified::Address).await.unwrap();
        desk.days(100);
        assert_eq!((request.state, desk.requests.cool().await.unwrap(), desk.is_there().await), (State::Open, 0, true));
        // The process ends between the beginning and the end of it, before the account is erased and after.
        for erased in [false, true] {
            desk.requests.executed((request.id, None), Event::Execute).await.unwrap();
            assert_eq!(desk.now(request.id).await.state, State::Executing);
            let back = desk.change_by(desk.ann, request.id, Event::Withdraw, None).await;
            assert!(matches!(back, Err(RequestError::State)), "it is begun");
            if erased {
                desk.world.erasing.begin(desk.ann, Reason::Asked, false).await.unwrap();
            }
        }
        assert_eq!((desk.requests.cool().await.unwrap(), desk.is_there().await), (1, false));
        assert_eq!(desk.now(request.id).await.state, State::Fulfilled);
    }

    async fn an_objection_that_was_fulfilled_is_not_undone_by_what_becomes_of_another(db: Db) {
        let desk = Desk::new(db, 7).await;
        let object = async || desk.make(Kind::Objection, TEXT, Verified::Session).await.unwrap().id;
        let first = object().await;
        assert!(!desk.allows(Matter::FraudDetection).await, "it stops until it is decided");
        desk.change(first, Event::Refuse, Some(Refusal::Unfounded)).await.unwrap();
        assert!(desk.allows(Matter::FraudDetection).await, "it goes on");
        let second = object().await;
        desk.change(second, Event::Fulfil, None).await.unwrap();
        let third = object().await;
        desk.change(third, Event::Refuse, Some(Refusal::Repeated)).await.unwrap();
        assert!(!desk.allows(Matter::FraudDetection).await, "one was fulfilled");
        let fourth = object().await;
        desk.change_by(desk.ann, fourth, Event::Withdraw, None).await.unwrap();
        assert!(!desk.allows(Matter::FraudDetection).await, "one was fulfilled");
        desk.change_by(desk.ann, third, Event::Appeal, None).await.unwrap();
        desk.change(third, Event::Uphold, None).await.unwrap();
        assert!(!desk.allows(Matter::FraudDetection).await, "one was fulfilled");
    }

    async fn the_person_and_a_guardian_ask_side_by_side_and_neither_touches_what_the_other_asked(db: Db) {
        let desk = Desk::new(db, 7).await;
        let theirs = desk.make_as(Asker::Guardian, Kind::Explanation, TEXT, Verified::Address).await.unwrap();
        let hers = desk.make(Kind::Explanation, TEXT, Verified::Session).await.unwrap();
        let again = desk.make_as(Asker::Guardian, Kind::Explanation, TEXT, Verified::Address).await;
        assert!(matches!(again, Err(RequestError::UnderWay)), "{again:?}");
        for (asker, own, other) in [(Asker::Person, hers.id, theirs.id), (Asker::Guardian, theirs.id, hers.id)] {
            let who = (desk.ann, asker);
            let seen = desk.requests.of_account(who, Page::default()).await.unwrap().items;
            assert_eq!(seen.iter().map(|seen| seen.id).collect::<Vec<_>>(), [own]);
            assert_eq!(desk.requests.find_of(who, own).await.unwrap().id, own);
            assert!(matches!(desk.requests.find_of(who, other).await, Err(RequestError::NotFound)));
            for event in [Event::Withdraw, Event::Reply, Event::Appeal] {
                let touched = desk.change_as(Acting::Asker(desk.ann, asker), other, event, None).await;
                assert!(matches!(touched, Err(RequestError::NotFound)), "{asker:?} {event:?} {touched:?}");
            }
        }
        // An appeal of a guardian is answered as fast as what they asked.
        desk.change(theirs.id, Event::Refuse, Some(Refusal::NotHeld)).await.unwrap();
        let now = desk.world.clock.now();
        let guardian = Acting::Asker(desk.ann, Asker::Guardian);
        let appealed = desk.change_as(guardian, theirs.id, Event::Appeal, None).await.unwrap();
        assert_eq!(appealed.due_at, now.plus_micros(3 * DAY));
        let reversed = desk.change(theirs.id, Event::Reverse, None).await.unwrap();
        assert_eq!(reversed.due_at, now.plus_micros(3 * DAY));
        // Of an account without a guardian whose age is known, staff looks first.
        let cancel = desk.make_as(Asker::Guardian, Kind::Cancellation, "", Verified::Address).await.unwrap();
        assert_eq!((cancel.state, desk.allows(Matter::Use).await), (State::Open, true));
    }

    async fn what_waits_for_staff_is_asked_about_refused_appealed_and_reversed(db: Db) {
        let desk = Desk::new(db, 7).await;
        for wrong in ["", "  ", &"x".repeat(TEXT_MAX + 1)] {
            assert!(matches!(desk.make(Kind::Correction, wrong, Verified::Session).await, Err(RequestError::Text)));
        }
        let request = desk.make(Kind::Correction, TEXT, Verified::Session).await.unwrap();
        desk.make(Kind::Explanation, TEXT, Verified::Session).await.unwrap();
        let id = request.id;
        let stranger = desk.change_by(AccountId::fresh(), id, Event::Withdraw, None).await;
        assert!(matches!(stranger, Err(RequestError::NotFound)));
        assert_eq!(desk.requests.counts().await.unwrap(), (2, 0));
        desk.days(16);
        assert_eq!(desk.requests.counts().await.unwrap(), (2, 2), "both should have been answered");
        desk.change(id, Event::Ask, None).await.unwrap();
        assert_eq!(desk.requests.counts().await.unwrap(), (2, 1), "one waits for the person");
        let replied = desk.change_by(desk.ann, id, Event::Reply, None).await.unwrap();
        assert_eq!(replied.said.as_ref().unwrap().reveal(), &format!("{TEXT}{BETWEEN}said at Reply"));
        for (event, refusal) in [(Event::Refuse, None), (Event::Ask, Some(Refusal::Law))] {
            assert!(matches!(desk.change(id, event, refusal).await, Err(RequestError::Reason)), "{event:?}");
        }
        let refused = desk.change(id, Event::Refuse, Some(Refusal::Unfounded)).await.unwrap();
        assert_eq!((refused.refusal, refused.closed_at.is_some()), (Some(Refusal::Unfounded), true));
        desk.change_by(desk.ann, id, Event::Appeal, None).await.unwrap();
        let reversed = desk.change(id, Event::Reverse, None).await.unwrap();
        assert_eq!((reversed.state, reversed.refusal), (State::Open, None));
        assert!(matches!(desk.make(Kind::Correction, TEXT, Verified::Session).await, Err(RequestError::UnderWay)));
        let done = desk.change(id, Event::Fulfil, None).await.unwrap();
        assert!(done.answer.unwrap().reveal().ends_with("said at Fulfil"));
        let own = desk.requests.of_account((desk.ann, Asker::Person), Page::default()).await.unwrap().items;
        assert_eq!(own.iter().map(|r| r.kind).collect::<Vec<_>>(), [Kind::Explanation, Kind::Correction], "newest first");
        let listed = desk.requests.list(false, Page::default()).await.unwrap().items;
        assert_eq!((listed.len(), listed[0].said.is_none()), (1, true), "a list has no texts");
        assert_eq!(desk.requests.list(true, Page::default()).await.unwrap().items.len(), 2);

        // The words lie sealed, and go with the proof when its time is over.
        let rows = desk.world.query("SELECT said_sealed FROM rights_requests".to_owned()).await;
        for row in rows {
            let sealed: Vec<u8> = row.get("said_sealed").unwrap();
            assert!(!String::from_utf8_lossy(&sealed).contains("birthday"));
        }
        let long_ago = desk.world.clock.now();
        let forget = async |tx: &mut WriteTx<'_>, before: Timestamp| store::forget(tx, before, before).await;
        let (before, after) = (long_ago.plus_micros(-1), long_ago.plus_micros(1));
        let forget = &forget;
        for (cutoff, gone) in [(before, 0), (after, 1)] {
            let done: Result<u64, StorageError> =
                desk.world.db.write("test.forget", |tx| Box::pin(forget(tx, cutoff))).await;
            assert_eq!(done.unwrap(), gone, "what is under way stays");
        }
    }
}
