use tacit_protocol::Body;

fn main() {
    let _ = Body::new().chunks;
}
