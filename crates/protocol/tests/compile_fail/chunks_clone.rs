use tacit_protocol::Body;

fn main() {
    let _ = Body::new().into_chunks_for_client().clone();
}
