use tacit_protocol::MeterOutput;

fn main() {
    println!("{:?}", MeterOutput::default());
}
