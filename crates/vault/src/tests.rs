use super::*;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

const ROW: Uuid = Uuid::from_u128(7);
const PLACE: Aad<'static> = Aad { table: "calls", column: "ip", row: ROW };

#[test]
fn a_sealed_value_opens_only_where_it_was_sealed() {
    let key = SealKey::generate();
    let sealed = key.seal(&PLACE, b"203.0.113.9");
    assert_eq!(key.open(&PLACE, &sealed).unwrap().as_slice(), b"203.0.113.9");
    for other in [
        Aad { table: "call", ..PLACE },
        Aad { column: "user_agent", ..PLACE },
        Aad { row: Uuid::from_u128(8), ..PLACE },
        // The same letters, split elsewhere.
        Aad { table: "callsi", column: "p", row: ROW },
    ] {
        assert_eq!(key.open(&other, &sealed), Err(SealError), "{other:?}");
    }
    assert_eq!(SealKey::generate().open(&PLACE, &sealed), Err(SealError));
    assert_eq!(key.derive("calls").open(&PLACE, &sealed), Err(SealError));
}

#[test]
fn every_flipped_bit_is_seen() {
    let key = SealKey::generate();
    let sealed = key.seal(&PLACE, b"x");
    for at in 0..sealed.len() * 8 {
        let mut wrong = sealed.clone();
        wrong[at / 8] ^= 1 << (at % 8);
        assert_eq!(key.open(&PLACE, &wrong), Err(SealError), "bit {at}");
    }
    for cut in 0..sealed.len() {
        assert_eq!(key.open(&PLACE, &sealed[..cut]), Err(SealError), "cut to {cut}");
    }
}

#[test]
fn the_same_value_sealed_twice_differs() {
    let key = SealKey::generate();
    let (one, two) = (key.seal(&PLACE, b"same"), key.seal(&PLACE, b"same"));
    assert_ne!(one, two);
    assert_eq!(one.len(), 1 + 12 + 4 + 16);
    assert_eq!(one[0], 1);
}

#[test]
fn a_long_place_and_an_empty_value_work_too() {
    let (key, table) = (SealKey::generate(), "t".repeat(200));
    let place = Aad { table: &table, ..PLACE };
    let sealed = key.seal(&place, b"");
    assert!(key.open(&place, &sealed).unwrap().is_empty());
    assert!(key.open(&PLACE, &sealed).is_err());
}

#[test]
fn derived_keys_are_stable_and_apart() {
    let key = SealKey::from_bytes([3; 32]);
    assert_eq!(key.derive("calls").expose(), SealKey::from_bytes([3; 32]).derive("calls").expose());
    assert_ne!(key.derive("calls").expose(), key.derive("names").expose());
    let master = MasterKey::generate();
    assert_ne!(master.hash_key("a").expose(), master.seal_key("a").expose());
    assert_ne!(master.hash_key("a").expose(), master.hash_key("b").expose());
}

#[test]
fn hashes_depend_on_key_domain_and_data() {
    // RFC 4231 has no case with this framing; the reference is Python's hmac.new(b"\x0b" * 32, b"d\0hi", "sha256").
    let key = HashKey::from_bytes([0x0b; 32]);
    let hash = keyed_hash(&key, "d", b"hi");
    assert_eq!(
        data_encoding::HEXLOWER.encode(&hash),
        "27528a09042dcf57057d139e61e4b9b5e045b3948ac498d3c2857edbccc0389d"
    );
    assert_ne!(hash, keyed_hash(&key, "e", b"hi"));
    assert_ne!(hash, keyed_hash(&key, "d", b"ho"));
    assert_ne!(hash, keyed_hash(&HashKey::from_bytes([0x0c; 32]), "d", b"hi"));
}

#[test]
fn a_master_key_comes_back_from_its_text() {
    let master = MasterKey::generate();
    let text = master.to_text();
    let in_a_file = SecretString::from(format!(" {}\n", text.expose_secret()));
    assert_eq!(MasterKey::from_text(&in_a_file).unwrap().hash_key("a").expose(), master.hash_key("a").expose());
    for bad in
        ["", "tacit-master-", "tacit-master-AAAA", &text.expose_secret()[1..], &format!("{}A", text.expose_secret())]
    {
        assert_eq!(MasterKey::from_text(&SecretString::from(bad)).err(), Some(BadMasterKey), "{bad}");
    }
}

#[test]
fn a_subject_key_opens_only_for_its_subject_and_epoch() {
    let master = MasterKey::generate();
    let epochs = vec![(1, Keyring::new_epoch(&master, 1)), (2, Keyring::new_epoch(&master, 2))];
    let ring = Keyring::unlock(&master, epochs.clone()).unwrap();
    let (key, wrapped) = ring.wrap_new(ROW);
    assert_eq!(wrapped.epoch, 2);
    assert_eq!(ring.unwrap(ROW, &wrapped).unwrap().expose(), key.expose());
    assert_eq!(ring.unwrap(Uuid::from_u128(8), &wrapped).err(), Some(KeyringError::Damaged));
    let claims = |epoch| WrappedKey { epoch, ..wrapped.clone() };
    assert_eq!(ring.unwrap(ROW, &claims(1)).err(), Some(KeyringError::Damaged));
    assert_eq!(ring.unwrap(ROW, &claims(3)).err(), Some(KeyringError::UnknownEpoch(3)));

    assert_eq!(Keyring::unlock(&MasterKey::generate(), epochs.clone()).err(), Some(KeyringError::WrongMasterKey(1)));
    let swapped = vec![(1, epochs[1].1.clone())];
    assert_eq!(Keyring::unlock(&master, swapped).err(), Some(KeyringError::WrongMasterKey(1)));
    assert_eq!(Keyring::unlock(&master, vec![]).err(), Some(KeyringError::Empty));
}

#[test]
fn no_key_can_be_printed() {
    let master = MasterKey::generate();
    let ring = Keyring::unlock(&master, vec![(1, Keyring::new_epoch(&master, 1))]).unwrap();
    assert_eq!(
        format!("{:?} {:?} {:?} {:?}", master, master.hash_key("a"), SealKey::generate(), ring),
        "[key] [key] [key] [key]"
    );
    assert_eq!(format!("{:?}", ring.wrap_new(ROW).1), "[key] of epoch 1");
}
