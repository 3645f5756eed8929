//! Words that every crate of Tacit shares: typed ids, money, rating, time, errors, secrets, the vocabulary of a
//! call, and the types of the data map. No I/O, no async, nothing that knows HTTP or SQL.

#[macro_use]
mod words;

pub mod addresses;
pub mod audit;
pub mod call;
pub mod datamap;
pub mod dialect;
pub mod error;
pub mod ids;
pub mod keytext;
pub mod limits;
pub mod masked;
pub mod money;
pub mod names;
pub mod paths;
pub mod personal;
pub mod rating;
pub mod time;

pub use dialect::{Auth, Dialect};
pub use error::{ErrorKind, Fault};
pub use masked::Masked;
pub use money::{Nano, Ppm};
pub use personal::Personal;
pub use time::{Clock, SystemClock, Timestamp};
