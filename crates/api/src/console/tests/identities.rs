//! Beginning at a provider of identities: what is counted, and when.

use super::{Got, Served, Ways, Wishes, served_with};
use axum::http::Method;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tacit_identity::IdentityError;
use tacit_identity::sessions::Origin;
use tacit_kernel::SystemClock;
use tacit_operations::providers::{Preset, Provider, ProviderSettings};
use tacit_storage::{Db, both_engines};

/// A provider that hangs up, and how often it was asked for its discovery document.
async fn provider() -> (Provider, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let settings = ProviderSettings {
        id: "silent".into(),
        preset: Preset::Oidc,
        client_id: "tacit".into(),
        client_secret: SecretString::from("secret"),
        name_en: "Silent".into(),
        name_zh: "静".into(),
        issuer: Some(issuer),
        authorize_url: None,
        token_url: None,
        user_url: None,
        allow_private: true,
        authority: None,
    };
    (Provider::new(settings, "https://tacit.example", Arc::new(SystemClock)).unwrap(), asked)
}

async fn begin(served: &Served, from: &str) -> Got {
    let asking = served.ask(Method::POST, "/api/v1/sign-in/providers/silent").header("x-forwarded-for", from);
    asking.header("sec-fetch-site", "same-origin").send().await
}

both_engines! {
    async fn who_begins_is_counted_before_the_provider_is_asked(db: Db) {
        let (provider, asked) = provider().await;
        let ways = Ways { providers: vec![provider], ..Ways::default() };
        let served = served_with(db, Wishes { ways, ..Wishes::default() }).await;
        let origin = Origin::new([198, 51, 100, 7].into(), "");
        while served.console.identity.identity_may_begin(None, &origin).await.is_ok() {}
        let refused = served.console.identity.identity_may_begin(None, &origin).await;
        assert!(matches!(refused, Err(IdentityError::TooMany { .. })), "{refused:?}");
        let got = begin(&served, "198.51.100.7").await;
        assert_eq!(got.refusal().0, 429);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "whoever must wait makes nobody ask");
        // Whoever need not is told what the provider answers.
        assert_eq!(begin(&served, "203.0.113.7").await.refusal(), (503, "provider.unreachable".into()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // And who is told that counts all the same: so do those who are let to a provider that fails.
        let origin = Origin::new([203, 0, 113, 7].into(), "");
        let mut more = 0;
        while served.console.identity.identity_may_begin(None, &origin).await.is_ok() {
            more += 1;
        }
        assert_eq!(more, 300, "of 301 one was used up");
    }
}
