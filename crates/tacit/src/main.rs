//! The program: command line, configuration, supervision. It puts the crates together and has no rules of its own.

mod admin_http;
mod agency;
mod cli;
mod config;
mod console;
mod control;
mod demo;
mod development;
mod gateway;
mod https;
mod log;
mod master;
mod messages;
mod output;
mod practice;
mod privacy;
mod prove;
mod receivers;
mod serve;
mod setup;
mod sign_in;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 0: done. 1: failed. 2: asked wrongly (also what clap uses).
fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.global.json;
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(json, &format!("{error:#}"));
            let asked_wrongly = error.is::<cli::Usage>() || error.is::<config::resolve::Problems>();
            ExitCode::from(if asked_wrongly { 2 } else { 1 })
        }
    }
}
