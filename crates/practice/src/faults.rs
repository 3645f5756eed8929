//! Faults on request, so that a platform in front of this provider can be tried against each of them.
//!
//! A fault is asked for by the model name, after a colon: `practice-chat:status-429`, several with `+`:
//! `practice-chat:tokens-200+pace-50+cut`. Or through the admin endpoint (see [`crate::admin`]).

use std::time::Duration;

/// What shall go wrong, or otherwise than usual, with one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// `status-NNN`: that status with an error body. 400 and 422 quote the whole prompt, as some providers do;
    /// 429, 503 and 529 carry `retry-after: 7`.
    pub status: Option<u16>,
    /// `hang`: nothing is ever answered.
    pub hang: bool,
    /// `close`: the connection is closed before an answer.
    pub close: bool,
    /// `hang-midstream`: half of the answer, then silence.
    pub hang_midstream: bool,
    /// `cut`: half of the answer, then the connection is closed without the end of the body.
    pub cut: bool,
    /// `reset`: as `cut`, but with a TCP reset.
    pub reset: bool,
    /// `malformed-stream`: half of the answer, then bytes that are no event stream, and a regular end of the body.
    pub malformed_stream: bool,
    /// `malformed-json`: half of the answer, then an event that is not JSON; without a stream a body that is not.
    pub malformed_json: bool,
    /// `no-end`: everything but the last event (`[DONE]`, `message_stop`), and a regular end of the body.
    pub no_end: bool,
    /// `no-usage`: no token counts at all.
    pub no_usage: bool,
    /// `usage-with-choices`: the counts come with the last chunk that has choices, not in one of their own.
    pub usage_with_choices: bool,
    /// `error-event`: half of the answer, then an error event that quotes the prompt.
    pub error_event: bool,
    /// `at-once`: a stream that would break off midway does so before its first event.
    pub at_once: bool,
    /// `drip`: the body comes byte by byte.
    pub drip: bool,
    /// `echo-headers`: response headers that carry the prompt.
    pub echo_headers: bool,
    /// `split-cache-absent`: a total of cache writes without its split by lifetime.
    pub split_cache_absent: bool,
    /// `wait-N`: milliseconds before the first byte.
    pub wait: Option<Duration>,
    /// `pace-N`: milliseconds before each event.
    pub pace: Option<Duration>,
    /// `tokens-N`: length of the answer.
    pub tokens: Option<usize>,
}

impl Faults {
    /// The faults a model name asks for; words that are none are an error, so that a test never tries nothing.
    ///
    /// # Errors
    /// The name of the word that is not known.
    pub fn of_model(model: &str) -> Result<Self, String> {
        match model.rsplit_once(':') {
            Some((_, words)) => Self::parse(words),
            None => Ok(Self::default()),
        }
    }

    /// Parses words joined by `+`.
    ///
    /// # Errors
    /// The name of the word that is not known.
    pub fn parse(words: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for word in words.split('+').filter(|w| !w.is_empty()) {
            faults.set(word)?;
        }
        Ok(faults)
    }

    fn set(&mut self, word: &str) -> Result<(), String> {
        match word {
            "hang" => self.hang = true,
            "close" => self.close = true,
            "hang-midstream" => self.hang_midstream = true,
            "cut" => self.cut = true,
            "reset" => self.reset = true,
            "malformed-stream" => self.malformed_stream = true,
            "malformed-json" => self.malformed_json = true,
            "no-end" => self.no_end = true,
            "no-usage" => self.no_usage = true,
            "usage-with-choices" => self.usage_with_choices = true,
            "error-event" => self.error_event = true,
            "at-once" => self.at_once = true,
            "drip" => self.drip = true,
            "echo-headers" => self.echo_headers = true,
            "split-cache-absent" => self.split_cache_absent = true,
            _ => {
                let (name, number) = word.rsplit_once('-').ok_or_else(|| word.to_owned())?;
                let number: u32 = number.parse().map_err(|_| word.to_owned())?;
                let millis = Some(Duration::from_millis(number.into()));
                match name {
                    "status" => self.status = Some(u16::try_from(number).map_err(|_| word.to_owned())?),
                    "wait" => self.wait = millis,
                    "pace" => self.pace = millis,
                    "tokens" => self.tokens = usize::try_from(number).ok(),
                    _ => return Err(word.to_owned()),
                }
            }
        }
        Ok(())
    }

    /// Whether the answer breaks off after its first half.
    pub(crate) const fn breaks_midway(&self) -> bool {
        self.hang_midstream
            || self.cut
            || self.reset
            || self.malformed_stream
            || self.malformed_json
            || self.error_event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_unknown_ones_refused() {
        let faults = Faults::of_model("practice-chat:status-429+wait-5+tokens-7").unwrap();
        let wanted =
            Faults { status: Some(429), wait: Some(Duration::from_millis(5)), tokens: Some(7), ..Faults::default() };
        assert_eq!(faults, wanted);
        assert_eq!(Faults::of_model("practice-chat").unwrap(), Faults::default());
        assert_eq!(Faults::of_model("practice-chat:explode").unwrap_err(), "explode");
        assert_eq!(Faults::of_model("m:status-x").unwrap_err(), "status-x");
    }
}
