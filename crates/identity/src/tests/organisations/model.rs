//! Random members who do random things, and what must hold after each: told by roles alone.

use super::{Role, World};
use crate::ApiKey;
use crate::organisations::OrganisationPermission;
use crate::tests::world::HOUR;
use proptest::prelude::*;
use secrecy::SecretString;
use std::collections::BTreeMap;
use tacit_kernel::ids::AccountId;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Somebody invites somebody, who joins at once if they can.
    Join(usize, usize, Role),
    Change(usize, usize, Role),
    Remove(usize, usize),
    Leave(usize),
    HandOver(usize, usize),
    MakeKey(usize, usize),
    /// Somebody enables every key there is.
    Enable,
    Close(usize),
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let role = || prop::sample::select(Role::ALL.to_vec());
    let who = || 0..3_usize;
    prop_oneof![
        10 => (who(), who(), role()).prop_map(|(by, who, role)| Step::Join(by, who, role)),
        12 => (who(), who(), role()).prop_map(|(by, who, role)| Step::Change(by, who, role)),
        1 => (who(), who()).prop_map(|(by, who)| Step::Remove(by, who)),
        1 => who().prop_map(Step::Leave),
        2 => (who(), who()).prop_map(|(by, to)| Step::HandOver(by, to)),
        4 => (who(), who()).prop_map(|(by, of)| Step::MakeKey(by, of)),
        2 => Just(Step::Enable),
        1 => who().prop_map(Step::Close),
        8 => Just(Step::Reopen),
    ]
}

/// What must be, told by roles alone.
pub(super) struct Model {
    organisation: AccountId,
    people: Vec<AccountId>,
    roles: BTreeMap<AccountId, Role>,
    open: bool,
    keys: Vec<(ApiKey, SecretString)>,
}

impl Model {
    pub(super) async fn play(world: &World, round: usize, steps: &[Step]) {
        let mut people = Vec::new();
        for n in 0..3 {
            people.push(world.somebody(&format!("p{round}-{n}")).await);
        }
        let organisation = world.organisation(people[0]).await.unwrap().id;
        let roles = BTreeMap::from([(people[0], Role::Owner)]);
        let mut model = Self { organisation, people, roles, open: true, keys: Vec::new() };
        // Most of what can go wrong needs members, so it does not begin with the owner alone.
        let begin = [Step::Join(0, 1, Role::Admin), Step::Join(0, 2, Role::Developer)];
        for (at, step) in begin.iter().chain(steps).enumerate() {
            // Neither messages nor guesses are what is tried here.
            world.clock.advance_micros(5 * HOUR);
            model.step(world, round * 1000 + at, *step).await;
            model.holds(world, *step).await;
        }
    }

    /// The role of whoever acts, if they may do that now.
    fn may(&self, by: usize, permission: OrganisationPermission) -> Option<Role> {
        let role = *self.roles.get(&self.people[by])?;
        (role.has(permission) && (self.open || permission.holds_when_closed())).then_some(role)
    }

    async fn step(&mut self, world: &World, at: usize, step: Step) {
        use OrganisationPermission as P;
        let by = |n: usize| (self.organisation, self.people[n]);
        let role_of = |n: usize| self.roles.get(&self.people[n]).copied();
        let may_write = |n: usize, role: Role| {
            role != Role::Owner && self.may(n, P::MembersWrite).is_some_and(|own| role.is_within(own))
        };
        match step {
            Step::Join(n, who, role) => {
                let invited = world.invite(by(n), &format!("x{at}@example.org"), role).await;
                assert_eq!(invited.is_ok(), may_write(n, role), "{step:?}");
                let Ok(invited) = invited else { return };
                let joined = world.join(self.people[who], &invited.token).await;
                assert_eq!(joined.is_ok(), role_of(who).is_none(), "{step:?}");
                if joined.is_ok() {
                    self.roles.insert(self.people[who], role);
                }
            }
            Step::Change(n, who, role) => {
                let changes = role_of(who) != Some(role);
                let own = self.may(n, P::MembersWrite);
                let over = own.zip(role_of(who)).is_some_and(|(own, before)| before.is_within(own));
                let may = over && (!changes || (may_write(n, role) && role_of(who) != Some(Role::Owner)));
                assert_eq!(world.role(by(n), self.people[who], role).await.is_ok(), may, "{step:?}");
                if may {
                    self.roles.insert(self.people[who], role);
                }
            }
            Step::Remove(n, who) => {
                let may = role_of(who).is_some_and(|role| may_write(n, role));
                assert_eq!(world.remove(by(n), self.people[who]).await.is_ok(), may, "{step:?}");
                if may {
                    self.roles.remove(&self.people[who]);
                }
            }
            Step::Leave(n) => {
                let may = role_of(n).is_some_and(|role| role != Role::Owner);
                assert_eq!(world.leave(self.organisation, self.people[n]).await.is_ok(), may, "{step:?}");
                if may {
                    self.roles.remove(&self.people[n]);
                }
            }
            Step::HandOver(n, to) => {
                let may = self.may(n, P::OwnershipTransfer).is_some() && role_of(to).is_some() && n != to;
                assert_eq!(world.hand_over(by(n), self.people[to]).await.is_ok(), may, "{step:?}");
                if may {
                    self.roles.insert(self.people[n], Role::Admin);
                    self.roles.insert(self.people[to], Role::Owner);
                }
            }
            Step::MakeKey(n, of) => {
                let own = self.may(n, P::KeysOwn);
                let below = |own: Role| role_of(of).is_some_and(|role| role.is_below(own));
                let for_them = n == of || own.is_some_and(|own| own.has(P::KeysAll) && below(own));
                let may = own.is_some() && for_them && role_of(of).is_some_and(|role| role.has(P::KeysOwn));
                let made = world.key(by(n), (Some(self.people[of]), None), &format!("k{at}")).await;
                assert_eq!(made.is_ok(), may, "{step:?}");
                self.keys.extend(made);
            }
            Step::Enable => {
                for (key, _) in &self.keys {
                    let _ = world.enable(key).await;
                }
            }
            Step::Close(n) => {
                let may = self.may(n, P::OrganisationClose).is_some();
                assert_eq!(world.close(by(n)).await.is_ok(), may, "{step:?}");
                self.open &= !may;
            }
            Step::Reopen => {
                world.identity.organisation_reopen(self.organisation).await.unwrap();
                self.open = true;
            }
        }
    }

    async fn holds(&self, world: &World, after: Step) {
        let roles = world.roles(self.organisation).await;
        assert_eq!(roles, self.roles, "{after:?}");
        assert_eq!(roles.values().filter(|role| **role == Role::Owner).count(), 1, "{after:?}");
        for (key, text) in &self.keys {
            let role = roles.get(&key.belongs.member.unwrap());
            let may = self.open && role.is_some_and(|role| role.has(OrganisationPermission::KeysOwn));
            assert!(may || !world.serves(text).await, "{after:?}: a key of nobody serves");
        }
    }
}
