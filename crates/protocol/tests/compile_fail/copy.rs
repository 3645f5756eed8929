use tacit_protocol::Body;

fn main() {
    fn copy<T: Copy>(_: T) {}
    copy(Body::new());
}
