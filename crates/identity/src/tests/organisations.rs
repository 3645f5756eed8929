//! Organisations, their members and keys: what may be done by whom, and what holds whatever is done.

mod model;

use super::world::{HOUR, World, email, origin, secret};
use crate::access::BuiltInRole;
use crate::keys::{BudgetOf, KeyBudget};
use crate::organisations::{Invited, MemberChange, Organisation, OrganisationRole as Role, Project, ProjectChange};
use crate::roles::Acting;
use crate::{AccountChange, ApiKey, IdentityError, KeyChange, Retired};
use model::Model;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use secrecy::SecretString;
use std::collections::BTreeMap;
use tacit_kernel::Nano;
use tacit_kernel::ids::{AccountId, MemberInvitationId, ProjectId};
use tacit_kernel::limits::{Budget, Limits};
use tacit_storage::changes::Change;
use tacit_storage::{Db, Page, Row, Sql, StorageError, both_engines};

pub(super) type Done<T> = Result<T, IdentityError>;

/// Does it in a transaction of its own.
macro_rules! in_tx {
    ($world:expr, |$identity:ident, $tx:ident| $work:expr) => {{
        let $identity = &$world.identity;
        let work = async |$tx: &mut tacit_storage::WriteTx<'_>| $work.await;
        let work = &work;
        $world.db.write("test.organisation", |tx| Box::pin(work(tx))).await
    }};
}

impl World {
    pub(super) async fn somebody(&self, name: &str) -> AccountId {
        self.identity.account_create(&crate::tests::name(name), self.group, &Limits::default()).await.unwrap().id
    }

    pub(super) async fn organisation(&self, owner: AccountId) -> Done<Organisation> {
        let name = &crate::tests::name("Analytical Engines");
        in_tx!(self, |identity, tx| identity.organisation_create_in_tx(tx, owner, name))
    }

    async fn invite(&self, by: (AccountId, AccountId), to: &str, role: Role) -> Done<Invited> {
        let (to, from) = (&email(to), origin(9).address);
        in_tx!(self, |identity, tx| identity.member_invite_in_tx(tx, by, (to, role), from))
    }

    async fn join(&self, account: AccountId, token: &SecretString) -> Done<Option<(Organisation, Role)>> {
        let from = origin(9).address;
        in_tx!(self, |identity, tx| identity.member_join_in_tx(tx, account, token, from))
    }

    /// Makes somebody a member.
    pub(super) async fn member(&self, by: (AccountId, AccountId), name: &str, role: Role) -> AccountId {
        let account = self.somebody(name).await;
        let invited = self.invite(by, &format!("{name}@example.org"), role).await.unwrap();
        assert_eq!(self.join(account, &invited.token).await.unwrap().unwrap().1, role);
        account
    }

    async fn change(&self, by: (AccountId, AccountId), member: AccountId, change: MemberChange) -> Done<()> {
        in_tx!(self, |identity, tx| identity.member_update_in_tx(tx, by, member, change)).map(drop)
    }

    async fn role(&self, by: (AccountId, AccountId), member: AccountId, role: Role) -> Done<()> {
        self.change(by, member, MemberChange { role: Some(role), budget: None }).await
    }

    async fn remove(&self, by: (AccountId, AccountId), member: AccountId) -> Done<()> {
        in_tx!(self, |identity, tx| identity.member_remove_in_tx(tx, by, member))
    }

    async fn leave(&self, organisation: AccountId, member: AccountId) -> Done<()> {
        in_tx!(self, |identity, tx| identity.member_leave_in_tx(tx, organisation, member))
    }

    pub(super) async fn hand_over(&self, by: (AccountId, AccountId), to: AccountId) -> Done<()> {
        in_tx!(self, |identity, tx| identity.ownership_offer_in_tx(tx, by, to))?;
        self.accept((by.0, to)).await
    }

    async fn accept(&self, by: (AccountId, AccountId)) -> Done<()> {
        in_tx!(self, |identity, tx| identity.ownership_accept_in_tx(tx, by)).map(drop)
    }

    async fn close(&self, by: (AccountId, AccountId)) -> Done<()> {
        in_tx!(self, |identity, tx| identity.organisation_close_in_tx(tx, by))
    }

    async fn project(&self, by: (AccountId, AccountId), budget: Budget) -> Done<Project> {
        let name = &crate::tests::name("Engine");
        in_tx!(self, |identity, tx| identity.project_create_in_tx(tx, by, name, budget))
    }

    async fn archive(&self, by: (AccountId, AccountId), id: ProjectId, active: bool) -> Done<Project> {
        let change = &ProjectChange { active: Some(active), ..ProjectChange::default() };
        in_tx!(self, |identity, tx| identity.project_update_in_tx(tx, by, id, change))
    }

    pub(super) async fn key(
        &self,
        by: (AccountId, AccountId),
        belongs: (Option<AccountId>, Option<ProjectId>),
        name: &str,
    ) -> Done<(ApiKey, SecretString)> {
        let (name, limits) = (&crate::tests::name(name), &Limits::default());
        in_tx!(self, |identity, tx| identity.organisation_key_create_in_tx(tx, by, belongs, name, limits))
    }

    /// Makes a key that is a project's alone.
    async fn project_key(&self, by: (AccountId, AccountId), id: ProjectId, name: &str) -> Done<(ApiKey, SecretString)> {
        let (name, limits) = (&crate::tests::name(name), &Limits::default());
        in_tx!(self, |identity, tx| identity.project_key_create_in_tx(tx, by, id, name, limits))
    }

    async fn enable(&self, key: &ApiKey) -> Done<ApiKey> {
        let change = KeyChange { enabled: Some(true), ..KeyChange::default() };
        self.identity.key_update(key.id, &change).await
    }

    /// Whether a gateway would serve that key.
    async fn serves(&self, secret: &SecretString) -> bool {
        let facts = self.identity.key_grant_by_hash(self.identity.key_hash(secret)).await.unwrap().unwrap();
        facts.key_enabled && facts.account_enabled
    }

    async fn roles(&self, organisation: AccountId) -> BTreeMap<AccountId, Role> {
        let members = self.identity.member_list(organisation, Page::default()).await.unwrap().items;
        members.into_iter().map(|member| (member.account, member.role)).collect()
    }
}

const SEALED: Sql = Sql::new(
    "SELECT o.name_sealed AS a, i.recipient_sealed AS b, i.recipient_lookup AS c, i.token_hash AS d, p.name_sealed AS e \
     FROM organisations o JOIN organisation_invitations i ON i.organisation_id = o.account_id \
     JOIN organisation_projects p ON p.organisation_id = o.account_id",
);

both_engines! {
    async fn an_organisation_from_its_making_to_its_end(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let made = world.organisation(ann).await.unwrap();
        let (id, by) = (made.id, (made.id, ann));
        assert_eq!(made.name, Some(crate::tests::name("Analytical Engines")));
        assert_eq!(world.roles(id).await, BTreeMap::from([(ann, Role::Owner)]));
        let account = world.identity.account_by_ref(&id.to_string()).await.unwrap().unwrap();
        assert_eq!(account.group, world.group);
        // Its name is no name to sign in with, and may be anybody's.
        assert!(world.identity.account_by_ref("Analytical Engines").await.unwrap().is_none());
        assert!(world.organisation(ann).await.is_ok());

        let bob = world.member(by, "bob", Role::Developer).await;
        let (key, text) = world.key((id, bob), (None, None), "laptop").await.unwrap();
        assert_eq!((key.account, key.belongs.member, key.belongs.project), (id, Some(bob), None));
        assert!(world.serves(&text).await);
        world.identity.role_grant(Acting::Operator, bob, BuiltInRole::Owner.as_str()).await.unwrap();
        assert!(matches!(world.close((id, bob)).await, Err(IdentityError::BeyondOwn)), "staff is no more here");

        let before = crate::tests::feed(&db).await.len();
        world.close(by).await.unwrap();
        let told = crate::tests::feed(&db).await.split_off(before);
        assert_eq!(told, [Change::Account(id), Change::Recall { account: id, but: None }]);
        assert!(!world.serves(&text).await);
        assert!(!world.identity.organisation_standing(id, ann).await.unwrap().unwrap().open);
        assert!(matches!(world.project(by, Budget::default()).await, Err(IdentityError::OrganisationClosed)));
        assert!(matches!(world.invite(by, "x@example.org", Role::Viewer).await, Err(IdentityError::OrganisationClosed)));
        assert!(matches!(world.remove(by, bob).await, Err(IdentityError::OrganisationClosed)));
        assert!(matches!(world.close(by).await, Err(IdentityError::OrganisationClosed)));
        let nobody = world.identity.organisation_reopen(ann).await;
        assert!(matches!(nobody, Err(IdentityError::OrganisationNotFound)), "a person is no organisation");
        world.identity.organisation_reopen(id).await.unwrap();
        assert!(world.serves(&text).await);
        world.close(by).await.unwrap();
        world.leave(id, bob).await.unwrap();
        assert!(matches!(world.leave(id, ann).await, Err(IdentityError::OrganisationOwner)));
        let listed = world.identity.organisation_list(ann, Page::default()).await.unwrap().items;
        assert_eq!(listed.iter().map(|m| (m.organisation.open, m.role)).collect::<Vec<_>>().len(), 2);
        assert!(world.identity.organisation_list(bob, Page::default()).await.unwrap().items.is_empty());
    }

    async fn nobody_has_more_organisations_than_they_may(db: Db) {
        let world = World::new(db).await;
        let (ann, bob) = (world.somebody("ann").await, world.somebody("bob").await);
        let first = world.organisation(ann).await.unwrap().id;
        for _ in 1..10 {
            world.organisation(ann).await.unwrap();
        }
        assert!(matches!(world.organisation(ann).await, Err(IdentityError::TooMuch)));
        let bobs = world.organisation(bob).await.unwrap().id;
        let invited = world.invite((bobs, bob), "ann@example.org", Role::Admin).await.unwrap();
        world.join(ann, &invited.token).await.unwrap().unwrap();
        assert!(matches!(world.hand_over((bobs, bob), ann).await, Err(IdentityError::TooMuch)), "nor by a gift");
        let invited = world.invite((first, ann), "bob@example.org", Role::Viewer).await.unwrap();
        world.join(bob, &invited.token).await.unwrap().unwrap();
        world.hand_over((first, ann), bob).await.unwrap();
        assert_eq!(world.roles(first).await, BTreeMap::from([(ann, Role::Admin), (bob, Role::Owner)]));
        assert!(world.organisation(ann).await.is_ok());
        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        world.identity.account_update(ann, &off).await.unwrap();
        assert!(matches!(world.organisation(ann).await, Err(IdentityError::AccountDisabled)));
        assert!(matches!(world.hand_over((first, bob), ann).await, Err(IdentityError::AccountDisabled)));
    }

    async fn an_organisation_is_handed_over_to_who_wants_it(db: Db) {
        let world = World::new(db).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let by = (id, ann);
        let (bob, eve) = (world.member(by, "bob", Role::Viewer).await, world.member(by, "eve", Role::Admin).await);
        let offer = async |to: AccountId| in_tx!(world, |identity, tx| identity.ownership_offer_in_tx(tx, by, to));
        let end = async |who: AccountId| in_tx!(world, |identity, tx| identity.ownership_offer_end_in_tx(tx, (id, who)));
        let gone = |done: Done<()>| matches!(done, Err(IdentityError::OfferNotFound));
        let stands = BTreeMap::from([(ann, Role::Owner), (bob, Role::Viewer), (eve, Role::Admin)]);
        assert!(matches!(offer(ann).await, Err(IdentityError::OrganisationOwner)));
        assert!(gone(world.accept((id, bob)).await), "nothing was offered");
        offer(bob).await.unwrap();
        assert_eq!(world.roles(id).await, stands, "an offer changes nothing");
        assert!(gone(world.accept((id, eve)).await) && gone(world.accept(by).await), "it is not theirs");
        assert!(gone(end(eve).await.map(drop)));
        offer(eve).await.unwrap();
        assert!(gone(world.accept((id, bob)).await), "a newer one voids it");
        end(ann).await.unwrap();
        assert!(gone(world.accept((id, eve)).await), "withdrawn");
        offer(bob).await.unwrap();
        end(bob).await.unwrap();
        assert!(gone(world.accept((id, bob)).await), "refused");
        let offered = offer(bob).await.unwrap();
        world.clock.advance_micros(7 * 24 * HOUR);
        assert!(gone(world.accept((id, bob)).await), "late");
        assert_eq!(offered.expires_at.micros_since(offered.created_at), 7 * 24 * HOUR);
        world.identity.forget_step().await.unwrap();
        offer(bob).await.unwrap();
        world.leave(id, bob).await.unwrap();
        let invited = world.invite(by, "again@example.org", Role::Viewer).await.unwrap();
        world.join(bob, &invited.token).await.unwrap().unwrap();
        assert!(gone(world.accept((id, bob)).await), "who left has none");
        assert_eq!(world.roles(id).await, stands);
        offer(bob).await.unwrap();
        world.accept((id, bob)).await.unwrap();
        assert_eq!(world.roles(id).await, BTreeMap::from([(ann, Role::Admin), (bob, Role::Owner), (eve, Role::Admin)]));
        assert!(gone(world.accept((id, bob)).await), "once");
    }

    async fn a_budget_is_set_by_who_stands_above(db: Db) {
        let world = World::new(db).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let by = (id, ann);
        let (eve, dan) = (world.member(by, "eve", Role::Admin).await, world.member(by, "dan", Role::Admin).await);
        let bob = world.member(by, "bob", Role::Developer).await;
        let set = async |who: AccountId, whose: AccountId, day: i64| {
            let budget = Budget { spend_per_day: Some(Nano(day)), ..Budget::default() };
            world.change((id, who), whose, MemberChange { role: None, budget: Some(budget) }).await
        };
        set(ann, eve, 5).await.unwrap();
        set(eve, bob, 5).await.unwrap();
        for (who, whose) in [(eve, eve), (dan, eve), (ann, ann)] {
            assert!(matches!(set(who, whose, 9).await, Err(IdentityError::BeyondOwn)));
        }
        // What stays as it is may be said.
        set(eve, eve, 5).await.unwrap();
        let refused = world.key((id, eve), (Some(dan), None), "of a peer").await;
        assert!(matches!(refused, Err(IdentityError::BeyondOwn)), "else the budget of one is that of two");
        world.key((id, eve), (Some(bob), None), "of one below").await.unwrap();
        world.key((id, eve), (Some(eve), None), "own").await.unwrap();
        world.key(by, (Some(dan), None), "by the owner").await.unwrap();
    }

    async fn an_invitation_is_good_once_for_a_week_and_while_who_invited_may(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let (by, bob) = ((id, ann), world.somebody("bob").await);
        assert!(matches!(world.invite(by, "b@example.org", Role::Owner).await, Err(IdentityError::OrganisationOwner)));
        let first = world.invite(by, "b@example.org", Role::Viewer).await.unwrap();
        let second = world.invite(by, "B@example.org", Role::Developer).await.unwrap();
        assert_eq!(world.join(bob, &first.token).await.unwrap(), None, "a newer one voids it");
        let listed = world.identity.member_invitation_list(id, Page::default()).await.unwrap().items;
        assert_eq!(listed, std::slice::from_ref(&second.invitation));
        assert_eq!(listed[0].recipient.as_ref().unwrap().masked().as_str(), "b***@example.org");
        world.project(by, Budget::default()).await.unwrap();
        let row: Result<Row, StorageError> =
            db.read("test.rows", |tx| Box::pin(async move { Ok(tx.one(&SEALED, &[]).await?.unwrap()) })).await;
        let row = row.unwrap();
        for column in ["a", "b", "c", "d", "e"] {
            let bytes: Vec<u8> = row.get(column).unwrap();
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            assert!(!text.contains("example") && !text.contains("engine"), "{column}");
        }

        assert_eq!(world.join(bob, &secret("nothing")).await.unwrap(), None);
        assert_eq!(world.join(bob, &second.token).await.unwrap().unwrap().1, Role::Developer);
        assert_eq!(world.join(bob, &second.token).await.unwrap(), None, "once");
        let again = world.invite(by, "other@example.org", Role::Viewer).await.unwrap();
        assert!(matches!(world.join(bob, &again.token).await, Err(IdentityError::MemberAlready)));

        // Who invited is an admin no more, and later no member.
        let (eve, dan) = (world.member(by, "eve", Role::Admin).await, world.somebody("dan").await);
        let invited = world.invite((id, eve), "dan@example.org", Role::Admin).await.unwrap();
        assert!(matches!(world.invite((id, eve), "d@example.org", Role::Billing).await, Err(IdentityError::BeyondOwn)));
        world.role(by, eve, Role::Developer).await.unwrap();
        assert_eq!(world.join(dan, &invited.token).await.unwrap(), None);
        world.remove(by, eve).await.unwrap();
        assert_eq!(world.join(dan, &invited.token).await.unwrap(), None);

        let late = world.invite(by, "late@example.org", Role::Viewer).await.unwrap();
        world.clock.advance_micros(7 * 24 * HOUR);
        assert_eq!(world.join(dan, &late.token).await.unwrap(), None);
        assert!(world.identity.member_invitation_list(id, Page::default()).await.unwrap().items.is_empty());
        world.identity.forget_step().await.unwrap();
        let withdraw = async |invitation: MemberInvitationId| {
            in_tx!(world, |identity, tx| identity.member_invitation_withdraw_in_tx(tx, by, invitation))
        };
        let gone = withdraw(late.invitation.id).await;
        assert!(matches!(gone, Err(IdentityError::MemberInvitationNotFound)), "it was forgotten");
        let taken_back = world.invite(by, "late@example.org", Role::Viewer).await.unwrap();
        withdraw(taken_back.invitation.id).await.unwrap();
        assert_eq!(world.join(dan, &taken_back.token).await.unwrap(), None);
    }

    async fn tokens_cannot_be_guessed_nor_people_written_to_without_end(db: Db) {
        let world = World::new(db).await;
        let ann = world.somebody("ann").await;
        let by = (world.organisation(ann).await.unwrap().id, ann);
        let mut refused = 0;
        for n in 0..40 {
            refused += usize::from(world.join(ann, &secret(&n.to_string())).await.is_err());
        }
        assert!(refused > 10, "{refused}");
        let mut sent = 0;
        for _ in 0..10 {
            sent += usize::from(world.invite(by, "victim@example.org", Role::Viewer).await.is_ok());
        }
        assert!(sent <= 4, "{sent}");
    }

    async fn a_key_serves_only_while_its_member_may_have_it_and_its_project_is_in_use(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let by = (id, ann);
        let (bob, vic) = (world.member(by, "bob", Role::Developer).await, world.member(by, "vic", Role::Viewer).await);
        assert!(matches!(world.key((id, vic), (None, None), "v").await, Err(IdentityError::BeyondOwn)));
        assert!(matches!(world.key((id, bob), (Some(ann), None), "v").await, Err(IdentityError::BeyondOwn)));
        assert!(matches!(world.key(by, (Some(vic), None), "v").await, Err(IdentityError::MemberKeyless)));
        let stranger = world.somebody("eve").await;
        assert!(matches!(world.key(by, (Some(stranger), None), "v").await, Err(IdentityError::MemberNotFound)));
        let elsewhere = (world.organisation(stranger).await.unwrap().id, stranger);
        let foreign = world.project(elsewhere, Budget::default()).await.unwrap().id;
        assert!(matches!(world.key(by, (None, Some(foreign)), "v").await, Err(IdentityError::ProjectNotFound)));

        let project = world.project(by, Budget::default()).await.unwrap();
        let (plain, plain_text) = world.key((id, bob), (None, None), "plain").await.unwrap();
        let (of_project, project_text) = world.key(by, (Some(bob), Some(project.id)), "project").await.unwrap();
        let (_, anns) = world.key(by, (None, None), "anns").await.unwrap();
        let serving = async || (world.serves(&plain_text).await, world.serves(&project_text).await);
        assert_eq!(serving().await, (true, true));
        let own = world.identity.key_list_of_member(id, bob, (Retired::Not, Page::default())).await.unwrap().items;
        assert_eq!(own, [plain.clone(), of_project.clone()]);

        assert!(!world.archive(by, project.id, false).await.unwrap().active);
        assert_eq!(serving().await, (true, false));
        assert!(matches!(world.enable(&of_project).await, Err(IdentityError::ProjectArchived)));
        assert!(matches!(world.key(by, (None, Some(project.id)), "n").await, Err(IdentityError::ProjectArchived)));
        world.archive(by, project.id, true).await.unwrap();
        assert_eq!(serving().await, (true, false), "what was disabled stays so until somebody enables it");
        world.enable(&of_project).await.unwrap();
        assert_eq!(serving().await, (true, true));

        // Of whom staff has disabled no key serves, in no organisation, and gateways hear of it.
        let before = crate::tests::feed(&db).await.len();
        let switch = |enabled| AccountChange { enabled: Some(enabled), ..AccountChange::default() };
        world.identity.account_update(bob, &switch(false)).await.unwrap();
        assert_eq!(serving().await, (false, false));
        assert!(crate::tests::feed(&db).await[before..].contains(&Change::Account(id)));
        world.identity.account_update(bob, &switch(true)).await.unwrap();
        assert_eq!(serving().await, (true, true));

        world.role(by, bob, Role::Billing).await.unwrap();
        assert_eq!(serving().await, (false, false));
        assert!(matches!(world.enable(&plain).await, Err(IdentityError::MemberKeyless)));
        world.role(by, bob, Role::Developer).await.unwrap();
        world.enable(&plain).await.unwrap();
        assert_eq!(serving().await, (true, false));
        let before = crate::tests::feed(&db).await.len();
        world.remove(by, bob).await.unwrap();
        let told = crate::tests::feed(&db).await.split_off(before);
        assert_eq!(told, [Change::Account(id), Change::Recall { account: id, but: None }]);
        assert_eq!(serving().await, (false, false));
        assert!(matches!(world.enable(&plain).await, Err(IdentityError::MemberNotFound)));
        assert!(world.serves(&anns).await, "nobody else's");
        // Who finds it ends it, and its member is told.
        let (anns, from) = (&anns, origin(5).address);
        let told = in_tx!(world, |identity, tx| identity.leak_report_in_tx(tx, anns, from)).unwrap();
        assert_eq!((told, world.serves(anns).await), (Some(ann), false));
    }

    async fn a_key_of_a_project_alone_outlives_who_made_it_and_ends_with_the_project(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let by = (id, ann);
        let (eve, bob) = (world.member(by, "eve", Role::Admin).await, world.member(by, "bob", Role::Developer).await);
        let month = |amount| Budget { spend_per_month: Some(Nano(amount)), ..Budget::default() };
        let project = world.project(by, month(7)).await.unwrap().id;
        let beyond = world.project_key((id, bob), project, "b").await;
        assert!(matches!(beyond, Err(IdentityError::BeyondOwn)), "{beyond:?}");
        let stranger = world.somebody("zoe").await;
        let elsewhere = (world.organisation(stranger).await.unwrap().id, stranger);
        let foreign = world.project(elsewhere, Budget::default()).await.unwrap().id;
        assert!(matches!(world.project_key(by, foreign, "f").await, Err(IdentityError::ProjectNotFound)));

        let (key, text) = world.project_key((id, eve), project, "deploy").await.unwrap();
        assert_eq!((key.account, key.belongs.member, key.belongs.project), (id, None, Some(project)));
        let (bobs, _) = world.key((id, bob), (None, Some(project)), "bobs").await.unwrap();
        let of_project = world.identity.key_list_of_project(id, project, (Retired::Not, Page::default())).await.unwrap().items;
        assert_eq!(of_project, [key.clone(), bobs]);
        assert_eq!(world.identity.key_list_of_project(elsewhere.0, project, (Retired::Not, Page::default())).await.unwrap().items, []);
        assert_eq!(world.identity.key_list_of_member(id, eve, (Retired::Not, Page::default())).await.unwrap().items, []);

        // A budget of who made it does not bind it, and their leaving does not end it.
        world.change(by, eve, MemberChange { role: None, budget: Some(month(5)) }).await.unwrap();
        world.remove(by, eve).await.unwrap();
        let facts = world.identity.key_grant_by_hash(world.identity.key_hash(&text)).await.unwrap().unwrap();
        assert_eq!(facts.budgets, [KeyBudget { of: BudgetOf::Project(project), budget: month(7) }]);
        assert!(world.serves(&text).await);

        let disabled = world.project_key(by, project, "spare").await.unwrap().0;
        world.identity.key_disable(disabled.id).await.unwrap();
        let before = crate::tests::feed(&db).await.len();
        world.archive(by, project, false).await.unwrap();
        let told = crate::tests::feed(&db).await.split_off(before);
        assert_eq!(told, [Change::Account(id), Change::Recall { account: id, but: None }]);
        assert!(!world.serves(&text).await);
        assert!(matches!(world.project_key(by, project, "n").await, Err(IdentityError::ProjectArchived)));
        world.archive(by, project, true).await.unwrap();
        for ended in [&key, &disabled] {
            assert!(matches!(world.enable(ended).await, Err(IdentityError::KeyEnded)), "{ended:?}");
        }
        assert!(!world.serves(&text).await);

        // Of one that is found the owner is told.
        let (_, found) = world.project_key(by, project, "found").await.unwrap();
        let (found, from) = (&found, origin(5).address);
        let told = in_tx!(world, |identity, tx| identity.leak_report_in_tx(tx, found, from)).unwrap();
        assert_eq!((told, world.serves(found).await), (Some(ann), false));
    }

    async fn a_project_alone_has_a_bounded_number_of_keys_in_use(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let by = (world.organisation(ann).await.unwrap().id, ann);
        let project = world.project(by, Budget::default()).await.unwrap().id;
        let (first, _) = world.project_key(by, project, "first").await.unwrap();
        for n in 1..200 {
            world.project_key(by, project, &n.to_string()).await.unwrap();
        }
        assert!(matches!(world.project_key(by, project, "more").await, Err(IdentityError::TooMuch)));
        world.key(by, (None, Some(project)), "of ann").await.unwrap();
        world.identity.key_disable(first.id).await.unwrap();
        world.project_key(by, project, "more").await.unwrap();
        assert!(matches!(world.enable(&first).await, Err(IdentityError::TooMuch)));
    }

    async fn budgets_are_named_in_what_a_gateway_is_told(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let by = (world.organisation(ann).await.unwrap().id, ann);
        let bob = world.member(by, "bob", Role::Developer).await;
        let month = |amount| Budget { spend_per_month: Some(Nano(amount)), ..Budget::default() };
        assert!(matches!(world.project(by, month(-1)).await, Err(IdentityError::BudgetInvalid)));
        let project = world.project(by, Budget::default()).await.unwrap().id;
        let (_, text) = world.key((by.0, bob), (None, Some(project)), "k").await.unwrap();
        let budgets = async || {
            let hash = world.identity.key_hash(&text);
            world.identity.key_grant_by_hash(hash).await.unwrap().unwrap().budgets
        };
        assert_eq!(budgets().await, []);
        let before = crate::tests::feed(&db).await.len();
        world.change(by, bob, MemberChange { role: None, budget: Some(month(5)) }).await.unwrap();
        assert_eq!(crate::tests::feed(&db).await[before..], [Change::Account(by.0)]);
        let hers = KeyBudget { of: BudgetOf::Member(bob), budget: month(5) };
        assert_eq!(budgets().await, [hers]);
        let change = &ProjectChange { budget: Some(month(7)), ..ProjectChange::default() };
        in_tx!(world, |identity, tx| identity.project_update_in_tx(tx, by, project, change)).unwrap();
        assert_eq!(budgets().await, [hers, KeyBudget { of: BudgetOf::Project(project), budget: month(7) }]);
        let change = MemberChange { role: None, budget: Some(month(-5)) };
        assert!(matches!(world.change(by, bob, change).await, Err(IdentityError::BudgetInvalid)));
    }

    async fn whatever_members_do_there_is_an_owner_and_nobody_gives_more_than_they_have(db: Db) {
        let world = World::new(db).await;
        let mut runner = TestRunner::deterministic();
        for round in 0..8 {
            let steps = proptest::collection::vec(model::step(), 80).new_tree(&mut runner).unwrap().current();
            Model::play(&world, round, &steps).await;
        }
    }
}
