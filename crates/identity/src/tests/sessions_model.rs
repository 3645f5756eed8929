//! The state machine of sessions against a model of it: whatever is done in whatever order, a token opens what the model says
//! and nothing else.

use super::second_factor::App;
use super::world::{PASSWORD, SECOND, World, email, origin, secret};
use crate::codes::CodePurpose;
use crate::roles::Acting;
use crate::second_factor::SecondFactor;
use crate::sessions::Session;
use crate::sign_in::{Proof, SignedIn};
use crate::{AccountChange, IdentityError};
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
    /// A second factor is set up, by who has just shown that it is them.
    FactorOn(Index),
    /// It is taken away again, likewise.
    FactorOff(Index),
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
    /// What shows the second factor, where one is set up.
    app: Option<App>,
    sessions: Vec<Known>,
    /// Tokens that were good once.
    void: Vec<SecretString>,
}

impl Model {
    fn signed_in(&mut self, signed_in: &SignedIn) {
        let complete = self.app.is_none();
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

    /// The session goes on under another token, and all others end if they do.
    fn turned(&mut self, at: usize, by: &SignedIn, others_end: bool) {
        let now = self.now;
        let session = &mut self.sessions[at];
        self.void.push(std::mem::replace(&mut session.token, by.token.clone()));
        session.seen = now;
        let id = session.id;
        self.end(|s| others_end && s.id != id);
    }

    /// A session, and whether something sensitive may be done with it.
    async fn shown(&self, world: &World, at: usize) -> (Session, bool) {
        let known = &self.sessions[at];
        let session = world.identity.session_by_token(&known.token).await.unwrap().unwrap();
        (session, known.complete && known.stepped_up.is_some_and(|at| self.now - at < 10 * MINUTE))
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

async fn take(world: &World, model: &mut Model, account: AccountId, step: &Step) {
    let at = |index: &Index| (!model.sessions.is_empty()).then(|| index.index(model.sessions.len()));
    match step {
        Step::SignIn => {
            let signed_in = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
            model.signed_in(&signed_in);
        }
        Step::Raise(index) => {
            let Some(at) = at(index).filter(|_| model.app.is_some()) else { return };
            // A code counts once.
            world.clock.advance_micros(MINUTE);
            model.pass(MINUTE);
            let Some(session) = model.sessions.get(at).cloned() else { return };
            let Some(app) = &model.app else { return };
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
                    assert!(session.complete && model.app.is_none(), "where there is a second factor, less is nothing");
                    model.raised(at, &raised);
                }
                // Tries that were wrong may be waited for.
                Err(IdentityError::TooMany { .. }) => {}
                Err(_) => assert!(model.app.is_some() || !session.complete),
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
            let (session, stepped_up) = model.shown(world, at).await;
            let changed = world.identity.password_change(&session, secret(PASSWORD)).await;
            assert_eq!(changed.is_ok(), stepped_up);
            if let Ok(turned) = changed {
                model.turned(at, &turned, true);
            }
        }
        Step::FactorOn(index) => {
            let Some(at) = at(index).filter(|_| model.app.is_none()) else { return };
            // That who sets it up has shown who they are is asked where the route is.
            let (session, stepped_up) = model.shown(world, at).await;
            if stepped_up {
                let (app, _, turned) = App::set_up_in(world, account, Some(&session)).await;
                model.turned(at, &turned.unwrap(), true);
                model.app = Some(app);
            }
        }
        Step::FactorOff(index) => {
            let Some(at) = at(index).filter(|_| model.app.is_some()) else { return };
            let (session, stepped_up) = model.shown(world, at).await;
            let removed = world.identity.second_factor_remove(&session).await;
            assert_eq!(removed.is_ok(), stepped_up);
            if let Ok(turned) = removed {
                model.turned(at, &turned, false);
                model.app = None;
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
            4 => Just(Step::SignIn), 8 => index().prop_map(Step::Raise), 2 => index().prop_map(Step::Password),
            2 => index().prop_map(Step::NewPassword), 1 => Just(Step::ResetPassword), 1 => Just(Step::Role), 1 => Just(Step::Disable),
            2 => index().prop_map(Step::End), 1 => index().prop_map(Step::EndOthers), 1 => Just(Step::EndAll),
            8 => index().prop_map(Step::FactorOn), 12 => index().prop_map(Step::FactorOff),
            3 => (0..11 * MINUTE).prop_map(Step::Wait), 2 => (0..15 * DAY).prop_map(Step::Wait),
        ];
        let world = World::new(db).await;
        let first = world.person("ann").await;
        let account = first.session.account;
        let mut runner = TestRunner::deterministic();
        let mut model = Model { now: 0, app: None, sessions: Vec::new(), void: Vec::new() };
        model.signed_in(&first);
        let mut turns = (0, 0);
        for _ in 0..32 {
            let steps = proptest::collection::vec(step.clone(), 1..20).new_tree(&mut runner).unwrap().current();
            for step in &steps {
                let before = model.app.is_some();
                take(&world, &mut model, account, step).await;
                turns.0 += u32::from(!before && model.app.is_some());
                turns.1 += u32::from(before && model.app.is_none());
                model.holds(&world).await;
            }
            model.void.clear();
        }
        assert!(turns.0 > 3 && turns.1 > 3, "the second factor came and went: {turns:?}");
    }
}
