use tacit_protocol::Body;

fn main() {
    let _ = serde_json::from_str::<Body>("[]");
}
