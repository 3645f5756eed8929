use super::*;
use crate::prove::canary::Minter;
use base64::Engine as _;
use std::io::Write as _;

fn scanner() -> (Scanner, Vec<String>) {
    let mut minter = Minter::new();
    let texts: Vec<String> = (0..40).map(|at| minter.mint(format!("c{at}"))).collect();
    (Scanner::new(&minter.minted()).unwrap(), texts)
}

fn hits(scanner: &Scanner, data: &[u8]) -> Vec<Hit> {
    let (found, result) = scanner.stream(data);
    result.unwrap();
    assert_eq!(found.bytes, data.len() as u64);
    found.hits
}

fn hex(bytes: &[u8], upper: bool) -> String {
    bytes.iter().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
}

/// The ways to write a text, made by other means than the scanner's.
fn written(text: &str) -> Vec<(Encoding, Vec<u8>)> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let mut all = vec![
        (Encoding::Utf8, text.as_bytes().to_vec()),
        (Encoding::Utf16, text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (Encoding::Utf16, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ];
    for upper in [false, true] {
        let escape = |unit: u16| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        all.push((Encoding::JsonEscapes, text.encode_utf16().map(escape).collect::<String>().into_bytes()));
        let percent: String = text.bytes().map(|b| format!("%{}", hex(&[b], upper))).collect();
        all.push((Encoding::Percent, percent.into_bytes()));
        all.push((Encoding::Hex, hex(text.as_bytes(), upper).into_bytes()));
    }
    for before in ["", "x", "xy", "xyz\u{0}\u{ff}"] {
        let bytes = [before.as_bytes(), text.as_bytes(), b"after"].concat();
        all.push((Encoding::Base64, STANDARD.encode(&bytes).into_bytes()));
        all.push((Encoding::Base64, URL_SAFE_NO_PAD.encode(&bytes).into_bytes()));
    }
    all
}

#[test]
fn every_encoding_is_found_and_named() {
    let (scanner, texts) = scanner();
    for (encoding, form) in written(&texts[7]) {
        let data = [b"some bytes before, ".as_slice(), &form, b" and after"].concat();
        let found = hits(&scanner, &data);
        assert_eq!(found.len(), 1, "{encoding:?} {found:?}");
        assert_eq!((found[0].encoding, found[0].canary.as_str()), (encoding, "c7"));
        assert_eq!(found[0].part, Part::Whole);
    }
}

#[test]
fn texts_of_an_operator_are_found_in_every_encoding_too() {
    let own = ["Ünïcode “quoted” text/with+signs?", "tel:+49 30 1234567 and <more>"];
    let canaries: Vec<Canary> = own.iter().map(|t| Canary::new((*t).to_owned(), (*t).to_owned()).unwrap()).collect();
    let scanner = Scanner::new(&canaries).unwrap();
    for text in own {
        for (encoding, form) in written(text) {
            let found = hits(&scanner, &[b"....".as_slice(), &form, b"...."].concat());
            assert!(
                found.iter().any(|h| h.canary == text && h.encoding == encoding && h.part == Part::Whole),
                "{text} {encoding:?} {found:?}"
            );
        }
        let json = serde_json::to_string(text).unwrap();
        assert!(!hits(&scanner, json.as_bytes()).is_empty(), "{json}");
        let (first, second) = canaries.iter().find(|c| c.text() == text).unwrap().halves();
        for half in [first, second] {
            let found = hits(&scanner, half.as_bytes());
            assert_eq!((found[0].part, found[0].canary.as_str()), (Part::Half, text), "{half}");
        }
    }
    let mixed = "%C3%9Cn%c3%afcode";
    assert!(hits(&scanner, mixed.as_bytes()).is_empty(), "half a text is not a half of it");
    assert!(Canary::new(String::new(), "too short".to_owned()).is_err());
    assert!(Scanner::new(&[]).is_err());
}

#[test]
fn halves_and_beginnings_are_found() {
    let (scanner, texts) = scanner();
    let half = &texts[3][..texts[3].len() / 2];
    let found = hits(&scanner, format!("....{half}....").as_bytes());
    assert_eq!((found[0].part, found[0].canary.as_str(), found[0].offset), (Part::Half, "c3", 4));
    let found = hits(&scanner, format!("..{}", &half[..10]).as_bytes());
    assert_eq!((found[0].part, found[0].canary.as_str()), (Part::Beginning, "one of them"));
    assert!(hits(&scanner, &half.as_bytes()[1..]).is_empty());
}

#[test]
fn nothing_is_lost_where_chunks_and_blocks_meet() {
    let (scanner, texts) = scanner();
    let edge = CHUNK + scanner.longest;
    let mut data = vec![b'.'; 3 * CHUNK];
    let mut places = Vec::new();
    // Around the first read, the first kept part, a later read, and an edge of a block within one.
    for (at, middle) in [edge, CHUNK, edge + CHUNK, BLOCK, CHUNK + BLOCK].into_iter().enumerate() {
        for (which, shift) in [0, 9, 23].into_iter().enumerate() {
            let text = &texts[at * 3 + which];
            let start = middle - shift - 60 * which;
            data[start..start + text.len()].copy_from_slice(text.as_bytes());
            places.push(start as u64);
        }
    }
    let mut found: Vec<u64> =
        hits(&scanner, &data).into_iter().inspect(|h| assert_eq!(h.part, Part::Whole)).map(|h| h.offset).collect();
    found.sort_unstable();
    places.sort_unstable();
    assert_eq!(found, places);
}

#[test]
fn every_split_over_an_edge_is_seen_once() {
    let (scanner, texts) = scanner();
    let text = texts[0].as_bytes();
    for back in 0..=text.len() {
        let mut data = vec![b'.'; CHUNK + scanner.longest - back];
        data.extend_from_slice(text);
        let found = hits(&scanner, &data);
        assert_eq!(found.len(), 1, "{back}");
        assert_eq!((found[0].offset, found[0].part), ((CHUNK + scanner.longest - back) as u64, Part::Whole));
    }
}

#[test]
fn a_reader_that_gives_little_at_a_time_loses_nothing() {
    struct Drip<'a>(&'a [u8], bool);
    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = buf.len().min(self.0.len()).min(7);
            buf[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let (scanner, texts) = scanner();
    let data = format!("{}{}{}", ".".repeat(1000), texts[1], "-".repeat(30));
    let (found, result) = scanner.stream(Drip(data.as_bytes(), false));
    assert!(result.is_ok() && found.hits.len() == 1, "{found:?}");
}

#[test]
fn compressed_streams_are_noticed_anywhere() {
    let (scanner, texts) = scanner();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(texts[2].as_bytes()).unwrap();
    let zstd = zstd::encode_all(texts[3].as_bytes(), 3).unwrap();
    let data = [b"before".as_slice(), &gzip.finish().unwrap(), b"between", &zstd].concat();
    let (found, _) = scanner.stream(data.as_slice());
    assert_eq!(found.packed.len(), 2, "{found:?}");
    for (packing, at) in found.packed {
        let (inside, _) = scanner.stream(packing.open(&data[usize::try_from(at).unwrap()..]).unwrap());
        assert_eq!(inside.hits.len(), 1, "{packing:?}");
    }
}

#[test]
fn each_canary_is_named() {
    let (scanner, texts) = scanner();
    let data = texts.join(" ");
    let found = hits(&scanner, data.as_bytes());
    let names: Vec<_> = found.iter().map(|h| h.canary.clone()).collect();
    assert_eq!(names, (0..40).map(|at| format!("c{at}")).collect::<Vec<_>>());
}

#[test]
fn one_search_for_each_run_whatever_else_is_looked_for() {
    let (alone, _) = scanner();
    let mut canaries = alone.canaries().to_vec();
    canaries.push(Canary::new("own".to_owned(), "sk-0123456789abcdef-own".to_owned()).unwrap());
    let both = Scanner::new(&canaries).unwrap();
    assert!(alone.needles.len() <= 8, "{} needles", alone.needles.len());
    assert!(both.needles.len() <= alone.needles.len() + 2 * 15, "{} needles", both.needles.len());
    assert!(hits(&both, b"..sk-0123456789abcdef-own..").iter().any(|h| h.part == Part::Whole && h.canary == "own"));
}
