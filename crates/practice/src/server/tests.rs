use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends one request on a connection of its own and returns all that came back, and how it ended.
async fn raw(addr: SocketAddr, method: &str, path: &str, body: &Value) -> (String, io::Result<usize>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all).await;
    (String::from_utf8_lossy(&all).into_owned(), end)
}

async fn start(options: Options) -> (SocketAddr, Handle) {
    serve("127.0.0.1:0".parse().unwrap(), options).await.unwrap()
}

fn chat(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hello, world!"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The events of a chunked body.
fn events(text: &str) -> Vec<&str> {
    text.lines().filter_map(|l| l.strip_prefix("data: ")).collect()
}

#[tokio::test]
async fn a_stream_reports_usage_only_when_asked() {
    let (addr, _handle) = start(Options::default()).await;
    let path = "/v1/chat/completions";
    let (text, _) = raw(addr, "POST", path, &chat("practice-chat", json!({"stream": true}))).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(!text.contains("usage") && text.contains("data: [DONE]"), "{text}");

    let asked = json!({"stream": true, "stream_options": {"include_usage": true}, "max_tokens": 9});
    let (text, _) = raw(addr, "POST", path, &chat("practice-chat", asked.clone())).await;
    let events_found = events(&text);
    let at = events_found.len() - 2;
    let counts: Value = serde_json::from_str(events_found[at]).unwrap();
    assert_eq!(counts["choices"], json!([]));
    assert_eq!(counts["usage"]["prompt_tokens"], 4);
    assert_eq!(counts["usage"]["completion_tokens"], 9);
    let contents: Vec<Value> = events_found[..at].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let answer: String = contents.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(crate::tokens::count(&answer), 9);
    assert_eq!(contents.last().unwrap()["choices"][0]["finish_reason"], "length");
    assert!(contents.iter().all(|c| c["usage"].is_null()));

    let (text, _) = raw(addr, "POST", path, &chat("practice-chat:usage-with-choices", asked)).await;
    let found = events(&text);
    let last: Value = serde_json::from_str(found[found.len() - 2]).unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    assert_eq!(last["usage"]["completion_tokens"], 9);
}

#[tokio::test]
async fn messages_stream_in_the_order_of_the_dialect() {
    let (addr, _handle) = start(Options::default()).await;
    let body = chat("practice-claude", json!({"stream": true, "max_tokens": 1000}));
    let (text, _) = raw(addr, "POST", "/v1/messages", &body).await;
    let mut kinds: Vec<String> = events(&text)
        .iter()
        .map(|e| serde_json::from_str::<Value>(e).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    kinds.dedup();
    let wanted = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, wanted);
    let (text, _) = raw(addr, "POST", "/v1/messages", &chat("practice-claude", json!({}))).await;
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("invalid_request_error"), "{text}");
}

#[tokio::test]
async fn every_fault_shows_on_the_wire() {
    let (addr, handle) = start(Options::default()).await;
    let path = "/v1/chat/completions";
    let ask = |model: &'static str| async move { raw(addr, "POST", path, &chat(model, json!({"stream": true}))).await };
    let (text, _) = ask("m:status-400").await;
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("Hello, world!"), "{text}");
    let (text, _) = ask("m:status-429").await;
    assert!(text.starts_with("HTTP/1.1 429") && text.contains("retry-after: 7"), "{text}");
    let (text, _) = ask("m:close").await;
    assert_eq!(text, "");
    let (text, _) = ask("m:echo-headers").await;
    assert!(text.contains("x-practice-echo: Hello,world!"), "{text}");
    let (text, end) = ask("m:cut").await;
    assert!(text.contains("data: ") && !text.contains("[DONE]") && !text.ends_with("0\r\n\r\n"), "{text}");
    assert!(end.is_ok());
    let (text, end) = ask("m:reset").await;
    assert!(text.contains("data: ") && !text.contains("[DONE]"), "{text}");
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let (text, _) = ask("m:malformed-json").await;
    assert!(text.contains("{\"choices\": [\n\n") && text.ends_with("0\r\n\r\n"), "{text}");
    let (text, _) = ask("m:malformed-stream").await;
    assert!(text.contains("no event stream") && text.ends_with("0\r\n\r\n"), "{text}");
    let (text, _) = ask("m:no-end").await;
    assert!(!text.contains("[DONE]") && text.ends_with("0\r\n\r\n"), "{text}");
    let (text, _) = ask("m:error-event").await;
    assert!(text.contains("server_error") && text.contains("Hello, world!"), "{text}");
    let (text, _) = ask("m:drip+tokens-10").await;
    assert!(text.contains("1\r\nd\r\n"), "{text}");
    let (text, _) = ask("m:nonsense").await;
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    for fault in ["m:hang", "m:hang-midstream"] {
        assert!(tokio::time::timeout(Duration::from_millis(100), ask(fault)).await.is_err(), "{fault}");
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while handle.abandoned() == 0 {
        assert!(tokio::time::Instant::now() < deadline, "a client that left was not noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_credential_is_asked_for_and_only_the_configured_ones_are_taken() {
    let (addr, _handle) = start(Options { credentials: vec!["right".to_owned()], ..Options::default() }).await;
    let (text, _) = raw(addr, "GET", "/v1/models", &json!({})).await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    let (addr, _handle) = start(Options::default()).await;
    let (text, _) = raw(addr, "GET", "/v1/models/practice-chat", &json!({})).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("\"owned_by\":\"practice\""), "{text}");
    assert!(serve("0.0.0.0:0".parse().unwrap(), Options::default()).await.is_err());
}

#[tokio::test]
async fn the_admin_endpoint_plans_faults_and_tells_what_came() {
    let (addr, _handle) = start(Options { admin: true, ..Options::default() }).await;
    let plan = json!({"faults": "status-500", "times": 2});
    let (text, _) = raw(addr, "PUT", "/practice/faults", &plan).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let (text, _) = raw(addr, "POST", "/v1/completions", &json!({"model": "m", "prompt": "x y"})).await;
        statuses.push(text[9..12].to_owned());
    }
    assert_eq!(statuses, ["500", "500", "200"]);
    let (text, _) = raw(addr, "GET", "/practice/requests", &json!({})).await;
    assert_eq!(text.matches("\"target\":\"/v1/completions\"").count(), 3, "{text}");
    assert!(text.contains("[\"authorization\",\"Bearer k\"]"), "{text}");
    let (addr, _handle) = start(Options::default()).await;
    let (text, _) = raw(addr, "GET", "/practice/requests", &json!({})).await;
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
}

#[tokio::test]
async fn embeddings_come_as_numbers_or_packed() {
    let (addr, _handle) = start(Options::default()).await;
    let body = json!({"model": "practice-embed", "input": ["one two", "three"], "dimensions": 8});
    let (text, _) = raw(addr, "POST", "/v1/embeddings", &body).await;
    let value: Value = serde_json::from_str(text.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    assert_eq!(value["usage"]["prompt_tokens"], 3);
    let length: f64 =
        value["data"][0]["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap().powi(2)).sum();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
    let mut packed = body;
    packed["encoding_format"] = json!("base64");
    let (text, _) = raw(addr, "POST", "/v1/embeddings", &packed).await;
    let value: Value = serde_json::from_str(text.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    let bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        value["data"][0]["embedding"].as_str().unwrap(),
    );
    assert_eq!(bytes.unwrap().len(), 32);
}
