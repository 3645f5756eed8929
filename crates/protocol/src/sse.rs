//! Event streams (<https://html.spec.whatwg.org/multipage/server-sent-events.html>) cut into whole events.
//!
//! A chunk that holds whole events is passed on as it is. The start of an event whose end has not come yet is held back,
//! at most [`EVENT_LIMIT`] bytes of it, so that an event is judged before its first byte leaves, and so that what the
//! caller has got always ends between two events, where a comment or an error event of ours can follow.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

/// Longest event that is held back and looked at; of a longer one the bytes are passed on unseen.
pub const EVENT_LIMIT: usize = 1 << 20;

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Forward,
    /// Not for the caller.
    Drop,
    /// Forwarded apart, with everything after it.
    Terminal,
    /// Not forwarded, nor anything after it.
    Stop,
}

/// Decides about events.
pub(crate) trait Judge {
    /// Length of the event at the start of `bytes`, if it can be told cheaply that there is a whole one to forward.
    fn shortcut(&mut self, bytes: &[u8]) -> Option<usize>;
    /// One whole event with its blank line.
    fn judge(&mut self, event: &[u8]) -> Fate;
    /// What stands after the last blank line when the stream is over; `None` if it is no whole event.
    fn judge_last(&mut self, event: &[u8]) -> Option<Fate>;
}

/// What to send on, in order. Take the pieces out before the next call. It holds the answer, so it cannot be printed
/// or cloned.
#[derive(Default)]
pub struct MeterOutput {
    /// To be sent now.
    pub forward: Vec<Bytes>,
    /// From the event on that tells the caller that the answer is complete: to be sent when the call's begun event is
    /// durable.
    pub terminal: Vec<Bytes>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Running,
    Terminal,
    Stopped,
}

/// Cuts chunks into events and sends each where its judge says.
#[derive(Default)]
pub(crate) struct Splitter {
    /// The start of an event whose end has not come.
    held: BytesMut,
    /// The last line ended with a CR at the end of a chunk: an LF that follows belongs to it.
    after_cr: bool,
    /// Bytes of the present line have been seen.
    in_line: bool,
    /// The start of the present event has been passed on unseen.
    overlong: bool,
    /// Whether the last event was kept from the caller.
    dropped: bool,
    mode: Mode,
}

impl Splitter {
    /// Whether what has been sent ends between two events.
    pub(crate) const fn at_boundary(&self) -> bool {
        !self.overlong
    }

    pub(crate) fn feed(&mut self, mut chunk: Bytes, judge: &mut impl Judge, out: &mut MeterOutput) {
        if self.after_cr && self.between_events() && !chunk.is_empty() {
            self.after_cr = false;
            if chunk.first() == Some(&b'\n') {
                let lf = chunk.split_to(1);
                self.send(lf, if self.dropped { Fate::Drop } else { Fate::Forward }, out);
            }
        }
        // chunk[from..at] is judged and to be forwarded, but not sent yet: whole runs go out as one piece.
        let (mut from, mut at) = (0_usize, 0_usize);
        while let Some(rest) = chunk.get(at..).filter(|r| !r.is_empty() && self.mode != Mode::Stopped) {
            if self.between_events()
                && let Some(len) = judge.shortcut(rest)
            {
                at += len;
                self.dropped = false;
                continue;
            }
            let Some(len) = self.event_end(rest) else {
                self.send(chunk.slice(from..at), Fate::Forward, out);
                self.hold(chunk.slice(at..), out);
                return;
            };
            let event = rest.get(..len).unwrap_or_default();
            if self.overlong {
                self.overlong = false;
                at += len;
            } else if !self.held.is_empty() {
                self.held.extend_from_slice(event);
                let fate = judge.judge(&self.held);
                let event = self.held.split().freeze();
                self.send(event, fate, out);
                at += len;
                from = at;
            } else {
                let fate = judge.judge(event);
                if fate != Fate::Forward {
                    self.send(chunk.slice(from..at), Fate::Forward, out);
                    self.send(chunk.slice(at..at + len), fate, out);
                    from = at + len;
                }
                at += len;
                self.dropped = fate == Fate::Drop;
            }
        }
        if self.mode != Mode::Stopped {
            self.send(chunk.slice(from..at), Fate::Forward, out);
        }
    }

    /// The stream is over: what is held is sent if it is a whole event that only lacks its blank line.
    pub(crate) fn finish(&mut self, judge: &mut impl Judge, out: &mut MeterOutput) {
        if self.held.is_empty() || self.mode == Mode::Stopped {
            return;
        }
        if let Some(fate) = judge.judge_last(&self.held) {
            self.held.extend_from_slice(b"\n\n");
            let event = self.held.split().freeze();
            self.send(event, fate, out);
        }
        self.held.clear();
    }

    fn between_events(&self) -> bool {
        self.held.is_empty() && !self.overlong
    }

    /// Position after the blank line that ends the present event, if it is there.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        loop {
            if self.after_cr {
                self.after_cr = false;
                at += usize::from(bytes.get(at) == Some(&b'\n'));
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(len) = memchr2(b'\n', b'\r', rest) else {
                self.in_line |= !rest.is_empty();
                return None;
            };
            let blank = len == 0 && !self.in_line;
            self.in_line = false;
            at += len + 1;
            if rest.get(len) == Some(&b'\r') {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => (),
                    None => self.after_cr = true,
                }
            }
            if blank {
                return Some(at);
            }
            if at == bytes.len() {
                return None;
            }
        }
    }

    fn hold(&mut self, rest: Bytes, out: &mut MeterOutput) {
        if self.overlong {
            self.send(rest, Fate::Forward, out);
            return;
        }
        self.held.extend_from_slice(&rest);
        if self.held.len() > EVENT_LIMIT {
            self.overlong = true;
            let held = self.held.split().freeze();
            self.send(held, Fate::Forward, out);
        }
    }

    fn send(&mut self, piece: Bytes, fate: Fate, out: &mut MeterOutput) {
        if piece.is_empty() || self.mode == Mode::Stopped {
            return;
        }
        self.dropped = fate == Fate::Drop;
        match fate {
            Fate::Drop => return,
            Fate::Stop => {
                self.mode = Mode::Stopped;
                return;
            }
            Fate::Terminal => self.mode = Mode::Terminal,
            Fate::Forward => (),
        }
        match self.mode {
            Mode::Terminal => out.terminal.push(piece),
            _ => out.forward.push(piece),
        }
    }
}

/// The lines of an event, without their ends; a byte order mark at its start is left out.
pub(crate) fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(len)?;
        rest = match after {
            [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
            [] => after,
        };
        Some(line)
    })
}

/// The value of a line that is that field.
pub(crate) fn field<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    match line.strip_prefix(name.as_bytes())? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}
