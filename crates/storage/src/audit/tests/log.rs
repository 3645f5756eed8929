use crate::audit::{Actor, Audit, Filter, NewEntry, Object, STATEMENTS, committed, forget_subject};
use crate::audit::{checkpoint::Checkpoint, tree};
use crate::keyring::KeyStore;
use crate::{Db, Engine, Sql, both_engines, testing};
use std::sync::Arc;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Clock, Fault, Personal, SystemClock};
use tacit_vault::merkle::leaf_hash;

async fn keys() -> Arc<KeyStore> {
    testing::test_key_store(&(Arc::new(SystemClock) as Arc<dyn Clock>)).await
}

async fn log_of(db: &Db) -> Audit {
    Audit::new(db.clone(), keys().await, Arc::new(SystemClock))
}

fn change(subject: Option<AccountId>) -> NewEntry {
    let object = subject.map_or(Object::any(ObjectKind::Model), |id| Object::one(ObjectKind::Account, id));
    NewEntry::begun(Actor::Operator(0), Action::AccountUpdate, object, subject)
}

async fn fill(audit: &Audit, count: usize) {
    for _ in 0..count {
        audit.record(&change(None)).await.unwrap();
    }
}

/// Does what the log's own triggers forbid, as somebody with the database in their hands can.
async fn tamper(db: &Db, table: &'static str, statement: &'static str) {
    db.write("test.tamper", |tx| {
        Box::pin(async move {
            match db.engine() {
                Engine::Postgres => tx.script(format!("ALTER TABLE {table} DISABLE TRIGGER ALL")).await?,
                Engine::Sqlite => {
                    for trigger in ["delete", "forget"] {
                        tx.script(format!("DROP TRIGGER {table}_{trigger}")).await?;
                    }
                }
            }
            tx.script(statement.to_owned()).await
        })
    })
    .await
    .unwrap();
}

const EVERY: Sql = Sql::new("SELECT commitment FROM audit_entries ORDER BY seq");

async fn leaves(db: &Db) -> Vec<[u8; 32]> {
    let rows = db.read("test.leaves", |tx| Box::pin(tx.all(&EVERY, &[]))).await;
    let rows = rows.unwrap_or_else(|e: crate::StorageError| panic!("{e}"));
    rows.iter().map(|r| leaf_hash(&r.get::<[u8; 32]>("commitment").unwrap())).collect()
}

async fn root_of(audit: &Audit) -> Checkpoint {
    Checkpoint::open(&audit.checkpoint().await.unwrap(), audit.verifier()).unwrap()
}

fn grown(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut growing = tree::Growing::default();
    leaves.iter().for_each(|leaf| growing.push(*leaf));
    growing.root()
}

both_engines! {
    async fn statements_prepare(db: Db) {
        testing::prepare_all(&db, STATEMENTS, &[]).await.unwrap();
    }

    async fn an_entry_comes_back_and_opens_its_commitment(db: Db) {
        let keys = keys().await;
        let audit = Audit::new(db, keys.clone(), Arc::new(SystemClock));
        let subject = AccountId::fresh();
        keys.create(subject.0).await.unwrap();
        let new = NewEntry {
            fields: vec!["limits", "name"],
            reason: Some(Personal::new("ticket 7".into())),
            address: Some(Personal::new("192.0.2.7".into())),
            ..change(Some(subject))
        };
        assert_eq!(audit.record(&new).await.unwrap(), 0);
        let outcome = NewEntry { code: Some("account.not_found"), affected: Some(3), ..new.outcome(0, Phase::Refused) };
        assert_eq!(audit.record(&outcome).await.unwrap(), 1);
        let shown = audit.show(0).await.unwrap().unwrap();
        assert_eq!(shown.reason.unwrap().reveal(), "ticket 7");
        assert_eq!(shown.address.unwrap().reveal(), "192.0.2.7");
        assert_eq!((shown.entry.kept.fields.as_str(), shown.entry.kept.subject), ("limits,name", Some(subject)));
        let signed = Checkpoint::open(&shown.checkpoint, audit.verifier()).unwrap();
        assert!(tree::includes(&leaf_hash(&shown.entry.commitment), 0, signed.size, &shown.proof, &signed.root));
        let second = audit.show(1).await.unwrap().unwrap();
        assert!(second.reason.is_none(), "said once");
        assert_eq!((second.entry.kept.about, second.entry.kept.code.as_deref()), (Some(0), Some("account.not_found")));
        for one in audit.export(0, 10).await.unwrap() {
            let (salt, content) = one.opened.unwrap();
            assert!(!content.contains("ticket") && !content.contains("192.0.2"), "{content}");
            assert_eq!(committed(&salt, content.as_bytes()), one.commitment);
        }
        assert!(audit.show(2).await.unwrap().is_none());
    }

    async fn lists_are_filtered_and_paged(db: Db) {
        let audit = log_of(&db).await;
        let (one, other) = (AccountId::fresh(), AccountId::fresh());
        for new in [change(Some(one)), change(None), change(Some(other)), change(Some(one))] {
            audit.record(&new).await.unwrap();
        }
        audit.record(&NewEntry::begun(Actor::Account(one), Action::KeyList, Object::any(ObjectKind::Key), None)).await.unwrap();
        let seqs = async |filter: Filter, before, limit| -> Vec<u64> {
            audit.list(&filter, before, limit).await.unwrap().iter().map(|e| e.kept.seq).collect()
        };
        assert_eq!(seqs(Filter::default(), None, 2).await, [4, 3]);
        assert_eq!(seqs(Filter::default(), Some(3), 9).await, [2, 1, 0]);
        assert_eq!(seqs(Filter { subject: Some(one), ..Filter::default() }, None, 9).await, [3, 0]);
        assert_eq!(seqs(Filter { actor: Some(one.to_string()), ..Filter::default() }, None, 9).await, [4]);
        assert_eq!(seqs(Filter { action: Some("key.list".into()), ..Filter::default() }, None, 9).await, [4]);
        assert!(seqs(Filter { until: Some(tacit_kernel::Timestamp(1)), ..Filter::default() }, None, 9).await.is_empty());
    }

    /// Around the edges of a tile the roots are those of all leaves, and each checkpoint continues the one before.
    async fn checkpoints_are_of_the_whole_log(db: Db) {
        let audit = log_of(&db).await;
        assert_eq!(root_of(&audit).await.root, grown(&[]));
        let mut before = root_of(&audit).await;
        for more in [1, 2, 252, 1, 1, 255, 3] {
            fill(&audit, more).await;
            let now = root_of(&audit).await;
            let all = leaves(&db).await;
            assert_eq!((usize::try_from(now.size).unwrap(), now.root), (all.len(), grown(&all)));
            let proof = audit.consistency(before.size, now.size).await.unwrap();
            assert!(tree::continues(before.size, &before.root, now.size, &now.root, &proof));
            assert_eq!(audit.checkpoint().await.unwrap(), audit.checkpoint().await.unwrap(), "nothing new is signed");
            before = now;
        }
        assert_eq!(audit.consistency(1, 9999).await.unwrap_err().code, "audit.size");
        for seq in [0, 255, 256, 511, 512, 514] {
            let shown = audit.show(seq).await.unwrap().unwrap();
            assert!(tree::includes(&leaf_hash(&shown.entry.commitment), seq, before.size, &shown.proof, &before.root));
        }
    }

    async fn a_rewritten_log_is_not_signed(db: Db) {
        let audit = log_of(&db).await;
        fill(&audit, 5).await;
        audit.checkpoint().await.unwrap();
        tamper(&db, "audit_entries", "UPDATE audit_entries SET commitment = (SELECT commitment FROM audit_entries WHERE seq = 3) WHERE seq = 2").await;
        audit.record(&change(None)).await.unwrap();
        assert_eq!(audit.checkpoint().await.unwrap_err().code, "audit.rewritten");
    }

    async fn a_shortened_log_is_not_signed(db: Db) {
        let audit = log_of(&db).await;
        fill(&audit, 5).await;
        audit.checkpoint().await.unwrap();
        tamper(&db, "audit_entries", "DELETE FROM audit_entries WHERE seq = 4").await;
        assert_eq!(audit.checkpoint().await.unwrap_err().code, "audit.rewritten");
    }

    /// Whatever is changed of an entry, it does not open its commitment any more.
    async fn every_column_is_committed_to(db: Db) {
        let keys = keys().await;
        let audit = Audit::new(db.clone(), keys.clone(), Arc::new(SystemClock));
        let subject = AccountId::fresh();
        keys.create(subject.0).await.unwrap();
        let text = || Some(Personal::new("x".to_owned()));
        let new = NewEntry {
            fields: vec!["name"],
            affected: Some(1),
            role: Some("admin".to_owned()),
            about: Some(0),
            code: Some("a"),
            reason: text(),
            address: text(),
            ..change(Some(subject))
        };
        let changes = [
            "created_at = created_at + 1", "salt = commitment", "actor_kind = 'system'", "actor_id = '7'", "actor_role = 'x'", "action = 'x'",
            "object_kind = 'x'", "object_id = 'x'", "subject_id = NULL", "phase = 'done'", "about = 7", "fields = 'x'",
            "affected = 7", "code = 'x'", "reason_sealed = commitment", "address_sealed = commitment", "commitment = salt",
        ];
        fill(&audit, 1).await;
        for _ in changes {
            audit.record(&new).await.unwrap();
        }
        tamper(&db, "audit_entries", "UPDATE audit_entries SET phase = 'done' WHERE seq = 999").await;
        for (seq, change) in (1..).zip(changes) {
            let statement = format!("UPDATE audit_entries SET {change} WHERE seq = {seq}");
            db.write("test.change", |tx| Box::pin(tx.script(statement.clone()))).await.unwrap();
        }
        let exported = audit.export(0, 99).await.unwrap();
        let opens: Vec<bool> = exported
            .iter()
            .map(|e| e.opened.as_ref().is_some_and(|(salt, content)| committed(salt, content.as_bytes()) == e.commitment))
            .collect();
        assert!(opens[0], "one that nobody touched");
        let wrong: Vec<_> = opens[1..].iter().zip(changes).filter(|(opens, _)| **opens).collect();
        assert!(wrong.is_empty() && opens.len() == changes.len() + 1, "{wrong:?}");
    }

    /// What the person may know: what was done, or may have been, in which role and why. Not what was refused, nor changes.
    async fn a_person_sees_looks(db: Db) {
        let keys = keys().await;
        let audit = Audit::new(db.clone(), keys.clone(), Arc::new(SystemClock));
        let (subject, other) = (AccountId::fresh(), AccountId::fresh());
        for account in [subject, other] {
            keys.create(account.0).await.unwrap();
        }
        let look = |subject: Option<AccountId>, why: &str| NewEntry {
            action: Action::AccountUnmask,
            role: Some("risk".to_owned()),
            reason: Some(Personal::new(why.to_owned())),
            fields: vec!["name", "email"],
            ..change(subject)
        };
        let record = async |new: &NewEntry, outcome: Option<(Phase, Option<AccountId>)>| {
            let seq = audit.record(new).await.unwrap();
            if let Some((phase, subject)) = outcome {
                audit.record(&NewEntry { subject, ..new.outcome(seq, phase) }).await.unwrap();
            }
        };
        record(&look(Some(subject), "first"), Some((Phase::Done, Some(subject)))).await;
        record(&look(Some(subject), "refused"), Some((Phase::Refused, Some(subject)))).await;
        record(&look(Some(other), "of another"), Some((Phase::Done, Some(other)))).await;
        record(&change(Some(subject)), Some((Phase::Done, Some(subject)))).await;
        // Whose data it was is known only behind it, and nobody knows what became of the last.
        record(&look(None, "by name"), Some((Phase::Done, Some(subject)))).await;
        record(&look(Some(subject), "cut off"), None).await;
        let looks = audit.looks(subject, None, 10).await.unwrap();
        let why: Vec<_> = looks.iter().map(|look| look.reason.as_ref().unwrap().reveal().as_str()).collect();
        assert_eq!(why, ["cut off", "by name", "first"]);
        let first = looks.last().unwrap();
        assert_eq!((first.actor_role.as_deref(), first.fields.as_str(), first.action.as_str()), (Some("risk"), "name,email", "account.unmask"));
        let rest = audit.looks(subject, Some(looks[0].seq), 1).await.unwrap();
        assert_eq!((rest.len(), rest[0].seq), (1, looks[1].seq));
        db.write("test.forget", |tx| Box::pin(forget_subject(tx, subject))).await.unwrap();
        assert!(audit.looks(subject, None, 10).await.unwrap().is_empty());
        assert_eq!(audit.looks(other, None, 10).await.unwrap().len(), 1);
    }

    async fn what_the_tree_depends_on_cannot_be_changed(db: Db) {
        let audit = log_of(&db).await;
        fill(&audit, 257).await;
        audit.checkpoint().await.unwrap();
        for statement in [
            "UPDATE audit_entries SET commitment = salt",
            "UPDATE audit_entries SET seq = seq + 1000",
            "UPDATE audit_entries SET action = 'x'",
            "UPDATE audit_entries SET actor_role = 'x', salt = NULL",
            "UPDATE audit_entries SET actor_id = '7', salt = NULL",
            "UPDATE audit_entries SET fields = 'x', salt = NULL",
            "UPDATE audit_entries SET object_id = NULL",
            "UPDATE audit_entries SET salt = commitment",
            "UPDATE audit_entries SET reason_sealed = commitment, salt = NULL",
            "UPDATE audit_entries SET created_at = 1, salt = NULL",
            "UPDATE audit_entries SET code = 'x', salt = NULL",
            "DELETE FROM audit_entries WHERE seq = 3",
            "DELETE FROM audit_entries",
            "UPDATE audit_tree SET position = 7",
            "DELETE FROM audit_tree",
            "UPDATE audit_checkpoints SET note = 'x'",
            "DELETE FROM audit_checkpoints",
        ] {
            let refused = db.write("test.change", |tx| Box::pin(tx.script(statement.to_owned()))).await;
            assert!(refused.is_err(), "{statement}");
        }
        let statement = match db.engine() {
            Engine::Sqlite => "INSERT OR REPLACE INTO audit_entries SELECT * FROM audit_entries WHERE seq = 0",
            Engine::Postgres => "TRUNCATE audit_entries",
        };
        assert!(db.write("test.change", |tx| Box::pin(tx.script(statement.to_owned()))).await.is_err());
        assert_eq!((leaves(&db).await.len(), root_of(&audit).await.size), (257, 257));
    }

    async fn erasing_a_person_breaks_no_proof(db: Db) {
        let keys = keys().await;
        let audit = Audit::new(db.clone(), keys.clone(), Arc::new(SystemClock));
        let (gone, stays) = (AccountId::fresh(), AccountId::fresh());
        for id in [gone, stays] {
            keys.create(id.0).await.unwrap();
        }
        let reason = Some(Personal::new("because".to_owned()));
        audit.record(&NewEntry { reason: reason.clone(), fields: vec!["name"], ..change(Some(gone)) }).await.unwrap();
        audit.record(&NewEntry { reason, ..change(Some(stays)) }).await.unwrap();
        // Did something alone, and something with the data of somebody else.
        let by = |subject| NewEntry { actor: Actor::Account(gone), ..change(subject) };
        audit.record(&by(None)).await.unwrap();
        audit.record(&by(Some(stays))).await.unwrap();
        let before = root_of(&audit).await;
        let entries = audit.list(&Filter::default(), None, 9).await.unwrap();

        let count = db.write("test.forget", |tx| Box::pin(forget_subject(tx, gone))).await.unwrap();
        assert_eq!(count, 2);
        assert_eq!(root_of(&audit).await, before, "the signed root holds");
        assert_eq!(audit.erased(0, 9).await.unwrap(), [0, 2]);
        let exported = audit.export(0, 9).await.unwrap();
        assert_eq!(exported.iter().map(|e| e.opened.is_some()).collect::<Vec<_>>(), [false, true, false, true]);
        let first = audit.show(0).await.unwrap().unwrap();
        assert!(first.entry.erased && first.reason.is_none() && first.entry.kept.reason.is_none());
        assert_eq!((first.entry.kept.subject, first.entry.kept.object_id, first.entry.kept.fields.as_str()), (None, None, ""));
        assert_eq!(first.entry.kept.actor_id.as_deref(), Some("0"), "the operator is not the person");
        assert!(tree::includes(&leaf_hash(&first.entry.commitment), 0, before.size, &first.proof, &before.root));
        assert_eq!(audit.show(2).await.unwrap().unwrap().entry.kept.actor_id, None);
        let other = audit.show(1).await.unwrap().unwrap();
        assert_eq!(other.reason.unwrap().reveal(), "because");
        assert_eq!(other.entry, entries[2], "nobody else's entry changed");
        assert_eq!(audit.show(3).await.unwrap().unwrap().entry, entries[0]);
        // Nothing of the person is left in the rows.
        let text = format!("{:?}", audit.list(&Filter::default(), None, 9).await.unwrap()[1..].to_vec());
        assert!(!text.contains(&gone.to_string()), "{text}");
        fill(&audit, 300).await;
        let now = root_of(&audit).await;
        let proof = audit.consistency(before.size, now.size).await.unwrap();
        assert!(tree::continues(before.size, &before.root, now.size, &now.root, &proof));
    }

    async fn nothing_is_sealed_for_who_has_no_key(db: Db) {
        let audit = log_of(&db).await;
        let new = NewEntry { reason: Some(Personal::new("x".into())), ..change(Some(AccountId::fresh())) };
        assert_eq!(audit.record(&new).await.unwrap_err().code, "audit.seal");
        assert_eq!(audit.size().await.unwrap(), 0);
    }

    async fn an_effect_that_fails_leaves_no_entry(db: Db) {
        let audit = log_of(&db).await;
        let failed: Result<(), Fault> = db.write("test.fail", |tx| {
            let audit = &audit;
            Box::pin(async move {
                audit.append(tx, &change(None)).await?;
                Err(Fault::internal("test.fail", "on purpose"))
            })
        }).await;
        assert!(failed.is_err());
        fill(&audit, 1).await;
        assert_eq!(audit.size().await.unwrap(), 1);
    }
}

/// Two handles on one database, as two control planes have them.
fn many_write_at_once(engine: Engine) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let first = testing::test_db(engine).await;
        let second = Db::open(first.url()).await.unwrap();
        let keys = keys().await;
        let writers: Vec<_> = (0..8)
            .map(|i| {
                let db = if i % 2 == 0 { (*first).clone() } else { second.clone() };
                let audit = Audit::new(db, keys.clone(), Arc::new(SystemClock));
                tokio::spawn(async move {
                    for n in 0..40 {
                        while audit.record(&change(None)).await.is_err() {}
                        if n % 10 == 0 {
                            drop(audit.checkpoint().await);
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let audit = Audit::new((*first).clone(), keys, Arc::new(SystemClock));
        let seqs: Vec<u64> = audit.export(0, 1000).await.unwrap().iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (0..320).collect::<Vec<_>>());
        assert_eq!(root_of(&audit).await.root, grown(&leaves(&first).await));
        second.close().await;
    });
}

#[test]
fn many_write_at_once_on_sqlite() {
    many_write_at_once(Engine::Sqlite);
}

#[test]
fn many_write_at_once_on_postgres() {
    many_write_at_once(Engine::Postgres);
}

/// A checkpoint of many entries reads a few hundred hashes.
#[test]
#[ignore = "a measurement: half a minute"]
fn speed() {
    testing::run(Engine::Sqlite, async |db: Db| {
        let audit = log_of(&db).await;
        let began = std::time::Instant::now();
        for _ in 0..200 {
            db.write("test.fill", |tx| {
                let audit = &audit;
                Box::pin(async move {
                    for _ in 0..1000 {
                        audit.append(tx, &change(None)).await?;
                    }
                    Ok::<_, Fault>(())
                })
            })
            .await
            .unwrap();
        }
        let filled = began.elapsed();
        let began = std::time::Instant::now();
        audit.checkpoint().await.unwrap();
        println!("200,000 entries: {filled:?} to write, {:?} for a checkpoint", began.elapsed());
    });
}
