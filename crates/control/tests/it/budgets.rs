//! What a gateway is told of the budgets of a key: those of its member and project, with what all their keys have spent.

use crate::world::{COST, World, settled, until};
use tacit_identity::IdentityError;
use tacit_identity::contacts::Contact;
use tacit_identity::organisations::{MemberChange, OrganisationRole, ProjectChange};
use tacit_kernel::ids::{AccountId, CallId, KeyId, ProjectId};
use tacit_kernel::limits::{Budget, Limits};
use tacit_kernel::{Nano, Personal};
use tacit_link::wire::{self, update::Kind};
use tacit_link::{Client, convert};
use tacit_storage::{Db, WriteTx, both_engines};

fn name(text: &str) -> Personal<String> {
    Personal::new(text.to_owned())
}

fn month(amount: i64) -> Budget {
    Budget { spend_per_month: Some(Nano(amount)), ..Budget::default() }
}

/// Does it in a transaction of its own.
macro_rules! in_tx {
    ($world:expr, |$identity:ident, $tx:ident| $work:expr) => {{
        let $identity = &$world.identity;
        let work = async |$tx: &mut WriteTx<'_>| Ok::<_, IdentityError>($work.await?);
        let work = &work;
        $world.db.write("test.organisation", |tx| Box::pin(work(tx))).await.unwrap()
    }};
}

/// An organisation and its owner, with two keys of the world's account, a member; the second is of a project, whose alone a third is.
async fn organisation(world: &World) -> ((AccountId, AccountId), ProjectId, [(KeyId, [u8; 32]); 3]) {
    let limits = &Limits::default();
    let group = world.identity.group_by_name("default").await.unwrap().unwrap().id;
    let owner = world.identity.account_create(&name("owner"), group, limits).await.unwrap().id;
    let named = &name("Engines");
    let id = in_tx!(world, |identity, tx| identity.organisation_create_in_tx(tx, owner, named)).id;
    let by = (id, owner);
    let project = in_tx!(world, |identity, tx| identity.project_create_in_tx(tx, by, named, month(100 * COST))).id;
    let (to, from, role) =
        (&Contact::email("a@example.org").unwrap(), [127, 0, 0, 1].into(), OrganisationRole::Developer);
    let invited = in_tx!(world, |identity, tx| identity.member_invite_in_tx(tx, by, (to, role), from));
    let (member, token) = (world.account, &invited.token);
    in_tx!(world, |identity, tx| identity.member_join_in_tx(tx, member, token, from)).unwrap();
    let mut keys = Vec::new();
    for (text, project) in [("a", None), ("b", Some(project))] {
        let (named, belongs) = (&name(text), (None, project));
        let (key, secret) = in_tx!(world, |identity, tx| identity.organisation_key_create_in_tx(
            tx,
            (id, member),
            belongs,
            named,
            limits
        ));
        keys.push((key.id, world.identity.key_hash(&secret)));
    }
    let named = &name("c");
    let (key, secret) = in_tx!(world, |identity, tx| identity.project_key_create_in_tx(tx, by, project, named, limits));
    (by, project, [keys[0], keys[1], (key.id, world.identity.key_hash(&secret))])
}

async fn granted(client: &mut Client, session: &[u8], hash: [u8; 32]) -> wire::KeyGrant {
    let request = wire::KeyRequest { session: session.to_vec(), hash: hash.to_vec() };
    client.key(request).await.unwrap().into_inner().grant.unwrap()
}

/// Id, limits and what was spent this month.
fn told(grant: &wire::KeyGrant) -> Vec<(Vec<u8>, i64, i64, i64)> {
    let told = |b: &wire::SharedBudget| (b.id.clone(), b.per_day, b.per_month, b.spend.unwrap().month);
    grant.budgets.iter().map(told).collect()
}

both_engines! {
    async fn a_grant_names_the_budgets_with_what_all_their_keys_have_spent(db: Db) {
        let world = World::new(db).await;
        let (by, project, [(one, one_hash), (two, two_hash), (alone, alone_hash)]) = organisation(&world).await;
        let id = by.0;
        world.ledger.top_up(id, Nano(100 * COST), "paid").await.unwrap();
        let change = MemberChange { role: None, budget: Some(month(10 * COST)) };
        in_tx!(world, |identity, tx| identity.member_update_in_tx(tx, by, world.account, change));
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        assert_eq!(gateway.lease(id, 10 * COST, 10 * COST, 0).await, 10 * COST);

        let mut recording = gateway.record().await;
        let ended = |key: KeyId| {
            let mut ended = world.ended(CallId::fresh());
            let begun = ended.begun.as_mut().unwrap();
            (begun.key, begun.account) = (Some(key.into()), Some(id.into()));
            ended
        };
        let of_another = world.ended(CallId::fresh());
        world.top_up(10 * COST).await;
        assert_eq!(gateway.lease(world.account, COST, COST, 0).await, COST);
        let events = gateway.events(1, vec![], vec![ended(one), ended(two), ended(two), ended(alone), of_another]);
        recording.send(events).await;
        recording.acknowledged(1).await;
        settled(&control).await;

        let session = gateway.session.clone();
        let member = (convert::id_bytes(world.account), -1, 10 * COST, 3 * COST);
        let of_project = (convert::id_bytes(project), -1, 100 * COST, 3 * COST);
        let grant = granted(&mut gateway.client, &session, one_hash).await;
        assert_eq!(told(&grant), std::slice::from_ref(&member), "both of the member's keys, and nobody else's");
        assert_eq!((grant.key_spend.unwrap().month, grant.account_spend.unwrap().month), (COST, 4 * COST));
        let grant = granted(&mut gateway.client, &session, two_hash).await;
        assert_eq!(told(&grant), [member, of_project.clone()]);
        let grant = granted(&mut gateway.client, &session, alone_hash).await;
        assert_eq!(told(&grant), [of_project], "that of the project, and of no member");
        assert_eq!(told(&granted(&mut gateway.client, &session, world.hash).await), [], "a person's key has none");
        world.assert_clean().await;

        // A change of a budget is told to gateways.
        let change = &ProjectChange { budget: Some(month(COST)), ..ProjectChange::default() };
        in_tx!(world, |identity, tx| identity.project_update_in_tx(tx, by, project, change));
        control.nudge();
        let heard = async {
            loop {
                let update = updates.message().await.unwrap().unwrap();
                if let Some(Kind::Invalidate(what)) = update.kind
                    && what.accounts.contains(&convert::id_bytes(id))
                {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), heard).await.unwrap();
        assert_eq!(told(&granted(&mut gateway.client, &session, two_hash).await)[1].2, COST);

        // A member who was removed calls no more.
        in_tx!(world, |identity, tx| identity.organisation_close_in_tx(tx, by));
        until("the key is refused", async || {
            granted(&mut gateway.client.clone(), &session, one_hash).await.account_disabled
        })
        .await;
        control.stop().await;
    }
}
