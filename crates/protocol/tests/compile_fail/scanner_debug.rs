use tacit_protocol::EnvelopeScanner;

fn main() {
    println!("{:?}", EnvelopeScanner::new());
}
