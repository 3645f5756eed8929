use tacit_protocol::Body;

fn main() {
    let _: String = Body::new().into();
}
