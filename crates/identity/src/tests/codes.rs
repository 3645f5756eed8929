use super::world::{HOUR, PASSWORD, SECOND, World, email, origin, plain, secret};
use crate::IdentityError;
use crate::codes::{CODE_LIFE, CodePurpose, CodeWish};
use crate::contacts::Contact;
use crate::registration::Registration;
use crate::sessions::Origin;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use secrecy::{ExposeSecret as _, SecretString};
use tacit_storage::{Db, Sql, WriteTx, both_engines};

/// A code that is not that one.
fn other(code: &SecretString) -> SecretString {
    let text = code.expose_secret();
    let first = if text.starts_with('0') { "1" } else { "0" };
    secret(&format!("{first}{}", &text[1..]))
}

const STORED: Sql = Sql::new("SELECT target, code_hash FROM verification_codes");

both_engines! {
    async fn a_code_is_good_once_for_its_purpose_and_address(db: Db) {
        let world = World::new(db.clone()).await;
        let (ann, ben) = (email("ann@example.org"), email("ben@example.org"));
        let code = world.code(CodePurpose::Register, &ann).await;
        assert_eq!(code.expose_secret().len(), 6);
        let stored = db.read("test.stored", |tx| Box::pin(tx.all(&STORED, &[]))).await.unwrap();
        for column in ["target", "code_hash"] {
            let bytes: Vec<u8> = stored[0].get(column).unwrap();
            assert_eq!(bytes.len(), 32, "a hash and nothing else");
        }
        world.code(CodePurpose::Register, &ben).await;
        assert!(!world.take(CodePurpose::Register, &ben, &code).await);
        assert!(!world.take(CodePurpose::SignIn, &ann, &code).await);
        assert!(world.take(CodePurpose::Register, &ann, &secret(&format!(" {} ", code.expose_secret()))).await);
        assert!(!world.take(CodePurpose::Register, &ann, &code).await);
    }

    async fn a_number_gets_so_many_texts_a_day_and_no_stranger_uses_up_its_owners(db: Db) {
        let mut world = World::new(db).await;
        world.identity = world.identity.with_texts_per_day(4);
        // To the beginning of a day.
        world.clock.advance_micros(2 * HOUR);
        let (phone, mail) = (Contact::phone("+8613800138000", None).unwrap(), email("ann@example.org"));
        let own = world.code(CodePurpose::Register, &phone).await;
        let by_mail = (mail.clone(), world.code(CodePurpose::Register, &mail).await);
        let asked = Registration { phone: Some((phone.clone(), own)), email: Some(by_mail), ..plain() };
        let ann = world.register(&asked).await.unwrap();
        let device = origin(1).known_by(ann.new_device.and_then(|new| new.token));
        world.clock.advance_micros(HOUR);
        let wish = async |to, purpose, from: &Origin| {
            world.clock.advance_micros(60 * SECOND);
            world.wish(purpose, to, from).await
        };
        let until = |got: Result<CodeWish, IdentityError>, whose: &str| match got {
            Err(IdentityError::TooMany { seconds }) => assert!(seconds > 3600 && seconds <= 86_400, "{whose}: {seconds}"),
            other => panic!("{whose}: {other:?}"),
        };
        // One was sent from there to register: half of four, and none more.
        wish(&phone, CodePurpose::SignIn, &origin(1)).await.unwrap();
        until(wish(&phone, CodePurpose::PasswordReset, &origin(1)).await, "a network");
        for n in [2, 3] {
            wish(&phone, CodePurpose::SignIn, &origin(n)).await.unwrap();
        }
        until(wish(&phone, CodePurpose::PasswordReset, &origin(4)).await, "from wherever and for whatever purpose");
        // A number that is nobody's is counted in the same way: the answers tell nothing.
        let nobodys = Contact::phone("+8613800138009", None).unwrap();
        for n in [1, 1, 2, 3] {
            let purpose = if n == 1 { CodePurpose::SignIn } else { CodePurpose::PasswordReset };
            assert!(matches!(wish(&nobodys, purpose, &origin(n)).await, Ok(CodeWish::Nothing)));
        }
        until(wish(&nobodys, CodePurpose::Register, &origin(1)).await, "a network, of a number that is nobody's");
        until(wish(&nobodys, CodePurpose::Register, &origin(5)).await, "a number that is nobody's");
        wish(&mail, CodePurpose::SignIn, &origin(8)).await.unwrap();
        wish(&phone, CodePurpose::SignIn, &device).await.unwrap();
        let asks = async |to: &Contact| {
            let ask = async |tx: &mut WriteTx<'_>| world.identity.text_asked_in_tx(tx, ann.session.account, to).await;
            let ask = &ask;
            world.db.write("test.ask", |tx| Box::pin(ask(tx))).await
        };
        for n in 0..6 {
            let other = Contact::phone(&format!("+861380013800{n}"), None).unwrap();
            assert_eq!(asks(&other).await.is_ok(), n < 4, "an account asks for so many, to whatever numbers");
            asks(&mail).await.unwrap();
        }
        world.clock.advance_micros(24 * HOUR);
        wish(&phone, CodePurpose::PasswordReset, &origin(8)).await.unwrap();
        asks(&phone).await.unwrap();
    }

    async fn five_wrong_tries_or_ten_minutes_or_a_newer_one_end_it(db: Db) {
        let world = World::new(db).await;
        let ann = email("ann@example.org");
        let code = world.code(CodePurpose::Register, &ann).await;
        for _ in 0..4 {
            assert!(!world.take(CodePurpose::Register, &ann, &other(&code)).await);
        }
        world.clock.advance_micros(CODE_LIFE - 1);
        assert!(world.take(CodePurpose::Register, &ann, &code).await, "the fifth try, at the last moment");
        let code = world.code(CodePurpose::Register, &ann).await;
        for _ in 0..5 {
            assert!(!world.take(CodePurpose::Register, &ann, &other(&code)).await);
        }
        assert!(!world.take(CodePurpose::Register, &ann, &code).await);
        let code = world.code(CodePurpose::Register, &ann).await;
        world.clock.advance_micros(CODE_LIFE);
        assert!(!world.take(CodePurpose::Register, &ann, &code).await);
        let (old, new) = (world.code(CodePurpose::Register, &ann).await, {
            world.clock.advance_micros(HOUR);
            world.code(CodePurpose::Register, &ann).await
        });
        if old.expose_secret() != new.expose_secret() {
            assert!(!world.take(CodePurpose::Register, &ann, &old).await);
        }
        assert!(world.take(CodePurpose::Register, &ann, &new).await);
        assert!(!world.identity.forget_step().await.unwrap());
    }

    async fn tries_of_strangers_do_not_use_up_a_code(db: Db) {
        let world = World::new(db).await;
        let ann = email("ann@example.org");
        let code = world.code(CodePurpose::Register, &ann).await;
        for _ in 0..9 {
            assert!(!world.take_from(CodePurpose::Register, &ann, &other(&code), 66).await);
        }
        assert!(!world.take_from(CodePurpose::Register, &ann, &code, 66).await, "there it is used up");
        assert!(world.take(CodePurpose::Register, &ann, &code).await, "and elsewhere it is not");
        // Of all together there is an end to it.
        let code = world.code(CodePurpose::Register, &ann).await;
        for from in 10..15 {
            for _ in 0..5 {
                assert!(!world.take_from(CodePurpose::Register, &ann, &other(&code), from).await);
            }
        }
        assert!(!world.take(CodePurpose::Register, &ann, &code).await);
    }

    async fn codes_for_one_purpose_do_not_use_up_those_for_another(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let ann = email("ann@example.org");
        while world.wish(CodePurpose::Guardian, &ann, &origin(9)).await.is_ok() {}
        assert!(world.wish(CodePurpose::SignIn, &ann, &origin(8)).await.is_ok());
        // Nor do those that strangers ask for use up what a device of the account's own may ask for.
        while world.wish(CodePurpose::SignIn, &ann, &origin(9)).await.is_ok() {}
        let opened = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        let hers = origin(8).known_by(opened.new_device.unwrap().token);
        assert!(matches!(world.wish(CodePurpose::SignIn, &ann, &origin(8)).await, Err(IdentityError::TooMany { .. })));
        assert!(matches!(world.wish(CodePurpose::SignIn, &ann, &hers).await, Ok(CodeWish::Send { .. })));
    }

    async fn nobody_is_flooded_and_the_answer_tells_nothing(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        world.clock.advance_micros(25 * HOUR);
        for (address, sent) in [("ann@example.org", true), ("nobody@example.org", false)] {
            let to = email(address);
            for _ in 0..3 {
                let wish = world.wish(CodePurpose::SignIn, &to, &origin(9)).await.unwrap();
                assert_eq!(matches!(wish, CodeWish::Send { .. }), sent);
            }
            assert!(world.wish(CodePurpose::SignIn, &to, &origin(9)).await.is_ok());
            let refused = world.wish(CodePurpose::SignIn, &to, &origin(8)).await.unwrap_err();
            assert!(matches!(refused, IdentityError::TooMany { seconds: 60..=61 }), "{refused:?}");
            world.clock.advance_micros(62 * SECOND);
            assert!(world.wish(CodePurpose::SignIn, &to, &origin(8)).await.is_ok());
        }
        let again = world.wish(CodePurpose::Register, &email("ann@example.org"), &origin(7)).await;
        assert!(matches!(again, Err(IdentityError::TooMany { .. }) | Ok(CodeWish::AlreadyRegistered)));
    }

    /// Whatever is done in whatever order: a code that was sent is taken if and only if it is the newest, young, tried less
    /// than five times, and not taken yet.
    async fn the_state_machine_of_a_code(db: Db) {
        #[derive(Clone, Debug)]
        enum Step { Send, Right, Wrong, Old, Wait(i64) }
        let step = prop_oneof![
            2 => Just(Step::Send), 3 => Just(Step::Right), 16 => Just(Step::Wrong), 1 => Just(Step::Old),
            2 => (0_i64..CODE_LIFE).prop_map(Step::Wait),
        ];
        let world = World::new(db).await;
        let mut runner = TestRunner::deterministic();
        for case in 0..25 {
            let steps = proptest::collection::vec(step.clone(), 1..40).new_tree(&mut runner).unwrap().current();
            let to = email(&format!("case-{case}@example.org"));
            // What the model knows: the newest code, how long it lives, how often it was tried.
            let mut newest: Option<(SecretString, i64, u32)> = None;
            let mut old: Option<SecretString> = None;
            let mut now = 0;
            for step in &steps {
                match step {
                    Step::Wait(micros) => {
                        world.clock.advance_micros(*micros);
                        now += micros;
                    }
                    Step::Send => {
                        if let Ok(CodeWish::Send { code, .. }) = world.wish(CodePurpose::Guardian, &to, &origin(3)).await {
                            old = newest.take().map(|(code, ..)| code);
                            newest = Some((code, now + CODE_LIFE, 0));
                        }
                    }
                    Step::Right => {
                        let Some((code, until, tries)) = newest.clone() else { continue };
                        let taken = world.take(CodePurpose::Guardian, &to, &code).await;
                        assert_eq!(taken, now < until && tries < 5, "{steps:?}");
                        newest = (!taken).then_some((code, until, tries + 1));
                    }
                    Step::Wrong | Step::Old => {
                        let said = match (step, &newest, &old) {
                            (Step::Old, Some((code, ..)), Some(old)) if old.expose_secret() != code.expose_secret() => old.clone(),
                            (_, Some((code, ..)), _) => other(code),
                            _ => secret("000000"),
                        };
                        assert!(!world.take(CodePurpose::Guardian, &to, &said).await, "{steps:?}");
                        if let Some((.., tries)) = &mut newest { *tries += 1; }
                    }
                }
            }
        }
    }
}
