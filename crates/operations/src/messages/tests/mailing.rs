//! The client against the server: protection, passwords, refusals, what a mail looks like.

use super::mail_server::{MailServer, PASSWORD, USER};
use super::*;
use crate::messages::templates::Letter;
use std::net::TcpListener;
use tokio::io::copy_bidirectional;

fn letter() -> Letter {
    Letter { subject: "Hallo, 世界".into(), text: "plain text".into(), html: "<p>marked-up text</p>".into() }
}

async fn send(client: &Smtp, to: &str) -> Attempt {
    client.send(MessageId(uuid::Uuid::from_u128(9)), to, letter(), Timestamp(1_790_000_000_000_000)).await
}

fn failure(attempt: &Attempt) -> (Failure, Option<u16>) {
    let not_taken = attempt.as_ref().unwrap_err();
    (not_taken.failure, not_taken.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_over_starttls_with_a_password_and_looks_as_it_should() {
    let server = MailServer::protected();
    let taken = send(&server.client(Protection::StartTls), "ada@customer.example").await.unwrap();
    assert_eq!((taken.status, taken.reference.as_deref()), (250, Some("queued as 4711")));
    let inbox = server.inbox();
    assert_eq!(inbox[0].to, ["ada@customer.example"]);
    let (head, body) = inbox[0].data.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: Tacit <no-reply@ai.example>",
        "To: ada@customer.example",
        "Message-ID: <msg_00000000000000000000000009@ai.example>",
        "Auto-Submitted: auto-generated",
        "Date: Mon, 21 Sep 2026 14:13:20 +0000",
    ] {
        assert!(head.lines().any(|l| l == line), "{line}\n{head}");
    }
    assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");
    assert!(head.contains("Subject: Hallo, =?utf-8?b?") && head.is_ascii(), "{head}");
    assert!(body.contains("text/plain; charset=utf-8") && body.contains("plain text"), "{body}");
    assert!(body.contains("text/html; charset=utf-8") && body.contains("<p>marked-up text</p>"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_over_tls_from_the_first_byte() {
    let server = MailServer::open();
    // TLS is ended before the server, as a proxy does it.
    let read = |name| std::fs::read(server.files.path().join(name)).unwrap();
    let mut settings = server.settings(Protection::Implicit);
    settings.login = None;
    settings.port = {
        use rustls::pki_types::pem::PemObject as _;
        let certificate = rustls::pki_types::CertificateDer::from_pem_slice(&read("cert.pem")).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), server.port);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut clear) = acceptor.accept(stream).await else { continue };
                let mut inner = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                drop(copy_bidirectional(&mut clear, &mut inner).await);
            }
        });
        port
    };
    send(&Smtp::new(settings.clone()).unwrap(), "ada@customer.example").await.unwrap();
    assert_eq!(server.inbox().len(), 1);

    // A certificate that nobody we trust has signed, and one for another name.
    let stranger = Smtp::new(SmtpSettings { authority: None, ..settings.clone() }).unwrap();
    assert_eq!(failure(&send(&stranger, "ada@customer.example").await).0, Failure::Tls);
    let elsewhere = Smtp::new(SmtpSettings { host: "127.0.0.1".into(), ..settings }).unwrap();
    assert_eq!(failure(&send(&elsewhere, "ada@customer.example").await).0, Failure::Tls);
    assert_eq!(server.inbox().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_in_clear_where_starttls_is_missing() {
    let server = MailServer::open();
    assert_eq!(
        failure(&send(&server.client(Protection::StartTls), "ada@customer.example").await),
        (Failure::Tls, None)
    );
    assert_eq!(server.inbox().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_apart() {
    let server = MailServer::protected();
    let client = server.client(Protection::StartTls);
    assert_eq!(failure(&send(&client, "nobody@customer.example").await), (Failure::Recipient, Some(550)));
    server.refuse(&[451, 554]);
    assert_eq!(failure(&send(&client, "ada@customer.example").await), (Failure::Deferred, Some(451)));
    assert_eq!(failure(&send(&client, "ada@customer.example").await), (Failure::Refused, Some(554)));

    let mut wrong = server.settings(Protection::StartTls);
    wrong.login = Some((USER.into(), SecretString::from(format!("not {PASSWORD}"))));
    assert_eq!(failure(&send(&Smtp::new(wrong).unwrap(), "a@b.example").await), (Failure::Credentials, Some(535)));
    let mut without = server.settings(Protection::StartTls);
    without.login = None;
    assert_eq!(
        failure(&send(&Smtp::new(without).unwrap(), "a@b.example").await),
        (Failure::Refused, Some(503)),
        "this server's word for it"
    );
    assert_eq!(server.inbox().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_is_away_is_given_up_in_time() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = MailServer::open();
    let mut settings = open.settings(Protection::None);
    settings.timeout = Duration::from_millis(300);
    settings.port = hanging.local_addr().unwrap().port();
    let began = std::time::Instant::now();
    assert_eq!(failure(&send(&Smtp::new(settings.clone()).unwrap(), "a@b.example").await).0, Failure::Timeout);
    assert!(began.elapsed() < Duration::from_secs(3));
    drop(hanging);
    assert_eq!(failure(&send(&Smtp::new(settings).unwrap(), "a@b.example").await).0, Failure::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_can_bring_a_header_of_its_own() {
    let server = MailServer::open();
    let evil = "x\r\nBcc: everybody@victim.example\r\n\r\nbody";
    let named = SmtpSettings { from_name: evil.into(), ..server.settings(Protection::None) };
    assert!(Smtp::new(named).unwrap_err().contains("messages.smtp.from_name"));
    let from = SmtpSettings { from: evil.into(), ..server.settings(Protection::None) };
    assert!(Smtp::new(from).unwrap_err().contains("messages.smtp.from"));
    let odd = SmtpSettings { from_name: "\"A\" <b@c.example>, 世界".into(), ..server.settings(Protection::None) };
    let client = Smtp::new(odd).unwrap();
    let letter = Letter { subject: evil.into(), text: evil.into(), html: evil.into() };
    client.send(MessageId::fresh(), "ada@customer.example", letter, Timestamp(0)).await.unwrap();
    let inbox = server.inbox();
    assert_eq!(inbox[0].to, ["ada@customer.example"]);
    let head = inbox[0].data.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.lines().any(|l| l.to_ascii_lowercase().starts_with("bcc")), "{head}");
    assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");

    for to in ["a@b.example\r\nRCPT TO:<c@d.example>", "a@b.example>\r\nDATA", "a b@c", "a@b.example, c@d.example"] {
        assert_eq!(failure(&send(&client, to).await).0, Failure::Recipient);
        assert!(matches!(address_check(to), Err(MessagesError::AddressInvalid)));
    }
    assert_eq!(server.inbox().len(), 1);
}
