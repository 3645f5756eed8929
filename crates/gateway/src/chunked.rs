//! The chunked transfer coding (RFC 9112, 7.1), decoded in place and piece by piece.

/// What came is not HTTP/1.1 as we are ready to read it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Longest size line, its extensions included; they have no meaning here.
const LINE: usize = 4096;
/// Trailers are read and dropped, up to this many bytes.
const TRAILERS: usize = 16 * 1024;
/// All that a body may have beside its data and what that needs, in bytes: nobody else would count it.
const EXTENSIONS: usize = 16 * 1024;
/// Digits of a size.
const DIGITS: usize = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the digits of a size, of which so many came.
    Size(usize),
    /// After the digits.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer, or of the empty line that ends the body.
    Trailer,
    InTrailer,
    TrailerLf,
    EndLf,
    Over,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Decoder {
    place: Place,
    /// Of the present chunk: its size as far as it was read, then the bytes still to come.
    left: u64,
    /// Bytes of the present line, or of all trailers.
    line: usize,
    /// Bytes of all extensions.
    extensions: usize,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self { place: Place::Size(0), left: 0, line: 0, extensions: 0 }
    }

    /// Whether the body has ended.
    pub(crate) fn over(&self) -> bool {
        self.place == Place::Over
    }

    /// Moves the data in `bytes` to its start. Returns the length of the data and how many bytes belong to the body:
    /// all of them unless it is over.
    ///
    /// # Errors
    /// [`Malformed`]; the connection is of no use then.
    pub(crate) fn decode(&mut self, bytes: &mut [u8]) -> Result<(usize, usize), Malformed> {
        let (mut at, mut written) = (0_usize, 0_usize);
        while let Some(&byte) = bytes.get(at).filter(|_| !self.over()) {
            if self.place == Place::Data {
                let here = bytes.len() - at;
                let take = usize::try_from(self.left).map_or(here, |left| left.min(here));
                bytes.copy_within(at..at + take, written);
                written += take;
                at += take;
                self.left = self.left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                if self.left == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            self.place = self.step(byte)?;
            at += 1;
        }
        Ok((written, at))
    }

    fn step(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.line += 1;
        self.extensions += usize::from(self.place == Place::Extension);
        let most = if matches!(self.place, Place::InTrailer | Place::Trailer) { TRAILERS } else { LINE };
        if self.line > most || self.extensions > EXTENSIONS {
            return Err(Malformed);
        }
        Ok(match (self.place, byte) {
            (Place::Size(digits), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                self.left = self.left << 4 | u64::from(digit);
                Place::Size(digits + 1)
            }
            (Place::Size(1..) | Place::Extension, b'\r') => Place::SizeLf,
            (Place::Size(1..), b';' | b' ' | b'\t') => Place::Extension,
            (Place::Extension, byte) if byte != b'\n' => Place::Extension,
            (Place::SizeLf, b'\n') => {
                self.line = 0;
                if self.left == 0 { Place::Trailer } else { Place::Data }
            }
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => {
                self.line = 0;
                Place::Size(0)
            }
            (Place::Trailer, b'\r') => Place::EndLf,
            (Place::InTrailer, b'\r') => Place::TrailerLf,
            (Place::Trailer | Place::InTrailer, byte) if byte != b'\n' => Place::InTrailer,
            (Place::TrailerLf, b'\n') => Place::Trailer,
            (Place::EndLf, b'\n') => Place::Over,
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The data, whether the body is over, and what is left behind it.
    fn all(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Malformed> {
        let (mut data, mut left) = (Vec::new(), 0);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let (written, used) = decoder.decode(&mut piece)?;
            data.extend_from_slice(&piece[..written]);
            left += piece.len() - used;
        }
        Ok((data, decoder.over(), left))
    }

    #[test]
    fn every_cut_gives_the_same() {
        let wire = b"5;name=\"v\"\r\nhello\r\n1 \r\n \r\nA\r\nwonderful!\r\n0\r\nx-t: 1\r\ny: 2\r\n\r\nmore";
        for a in 0..wire.len() {
            for b in a..wire.len() {
                let got = all(&mut Decoder::new(), &[&wire[..a], &wire[a..b], &wire[b..]]).unwrap();
                assert_eq!(got, (b"hello wonderful!".to_vec(), true, 4), "{a} {b}");
            }
        }
        for end in 0..wire.len() - 4 {
            assert!(!all(&mut Decoder::new(), &[&wire[..end]]).unwrap().1, "{end}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        let long = format!("1;{}\r\na\r\n", "x".repeat(LINE));
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILERS / 6 + 1));
        for wire in [
            "\r\nhello",
            "-1\r\na",
            "+1\r\na",
            "0x1\r\na",
            " 1\r\na",
            "g\r\n",
            ";a\r\n",
            "1\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\r\r\n",
            "1\ra",
            "1;a\n\r\n",
            "1000000000000000\r\n",
            "ffffffffffffffff\r\n",
            "0\r\n\n",
            "0\r\na\n\r\n",
            "0\r\na: b\r\r\n",
            "0\r\n\rx",
            &long,
            &trailers,
        ] {
            assert_eq!(all(&mut Decoder::new(), &[wire.as_bytes()]), Err(Malformed), "{wire:.40}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_out(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..20),
            cuts in proptest::collection::vec(0..1500_usize, 0..20),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &wire[w[0]..w[1]]).collect();
            prop_assert_eq!(all(&mut Decoder::new(), &pieces), Ok((chunks.concat(), true, 0)));
        }

        #[test]
        fn nothing_makes_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new();
            if let Ok((written, used)) = decoder.decode(&mut bytes) {
                prop_assert!(written <= used && used <= bytes.len());
            }
        }
    }
}
