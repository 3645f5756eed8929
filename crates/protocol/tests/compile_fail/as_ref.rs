use tacit_protocol::Body;

fn main() {
    let _: &[u8] = Body::new().as_ref();
}
