use super::*;

both_engines! {
    async fn what_a_case_holds_goes_when_its_time_is_over(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let case = world.submitted(world.account("ann").await, &person()).await;
        let other = world.submitted(world.account("ben").await, &enterprise()).await;
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        world.clock.advance_micros(7 * DAY - 1);
        while world.identity.forget_step().await.unwrap() {}
        assert!(has_key(&world.identity, &case).await && count(&db, &PAPERS).await == 3);
        world.identity.paper_reveal(case.id, PaperKind::IdCardFront).await.unwrap();
        world.clock.advance_micros(1);
        while world.identity.forget_step().await.unwrap() {}
        assert!(!has_key(&world.identity, &case).await && has_key(&world.identity, &other).await);
        assert_eq!((count(&db, &PAPERS).await, count(&db, &PIECES).await), (1, 1), "those of the other case");
        let left = world.case(case.id).await.unwrap();
        assert_eq!((left.state, left.details, left.forget_at), (CaseState::Approved, None, None));
        assert!(left.papers.is_empty() && left.decided_at.is_some());
        let gone = world.identity.paper_reveal(case.id, PaperKind::IdCardFront).await.map(drop);
        assert!(is(&gone, VerificationError::PaperNotFound));
        const SEALED: Sql = Sql::new(
            "SELECT COUNT(*) AS n FROM verification_cases WHERE details_sealed IS NOT NULL OR note_sealed IS NOT NULL",
        );
        const HASHES: Sql = Sql::new("SELECT COUNT(*) AS n FROM verification_cases WHERE number_hash IS NOT NULL");
        assert_eq!((count(&db, &SEALED).await, count(&db, &HASHES).await), (1, 1));
    }

    async fn a_withdrawn_case_is_gone_at_once(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let ann = world.account("ann").await;
        let case = world.submitted(ann, &person()).await;
        world.identity.case_withdraw(ann, case.id).await.unwrap();
        assert!(!has_key(&world.identity, &case).await);
        assert_eq!((count(&db, &CASES).await, count(&db, &PAPERS).await, count(&db, &PIECES).await), (0, 0, 0));
        assert!(is(&world.identity.case_withdraw(ann, case.id).await, VerificationError::NotFound));
        world.open(ann, &person()).await.unwrap();
    }

    async fn a_withdrawal_that_was_interrupted_is_finished(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let ann = world.account("ann").await;
        let case = world.submitted(ann, &person()).await;
        // As it is when the process ends after the first of its transactions.
        const HALF: Sql = Sql::new("UPDATE verification_cases SET state = 'withdrawn', forget_at = updated_at");
        let done: Result<u64, StorageError> = db.write("test.half", |tx| Box::pin(tx.execute(&HALF, &[]))).await;
        done.unwrap();
        assert!(is(&world.submit(&case, false).await, VerificationError::NotFound), "for its owner it is gone");
        while world.identity.forget_step().await.unwrap() {}
        assert!(!has_key(&world.identity, &case).await);
        assert_eq!((count(&db, &CASES).await, count(&db, &PAPERS).await, count(&db, &PIECES).await), (0, 0, 0));
    }

    async fn a_case_that_nobody_decides_expires(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let (ann, ben) = (world.account("ann").await, world.account("ben").await);
        let (draft, waiting) = (world.open(ann, &person()).await.unwrap(), world.submitted(ben, &person()).await);
        world.clock.advance_micros(30 * DAY);
        while world.identity.forget_step().await.unwrap() {}
        for case in [draft, waiting] {
            let left = world.case(case.id).await.unwrap();
            assert_eq!((left.state, left.details), (CaseState::Expired, None));
            assert!(!has_key(&world.identity, &case).await);
            assert!(is(&world.decide(case.id, staff(), Verdict::Approve).await, VerificationError::State));
        }
        assert_eq!((count(&db, &PAPERS).await, count(&db, &PIECES).await), (0, 0));
        world.open(ann, &person()).await.unwrap();
    }
}
