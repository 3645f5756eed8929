//! The HTTP interfaces of the control plane. So far: the admin socket, through which the command line works on a
//! running platform.

pub mod admin;
pub mod platform_file;
