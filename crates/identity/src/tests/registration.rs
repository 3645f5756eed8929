use super::world::{HOUR, PASSWORD, World, email, origin, plain, secret};
use crate::IdentityError;
use crate::codes::{CodePurpose, CodeWish};
use crate::contacts::Contact;
use crate::registration::{AgeBand, Fields, Language, Need, ProfileField, Registration, RegistrationRules};
use crate::sign_in::SignedIn;
use std::collections::BTreeMap;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Db, Page, ReadTx, SqlText, StorageError, WriteTx, both_engines};

fn fields(of: &[(ProfileField, &str)]) -> Fields {
    of.iter().map(|(field, value)| (*field, Personal::new((*value).to_owned()))).collect()
}

/// What policy 01 asks (2.1.1): phone and name are required, all else is optional.
fn rules_01() -> RegistrationRules {
    let optional = ProfileField::ALL.iter().map(|field| (*field, Need::Optional)).collect();
    RegistrationRules {
        username: Need::Required,
        phone: Need::Required,
        email: Need::Optional,
        password: Need::Off,
        profile: optional,
        ..RegistrationRules::default()
    }
}

async fn register(world: &World, rules: &RegistrationRules, asked: &Registration) -> Result<SignedIn, IdentityError> {
    Box::pin(world.identity.register(rules, asked, world.group, &origin(1))).await
}

async fn profile(world: &World, account: AccountId) -> crate::registration::Profile {
    let read = async |tx: &mut ReadTx<'_>| world.identity.profile_in_tx(tx, account).await;
    let read = &read;
    world.db.read("test.profile", |tx| Box::pin(read(tx))).await.unwrap().unwrap()
}

#[test]
fn codes_are_for_what_the_rules_allow() {
    use crate::codes::CodePurpose as P;
    use crate::contacts::Contact;
    let (mail, phone) = (email("a@example.org"), Contact::phone("+8613800138000", None).unwrap());
    let base = RegistrationRules { phone: Need::Optional, ..RegistrationRules::default() };
    let cases = [
        (base.clone(), P::Register, &phone, true),
        (RegistrationRules { phone: Need::Off, ..base.clone() }, P::Register, &phone, false),
        (RegistrationRules { phone: Need::Off, ..base.clone() }, P::ContactChange, &phone, false),
        (RegistrationRules { phone: Need::Off, ..base.clone() }, P::SignIn, &phone, true),
        (RegistrationRules { open: false, ..base.clone() }, P::Register, &mail, false),
        (RegistrationRules { open: false, ..base.clone() }, P::Guardian, &mail, false),
        (RegistrationRules { open: false, ..base.clone() }, P::SignIn, &mail, true),
        (RegistrationRules { minors: false, ..base.clone() }, P::Guardian, &mail, false),
        (
            RegistrationRules { phone_countries: vec!["1".into(), "86".into()], ..base.clone() },
            P::Register,
            &phone,
            true,
        ),
        (RegistrationRules { phone_countries: vec!["1".into()], ..base.clone() }, P::Register, &phone, false),
        (RegistrationRules { phone_countries: vec!["1".into()], ..base.clone() }, P::Guardian, &phone, false),
        (RegistrationRules { phone_countries: vec!["1".into()], ..base }, P::Register, &mail, true),
    ];
    for (rules, purpose, to, allowed) in cases {
        assert_eq!(rules.code_check(purpose, to).is_ok(), allowed, "{purpose:?} {rules:?}");
    }
}

both_engines! {
    async fn what_is_required_is_and_refusing_the_optional_changes_nothing(db: Db) {
        let world = World::new(db).await;
        let rules = rules_01();
        let phone = Contact::phone("+8613800138000", None).unwrap();
        let asked = |phone| Registration { username: Some(crate::tests::name("ann")), phone, ..plain() };
        let refused = register(&world, &rules, &asked(None)).await.unwrap_err();
        assert!(matches!(refused, IdentityError::RegistrationField { field: "phone", .. }));
        let code = world.code(CodePurpose::Register, &phone).await;
        let with_password = Registration { password: Some(secret(PASSWORD)), ..asked(Some((phone.clone(), code.clone()))) };
        let refused = register(&world, &rules, &with_password).await.unwrap_err();
        assert!(matches!(refused, IdentityError::RegistrationField { field: "password", .. }), "what is not asked for is refused");
        let least = register(&world, &rules, &asked(Some((phone, code)))).await.unwrap();
        assert!(least.session.complete);
        assert_eq!(profile(&world, least.session.account).await.fields, BTreeMap::new());

        let phone = Contact::phone("+8613800138001", None).unwrap();
        let code = world.code(CodePurpose::Register, &phone).await;
        let said = fields(&[(ProfileField::Company, "Acme"), (ProfileField::UseCase, "translation")]);
        let most = Registration { username: Some(crate::tests::name("ben")), phone: Some((phone, code)), profile: said.clone(), ..plain() };
        let most = register(&world, &rules, &most).await.unwrap().session.account;
        assert_eq!(profile(&world, most).await.fields, said);
        world.identity.profile_put(&rules, most, &BTreeMap::new(), Language::Zh).await.unwrap();
        let after = profile(&world, most).await;
        assert_eq!((after.fields, after.language), (BTreeMap::new(), Language::Zh), "each can be taken back");
        let bad = world.identity.profile_put(&rules, most, &fields(&[(ProfileField::City, " ")]), Language::Zh).await;
        assert!(matches!(bad, Err(IdentityError::RegistrationField { field: "city", .. })));
    }

    async fn nothing_is_made_and_no_code_is_used_up_if_anything_is_wrong(db: Db) {
        let world = World::new(db).await;
        world.person("ann").await;
        let (mail, phone) = (email("ben@example.org"), Contact::phone("+8613800138000", None).unwrap());
        let (a, b) = (world.code(CodePurpose::Register, &mail).await, world.code(CodePurpose::Register, &phone).await);
        let asked = |name: &str, phone_code: &secrecy::SecretString| Registration {
            username: Some(crate::tests::name(name)),
            email: Some((mail.clone(), a.clone())),
            phone: Some((phone.clone(), phone_code.clone())),
            ..plain()
        };
        for pretended in ["ann@example.org", "+86 138 0013 8000"] {
            let refused = world.register(&asked(pretended, &b)).await.unwrap_err();
            assert!(matches!(refused, IdentityError::RegistrationField { field: "username", .. }), "{pretended}");
        }
        let wrong = world.register(&asked("ben", &secret("x"))).await.unwrap_err();
        assert!(matches!(wrong, IdentityError::CodeWrong));
        let taken = world.register(&asked("ann", &b)).await.unwrap_err();
        assert!(matches!(taken, IdentityError::AccountNameTaken));
        assert!(world.identity.account_by_ref("ben").await.unwrap().is_none());
        world.register(&asked("ben", &b)).await.unwrap();
        // Its owner is told that somebody tried; whoever did hears nothing.
        world.clock.advance_micros(HOUR);
        let wish = world.wish(CodePurpose::Register, &mail, &origin(5)).await.unwrap();
        assert!(matches!(wish, CodeWish::AlreadyRegistered));
    }

    async fn minors_need_a_guardian_who_is_somebody_else(db: Db) {
        let world = World::new(db).await;
        let (mail, parent) = (email("kim@example.org"), email("parent@example.org"));
        for age in [AgeBand::Under18, AgeBand::Under14] {
            let minor = |guardian| Registration {
                username: Some(crate::tests::name("kim")), password: Some(secret(PASSWORD)), age, guardian,
                email: Some((mail.clone(), secret("000000"))), ..plain()
            };
            for guardian in [None, Some((mail.clone(), secret("000000")))] {
                let refused = world.register(&minor(guardian)).await.unwrap_err();
                assert!(matches!(refused, IdentityError::RegistrationField { field: "guardian", .. }));
            }
            let closed = RegistrationRules { minors: false, ..RegistrationRules::default() };
            let refused = register(&world, &closed, &minor(Some((parent.clone(), secret("0"))))).await.unwrap_err();
            assert!(matches!(refused, IdentityError::RegistrationField { field: "age", .. }));
        }
        let code = world.code(CodePurpose::Register, &mail).await;
        let consent = world.code(CodePurpose::Guardian, &parent).await;
        let asked = Registration {
            age: AgeBand::Under14, guardian: Some((parent.clone(), consent)), email: Some((mail, code)), ..plain()
        };
        let account = world.register(&asked).await.unwrap().session.account;
        assert_eq!(profile(&world, account).await.age, AgeBand::Under14);
    }

    async fn an_invitation_is_good_once_and_tells_who_invited(db: Db) {
        let world = World::new(db).await;
        let ann = world.person("ann").await.session.account;
        let rules = RegistrationRules { invitation: Need::Required, ..RegistrationRules::default() };
        let (_, invitation) = world.identity.invitation_create(Some(ann)).await.unwrap();
        let asked = async |name: &str, invitation: Option<secrecy::SecretString>| {
            let to = email(&format!("{name}@example.org"));
            let code = world.code(CodePurpose::Register, &to).await;
            Registration { email: Some((to, code)), invitation, ..plain() }
        };
        let without = register(&world, &rules, &asked("ben", None).await).await.unwrap_err();
        assert!(matches!(without, IdentityError::RegistrationField { field: "invitation", .. }));
        let ben = register(&world, &rules, &asked("ben", Some(invitation.clone())).await).await.unwrap().session.account;
        assert_eq!(profile(&world, ben).await.invited_by, Some(ann));
        let used = register(&world, &rules, &asked("eve", Some(invitation)).await).await.unwrap_err();
        assert!(matches!(used, IdentityError::InvitationInvalid));
        for _ in 0..20 {
            world.identity.invitation_create(Some(ann)).await.unwrap();
        }
        let more = world.identity.invitation_create(Some(ann)).await;
        assert!(matches!(more, Err(IdentityError::TooMuch)), "nobody used those before");
        let (made, late) = world.identity.invitation_create(None).await.unwrap();
        world.clock.advance_micros(30 * 24 * HOUR);
        assert_eq!(made.expires_at, tacit_kernel::Clock::now(&*world.clock));
        let late = register(&world, &rules, &asked("eve", Some(late)).await).await.unwrap_err();
        assert!(matches!(late, IdentityError::InvitationInvalid));
        let closed = RegistrationRules { open: false, ..rules };
        assert!(matches!(register(&world, &closed, &plain()).await, Err(IdentityError::RegistrationClosed)));
    }
    async fn guardians_of_before_are_found_by_their_address(db: Db) {
        let world = World::new(db).await;
        let wards = async |guardian: &Contact| {
            let read = async |tx: &mut ReadTx<'_>| world.identity.wards_in_tx(tx, guardian).await;
            let read = &read;
            world.db.read("test.wards", |tx| Box::pin(read(tx))).await.unwrap()
        };
        let guardians = [email("parent@example.org"), Contact::phone("+8613800138009", None).unwrap()];
        let mut minors = Vec::new();
        for (number, guardian) in guardians.iter().enumerate() {
            let mail = email(&format!("kim{number}@example.org"));
            let code = world.code(CodePurpose::Register, &mail).await;
            let consent = world.code(CodePurpose::Guardian, guardian).await;
            let asked = Registration {
                age: AgeBand::Under14, guardian: Some((guardian.clone(), consent)), email: Some((mail, code)), ..plain()
            };
            minors.push(world.register(&asked).await.unwrap().session.account);
        }
        assert_eq!(world.identity.guardians_renew().await.unwrap(), 0, "they are found");
        // As the program before wrote it.
        let before = async |sql: &'static str| {
            let change = async |tx: &mut WriteTx<'_>| tx.change(SqlText::new(sql)).await;
            let change = &change;
            let changed: Result<u64, StorageError> = world.db.write("test.before", |tx| Box::pin(change(tx))).await;
            changed.unwrap()
        };
        assert_eq!(before("UPDATE account_profiles SET guardian_lookup = NULL").await, 2);
        assert_eq!(wards(&guardians[0]).await, []);
        assert_eq!(world.identity.guardians_renew().await.unwrap(), 2);
        for (minor, guardian) in minors.iter().zip(&guardians) {
            assert_eq!(wards(guardian).await, [*minor]);
        }
        assert_eq!(world.identity.guardians_renew().await.unwrap(), 0, "once");
    }
    async fn who_invited_sees_and_withdraws_and_who_was_invited_sees_who(db: Db) {
        let world = World::new(db).await;
        let (ann, eve) = (world.person("ann").await.session.account, world.person("eve").await.session.account);
        let (used, code) = world.identity.invitation_create(Some(ann)).await.unwrap();
        let (open, void) = world.identity.invitation_create(Some(ann)).await.unwrap();
        let to = email("ben@example.org");
        let own = world.code(CodePurpose::Register, &to).await;
        let asked = Registration { email: Some((to, own)), invitation: Some(code), ..plain() };
        let ben = world.register(&asked).await.unwrap().session.account;
        let read = async |tx: &mut ReadTx<'_>| {
            Ok::<_, IdentityError>((world.identity.inviter_in_tx(tx, ben).await?, world.identity.inviter_in_tx(tx, ann).await?))
        };
        let read = &read;
        let (inviter, nobody) = world.db.read("test.inviter", |tx| Box::pin(read(tx))).await.unwrap();
        let inviter = inviter.unwrap();
        assert_eq!((inviter.account, nobody), (ann, None));
        assert_eq!((inviter.name.unwrap().as_str(), inviter.email.unwrap().as_str()), ("a***", "a***@example.org"));

        let first = Page { after: None, limit: 1 };
        let page = world.identity.invitation_list(ann, first).await.unwrap();
        assert!(page.items[0].id == used.id && page.items[0].used_at.is_some());
        let rest = world.identity.invitation_list(ann, Page { after: page.next, limit: 5 }).await.unwrap();
        assert_eq!((rest.items, rest.next), (vec![open.clone()], None));
        assert_eq!(world.identity.invitation_list(eve, first).await.unwrap().items, []);
        for (by, id) in [(eve, open.id), (ann, used.id)] {
            let refused = world.identity.invitation_withdraw(by, id).await;
            assert!(matches!(refused, Err(IdentityError::InvitationNotFound)), "another's, or used");
        }
        world.identity.invitation_withdraw(ann, open.id).await.unwrap();
        let to = email("zoe@example.org");
        let own = world.code(CodePurpose::Register, &to).await;
        let late = world.register(&Registration { email: Some((to, own)), invitation: Some(void), ..plain() }).await;
        assert!(matches!(late, Err(IdentityError::InvitationInvalid)));
    }
}
