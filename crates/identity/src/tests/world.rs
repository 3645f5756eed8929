//! What the tests of people stand on: a service, a clock, and short ways to do what people do.

use crate::codes::{CodePurpose, CodeWish};
use crate::contacts::Contact;
use crate::notices::{Notice, Notices, Telling, Told};
use crate::registration::{AgeBand, Language, Registration, RegistrationRules};
use crate::sessions::Origin;
use crate::sign_in::SignedIn;
use crate::{Identity, IdentityError};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use tacit_kernel::Ppm;
use tacit_kernel::ids::GroupId;
use tacit_kernel::time::ManualClock;
use tacit_storage::{Db, StorageError, WriteTx};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;
pub(crate) const PASSWORD: &str = "correct horse";

/// What people were told: where, and what.
#[derive(Default)]
pub(crate) struct Heard {
    told: std::sync::Mutex<Vec<(Vec<String>, String)>>,
    broken: std::sync::atomic::AtomicBool,
}

impl Heard {
    /// What was told since this was asked.
    pub(crate) fn take(&self) -> Vec<(Vec<String>, String)> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// Whether no notice can be written from now on.
    pub(crate) fn breaks(&self, broken: bool) {
        self.broken.store(broken, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Notices for Heard {
    fn tell<'n, 't: 'n>(&'n self, _: &'n mut WriteTx<'t>, told: Told<'n>) -> Telling<'n> {
        let to = told.to.iter().map(|contact| contact.text().to_owned()).collect();
        let what = match told.notice {
            Notice::NewDevice(_) => "NewDevice".to_owned(),
            notice => format!("{notice:?}"),
        };
        if self.broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Box::pin(async { Err(StorageError::inconsistent("messages", "id")) });
        }
        self.told.lock().unwrap().push((to, what));
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct World {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: Db,
    pub(crate) group: GroupId,
    pub(crate) heard: Arc<Heard>,
}

pub(crate) fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

pub(crate) fn email(text: &str) -> Contact {
    Contact::email(text).unwrap()
}

/// Somebody at an address of their own.
pub(crate) fn origin(last: u8) -> Origin {
    Origin::new([198, 51, last, last].into(), "Firefox on Linux")
}

/// Somebody who says as little as possible.
pub(crate) fn plain() -> Registration {
    Registration {
        username: None,
        password: None,
        email: None,
        phone: None,
        profile: BTreeMap::new(),
        age: AgeBand::Adult,
        guardian: None,
        invitation: None,
        identity: None,
        language: Language::En,
    }
}

impl World {
    pub(crate) async fn new(db: Db) -> Self {
        let (identity, clock) = super::service(db.clone()).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap().id;
        let heard = Arc::new(Heard::default());
        Self { identity: identity.with_notices(heard.clone()), clock, db, group, heard }
    }

    pub(crate) async fn wish(
        &self,
        purpose: CodePurpose,
        to: &Contact,
        origin: &Origin,
    ) -> Result<CodeWish, IdentityError> {
        let wish = async |tx: &mut WriteTx<'_>| self.identity.code_wish_in_tx(tx, purpose, to, origin).await;
        let wish = &wish;
        self.db.write("test.wish", |tx| Box::pin(wish(tx))).await
    }

    /// A code that is sent.
    pub(crate) async fn code(&self, purpose: CodePurpose, to: &Contact) -> SecretString {
        match self.wish(purpose, to, &origin(1)).await.unwrap() {
            CodeWish::Send { code, .. } => code,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn take(&self, purpose: CodePurpose, to: &Contact, code: &SecretString) -> bool {
        self.take_from(purpose, to, code, 1).await
    }

    /// The same, tried from somewhere.
    pub(crate) async fn take_from(&self, purpose: CodePurpose, to: &Contact, code: &SecretString, from: u8) -> bool {
        let from = origin(from).address;
        let take = async |tx: &mut WriteTx<'_>| self.identity.code_take_in_tx(tx, purpose, to, code, from).await;
        let take = &take;
        self.db.write("test.take", |tx| Box::pin(take(tx))).await.unwrap()
    }

    pub(crate) async fn register(&self, asked: &Registration) -> Result<SignedIn, IdentityError> {
        let rules = RegistrationRules { phone: crate::registration::Need::Optional, ..RegistrationRules::default() };
        Box::pin(self.identity.register(&rules, asked, self.group, &origin(1))).await
    }

    /// Somebody who registered with this address, that name and the password.
    pub(crate) async fn person(&self, name: &str) -> SignedIn {
        let address = email(&format!("{name}@example.org"));
        let code = self.code(CodePurpose::Register, &address).await;
        let asked = Registration {
            username: Some(super::name(name)),
            password: Some(secret(PASSWORD)),
            email: Some((address, code)),
            ..plain()
        };
        self.register(&asked).await.unwrap()
    }
}
