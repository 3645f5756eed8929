//! Who gets an account back has it alone.

use super::world::{HOUR, World, email, origin, secret};
use crate::IdentityError;
use crate::access::{Permissions, Scopes};
use crate::codes::CodePurpose;
use crate::identities::Stranger;
use crate::roles::Acting;
use crate::tests::name;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Db, Page, WriteTx, both_engines};

fn stranger(subject: &str) -> Stranger {
    Stranger::new("example", subject.to_owned(), None, subject)
}

impl World {
    async fn identities_shown(&self, account: AccountId) -> Vec<String> {
        let linked = self.identity.identity_list(account, Page::default()).await.unwrap().items;
        linked.into_iter().map(|one| one.shown.reveal().clone()).collect()
    }

    /// An account with an identity of its own from long ago, and what somebody else has added since.
    async fn taken_over(&self) -> (AccountId, secrecy::SecretString) {
        let ann = self.person("ann").await.session.account;
        let (identity, deploy) = (&self.identity, &name("deploy"));
        let link = async |tx: &mut WriteTx<'_>, which: &str| {
            identity.identity_put_in_tx(tx, ann, &stranger(which)).await.map(drop)
        };
        let link = &link;
        self.db.write("test.link", |tx| Box::pin(link(tx, "own"))).await.unwrap();
        self.clock.advance_micros(8 * 24 * HOUR);
        self.db.write("test.link", |tx| Box::pin(link(tx, "other"))).await.unwrap();
        let make = async |tx: &mut WriteTx<'_>| {
            identity.management_key_create_in_tx(tx, ann, deploy, (Scopes::NONE, Permissions::NONE), None).await
        };
        let make = &make;
        let (_, key) = self.db.write("test.make", |tx| Box::pin(make(tx))).await.unwrap();
        assert!(identity.caller_by_management_key(&key).await.unwrap().is_some());
        (ann, key)
    }

    async fn alone(&self, ann: AccountId, key: &secrecy::SecretString) {
        assert_eq!(self.identities_shown(ann).await, ["own"]);
        assert!(self.identity.caller_by_management_key(key).await.unwrap().is_none());
        assert!(self.identity.session_list(ann, Page::default()).await.unwrap().items.is_empty());
        let told = self.heard.take();
        let what = "Recovered(Recovered { management_keys: 1, passkeys: 0, identities: 1, api_keys: 0 })";
        assert_eq!(told.last().unwrap(), &(vec!["ann@example.org".to_owned()], what.to_owned()), "{told:?}");
    }
}

both_engines! {
    async fn a_reset_password_closes_the_other_doors(db: Db) {
        let world = World::new(db).await;
        let (ann, key) = world.taken_over().await;
        let to = email("ann@example.org");
        let code = world.code(CodePurpose::PasswordReset, &to).await;
        world.identity.password_reset(&to, &code, secret("battery staple"), &origin(2)).await.unwrap();
        world.alone(ann, &key).await;
    }

    async fn so_does_a_reset_by_staff(db: Db) {
        let world = World::new(db).await;
        let (ann, key) = world.taken_over().await;
        let identity = &world.identity;
        let void = async |tx: &mut WriteTx<'_>| identity.password_void_in_tx(tx, Acting::Operator, ann).await.map(drop);
        let void = &void;
        world.db.write("test.void", |tx| Box::pin(void(tx))).await.unwrap();
        world.alone(ann, &key).await;
    }

    async fn and_one_of_the_second_factor(db: Db) {
        let world = World::new(db).await;
        let (ann, key) = world.taken_over().await;
        let identity = &world.identity;
        let void = async |tx: &mut WriteTx<'_>| identity.second_factor_void_in_tx(tx, Acting::Operator, ann).await;
        let void = &void;
        let voided: Result<(), IdentityError> = world.db.write("test.void", |tx| Box::pin(void(tx))).await;
        voided.unwrap();
        world.alone(ann, &key).await;
    }
}
