//! What lies on a shelf, and what is taken from it.

use super::*;
use crate::retention::Class;
use std::os::unix::fs::PermissionsExt as _;
use tacit_storage::audit::Filter;

const DAY: i64 = 86_400_000_000;

fn names(kept: &Kept, kind: Kind) -> Vec<String> {
    let files = fs::read_dir(kept.dir.path().join(kind.as_str())).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

both_engines! {
    async fn a_backup_goes_when_its_days_are_over_and_nothing_else_does(db: Db) {
        let kept = Kept::new(db.clone()).await;
        let (retention, clock) = (&kept.world.erasing.retention, &kept.world.clock);
        let data = kept.make(Kind::Data).await;
        let keyring = kept.make(Kind::Keyring).await;
        assert_eq!(data.until, data.made_at.plus_micros(35 * DAY));
        assert_eq!(keyring.until, keyring.made_at.plus_micros(7 * DAY));
        assert_eq!(names(&kept, Kind::Data), ["tacit-data-20231114T221320.000000Z.age"]);
        assert_eq!(fs::metadata(&data.file).unwrap().permissions().mode() & 0o777, 0o600);
        // Old files of others, and such as only look like ours.
        let bytes = fs::read(&data.file).unwrap();
        let strange = [
            "notes.txt", "tacit-data-20200101T000000.000000Z.age.txt", "tacit-data-2020.age", "tacit-data-20200101T000000Z.age",
            "tacit-keyring-20200101T000000.000000Z.age", "my-tacit-data-20200101T000000.000000Z.age",
        ];
        for name in strange {
            fs::write(kept.dir.path().join("data").join(name), &bytes).unwrap();
        }
        let not_age = "tacit-data-20200101T000000.000000Z.age";
        fs::write(kept.dir.path().join("data").join(not_age), b"a diary").unwrap();
        fs::create_dir(kept.dir.path().join("data/tacit-data-20200102T000000.000000Z.age")).unwrap();
        let all = names(&kept, Kind::Data);
        assert_eq!(kept.backups.list(Kind::Data).unwrap().len(), 1);

        // Within an hour of their end they go, and not a day before.
        while retention.step().await.unwrap() {}
        clock.advance_micros(7 * DAY - 2 * 3_600_000_000);
        while retention.step().await.unwrap() {}
        assert_eq!(names(&kept, Kind::Keyring).len(), 1);
        clock.advance_micros(3_600_000_001);
        while retention.step().await.unwrap() {}
        assert_eq!(names(&kept, Kind::Keyring), Vec::<String>::new());
        assert_eq!(names(&kept, Kind::Data), all);
        clock.advance_micros(28 * DAY);
        let plan = retention.plan().await.unwrap();
        let due = plan.iter().find(|due| due.class == Class::Backups).unwrap();
        assert_eq!((due.rows, due.days), (1, 35));
        let newer = kept.make(Kind::Data).await;
        let left: Vec<String> = all.iter().filter(|name| !data.file.ends_with(name)).cloned().collect();
        let now: Vec<String> = names(&kept, Kind::Data).into_iter().filter(|name| !newer.file.ends_with(name)).collect();
        assert_eq!(now, left, "also right after one is made");
        // In the book and in the audit log.
        let runs = retention.runs(tacit_storage::Page::default()).await.unwrap();
        let deleted = |class| runs.items.iter().filter(|run| run.class == class).map(|run| run.deleted).sum::<u64>();
        assert_eq!((deleted(Class::Backups), deleted(Class::KeyringBackups)), (1, 1));
        let filter = Filter { action: Some("retention.run".to_owned()), ..Filter::default() };
        let entries = kept.world.erasing.audit.list(&filter, None, 10).await.unwrap();
        let objects: Vec<_> = entries.iter().filter_map(|entry| entry.kept.object_id.clone()).collect();
        assert_eq!(objects, ["backups", "keyring_backups"]);
        let debts = retention.debts().await.unwrap();
        assert_eq!(debts.len(), Class::ALL.len());
    }

    async fn one_that_is_cut_off_leaves_nothing_that_looks_like_one(db: Db) {
        let mut kept = Kept::new(db.clone()).await;
        kept.world.society().await;
        kept.make(Kind::Data).await;
        kept.world.clock.advance_micros(1);
        let told = &mut |table: &str, _| {
            if table == "calls" {
                // In the middle of it there is a part, which is no backup.
                assert_eq!(kept.backups.list(Kind::Data).unwrap().len(), 1);
                assert_eq!(names(&kept, Kind::Data).len(), 2);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        assert_eq!(code(kept.backups.make(Kind::Data, operator(), told).await), "backup.stopped");
        assert_eq!(names(&kept, Kind::Data).len(), 1);
        let filter = Filter { action: Some("backup.make".to_owned()), ..Filter::default() };
        let entries = kept.world.erasing.audit.list(&filter, None, 2).await.unwrap();
        assert_eq!((entries[0].kept.phase.as_str(), entries[0].kept.code.as_deref()), ("refused", Some("backup.stopped")));
        // The process itself was killed: what it left goes after two days.
        let left = kept.dir.path().join("data/tacit-data-20231114T221321.000000Z.age.part");
        fs::write(&left, b"").unwrap();
        kept.world.erasing.retention.prune(Kind::Data).await.unwrap();
        assert!(left.exists());
        kept.world.clock.advance_micros(2 * DAY);
        kept.world.erasing.retention.prune(Kind::Data).await.unwrap();
        assert!(!left.exists());
        assert_eq!(names(&kept, Kind::Data).len(), 1);
    }

    async fn without_a_place_or_where_it_cannot_be_written_it_says_so(db: Db) {
        let kept = Kept::new(db.clone()).await;
        fs::write(kept.dir.path().join("data"), b"not a directory").unwrap();
        assert_eq!(code(kept.backups.make(Kind::Data, operator(), &mut GO_ON.clone()).await), "backup.unwritable");
        let parts = (db.clone(), kept.world.erasing.keys.clone(), kept.world.clock.clone() as Arc<dyn Clock>);
        let world = World::new(db.clone()).await;
        let bare = Backups::new(parts, world.erasing.audit.clone(), world.erasing.retention.clone(), "0.0.0");
        let fault = bare.make(Kind::Keyring, operator(), &mut GO_ON.clone()).await.unwrap_err();
        assert_eq!(fault.code, "backup.no_shelf");
        assert!(fault.message.contains("backup.keyring_directory"), "{fault}");
        assert_eq!(world.erasing.retention.debts().await.unwrap().len(), Class::ALL.len() - 2, "nor is it a class then");
    }
}
