use tacit_protocol::Body;

fn main() {
    for _ in &Body::new() {}
}
