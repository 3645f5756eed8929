//! Names of providers to addresses. What comes back is checked before a connection is made, and the connection goes to
//! exactly the addresses that were checked, so a name cannot be turned to an internal address in between.

use std::io;
use std::net::SocketAddr;
use tacit_kernel::addresses::is_public;

/// The addresses of a host, from the system's resolver, of which only public ones are left unless private ones are
/// allowed.
///
/// # Errors
/// There is none.
pub(crate) async fn resolve(host: &str, port: u16, allow_private: bool) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await?;
    let found: Vec<SocketAddr> = found.filter(|a| allow_private || is_public(a.ip())).collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no public address"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_an_internal_address_is_refused() {
        for inside in ["localhost", "127.0.0.1", "::1"] {
            let refused = resolve(inside, 1, false).await.err().unwrap();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
        assert!(!resolve("localhost", 1, true).await.unwrap().is_empty());
    }
}
