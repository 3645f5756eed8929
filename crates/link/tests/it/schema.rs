//! Every string and every row of bytes of the schema stands here with the reason why it cannot hold what a client
//! wrote. A new field turns this red until somebody has given its reason and its bound.

use Size::{Exactly, UpTo};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};
use std::collections::{BTreeMap, BTreeSet};
use tacit_link::{Checked, MAX_SEALED, Refused, wire};

#[derive(Clone, Copy)]
enum Size {
    Exactly(usize),
    UpTo(usize),
}

const ID: &str = "an id made by the platform";
const OPERATOR: &str = "set by the operator, looked up";
const HASH: &str = "a keyed hash: one way, of fixed length";
const SEAL: &str = "a seal that only the holder of the subject's key can open; too small for a prompt";

const FIELDS: &[(&str, Size, &str)] = &[
    ("Hello.gateway", UpTo(64), "configured by the operator"),
    ("Hello.version", UpTo(64), "of the program"),
    ("Hello.session", Exactly(16), ID),
    ("Welcome.session", Exactly(16), ID),
    ("Welcome.currency", UpTo(3), "ISO 4217"),
    ("Welcome.key_pepper", Exactly(32), "a key of the platform"),
    ("WatchRequest.session", Exactly(16), ID),
    ("Invalidate.key_hashes", Exactly(32), HASH),
    ("Invalidate.accounts", Exactly(16), ID),
    ("Recall.account", Exactly(16), ID),
    ("Model.id", Exactly(16), ID),
    ("Model.name", UpTo(256), OPERATOR),
    ("Model.owned_by", UpTo(256), OPERATOR),
    ("Model.price", Exactly(16), ID),
    ("Model.price_json", UpTo(64 * 1024), "kernel::rating::Price, written by the control plane"),
    ("Price.id", Exactly(16), ID),
    ("Price.json", UpTo(64 * 1024), "kernel::rating::Price, written by the control plane"),
    ("Route.channel", Exactly(16), ID),
    ("Route.upstream_model", UpTo(256), OPERATOR),
    ("Channel.id", Exactly(16), ID),
    ("Channel.provider", Exactly(16), ID),
    ("Channel.provider_name", UpTo(256), OPERATOR),
    ("Channel.base_url", UpTo(2048), OPERATOR),
    ("Credential.id", Exactly(16), ID),
    ("Credential.secret", UpTo(8192), "a provider credential on its way to the gateway"),
    ("KeyRequest.session", Exactly(16), ID),
    ("KeyRequest.hash", Exactly(32), HASH),
    ("KeyGrant.key", Exactly(16), ID),
    ("KeyGrant.account", Exactly(16), ID),
    ("KeyGrant.group", Exactly(16), ID),
    ("KeyGrant.key_limits_json", UpTo(64 * 1024), "kernel::limits::Limits, written by the control plane"),
    ("KeyGrant.account_limits_json", UpTo(64 * 1024), "kernel::limits::Limits, written by the control plane"),
    ("KeyGrant.seal_key", Exactly(32), "a key of the subject"),
    ("SharedBudget.id", Exactly(16), ID),
    ("LeaseRequest.session", Exactly(16), ID),
    ("LeaseRequest.account", Exactly(16), ID),
    ("Events.session", Exactly(16), ID),
    ("Ended.sealed_ip", UpTo(MAX_SEALED), SEAL),
    ("Ended.sealed_user_agent", UpTo(MAX_SEALED), SEAL),
    ("CloseRequest.session", Exactly(16), ID),
];

fn schema() -> DescriptorPool {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    DescriptorPool::from_file_descriptor_set(protox::compile(["link.proto"], [path]).unwrap()).unwrap()
}

fn sizes() -> BTreeMap<&'static str, Size> {
    FIELDS.iter().map(|(name, size, _)| (*name, *size)).collect()
}

#[test]
fn every_field_that_could_hold_text_has_a_reason() {
    let pool = schema();
    let mut found = BTreeSet::new();
    for message in pool.all_messages() {
        for field in message.fields() {
            assert!(!field.is_map(), "a map has keys of its own: {}", field.full_name());
            if matches!(field.kind(), Kind::String | Kind::Bytes) {
                found.insert(format!("{}.{}", message.name(), field.name()));
            }
        }
    }
    let listed: BTreeSet<_> = FIELDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), FIELDS.len(), "a field is listed twice");
    assert_eq!(found, listed, "give a new field its reason and its bound; take a removed one off the list");
    assert!(FIELDS.iter().all(|(.., reason)| !reason.is_empty()));
}

fn text(kind: &Kind, bytes: usize) -> Value {
    match kind {
        Kind::String => Value::String("x".repeat(bytes)),
        _ => Value::Bytes(vec![7; bytes].into()),
    }
}

/// A message in which everything is set, to something that is within its bounds.
fn valid(of: &MessageDescriptor) -> DynamicMessage {
    let sizes = sizes();
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        let value = match field.kind() {
            Kind::String | Kind::Bytes => {
                match sizes.get(format!("{}.{}", of.name(), field.name()).as_str()).copied() {
                    Some(Exactly(n) | UpTo(n)) => text(&field.kind(), n),
                    None => text(&field.kind(), 0),
                }
            }
            Kind::Message(inner) => Value::Message(valid(&inner)),
            Kind::Uint32 => Value::U32(1),
            Kind::Uint64 => Value::U64(1),
            Kind::Fixed64 => Value::U64(1),
            Kind::Int32 => Value::I32(1),
            Kind::Int64 => Value::I64(1),
            Kind::Bool => Value::Bool(true),
            other => panic!("a kind of field nobody thought of: {other:?}"),
        };
        message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
    }
    message
}

macro_rules! by_name {
    ($name:expr, $bytes:expr, [$($message:ident)*]) => {
        match $name {
            $(stringify!($message) => Some(wire::$message::decode($bytes).unwrap().check()),)*
            _ => None,
        }
    };
}

fn check(message: &DynamicMessage) -> Option<Result<(), Refused>> {
    let bytes = message.encode_to_vec();
    by_name!(message.descriptor().name(), bytes.as_slice(), [
        Hello Welcome WatchRequest Update Invalidate Recall Catalog Model Price Route Channel Credential KeyRequest
        KeyReply KeyGrant SharedBudget LeaseRequest Events Begun Ended Attempt CloseRequest
    ])
}

#[test]
fn every_field_that_could_hold_text_is_bounded() {
    let mut tried = 0;
    for of in schema().all_messages() {
        let holds_text = of.fields().any(|f| matches!(f.kind(), Kind::String | Kind::Bytes));
        let good = valid(&of);
        match check(&good) {
            None => assert!(!holds_text, "{} is never checked", of.name()),
            Some(verdict) => assert_eq!(verdict, Ok(()), "{}", of.name()),
        }
        for field in of.fields().filter(|f| matches!(f.kind(), Kind::String | Kind::Bytes)) {
            let name = format!("{}.{}", of.name(), field.name());
            let (Exactly(most) | UpTo(most)) = sizes()[name.as_str()];
            let mut wrong = vec![most + 1];
            if matches!(sizes()[name.as_str()], Exactly(_)) {
                wrong.push(most - 1);
            }
            for length in wrong {
                let mut bad = good.clone();
                let value = text(&field.kind(), length);
                bad.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
                assert!(check(&bad).unwrap().is_err(), "{name} of {length} bytes is accepted");
                tried += 1;
            }
        }
    }
    assert!(tried > FIELDS.len());
}

#[test]
fn what_is_nested_is_checked_too() {
    let bare = wire::Attempt::default();
    let pool = schema();
    let good = valid(&pool.get_message_by_name("tacit.link.v1.Events").unwrap());
    let mut events = wire::Events::decode(good.encode_to_vec().as_slice()).unwrap();
    assert_eq!(events.check(), Ok(()));
    events.ended[0].attempts.push(bare);
    assert_eq!(events.check(), Err(Refused("channel")));
    events.ended[0].attempts.pop();
    let begun = events.begun[0];
    events.begun = vec![begun; tacit_link::MAX_EVENTS];
    assert_eq!(events.check(), Err(Refused("events")));
}

#[test]
fn secrets_are_not_printed() {
    let pool = schema();
    for name in ["Catalog", "KeyReply", "Welcome", "Update"] {
        let good = valid(&pool.get_message_by_name(&format!("tacit.link.v1.{name}")).unwrap()).encode_to_vec();
        let printed = match name {
            "Catalog" => format!("{:?}", wire::Catalog::decode(good.as_slice()).unwrap().channels),
            "KeyReply" => format!("{:?}", wire::KeyReply::decode(good.as_slice()).unwrap()),
            _ => format!("{:?}", wire::Welcome::decode(good.as_slice()).unwrap_or_default()),
        };
        assert!(printed.contains("{ .. }"), "{printed}");
        // The sample fills bytes with sevens; a secret would be a long run of them.
        assert!(!printed.contains(&"7, ".repeat(17)), "{printed}");
    }
}
