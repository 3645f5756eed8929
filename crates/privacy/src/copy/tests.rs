//! Whatever is declared as given is in the copy, opened; what is not is told; and nothing of anybody else is in it.

use super::*;
use crate::erasure::tests::World;
use crate::{Controller, Map, Profile};
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use tacit_kernel::Personal;
use tacit_kernel::datamap::{Copying, Element, Place, Protection, Subject};
use tacit_storage::datamap::COLUMNS;
use tacit_storage::{SqlText, Value, WriteTx, both_engines};
use tacit_vault::Aad;
use uuid::Uuid;

fn copies(world: &World) -> Arc<Copies> {
    let map = Map::new(COLUMNS.iter().copied());
    let policy = Arc::new(Policy::new(map, Profile::named("youyun").unwrap(), Controller::default()).unwrap());
    Arc::new(Copies::new(world.db.clone(), world.keys.clone(), policy, world.clock.clone()))
}

async fn whole(mut pieces: Pieces) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = pieces.recv().await {
        whole.extend(piece?);
    }
    Ok(whole)
}

fn files(archive: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut files = BTreeMap::new();
    for place in 0..zip.len() {
        let mut file = zip.by_index(place).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    files
}

fn id_of(value: &Value) -> Uuid {
    match value {
        Value::Uuid(id) => *id,
        Value::Bytes(bytes) => Uuid::from_slice(bytes).unwrap(),
        Value::I64(seq) => Uuid::from_u128(u128::try_from(*seq).unwrap()),
        other => panic!("{other:?}"),
    }
}

const ANN: &str = "canary of ann";

/// Seals in every column of a person that is given a text of its own, which the fixture has as it is.
async fn seal_all(world: &World, account: AccountId, whose: &str) -> Vec<(String, String)> {
    let key = &world.keys.get(account.0).await.unwrap().unwrap();
    // What is in the log cannot be changed.
    let looked = format!("{whose} is looked at");
    world.look_at(account, Some(Personal::new(looked.clone()))).await;
    let mut put = vec![("audit_entries".to_owned(), looked)];
    let mut case = None;
    for given in given().unwrap() {
        let page = async |tx: &mut ReadTx<'_>| given.page(tx, account, None, 100).await;
        let page = &page;
        let rows = world.db.read("test.rows", |tx| Box::pin(page(tx))).await.unwrap();
        let may_lack = whose != ANN || given.table.starts_with("organisation");
        assert!(!rows.is_empty() || may_lack, "the fixture has no {}", given.table);
        if given.table == PAPERS
            && let Some(row) = rows.first()
        {
            let at = given.columns.iter().position(|element| Given::column(element) == "case_id").unwrap();
            case = Some(world.keys.create_fleeting(id_of(&row.cells[at])).await.unwrap());
        }
        let sealed = |element: &&&Element| element.protection == Protection::SealedSubject;
        for element in given.columns.iter().filter(sealed).filter(|_| given.table != "audit_entries") {
            let column = Given::column(element);
            for (number, row) in rows.iter().enumerate() {
                let text = format!("{whose} {}.{column} {number}", given.table);
                // As the gateway seals.
                let bound = if given.table == "calls" { shown::name(element) } else { column };
                let aad = Aad { table: given.table, column: bound, row: id_of(&row.key[0]) };
                let of_row = match given.table {
                    "calls" => key.derive("calls"),
                    // As papers are sealed: with a key of their case.
                    PIECES => case.as_ref().unwrap().derive("verification-piece 0"),
                    _ => key.clone(),
                };
                let sealed = of_row.seal(&aad, text.as_bytes());
                let mut sql = SqlText::new("UPDATE ").push(given.table).push(" SET ").push(column).bind(" = ", sealed);
                for (place, (name, value)) in given.key().iter().zip(&row.key).enumerate() {
                    sql = sql.push(if place == 0 { " WHERE " } else { " AND " }).push(name).bind(" = ", value.clone());
                }
                let sql = std::sync::Mutex::new(Some(sql));
                let change = async |tx: &mut WriteTx<'_>| {
                    let sql = sql.lock().unwrap().take().unwrap();
                    tx.change(sql).await
                };
                let change = &change;
                let changed: Result<u64, StorageError> = world.db.write("test.seal", |tx| Box::pin(change(tx))).await;
                assert_eq!(changed.unwrap(), 1, "{text}");
                put.push((given.table.to_owned(), text));
            }
        }
    }
    put
}

both_engines! {
    async fn what_somebody_may_not_know_yet_is_in_no_copy(db: Db) {
        let mut world = World::new(db).await;
        let [ann, ..] = world.society().await;
        let copies = copies(&world);
        let rows = async || {
            let held = copies.held(ann.account, Language::En).await.unwrap();
            let rows = held.sets.into_iter().find(|set| set.name == "disclosures").unwrap().rows;
            let files = files(whole(copies.begin(ann.account, Language::En).await.unwrap()).await.unwrap());
            let is_there = files.iter().any(|(_, text)| String::from_utf8_lossy(text).contains("statutory_duty"));
            (rows, is_there)
        };
        assert_eq!(rows().await, (1, true));
        let hide =
            async |tx: &mut WriteTx<'_>| tx.change(SqlText::new("UPDATE disclosures SET told_at = NULL")).await;
        let hide = &hide;
        let hidden: Result<u64, StorageError> = world.db.write("test.hide", |tx| Box::pin(hide(tx))).await;
        assert!(hidden.unwrap() > 0);
        assert_eq!(rows().await, (0, false));
    }

    async fn whatever_is_given_is_in_it_and_nothing_of_others(db: Db) {
        let mut world = World::new(db).await;
        let [ann, member, org] = world.society().await;
        let put = seal_all(&world, ann.account, ANN).await;
        assert!(put.len() > 15, "{}", put.len());
        seal_all(&world, member.account, "canary of member").await;
        seal_all(&world, org.account, "canary of org").await;
        let copies = copies(&world);
        let files = files(whole(copies.begin(ann.account, Language::En).await.unwrap()).await.unwrap());
        let text = |name: &str| String::from_utf8_lossy(files.get(name).unwrap_or_else(|| panic!("{name}"))).into_owned();
        for (table, canary) in &put {
            if table == PIECES {
                let papers: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("papers/")).collect();
                assert!(papers.iter().any(|(_, bytes)| **bytes == canary.as_bytes()), "{canary}");
                continue;
            }
            for name in [format!("json/{table}.json"), format!("csv/{table}.csv"), "index.html".to_owned()] {
                assert!(text(&name).contains(canary.as_str()), "{canary} is not in {name}");
            }
        }
        for (name, bytes) in &files {
            let text = String::from_utf8_lossy(bytes);
            for other in ["canary of member", "canary of org", &member.account.to_string()] {
                assert!(!text.contains(other), "{name} tells of {other}");
            }
        }

        // Every column of persons is in it or among those that are withheld.
        let withheld: Vec<Json> = serde_json::from_str(&text("withheld.json")).unwrap();
        let told = |column: &str| withheld.iter().any(|w| w["columns"].as_array().unwrap().iter().any(|c| c == column));
        for element in COLUMNS.iter().filter(|element| matches!(element.subject, Subject::Account(_))) {
            let Place::Column { table, .. } = element.place else { continue };
            let (name, given) = (shown::name(element), element.copying == Copying::Given);
            assert_eq!(told(&format!("{table}.{name}")), !given, "{table}.{name}");
            let Some(rows) = files.get(&format!("json/{table}.json")).filter(|_| given) else { continue };
            let rows: Vec<Json> = serde_json::from_slice(rows).unwrap();
            assert!(rows.iter().all(|row| row.get(name).is_some()), "{table}.{name}");
        }
        let call = &serde_json::from_str::<Vec<Json>>(&text("json/calls.json")).unwrap()[0];
        assert_eq!((&call["account_id"], &call["amount"]), (&Json::from(ann.account.to_string()), &Json::from("0")));
        assert_eq!(call["started_at"], "1970-01-01T00:00:00.000000Z");

        let held = copies.held(ann.account, Language::Zh).await.unwrap();
        assert!(held.sets.iter().all(|set| set.rows > 0 || set.name.starts_with("organisation")), "{held:?}");
        assert_eq!(held.withheld.len(), withheld.len());
    }

    async fn many_rows_are_all_in_it_in_both_forms(db: Db) {
        let mut world = World::new(db).await;
        let ann = world.account().await;
        let many = PAGE as usize * 2 + 7;
        let fill = async |tx: &mut WriteTx<'_>| {
            for n in 0..many {
                let (key, day) = (Uuid::from_u128(n as u128), i64::try_from(n).unwrap());
                let sql = SqlText::new("INSERT INTO usage_daily (account_id, key_id, day, calls, tokens, amount) VALUES (");
                let sql = sql.bind("", ann.account).bind(", ", key).bind(", ", day);
                tx.change(sql.push(", 1, 1, 1)")).await?;
            }
            Ok::<_, StorageError>(())
        };
        let fill = &fill;
        world.db.write("test.fill", |tx| Box::pin(fill(tx))).await.unwrap();
        let files = files(whole(copies(&world).begin(ann.account, Language::Zh).await.unwrap()).await.unwrap());
        let rows: Vec<Json> = serde_json::from_slice(&files["json/usage_daily.json"]).unwrap();
        let mut days: Vec<&str> = rows.iter().map(|row| row["day"].as_str().unwrap()).collect();
        days.sort_unstable();
        days.dedup();
        assert_eq!((rows.len(), days.len()), (many, many));
        assert_eq!(csv::Reader::from_reader(&*files["csv/usage_daily.csv"]).records().count(), many);
        assert!(String::from_utf8_lossy(&files["index.html"]).contains(&many.to_string()));
        assert!(!files.contains_key("json/calls.json"), "nothing is written of what there is nothing of");
    }

    async fn few_are_made_at_once_and_none_of_who_is_not_there(db: Db) {
        let mut world = World::new(db).await;
        let ann = world.account().await;
        let copies = copies(&world);
        let nobody = copies.begin(AccountId::fresh(), Language::En).await;
        assert!(matches!(nobody, Err(CopyError::NotFound)));
        // What is not asked of a page stays in the channel, and the making of it with its permit.
        let mut making = Vec::new();
        for _ in 0..AT_ONCE {
            making.push(Arc::clone(&copies.at_once).try_acquire_owned().unwrap());
        }
        assert!(matches!(copies.begin(ann.account, Language::En).await, Err(CopyError::Busy)));
        making.clear();
        // Who goes away lets others have theirs.
        drop(copies.begin(ann.account, Language::En).await.unwrap());
        let permits = Arc::clone(&copies.at_once);
        drop(permits.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap());
        whole(copies.begin(ann.account, Language::En).await.unwrap()).await.unwrap();
    }
}

#[test]
fn a_spreadsheet_takes_nothing_for_a_formula() {
    for (text, shown) in [("=1+1", "'=1+1"), ("+86", "'+86"), ("@x", "'@x"), ("-1", "'-1"), ("a=b", "a=b"), ("", "")] {
        assert_eq!(shown::cell(&Json::from(text)), shown);
    }
    assert_eq!((shown::cell(&Json::from(-1)), shown::cell(&Json::Null)), ("-1".to_owned(), String::new()));
}
