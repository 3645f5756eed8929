//! Verification on both engines: what a case goes through, its papers, what goes when, and what may not be done before.

mod agency;
mod canary;
mod forgetting;
mod unverified;

use super::world::World;
use crate::verification::{
    Case, CaseState, Deciding, Details, Document, KindRules, PaperKind, Verdict, VerdictReason, VerificationError,
    VerificationRules, VerificationWay,
};
use crate::{Identity, IdentityError};
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_storage::{Db, Page, ReadTx, Row, Sql, StorageError, WriteTx, both_engines};

pub(super) const CARD: &str = "11010519491231002X";
pub(super) const OTHER_CARD: &str = "440524188001010014";
pub(super) const CODE: &str = "9144030071526726XG";
pub(super) const DAY: i64 = 86_400_000_000;

/// Persons are decided by staff who look at both sides of the card, enterprises by staff too.
fn rules() -> VerificationRules {
    let by_staff = |papers: &[PaperKind]| KindRules { way: Some(VerificationWay::Staff), papers: papers.to_vec() };
    VerificationRules {
        person: by_staff(&[PaperKind::IdCardFront, PaperKind::IdCardBack]),
        enterprise: by_staff(&[PaperKind::BusinessLicence]),
        ..VerificationRules::default()
    }
}

fn person() -> Details {
    Details::new("张三", Document::IdCard, CARD).unwrap()
}

fn enterprise() -> Details {
    Details::new("某某科技有限公司", Document::BusinessLicence, CODE).unwrap()
}

fn paper(text: &str) -> Vec<u8> {
    [b"\xff\xd8\xff\xe0".as_slice(), text.as_bytes()].concat()
}

async fn world_with(db: Db, rules: VerificationRules) -> World {
    let mut world = World::new(db).await;
    world.identity = world.identity.with_verification(rules);
    world
}

async fn count(db: &Db, table: &'static Sql) -> i64 {
    let rows: Result<Vec<Row>, StorageError> = db.read("test.count", |tx| Box::pin(tx.all(table, &[]))).await;
    rows.unwrap()[0].get("n").unwrap()
}

const PAPERS: Sql = Sql::new("SELECT COUNT(*) AS n FROM verification_papers");
const PIECES: Sql = Sql::new("SELECT COUNT(*) AS n FROM verification_pieces");
const CASES: Sql = Sql::new("SELECT COUNT(*) AS n FROM verification_cases");

/// Short ways to do what people and staff do, each in a transaction of its own.
impl World {
    async fn open(&self, account: AccountId, details: &Details) -> Result<Case, IdentityError> {
        let open = async |tx: &mut WriteTx<'_>| self.identity.case_open_in_tx(tx, account, details).await;
        let open = &open;
        self.db.write("test.open", |tx| Box::pin(open(tx))).await
    }

    async fn add(&self, case: &Case, kind: PaperKind, bytes: &[u8]) -> Result<Case, IdentityError> {
        let of = (case.account, case.id);
        let add = async |tx: &mut WriteTx<'_>| self.identity.paper_put_in_tx(tx, of, kind, bytes).await;
        let add = &add;
        self.db.write("test.add", |tx| Box::pin(add(tx))).await
    }

    async fn submit(&self, case: &Case, agreed: bool) -> Result<Case, IdentityError> {
        let of = (case.account, case.id);
        let submit = async |tx: &mut WriteTx<'_>| self.identity.case_submit_in_tx(tx, of, agreed).await;
        let submit = &submit;
        self.db.write("test.submit", |tx| Box::pin(submit(tx))).await
    }

    async fn change_case(&self, case: &Case, details: &Details) -> Result<Case, IdentityError> {
        let of = (case.account, case.id);
        let change = async |tx: &mut WriteTx<'_>| self.identity.case_change_in_tx(tx, of, details).await;
        let change = &change;
        self.db.write("test.change", |tx| Box::pin(change(tx))).await
    }

    async fn decide(&self, id: VerificationId, by: Deciding, verdict: Verdict) -> Result<Case, IdentityError> {
        let decide = async |tx: &mut WriteTx<'_>| self.identity.case_decide_in_tx(tx, id, by, verdict, None).await;
        let decide = &decide;
        self.db.write("test.decide", |tx| Box::pin(decide(tx))).await
    }

    async fn case(&self, id: VerificationId) -> Result<Case, IdentityError> {
        let case = async |tx: &mut ReadTx<'_>| self.identity.case_in_tx(tx, id).await;
        let case = &case;
        self.db.read("test.case", |tx| Box::pin(case(tx))).await
    }

    /// A case of that account that waits for a verdict.
    async fn submitted(&self, account: AccountId, details: &Details) -> Case {
        let case = self.open(account, details).await.unwrap();
        for kind in self.identity.verification_rules().papers(details.document()) {
            self.add(&case, kind, &paper("shown")).await.unwrap();
        }
        self.submit(&case, true).await.unwrap()
    }

    async fn account(&self, name: &str) -> AccountId {
        self.person(name).await.session.account
    }
}

pub(super) fn is<T>(result: &Result<T, IdentityError>, wanted: VerificationError) -> bool {
    matches!(result, Err(IdentityError::Verification(error)) if *error == wanted)
}

fn staff() -> Deciding {
    Deciding::Staff(AccountId::fresh())
}

both_engines! {
    async fn there_is_no_verdict_without_its_notice(db: Db) {
        let world = world_with(db, rules()).await;
        let ann = world.account("ann").await;
        let case = world.submitted(ann, &person()).await;
        world.heard.take();
        world.heard.breaks(true);
        let refused = world.decide(case.id, staff(), Verdict::Approve).await;
        assert!(matches!(refused, Err(IdentityError::Storage(_))));
        world.heard.breaks(false);
        assert_eq!(world.case(case.id).await.unwrap().state, CaseState::Submitted);
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        assert_eq!(world.heard.take(), [(vec!["ann@example.org".to_owned()], "Case(Approved)".to_owned())]);
    }

    async fn papers_are_bounded_by_the_hour_and_of_a_case_by_the_day(db: Db) {
        let world = world_with(db, rules()).await;
        let account = world.account("ann").await;
        let case = world.open(account, &person()).await.unwrap();
        // To the beginning of a day.
        world.clock.advance_micros(2 * crate::tests::world::HOUR);
        let add = async || world.add(&case, PaperKind::IdCardFront, &paper("shown")).await;
        let mut taken = Vec::new();
        for _ in 0..4 {
            let mut hour = 0;
            while add().await.is_ok() {
                hour += 1;
            }
            assert!(matches!(add().await, Err(IdentityError::TooMany { .. })));
            taken.push(hour);
            world.clock.advance_micros(crate::tests::world::HOUR);
        }
        assert_eq!(taken, [30, 30, 0, 0], "thirty an hour, and sixty of one case");
        world.clock.advance_micros(DAY);
        add().await.unwrap();
    }

    async fn a_case_goes_from_a_draft_to_a_verdict(db: Db) {
        let world = world_with(db, rules()).await;
        let ann = world.account("ann").await;
        let case = world.open(ann, &person()).await.unwrap();
        assert_eq!((case.state, case.details.as_ref()), (CaseState::Draft, Some(&person())));
        assert!(is(&world.open(ann, &person()).await, VerificationError::Open));
        assert!(is(&world.submit(&case, false).await, VerificationError::PapersMissing));
        world.add(&case, PaperKind::IdCardFront, &paper("front")).await.unwrap();
        assert!(is(&world.submit(&case, false).await, VerificationError::PapersMissing));
        world.add(&case, PaperKind::IdCardBack, &paper("back")).await.unwrap();
        let other = Details::new("李四", Document::IdCard, OTHER_CARD).unwrap();
        assert_eq!(world.change_case(&case, &other).await.unwrap().details, Some(other));
        assert!(is(&world.decide(case.id, staff(), Verdict::Approve).await, VerificationError::State));
        let submitted = world.submit(&case, false).await.unwrap();
        assert_eq!((submitted.state, submitted.way, submitted.agreed_at), (CaseState::Submitted, VerificationWay::Staff, None));
        assert!(is(&world.change_case(&case, &person()).await, VerificationError::State));
        assert!(is(&world.add(&case, PaperKind::IdCardBack, &paper("x")).await, VerificationError::State));
        let more = world.decide(case.id, staff(), Verdict::AskMore(VerdictReason::Unreadable)).await.unwrap();
        assert_eq!((more.state, more.reason, more.decided_at), (CaseState::NeedsMore, Some(VerdictReason::Unreadable), None));
        assert_eq!(more.forget_at, case.forget_at, "asking for more gives no more time");
        world.change_case(&case, &person()).await.unwrap();
        assert_eq!(world.submit(&case, false).await.unwrap().reason, None);
        assert!(is(&world.decide(case.id, Deciding::Staff(ann), Verdict::Approve).await, VerificationError::Own));
        let approved = world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        assert_eq!((approved.state, approved.forget_at), (CaseState::Approved, Some(approved.updated_at.plus_micros(7 * DAY))));
        assert!(is(&world.decide(case.id, staff(), Verdict::Approve).await, VerificationError::State), "once");
        assert!(is(&world.identity.case_withdraw(ann, case.id).await, VerificationError::State));
        assert!(is(&world.open(ann, &person()).await, VerificationError::Done));
        world.open(ann, &enterprise()).await.unwrap();
    }

    async fn a_case_is_its_accounts_own_and_offered_only_if_the_operator_says_so(db: Db) {
        let world = world_with(db, rules()).await;
        let (ann, ben) = (world.account("ann").await, world.account("ben").await);
        let case = world.open(ann, &person()).await.unwrap();
        let as_ben = Case { account: ben, ..case.clone() };
        assert!(is(&world.change_case(&as_ben, &person()).await, VerificationError::NotFound));
        assert!(is(&world.submit(&as_ben, true).await, VerificationError::NotFound));
        assert!(is(&world.add(&as_ben, PaperKind::IdCardFront, &paper("x")).await, VerificationError::NotFound));
        assert!(is(&world.identity.case_withdraw(ben, case.id).await, VerificationError::NotFound));
        let passport = Details::new("Ann", Document::Passport, "E12345678").unwrap();
        let refused = world.open(ben, &passport).await;
        assert!(matches!(refused, Err(IdentityError::Verification(VerificationError::Field { field: "document", .. }))));
        let mut world = world;
        world.identity = world.identity.clone().with_verification(VerificationRules::default());
        assert!(is(&world.open(ben, &person()).await, VerificationError::Off));
    }

    async fn a_number_is_good_for_as_many_accounts_as_the_operator_says(db: Db) {
        let world = world_with(db, VerificationRules { accounts_per_number: Some(2), ..rules() }).await;
        for (name, fits) in [("ann", true), ("ben", true), ("cem", false)] {
            let case = world.submitted(world.account(name).await, &person()).await;
            let decided = world.decide(case.id, staff(), Verdict::Approve).await;
            assert_eq!(decided.is_ok(), fits, "{name}: {decided:?}");
            if !fits {
                assert!(is(&decided, VerificationError::NumberUsed));
                // It still waits, and can be rejected.
                world.decide(case.id, staff(), Verdict::Reject(VerdictReason::NumberUsed)).await.unwrap();
            }
        }
        // Forgetting what the cases said forgets no number.
        world.clock.advance_micros(8 * DAY);
        while world.identity.forget_step().await.unwrap() {}
        let case = world.submitted(world.account("dan").await, &person()).await;
        assert!(is(&world.decide(case.id, staff(), Verdict::Approve).await, VerificationError::NumberUsed));
        let other = Details::new("李四", Document::IdCard, OTHER_CARD).unwrap();
        world.change_case(&world.decide(case.id, staff(), Verdict::AskMore(VerdictReason::Mismatch)).await.unwrap(), &other).await.unwrap();
        world.submit(&case, false).await.unwrap();
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
    }

    async fn papers_are_bounded_replaced_and_shown_to_who_decides(db: Db) {
        let world = world_with(db.clone(), VerificationRules { paper_max: 600_000, ..rules() }).await;
        let case = world.open(world.account("ann").await, &person()).await.unwrap();
        // Of several pieces, the last one not full.
        let long = paper(&"0123456789".repeat(59_000));
        world.add(&case, PaperKind::IdCardFront, &long).await.unwrap();
        assert_eq!((count(&db, &PAPERS).await, count(&db, &PIECES).await), (1, 3));
        for (kind, bytes) in [
            (PaperKind::IdCardFront, paper(&"x".repeat(600_000))),
            (PaperKind::IdCardFront, b"GIF89a".to_vec()),
            (PaperKind::IdCardFront, Vec::new()),
            (PaperKind::Passport, paper("x")),
            (PaperKind::BusinessLicence, paper("x")),
        ] {
            let refused = world.add(&case, kind, &bytes).await;
            assert!(matches!(refused, Err(IdentityError::Verification(VerificationError::PaperInvalid { .. }))));
        }
        let early = world.identity.paper_reveal(case.id, PaperKind::IdCardFront).await.map(drop);
        assert!(is(&early, VerificationError::PaperNotFound), "what is not submitted is nobody's business");
        world.add(&case, PaperKind::IdCardBack, &paper("back")).await.unwrap();
        let held = world.add(&case, PaperKind::IdCardBack, &paper("back, anew")).await.unwrap();
        assert_eq!(held.papers.iter().map(|paper| paper.size).collect::<Vec<_>>(), [14, long.len() as u64]);
        world.submit(&case, false).await.unwrap();
        let (view, bytes) = world.identity.paper_reveal(case.id, PaperKind::IdCardFront).await.unwrap();
        assert_eq!((view.media.media_type(), &*bytes), ("image/jpeg", &long));
        assert_eq!(&*world.identity.paper_reveal(case.id, PaperKind::IdCardBack).await.unwrap().1, &paper("back, anew"));
        // Pieces that changed places, or are missing, are no paper.
        const SWAP: Sql = Sql::new("UPDATE verification_pieces SET place = 9 - place");
        const CUT: Sql = Sql::new("DELETE FROM verification_pieces WHERE place = 2");
        for harm in [&CUT, &SWAP] {
            let done: Result<u64, StorageError> = db.write("test.harm", |tx| Box::pin(tx.execute(harm, &[]))).await;
            done.unwrap();
            assert!(matches!(
                world.identity.paper_reveal(case.id, PaperKind::IdCardFront).await.map(drop),
                Err(IdentityError::Storage(_))
            ));
        }
    }

    async fn an_account_has_a_bounded_number_of_cases(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let ann = world.account("ann").await;
        for _ in 0..20 {
            let case = world.submitted(ann, &person()).await;
            world.decide(case.id, staff(), Verdict::Reject(VerdictReason::Unreadable)).await.unwrap();
            // Papers are bounded by the hour.
            world.clock.advance_micros(crate::tests::world::HOUR / 6);
        }
        assert!(matches!(world.open(ann, &person()).await, Err(IdentityError::TooMuch)));
        let list = async |tx: &mut ReadTx<'_>| {
            let page = Page { after: None, limit: 15 };
            let first = world.identity.cases_of_in_tx(tx, ann, page).await?;
            let rest = world.identity.cases_of_in_tx(tx, ann, Page { after: first.next, limit: 15 }).await?;
            let rejected = world.identity.case_list_in_tx(tx, Some(CaseState::Rejected), Page { after: None, limit: 500 }).await?;
            let waiting = world.identity.case_list_in_tx(tx, Some(CaseState::Submitted), page).await?;
            Ok::<_, IdentityError>([first.items.len(), rest.items.len(), rejected.items.len(), waiting.items.len()])
        };
        let list = &list;
        assert_eq!(db.read("test.list", |tx| Box::pin(list(tx))).await.unwrap(), [15, 5, 20, 0]);
    }

    async fn a_note_is_for_the_person_and_other_needs_one(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let case = world.submitted(world.account("ann").await, &person()).await;
        let (reject, note) = (Verdict::Reject(VerdictReason::Other), Personal::new("照片模糊\nTry again.".to_owned()));
        for bad in [None, Some(Personal::new(" ".to_owned())), Some(Personal::new("x".repeat(1001))), Some(Personal::new("a\u{7}".to_owned()))] {
            let bad = &bad;
            let decide = async |tx: &mut WriteTx<'_>| world.identity.case_decide_in_tx(tx, case.id, staff(), reject, bad.as_ref()).await;
            let decide = &decide;
            let refused = db.write("test.decide", |tx| Box::pin(decide(tx))).await;
            assert!(matches!(refused, Err(IdentityError::Verification(VerificationError::Field { field: "note", .. }))));
        }
        let decide = async |tx: &mut WriteTx<'_>| world.identity.case_decide_in_tx(tx, case.id, staff(), reject, Some(&note)).await;
        let decide = &decide;
        assert_eq!(db.write("test.decide", |tx| Box::pin(decide(tx))).await.unwrap().note, Some(note.clone()));
        assert_eq!(world.case(case.id).await.unwrap().note, Some(note.clone()));
    }

    /// Random events against the state machine: the service does what it says, and refuses what it does not.
    async fn the_service_is_the_state_machine(db: Db) {
        use crate::verification::CaseEvent as E;
        use rand::{RngExt as _, SeedableRng as _};
        let world = world_with(db, VerificationRules { accounts_per_number: None, ..rules() }).await;
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        for walk in 0..12 {
            let ann = world.account(&format!("ann{walk}")).await;
            let case = world.open(ann, &person()).await.unwrap();
            for kind in [PaperKind::IdCardFront, PaperKind::IdCardBack] {
                world.add(&case, kind, &paper("shown")).await.unwrap();
            }
            let mut state = CaseState::Draft;
            for _ in 0..12 {
                let event = [E::Change, E::Submit, E::AskMore, E::Approve, E::Reject, E::Withdraw][rng.random_range(0..6)];
                let by = |verdict| world.decide(case.id, staff(), verdict);
                let done = match event {
                    E::Change => world.change_case(&case, &person()).await.map(drop),
                    E::Submit => world.submit(&case, false).await.map(drop),
                    E::AskMore => by(Verdict::AskMore(VerdictReason::Incomplete)).await.map(drop),
                    E::Approve => by(Verdict::Approve).await.map(drop),
                    E::Reject => by(Verdict::Reject(VerdictReason::NotOwn)).await.map(drop),
                    E::Withdraw => world.identity.case_withdraw(ann, case.id).await,
                    E::Expire => unreachable!(),
                };
                assert_eq!(done.is_ok(), state.after(event).is_some(), "{state:?} {event:?} {done:?}");
                state = state.after(event).unwrap_or(state);
                match world.case(case.id).await {
                    Ok(found) => assert_eq!(found.state, state),
                    Err(_) => assert_eq!(state, CaseState::Withdrawn),
                }
            }
        }
    }
}

/// Whether the key of a case is there.
async fn has_key(identity: &Identity, case: &Case) -> bool {
    identity.keys.get_fleeting(case.id.0).await.unwrap().is_some()
}
