use super::world::{HOUR, PASSWORD, World, email, origin, secret};
use crate::codes::{CodePurpose, CodeWish};
use crate::contacts::{Contact, ContactKind};
use crate::registration::{Need, Registration, RegistrationRules};
use crate::sign_in::Proof;
use crate::{AccountChange, IdentityError};
use tacit_storage::{Db, Sql, both_engines};

const DIGEST: Sql = Sql::new("SELECT digest_sealed FROM account_passwords");

both_engines! {
    async fn one_signs_in_by_name_address_or_number(db: Db) {
        let world = World::new(db.clone()).await;
        let phone = Contact::phone("+86 138 0013 8000", None).unwrap();
        let code = world.code(CodePurpose::Register, &phone).await;
        let asked = Registration {
            username: Some(crate::tests::name("Ann")),
            password: Some(secret(PASSWORD)),
            email: Some((email("ann@example.org"), world.code(CodePurpose::Register, &email("ann@example.org")).await)),
            phone: Some((phone, code)),
            ..crate::tests::world::plain()
        };
        let account = world.register(&asked).await.unwrap().session.account;
        for who in ["Ann", " ann@EXAMPLE.org ", "+8613800138000", "+86 138-0013-8000"] {
            let signed_in = world.identity.sign_in_with_password(who, secret(PASSWORD), &origin(2)).await.unwrap();
            assert_eq!((signed_in.session.account, signed_in.session.complete), (account, true), "{who}");
            let session = world.identity.session_by_token(&signed_in.token).await.unwrap();
            assert_eq!(session, Some(signed_in.session));
        }
        let row = db.read("test.digest", |tx| Box::pin(tx.one(&DIGEST, &[]))).await.unwrap().unwrap();
        let sealed: Vec<u8> = row.get("digest_sealed").unwrap();
        assert!(!sealed.windows(8).any(|w| w == b"argon2id"), "not even the digest is in clear");
    }

    async fn guesses_are_slowed_the_same_whether_there_is_such_an_account(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let mut told = Vec::new();
        for (who, from) in [("ann", 20), ("nobody", 21), ("ann@example.org", 22), ("nobody@example.org", 23)] {
            let mut answers = Vec::new();
            for _ in 0..8 {
                let error = world.identity.sign_in_with_password(who, secret("wrong horse"), &origin(from)).await.unwrap_err();
                answers.push(error.to_string());
            }
            assert!(answers[5].contains("did not work") && answers[6].contains("too many"), "{answers:?}");
            told.push(answers);
        }
        assert!(told.iter().all(|answers| *answers == told[0]), "{told:?}");
        // The right password does not help while one has to wait, and is right again after.
        let early = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(24)).await.unwrap_err();
        assert!(matches!(early, IdentityError::TooMany { .. }));
        world.clock.advance_micros(HOUR);
        world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(24)).await.unwrap();
        // Then all tries are free again.
        for _ in 0..5 {
            let error = world.identity.sign_in_with_password("ann", secret("wrong horse"), &origin(25)).await.unwrap_err();
            assert!(matches!(error, IdentityError::SignInFailed));
        }
    }

    async fn strangers_do_not_close_the_way_of_a_known_device(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let opened = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        let token = opened.new_device.unwrap().token;
        // As many as there can be, of the account and of the very address that the device is at.
        for from in [60, 61] {
            for n in 0..40 {
                let who = if n % 2 == 0 { "ann".to_owned() } else { format!("user{n}") };
                drop(world.identity.sign_in_with_password(&who, secret("wrong horse"), &origin(from)).await);
            }
        }
        let stranger = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(61)).await;
        assert!(matches!(stranger, Err(IdentityError::TooMany { .. })));
        let hers = origin(61).known_by(token);
        world.identity.sign_in_with_password("ann", secret(PASSWORD), &hers).await.unwrap();
        // Who has the device guesses no faster, and one that ben knows is none of ann's.
        for _ in 0..6 {
            let wrong = world.identity.sign_in_with_password("ann", secret("wrong horse"), &hers).await;
            assert!(matches!(wrong, Err(IdentityError::SignInFailed)));
        }
        let slowed = world.identity.sign_in_with_password("ann", secret(PASSWORD), &hers).await;
        assert!(matches!(slowed, Err(IdentityError::TooMany { .. })));
        world.person("ben").await;
        let ben = world.identity.sign_in_with_password("ben", secret(PASSWORD), &origin(3)).await.unwrap();
        let bens = origin(61).known_by(ben.new_device.unwrap().token);
        let other = world.identity.sign_in_with_password("ann", secret(PASSWORD), &bens).await;
        assert!(matches!(other, Err(IdentityError::TooMany { .. })));
    }

    async fn one_address_cannot_try_many_accounts(db: Db) {
        let world = World::new(db).await;
        let mut failed = 0;
        for n in 0..60 {
            match world.identity.sign_in_with_password(&format!("user{n}"), secret("password1"), &origin(30)).await {
                Err(IdentityError::SignInFailed) => failed += 1,
                Err(IdentityError::TooMany { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(failed, 21, "twenty are free, and one more");
    }

    async fn one_signs_in_with_a_code_that_was_sent(db: Db) {
        let world = World::new(db).await;
        let account = world.person("ann").await.session.account;
        let ann = email("ann@example.org");
        let code = world.code(CodePurpose::SignIn, &ann).await;
        let wrong = world.identity.sign_in_with_code(&email("ben@example.org"), &code, &origin(2)).await;
        assert!(matches!(wrong, Err(IdentityError::SignInFailed)));
        let signed_in = world.identity.sign_in_with_code(&ann, &code, &origin(2)).await.unwrap();
        assert_eq!(signed_in.session.account, account);
        assert!(world.identity.sign_in_with_code(&ann, &code, &origin(2)).await.is_err(), "once");
        // To an address of nobody nothing is sent, and what would have been is worth nothing.
        let wish = world.wish(CodePurpose::SignIn, &email("nobody@example.org"), &origin(2)).await.unwrap();
        assert!(matches!(wish, CodeWish::Nothing));
    }

    async fn a_disabled_account_is_shut_out_at_once(db: Db) {
        let world = World::new(db).await;
        let signed_in = world.person("ann").await;
        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        world.identity.account_update(signed_in.session.account, &off).await.unwrap();
        assert_eq!(world.identity.session_by_token(&signed_in.token).await.unwrap(), None);
        let on = AccountChange { enabled: Some(true), ..AccountChange::default() };
        world.identity.account_update(signed_in.session.account, &on).await.unwrap();
        assert_eq!(world.identity.session_by_token(&signed_in.token).await.unwrap(), None, "what was stolen stays worthless");
        world.identity.account_update(signed_in.session.account, &off).await.unwrap();
        let refused = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap_err();
        assert!(matches!(refused, IdentityError::AccountDisabled));
        let refused = world.identity.sign_in_with_password("ann", secret("wrong horse"), &origin(2)).await.unwrap_err();
        assert!(matches!(refused, IdentityError::SignInFailed), "only who has the password is told");
    }

    async fn a_new_password_ends_what_stood_on_the_old_one(db: Db) {
        let world = World::new(db).await;
        let first = world.person("ann").await;
        let second = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        let weak = world.identity.password_change(&first.session, secret("ann@example.org")).await.unwrap_err();
        assert!(matches!(weak, IdentityError::PasswordWeak { .. }));
        let turned = world.identity.password_change(&first.session, secret("battery staple")).await.unwrap();
        for void in [&first.token, &second.token] {
            assert_eq!(world.identity.session_by_token(void).await.unwrap(), None, "one was changed, one ended");
        }
        let first = turned;
        assert!(world.identity.session_by_token(&first.token).await.unwrap().is_some());
        assert!(world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.is_err());
        // Ten minutes later it must be shown once more who is there.
        world.clock.advance_micros(HOUR);
        let late = world.identity.password_change(&first.session, secret("yet another one")).await.unwrap_err();
        assert!(matches!(late, IdentityError::StepUpRequired));
        let wrong = world.identity.step_up(&first.token, &Proof::Password(secret(PASSWORD)), &origin(2)).await.unwrap_err();
        assert!(matches!(wrong, IdentityError::ProofWrong));
        let proof = Proof::Password(secret("battery staple"));
        let again = world.identity.step_up(&first.token, &proof, &origin(2)).await.unwrap();
        assert_eq!(again.session.id, first.session.id);
        assert_eq!(world.identity.session_by_token(&first.token).await.unwrap(), None, "the token was changed");
        world.identity.password_change(&again.session, secret("yet another one")).await.unwrap();
    }

    async fn a_forgotten_password_is_replaced_by_who_reads_the_address(db: Db) {
        let world = World::new(db).await;
        let signed_in = world.person("ann").await;
        let ann = email("ann@example.org");
        let code = world.code(CodePurpose::PasswordReset, &ann).await;
        let weak = world.identity.password_reset(&ann, &code, secret("short"), &origin(2)).await.unwrap_err();
        assert!(matches!(weak, IdentityError::PasswordWeak { .. }), "and the code is still good");
        world.identity.password_reset(&ann, &code, secret("battery staple"), &origin(2)).await.unwrap();
        assert_eq!(world.identity.session_by_token(&signed_in.token).await.unwrap(), None);
        world.identity.sign_in_with_password("ann", secret("battery staple"), &origin(2)).await.unwrap();
        let used = world.identity.password_reset(&ann, &code, secret("battery staple"), &origin(2)).await.unwrap_err();
        assert!(matches!(used, IdentityError::CodeWrong));
    }

    async fn a_reset_password_is_no_other_name_of_the_account(db: Db) {
        let world = World::new(db).await;
        let signed_in = world.person("annabelle-lee").await;
        let new = email("kingdom@sea.example");
        let code = world.code(CodePurpose::ContactChange, &new).await;
        world.identity.contact_change(&signed_in.session, &new, &code, &origin(2)).await.unwrap();
        let code = world.code(CodePurpose::PasswordReset, &new).await;
        let weak = world.identity.password_reset(&new, &code, secret("Annabelle-Lee"), &origin(2)).await.unwrap_err();
        assert!(matches!(weak, IdentityError::PasswordWeak { .. }), "and the code is still good");
        world.identity.password_reset(&new, &code, secret("battery staple"), &origin(2)).await.unwrap();
    }

    async fn an_address_is_changed_by_who_reads_the_new_one(db: Db) {
        let world = World::new(db).await;
        let (ann, ben) = (world.person("ann").await, world.person("ben").await);
        let new = email("ann@new.example");
        let code = world.code(CodePurpose::ContactChange, &new).await;
        world.heard.take();
        world.identity.contact_change(&ann.session, &new, &code, &origin(2)).await.unwrap();
        let told = (vec!["ann@example.org".to_owned()], "Changed(Email)".to_owned());
        assert_eq!(world.heard.take(), [told], "its reader is told");
        world.identity.sign_in_with_password("ann@new.example", secret(PASSWORD), &origin(2)).await.unwrap();
        assert!(world.identity.sign_in_with_password("ann@example.org", secret(PASSWORD), &origin(2)).await.is_err());
        // What belongs to somebody else cannot be taken.
        world.clock.advance_micros(60_000_000);
        let wish = world.wish(CodePurpose::ContactChange, &new, &origin(4)).await.unwrap();
        assert!(matches!(wish, CodeWish::Nothing));
        let wrong = world.identity.contact_change(&ben.session, &new, &code, &origin(4)).await.unwrap_err();
        assert!(matches!(wrong, IdentityError::CodeWrong));
    }

    async fn an_address_that_is_optional_may_be_given_up(db: Db) {
        let world = World::new(db).await;
        let ann = world.person("ann").await;
        let optional = RegistrationRules { email: Need::Optional, phone: Need::Optional, ..RegistrationRules::default() };
        let remove = async |rules: &RegistrationRules, kind: ContactKind| world.identity.contact_remove(rules, &ann.session, kind).await;
        let strict = RegistrationRules::default();
        let required = remove(&strict, ContactKind::Email).await;
        assert!(matches!(required, Err(IdentityError::RegistrationField { field: "email", .. })));
        assert!(matches!(remove(&optional, ContactKind::Phone).await, Err(IdentityError::ContactNotFound)));
        world.heard.take();
        remove(&optional, ContactKind::Email).await.unwrap();
        assert_eq!(world.heard.take(), [(vec!["ann@example.org".to_owned()], "Changed(Email)".to_owned())]);
        assert!(world.identity.sign_in_with_password("ann@example.org", secret(PASSWORD), &origin(2)).await.is_err());
        world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        // Whose only way in it is keeps it.
        let to = email("ben@example.org");
        let code = world.code(CodePurpose::Register, &to).await;
        let asked = Registration { email: Some((to.clone(), code)), ..crate::tests::world::plain() };
        let ben = world.register(&asked).await.unwrap();
        let last = world.identity.contact_remove(&optional, &ben.session, ContactKind::Email).await;
        assert!(matches!(last, Err(IdentityError::WayInLast)));
        let code = world.code(CodePurpose::SignIn, &to).await;
        world.identity.sign_in_with_code(&to, &code, &origin(2)).await.unwrap();
        world.clock.advance_micros(HOUR);
        assert!(matches!(remove(&optional, ContactKind::Email).await, Err(IdentityError::StepUpRequired)));
    }

    async fn nobody_can_close_every_way_in_for_somebody_else(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let ann = email("ann@example.org");
        for n in 0..30 {
            let _ = world.identity.sign_in_with_password("ann@example.org", secret("wrong horse"), &origin(n)).await;
        }
        let shut = world.identity.sign_in_with_password("ann@example.org", secret(PASSWORD), &origin(99)).await;
        assert!(matches!(shut, Err(IdentityError::TooMany { .. })));
        let code = world.code(CodePurpose::SignIn, &ann).await;
        world.identity.sign_in_with_code(&ann, &code, &origin(99)).await.unwrap();
    }

    async fn nobody_has_digests_computed_for_nothing(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let ann = email("ann@example.org");
        // A password that is refused costs a try too, so that there is an end to it.
        let mut answers = Vec::new();
        for _ in 0..22 {
            let reset = world.identity.password_reset(&ann, &secret("0"), secret("short"), &origin(2)).await;
            answers.push(reset.unwrap_err());
        }
        assert!(matches!(answers[20], IdentityError::PasswordWeak { .. }), "{answers:?}");
        assert!(matches!(answers[21], IdentityError::TooMany { .. }), "{answers:?}");
    }
}
