use super::identities::signed_in_alone;
use super::second_factor::App;
use super::world::{HOUR, PASSWORD, SECOND, World, email, origin, secret};
use crate::codes::CodePurpose;
use crate::passkeys::{Passkey, PasskeySite, Question};
use crate::sessions::{Method, Session};
use crate::sign_in::SignedIn;
use crate::{AccountChange, IdentityError};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use secrecy::SecretString;
use serde_json::{Value, json};
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, PasskeyId};
use tacit_storage::{Db, Page, WriteTx, both_engines};

const ORIGIN: &str = "https://tacit.example";
const HOST: &str = "tacit.example";

/// An authenticator with one passkey, that does what it is told, also what none does.
struct Authenticator {
    key: EcdsaKeyPair,
    id: [u8; 32],
    user: Option<String>,
    counter: u32,
    origin: &'static str,
    host: &'static str,
    /// User present and verified.
    flags: u8,
}

impl Authenticator {
    fn new(id: u8) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { key, id: [id; 32], user: None, counter: 1, origin: ORIGIN, host: HOST, flags: 0x05 }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["challenge"];
        assert!(challenge.is_string(), "{options}");
        let said = json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        said.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let host = digest(&SHA256, self.host.as_bytes());
        [host.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn create(&mut self, options: &Value) -> Value {
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        self.user = Some(options["user"]["id"].as_str().unwrap().to_owned());
        let point = self.key.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        let cose = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y].concat();
        let attested = [&[0; 16], [0, 32].as_slice(), &self.id, &cose].concat();
        let data = [self.data(self.flags | 0x40), attested].concat();
        let length = [0x58, u8::try_from(data.len()).unwrap()];
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData".as_slice(), &length, &data].concat();
        let client = self.client_data("webauthn.create", options);
        json!({
            "id": BASE64URL_NOPAD.encode(&self.id), "rawId": BASE64URL_NOPAD.encode(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(&client), "transports": ["internal"],
                "attestationObject": BASE64URL_NOPAD.encode(&object),
            },
            "clientExtensionResults": {},
        })
    }

    fn get(&mut self, options: &Value) -> Value {
        assert_eq!(options["userVerification"], "required");
        self.counter += 1;
        let (client, data) = (self.client_data("webauthn.get", options), self.data(self.flags));
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": BASE64URL_NOPAD.encode(&self.id), "rawId": BASE64URL_NOPAD.encode(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(&client), "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "signature": BASE64URL_NOPAD.encode(signature.as_ref()), "userHandle": self.user,
            },
            "clientExtensionResults": {},
        })
    }
}

struct Town {
    world: World,
    site: PasskeySite,
}

impl Town {
    async fn new(db: Db) -> Self {
        Self { world: World::new(db).await, site: PasskeySite::new(ORIGIN, HOST).unwrap() }
    }

    async fn question(&self, session: &Session) -> Question {
        self.world.identity.passkey_begin(&self.site, session, &origin(1)).await.unwrap()
    }

    async fn put(&self, session: &Session, ceremony: &SecretString, answer: &Value) -> Result<Passkey, IdentityError> {
        let name = &Personal::new("laptop".to_owned());
        let put = async |tx: &mut WriteTx<'_>| {
            let said = (name, answer);
            self.world.identity.passkey_register_in_tx(tx, &self.site, session, ceremony, said).await
        };
        let put = &put;
        self.world.db.write("test.put", |tx| Box::pin(put(tx))).await
    }

    async fn register(&self, session: &Session, with: &mut Authenticator) -> Result<Passkey, IdentityError> {
        let Question { ceremony, options } = self.question(session).await;
        self.put(session, &ceremony, &with.create(&options)).await
    }

    async fn ask(&self, account: Option<AccountId>) -> Question {
        self.world.identity.passkey_ask(&self.site, account, &origin(2)).await.unwrap()
    }

    async fn answer(&self, ceremony: &SecretString, answer: &Value) -> Result<SignedIn, IdentityError> {
        Box::pin(self.world.identity.sign_in_with_passkey(&self.site, ceremony, answer, &origin(2))).await
    }

    async fn sign_in(&self, with: &mut Authenticator) -> Result<SignedIn, IdentityError> {
        let Question { ceremony, options } = self.ask(None).await;
        self.answer(&ceremony, &with.get(&options)).await
    }

    async fn remove(&self, account: AccountId, id: PasskeyId) -> Result<(), IdentityError> {
        let remove = async |tx: &mut WriteTx<'_>| self.world.identity.passkey_remove_in_tx(tx, account, id).await;
        let remove = &remove;
        self.world.db.write("test.remove", |tx| Box::pin(remove(tx))).await
    }
}

fn failed(got: Result<SignedIn, IdentityError>) {
    assert!(matches!(got, Err(IdentityError::SignInFailed)), "{got:?}");
}

both_engines! {
    async fn one_signs_in_with_a_passkey_and_nothing_else(db: Db) {
        let town = Town::new(db).await;
        let session = town.world.person("ann").await.session;
        let mut phone = Authenticator::new(1);
        let made = town.register(&session, &mut phone).await.unwrap();
        assert_eq!((made.name.reveal().as_str(), made.used_at), ("laptop", None));
        // A second factor is not asked for: this is both.
        let begun = town.world.identity.totp_begin(session.account, "Tacit", "ann").await.unwrap();
        let app = App::of(&begun);
        town.world.identity.totp_confirm(session.account, &app.shows(&town.world), Some(&session)).await.unwrap();
        let signed_in = town.sign_in(&mut phone).await.unwrap().session;
        assert_eq!((signed_in.account, signed_in.method, signed_in.complete), (session.account, Method::Passkey, true));
        let listed = town.world.identity.passkey_list(session.account, Page::default()).await.unwrap().items;
        assert!(listed.len() == 1 && listed[0].used_at.is_some());

        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        town.world.identity.account_update(session.account, &off).await.unwrap();
        assert!(matches!(town.sign_in(&mut phone).await, Err(IdentityError::AccountDisabled)));
    }

    async fn a_question_is_good_once_and_for_ten_minutes(db: Db) {
        let town = Town::new(db).await;
        let session = town.world.person("ann").await.session;
        let mut phone = Authenticator::new(1);
        let Question { ceremony, options } = town.question(&session).await;
        let answer = phone.create(&options);
        town.put(&session, &ceremony, &answer).await.unwrap();
        assert!(matches!(town.put(&session, &ceremony, &answer).await, Err(IdentityError::SignInLost)));
        assert!(matches!(town.register(&session, &mut phone).await, Err(IdentityError::PasskeyTaken)));

        let Question { ceremony, options } = town.ask(None).await;
        let answer = phone.get(&options);
        town.answer(&ceremony, &answer).await.unwrap();
        failed(town.answer(&ceremony, &answer).await);
        // An answer to another question.
        let other = town.ask(None).await;
        failed(town.answer(&other.ceremony, &answer).await);
        let late = town.ask(None).await;
        let answer = phone.get(&late.options);
        town.world.clock.advance_micros(600 * SECOND);
        failed(town.answer(&late.ceremony, &answer).await);
    }

    async fn what_is_of_another_site_or_verifies_nobody_is_refused(db: Db) {
        let town = Town::new(db).await;
        let session = town.world.person("ann").await.session;
        let spoil: [fn(&mut Authenticator); 4] = [
            |a| a.origin = "https://evil.example",
            |a| a.host = "evil.example",
            |a| a.flags = 0x01,
            |a| a.flags = 0x04,
        ];
        for spoil in spoil {
            let mut bad = Authenticator::new(7);
            spoil(&mut bad);
            assert!(matches!(town.register(&session, &mut bad).await, Err(IdentityError::PasskeyInvalid)));
        }
        for (n, spoil) in spoil.into_iter().enumerate() {
            let mut phone = Authenticator::new(u8::try_from(n).unwrap());
            town.register(&session, &mut phone).await.unwrap();
            spoil(&mut phone);
            failed(town.sign_in(&mut phone).await);
        }
        // The passkey of somebody else under the same id; no answer at all.
        let mut forged = Authenticator::new(0);
        forged.user = Some(BASE64URL_NOPAD.encode(session.account.0.as_bytes()));
        failed(town.sign_in(&mut forged).await);
        let asked = town.ask(None).await;
        failed(town.answer(&asked.ceremony, &json!({ "id": 1 })).await);
    }

    async fn a_counter_that_goes_back_is_refused_and_told(db: Db) {
        let town = Town::new(db).await;
        let session = town.world.person("ann").await.session;
        let mut phone = Authenticator::new(1);
        town.register(&session, &mut phone).await.unwrap();
        town.sign_in(&mut phone).await.unwrap();
        phone.counter -= 1;
        match town.sign_in(&mut phone).await {
            Err(IdentityError::PasskeyCopied { account }) => assert_eq!(account, session.account),
            other => panic!("{other:?}"),
        }
        town.sign_in(&mut phone).await.unwrap();
    }

    async fn a_passkey_shows_once_more_who_is_there(db: Db) {
        let town = Town::new(db).await;
        let (ann, ben) = (town.world.person("ann").await, town.world.person("ben").await);
        let mut phone = Authenticator::new(1);
        town.register(&ann.session, &mut phone).await.unwrap();
        town.world.clock.advance_micros(HOUR);
        let begin = town.world.identity.passkey_begin(&town.site, &ann.session, &origin(1)).await;
        assert!(matches!(begin, Err(IdentityError::StepUpRequired)));
        let step = async |who: &SignedIn, asked: &Question, answer: &Value| {
            let said = (&asked.ceremony, answer);
            Box::pin(town.world.identity.step_up_with_passkey(&town.site, &who.token, said, &origin(2))).await
        };
        // A question to sign in is none for this; and nobody steps up with somebody else's.
        let asked = town.ask(None).await;
        let answer = phone.get(&asked.options);
        assert!(matches!(step(&ann, &asked, &answer).await, Err(IdentityError::ProofWrong)));
        let asked = town.ask(Some(ben.session.account)).await;
        let answer = phone.get(&asked.options);
        assert!(matches!(step(&ben, &asked, &answer).await, Err(IdentityError::ProofWrong)));
        let asked = town.ask(Some(ann.session.account)).await;
        let answer = phone.get(&asked.options);
        let raised = step(&ann, &asked, &answer).await.unwrap();
        assert!(raised.session.stepped_up(tacit_kernel::Clock::now(&*town.world.clock)));
        assert_eq!(town.world.identity.session_by_token(&ann.token).await.unwrap(), None);
    }

    async fn who_gets_an_account_back_loses_passkeys_that_are_new(db: Db) {
        let town = Town::new(db).await;
        let (world, to) = (&town.world, email("ann@example.org"));
        let session = world.person("ann").await.session;
        let (mut own, mut strange) = (Authenticator::new(1), Authenticator::new(2));
        town.register(&session, &mut own).await.unwrap();
        world.clock.advance_micros(8 * 24 * HOUR);
        let session = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap().session;
        town.register(&session, &mut strange).await.unwrap();
        world.heard.take();
        let code = world.code(CodePurpose::PasswordReset, &to).await;
        world.identity.password_reset(&to, &code, secret("battery staple"), &origin(2)).await.unwrap();
        failed(town.sign_in(&mut strange).await);
        assert!(town.sign_in(&mut own).await.is_ok());
        let told = world.heard.take();
        assert!(told.iter().any(|(_, what)| what.contains("passkeys: 1")), "{told:?}");
    }

    async fn a_passkey_is_named_and_removed_but_not_as_the_last_way_in(db: Db) {
        let town = Town::new(db).await;
        let session = signed_in_alone(&town.world).await;
        let (first, second) = (
            town.register(&session, &mut Authenticator::new(1)).await.unwrap().id,
            town.register(&session, &mut Authenticator::new(2)).await.unwrap().id,
        );
        let ben = town.world.person("ben").await.session;
        assert!(matches!(town.remove(ben.account, first).await, Err(IdentityError::PasskeyNotFound)));
        let linked = town.world.identity.identity_list(session.account, Page::default()).await.unwrap().items;
        town.world.identity.identity_unlink(session.account, linked[0].id).await.unwrap();
        town.remove(session.account, first).await.unwrap();
        assert!(matches!(town.remove(session.account, second).await, Err(IdentityError::WayInLast)));

        let name = &Personal::new("key ring".to_owned());
        let rename = async |tx: &mut WriteTx<'_>| {
            town.world.identity.passkey_name_in_tx(tx, session.account, second, name).await
        };
        let rename = &rename;
        let named = town.world.db.write("test.name", |tx| Box::pin(rename(tx))).await.unwrap();
        let listed = town.world.identity.passkey_list(session.account, Page::default()).await.unwrap().items;
        assert_eq!((listed, &named.name), (vec![named.clone()], name));
    }
}

#[test]
fn there_are_no_passkeys_for_a_number() {
    for (origin, host) in [("http://127.0.0.1:8080", "127.0.0.1"), ("https://[::1]", "::1")] {
        assert!(PasskeySite::new(origin, host).is_none());
    }
    assert!(PasskeySite::new("http://localhost:8080", "localhost").is_some());
}
