//! The preset of Google against a stand-in for it: a TLS socket of this machine to which every name leads, with a certificate
//! for Google's. It says what Google's discovery says, and signs as Google does (RS256). No other provider has fixed names.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use tacit_kernel::{Personal, SystemClock};
use url::Url;

const NAMES: [&str; 3] = ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"];
const CLIENT: &str = "1234987819200.apps.googleusercontent.com";

struct StandIn {
    at: SocketAddr,
    authority: Vec<u8>,
    lies: Arc<Mutex<Lies>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What it says otherwise than Google: claims of the ID token, and fields of the discovery.
#[derive(Default)]
struct Lies {
    claims: BTreeMap<&'static str, Value>,
    discovery: BTreeMap<&'static str, Value>,
}

/// A request: to which host, for what, and the form.
#[derive(Clone)]
struct Asked {
    url: String,
    authorization: String,
    form: BTreeMap<String, String>,
}

/// What answers at that address; `nonce` is told by the code, which stands in for who signs in there.
fn said(url: &str, form: &BTreeMap<String, String>, key: &RsaKeyPair, lies: &Lies) -> Value {
    match url {
        "accounts.google.com/.well-known/openid-configuration" => {
            let mut told = json!({
                "issuer": "https://accounts.google.com",
                "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
                "token_endpoint": "https://oauth2.googleapis.com/token",
                "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
                "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
                "response_types_supported": ["code", "token", "id_token", "code token", "code id_token", "none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "code_challenge_methods_supported": ["plain", "S256"],
            });
            for (field, value) in &lies.discovery {
                told[*field] = value.clone();
            }
            told
        }
        "www.googleapis.com/oauth2/v3/certs" => {
            let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            // RFC 8017, A.1.1, of 2048 bits: a head, 256 bytes of the modulus, and the exponent 65537.
            let (n, e) = (&key.public_key().as_ref()[9..265], &[1, 0, 1]);
            json!({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": number(n), "e": number(e)}]})
        }
        "oauth2.googleapis.com/token" => {
            let now = SystemClock.now().0 / 1_000_000;
            let mut claims = json!({
                "iss": "https://accounts.google.com", "azp": CLIENT, "aud": CLIENT, "sub": "10769150350006150715113082367",
                "email": "jsmith@example.org", "email_verified": true, "nonce": form["code"], "iat": now, "exp": now + 3600,
            });
            for (claim, value) in &lies.claims {
                claims[*claim] = value.clone();
            }
            let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(json!({"alg": "RS256", "kid": "one", "typ": "JWT"})), part(claims));
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
            json!({"access_token": "ya29.a", "expires_in": 3599, "scope": "openid", "token_type": "Bearer", "id_token": token})
        }
        other => panic!("Google is not asked at {other}"),
    }
}

impl StandIn {
    async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let signing = Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let (lies, asked) = (Arc::new(Mutex::new(Lies::default())), Arc::new(Mutex::new(Vec::new())));
        let (lying, noted) = (lies.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let (signing, lies, asked) = (signing.clone(), lying.clone(), noted.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (signing, lies, asked) = (signing.clone(), lies.clone(), asked.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
                        let url = format!("{}{}", header("host"), parts.uri.path());
                        let form = url::form_urlencoded::parse(&body).into_owned().collect();
                        let answer = said(&url, &form, &signing, &lies.lock());
                        asked.lock().push(Asked { url, authorization: header("authorization").to_owned(), form });
                        Ok::<_, Infallible>(http::Response::new(Full::new(bytes::Bytes::from(answer.to_string()))))
                    }
                });
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            }
        });
        Self { at, authority: made.cert.pem().into_bytes(), lies, asked }
    }

    fn provider(&self) -> Provider {
        let web = Web::to_stand_in(self.at, &self.authority);
        Provider::over(web, google(None), "https://tacit.example", Arc::new(SystemClock)).unwrap()
    }

    /// Somebody goes there and comes back.
    async fn signed_in(&self, provider: &Provider) -> Result<Person, ProviderError> {
        let started = provider.start("state").await?;
        let (nonce, verifier) = (started.nonce.expose_secret(), started.verifier.expose_secret());
        provider.finish((nonce, None), (nonce, verifier)).await
    }
}

/// Google, as an operator sets it.
fn google(issuer: Option<String>) -> ProviderSettings {
    ProviderSettings {
        id: "google".into(),
        preset: Preset::Google,
        client_id: CLIENT.into(),
        client_secret: SecretString::from("secret"),
        name_en: "Google".into(),
        name_zh: "谷歌".into(),
        issuer,
        authorize_url: None,
        token_url: None,
        user_url: None,
        allow_private: false,
        authority: None,
    }
}

#[tokio::test]
async fn google_is_asked_as_its_preset_says() {
    let stand_in = StandIn::start().await;
    let provider = stand_in.provider();
    let url: Url = provider.start("state").await.unwrap().url.parse().unwrap();
    assert_eq!(url.origin().ascii_serialization() + url.path(), "https://accounts.google.com/o/oauth2/v2/auth");
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["scope"], "openid email");
    assert_eq!(query["client_id"], CLIENT);
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["redirect_uri"], "https://tacit.example/sign-in/callback/google");
    assert_eq!((&*query["state"], &*query["code_challenge_method"]), ("state", "S256"));

    // Known by `sub`, and shown by the address.
    let person = stand_in.signed_in(&provider).await.unwrap();
    let (subject, shown) = ("10769150350006150715113082367".to_owned(), "jsmith@example.org".to_owned());
    assert_eq!(person, Person { subject: Personal::new(subject), also: None, shown: Personal::new(shown) });
    let asked = stand_in.asked.lock().clone();
    let urls: Vec<&str> = asked.iter().map(|asked| asked.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "accounts.google.com/.well-known/openid-configuration",
            "www.googleapis.com/oauth2/v3/certs",
            "oauth2.googleapis.com/token"
        ],
        "discovery is kept"
    );
    let redeemed = asked.last().unwrap();
    assert!(redeemed.authorization.starts_with("Basic "), "the client shows itself");
    assert!(redeemed.form["code_verifier"].len() >= 43);
}

#[tokio::test]
async fn who_is_not_google_is_not_believed_as_google() {
    let stand_in = StandIn::start().await;
    let provider = stand_in.provider();
    // Signed by the key that is good, all of them.
    for (claim, value) in [
        ("iss", json!("https://login.example")),
        ("iss", json!("https://accounts.google.com.evil.example")),
        ("iss", json!("https://accounts.google.com/")),
        ("aud", json!("another.apps.googleusercontent.com")),
        ("nonce", json!("of another sign-in")),
    ] {
        stand_in.lies.lock().claims = [(claim, value.clone())].into();
        assert_eq!(stand_in.signed_in(&provider).await, Err(ProviderError::Untrue), "{claim}: {value}");
    }
    stand_in.lies.lock().claims.clear();
    assert!(stand_in.signed_in(&provider).await.is_ok());
    // It says at Google's address that it is somebody else.
    stand_in.lies.lock().discovery = [("issuer", json!("https://login.example"))].into();
    assert_eq!(stand_in.provider().start("state").await.map(drop), Err(ProviderError::Untrue));
}

#[tokio::test]
async fn one_asks_for_all_who_wait() {
    let stand_in = StandIn::start().await;
    let provider = Arc::new(stand_in.provider());
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let provider = Arc::clone(&provider);
            tokio::spawn(async move {
                provider.start("state").await.map(|started| started.nonce.expose_secret().to_owned())
            })
        })
        .collect();
    let mut nonces = std::collections::BTreeSet::new();
    for one in starting {
        nonces.insert(one.await.unwrap().unwrap());
    }
    assert_eq!(nonces.len(), 8, "each has a nonce of its own");
    let discoveries = stand_in.asked.lock().iter().filter(|asked| asked.url.ends_with("/openid-configuration")).count();
    assert_eq!(discoveries, 1);
}

#[test]
fn google_has_no_other_issuer() {
    let other = google(Some("https://login.example".into()));
    let made = Provider::new(other, "https://tacit.example", Arc::new(SystemClock));
    assert!(made.is_err_and(|wrong| wrong.contains("leave it out")));
}
