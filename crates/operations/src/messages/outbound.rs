//! The client with which providers of text messages, and of identities, are called: `https` only, and only to addresses of the public internet unless
//! the operator allows others. A name is judged by the addresses that it has when the connection is made, and the
//! connection goes to those.

use super::attempt::{NotTaken, cause};
use super::model::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tacit_kernel::addresses::is_public;
use tower::Service;

/// The longest answer that is read, in bytes.
const MOST: usize = 64 << 10;

/// What a provider answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// The client.
pub(crate) struct Outbound {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    allow_private: bool,
    timeout: Duration,
}

impl Outbound {
    /// Trusts the authorities of the web, and `authority` (PEM) too.
    ///
    /// # Errors
    /// That the authority cannot be used.
    pub(crate) fn new(allow_private: bool, authority: Option<&[u8]>, timeout: Duration) -> Result<Self, String> {
        let resolver = Resolver {
            allow_private,
            #[cfg(test)]
            stand_in: None,
        };
        Self::over(resolver, authority, timeout)
    }

    /// One for which every name is that of `stand_in`: for tests of what is said to hosts that have fixed names.
    #[cfg(test)]
    pub(crate) fn to_stand_in(stand_in: SocketAddr, authority: &[u8]) -> Self {
        let resolver = Resolver { allow_private: false, stand_in: Some(stand_in) };
        Self::over(resolver, Some(authority), Duration::from_secs(5)).unwrap()
    }

    fn over(resolver: Resolver, authority: Option<&[u8]>, timeout: Duration) -> Result<Self, String> {
        let wrong = || "messages.sms.ca is not a certificate in PEM".to_owned();
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(pem) = authority {
            roots.add(CertificateDer::from_pem_slice(pem).map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| wrong())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_connect_timeout(Some(timeout));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Ok(Self { client, allow_private: resolver.allow_private, timeout })
    }

    /// Sends a request and reads the answer. Redirections are not followed: they are answers.
    pub(crate) async fn send(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, NotTaken> {
        // The connector asks no resolver about a literal address.
        let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.parse::<IpAddr>().is_ok_and(|address| !self.allow_private && !is_public(address)) {
            return Err(NotTaken::without_answer(Failure::Unreachable));
        }
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|e| NotTaken::without_answer(cause(&e).unwrap_or(Failure::Unreachable)))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MOST).collect().await;
            let body = body.map_err(|_| NotTaken::status(Failure::Answer, status))?.to_bytes();
            Ok(Answer { status, body })
        };
        let late = NotTaken::without_answer(Failure::Timeout);
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(late))
    }
}

/// The system's resolver, of whose answers only public addresses are left unless others are allowed.
#[derive(Clone, Copy, Debug)]
struct Resolver {
    allow_private: bool,
    #[cfg(test)]
    stand_in: Option<SocketAddr>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        #[cfg(test)]
        if let Some(stand_in) = self.stand_in {
            // With a port of its own, which the connector leaves as it is.
            return Box::pin(async move { Ok(vec![stand_in].into_iter()) });
        }
        let allow_private = self.allow_private;
        Box::pin(async move {
            // The connector puts the port in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fit: Vec<SocketAddr> = found.filter(|a| allow_private || is_public(a.ip())).collect();
            if fit.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no public address"));
            }
            Ok(fit.into_iter())
        })
    }
}
