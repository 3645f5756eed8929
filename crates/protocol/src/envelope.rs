//! The envelope of a request: what the gateway must know of a body to admit, route, price and rewrite it, found without
//! building a tree. Only the top level of the object is read; everything else is skipped and sent on as it came.

use crate::body::Body;
use crate::object::{Found, Members, ObjectScanner, ScanError, Wanted};
use crate::splice::Edits;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;
use tacit_kernel::call::Endpoint;

pub use crate::scan::Media;

/// Longest name of a model, in bytes.
pub const MODEL_LIMIT: usize = 256;

const fn small(name: &'static str) -> Wanted {
    Wanted { name, limit: 40, count: false }
}

const WANTED: [Wanted; 8] = [
    // Every byte of the name may be written as `\uXXXX`.
    Wanted { name: "model", limit: 6 * MODEL_LIMIT + 2, count: false },
    small("stream"),
    Wanted { name: "stream_options", limit: 4096, count: false },
    small("max_tokens"),
    small("max_completion_tokens"),
    small("n"),
    small("best_of"),
    Wanted { name: "prompt", limit: 0, count: true },
];

/// Why a body cannot be served. The text is safe to show: it holds positions and names of fields that we look for,
/// nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not `{`.
    #[error("the request body must be a JSON object")]
    NotAnObject,
    /// Not JSON.
    #[error("the request body is not valid JSON at byte {at}")]
    Syntax {
        /// Position from the start of the body.
        at: usize,
    },
    /// Too many brackets in each other.
    #[error("the request body is nested too deeply at byte {at}")]
    TooDeep {
        /// Position from the start of the body.
        at: usize,
    },
    /// A field that decides about routing or price is given more than once: which one counts would be left to chance.
    #[error("the field `{field}` is given more than once")]
    Duplicate {
        /// Its name.
        field: &'static str,
    },
    /// A value of the wrong type or outside its range.
    #[error("the field `{field}` must be {wants}")]
    WrongType {
        /// Its name.
        field: &'static str,
        /// What it must be.
        wants: &'static str,
    },
    /// Too long a value.
    #[error("the field `{field}` is too long")]
    TooLong {
        /// Its name.
        field: &'static str,
    },
    /// Not given.
    #[error("the field `{field}` is required")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// Something after the object.
    #[error("the request body goes on after the end of its JSON object at byte {at}")]
    Trailing {
        /// Position from the start of the body.
        at: usize,
    },
    /// The body ends inside the object.
    #[error("the request body ends before its JSON object does")]
    Unterminated,
}

impl EnvelopeError {
    /// The field that is wrong, for the `param` of an OpenAI error.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Duplicate { field }
            | Self::WrongType { field, .. }
            | Self::TooLong { field }
            | Self::Missing { field } => Some(field),
            _ => None,
        }
    }
}

impl From<ScanError> for EnvelopeError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::NotAnObject => Self::NotAnObject,
            ScanError::Syntax { at } => Self::Syntax { at },
            ScanError::TooDeep { at } => Self::TooDeep { at },
            ScanError::Duplicate { name } => Self::Duplicate { field: name },
            ScanError::TooLong { name } => Self::TooLong { field: name },
            ScanError::Trailing { at } => Self::Trailing { at },
            ScanError::Unterminated => Self::Unterminated,
        }
    }
}

/// Reads the envelope chunk by chunk, while the body arrives.
pub struct EnvelopeScanner {
    scanner: ObjectScanner<8>,
}

impl Default for EnvelopeScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl EnvelopeScanner {
    /// At the start of a body.
    #[must_use]
    pub fn new() -> Self {
        static TABLE: [Wanted; 8] = WANTED;
        Self { scanner: ObjectScanner::new(&TABLE) }
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// As soon as it is known that the body cannot be served; the rest need not be read. The error comes again from
    /// every further call.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), EnvelopeError> {
        Ok(self.scanner.push(chunk)?)
    }

    /// The envelope of the whole body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<Envelope, EnvelopeError> {
        Envelope::read(self.scanner.finish()?)
    }
}

/// The `stream_options` of a request.
enum StreamOptions {
    Absent,
    Null(Range<usize>),
    Object {
        /// Position right after its opening brace.
        after_brace: usize,
        empty: bool,
        include_usage: Option<IncludeUsage>,
    },
}

struct IncludeUsage {
    set: bool,
    span: Range<usize>,
}

/// What a request asks for. It holds the caller's spelling of the model's name, so it cannot be printed.
pub struct Envelope {
    model: String,
    model_span: Range<usize>,
    model_plain: bool,
    stream: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    choices: u64,
    stream_options: StreamOptions,
    after_brace: usize,
    len: usize,
    media: Media,
}

impl Envelope {
    /// Reads the envelope of a body that is there already.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn of(body: &Body) -> Result<Self, EnvelopeError> {
        let mut scanner = EnvelopeScanner::new();
        for chunk in body.chunks() {
            scanner.push(chunk)?;
        }
        scanner.finish()
    }

    fn read(members: Members<8>) -> Result<Self, EnvelopeError> {
        let Members { found, after_brace, len, media } = members;
        let [model, stream, options, max_tokens, max_completion, n, best_of, prompt] = found;
        let Some(model) = model else { return Err(EnvelopeError::Missing { field: "model" }) };
        let name: String = typed(&model, "model", "a string")?;
        if name.is_empty() || name.len() > MODEL_LIMIT || name.chars().any(char::is_control) {
            return Err(EnvelopeError::WrongType { field: "model", wants: "the name of a model" });
        }
        let outputs = count(n.as_ref(), "n")?.max(count(best_of.as_ref(), "best_of")?).unwrap_or(1).max(1);
        let prompts = prompt.map_or(1, |p| p.elements).max(1);
        let inside = model.raw.get(1..model.raw.len().saturating_sub(1)).unwrap_or_default();
        Ok(Self {
            model_plain: inside == name.as_bytes(),
            model: name,
            model_span: model.span,
            stream: match &stream {
                Some(found) => typed::<Option<bool>>(found, "stream", "true or false")?.unwrap_or(false),
                None => false,
            },
            max_tokens: count(max_tokens.as_ref(), "max_tokens")?,
            max_completion_tokens: count(max_completion.as_ref(), "max_completion_tokens")?,
            choices: outputs.saturating_mul(prompts),
            stream_options: options.map_or(Ok(StreamOptions::Absent), |o| read_options(&o))?,
            after_brace,
            len,
            media,
        })
    }

    /// The model as the caller names it, decoded. A string of the caller's: never to be logged or stored; look it up
    /// and go on with the registered name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether a streamed answer is asked for.
    #[must_use]
    pub const fn stream(&self) -> bool {
        self.stream
    }

    /// The most output tokens of one answer, by the fields that this endpoint knows; a provider passes over others, so
    /// that they limit nothing. Chat knows two, of which the larger may be the one that holds.
    #[must_use]
    pub fn max_output_tokens(&self, endpoint: Endpoint) -> Option<u64> {
        match endpoint {
            Endpoint::ChatCompletions => self.max_tokens.max(self.max_completion_tokens),
            Endpoint::Completions | Endpoint::Messages => self.max_tokens,
            Endpoint::Embeddings | Endpoint::Models | Endpoint::Model => None,
        }
    }

    /// How many answers are produced and charged: the larger of `n` and `best_of`, times the number of prompts in a
    /// `prompt` list. `max_output_tokens` holds for each of them.
    #[must_use]
    pub const fn choices(&self) -> u64 {
        self.choices
    }

    /// Images and files in the messages.
    #[must_use]
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Length of the body.
    #[must_use]
    pub const fn body_len(&self) -> usize {
        self.len
    }

    /// Whether the caller asked for a usage event itself. If not, and [`Envelope::edits`] asked in its place, the
    /// event is kept from the caller: see [`crate::StreamMeter::new`].
    #[must_use]
    pub const fn caller_wants_usage(&self) -> bool {
        matches!(
            &self.stream_options,
            StreamOptions::Object { include_usage: Some(IncludeUsage { set: true, .. }), .. }
        )
    }

    /// The most input tokens that the body can be: as many as it has bytes, since no tokenizer makes more tokens than
    /// bytes, and an allowance for images and files, which may be given by address alone. Limit it by the context
    /// length of the model where that is known.
    #[must_use]
    pub fn input_upper_bound(&self) -> u64 {
        let bytes = u64::try_from(self.len).unwrap_or(u64::MAX);
        bytes
            .saturating_add(u64::from(self.media.images).saturating_mul(MAX_IMAGE_TOKENS))
            .saturating_add(u64::from(self.media.files).saturating_mul(MAX_FILE_TOKENS))
    }

    /// How many input tokens the body is likely to be: four bytes a token (see [`crate::estimate`]), base64 data left
    /// out, and a usual figure for each image and file. Charged only where no provider reported anything.
    #[must_use]
    pub fn input_estimate(&self) -> u64 {
        let text = u64::try_from(self.len).unwrap_or(u64::MAX).saturating_sub(self.media.opaque_bytes);
        crate::estimate::tokens(text)
            .saturating_add(u64::from(self.media.images).saturating_mul(TYPICAL_IMAGE_TOKENS))
            .saturating_add(u64::from(self.media.files).saturating_mul(TYPICAL_FILE_TOKENS))
    }

    /// The edits that turn the caller's body into the one for a provider.
    ///
    /// `model` is the provider's name of the model. With `want_usage` a streamed request of the OpenAI dialect asks for
    /// the usage event, `stream_options.include_usage`; a request that is not streamed stays as it is.
    #[must_use]
    pub fn edits(&self, model: &str, want_usage: bool) -> Edits {
        let mut edits = Edits::default();
        if model != self.model || !self.model_plain {
            edits.replace(self.model_span.clone(), serde_json::Value::from(model).to_string());
        }
        if want_usage && self.stream {
            match &self.stream_options {
                StreamOptions::Absent => {
                    edits.replace(self.after_brace..self.after_brace, r#""stream_options":{"include_usage":true},"#);
                }
                StreamOptions::Null(span) => edits.replace(span.clone(), r#"{"include_usage":true}"#),
                StreamOptions::Object { include_usage: Some(IncludeUsage { set: true, .. }), .. } => (),
                StreamOptions::Object { include_usage: Some(IncludeUsage { span, .. }), .. } => {
                    edits.replace(span.clone(), "true");
                }
                StreamOptions::Object { after_brace, empty: true, .. } => {
                    edits.replace(*after_brace..*after_brace, r#""include_usage":true"#);
                }
                StreamOptions::Object { after_brace, .. } => {
                    edits.replace(*after_brace..*after_brace, r#""include_usage":true,"#);
                }
            }
        }
        edits
    }
}

/// Allowance for an image: above what the large models count for one (Anthropic up to 4,784 tokens).
const MAX_IMAGE_TOKENS: u64 = 5_000;
/// Allowance for a document: thirty dense pages as text and image.
const MAX_FILE_TOKENS: u64 = 100_000;
/// An image of about a megapixel.
const TYPICAL_IMAGE_TOKENS: u64 = 1_000;
/// Three pages.
const TYPICAL_FILE_TOKENS: u64 = 6_000;

fn typed<T: serde::de::DeserializeOwned>(
    found: &Found,
    field: &'static str,
    wants: &'static str,
) -> Result<T, EnvelopeError> {
    // The message of serde_json may quote the value, so it is dropped.
    serde_json::from_slice(&found.raw).map_err(|_| EnvelopeError::WrongType { field, wants })
}

fn count(found: Option<&Found>, field: &'static str) -> Result<Option<u64>, EnvelopeError> {
    found.map_or(Ok(None), |f| typed(f, field, "a whole number, not negative"))
}

fn read_options(found: &Found) -> Result<StreamOptions, EnvelopeError> {
    struct Options<'a>(&'a [u8]);

    impl<'a> Visitor<'a> for Options<'a> {
        type Value = (bool, Option<(Option<bool>, Range<usize>)>);

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut empty, mut include_usage) = (true, None);
            while let Some(key) = map.next_key::<Cow<'a, str>>()? {
                empty = false;
                if key != "include_usage" {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                let raw = map.next_value::<&'a RawValue>()?.get();
                // A RawValue is borrowed from the text it was read from, so its address tells where it stands there.
                let start = (raw.as_ptr() as usize).wrapping_sub(self.0.as_ptr() as usize);
                let value: Option<bool> = serde_json::from_str(raw).map_err(serde::de::Error::custom)?;
                if include_usage.replace((value, start..start + raw.len())).is_some() {
                    return Err(serde::de::Error::custom("twice"));
                }
            }
            Ok((empty, include_usage))
        }
    }

    let at = found.span.start;
    let raw = found.raw.as_slice();
    if raw == b"null" {
        return Ok(StreamOptions::Null(found.span.clone()));
    }
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let (empty, include_usage) =
        reader.deserialize_map(Options(raw)).and_then(|v| reader.end().map(|()| v)).map_err(|_| {
            EnvelopeError::WrongType {
                field: "stream_options",
                wants: "an object with at most one `include_usage`, true or false",
            }
        })?;
    Ok(StreamOptions::Object {
        after_brace: at + 1,
        empty,
        include_usage: include_usage
            .map(|(value, span)| IncludeUsage { set: value == Some(true), span: at + span.start..at + span.end }),
    })
}
