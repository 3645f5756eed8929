use tacit_protocol::Body;

fn main() {
    let _ = serde_json::to_string(&Body::new());
}
