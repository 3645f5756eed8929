//! The contract of the audit log, on both engines, and its arithmetic against RFC 6962 written out.

mod log;
mod tree;
