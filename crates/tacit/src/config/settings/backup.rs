//! Settings of backups.

use super::{Kind, Setting, optional, setting};
use tacit_kernel::datamap::retention::{BACKUP, KEYRING_BACKUP};

pub(super) const SETTINGS: &[Setting] = &[
    optional(
        "backup.directory",
        Kind::Path,
        "\"/srv/backup/tacit\"",
        "Where backups of the data are put (docs/backups.md). Without it there are none.",
    ),
    setting(
        "backup.recipients",
        Kind::Recipients,
        "[]",
        "To whom they are encrypted: recipients of age, [\"age1…\"]. `tacit backup key FILE` makes one; its file opens them\n\
         and belongs on another machine.",
    ),
    setting(
        "backup.keep_days",
        Kind::Number { min: 1, max: BACKUP.max as i64 },
        "35",
        "Days after which a backup of the data is deleted.",
    ),
    optional(
        "backup.keyring_directory",
        Kind::Path,
        "\"/srv/keys/tacit\"",
        "Where backups of the keyring are put: not beside those of the data, best on another disk, and in no other backup.\n\
         Without it there are none.",
    ),
    setting(
        "backup.keyring_recipients",
        Kind::Recipients,
        "[]",
        "To whom they are encrypted; best another key than that of the data.",
    ),
    setting(
        "backup.keyring_keep_days",
        Kind::Number { min: 1, max: KEYRING_BACKUP.max as i64 },
        "7",
        "Days after which a backup of the keyring is deleted. An erasure reaches backups after so many days.",
    ),
    setting(
        "backup.every_hours",
        Kind::Number { min: 0, max: 168 },
        "0",
        "How often the control plane makes both; 0: only `tacit backup` does.",
    ),
];
