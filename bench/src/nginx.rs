//! nginx as a plain reverse proxy with kept connections to the provider: the yardstick.

use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running nginx; ends when dropped.
pub(crate) struct Nginx {
    process: Child,
    /// One port per provider, in their order.
    pub(crate) ports: Vec<SocketAddr>,
}

impl Nginx {
    /// Starts nginx in `folder`, one server per provider port.
    pub(crate) fn start(folder: &Path, providers: &[SocketAddr]) -> Result<Self> {
        let mut servers = String::new();
        let mut ports = Vec::new();
        for (i, provider) in providers.iter().enumerate() {
            let port = free_port()?;
            ports.push(port);
            write!(
                servers,
                "upstream p{i} {{ server {provider}; keepalive 8192; keepalive_requests 1000000; }}
                 server {{ listen {port} backlog=8192 reuseport; location / {{ proxy_pass http://p{i}; }} }}\n"
            )?;
        }
        let text = format!(
            "worker_processes 2;
             error_log {folder}/error.log error;
             pid {folder}/nginx.pid;
             daemon off;
             events {{ worker_connections 16384; }}
             http {{
               access_log off;
               client_max_body_size 64m;
               client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
               uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
               keepalive_requests 1000000;
               proxy_http_version 1.1;
               proxy_set_header Connection \"\";
               proxy_buffering off;
               tcp_nodelay on;
               {servers}
             }}",
            folder = folder.display()
        );
        let config = folder.join("nginx.conf");
        std::fs::write(&config, text)?;
        let process = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::inherit())
            .spawn()
            .context("nginx could not be started: install the package `nginx`")?;
        Ok(Self { process, ports })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master passes SIGTERM on to its workers; a plain kill would leave them behind.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// A loopback port that is free at this moment.
pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
