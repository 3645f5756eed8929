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
    let root = RootKey::generate();
    assert_ne!(root.hash_key("a").expose(), root.seal_key("a").expose());
    assert_ne!(root.hash_key("a").expose(), root.hash_key("b").expose());
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
    assert_eq!(MasterKey::from_text(&in_a_file).unwrap().as_root().expose(), master.as_root().expose());
    for bad in
        ["", "tacit-master-", "tacit-master-AAAA", &text.expose_secret()[1..], &format!("{}A", text.expose_secret())]
    {
        assert_eq!(MasterKey::from_text(&SecretString::from(bad)).err(), Some(BadMasterKey), "{bad}");
    }
}

#[test]
fn a_subject_key_opens_only_for_its_subject_bunch_and_epoch() {
    let master = MasterKey::generate();
    let epochs = vec![(1, Keyring::new_epoch(&master, 1)), (2, Keyring::new_epoch(&master, 2))];
    let ring = Keyring::unlock(&master, &epochs).unwrap();
    assert_eq!(ring.span(), (1, 2));
    let (bunch, resting) = ring.new_bunch(5);
    assert_eq!((resting.id, resting.epoch), (5, 2));
    let (key, wrapped) = bunch.wrap_new(ROW);
    let opened = ring.bunch(&resting).unwrap();
    assert_eq!(opened.unwrap(ROW, &wrapped).unwrap().expose(), key.expose());
    assert_eq!(opened.unwrap(Uuid::from_u128(8), &wrapped).err(), Some(KeyringError::Damaged));
    let other = ring.new_bunch(6).0;
    assert_eq!(other.unwrap(ROW, &wrapped).err(), Some(KeyringError::Damaged));
    let handed = opened.hand_over(&other, ROW, &wrapped).unwrap();
    assert_eq!(other.unwrap(ROW, &handed).unwrap().expose(), key.expose());
    assert_eq!(opened.unwrap(ROW, &handed).err(), Some(KeyringError::Damaged));

    let claims = |id, epoch| WrappedBunch { id, epoch, ..resting.clone() };
    assert_eq!(ring.bunch(&claims(5, 1)).err(), Some(KeyringError::Damaged));
    assert_eq!(ring.bunch(&claims(6, 2)).err(), Some(KeyringError::Damaged));
    assert_eq!(ring.bunch(&claims(5, 3)).err(), Some(KeyringError::UnknownEpoch(3)));

    assert_eq!(Keyring::unlock(&MasterKey::generate(), &epochs).err(), Some(KeyringError::WrongMasterKey(1)));
    let swapped = vec![(1, epochs[1].1.clone())];
    assert_eq!(Keyring::unlock(&master, &swapped).err(), Some(KeyringError::WrongMasterKey(1)));
    assert_eq!(Keyring::unlock(&master, &[]).err(), Some(KeyringError::Empty));
}

#[test]
fn a_bunch_under_a_new_epoch_is_the_same_bunch() {
    let master = MasterKey::generate();
    let one = (1, Keyring::new_epoch(&master, 1));
    let before = Keyring::unlock(&master, std::slice::from_ref(&one)).unwrap();
    let (bunch, resting) = before.new_bunch(9);
    let (key, wrapped) = bunch.wrap_new(ROW);
    let two = (2, Keyring::new_epoch(&master, 2));
    let both = Keyring::unlock(&master, &[one, two.clone()]).unwrap();
    let renewed = both.renewed(&resting).unwrap();
    let after = Keyring::unlock(&master, &[two]).unwrap();
    assert_eq!(after.bunch(&renewed).unwrap().unwrap(ROW, &wrapped).unwrap().expose(), key.expose());
    assert_eq!(after.bunch(&resting).err(), Some(KeyringError::UnknownEpoch(1)));
    // The key of an epoch is wrapped by the master key alone.
    let own = WrappedBunch { id: -1, epoch: 1, wrapped: None };
    assert_eq!(both.renewed(&own).err(), Some(KeyringError::Damaged));
}

#[test]
fn another_master_key_wraps_the_same_epochs_and_root() {
    let (old, new, root) = (MasterKey::generate(), MasterKey::generate(), RootKey::generate());
    let epoch = Keyring::new_epoch(&old, 1);
    let moved = Keyring::epoch_to(&old, &new, 1, &epoch).unwrap();
    let (bunch, resting) = Keyring::unlock(&old, &[(1, epoch.clone())]).unwrap().new_bunch(1);
    let (key, wrapped) = bunch.wrap_new(ROW);
    let ring = Keyring::unlock(&new, &[(1, moved.clone())]).unwrap();
    assert_eq!(ring.bunch(&resting).unwrap().unwrap(ROW, &wrapped).unwrap().expose(), key.expose());
    assert_eq!(Keyring::unlock(&old, &[(1, moved)]).err(), Some(KeyringError::WrongMasterKey(1)));
    assert_eq!(Keyring::epoch_to(&new, &old, 1, &epoch).err(), Some(KeyringError::WrongMasterKey(1)));
    let resting = wrap_root(&new, &root);
    assert_eq!(unwrap_root(&new, &resting).unwrap().expose(), root.expose());
    assert_eq!(unwrap_root(&old, &resting).err(), Some(KeyringError::Damaged));
}

#[test]
fn no_key_can_be_printed() {
    let master = MasterKey::generate();
    let ring = Keyring::unlock(&master, &[(1, Keyring::new_epoch(&master, 1))]).unwrap();
    assert_eq!(
        format!("{:?} {:?} {:?} {:?}", master, master.as_root().hash_key("a"), SealKey::generate(), ring),
        "[key] [key] [key] [key]"
    );
    assert_eq!(format!("{:?}", ring.new_bunch(3).1), "[key] 3 of epoch 1");
}

mod notes {
    use crate::{MasterKey, NoteError, NoteVerifier, RootKey};

    #[test]
    fn a_note_is_opened_by_its_key_and_no_other() {
        let master = MasterKey::generate();
        let key = master.as_root().note_key("test");
        let note = key.sign("origin\n1\n");
        let verifier: NoteVerifier = key.verifier().to_string().parse().unwrap();
        assert_eq!(verifier.open(&note), Ok("origin\n1\n"));
        assert_eq!(verifier.to_string(), master.as_root().note_key("test").verifier().to_string(), "derived, not made");
        let other = RootKey::generate().note_key("test");
        assert_eq!(other.verifier().open(&note), Err(NoteError::NotSigned));
        assert_eq!(verifier.open(&note.replace("n\n1", "n\n2")), Err(NoteError::Forged));
        // A signature of somebody else below ours is passed over.
        let both = format!("{note}{}", other.sign("origin\n1\n").split("\n\n").nth(1).unwrap());
        assert_eq!((verifier.open(&both), other.verifier().open(&both)), (Ok("origin\n1\n"), Ok("origin\n1\n")));
        for bad in ["", "x", "x\n\n", "x\n\n\u{2014} a b\n", &note.replace('\n', "\r\n"), &note[..note.len() - 1]] {
            assert_eq!(verifier.open(bad), Err(NoteError::Malformed), "{bad:?}");
        }
    }

    /// The example of the documentation of Go's `golang.org/x/mod/sumdb/note`, which the specification was made from.
    #[test]
    fn the_note_of_another_program_is_opened() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let verifier: NoteVerifier = key.parse().unwrap();
        assert!(verifier.open(note).is_ok());
        assert_eq!(verifier.to_string(), key);
        assert_eq!(key.replace("c74f", "c74e").parse::<NoteVerifier>(), Err(NoteError::BadKey));
    }
}

mod merkle {
    use crate::merkle::{commitment, empty_hash, leaf_hash, node_hash};
    use data_encoding::HEXLOWER;

    /// Vectors of the Certificate Transparency project for RFC 6962.
    #[test]
    fn known_hashes() {
        assert_eq!(HEXLOWER.encode(&empty_hash()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            HEXLOWER.encode(&leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            HEXLOWER.encode(&node_hash(&leaf_hash(b""), &leaf_hash(&[0]))),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn a_commitment_depends_on_all_of_it() {
        let one = commitment("d", &[1; 32], b"x");
        assert_eq!(one, commitment("d", &[1; 32], b"x"));
        for other in [commitment("e", &[1; 32], b"x"), commitment("d", &[2; 32], b"x"), commitment("d", &[1; 32], b"y")]
        {
            assert_ne!(one, other);
        }
    }
}
