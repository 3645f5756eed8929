//! The HTTP interfaces of the control plane: the admin socket, through which the command line works on a running
//! platform, and the console API, which the gateway forwards to it from the public port.

pub mod admin;
pub mod console;
pub mod forms;
pub mod platform_file;
pub mod problem;
mod restricted;
pub mod server;
