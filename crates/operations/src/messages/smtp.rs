//! E-mail: any SMTP server, through `lettre`.
//!
//! Each message has a connection of its own: messages are few, and nothing is left open between them. Names and subjects
//! are encoded by the library; a test sends line breaks in each of them.

use super::attempt::{Attempt, NotTaken, Taken, cause};
use super::model::Failure;
use super::templates::Letter;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, UNIX_EPOCH};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::MessageId;

/// How the connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte (port 465).
    Implicit,
    /// TLS after `STARTTLS`, or no connection at all (port 587).
    StartTls,
    /// None; for a server on this machine.
    None,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name, which its certificate must carry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub protection: Protection,
    /// User and password; without them none are given.
    pub login: Option<(String, SecretString)>,
    /// The address that messages come from.
    pub from: String,
    /// The name beside it.
    pub from_name: String,
    /// A certificate authority (PEM) to trust beside those of the web.
    pub authority: Option<Vec<u8>>,
    /// How long an attempt may take.
    pub timeout: Duration,
}

/// A mail server that can be given messages.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("smtp")
    }
}

impl Smtp {
    /// Takes the settings; nothing is connected yet.
    ///
    /// # Errors
    /// Which setting is wrong and why, in words for the operator.
    pub fn new(settings: SmtpSettings) -> Result<Self, String> {
        let from: Address =
            settings.from.parse().map_err(|_| "messages.smtp.from is not an e-mail address".to_owned())?;
        // The library cannot write such a name at all.
        if settings.from_name.chars().any(char::is_control) {
            return Err("messages.smtp.from_name must be one line of text".into());
        }
        let tls = |settings: &SmtpSettings| {
            let mut parameters = TlsParameters::builder(settings.host.clone());
            if let Some(pem) = &settings.authority {
                let certificate = Certificate::from_pem(pem)
                    .map_err(|_| "messages.smtp.ca is not a certificate in PEM".to_owned())?;
                parameters = parameters.add_root_certificate(certificate);
            }
            parameters.build_rustls().map_err(|_| "messages.smtp.ca cannot be used".to_owned())
        };
        let tls = match settings.protection {
            Protection::Implicit => Tls::Wrapper(tls(&settings)?),
            Protection::StartTls => Tls::Required(tls(&settings)?),
            Protection::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .tls(tls)
            .hello_name(ClientId::Domain(from.domain().to_owned()))
            .timeout(Some(settings.timeout));
        if let Some((user, password)) = settings.login {
            builder = builder.credentials(Credentials::new(user, password.expose_secret().to_owned()));
        }
        let from = Mailbox::new(Some(settings.from_name), from);
        Ok(Self { transport: builder.build(), from, timeout: settings.timeout })
    }

    /// Gives the server a message. Each attempt for the same id has the same `Message-ID`, so that a mailbox can tell
    /// that it has the message already.
    pub(super) async fn send(&self, id: MessageId, to: &str, letter: Letter, now: Timestamp) -> Attempt {
        let message = self.message(id, to, letter, now)?;
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Err(_) => Err(NotTaken::without_answer(Failure::Timeout)),
            Ok(Err(error)) => Err(not_taken(&error)),
            Ok(Ok(response)) => Ok(Taken {
                status: response.code().into(),
                reference: response.first_line().map(str::to_owned).filter(|line| !line.is_empty()),
            }),
        }
    }

    fn message(&self, id: MessageId, to: &str, letter: Letter, now: Timestamp) -> Result<Message, NotTaken> {
        let to: Address = to.parse().map_err(|_| NotTaken::without_answer(Failure::Recipient))?;
        let date = UNIX_EPOCH + Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(date)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // RFC 3834: no vacation notes in answer.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(|_| NotTaken::without_answer(Failure::Template))
    }
}

/// What the library tells, without a word of the server.
fn not_taken(error: &lettre::transport::smtp::Error) -> NotTaken {
    if let Some(code) = error.status() {
        let status = u16::from(code);
        let failure = match status {
            // RFC 4954, section 6.
            432 | 454 | 530 | 534 | 535 | 538 => Failure::Credentials,
            // RFC 5321, section 4.2.3: mailbox unavailable, not local, name not allowed.
            550 | 551 | 553 => Failure::Recipient,
            400..=499 => Failure::Deferred,
            _ => Failure::Refused,
        };
        return NotTaken::status(failure, status);
    }
    // A handshake that fails is an error of the connection to the library.
    NotTaken::without_answer(if let Some(failure) = cause(error) {
        failure
    } else if error.is_tls() {
        Failure::Tls
    } else if error.is_response() {
        Failure::Answer
    } else if error.is_client() {
        // The library's own words: the server lacks what we insist on.
        if error.to_string().contains("STARTTLS") { Failure::Tls } else { Failure::Credentials }
    } else {
        Failure::Unreachable
    })
}
