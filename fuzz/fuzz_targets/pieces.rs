//! Cuts an input into pieces whose lengths the fuzzer chooses.

/// The first bytes of `data` are lengths, up to a zero; the rest is the text, cut by them over and over.
pub fn pieces(data: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let count = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (lengths, text) = (&data[..count], data.get(count + 1..).unwrap_or_default());
    let mut cut = Vec::new();
    let mut rest = text;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let len = lengths.next().map_or(rest.len(), |l| usize::from(*l).min(rest.len()));
        let (piece, more) = rest.split_at(len);
        cut.push(piece);
        rest = more;
    }
    (text, cut)
}
