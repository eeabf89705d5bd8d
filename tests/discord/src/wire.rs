//! TCP connections that can be cut in the middle, and a door that can be shut: Discord is down.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Whether Discord is up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Power(Arc<AtomicBool>);

impl Power {
    pub(crate) fn switch_off(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    pub(crate) fn switch_on(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
    pub(crate) fn is_off(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Takes connections while Discord is up.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) power: Power,
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            // What cannot be accepted now is offered again at once.
            let Ok((stream, from)) = self.listener.accept().await else { continue };
            if !self.power.is_off() {
                let _ = stream.set_nodelay(true);
                return (Wire { stream, scissors: Scissors::default(), power: self.power.clone() }, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Cuts the connection that it belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scissors(Arc<AtomicBool>);

impl Scissors {
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Door>> for Scissors {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().scissors.clone()
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    scissors: Scissors,
    power: Power,
}

impl Wire {
    fn whole(&self) -> io::Result<()> {
        let cut = self.scissors.0.load(Ordering::SeqCst) || self.power.is_off();
        if cut { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
