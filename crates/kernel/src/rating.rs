//! What a call costs. One pure function used by the gateway (to reserve, and to end a stream that would pass what is
//! left) and by the ledger (to settle and to verify), so that both always agree.
//!
//! A charge is `(Σ tokens × rate + per call) × group multiplier × channel multiplier`, computed in whole numbers and
//! rounded once, half up, to a [`Nano`].

#[cfg(test)]
mod tests;

use crate::money::{Nano, Ppm};
use serde::{Deserialize, Serialize};

/// The disjoint classes of tokens a provider charges for. A token is counted in exactly one of them: an Anthropic
/// `input_tokens` already excludes cached tokens, an OpenAI `prompt_tokens` includes them; the readers of the
/// dialects take that apart before a [`Usage`] exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// Fresh text input.
    Input,
    /// Input read from the provider's prompt cache.
    CacheRead,
    /// Input written to the cache for five minutes.
    #[serde(rename = "cache_write_5m")]
    CacheWrite5m,
    /// Input written to the cache for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Audio input.
    AudioInput,
    /// Image input, where a provider counts it apart.
    ImageInput,
    /// Visible text output.
    Output,
    /// Reasoning output.
    Reasoning,
    /// Audio output.
    AudioOutput,
}

impl TokenClass {
    /// Every class, input first; the order of the lines of a charge.
    pub const ALL: [Self; 9] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::ImageInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
    ];

    /// Name in records and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::ImageInput => "image_input",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
        }
    }

    /// Whether it counts towards the context length that picks a price tier.
    #[must_use]
    pub const fn is_input(self) -> bool {
        !matches!(self, Self::Output | Self::Reasoning | Self::AudioOutput)
    }
}

/// Tokens of a call by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// See [`TokenClass::Input`].
    pub input: u64,
    /// See [`TokenClass::CacheRead`].
    pub cache_read: u64,
    /// See [`TokenClass::CacheWrite5m`]; a total without its split is counted here, as Anthropic's default lifetime.
    pub cache_write_5m: u64,
    /// See [`TokenClass::CacheWrite1h`].
    pub cache_write_1h: u64,
    /// See [`TokenClass::AudioInput`].
    pub audio_input: u64,
    /// See [`TokenClass::ImageInput`].
    pub image_input: u64,
    /// See [`TokenClass::Output`].
    pub output: u64,
    /// See [`TokenClass::Reasoning`].
    pub reasoning: u64,
    /// See [`TokenClass::AudioOutput`].
    pub audio_output: u64,
}

impl Usage {
    /// The count of one class.
    #[must_use]
    pub const fn get(&self, class: TokenClass) -> u64 {
        match class {
            TokenClass::Input => self.input,
            TokenClass::CacheRead => self.cache_read,
            TokenClass::CacheWrite5m => self.cache_write_5m,
            TokenClass::CacheWrite1h => self.cache_write_1h,
            TokenClass::AudioInput => self.audio_input,
            TokenClass::ImageInput => self.image_input,
            TokenClass::Output => self.output,
            TokenClass::Reasoning => self.reasoning,
            TokenClass::AudioOutput => self.audio_output,
        }
    }

    /// All input tokens: the context length.
    #[must_use]
    pub fn input_total(&self) -> u64 {
        TokenClass::ALL.into_iter().filter(|c| c.is_input()).fold(0, |sum, c| sum.saturating_add(self.get(c)))
    }

    /// All output tokens.
    #[must_use]
    pub fn output_total(&self) -> u64 {
        TokenClass::ALL.into_iter().filter(|c| !c.is_input()).fold(0, |sum, c| sum.saturating_add(self.get(c)))
    }

    /// All tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input_total().saturating_add(self.output_total())
    }
}

/// Rates of one tier, each in the currency per **million** tokens. A rate that is not given falls back as its
/// accessor [`Rates::of`] says, so that no token is ever free by omission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Fresh text input.
    pub input: Nano,
    /// Visible output.
    pub output: Nano,
    /// Falls back to `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Nano>,
    /// Falls back to `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<Nano>,
    /// Falls back to `cache_write_5m`, then `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Nano>,
    /// Falls back to `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<Nano>,
    /// Falls back to `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_input: Option<Nano>,
    /// Falls back to `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Nano>,
    /// Falls back to `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<Nano>,
}

impl Rates {
    /// Rates that name these two only; everything else falls back to them.
    #[must_use]
    pub const fn new(input: Nano, output: Nano) -> Self {
        Self {
            input,
            output,
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
            audio_input: None,
            image_input: None,
            reasoning: None,
            audio_output: None,
        }
    }

    /// The rate of a class after fall-backs.
    #[must_use]
    pub fn of(&self, class: TokenClass) -> Nano {
        match class {
            TokenClass::Input => self.input,
            TokenClass::CacheRead => self.cache_read.unwrap_or(self.input),
            TokenClass::CacheWrite5m => self.cache_write_5m.unwrap_or(self.input),
            TokenClass::CacheWrite1h => self.cache_write_1h.or(self.cache_write_5m).unwrap_or(self.input),
            TokenClass::AudioInput => self.audio_input.unwrap_or(self.input),
            TokenClass::ImageInput => self.image_input.unwrap_or(self.input),
            TokenClass::Output => self.output,
            TokenClass::Reasoning => self.reasoning.unwrap_or(self.output),
            TokenClass::AudioOutput => self.audio_output.unwrap_or(self.output),
        }
    }

    fn highest(&self, input_side: bool) -> i64 {
        TokenClass::ALL.into_iter().filter(|c| c.is_input() == input_side).map(|c| self.of(c).0).max().unwrap_or(0)
    }
}

/// Rates that hold from a context length on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The tier applies to calls with **more** input tokens than this; the first tier has 0 and also covers none.
    pub above_input_tokens: u64,
    /// Its rates.
    #[serde(flatten)]
    pub rates: Rates,
}

/// A model's price: a fixed part per call and tiers by context length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PriceForm", into = "PriceForm")]
pub struct Price {
    per_call: Nano,
    first: Rates,
    /// Further tiers, ascending.
    more: Vec<Tier>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceForm {
    #[serde(default)]
    per_call: Nano,
    tiers: Vec<Tier>,
}

/// A price that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPrice {
    /// The first tier is missing or does not start at 0.
    #[error("the first tier must have above_input_tokens = 0")]
    FirstTier,
    /// Tiers out of order or doubled.
    #[error("tiers must ascend by above_input_tokens")]
    Order,
    /// A rate below zero.
    #[error("a rate or the price per call is negative")]
    Negative,
}

impl TryFrom<PriceForm> for Price {
    type Error = BadPrice;
    fn try_from(form: PriceForm) -> Result<Self, BadPrice> {
        Self::new(form.per_call, form.tiers)
    }
}

impl From<Price> for PriceForm {
    fn from(price: Price) -> Self {
        let mut tiers = vec![Tier { above_input_tokens: 0, rates: price.first }];
        tiers.extend(price.more);
        Self { per_call: price.per_call, tiers }
    }
}

impl Price {
    /// A price of these tiers, the first of which starts at 0.
    ///
    /// # Errors
    /// [`BadPrice`] tells which rule was broken.
    pub fn new(per_call: Nano, tiers: Vec<Tier>) -> Result<Self, BadPrice> {
        let negative = |t: &Tier| TokenClass::ALL.into_iter().any(|c| t.rates.of(c).0 < 0);
        if per_call.0 < 0 || tiers.iter().any(negative) {
            return Err(BadPrice::Negative);
        }
        if !tiers.iter().zip(tiers.iter().skip(1)).all(|(a, b)| a.above_input_tokens < b.above_input_tokens) {
            return Err(BadPrice::Order);
        }
        let mut tiers = tiers.into_iter();
        match tiers.next() {
            Some(Tier { above_input_tokens: 0, rates }) => Ok(Self { per_call, first: rates, more: tiers.collect() }),
            _ => Err(BadPrice::FirstTier),
        }
    }

    /// A price with one tier.
    ///
    /// # Errors
    /// [`BadPrice::Negative`].
    pub fn flat(per_call: Nano, rates: Rates) -> Result<Self, BadPrice> {
        Self::new(per_call, vec![Tier { above_input_tokens: 0, rates }])
    }

    /// The fixed part.
    #[must_use]
    pub const fn per_call(&self) -> Nano {
        self.per_call
    }

    fn rates_for(&self, input_total: u64) -> (u64, &Rates) {
        self.more
            .iter()
            .rev()
            .find(|t| input_total > t.above_input_tokens)
            .map_or((0, &self.first), |t| (t.above_input_tokens, &t.rates))
    }
}

/// One line of a charge. `tokens × rate` of all lines plus the price per call, times both multipliers, is the amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeLine {
    /// What was counted.
    pub class: TokenClass,
    /// How many.
    pub tokens: u64,
    /// Currency per million tokens.
    pub rate_per_million: Nano,
    /// `tokens × rate ÷ 1,000,000` as an exact decimal, before multipliers and rounding.
    pub subtotal: String,
}

/// A charge and how it came about; enough to recompute it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Only classes that occurred.
    pub lines: Vec<ChargeLine>,
    /// The price tier that applied, by its lower bound.
    pub tier_above_input_tokens: u64,
    /// Fixed part.
    pub per_call: Nano,
    /// Of the account's group.
    pub group_multiplier: Ppm,
    /// Of the channel that served the call.
    pub channel_multiplier: Ppm,
    /// What is charged.
    pub amount: Nano,
}

/// 10⁻⁶ nano: the exact unit of `tokens × rate`.
const MICRO: i128 = 1_000_000;
/// Both multipliers are in parts per million.
const MULTIPLIERS: i128 = 1_000_000_000_000;

fn scaled(raw: i128, group: Ppm, channel: Ppm, round_up: bool) -> Nano {
    let divisor = MICRO * MULTIPLIERS;
    let product = raw.saturating_mul(i128::from(group.0)).saturating_mul(i128::from(channel.0));
    let add = if round_up { divisor - 1 } else { divisor / 2 };
    let rounded = product.saturating_add(add).div_euclid(divisor);
    Nano(i64::try_from(rounded).unwrap_or(i64::MAX))
}

impl Price {
    /// The amount alone: what the hot path needs. Equal to `self.charge(..).amount`.
    #[must_use]
    pub fn amount(&self, usage: &Usage, group: Ppm, channel: Ppm) -> Nano {
        let (_, rates) = self.rates_for(usage.input_total());
        let tokens: i128 = TokenClass::ALL
            .into_iter()
            .map(|c| i128::from(usage.get(c)).saturating_mul(i128::from(rates.of(c).0)))
            .fold(0, i128::saturating_add);
        scaled(tokens.saturating_add(i128::from(self.per_call.0) * MICRO), group, channel, false)
    }

    /// The amount with every line that led to it.
    #[must_use]
    pub fn charge(&self, usage: &Usage, group: Ppm, channel: Ppm) -> Charge {
        let (tier, rates) = self.rates_for(usage.input_total());
        let lines = TokenClass::ALL
            .into_iter()
            .filter(|c| usage.get(*c) > 0)
            .map(|class| {
                let (tokens, rate) = (usage.get(class), rates.of(class));
                let micro = i128::from(tokens).saturating_mul(i128::from(rate.0));
                ChargeLine { class, tokens, rate_per_million: rate, subtotal: decimal15(micro) }
            })
            .collect();
        Charge {
            lines,
            tier_above_input_tokens: tier,
            per_call: self.per_call,
            group_multiplier: group,
            channel_multiplier: channel,
            amount: self.amount(usage, group, channel),
        }
    }

    /// The most that a call with at most `input` input and `output` output tokens can cost, rounded up: what is
    /// reserved. Never less than [`Price::amount`] of any usage within those bounds.
    #[must_use]
    pub fn upper_bound(&self, input: u64, output: u64, group: Ppm, channel: Ppm) -> Nano {
        let reachable = self.more.iter().filter(|t| input > t.above_input_tokens).map(|t| &t.rates);
        let most = std::iter::once(&self.first)
            .chain(reachable)
            .map(|r| {
                let input_side = i128::from(input).saturating_mul(i128::from(r.highest(true)));
                input_side.saturating_add(i128::from(output).saturating_mul(i128::from(r.highest(false))))
            })
            .max()
            .unwrap_or(0);
        scaled(most.saturating_add(i128::from(self.per_call.0) * MICRO), group, channel, true)
    }
}

/// `micro` × 10⁻⁶ nano as a decimal of the currency.
fn decimal15(micro: i128) -> String {
    let scale = MICRO * i128::from(Nano::UNIT);
    let (whole, part) = (micro / scale, micro % scale);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{}", format!("{part:015}").trim_end_matches('0'))
}
