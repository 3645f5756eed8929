//! The site that passkeys are for, and what WebAuthn says about questions and answers. Pure but for time and chance, which
//! the library takes itself.

use crate::IdentityError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tacit_kernel::Fault;
use tacit_kernel::ids::AccountId;
use webauthn_rp::bin::{Decode as _, Encode as _};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle16, Username,
};
use webauthn_rp::request::{AsciiDomain, PublicKeyCredentialDescriptor, RpId};
use webauthn_rp::response::auth::DiscoverableAuthentication16;
use webauthn_rp::response::auth::error::AuthCeremonyErr;
use webauthn_rp::response::register::{DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthenticationServerState, DiscoverableCredentialRequestOptions,
    PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

/// The site that passkeys are for: the host of the public URL, and its origin.
#[derive(Debug)]
pub struct PasskeySite {
    host: RpId,
    origin: String,
}

/// The public half of a passkey as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Credential {
    pub(super) id: Vec<u8>,
    transports: u8,
    fixed: Vec<u8>,
    counted: [u8; 7],
}

/// Why an answer is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not answer the question, or not rightly.
    Answer,
    /// It does, but its counter was seen before.
    Counter,
}

/// An answer of a passkey, read but not judged.
pub(super) struct Assertion(DiscoverableAuthentication16);

impl Assertion {
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let text = serde_json::to_vec(answer).ok()?;
        DiscoverableAuthentication16::from_json_relaxed(&text).ok().map(Self)
    }

    /// The id of the credential that it says it is of.
    pub(super) fn credential(&self) -> Vec<u8> {
        self.0.raw_id().as_ref().to_vec()
    }
}

impl PasskeySite {
    /// The site at that origin (`https://ai.example`), if its host is a name: there are no passkeys for numbers.
    #[must_use]
    pub fn new(origin: &str, host: &str) -> Option<Self> {
        if host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let host = AsciiDomain::try_from(host.to_owned()).ok()?;
        Some(Self { host: RpId::Domain(host), origin: origin.to_owned() })
    }

    /// What a browser is asked to register a passkey, and what its answer is held against.
    pub(super) fn registration(
        &self,
        account: AccountId,
        name: &str,
        held: &[Credential],
    ) -> Result<(Value, Vec<u8>), IdentityError> {
        let id = handle(account)?;
        // Not every name of ours is one for WebAuthn, which has rules of its own (RFC 8265).
        let own = account.to_string();
        let name = Username::try_from(name).or_else(|_| Username::try_from(own.as_str()));
        let name = name.map_err(|_| wrong("passkey.name"))?;
        let user = PublicKeyCredentialUserEntity { name, id: &id, display_name: None };
        let held = held.iter().map(|credential| {
            Some(PublicKeyCredentialDescriptor {
                id: CredentialId::decode(credential.id.clone()).ok()?,
                transports: AuthTransports::decode(credential.transports).ok()?,
            })
        });
        let held: Vec<_> = held.collect::<Option<_>>().ok_or_else(|| wrong("passkey.held"))?;
        let mut options = PublicKeyCredentialCreationOptions::passkey(&self.host, user, held);
        // The library would have it enforced, and browsers refuse authenticators that do not know it, which are most. Every
        // use asks for verification anyway.
        options.extensions.cred_protect = CredProtect::None;
        let (server, client) = options.start_ceremony().map_err(|_| wrong("passkey.options"))?;
        let challenge = server.encode().map_err(|_| wrong("passkey.state"))?;
        let options = serde_json::to_value(&client).map_err(|_| wrong("passkey.options"))?;
        Ok((options, challenge))
    }

    /// The passkey that was made, if the answer is right.
    pub(super) fn registered(&self, challenge: &[u8], answer: &Value) -> Option<Credential> {
        let server = RegistrationServerState::<16>::decode(challenge).ok()?;
        let text = serde_json::to_vec(answer).ok()?;
        let answer = Registration::from_json_relaxed(&text).ok()?;
        let origins = [self.origin.as_str()];
        let options = RegistrationVerificationOptions::<&str, &str> { allowed_origins: &origins, ..Default::default() };
        let made = server.verify(&self.host, &answer, &options).ok()?;
        Some(Credential {
            id: made.id().as_ref().to_vec(),
            transports: made.transports().encode().ok()?,
            fixed: made.static_state().encode().ok()?,
            counted: made.dynamic_state().encode().ok()?,
        })
    }

    /// What a browser is asked to show a passkey, and what its answer is held against.
    pub(super) fn question(&self) -> Result<(Value, Vec<u8>), IdentityError> {
        let options = DiscoverableCredentialRequestOptions::passkey(&self.host);
        let (server, client) = options.start_ceremony().map_err(|_| wrong("passkey.options"))?;
        let challenge = server.encode().map_err(|_| wrong("passkey.state"))?;
        let options = serde_json::to_value(&client).map_err(|_| wrong("passkey.options"))?;
        Ok((options, challenge))
    }

    /// The passkey as it is to be kept from now on, if the answer is right.
    pub(super) fn answered(
        &self,
        challenge: &[u8],
        Assertion(answer): &Assertion,
        account: AccountId,
        kept: Credential,
    ) -> Result<Credential, Wrong> {
        let server = DiscoverableAuthenticationServerState::decode(challenge).map_err(|_| Wrong::Answer)?;
        let id = handle(account).map_err(|_| Wrong::Answer)?;
        if answer.response().user_handle() != &id {
            return Err(Wrong::Answer);
        }
        let fixed = StaticState::decode(&kept.fixed).map_err(|_| Wrong::Answer)?;
        let counted = DynamicState::decode(kept.counted).map_err(|_| Wrong::Answer)?;
        let credential_id = CredentialId::<&[u8]>::decode(&kept.id).map_err(|_| Wrong::Answer)?;
        let mut credential =
            AuthenticatedCredential::new(credential_id, &id, fixed, counted).map_err(|_| Wrong::Answer)?;
        let origins = [self.origin.as_str()];
        let options =
            AuthenticationVerificationOptions::<&str, &str> { allowed_origins: &origins, ..Default::default() };
        let verified = server.verify(&self.host, answer, &mut credential, &options);
        verified.map_err(|error| match error {
            AuthCeremonyErr::SignatureCounter => Wrong::Counter,
            _ => Wrong::Answer,
        })?;
        let counted = credential.dynamic_state().encode().map_err(|_| Wrong::Answer)?;
        Ok(Credential { counted, ..kept })
    }
}

/// An authenticator knows an account by its id.
fn handle(account: AccountId) -> Result<UserHandle16, IdentityError> {
    UserHandle16::decode(account.0.into_bytes()).map_err(|_| wrong("passkey.handle"))
}

fn wrong(code: &'static str) -> IdentityError {
    Fault::internal(code, "passkeys cannot be asked for").into()
}
