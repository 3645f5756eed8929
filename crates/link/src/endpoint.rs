//! Where the link is reached, and the certificates it needs when it leaves the machine.

use secrecy::{ExposeSecret, SecretSlice};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// An address of the link: `unix:/path` or `tcp://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket file; who may open it is decided by the file system.
    Unix(PathBuf),
    /// A host and port; always with mutual TLS.
    Tcp {
        /// Name or address; the control plane's certificate must carry it.
        host: String,
        /// Port.
        port: u16,
    },
}

/// A text that is not an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of the link: write unix:/absolute/path or tcp://host:port")]
pub struct BadEndpoint;

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() && path.file_name().is_some() {
                Ok(Self::Unix(path))
            } else {
                Err(BadEndpoint)
            };
        }
        let uri: http::Uri = text.parse().map_err(|_| BadEndpoint)?;
        let bare = uri.path_and_query().is_none_or(|p| p.as_str() == "/") && !text.ends_with('/');
        match (uri.scheme_str(), uri.authority()) {
            (Some("tcp"), Some(authority))
                if bare && !authority.host().is_empty() && !authority.as_str().contains('@') =>
            {
                let port = authority.port_u16().ok_or(BadEndpoint)?;
                Ok(Self::Tcp { host: authority.host().to_owned(), port })
            }
            _ => Err(BadEndpoint),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// Certificates of one side, as PEM bytes: read before the sandbox closes, never read again.
#[derive(Clone)]
pub struct Tls {
    ca: Vec<u8>,
    cert: Vec<u8>,
    key: SecretSlice<u8>,
}

impl Tls {
    /// `ca`: who signed the other side. `cert`, `key`: this side's chain and private key.
    #[must_use]
    pub fn new(ca: Vec<u8>, cert: Vec<u8>, key: Vec<u8>) -> Self {
        Self { ca, cert, key: key.into() }
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.cert, self.key.expose_secret())
    }

    pub(crate) fn client(&self) -> ClientTlsConfig {
        provider();
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.ca)).identity(self.identity())
    }

    pub(crate) fn server(&self) -> ServerTlsConfig {
        provider();
        ServerTlsConfig::new().client_ca_root(Certificate::from_pem(&self.ca)).identity(self.identity())
    }
}

/// tonic's server side takes rustls' default provider; name it, so that another crate's features cannot make the
/// choice ambiguous.
fn provider() {
    // An error means that the program has already chosen one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls { .. }")
    }
}

/// Why the link could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// TCP without certificates.
    #[error("the link over TCP needs mutual TLS: configure the CA, the certificate and the key of this side")]
    TlsRequired,
    /// Certificates for a Unix socket.
    #[error("the link over a Unix socket takes no certificates; remove them or use tcp://")]
    TlsUnused,
    /// Somebody answers on that socket already.
    #[error("another control plane listens on {0}")]
    InUse(Endpoint),
    /// The socket could not be made.
    #[error("cannot listen on {0}: {1}")]
    Listen(Endpoint, #[source] std::io::Error),
    /// The certificates or the address were not accepted.
    #[error("the link cannot be set up: {0}")]
    Transport(String),
}

impl From<tonic::transport::Error> for LinkError {
    fn from(error: tonic::transport::Error) -> Self {
        // tonic's own text is only "transport error"; the cause says what is wrong with the certificate.
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Self::Transport(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_and_nothing_else() {
        for text in ["unix:/run/tacit/link.sock", "tcp://control.example:4430", "tcp://10.0.0.1:1", "tcp://[::1]:4430"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "unix:",
            "unix:relative",
            "unix:/",
            "tcp://host",
            "tcp://host:0x1",
            "tcp://u@host:1",
            "tcp://host:1/",
            "tcp://host:1/x",
            "tcp://host:1?x",
            "http://host:1",
            "host:1",
            "tcp://:1",
        ] {
            assert_eq!(bad.parse::<Endpoint>(), Err(BadEndpoint), "{bad}");
        }
    }

    #[test]
    fn the_private_key_is_not_printed() {
        let tls = Tls::new(b"ca".to_vec(), b"cert".to_vec(), b"canary".to_vec());
        assert_eq!(format!("{tls:?}"), "Tls { .. }");
    }
}
