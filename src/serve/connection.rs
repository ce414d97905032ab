//! One connection: HTTP/1.1 over a socket whose progress is noted, or HTTP/2 where the reader begins with it (h2c with prior
//! knowledge, RFC 9113 §3.3: what web servers before us and other programs speak without TLS).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::serve::answer::Answering;
use crate::serve::pulse::Pulse;

/// Longest head of a request, in bytes. Longer ones get 431, and so does one of more than hyper's 100 header fields.
pub(super) const HEAD_LIMIT: usize = 16 * 1024;

/// How the first request of HTTP/2 begins where nobody asked before (RFC 9113 §3.4). No method of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// Requests of one connection at once. A browser or a web server before us needs no more, and each may wait at the door.
const STREAMS: u32 = 64;
/// Bytes of an answer that wait in memory for a reader who takes them slowly, for each stream.
const SEND_BUFFER: usize = 64 * 1024;

/// See the module. Ends when the reader leaves, or after the answer under way once it was told to stop.
pub(super) struct Connection {
    spoken: Spoken,
    pulse: Arc<Pulse>,
    is_told: bool,
}

/// The version of HTTP that the reader speaks.
enum Spoken {
    /// Nothing has come yet.
    Unknown(Option<(TcpStream, Answering)>),
    One(Pin<Box<http1::Connection<Watched, Answering>>>),
    Two(Pin<Box<http2::Connection<Watched, Answering, TokioExecutor>>>),
}

impl Connection {
    pub(super) fn new(stream: TcpStream, answering: Answering, pulse: Arc<Pulse>) -> Self {
        Self { spoken: Spoken::Unknown(Some((stream, answering))), pulse, is_told: false }
    }

    /// Looks at what has come without taking it, once for each connection; so requests of HTTP/1 cost what they would cost alone.
    fn listen(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Spoken::Unknown(waiting) = &mut self.spoken else { return Poll::Ready(()) };
        let mut bytes = [0; PREFACE.len()];
        let mut begun = ReadBuf::new(&mut bytes);
        if let Some((stream, _)) = waiting {
            // What is wrong with the socket shows when it is read.
            let _ = ready!(stream.poll_peek(context, &mut begun));
        }
        let begun = begun.filled();
        // A client writes it in one piece. "P" alone is rather the beginning of POST.
        let is_two = begun.len() > 2 && PREFACE.starts_with(begun);
        if let Some((stream, answering)) = waiting.take() {
            let socket = Watched { inner: TokioIo::new(stream), pulse: Arc::clone(&self.pulse) };
            self.spoken = if is_two {
                self.pulse.shares();
                Spoken::Two(Box::pin(version_two(socket, answering)))
            } else {
                Spoken::One(Box::pin(version_one(socket, answering)))
            };
        }
        Poll::Ready(())
    }
}

fn version_one(socket: Watched, answering: Answering) -> http1::Connection<Watched, Answering> {
    http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        // The watch sees to it, without a timer for each request.
        .header_read_timeout(None)
        .serve_connection(socket, answering)
}

fn version_two(socket: Watched, answering: Answering) -> http2::Connection<Watched, Answering, TokioExecutor> {
    http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(socket, answering)
}

impl Future for Connection {
    /// Why it ended is the reader's affair.
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.pulse.meet(context);
        if self.listen(context).is_pending() {
            // Who has asked nothing is owed no answer.
            return if self.pulse.is_stopping() { Poll::Ready(()) } else { Poll::Pending };
        }
        let is_told_now = !self.is_told && self.pulse.is_stopping();
        self.is_told |= is_told_now;
        match &mut self.spoken {
            Spoken::Unknown(_) => Poll::Ready(()),
            Spoken::One(inner) => {
                if is_told_now {
                    inner.as_mut().graceful_shutdown();
                }
                inner.as_mut().poll(context).map(drop)
            }
            Spoken::Two(inner) => {
                if is_told_now {
                    inner.as_mut().graceful_shutdown();
                }
                inner.as_mut().poll(context).map(drop)
            }
        }
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
