//! The archive, written in memory a piece at a time.

use super::CopyError;
use parking_lot::Mutex;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

/// Bytes that are gathered before they go out.
const PIECE: usize = 64 << 10;

/// What was written and did not go out yet.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock())
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Buffer>>,
    buffer: Buffer,
}

impl Archive {
    pub(super) fn new() -> Self {
        let buffer = Buffer::default();
        Self { zip: ZipWriter::new_stream(buffer.clone()), buffer }
    }

    /// What is written from now on is that file.
    pub(super) fn begin(&mut self, name: &str) -> Result<(), CopyError> {
        Ok(self.zip.start_file(name, SimpleFileOptions::default().large_file(true))?)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        Ok(self.zip.write_all(bytes).map_err(zip::result::ZipError::Io)?)
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CopyError> {
        Ok(serde_json::to_writer(&mut self.zip, value)?)
    }

    /// A line of CSV (RFC 4180).
    pub(super) fn record(&mut self, cells: impl Iterator<Item = String>) -> Result<(), CopyError> {
        let mut line = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut self.zip);
        line.write_record(cells)?;
        line.flush().map_err(zip::result::ZipError::Io)?;
        Ok(())
    }

    /// What is to go out, once it is enough.
    pub(super) fn ready(&self) -> Option<Vec<u8>> {
        (self.buffer.len() >= PIECE).then(|| self.buffer.take())
    }

    /// Ends the archive; what did not go out yet.
    pub(super) fn finish(self) -> Result<Vec<u8>, CopyError> {
        self.zip.finish()?;
        Ok(self.buffer.take())
    }
}
