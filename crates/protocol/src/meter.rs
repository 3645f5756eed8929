//! Meters a streamed answer while it passes through: usage, delivered text, how it ended.
//!
//! Events are read in place and forwarded as they came. Kept are only counts, the start of a cut event, and the frame of
//! the last text event (the bytes before and after its text): most events of a stream differ in nothing but the text,
//! so comparing the frame settles in one pass what the event is.

use crate::errors;
use crate::estimate::{quarters_of_json_text, tokens};
use crate::sse::{Fate, Judge, Splitter, field, lines};
use crate::usage::{AnthropicUsage, openai};
use crate::walk::{Walk, plain};
use bytes::Bytes;
use memchr::memchr3;
use tacit_kernel::Dialect;
use tacit_kernel::call::{ErrorCode, UsageSource};
use tacit_kernel::rating::Usage;

pub use crate::sse::MeterOutput;

/// What a call used, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// By class.
    pub usage: Usage,
    /// Reported or counted here.
    pub source: UsageSource,
}

/// Meters one streamed answer.
pub struct StreamMeter {
    splitter: Splitter,
    reader: Reader,
}

impl StreamMeter {
    /// A meter for a stream of that dialect. `hide_usage`: the usage event was asked for by us and not by the caller
    /// (see [`crate::Envelope::caller_wants_usage`]), so an event that holds nothing else is not forwarded.
    #[must_use]
    pub fn new(dialect: Dialect, hide_usage: bool) -> Self {
        Self { splitter: Splitter::default(), reader: Reader::new(dialect, hide_usage) }
    }

    /// Takes a chunk of the provider's answer and says what of it to send to the caller. After an error event of the
    /// provider nothing more comes out: see [`StreamMeter::provider_error`].
    pub fn feed(&mut self, chunk: Bytes, out: &mut MeterOutput) {
        self.splitter.feed(chunk, &mut self.reader, out);
    }

    /// The provider has ended its answer, well or not. A last event without its blank line is sent if it is whole and
    /// left out if it is cut.
    pub fn finish(&mut self, out: &mut MeterOutput) {
        self.splitter.finish(&mut self.reader, out);
    }

    /// Whether the answer is complete: its end marker came (`[DONE]`, `message_stop`), or, where a provider leaves the
    /// marker out, the reason why it finished.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.reader.error.is_none() && (self.reader.done || self.reader.finish_reason)
    }

    /// The provider sent an error in its stream. Its text is not forwarded, since it may speak about our account there;
    /// say it in our own words with [`errors::stream_error`].
    #[must_use]
    pub const fn provider_error(&self) -> Option<ErrorCode> {
        self.reader.error
    }

    /// Whether what was forwarded so far ends between two events, so that a keep-alive or an error event can follow.
    /// Only an event longer than [`crate::sse::EVENT_LIMIT`] makes it false.
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        self.splitter.at_boundary()
    }

    /// Output tokens so far: the provider's last count, and an estimate of the text since then. For ending a stream
    /// that would cost more than is left.
    #[must_use]
    pub fn output_so_far(&self) -> u64 {
        self.reader.so_far().map_or_else(|| tokens(self.reader.quarters), |usage| usage.output_total())
    }

    /// The usage to charge. `input_estimate` is used where the provider reported nothing.
    ///
    /// The provider's count holds if it is its last word: the event with the final count came, or the stream is complete
    /// and no text followed the count. Otherwise it is completed by an estimate of the text that was delivered after it,
    /// and marked so.
    #[must_use]
    pub fn metered(&self, input_estimate: u64) -> Metered {
        let reader = &self.reader;
        match (reader.reported(), reader.so_far()) {
            (Some(usage), _)
                if reader.final_usage || (self.complete() && reader.quarters == reader.quarters_reported) =>
            {
                Metered { usage, source: UsageSource::Provider }
            }
            (_, Some(usage)) => Metered { usage, source: UsageSource::Estimate },
            _ => Metered {
                usage: Usage { input: input_estimate, output: tokens(reader.quarters), ..Usage::default() },
                source: UsageSource::Estimate,
            },
        }
    }
}

/// Longest event whose frame is remembered, without its text.
const FRAME_LIMIT: usize = 4096;

/// The last event that held text and nothing else to act on, without the text. An event of the same bytes around
/// another text is the same kind of event: the reader would be in the same state after each of these parts.
struct Frame {
    known: bool,
    before: Vec<u8>,
    between: Vec<u8>,
    /// After the padding, where an event has one: OpenAI ends each event with random characters, `obfuscation`.
    after: Option<Vec<u8>>,
}

impl Frame {
    /// Length of the event at the start of `bytes`, and its text, if it has this frame.
    fn fit<'a>(&self, bytes: &'a [u8]) -> Option<(usize, &'a [u8])> {
        if !self.known {
            return None;
        }
        let (text, rest) = inside_of_string(bytes.strip_prefix(self.before.as_slice())?)?;
        let mut rest = rest.strip_prefix(self.between.as_slice())?;
        if let Some(after) = &self.after {
            rest = inside_of_string(rest)?.1.strip_prefix(after.as_slice())?;
        }
        Some((bytes.len() - rest.len(), text))
    }

    fn learn(&mut self, event: &[u8], text: &[u8], padding: Option<&[u8]>) {
        self.known = false;
        // Both lie inside the event, so the difference of addresses is their place there.
        let place = |part: &[u8]| {
            let start = (part.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
            event.split_at_checked(start).map(|(_, rest)| (start, rest.len() - part.len().min(rest.len())))
        };
        let whole = event.len();
        let Some((start, left)) = place(text) else { return };
        let (between_end, after) = match padding.map(place) {
            None => (whole, None),
            Some(Some((at, left))) => (at, Some(whole - left)),
            Some(None) => return,
        };
        let (Some(before), Some(between)) = (event.get(..start), event.get(whole - left..between_end)) else { return };
        let after = after.and_then(|from| event.get(from..));
        if before.len() + between.len() + after.map_or(0, <[u8]>::len) > FRAME_LIMIT {
            return;
        }
        self.before.clear();
        self.before.extend_from_slice(before);
        self.between.clear();
        self.between.extend_from_slice(between);
        self.after = after.map(<[u8]>::to_vec);
        self.known = true;
    }
}

/// Splits where a string ends: before its quote. `None` where it does not, or where a line end comes first.
fn inside_of_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0_usize;
    loop {
        let at = from + memchr3(b'"', b'\n', b'\r', bytes.get(from..)?)?;
        let (inside, rest) = bytes.split_at_checked(at)?;
        if rest.first() != Some(&b'"') {
            return None;
        }
        if inside.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0 {
            return Some((inside, rest));
        }
        from = at + 1;
    }
}

struct Reader {
    dialect: Dialect,
    hide_usage: bool,
    /// Text so far, in quarters of a token.
    quarters: u64,
    /// The same at the time of the last report.
    quarters_reported: u64,
    openai: Option<Usage>,
    anthropic: Option<AnthropicUsage>,
    final_usage: bool,
    finish_reason: bool,
    done: bool,
    error: Option<ErrorCode>,
    frame: Frame,
}

impl Reader {
    const fn new(dialect: Dialect, hide_usage: bool) -> Self {
        Self {
            dialect,
            hide_usage,
            quarters: 0,
            quarters_reported: 0,
            openai: None,
            anthropic: None,
            final_usage: false,
            finish_reason: false,
            done: false,
            error: None,
            frame: Frame { known: false, before: Vec::new(), between: Vec::new(), after: None },
        }
    }

    fn reported(&self) -> Option<Usage> {
        self.openai.or_else(|| self.anthropic.map(|u| u.normalise()))
    }

    /// What was reported, and an estimate of the text since.
    fn so_far(&self) -> Option<Usage> {
        let mut usage = self.reported()?;
        let since = tokens(self.quarters.saturating_sub(self.quarters_reported));
        usage.output = if self.quarters_reported == 0 {
            // A report from before the first text may have counted the token that begins it.
            usage.output.max(since)
        } else {
            usage.output.saturating_add(since)
        };
        Some(usage)
    }

    /// Reads an event; `None` if its data is no whole JSON.
    fn read(&mut self, event: &[u8]) -> Option<Fate> {
        let (mut data, mut joined): (Option<&[u8]>, Vec<u8>) = (None, Vec::new());
        let mut several = false;
        for line in lines(event) {
            let Some(value) = field(line, "data") else { continue };
            if let Some(first) = data.filter(|_| !several) {
                several = true;
                joined.extend_from_slice(first);
            }
            if several {
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
            data = data.or(Some(value));
        }
        let Some(data) = (if several { Some(joined.as_slice()) } else { data }) else { return Some(Fate::Forward) };
        let data = data.trim_ascii();
        if self.dialect == Dialect::OpenAi && data == b"[DONE]" {
            self.done = true;
            return Some(Fate::Terminal);
        }
        let mut tally = Tally::default();
        let walked = {
            let mut walk = Walk::new(data);
            let read = match self.dialect {
                Dialect::OpenAi => tally.openai(&mut walk),
                Dialect::Anthropic => tally.anthropic_event(&mut walk),
            };
            read.filter(|()| walk.peek().is_none())
        };
        self.quarters = self.quarters.saturating_add(tally.quarters);
        walked?;
        if let Some(text) = tally.text.filter(|_| !several && tally.is_only_text() && event.ends_with(b"\n")) {
            self.frame.learn(event, text, tally.padding);
        }
        Some(self.weigh(&tally))
    }

    fn weigh(&mut self, tally: &Tally<'_>) -> Fate {
        if let Some(error) = tally.error {
            self.error = Some(error);
            return Fate::Stop;
        }
        self.finish_reason |= tally.finished;
        if let Some(raw) = tally.usage {
            match self.dialect {
                Dialect::OpenAi => {
                    if let Some(usage) = openai(raw) {
                        self.openai = Some(usage);
                        self.quarters_reported = self.quarters;
                        self.final_usage |= tally.choices == 0;
                        if self.hide_usage && tally.choices == 0 {
                            return Fate::Drop;
                        }
                    }
                }
                Dialect::Anthropic => {
                    if let Some(usage) = AnthropicUsage::read(raw) {
                        self.anthropic.get_or_insert_default().merge(&usage);
                        self.quarters_reported = self.quarters;
                        self.final_usage |= tally.finished;
                    }
                }
            }
        }
        if tally.stop {
            self.done = true;
            return Fate::Terminal;
        }
        Fate::Forward
    }
}

impl Judge for Reader {
    fn shortcut(&mut self, bytes: &[u8]) -> Option<usize> {
        let (len, text) = self.frame.fit(bytes)?;
        self.quarters = self.quarters.saturating_add(quarters_of_json_text(text));
        Some(len)
    }

    fn judge(&mut self, event: &[u8]) -> Fate {
        self.read(event).unwrap_or(Fate::Forward)
    }

    fn judge_last(&mut self, event: &[u8]) -> Option<Fate> {
        self.read(event)
    }
}

/// What one event, or one answer that is not streamed, holds.
#[derive(Default)]
pub(crate) struct Tally<'a> {
    /// Of text.
    pub(crate) quarters: u64,
    texts: u32,
    text: Option<&'a [u8]>,
    padding: Option<&'a [u8]>,
    choices: usize,
    finished: bool,
    stop: bool,
    usage: Option<&'a [u8]>,
    error: Option<ErrorCode>,
}

impl<'a> Tally<'a> {
    fn is_only_text(&self) -> bool {
        self.texts == 1
            && self.choices <= 1
            && !self.finished
            && !self.stop
            && self.usage.is_none()
            && self.error.is_none()
    }

    /// Counts a string as delivered text; skips any other value.
    fn text(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        if walk.peek()? != b'"' {
            return walk.value().map(drop);
        }
        let inside = walk.string()?;
        self.quarters = self.quarters.saturating_add(quarters_of_json_text(inside));
        self.texts = self.texts.saturating_add(1);
        self.text = Some(inside);
        Some(())
    }

    /// Takes note of an object or a list of objects; skips any other value.
    fn objects(
        &mut self,
        walk: &mut Walk<'a>,
        visit: fn(&mut Self, &mut Walk<'a>, &'a [u8]) -> Option<()>,
    ) -> Option<usize> {
        match walk.peek()? {
            b'{' => walk.members(|w, key| visit(self, w, key)).map(|()| 1),
            b'[' => walk.elements(|w| match w.peek()? {
                b'{' => w.members(|w, key| visit(self, w, key)),
                _ => w.value().map(drop),
            }),
            _ => walk.value().map(|_| 0),
        }
    }

    fn usage(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        let object = walk.peek()? == b'{';
        let raw = walk.value()?;
        if object {
            self.usage = Some(raw);
        }
        Some(())
    }

    fn error(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        let null = walk.peek()? == b'n';
        let raw = walk.value()?;
        if !null {
            self.error = Some(errors::of_stream(raw));
        }
        Some(())
    }

    /// A chunk, or a whole answer, of the OpenAI dialect.
    pub(crate) fn openai(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        walk.members(|walk, key| match key {
            b"choices" => {
                self.choices = self.objects(walk, Self::openai_choice)?;
                Some(())
            }
            b"usage" => self.usage(walk),
            b"error" => self.error(walk),
            b"obfuscation" if walk.peek()? == b'"' => {
                self.padding = Some(walk.string()?);
                Some(())
            }
            _ => walk.value().map(drop),
        })
    }

    fn openai_choice(&mut self, walk: &mut Walk<'a>, key: &'a [u8]) -> Option<()> {
        match key {
            b"delta" | b"message" => self.objects(walk, Self::openai_delta).map(drop),
            b"text" => self.text(walk),
            b"finish_reason" => {
                self.finished |= walk.peek()? == b'"';
                walk.value().map(drop)
            }
            _ => walk.value().map(drop),
        }
    }

    fn openai_delta(&mut self, walk: &mut Walk<'a>, key: &'a [u8]) -> Option<()> {
        match key {
            b"content" if walk.peek()? == b'[' => self.objects(walk, Self::openai_delta).map(drop),
            b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"text" | b"name" | b"arguments"
            | b"transcript" => self.text(walk),
            b"tool_calls" | b"function" | b"function_call" | b"audio" => {
                self.objects(walk, Self::openai_delta).map(drop)
            }
            _ => walk.value().map(drop),
        }
    }

    /// An event of the Anthropic dialect.
    fn anthropic_event(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        let mut kind: &[u8] = b"";
        let mut error = None;
        walk.members(|walk, key| match key {
            b"type" if walk.peek()? == b'"' => {
                kind = plain(walk.string()?).unwrap_or_default();
                Some(())
            }
            b"message" => self
                .objects(walk, |tally, walk, key| match key {
                    b"usage" => tally.usage(walk),
                    _ => walk.value().map(drop),
                })
                .map(drop),
            b"delta" | b"content_block" => self.objects(walk, Self::anthropic_block).map(drop),
            b"usage" => self.usage(walk),
            b"error" => {
                error = Some(walk.value()?);
                Some(())
            }
            _ => walk.value().map(drop),
        })?;
        self.stop = kind == b"message_stop";
        if kind == b"error" {
            self.error = Some(errors::of_stream(error.unwrap_or_default()));
        }
        Some(())
    }

    fn anthropic_block(&mut self, walk: &mut Walk<'a>, key: &'a [u8]) -> Option<()> {
        match key {
            b"text" | b"partial_json" | b"thinking" | b"name" => self.text(walk),
            b"stop_reason" => {
                self.finished |= walk.peek()? == b'"';
                walk.value().map(drop)
            }
            _ => walk.value().map(drop),
        }
    }

    /// A whole answer of the Anthropic dialect.
    pub(crate) fn anthropic_message(&mut self, walk: &mut Walk<'a>) -> Option<()> {
        walk.members(|walk, key| match key {
            b"content" => self
                .objects(walk, |tally, walk, key| match key {
                    b"input" => {
                        let raw = walk.value()?;
                        tally.quarters = tally.quarters.saturating_add(quarters_of_json_text(raw));
                        Some(())
                    }
                    _ => tally.anthropic_block(walk, key),
                })
                .map(drop),
            _ => walk.value().map(drop),
        })
    }
}
