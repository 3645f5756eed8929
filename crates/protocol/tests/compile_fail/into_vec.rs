use tacit_protocol::Body;

fn main() {
    let _: Vec<u8> = Body::new().into();
}
