use tacit_protocol::MeterOutput;

fn main() {
    let _ = MeterOutput::default().clone();
}
