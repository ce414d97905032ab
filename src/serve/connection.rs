//! One connection: HTTP/1.1 over a socket whose progress is noted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::serve::answer::Answering;
use crate::serve::pulse::Pulse;

/// Longest head of a request, in bytes. Longer ones get 431, and so does one of more than hyper's 100 header fields.
pub(super) const HEAD_LIMIT: usize = 16 * 1024;

/// See the module. Ends when the reader leaves, or after the answer under way once it was told to stop.
pub(super) struct Connection {
    inner: Pin<Box<http1::Connection<Watched, Answering>>>,
    pulse: Arc<Pulse>,
    is_told: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, answering: Answering, pulse: Arc<Pulse>) -> Self {
        let socket = Watched { inner: TokioIo::new(stream), pulse: Arc::clone(&pulse) };
        let inner = http1::Builder::new()
            .max_buf_size(HEAD_LIMIT)
            // The watch sees to it, without a timer for each request.
            .header_read_timeout(None)
            .serve_connection(socket, answering);
        Self { inner: Box::pin(inner), pulse, is_told: false }
    }
}

impl Future for Connection {
    /// Why it ended is the reader's affair.
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.pulse.meet(context);
        if !self.is_told && self.pulse.is_stopping() {
            self.is_told = true;
            self.inner.as_mut().graceful_shutdown();
        }
        self.inner.as_mut().poll(context).map(drop)
    }
}

/// A socket that notes what moves.
struct Watched {
    inner: TokioIo<TcpStream>,
    pulse: Arc<Pulse>,
}

impl Watched {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(_) => self.pulse.sent(),
            Poll::Pending => self.pulse.blocked(),
        }
        written
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if read.is_ready() {
            self.pulse.received();
        }
        read
    }
}

impl Write for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.note(written)
    }
}
