//! Pages of a list, by key: the next page begins after the last id of this one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// The last id of the page before; `None` for the first page.
    pub after: Option<Uuid>,
    /// How many, 1 to 500; other numbers are held at these ends.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// The items.
    pub items: Vec<T>,
    /// What `after` must be for the next page; `None` if this is the last.
    pub next: Option<Uuid>,
}

impl Page {
    /// How many items the page holds at most.
    #[must_use]
    pub fn size(self) -> usize {
        usize::try_from(self.limit.clamp(1, 500)).unwrap_or(500)
    }

    /// What to put behind `LIMIT`: one more than the page holds, to see whether there is a next one.
    #[must_use]
    pub fn fetch(self) -> i64 {
        i64::from(self.limit.clamp(1, 500)) + 1
    }

    /// Makes the page from the items that [`Page::fetch`] brought.
    pub fn take<T>(self, mut items: Vec<T>, id_of: impl Fn(&T) -> Uuid) -> Paged<T> {
        let more = items.len() > self.size();
        items.truncate(self.size());
        let next = if more { items.last().map(id_of) } else { None };
        Paged { items, next }
    }
}

impl<T> Paged<T> {
    /// The same page of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
