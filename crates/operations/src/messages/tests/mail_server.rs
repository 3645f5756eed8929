//! A real SMTP server (`mailin`), which shares no code with the client under test. It takes mail, asks for a password,
//! speaks STARTTLS, and refuses what it is told to.

use mailin_embedded::response::{AUTH_OK, AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, NO_MAILBOX, OK};
use mailin_embedded::{AuthMechanism, Handler, Response, Server, SslConfig};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::messages::{Protection, Smtp, SmtpSettings};

pub(super) const USER: &str = "sender";
pub(super) const PASSWORD: &str = "right";

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) to: Vec<String>,
    pub(super) data: String,
}

#[derive(Default)]
struct State {
    inbox: Vec<Mail>,
    /// Codes to answer the next recipients with.
    refusals: VecDeque<u16>,
}

#[derive(Clone)]
struct Session {
    state: Arc<Mutex<State>>,
    ask: bool,
    known: bool,
    mail: Mail,
}

impl Handler for Session {
    fn mail(&mut self, _: IpAddr, _: &str, _: &str) -> Response {
        if self.ask && !self.known { AUTHENTICATION_REQUIRED } else { OK }
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("nobody@") {
            return NO_MAILBOX;
        }
        // Here and not after the data, where this server, having refused, takes the client's goodbye for data.
        if let Some(code) = self.state.lock().unwrap().refusals.pop_front() {
            return Response::custom(code, format!("no mail for {to} today"));
        }
        self.mail.to.push(to.to_owned());
        OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.mail.data.push_str(&String::from_utf8_lossy(line));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mut state = self.state.lock().unwrap();
        let mail = std::mem::replace(&mut self.mail, Mail { to: vec![], data: String::new() });
        state.inbox.push(mail);
        Response::custom(250, "queued as 4711".to_owned())
    }

    fn auth_plain(&mut self, _: &str, user: &str, password: &str) -> Response {
        self.known = user == USER && password == PASSWORD;
        if self.known { AUTH_OK } else { INVALID_CREDENTIALS }
    }
}

/// A running server; it goes with the test's process.
pub(super) struct MailServer {
    pub(super) port: u16,
    certificate: Option<Vec<u8>>,
    /// Certificate and key, in files.
    pub(super) files: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

impl MailServer {
    /// With STARTTLS and a password, which it insists on.
    pub(super) fn protected() -> Self {
        Self::start(TcpListener::bind("127.0.0.1:0").unwrap(), true)
    }

    /// Without either.
    pub(super) fn open() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Without either, at a place of the test's choice.
    pub(super) fn at(listener: TcpListener) -> Self {
        Self::start(listener, false)
    }

    fn start(listener: TcpListener, protected: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let mail = Mail { to: vec![], data: String::new() };
        let session = Session { state: Arc::clone(&state), ask: protected, known: false, mail };
        let mut server = Server::new(session);
        let port = listener.local_addr().unwrap().port();
        server.with_name("mail.example").with_tcp_listener(listener);
        if protected {
            server.with_auth(AuthMechanism::Plain);
            let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
            let ssl = SslConfig::SelfSigned { cert_path: path(&certificate), key_path: path(&key) };
            server.with_ssl(ssl).unwrap();
        }
        std::thread::spawn(move || drop(server.serve()));
        Self { port, certificate: Some(made.cert.pem().into_bytes()), files, state }
    }

    pub(super) fn inbox(&self) -> Vec<Mail> {
        self.state.lock().unwrap().inbox.clone()
    }

    /// The next mails are refused with these codes.
    pub(super) fn refuse(&self, codes: &[u16]) {
        self.state.lock().unwrap().refusals.extend(codes);
    }

    /// How to reach it: with password and STARTTLS if it is protected.
    pub(super) fn settings(&self, protection: Protection) -> SmtpSettings {
        let login = (protection != Protection::None).then(|| (USER.to_owned(), SecretString::from(PASSWORD)));
        SmtpSettings {
            host: "localhost".into(),
            port: self.port,
            protection,
            login,
            from: "no-reply@ai.example".into(),
            from_name: "Tacit".into(),
            authority: self.certificate.clone(),
            timeout: Duration::from_secs(3),
        }
    }

    pub(super) fn client(&self, protection: Protection) -> Smtp {
        Smtp::new(self.settings(protection)).unwrap()
    }
}
