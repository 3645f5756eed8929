use tacit_protocol::Body;

fn main() {
    fn hash<T: std::hash::Hash>(_: T) {}
    hash(Body::new());
}
