//! A proxy on a Unix socket that keeps every byte that passes, so that what two processes say to each other can be
//! searched.

use anyhow::Context as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// A running proxy; it stops when this is dropped.
#[derive(Debug)]
pub struct Recorder {
    task: JoinHandle<()>,
    kept: PathBuf,
}

impl Recorder {
    /// Listens on `listen` and passes everything on to `target`. Of each connection the directory `kept` gets two
    /// files: `N.up` with what was sent to the target, `N.down` with what came back.
    ///
    /// # Errors
    /// If the socket or the directory cannot be made.
    pub fn start(listen: &Path, target: PathBuf, kept: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir(&kept)?;
        let listener = UnixListener::bind(listen).with_context(|| listen.display().to_string())?;
        let task = tokio::spawn(accept(listener, target, kept.clone()));
        Ok(Self { task, kept })
    }

    /// Where the recordings are.
    #[must_use]
    pub fn kept(&self) -> &Path {
        &self.kept
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, target: PathBuf, kept: PathBuf) {
    let mut connections = JoinSet::new();
    for number in 0_u32.. {
        let Ok((near, _)) = listener.accept().await else { return };
        let (target, up, down) =
            (target.clone(), kept.join(format!("{number}.up")), kept.join(format!("{number}.down")));
        connections.spawn(async move {
            // Nobody listens there while the control plane is restarted; the gateway sees a closed connection.
            let far = UnixStream::connect(target).await?;
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::select! {
                done = pass(near_read, far_write, &up) => done,
                done = pass(far_read, near_write, &down) => done,
            }
        });
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, kept: &Path) -> io::Result<()> {
    let mut file = File::create(kept)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else { return Ok(()) };
        file.write_all(data)?;
        to.write_all(data).await?;
    }
}
