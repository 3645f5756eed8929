//! What a locked-in process can still do, and what it cannot. The process has to have one thread when it locks itself
//! in, so this test has no harness: it starts itself again as the child that is looked at.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test, though without a harness")]

use nix::errno::Errno;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::Arc;
use tacit_gateway::config::Sandbox;

const CHILD: &str = "TACIT_SANDBOX_TEST";

fn main() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return child(std::path::Path::new(&folder));
    }
    // What nextest asks for.
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|a| a == "--list") {
        if !arguments.iter().any(|a| a == "--ignored") {
            println!("the_process_is_locked_in: test");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("present"), b"here").unwrap();
    let _unix = UnixListener::bind(folder.path().join("socket")).unwrap();
    let status = Command::new(std::env::current_exe().unwrap()).env(CHILD, folder.path()).status().unwrap();
    assert!(status.success(), "the child found the sandbox open, or too tight: {status}");
    println!("test the_process_is_locked_in ... ok");
}

fn refused<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => panic!("{what} was possible"),
        Err(e) => {
            assert!(matches!(e.raw_os_error().map(Errno::from_raw), Some(Errno::EPERM | Errno::EACCES)), "{what}: {e}")
        }
    }
}

fn as_io<T>(result: Result<T, Errno>) -> io::Result<T> {
    result.map_err(io::Error::from)
}

fn child(folder: &std::path::Path) {
    let present = folder.join("present");
    let mut held = std::fs::OpenOptions::new().read(true).open(&present).unwrap();
    let (certificate, key) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    tacit_gateway::sandbox::enter(Sandbox::On).unwrap();

    // Files: no writing, in any way; reading only where it is needed.
    refused("making a file", std::fs::write(folder.join("new"), b"x"));
    refused("writing a file", std::fs::OpenOptions::new().write(true).open(&present));
    refused("appending to a file", std::fs::OpenOptions::new().append(true).open(&present));
    refused("truncating a file", as_io(nix::unistd::truncate(&present, 0)));
    refused("writing in /tmp", std::fs::write(std::env::temp_dir().join("tacit-sandbox-test"), b"x"));
    refused("writing in /dev/shm", std::fs::write("/dev/shm/tacit-sandbox-test", b"x"));
    refused("a file without a name", {
        use nix::fcntl::{OFlag, open};
        as_io(open(folder, OFlag::O_TMPFILE | OFlag::O_RDWR, nix::sys::stat::Mode::S_IRWXU))
    });
    refused("memory as a file", as_io(nix::sys::memfd::memfd_create("x", nix::sys::memfd::MFdFlags::empty())));
    refused("renaming", std::fs::rename(&present, folder.join("other")));
    refused("removing", std::fs::remove_file(&present));
    refused("making a folder", std::fs::create_dir(folder.join("folder")));
    refused("linking", std::fs::hard_link(&present, folder.join("link")));
    refused("a symbolic link", std::os::unix::fs::symlink(&present, folder.join("symlink")));
    refused("changing rights", std::fs::set_permissions(&present, std::os::unix::fs::PermissionsExt::from_mode(0o777)));
    refused("reading what is not needed", std::fs::read(&present));
    let mut text = String::new();
    held.read_to_string(&mut text).unwrap();
    assert_eq!(text, "here", "what was open before can still be read");
    refused("writing to what was opened for reading", held.write(b"x").map_err(|_| Errno::EPERM.into()));
    assert!(!folder.join("new").exists() && present.exists());
    std::fs::read("/etc/hosts").unwrap();
    for path in ["/etc", "/etc/passwd", "/etc/tacit"] {
        let opened = std::fs::File::open(path);
        assert!(opened.is_err(), "{path} can be read");
    }

    // Programs and other processes.
    refused("starting a program", Command::new("/bin/true").status());
    refused("forking", Command::new("/bin/true").spawn());
    refused("tracing", as_io(nix::sys::ptrace::attach(nix::unistd::getppid())));
    refused("being traced", as_io(nix::sys::ptrace::traceme()));
    refused("becoming dumpable", as_io(nix::sys::prctl::set_dumpable(true)));
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE).unwrap();
    assert_eq!((soft, hard), (0, 0));
    refused("mounting", {
        let none: Option<&str> = None;
        as_io(nix::mount::mount(none, "/mnt", Some("tmpfs"), nix::mount::MsFlags::empty(), none))
    });
    refused("a raw socket", {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        as_io(socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None))
    });
    refused("a netlink socket", {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        as_io(socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), None))
    });
    refused("entering twice with threads", {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || receive.recv().is_err());
        let again = tacit_gateway::sandbox::enter(Sandbox::On);
        drop(send);
        assert!(thread.join().unwrap(), "threads can still be started");
        again.map_err(|_| Errno::EPERM.into())
    });

    // What the gateway lives on.
    UnixStream::connect(folder.join("socket")).unwrap();
    assert!(("localhost", 1).to_socket_addrs().unwrap().count() > 0, "names can be resolved");
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || serve_tls(&listener, certificate, key));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server_certificate()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"pong");
    server.join().unwrap();
    println!("test the_process_is_locked_in (child) ... ok");
}

type Pair = (rustls_pki_types::CertificateDer<'static>, rustls_pki_types::PrivateKeyDer<'static>);

static CERTIFICATE: std::sync::OnceLock<rustls_pki_types::CertificateDer<'static>> = std::sync::OnceLock::new();

fn certificate() -> Pair {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = CERTIFICATE.get_or_init(|| made.cert.der().clone()).clone();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    (certificate, key.into())
}

fn server_certificate() -> rustls_pki_types::CertificateDer<'static> {
    CERTIFICATE.get().unwrap().clone()
}

fn serve_tls(
    listener: &TcpListener,
    certificate: rustls_pki_types::CertificateDer<'static>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
) {
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    let mut asked = [0; 4];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"ping");
    stream.write_all(b"pong").unwrap();
    stream.flush().unwrap();
}
