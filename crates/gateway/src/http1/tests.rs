//! Requests as they are read, at every cut; what is sent over real sockets stands in `tests/it/http1.rs`.

use super::head::{Framing, Head, Unreadable, take};
use super::*;
use crate::client::Client;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::task::Waker;

/// A client that has sent some pieces, and then nothing more or its end.
struct Sent {
    pieces: VecDeque<Vec<u8>>,
    ended: bool,
    got: Vec<u8>,
}

impl AsyncRead for Sent {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else {
            return if self.ended { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sent {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let some = bytes.get(..bytes.len().min(7)).unwrap_or_default();
        self.got.extend_from_slice(some);
        Poll::Ready(Ok(some.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn connection(pieces: &[&[u8]], ended: bool) -> Connection<Sent> {
    let pieces = pieces.iter().filter(|p| !p.is_empty()).map(|p| p.to_vec()).collect();
    let io = Sent { pieces, ended, got: Vec::new() };
    Connection { io, arrived: BytesMut::new(), seen: 0, outgoing: Outgoing::default() }
}

/// The next head; `None` if it does not come.
fn next_head(connection: &mut Connection<Sent>) -> Option<Result<Head, Unreadable>> {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match take(&mut connection.arrived, &mut connection.seen) {
            Ok(Some(head)) => return Some(Ok(head)),
            Err(why) => return Some(Err(why)),
            Ok(None) => {}
        }
        match connection.poll_more(&mut cx) {
            Poll::Ready(Ok(1..)) => {}
            _ => return None,
        }
    }
}

/// The body that follows, and whether it is whole.
fn next_body(connection: &mut Connection<Sent>, head: Head) -> (Vec<u8>, bool) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut body = RequestBody::new(head.framing, head.expects_continue);
    let (mut data, mut asking) = (Vec::new(), Asking { connection, body: &mut body });
    while let Poll::Ready(Some(Ok(piece))) = asking.poll_data(&mut cx) {
        assert!(!piece.is_empty());
        data.extend_from_slice(&piece);
    }
    (data, body.is_over())
}

/// One head by itself.
fn read(head: &str) -> Result<Head, Unreadable> {
    next_head(&mut connection(&[head.as_bytes()], true)).unwrap_or(Err(Unreadable::Malformed))
}

#[test]
fn where_a_request_ends_is_known_or_it_is_refused() {
    use Unreadable::{Coding, Malformed, TooLarge, Version};
    let cases = [
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5", Ok("5+")),
        ("POST / HTTP/1.1\r\nHOST:a\r\nContent-Length:5 ", Ok("5+")),
        ("\r\nPOST / HTTP/1.1\r\nhost: a", Ok("0+")),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5", Ok("5+")),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked", Ok("chunked+")),
        ("POST / HTTP/1.1\r\nhost: a\r\nconnection: x, Close", Ok("0")),
        ("POST http://a/b HTTP/1.1\r\nhost: a", Ok("0+")),
        ("GET / HTTP/1.0", Ok("0")),
        ("GET / HTTP/1.0\r\nconnection: keep-alive", Ok("0+")),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 0", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked", Err(Malformed)),
        ("POST / HTTP/1.0\r\ntransfer-encoding: chunked", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked", Err(Coding)),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length:", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n folded: x", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\nb: c\ncontent-length: 5", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\nb: c\rcontent-length: 5", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\nb: c\0", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\n: b", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\nhost: b", Err(Malformed)),
        ("POST / HTTP/1.1", Err(Malformed)),
        ("POST / HTTP/1.1\r\nhost: a\r\nno colon", Err(Malformed)),
        ("POST  / HTTP/1.1\r\nhost: a", Err(Malformed)),
        ("POST /a b HTTP/1.1\r\nhost: a", Err(Version)),
        ("{\"model\": 1}", Err(Malformed)),
        ("POST / HTTP/2.0\r\nhost: a", Err(Version)),
        ("POST / HTTP/3", Err(Version)),
    ];
    for (head, want) in cases {
        let seen = read(&format!("{head}\r\n\r\n")).map(|head| {
            let framing = match head.framing {
                Framing::Length(length) => length.to_string(),
                Framing::Chunked(_) => "chunked".to_owned(),
            };
            format!("{framing}{}", if head.kept { "+" } else { "" })
        });
        assert_eq!(seen, want.map(str::to_owned), "{head:?}");
    }
    let many = |count: usize| read(&format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(count)));
    assert!(many(99).is_ok());
    assert_eq!(many(100).err(), Some(TooLarge));
    let long = |count: usize| read(&format!("GET / HTTP/1.1\r\nhost: a\r\nb: {}\r\n\r\n", "x".repeat(count)));
    assert!(long(60_000).is_ok());
    assert_eq!(long(70_000).err(), Some(TooLarge));
}

#[test]
fn rubbish_is_refused_before_it_ends() {
    for (start, want) in [("\x16\x03\x01\x02", Unreadable::Malformed), ("GET / HTTP/9.9\r\n", Unreadable::Version)] {
        assert_eq!(next_head(&mut connection(&[start.as_bytes()], false)).unwrap().err(), Some(want), "{start:?}");
    }
    let endless = "x".repeat(70_000);
    let start = format!("GET / HTTP/1.1\r\na: {endless}");
    assert_eq!(next_head(&mut connection(&[start.as_bytes()], false)).unwrap().err(), Some(Unreadable::TooLarge));
    assert!(next_head(&mut connection(&[b"GET / HT"], false)).is_none());
}

#[test]
fn every_cut_gives_the_same_requests() {
    let wire = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello\r\n\
        POST /b?k=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n\
        GET /c HTTP/1.1\r\nhost: x\r\n\r\nPOST /d HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n!";
    for a in 0..wire.len() {
        for b in [a, (a + 1).min(wire.len()), (a + 40).min(wire.len()), wire.len()] {
            let mut connection = connection(&[&wire[..a], &wire[a..b], &wire[b..]], true);
            let mut seen = Vec::new();
            while let Some(head) = next_head(&mut connection) {
                let head = head.unwrap();
                let target = head.parts.uri.to_string();
                let (body, whole) = next_body(&mut connection, head);
                seen.push((target, String::from_utf8(body).unwrap(), whole));
            }
            let want = [("/a", "hello"), ("/b?k=1", "abcde"), ("/c", ""), ("/d", "!")];
            let want = want.map(|(target, body)| (target.to_owned(), body.to_owned(), true));
            assert_eq!(seen, want, "{a} {b}");
        }
    }
}

#[test]
fn a_body_that_breaks_off_is_not_whole() {
    for (framing, body) in [
        ("content-length: 9", "hello"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\nz\r\n"),
    ] {
        let wire = format!("POST / HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n{body}");
        let mut connection = connection(&[wire.as_bytes()], true);
        let head = next_head(&mut connection).unwrap().unwrap();
        let (_, whole) = next_body(&mut connection, head);
        assert!(!whole, "{framing} {body}");
    }
}

#[test]
fn who_asks_whether_a_body_is_welcome_is_told() {
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n";
    let mut waits = connection(&[head], false);
    let asked = next_head(&mut waits).unwrap().unwrap();
    let (body, whole) = next_body(&mut waits, asked);
    assert_eq!((body.len(), whole, &*waits.io.got), (0, false, b"HTTP/1.1 100 Continue\r\n\r\n".as_slice()));
    // It did not wait.
    let mut sends = connection(&[&[head.as_slice(), b"ab"].concat()], false);
    let asked = next_head(&mut sends).unwrap().unwrap();
    let (body, whole) = next_body(&mut sends, asked);
    assert_eq!((&*body, whole, sends.io.got.len()), (b"ab".as_slice(), true, 0));
}

#[test]
fn what_comes_ahead_of_its_turn_is_bounded() {
    let flood = vec![b'x'; 4 * EARLY];
    let mut ahead = connection(&[&flood], true);
    assert!(ahead.poll_gone(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(ahead.arrived.len() <= EARLY + READ);
    assert!(connection(&[b"GET"], true).poll_gone(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn little_data_holds_little_memory() {
    let chunks = format!("1;{}\r\n.\r\n", "x".repeat(4000)).repeat(3);
    let wire = format!("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
    let mut sparse = connection(&[wire.as_bytes()], false);
    let head = next_head(&mut sparse).unwrap().unwrap();
    let mut body = RequestBody::new(head.framing, false);
    let mut asking = Asking { connection: &mut sparse, body: &mut body };
    let Poll::Ready(Some(Ok(piece))) = asking.poll_data(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing")
    };
    // Of memory of its own, not a part of what was read.
    let room = piece.try_into_mut().map(|piece| piece.capacity());
    assert!(room.as_ref().is_ok_and(|room| *room <= 64), "{room:?}");
    // And there may not be much of it.
    let wire = format!("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunks.repeat(3));
    let mut long = connection(&[wire.as_bytes()], true);
    let head = next_head(&mut long).unwrap().unwrap();
    assert!(!next_body(&mut long, head).1);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(pieces in proptest::collection::vec(
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(b"POST / HTTP/1.1\r\nhost: x\r\n".to_vec()),
            Just(b"transfer-encoding: chunked\r\n\r\n".to_vec()),
            Just(b"content-length: 7\r\n\r\n".to_vec()),
            Just(b"5\r\nhello\r\n".to_vec()),
        ],
        0..12,
    )) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let mut connection = connection(&pieces, true);
        while let Some(Ok(head)) = next_head(&mut connection) {
            next_body(&mut connection, head);
        }
    }

    #[test]
    fn a_body_comes_out_as_it_was_sent(body in proptest::collection::vec(any::<u8>(), 0..200_000), cut in 1..70_000_usize) {
        let mut wire = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        wire.extend_from_slice(&body);
        let pieces: Vec<&[u8]> = wire.chunks(cut).collect();
        let mut connection = connection(&pieces, true);
        let head = next_head(&mut connection).unwrap().unwrap();
        prop_assert_eq!(next_body(&mut connection, head), (body, true));
    }
}

#[test]
fn values_share_the_memory_of_their_head() {
    let head = read("GET /x HTTP/1.1\r\nhost: a\r\nX-Custom: Some Value\r\n\r\n").unwrap();
    assert_eq!(head.parts.headers["x-custom"], "Some Value");
    assert_eq!((head.parts.method.as_str(), head.parts.uri.path()), ("GET", "/x"));
}
