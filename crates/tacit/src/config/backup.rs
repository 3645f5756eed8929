//! The settings of backups.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tacit_privacy::backup::{Kind, Recipients, Shelf};

/// Where backups lie, to whom they are encrypted, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    pub(crate) recipients: Vec<String>,
    pub(crate) keep_days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keyring_directory: Option<PathBuf>,
    pub(crate) keyring_recipients: Vec<String>,
    pub(crate) keyring_keep_days: u32,
    pub(crate) every_hours: u64,
}

impl Backup {
    /// The shelves that are set up.
    ///
    /// # Errors
    /// If a recipient is none.
    pub(crate) fn shelves(&self) -> anyhow::Result<Vec<Shelf>> {
        let sides = [
            (Kind::Data, &self.directory, &self.recipients, self.keep_days),
            (Kind::Keyring, &self.keyring_directory, &self.keyring_recipients, self.keyring_keep_days),
        ];
        let mut shelves = Vec::new();
        for (kind, directory, recipients, days) in sides {
            let Some(directory) = directory else { continue };
            let recipients = Recipients::parse(recipients).map_err(anyhow::Error::msg)?;
            shelves.push(Shelf::new(kind, directory.clone(), recipients, days));
        }
        Ok(shelves)
    }

    /// How often the control plane makes them by itself.
    pub(crate) fn every(&self) -> Option<Duration> {
        (self.every_hours > 0).then(|| Duration::from_secs(self.every_hours.saturating_mul(3600)))
    }

    pub(super) fn contradictions(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let sides = [
            ("backup.recipients", "backup.directory", &self.recipients, &self.directory),
            (
                "backup.keyring_recipients",
                "backup.keyring_directory",
                &self.keyring_recipients,
                &self.keyring_directory,
            ),
        ];
        for (key, of, recipients, directory) in sides {
            if directory.is_some() == recipients.is_empty() {
                wrong(key, format!("backups need a directory and a key: set both {of} and {key} (`tacit backup key`)"));
            }
        }
        if let (Some(data), Some(keyring)) = (&self.directory, &self.keyring_directory)
            && (is_within(data, keyring) || is_within(keyring, data))
        {
            wrong(
                "backup.keyring_directory",
                "in the same place as backup.directory: whoever copies both together keeps what is erased readable. Name \
                 another one, best on another disk"
                    .into(),
            );
        }
        let lives = [(&self.directory, self.keep_days), (&self.keyring_directory, self.keyring_keep_days)];
        let shortest =
            lives.iter().filter(|(directory, _)| directory.is_some()).map(|(_, days)| u64::from(*days) * 24).min();
        if shortest.is_some_and(|hours| self.every_hours >= hours) {
            wrong(
                "backup.every_hours",
                "the last one would go before the next is made: take less than the days they are kept".into(),
            );
        }
        if self.every_hours > 0 && self.directory.is_none() && self.keyring_directory.is_none() {
            wrong("backup.every_hours", "there is nowhere to put them: set backup.directory too".into());
        }
    }
}

fn is_within(inner: &Path, outer: &Path) -> bool {
    let clean = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    clean(inner).starts_with(clean(outer))
}
