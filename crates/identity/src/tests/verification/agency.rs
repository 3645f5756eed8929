use super::*;
use crate::verification::{AgencyAnswer, AgencyShown, Check};

const HOLD: i64 = 60_000_000;
const SECOND: i64 = 1_000_000;
const ATTEMPTS: usize = 8;

fn by_agency() -> VerificationRules {
    let documents = vec![Document::IdCard];
    VerificationRules {
        person: KindRules { way: Some(VerificationWay::Agency), papers: Vec::new() },
        agency: Some(AgencyShown { name_en: "Agency".into(), name_zh: "机构".into(), documents }),
        ..VerificationRules::default()
    }
}

async fn lease(world: &World) -> Vec<Check> {
    world.identity.checks_lease(10, HOLD).await.unwrap()
}

async fn one(world: &World) -> Check {
    lease(world).await.pop().expect("a case to ask about")
}

both_engines! {
    async fn nobody_is_asked_without_consent(db: Db) {
        let world = world_with(db, by_agency()).await;
        let case = world.open(world.account("ann").await, &person()).await.unwrap();
        assert!(is(&world.submit(&case, false).await, VerificationError::Consent));
        assert!(lease(&world).await.is_empty());
        let submitted = world.submit(&case, true).await.unwrap();
        assert_eq!((submitted.way, submitted.agreed_at), (VerificationWay::Agency, submitted.submitted_at));
        // What it knows nothing of goes to staff, and needs no consent.
        let ben = world.account("ben").await;
        let passport = Details::new("Ben", Document::Passport, "E12345678").unwrap();
        let by_staff = world.submit(&world.open(ben, &passport).await.unwrap(), false).await.unwrap();
        assert_eq!((by_staff.way, by_staff.agreed_at), (VerificationWay::Staff, None));
        let asked = one(&world).await;
        assert_eq!((asked.case, &asked.details, asked.account), (case.id, &person(), case.account));
        assert!(lease(&world).await.is_empty(), "leased once, and the other not at all");
    }

    async fn it_is_asked_so_often_a_day_and_no_more(db: Db) {
        let world = world_with(db, by_agency()).await;
        let ann = world.account("ann").await;
        for _ in 0..5 {
            let case = world.submitted(ann, &person()).await;
            world.identity.case_withdraw(ann, case.id).await.unwrap();
        }
        let case = world.open(ann, &person()).await.unwrap();
        let refused = world.submit(&case, true).await;
        assert!(matches!(refused, Err(IdentityError::TooMany { seconds }) if seconds > 86_000), "{refused:?}");
        assert!(lease(&world).await.is_empty());
        world.submitted(world.account("ben").await, &person()).await;
        world.clock.advance_micros(86_400 * SECOND);
        assert_eq!(world.submit(&case, true).await.unwrap().state, CaseState::Submitted);
    }

    async fn its_answer_decides(db: Db) {
        let world = world_with(db, by_agency()).await;
        for (name, answer, state, way) in [
            ("ann", AgencyAnswer::Match, CaseState::Approved, VerificationWay::Agency),
            ("ben", AgencyAnswer::NoMatch, CaseState::Rejected, VerificationWay::Agency),
            ("cem", AgencyAnswer::Unknown, CaseState::Submitted, VerificationWay::Staff),
            // The number was used already: for staff to judge.
            ("dan", AgencyAnswer::Match, CaseState::Submitted, VerificationWay::Staff),
        ] {
            let case = world.submitted(world.account(name).await, &person()).await;
            let check = one(&world).await;
            let told = world.identity.check_answered(&check, answer).await.unwrap();
            let after = world.case(case.id).await.unwrap();
            assert_eq!((after.state, after.way, told.is_some()), (state, way, !state.is_open()), "{name}");
            assert!(lease(&world).await.is_empty());
            assert!(world.identity.check_answered(&check, answer).await.unwrap().is_none(), "an answer counts once");
        }
    }

    async fn what_is_not_answered_is_asked_again_and_then_decided_by_staff(db: Db) {
        let world = world_with(db, by_agency()).await;
        let case = world.submitted(world.account("ann").await, &person()).await;
        for attempt in 1..=ATTEMPTS {
            let check = one(&world).await;
            world.identity.check_failed(&check, true).await.unwrap();
            assert!(lease(&world).await.is_empty(), "not at once");
            world.clock.advance_micros(3600 * SECOND);
            let way = world.case(case.id).await.unwrap().way;
            assert_eq!(way == VerificationWay::Staff, attempt == ATTEMPTS);
        }
        assert!(lease(&world).await.is_empty());
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        let other = world.submitted(world.account("ben").await, &person()).await;
        world.identity.check_failed(&one(&world).await, false).await.unwrap();
        assert_eq!(world.case(other.id).await.unwrap().way, VerificationWay::Staff, "what will not pass is not tried again");
    }

    async fn who_dies_while_asking_is_followed(db: Db) {
        let world = world_with(db, by_agency()).await;
        let case = world.submitted(world.account("ann").await, &person()).await;
        let dead = one(&world).await;
        world.clock.advance_micros(HOLD);
        let alive = one(&world).await;
        assert!(world.identity.check_answered(&dead, AgencyAnswer::NoMatch).await.unwrap().is_none());
        world.identity.check_answered(&alive, AgencyAnswer::Match).await.unwrap().unwrap();
        assert_eq!(world.case(case.id).await.unwrap().state, CaseState::Approved);
        // One that dies each time does not hold a case for ever.
        let other = world.submitted(world.account("ben").await, &person()).await;
        for _ in 0..ATTEMPTS {
            one(&world).await;
            world.clock.advance_micros(HOLD);
        }
        assert!(lease(&world).await.is_empty());
        assert_eq!(world.case(other.id).await.unwrap().way, VerificationWay::Staff);
    }

    async fn an_answer_to_what_was_withdrawn_or_decided_is_not_heard(db: Db) {
        let world = world_with(db, by_agency()).await;
        let ann = world.account("ann").await;
        let case = world.submitted(ann, &person()).await;
        let check = one(&world).await;
        world.identity.case_withdraw(ann, case.id).await.unwrap();
        assert!(world.identity.check_answered(&check, AgencyAnswer::Match).await.unwrap().is_none());
        world.identity.check_failed(&check, true).await.unwrap();
        let case = world.submitted(ann, &person()).await;
        let check = one(&world).await;
        world.decide(case.id, staff(), Verdict::Reject(VerdictReason::NotOwn)).await.unwrap();
        assert!(world.identity.check_answered(&check, AgencyAnswer::Match).await.unwrap().is_none());
        assert_eq!(world.case(case.id).await.unwrap().state, CaseState::Rejected);
    }
}
