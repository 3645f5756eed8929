use tacit_protocol::StreamMeter;

fn main() {
    println!("{:?}", StreamMeter::new(tacit_kernel::Dialect::OpenAi, false));
}
