use super::name;
use super::world::{HOUR, PASSWORD, World, origin, secret};
use crate::registration::{Need, RegistrationRules};
use crate::{AccountChange, IdentityError};
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_storage::{Db, ReadTx, Row, Sql, StorageError, Value, WriteTx, both_engines};
use tacit_vault::{Aad, keyed_hash};

/// As the program before wrote it: the name as it is.
const OF_BEFORE: Sql =
    Sql::new("UPDATE accounts SET name_sealed = $2, name_lookup = $3, name_form = 'exact' WHERE id = $1");
const FORMS: Sql = Sql::new("SELECT name_form FROM accounts ORDER BY id");
const SAME: [&str; 6] = ["Admin", "ADMIN", "Ａｄｍｉｎ", "аdmin", "ad\u{200b}min", "admın"];

async fn rename(world: &World, session: &crate::sessions::Session, to: &str) -> Result<(), IdentityError> {
    world.identity.name_change(&RegistrationRules::default(), session, &name(to)).await
}

/// Makes an account that is found by its name as it is written.
async fn of_before(world: &World, text: &str) -> AccountId {
    let now = AccountId::fresh().to_string().replace('_', " ");
    let id = world.identity.account_create(&name(&now), world.group, &Limits::default()).await.unwrap().id;
    let key = world.identity.subject_key(id).await.unwrap().unwrap();
    let sealed = key.seal(&Aad { table: "accounts", column: "name_sealed", row: id.0 }, text.as_bytes());
    let lookup = keyed_hash(&world.identity.keys.hash_key("account-name"), "account-name", text.as_bytes());
    let values: [Value; 3] = [id.into(), sealed.into(), lookup.to_vec().into()];
    let values = &values;
    let put = async |tx: &mut WriteTx<'_>| tx.execute(&OF_BEFORE, values).await.map(drop);
    let put = &put;
    let put: Result<(), StorageError> = world.db.write("test.before", |tx| Box::pin(put(tx))).await;
    put.unwrap();
    id
}

async fn forms(world: &World) -> Vec<String> {
    let read = async |tx: &mut ReadTx<'_>| tx.all(&FORMS, &[]).await;
    let read = &read;
    let rows: Result<Vec<Row>, StorageError> = world.db.read("test.forms", |tx| Box::pin(read(tx))).await;
    rows.unwrap().iter().map(|row| row.get("name_form").unwrap()).collect()
}

both_engines! {
    async fn what_looks_the_same_is_one_name(db: Db) {
        let world = World::new(db).await;
        let admin = world.person("admin").await;
        let eve = world.person("eve").await;
        for pretended in SAME {
            let found = world.identity.account_by_ref(pretended).await.unwrap().unwrap();
            assert_eq!(found.id, admin.session.account, "{pretended}");
            let made = world.identity.account_create(&name(pretended), world.group, &Limits::default()).await;
            assert!(matches!(made, Err(IdentityError::AccountNameTaken)), "{pretended}");
            let signed_in = world.identity.sign_in_with_password(pretended, secret(PASSWORD), &origin(2)).await.unwrap();
            assert_eq!(signed_in.session.account, admin.session.account);
            let taken = AccountChange { name: Some(name(pretended)), ..AccountChange::default() };
            let taken = world.identity.account_update(eve.session.account, &taken).await;
            assert!(matches!(taken, Err(IdentityError::AccountNameTaken)), "{pretended}");
        }
        // Whose name it is may write it otherwise.
        rename(&world, &admin.session, "ADMIN").await.unwrap();
        let own = world.identity.account_by_ref("admin").await.unwrap().unwrap();
        assert_eq!(own.name, Some(name("ADMIN")), "and it is kept as it was written");
    }

    async fn names_of_before_are_renewed_and_of_two_that_are_one_each_stays_itself(db: Db) {
        let world = World::new(db).await;
        let (first, second, other) = (of_before(&world, "Bill").await, of_before(&world, "bill").await, of_before(&world, "Zoë").await);
        let found = async |text: &str| world.identity.account_by_ref(text).await.unwrap().map(|found| found.id);
        assert_eq!((found("Bill").await, found("bill").await, found("zoë").await), (Some(first), Some(second), None), "by name as ever");
        assert_eq!(world.identity.names_renew().await.unwrap(), 3);
        assert_eq!(forms(&world).await, ["folded", "kept", "folded"]);
        assert_eq!((found("Bill").await, found("bill").await, found("BILL").await), (Some(first), Some(second), Some(first)));
        assert_eq!(found("ZOË").await, Some(other));
        assert_eq!(world.identity.names_renew().await.unwrap(), 0, "once");
        for pretended in ["bill", "bIlL"] {
            let made = world.identity.account_create(&name(pretended), world.group, &Limits::default()).await;
            assert!(matches!(made, Err(IdentityError::AccountNameTaken)), "{pretended}");
        }
        let moved = AccountChange { name: Some(name("William")), ..AccountChange::default() };
        world.identity.account_update(second, &moved).await.unwrap();
        assert_eq!((found("bill").await, found("WILLIAM").await), (Some(first), Some(second)));
        assert_eq!(forms(&world).await, ["folded"; 3]);
    }

    async fn who_is_signed_in_takes_another_name(db: Db) {
        let world = World::new(db).await;
        let (ann, _) = (world.person("ann").await, world.person("ben").await);
        world.heard.take();
        rename(&world, &ann.session, "annabelle").await.unwrap();
        assert_eq!(world.heard.take(), [(vec!["ann@example.org".to_owned()], "Changed(Name)".to_owned())]);
        world.identity.sign_in_with_password("Annabelle", secret(PASSWORD), &origin(2)).await.unwrap();
        let old = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await;
        assert!(matches!(old, Err(IdentityError::SignInFailed)), "the old one is free");
        for bad in ["eve@example.org", "+86 138 0013 8000"] {
            let refused = rename(&world, &ann.session, bad).await;
            assert!(matches!(refused, Err(IdentityError::RegistrationField { field: "username", .. })), "{bad}");
        }
        for bad in ["", " ann", "\u{3164}", &ann.session.account.to_string()] {
            assert!(matches!(rename(&world, &ann.session, bad).await, Err(IdentityError::AccountNameInvalid)), "{bad}");
        }
        let off = RegistrationRules { username: Need::Off, ..RegistrationRules::default() };
        let refused = world.identity.name_change(&off, &ann.session, &name("anna")).await;
        assert!(matches!(refused, Err(IdentityError::RegistrationField { .. })), "where names are not asked for");
        // Whoever tries names out to learn who is here waits.
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(rename(&world, &ann.session, "Ben").await.unwrap_err());
        }
        assert!(answers[..5].iter().all(|e| matches!(e, IdentityError::AccountNameTaken)), "{answers:?}");
        assert!(matches!(answers[5], IdentityError::TooMany { .. }), "{answers:?}");
        world.clock.advance_micros(HOUR);
        assert!(matches!(rename(&world, &ann.session, "anna").await, Err(IdentityError::StepUpRequired)));
    }
}
