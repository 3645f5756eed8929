//! HTTP/1.1 and HTTP/2, in clear and over TLS.

use crate::platform::{Platform, Wishes, chat};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use tacit_gateway::config::TlsFiles;

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let p = Platform::start(Wishes { tls: Some(files), ..Wishes::default() }).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    for version in [Version::HTTP_2, Version::HTTP_11] {
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let https =
            if version == Version::HTTP_2 { https.enable_http2().build() } else { https.enable_http1().build() };
        let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(https);
        let request = Request::post(format!("https://localhost:{}/v1/chat/completions", p.address.port()))
            .header("authorization", format!("Bearer {}", p.key))
            .body(Full::from(chat("chat", r#","stream":true"#)))
            .unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    }
    p.plane.calls(2).await;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_in_clear() {
    let p = Platform::start(Wishes::default()).await;
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let response = client.request(p.request("/v1/chat/completions", &chat("chat", ""))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
    p.plane.only_call().await;
    p.stop().await;
}
