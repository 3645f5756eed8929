//! A token that speaks PKCS#11: its AES key seals the master key (AES-256-GCM, on the token) and never leaves it.

use super::custodian::Custodian;
use crate::config::Pkcs11 as Settings;
use anyhow::Context as _;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Bound to what is sealed, so that the same key can be used for something else too.
const PURPOSE: &[u8] = b"tacit master key";
const NONCE: usize = 12;
const TAG_BITS: u64 = 128;

/// A token with somebody signed in.
pub(super) struct Token {
    // Closed before the module goes.
    session: Session,
    _module: Pkcs11,
    key: String,
}

impl Token {
    /// Loads the module, finds the token by its label and signs in.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Self> {
        let path = settings.module.as_ref().context("keyring.pkcs11.module is not set")?;
        let label = settings.token.as_deref().context("keyring.pkcs11.token is not set")?;
        let pin = settings.pin.as_ref().context("keyring.pkcs11.pin is not set")?;
        let pin: SecretString = pin.read().context("keyring.pkcs11.pin cannot be read")?;
        let module =
            Pkcs11::new(path).with_context(|| format!("the PKCS#11 module {} cannot be loaded", path.display()))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // By the other master key of this process.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(said(&error)).context("the PKCS#11 module does not start"),
        }
        let slots =
            module.get_slots_with_token().map_err(|e| said(&e)).context("the PKCS#11 module shows no tokens")?;
        let mut found = slots.into_iter().filter(|slot| {
            module.get_token_info(*slot).is_ok_and(|info| info.token_initialized() && info.label().trim_end() == label)
        });
        let slot = found.next().with_context(|| format!("there is no token with the label {label:?}"))?;
        anyhow::ensure!(found.next().is_none(), "several tokens have the label {label:?}");
        let session = module.open_rw_session(slot).map_err(|e| said(&e)).context("the token cannot be opened")?;
        match session.login(UserType::User, Some(&cryptoki::types::AuthPin::from(pin.expose_secret()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(said(&error)).context("the token does not take keyring.pkcs11.pin"),
        }
        Ok(Self { session, _module: module, key: settings.key.clone() })
    }

    /// Makes the key if it is not there.
    pub(super) fn provide(&self) -> anyhow::Result<()> {
        if !self.found()?.is_empty() {
            return Ok(());
        }
        let template = [
            Attribute::Label(self.key.clone().into_bytes()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
        ];
        let made = self.session.generate_key(&Mechanism::AesKeyGen, &template);
        made.map(drop).map_err(|e| said(&e)).context("the token does not make an AES key")
    }

    fn found(&self) -> anyhow::Result<Vec<ObjectHandle>> {
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(self.key.clone().into_bytes()),
        ];
        self.session.find_objects(&wanted).map_err(|e| said(&e)).context("the token does not look for its keys")
    }

    fn key(&self) -> anyhow::Result<ObjectHandle> {
        let found = self.found()?;
        match found.as_slice() {
            [key] => Ok(*key),
            [] => anyhow::bail!("the token has no AES key with the label {:?} (keyring.pkcs11.key)", self.key),
            _ => anyhow::bail!("the token has several AES keys with the label {:?}", self.key),
        }
    }
}

impl Custodian for Token {
    const NAME: &'static str = "tacit-wrapped-pkcs11-1";

    fn seal(&self, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut nonce: [u8; NONCE] = rand::random();
        let mut sealed = nonce.to_vec();
        let parameters = GcmParams::new(&mut nonce, PURPOSE, TAG_BITS.into()).map_err(|e| said(&e))?;
        let text = self.session.encrypt(&Mechanism::AesGcm(parameters), self.key()?, plain);
        sealed.extend(text.map_err(|e| said(&e)).context("the token does not seal (AES-GCM)")?);
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().context("the wrapped master key is cut off")?;
        let mut nonce = *nonce;
        let parameters = GcmParams::new(&mut nonce, PURPOSE, TAG_BITS.into()).map_err(|e| said(&e))?;
        let plain = self.session.decrypt(&Mechanism::AesGcm(parameters), self.key()?, text);
        let plain = plain.map_err(|e| said(&e)).context("the token does not open it: it was wrapped by another key")?;
        Ok(Zeroizing::new(plain))
    }
}

/// The name of what a module says, instead of the paragraph of the standard about it.
fn said(error: &Error) -> anyhow::Error {
    match error {
        Error::Pkcs11(value, function) => anyhow::anyhow!("{function}: {value:?}"),
        other => anyhow::anyhow!("{other}"),
    }
}
