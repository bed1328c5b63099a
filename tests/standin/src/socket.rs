//! Connections: accepting them, and breaking them with a TCP reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::api::Api;
use crate::server::Server;

/// Pause after a failed accept (out of descriptors): others may close meanwhile.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(20);

/// The way from an answer to the connection that carries it.
#[derive(Clone, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// The connection will be reset, not closed, once its owner drops it.
    pub fn abort(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn aborted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// `api` absent: every API.
pub async fn accept(listener: TcpListener, api: Option<&'static Api>, server: Arc<Server>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            continue;
        };
        // A socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        tokio::spawn(converse(stream, api, Arc::clone(&server)));
    }
}

async fn converse(stream: TcpStream, api: Option<&'static Api>, server: Arc<Server>) {
    let line = Line::default();
    let socket = Socket { stream, line: line.clone() };
    let service = service_fn(move |request| {
        // An HTTP/2 connection is shared: there only the stream is reset.
        let shared = request.version() == hyper::Version::HTTP_2;
        let line = if shared { Line::default() } else { line.clone() };
        Arc::clone(&server).serve(request, api, line)
    });
    // The peer may go away at any time; there is nobody to tell.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
}

struct Socket {
    stream: TcpStream,
    line: Line,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.aborted() {
            // With no time to linger, closing sends RST.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A shutdown would send FIN before the reset.
        if self.line.aborted() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
