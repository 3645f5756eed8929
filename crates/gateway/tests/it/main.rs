//! A gateway in this process, driven over real sockets.

mod calls;
mod limits;
mod link;
mod plane;
mod platform;
mod streams;
