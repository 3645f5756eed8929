use tacit_protocol::Body;

fn main() {
    println!("{:?}", Body::new());
}
