//! The state machine of sessions against a model of it: whatever is done in whatever order, a token opens what the model says
//! and nothing else.

use super::second_factor::App;
use super::world::{PASSWORD, SECOND, World, email, origin, secret};
use crate::AccountChange;
use crate::codes::CodePurpose;
use crate::roles::Acting;
use crate::second_factor::SecondFactor;
use crate::sign_in::{Proof, SignedIn};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use secrecy::SecretString;
use tacit_kernel::ids::{AccountId, SignInId};
use tacit_storage::{Db, WriteTx, both_engines};

const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

#[derive(Clone, Debug)]
enum Step {
    SignIn,
    /// With the second factor: completes, or shows once more who is there.
    Raise(Index),
    /// With the password alone.
    Password(Index),
    End(Index),
    EndOthers(Index),
    EndAll,
    /// Another password, by who has just shown that it is them.
    NewPassword(Index),
    /// A forgotten one.
    ResetPassword,
    /// A role is given, or taken again.
    Role,
    /// The account is disabled, and enabled again.
    Disable,
    Wait(i64),
}

/// What the model knows of a session.
#[derive(Clone, Debug)]
struct Known {
    id: SignInId,
    token: SecretString,
    complete: bool,
    seen: i64,
    expires: i64,
    stepped_up: Option<i64>,
}

struct Model {
    now: i64,
    factor: bool,
    sessions: Vec<Known>,
    /// Tokens that were good once.
    void: Vec<SecretString>,
}

impl Model {
    fn signed_in(&mut self, signed_in: &SignedIn) {
        let complete = !self.factor;
        self.sessions.push(Known {
            id: signed_in.session.id,
            token: signed_in.token.clone(),
            complete,
            seen: self.now,
            expires: self.now + if complete { 90 * DAY } else { 10 * MINUTE },
            stepped_up: complete.then_some(self.now),
        });
    }

    /// Sessions end by themselves.
    fn pass(&mut self, micros: i64) {
        self.now += micros;
        let now = self.now;
        self.end(|s| now >= s.expires || now - s.seen >= 14 * DAY);
    }

    fn end(&mut self, ends: impl Fn(&Known) -> bool) {
        let (ended, rest): (Vec<_>, Vec<_>) = self.sessions.drain(..).partition(ends);
        self.sessions = rest;
        self.void.extend(ended.into_iter().map(|s| s.token));
    }

    fn raised(&mut self, at: usize, by: &SignedIn) {
        let now = self.now;
        let session = &mut self.sessions[at];
        self.void.push(std::mem::replace(&mut session.token, by.token.clone()));
        if !session.complete {
            // From its beginning, which was at most ten minutes ago.
            session.expires = session.expires - 10 * MINUTE + 90 * DAY;
        }
        (session.complete, session.seen, session.stepped_up) = (true, now, Some(now));
    }

    async fn holds(&mut self, world: &World) {
        for session in &mut self.sessions {
            let found = world.identity.session_by_token(&session.token).await.unwrap().expect("it goes on");
            assert_eq!((found.id, found.complete), (session.id, session.complete));
            let stepped_up = session.stepped_up.is_some_and(|at| self.now - at < 10 * MINUTE);
            assert_eq!(found.stepped_up(tacit_kernel::Clock::now(&*world.clock)), stepped_up);
            let caller = world.identity.caller_by_session(&session.token).await.unwrap();
            assert_eq!(
                caller.map(|c| c.stepped_up),
                session.complete.then_some(stepped_up),
                "half a session is nobody"
            );
            if self.now - session.seen >= 5 * MINUTE {
                session.seen = self.now;
            }
        }
        for token in &self.void {
            assert_eq!(world.identity.session_by_token(token).await.unwrap(), None, "that token is void");
        }
    }
}

async fn take(world: &World, model: &mut Model, app: Option<&App>, account: AccountId, step: &Step) {
    let at = |index: &Index| (!model.sessions.is_empty()).then(|| index.index(model.sessions.len()));
    match step {
        Step::SignIn => {
            let signed_in = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
            model.signed_in(&signed_in);
        }
        Step::Raise(index) => {
            let (Some(at), Some(app)) = (at(index), app) else { return };
            // A code counts once.
            world.clock.advance_micros(MINUTE);
            model.pass(MINUTE);
            let Some(session) = model.sessions.get(at).cloned() else { return };
            let shown = SecondFactor::Totp(app.shows(world));
            let raised = match session.complete {
                false => world.identity.sign_in_complete(&session.token, &shown, &origin(2)).await,
                true => world.identity.step_up(&session.token, &Proof::SecondFactor(shown), &origin(2)).await,
            };
            model.raised(at, &raised.unwrap());
        }
        Step::Password(index) => {
            let Some(at) = at(index) else { return };
            let session = model.sessions[at].clone();
            let proof = Proof::Password(secret(PASSWORD));
            match world.identity.step_up(&session.token, &proof, &origin(2)).await {
                Ok(raised) => {
                    assert!(session.complete && !model.factor, "where there is a second factor, less is nothing");
                    model.raised(at, &raised);
                }
                Err(_) => assert!(model.factor),
            }
        }
        Step::End(index) => {
            let Some(at) = at(index) else { return };
            let id = model.sessions[at].id;
            world.identity.session_end(account, id).await.unwrap();
            model.end(|s| s.id == id);
        }
        Step::EndOthers(index) => {
            let Some(at) = at(index) else { return };
            let id = model.sessions[at].id;
            world.identity.sessions_end(account, Some(id)).await.unwrap();
            model.end(|s| s.id != id);
        }
        Step::EndAll => {
            world.identity.sessions_end(account, None).await.unwrap();
            model.end(|_| true);
        }
        Step::NewPassword(index) => {
            let Some(at) = at(index) else { return };
            let known = model.sessions[at].clone();
            let session = world.identity.session_by_token(&known.token).await.unwrap().unwrap();
            let stepped_up = known.complete && known.stepped_up.is_some_and(|at| model.now - at < 10 * MINUTE);
            let changed = world.identity.password_change(&session, secret(PASSWORD)).await;
            assert_eq!(changed.is_ok(), stepped_up);
            if stepped_up {
                model.end(|s| s.id != known.id);
            }
        }
        Step::ResetPassword => {
            let (identity, to) = (&world.identity, &email("ann@example.org"));
            let make = async |tx: &mut WriteTx<'_>| identity.code_made_in_tx(tx, CodePurpose::PasswordReset, to).await;
            let make = &make;
            let (code, _) = world.db.write("test.code", |tx| Box::pin(make(tx))).await.unwrap();
            identity.password_reset(to, &code, secret(PASSWORD), &origin(2)).await.unwrap();
            model.end(|_| true);
        }
        Step::Role => {
            if !world.identity.role_grant(Acting::Operator, account, "auditor").await.unwrap() {
                assert!(world.identity.role_revoke(Acting::Operator, account, "auditor").await.unwrap());
            }
            model.end(|_| true);
        }
        Step::Disable => {
            for enabled in [false, true] {
                let change = AccountChange { enabled: Some(enabled), ..AccountChange::default() };
                world.identity.account_update(account, &change).await.unwrap();
            }
            model.end(|_| true);
        }
        Step::Wait(micros) => {
            world.clock.advance_micros(*micros);
            model.pass(*micros);
            world.identity.forget_step().await.unwrap();
        }
    }
}

both_engines! {
    async fn the_state_machine_of_sessions(db: Db) {
        let index = any::<Index>;
        let step = prop_oneof![
            4 => Just(Step::SignIn), 5 => index().prop_map(Step::Raise), 2 => index().prop_map(Step::Password),
            2 => index().prop_map(Step::NewPassword), 1 => Just(Step::ResetPassword), 1 => Just(Step::Role), 1 => Just(Step::Disable),
            2 => index().prop_map(Step::End), 1 => index().prop_map(Step::EndOthers), 1 => Just(Step::EndAll),
            3 => (0..11 * MINUTE).prop_map(Step::Wait), 2 => (0..15 * DAY).prop_map(Step::Wait),
        ];
        let world = World::new(db).await;
        let first = world.person("ann").await;
        let account = first.session.account;
        let mut runner = TestRunner::deterministic();
        let mut model = Model { now: 0, factor: false, sessions: Vec::new(), void: Vec::new() };
        model.signed_in(&first);
        let mut app = None;
        for case in 0..16 {
            if case == 5 {
                // From here on with a second factor; setting it up ends all sessions.
                app = Some(App::set_up(&world, account, None).await.0);
                model.factor = true;
                model.end(|_| true);
            }
            let steps = proptest::collection::vec(step.clone(), 1..20).new_tree(&mut runner).unwrap().current();
            for step in &steps {
                take(&world, &mut model, app.as_ref(), account, step).await;
                model.holds(&world).await;
            }
            model.void.clear();
        }
    }
}
