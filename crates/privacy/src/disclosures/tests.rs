//! Nobody gives anything away alone or without a reason, and nobody is shown what they may not know yet.

use super::*;
use crate::erasure::Reason;
use crate::erasure::tests::World;
use std::collections::BTreeSet;
use tacit_kernel::Personal;
use tacit_storage::both_engines;

struct Desk {
    world: World,
    disclosures: Disclosures,
    ann: AccountId,
    staff: [AccountId; 2],
}

const DAY: i64 = 86_400_000_000;
const COURT: &str = "court of Canaries";

impl Desk {
    async fn new(db: Db) -> Self {
        let mut world = World::new(db).await;
        let ann = world.account().await.account;
        let staff = [world.account().await.account, world.account().await.account];
        let disclosures = Disclosures::new((world.db.clone(), world.keys.clone(), world.clock.clone()));
        Self { world, disclosures, ann, staff }
    }

    fn new_one(&self, tell_from: Option<Timestamp>) -> New {
        New {
            account: self.ann,
            ground: Ground::CriminalProceedings,
            fields: [Given::Email, Given::Calls].into(),
            authority: Personal::new(COURT.to_owned()),
            reason: Personal::new("order 12/34".to_owned()),
            tell_from,
        }
    }

    async fn propose(&self, by: AccountId, new: &New) -> Result<Disclosure, DisclosureError> {
        let propose = async |tx: &mut WriteTx<'_>| self.disclosures.propose_in_tx(tx, by, new).await;
        let propose = &propose;
        self.world.db.write("test.propose", |tx| Box::pin(propose(tx))).await
    }

    async fn decide(&self, by: AccountId, id: DisclosureId, yes: bool) -> Result<Disclosure, DisclosureError> {
        let decide = async |tx: &mut WriteTx<'_>| self.disclosures.decide_in_tx(tx, (by, id), yes).await;
        let decide = &decide;
        self.world.db.write("test.decide", |tx| Box::pin(decide(tx))).await
    }

    async fn tell_from(&self, id: DisclosureId, from: Option<Timestamp>) -> Result<Disclosure, DisclosureError> {
        let change = async |tx: &mut WriteTx<'_>| self.disclosures.tell_from_in_tx(tx, id, from).await;
        let change = &change;
        self.world.db.write("test.telling", |tx| Box::pin(change(tx))).await
    }

    /// How many she sees, after whoever may be told was.
    async fn seen(&self) -> usize {
        self.disclosures.tell().await.unwrap();
        self.disclosures.told(self.ann, Page::default()).await.unwrap().items.len()
    }
}

both_engines! {
    async fn nobody_gives_anything_away_alone_or_without_a_reason(db: Db) {
        let desk = Desk::new(db).await;
        let [proposer, other] = desk.staff;
        for wrong in [
            New { reason: Personal::new(" ".to_owned()), ..desk.new_one(None) },
            New { authority: Personal::new(String::new()), ..desk.new_one(None) },
            New { reason: Personal::new("x".repeat(TEXT_MAX + 1)), ..desk.new_one(None) },
        ] {
            assert!(matches!(desk.propose(proposer, &wrong).await, Err(DisclosureError::Text)));
        }
        let nothing = New { fields: BTreeSet::new(), ..desk.new_one(None) };
        assert!(matches!(desk.propose(proposer, &nothing).await, Err(DisclosureError::Fields)));
        let stranger = New { account: AccountId::fresh(), ..desk.new_one(None) };
        assert!(matches!(desk.propose(proposer, &stranger).await, Err(DisclosureError::Account)));
        let proposed = desk.propose(proposer, &desk.new_one(None)).await.unwrap();
        assert!(matches!(desk.decide(proposer, proposed.id, true).await, Err(DisclosureError::Alone)));
        assert!(matches!(desk.decide(desk.ann, proposed.id, true).await, Err(DisclosureError::Alone)));
        assert!(matches!(desk.decide(other, DisclosureId::fresh(), true).await, Err(DisclosureError::NotFound)));
        let approved = desk.decide(other, proposed.id, true).await.unwrap();
        assert_eq!((approved.state, approved.decided_by), (State::Approved, Some(other)));
        assert!(matches!(desk.decide(other, proposed.id, false).await, Err(DisclosureError::Decided)));
        let listed = desk.disclosures.list(Page::default()).await.unwrap().items.remove(0);
        assert!(listed.authority.is_none() && listed.reason.is_none(), "lists have no words");
        let found = desk.disclosures.find(proposed.id).await.unwrap();
        assert_eq!(found.authority.unwrap().reveal(), COURT);
    }

    async fn the_person_sees_it_when_they_may_be_told_and_not_before(db: Db) {
        let desk = Desk::new(db).await;
        let [proposer, other] = desk.staff;
        let now = desk.world.clock.now();
        let later = desk.propose(proposer, &desk.new_one(Some(now.plus_micros(DAY)))).await.unwrap();
        let refused = desk.propose(proposer, &desk.new_one(Some(now))).await.unwrap();
        let never = desk.propose(proposer, &desk.new_one(None)).await.unwrap();
        assert_eq!(desk.seen().await, 0, "what is proposed is told to nobody");
        for id in [later.id, never.id] {
            desk.decide(other, id, true).await.unwrap();
        }
        desk.decide(other, refused.id, false).await.unwrap();
        assert_eq!(desk.seen().await, 0);
        desk.world.clock.advance_micros(DAY);
        assert_eq!(desk.seen().await, 1);
        assert!(matches!(desk.tell_from(later.id, None).await, Err(DisclosureError::Told)));
        desk.tell_from(never.id, Some(desk.world.clock.now())).await.unwrap();
        assert_eq!(desk.seen().await, 2);
        let told = desk.disclosures.told(desk.ann, Page::default()).await.unwrap().items.remove(0);
        assert_eq!(told.reason.unwrap().reveal(), "order 12/34");
        assert!(desk.disclosures.told(other, Page::default()).await.unwrap().items.is_empty());
    }

    async fn of_who_is_erased_stays_that_and_by_which_law(db: Db) {
        let desk = Desk::new(db).await;
        let [proposer, other] = desk.staff;
        let proposed = desk.propose(proposer, &desk.new_one(None)).await.unwrap();
        desk.decide(other, proposed.id, true).await.unwrap();
        let begun = desk.world.erasing.begin(desk.ann, Reason::Asked, true).await.unwrap();
        desk.world.through(begun.id).await;
        let left = desk.disclosures.find(proposed.id).await.unwrap();
        assert!(left.account != desk.ann && left.authority.is_none() && left.reason.is_none());
        assert_eq!((left.ground, left.fields.len(), left.state), (Ground::CriminalProceedings, 2, State::Approved));
    }
}
