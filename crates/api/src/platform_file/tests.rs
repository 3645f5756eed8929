//! The file's form, the comparison as a pure function, and the whole way on both engines.

mod form;
mod generated;
mod platform;
mod pure;
