use tacit_protocol::Body;

fn main() {
    fn error<T: std::error::Error>(_: T) {}
    error(Body::new());
}
