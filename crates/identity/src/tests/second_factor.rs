use super::world::{HOUR, PASSWORD, World, email, origin, secret};
use crate::IdentityError;
use crate::codes::CodePurpose;
use crate::second_factor::{Enrolment, SecondFactor};
use crate::sessions::Session;
use crate::sign_in::{Proof, SignedIn};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use tacit_kernel::Clock as _;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Db, both_engines};

/// What the app of somebody shows.
pub(super) struct App(Vec<u8>);

impl App {
    /// For who is signed in elsewhere: all sessions end.
    pub(super) async fn set_up(world: &World, account: AccountId) -> (Self, Vec<SecretString>) {
        let (app, codes, _) = Self::set_up_in(world, account, None).await;
        (app, codes)
    }

    /// For who is signed in with that session.
    pub(super) async fn set_up_in(
        world: &World,
        account: AccountId,
        session: Option<&Session>,
    ) -> (Self, Vec<SecretString>, Option<SignedIn>) {
        let begun = world.identity.totp_begin(account, "Tacit", "ann").await.unwrap();
        let app = Self::of(&begun);
        assert!(begun.url.expose_secret().contains(begun.secret.expose_secret()));
        let wrong = world.identity.totp_confirm(account, &secret("000000"), None).await;
        assert!(matches!(wrong, Err(IdentityError::SecondFactorWrong)));
        let (codes, turned) = world.identity.totp_confirm(account, &app.shows(world), session).await.unwrap();
        assert_eq!(codes.len(), 10);
        (app, codes, turned)
    }

    /// The app that was given that.
    pub(super) fn of(begun: &Enrolment) -> Self {
        Self(BASE32_NOPAD.decode(begun.secret.expose_secret().as_bytes()).unwrap())
    }

    pub(super) fn shows(&self, world: &World) -> SecretString {
        let app = totp_rs::Builder::new().with_secret(self.0.clone()).build().unwrap();
        let seconds = u64::try_from(world.clock.now().0 / 1_000_000).unwrap();
        secret(&app.generate(seconds).to_string())
    }
}

both_engines! {
    async fn it_is_asked_for_after_the_password_and_each_code_counts_once(db: Db) {
        let world = World::new(db).await;
        let account = world.person("ann").await.session.account;
        let (app, recovery) = App::set_up(&world, account).await;
        assert!(matches!(world.identity.totp_begin(account, "Tacit", "ann").await, Err(IdentityError::SecondFactorSet)));

        let half = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        assert!(!half.session.complete && half.session.stepped_up_at.is_none());
        let late = world.identity.password_change(&half.session, secret("battery staple")).await;
        assert!(matches!(late, Err(IdentityError::StepUpRequired)));
        let proof = Proof::Password(secret(PASSWORD));
        assert!(matches!(world.identity.step_up(&half.token, &proof, &origin(2)).await, Err(IdentityError::SessionGone)));

        let shown = SecondFactor::Totp(app.shows(&world));
        let replayed = world.identity.sign_in_complete(&half.token, &shown, &origin(2)).await;
        assert!(matches!(replayed, Err(IdentityError::SecondFactorWrong)), "it was used to set it up");
        world.clock.advance_micros(30_000_000);
        let shown = SecondFactor::Totp(app.shows(&world));
        let whole = world.identity.sign_in_complete(&half.token, &shown, &origin(2)).await.unwrap();
        assert!(whole.session.complete);
        assert_eq!(world.identity.session_by_token(&half.token).await.unwrap(), None);

        let half = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(3)).await.unwrap();
        assert!(world.identity.sign_in_complete(&half.token, &shown, &origin(3)).await.is_err(), "nor with another session");
        let typed = SecondFactor::Recovery(secret(&recovery[3].expose_secret().to_uppercase().replace('-', " ")));
        world.identity.sign_in_complete(&half.token, &typed, &origin(3)).await.unwrap();
        assert_eq!(world.identity.recovery_codes_left(account).await.unwrap(), 9);
        let half = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(4)).await.unwrap();
        assert!(world.identity.sign_in_complete(&half.token, &typed, &origin(4)).await.is_err());
        assert_eq!(world.identity.recovery_codes_renew(account).await.unwrap().len(), 10);
        let old = SecondFactor::Recovery(recovery[5].clone());
        assert!(world.identity.sign_in_complete(&half.token, &old, &origin(4)).await.is_err());
    }

    async fn where_it_is_set_up_nothing_less_shows_who_is_there(db: Db) {
        let world = World::new(db).await;
        let signed_in = world.person("ann").await;
        let account = signed_in.session.account;
        let ann = email("ann@example.org");
        let code = world.code(CodePurpose::StepUp, &ann).await;
        let signed_in = world.identity.step_up(&signed_in.token, &Proof::Code(ann.clone(), code), &origin(2)).await.unwrap();
        let (app, _, turned) = App::set_up_in(&world, account, Some(&signed_in.session)).await;
        assert_eq!(world.identity.session_by_token(&signed_in.token).await.unwrap(), None, "the token was changed");
        let signed_in = turned.unwrap();
        world.clock.advance_micros(HOUR);
        let code = world.code(CodePurpose::StepUp, &ann).await;
        for less in [Proof::Password(secret(PASSWORD)), Proof::Code(ann, code)] {
            let refused = world.identity.step_up(&signed_in.token, &less, &origin(2)).await;
            assert!(matches!(refused, Err(IdentityError::ProofWrong)));
        }
        let proof = Proof::SecondFactor(SecondFactor::Totp(app.shows(&world)));
        let now = world.clock.now();
        let late = world.identity.second_factor_remove(&signed_in.session).await;
        assert!(matches!(late, Err(IdentityError::StepUpRequired)));
        let raised = world.identity.step_up(&signed_in.token, &proof, &origin(2)).await.unwrap();
        assert!(raised.session.stepped_up(now));
        let turned = world.identity.second_factor_remove(&raised.session).await.unwrap();
        assert_eq!(world.identity.session_by_token(&raised.token).await.unwrap(), None, "the token was changed");
        assert_eq!(world.identity.session_by_token(&turned.token).await.unwrap().unwrap().id, signed_in.session.id);
        assert_eq!(world.identity.recovery_codes_left(account).await.unwrap(), 0);
    }

    async fn codes_of_an_app_cannot_be_tried_out(db: Db) {
        let world = World::new(db).await;
        let account = world.person("ann").await.session.account;
        App::set_up(&world, account).await;
        let (mut wrong, mut waits) = (0, 0);
        for n in 0..40 {
            let Ok(half) = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(n)).await else { continue };
            let guess = SecondFactor::Totp(secret(&format!("{n:06}")));
            match world.identity.sign_in_complete(&half.token, &guess, &origin(n)).await {
                Err(IdentityError::SecondFactorWrong) => wrong += 1,
                Err(IdentityError::TooMany { .. }) => waits += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((wrong, waits), (6, 34), "however often the password is given and from wherever");
    }
}
