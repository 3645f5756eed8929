//! Whatever the bytes and however they are cut, a meter says and forwards the same, and never more than it was given.

use crate::pieces::pieces;
use bytes::Bytes;
use tacit_kernel::Dialect;
use tacit_protocol::{MeterOutput, StreamMeter};

fn run<'a>(dialect: Dialect, hide: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, Vec<u8>, Vec<u8>) {
    let mut meter = StreamMeter::new(dialect, hide);
    let mut out = MeterOutput::default();
    for chunk in chunks {
        meter.feed(Bytes::copy_from_slice(chunk), &mut out);
    }
    meter.finish(&mut out);
    let told = format!(
        "{} {:?} {:?} {} {}",
        meter.complete(),
        meter.provider_error(),
        meter.metered(7),
        meter.output_so_far(),
        meter.at_boundary()
    );
    (told, out.forward.concat(), out.terminal.concat())
}

pub fn check(dialect: Dialect, data: &[u8]) {
    let (text, cut) = pieces(data);
    for hide in [false, true] {
        let whole = run(dialect, hide, [text]);
        assert_eq!(whole, run(dialect, hide, cut.iter().copied()));
        // At the end a blank line may have been added.
        assert!(whole.1.len() + whole.2.len() <= text.len() + 2);
    }
}
