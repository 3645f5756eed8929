use tacit_protocol::Body;

fn main() {
    println!("{:?}", Body::new().into_chunks_for_client());
}
