//! The envelope reader and the edits against arbitrary JSON, with serde_json as the oracle.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tacit_kernel::call::Endpoint;
use tacit_protocol::{Body, Envelope, EnvelopeError, EnvelopeScanner};

fn scan_in_pieces(text: &[u8], piece: usize) -> Result<Envelope, EnvelopeError> {
    let mut scanner = EnvelopeScanner::new();
    for chunk in text.chunks(piece.max(1)) {
        scanner.push(chunk)?;
    }
    scanner.finish()
}

fn scan(text: &str) -> Result<Envelope, EnvelopeError> {
    scan_in_pieces(text.as_bytes(), usize::MAX)
}

/// Everything that an envelope says, to compare two of them.
fn told(envelope: &Envelope) -> String {
    format!(
        "{:?} {} {:?} {} {:?} {} {} {}",
        envelope.model(),
        envelope.stream(),
        envelope.max_output_tokens(Endpoint::ChatCompletions),
        envelope.choices(),
        envelope.media(),
        envelope.body_len(),
        envelope.caller_wants_usage(),
        envelope.input_estimate(),
    )
}

fn rewritten(text: &[u8], piece: usize, model: &str, usage: bool) -> String {
    let mut body = Body::new();
    for chunk in text.chunks(piece.max(1)) {
        body.push(Bytes::copy_from_slice(chunk));
    }
    let envelope = Envelope::of(&body).unwrap_or_else(|e| panic!("{e}"));
    let out: Vec<u8> = body.for_provider(&envelope.edits(model, usage)).flat_map(|c| c.to_vec()).collect();
    String::from_utf8(out).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[\\\\\"{}\\[\\],:u0]{0,80}".prop_map(Value::from),
        prop_oneof![Just("type"), Just("image_url"), Just("file"), Just("image"), Just("model")].prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(
                prop_oneof!["\\PC{0,12}", Just("type".to_owned()), Just("model".to_owned())],
                inner,
                0..6
            )
            .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn request()(
        members in proptest::collection::vec(("\\PC{0,12}", any_json()), 0..6),
        model in "[a-z0-9./:é-]{1,20}",
        stream in proptest::option::of(proptest::option::of(any::<bool>())),
        max_tokens in proptest::option::of(0..1_000_000_u64),
        n in proptest::option::of(1..9_u64),
        options in proptest::option::of(prop_oneof![
            Just(Value::Null), Just(json!({})), Just(json!({"include_usage": true})),
            Just(json!({"include_usage": false})), Just(json!({"include_usage": null, "x": [1, "}"]})),
            Just(json!({"other": {"include_usage": false}})),
        ]),
        at in 0..8_usize,
        pretty in any::<bool>(),
    ) -> String {
        let known = ["model", "stream", "max_tokens", "n", "best_of", "stream_options", "max_completion_tokens",
            "max_output_tokens", "prompt"];
        let mut all: Vec<(String, Value)> =
            members.into_iter().filter(|(k, _)| !known.contains(&k.as_str())).collect();
        let at = at.min(all.len());
        all.insert(at, ("model".into(), model.into()));
        all.extend(stream.map(|s| ("stream".into(), s.map_or(Value::Null, Value::from))));
        all.extend(max_tokens.map(|m| ("max_tokens".into(), m.into())));
        all.extend(n.map(|n| ("n".into(), n.into())));
        all.extend(options.map(|o| ("stream_options".into(), o)));
        let map: Map<String, Value> = all.into_iter().collect();
        if pretty { serde_json::to_string_pretty(&map).unwrap() } else { serde_json::to_string(&map).unwrap() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reads_what_serde_reads(text in request(), piece in 1..80_usize) {
        let value: Value = serde_json::from_str(&text).unwrap();
        let whole = scan(&text).unwrap();
        prop_assert_eq!(whole.model(), value["model"].as_str().unwrap());
        prop_assert_eq!(whole.stream(), value["stream"].as_bool().unwrap_or(false));
        prop_assert_eq!(whole.max_output_tokens(Endpoint::Messages), value["max_tokens"].as_u64());
        prop_assert_eq!(whole.choices(), value["n"].as_u64().unwrap_or(1));
        prop_assert_eq!(whole.body_len(), text.len());
        prop_assert_eq!(
            whole.caller_wants_usage(),
            value["stream_options"]["include_usage"].as_bool().unwrap_or(false)
        );
        prop_assert_eq!(told(&whole), told(&scan_in_pieces(text.as_bytes(), piece).unwrap()));
    }

    #[test]
    fn edits_change_what_they_should_and_nothing_else(
        text in request(), piece in 1..400_usize, usage in any::<bool>(),
    ) {
        let mut wanted: Value = serde_json::from_str(&text).unwrap();
        wanted["model"] = "provider/\"model\"".into();
        if usage && wanted["stream"].as_bool() == Some(true) {
            if wanted["stream_options"].is_null() {
                wanted["stream_options"] = json!({});
            }
            wanted["stream_options"]["include_usage"] = true.into();
        }
        let out = rewritten(text.as_bytes(), piece, "provider/\"model\"", usage);
        let got: Value = serde_json::from_str(&out).map_err(|e| TestCaseError::fail(format!("{e}: {out}")))?;
        prop_assert_eq!(got, wanted);
        // Byte for byte the same outside of the edits: with the old name put back, nothing but the inserts differs.
        if !usage {
            let model = serde_json::from_str::<Value>(&text).unwrap()["model"].as_str().unwrap().to_owned();
            prop_assert_eq!(rewritten(text.as_bytes(), piece, &model, false), text);
        }
    }

    #[test]
    fn a_cut_text_is_never_taken_for_whole(text in request(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(text.len());
        prop_assert!(scan_in_pieces(&text.as_bytes()[..cut], 7).is_err());
    }

    #[test]
    fn any_bytes_in_any_chunking_end_alike(
        bytes in proptest::collection::vec(
            prop_oneof![
                prop::sample::select(b"{}[]\",:\\ tfn0-e".to_vec()), any::<u8>(),
            ], 0..200),
        piece in 1..20_usize,
    ) {
        let mut text = b"{\"model\":\"m\",\"a\":".to_vec();
        text.extend(bytes);
        let (whole, pieces) = (scan_in_pieces(&text, usize::MAX), scan_in_pieces(&text, piece));
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        if let Ok(whole) = &whole {
            prop_assert_eq!(told(whole), told(&pieces.unwrap()));
        }
    }
}

#[test]
fn every_split_position() {
    let text = r#" { "messages" : [ { "role":"user", "content":[{"type":"image_url","image_url":{"url":"https://x/{\"]}\\"}},
        {"type":"text","text":"a \\\" [ { \u005c"}]} ], "mod\u0065l" : "gpt\u002d4", "str\u0065am":true , "n":2,
        "stream_options" : { "x" : "}" , "include_us\u0061ge" : false } } "#;
    let whole = told(&scan(text).unwrap());
    assert!(whole.starts_with("\"gpt-4\" true None 2 Media { images: 1, files: 0"), "{whole}");
    for cut in 0..=text.len() {
        let (a, b) = text.as_bytes().split_at(cut);
        let mut scanner = EnvelopeScanner::new();
        scanner.push(a).unwrap();
        scanner.push(b).unwrap();
        assert_eq!(told(&scanner.finish().unwrap()), whole, "cut at {cut}");
    }
    let out: Value = serde_json::from_str(&rewritten(text.as_bytes(), 5, "m2", true)).unwrap();
    assert_eq!(out["model"], "m2");
    assert_eq!(out["stream_options"], json!({"x": "}", "include_usage": true}));
}

#[test]
fn refusals() {
    use EnvelopeError as E;
    let wrong = |field, wants| E::WrongType { field, wants };
    let number = "a whole number, not negative";
    let cases = [
        ("", E::NotAnObject),
        ("  \n", E::NotAnObject),
        ("[]", E::NotAnObject),
        ("\u{feff}{}", E::NotAnObject),
        ("{}", E::Missing { field: "model" }),
        (r#"{"model":"a","model":"b"}"#, E::Duplicate { field: "model" }),
        (r#"{"model":"a","mo\u0064el":"b"}"#, E::Duplicate { field: "model" }),
        (r#"{"model":"a","stream":true,"stream":false}"#, E::Duplicate { field: "stream" }),
        (r#"{"model":"a","max_tokens":1,"max_tokens":9}"#, E::Duplicate { field: "max_tokens" }),
        (r#"{"model":1}"#, wrong("model", "a string")),
        (r#"{"model":null}"#, wrong("model", "a string")),
        (r#"{"model":["a"]}"#, wrong("model", "a string")),
        (r#"{"model":""}"#, wrong("model", "the name of a model")),
        (r#"{"model":"a\nb"}"#, wrong("model", "the name of a model")),
        (r#"{"model":"\ud800"}"#, wrong("model", "a string")),
        (r#"{"model":"a","stream":"yes"}"#, wrong("stream", "true or false")),
        (r#"{"model":"a","stream":1}"#, wrong("stream", "true or false")),
        (r#"{"model":"a","max_tokens":-1}"#, wrong("max_tokens", number)),
        (r#"{"model":"a","max_tokens":1.5}"#, wrong("max_tokens", number)),
        (r#"{"model":"a","max_tokens":"9"}"#, wrong("max_tokens", number)),
        (r#"{"model":"a","max_tokens":99999999999999999999}"#, wrong("max_tokens", number)),
        (r#"{"model":"a","n":{}}"#, wrong("n", number)),
        (r#"{"model":"a"} x"#, E::Trailing { at: 14 }),
        (r#"{"model":"a"}{}"#, E::Trailing { at: 13 }),
        (r#"{"model":"a""#, E::Unterminated),
        (r#"{"model":"a"#, E::Unterminated),
        (r#"{"model":"a","x":[1,2"#, E::Unterminated),
        (r#"{"model":"a","x":"\"}"#, E::Unterminated),
        (r#"{"model":"a",}"#, E::Syntax { at: 13 }),
        (r#"{"model" "a"}"#, E::Syntax { at: 9 }),
        (r#"{model:"a"}"#, E::Syntax { at: 1 }),
        (r#"{"model":"a" "b":1}"#, E::Syntax { at: 13 }),
        (r#"{"model":}"#, E::Syntax { at: 9 }),
    ];
    for (text, error) in cases {
        assert_eq!(scan(text).err(), Some(error), "{text}");
    }
    for options in
        ["7", "[]", "\"x\"", r#"{"include_usage":1}"#, r#"{"include_usage":true,"include_us\u0061ge":false}"#]
    {
        let text = format!(r#"{{"model":"a","stream_options":{options}}}"#);
        let error = scan(&text).err().unwrap();
        assert_eq!(error.field(), Some("stream_options"), "{text}");
    }
    let long = format!(r#"{{"model":"{}"}}"#, "a".repeat(257));
    assert_eq!(scan(&long).err().unwrap().field(), Some("model"));
    let long = format!(r#"{{"model":"{}"}}"#, "a".repeat(20_000));
    assert_eq!(scan(&long).err(), Some(E::TooLong { field: "model" }));
    let deep = format!(r#"{{"model":"a","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(scan(&deep).err(), Some(E::TooDeep { .. })));
    let deep = format!(r#"{{"model":"a","x":{}{}}}"#, "[".repeat(512), "]".repeat(512));
    assert!(scan(&deep).is_ok());
}

#[test]
fn errors_quote_nothing() {
    for text in
        [r#"{"canary":}"#, r#"{"model":"canary","stream":"canary"}"#, r#"{"model":"a","stream_options":"canary"}"#]
    {
        let error = scan(text).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn limits_and_choices() {
    let envelope = scan(r#"{"model":"a","max_tokens":5,"max_completion_tokens":9,"n":2,"best_of":3}"#).unwrap();
    assert_eq!((envelope.max_output_tokens(Endpoint::ChatCompletions), envelope.choices()), (Some(9), 3));
    for (prompt, choices) in [
        ("\"one\"", 1),
        ("[]", 1),
        ("[1,2,3]", 1),
        (r#"["a","b,c"]"#, 2),
        ("[[1,2],[3]]", 2),
        ("[ [1] , [2,3] , [4,[5]] ]", 3),
    ] {
        let text = format!(r#"{{"model":"a","prompt":{prompt}}}"#);
        for piece in 1..text.len() {
            assert_eq!(scan_in_pieces(text.as_bytes(), piece).unwrap().choices(), choices, "{text} {piece}");
        }
    }
    let many = format!(r#"{{"model":"a","prompt":[{}"x"]}}"#, r#""a, [ {","#.repeat(500));
    assert_eq!(scan(&many).unwrap().choices(), 501);
}

#[test]
fn media_and_estimates() {
    let base64 = "QUJD".repeat(10_000);
    let text = format!(
        r#"{{"model":"a","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{base64}"}}}},
        {{"type" : "image","source":{{"type":"base64","data":"{base64}"}}}},{{"\u0074ype":"im\u0061ge_url"}},
        {{"type":"document","x":1}},{{"type":"text","text":"image"}}]}}]}}"#
    );
    for piece in [1, 7, 64, 1000, usize::MAX] {
        let envelope = scan_in_pieces(text.as_bytes(), piece).unwrap();
        let media = envelope.media();
        assert_eq!((media.images, media.files), (3, 1), "{piece}");
        assert!((80_000..80_100).contains(&media.opaque_bytes), "{piece}: {}", media.opaque_bytes);
        assert!(envelope.input_estimate() < 3 * 1000 + 6000 + 200);
        assert_eq!(envelope.input_upper_bound(), text.len() as u64 + 3 * 5_000 + 100_000);
    }
    let plain = scan(r#"{"model":"a","messages":[{"role":"user","content":"hello"}]}"#).unwrap();
    assert_eq!(plain.input_estimate(), 15);
}

/// Only what is base64 from its start to its end is no text.
#[test]
fn text_that_begins_like_base64_is_text() {
    let of = |content: &str, piece: usize| {
        let text = format!(r#"{{"model":"a","messages":[{{"role":"user","content":"{content}"}}]}}"#);
        let envelope = scan_in_pieces(text.as_bytes(), piece).unwrap();
        (envelope.media().opaque_bytes, envelope.input_estimate(), text.len() as u64)
    };
    let long = "QUJD".repeat(1_000);
    let texts = [
        format!("abcdefghijklmnopqrst {}", "word ".repeat(78_000)),
        format!("{long} and a word"),
        format!("{long}é"),
        format!("{long}\\n{long}"),
        format!("{long}\\\\/{long}"),
        format!("data:{}", "a word ".repeat(1_000)),
        format!("data:{long},{long}"),
        "1,22,333,".repeat(1_000),
    ];
    for content in &texts {
        for piece in [1, 7, 64, 1000, usize::MAX] {
            let (opaque, estimate, len) = of(content, piece);
            assert_eq!((opaque, estimate), (0, len.div_ceil(4)), "{} {piece}", &content[..30]);
        }
    }
    let media = [long.clone(), long.replace('U', "\\/"), format!("data:application/vnd.x-y;base64,{long}==")];
    for content in &media {
        for piece in [1, 7, 64, 1000, usize::MAX] {
            let (opaque, ..) = of(content, piece);
            assert_eq!(opaque, content.len() as u64 + 1, "{} {piece}", &content[..30]);
        }
    }
}
