//! Lists that come in pages.

use super::Session;
use crate::output::Row;
use clap::Args;
use tacit_api::admin::forms::Page;

/// Which page.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Continue after this, the last of the page before.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u32>,
}

/// Prints a page; people are told how to go on.
pub(crate) fn page<T: Row + serde::Serialize>(s: &Session, page: &Page<T>) -> anyhow::Result<()> {
    if s.out.json() {
        return s.out.either(page, "");
    }
    s.out.list(&page.items)?;
    if let Some(next) = &page.next {
        crate::output::remark(&format!("more: --after {next}"));
    }
    Ok(())
}
