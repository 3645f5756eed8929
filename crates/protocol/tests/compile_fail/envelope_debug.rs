use tacit_protocol::{Body, Envelope};

fn main() {
    println!("{:?}", Envelope::of(&Body::new()));
}
