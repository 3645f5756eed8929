//! The **practice provider**: a loopback server that speaks the OpenAI and Anthropic dialects, so that a platform can
//! be tried, tested and measured with no account anywhere. It is no model: its text is derived from the prompt by a
//! fixed rule, and its token counts are true by the tokenizer of [`tokens`].
//!
//! It serves `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models[/{id}]` and `/v1/messages`, asks
//! for a credential, honours `max_tokens`, and breaks on request ([`faults`]).

pub mod admin;
mod answer;
mod anthropic;
pub mod faults;
mod openai;
mod reply;
mod script;
mod server;
pub mod tokens;

pub use server::{Handle, Options, serve};
