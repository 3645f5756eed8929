use tacit_protocol::Body;

fn main() {
    fn borrow<T: std::borrow::Borrow<[u8]>>(_: T) {}
    borrow(Body::new());
}
