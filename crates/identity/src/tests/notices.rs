//! A change and the notice of it are one: where the notice cannot be written nothing has changed.

use super::world::{PASSWORD, World, email, origin, secret};
use crate::IdentityError;
use crate::access::{Permissions, Scopes};
use crate::codes::CodePurpose;
use crate::tests::name;
use tacit_kernel::call::CallSource;
use tacit_kernel::limits::Limits;
use tacit_storage::{Db, Page, ReadTx, WriteTx, both_engines};

fn undone<T>(got: Result<T, IdentityError>) {
    assert!(matches!(got, Err(IdentityError::Storage(_))));
}

both_engines! {
    async fn there_is_no_change_without_its_notice(db: Db) {
        let world = World::new(db.clone()).await;
        let (identity, ann, new) = (&world.identity, email("ann@example.org"), email("ann@sea.example"));
        let first = world.person("ann").await;
        let account = first.session.account;
        let to_change = world.code(CodePurpose::ContactChange, &new).await;
        let to_reset = world.code(CodePurpose::PasswordReset, &ann).await;
        let (key, shown) = identity.key_create(account, &name("k"), CallSource::Api, &Limits::default()).await.unwrap();
        let (shown, deploy) = (&shown, &name("deploy"));
        let make = async |tx: &mut WriteTx<'_>| {
            identity.management_key_create_in_tx(tx, account, deploy, (Scopes::NONE, Permissions::NONE), None).await
        };
        let report = async |tx: &mut WriteTx<'_>| identity.leak_report_in_tx(tx, shown, [198, 51, 100, 1].into()).await;
        let contacts = async |tx: &mut ReadTx<'_>| identity.contacts_of_in_tx(tx, account).await;
        let (make, report, contacts) = (&make, &report, &contacts);
        let held = async || {
            let held: Result<_, IdentityError> = db.read("test.contacts", |tx| Box::pin(contacts(tx))).await;
            held.unwrap().into_iter().map(|held| held.contact).collect::<Vec<_>>()
        };

        world.heard.breaks(true);
        undone(identity.password_change(&first.session, secret("battery staple")).await);
        undone(identity.contact_change(&first.session, &new, &to_change, &origin(2)).await);
        undone(identity.password_reset(&ann, &to_reset, secret("battery staple"), &origin(2)).await);
        undone(identity.sign_in_with_password("ann", secret(PASSWORD), &origin(9)).await);
        undone(db.write("test.make", |tx| Box::pin(make(tx))).await);
        undone(db.write("test.report", |tx| Box::pin(report(tx))).await);
        world.heard.breaks(false);
        world.heard.take();
        assert_eq!(held().await, std::slice::from_ref(&ann));
        assert_eq!(identity.session_list(account, Page::default()).await.unwrap().items.len(), 1, "nobody was let in");
        assert!(identity.management_key_list(account, Page::default()).await.unwrap().items.is_empty());
        assert!(identity.key_by_ref(&key.id.to_string()).await.unwrap().unwrap().enabled);
        identity.sign_in_with_password("ann", secret(PASSWORD), &origin(9)).await.unwrap();

        // Nor were the codes used up: all of it can be done, and is told.
        identity.contact_change(&first.session, &new, &to_change, &origin(2)).await.unwrap();
        assert_eq!(held().await, std::slice::from_ref(&new));
        db.write("test.make", |tx| Box::pin(make(tx))).await.unwrap();
        assert_eq!(db.write("test.report", |tx| Box::pin(report(tx))).await.unwrap(), Some(account));
        identity.password_change(&first.session, secret("battery staple")).await.unwrap();
        let told: Vec<_> = world.heard.take().into_iter().map(|(_, what)| what).collect();
        assert_eq!(told, ["NewDevice", "Changed(Email)", "ManagementKeyMade", "KeyLeaked", "Changed(Password)"]);
    }
}
