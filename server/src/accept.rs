//! The door: TCP, TLS with a client certificate, a bound on each; what comes through is served as HTTP/2.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tasuki_proto::event::sha256;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::access::Peer;
use crate::alerts::Watchman;
use crate::budget::{Slot, Slots};
use crate::config::LimitsConfig;
use crate::shutdown::Stopping;

/// Connections that finished their handshake and wait to be taken over.
const WAITING: usize = 64;

/// After an error of `accept` (no file handles left), nothing is gained by trying at once.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    /// Its place among all connections, and among those of its certificate (SHA-256); without one, among those without.
    _places: (OwnedSemaphorePermit, Slot<[u8; 32]>),
}

/// Connections as they come in.
#[derive(Debug)]
pub struct Incoming {
    /// With a client certificate that was accepted.
    pub known: ReceiverStream<io::Result<Connection>>,
    /// Without any: new terminals, which take an invitation up.
    pub anonymous: ReceiverStream<io::Result<Connection>>,
}

/// Accepts until the relay stops. A connection beyond the bound waits in the system's queue.
pub fn connections(
    listener: TcpListener,
    tls: TlsAcceptor,
    limits: &LimitsConfig,
    watchman: Arc<Watchman>,
    mut stopping: Stopping,
) -> Incoming {
    let (ready, known) = mpsc::channel(WAITING);
    let (ready_anonymous, anonymous) = mpsc::channel(WAITING);
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    let handshakes = Arc::new(Semaphore::new(limits.handshakes as usize));
    let shares = Slots::new("tasuki_connections", limits.connections, limits.connections_per_certificate);
    let patience = Duration::from_secs(u64::from(limits.handshake_s));
    tokio::spawn(async move {
        loop {
            let next = async {
                // Neither is ever closed.
                let place = Arc::clone(&places).acquire_owned().await.ok()?;
                let turn = Arc::clone(&handshakes).acquire_owned().await.ok()?;
                Some((place, turn, listener.accept().await))
            };
            let (place, turn, accepted) = tokio::select! {
                () = stopping.wait() => return,
                next = next => match next {
                    Some(next) => next,
                    None => return,
                },
            };
            match accepted {
                Ok((stream, from)) => {
                    let (tls, shares) = (tls.clone(), Arc::clone(&shares));
                    let (ready, ready_anonymous) = (ready.clone(), ready_anonymous.clone());
                    let watchman = Arc::clone(&watchman);
                    tokio::spawn(async move {
                        let connection =
                            tokio::time::timeout(patience, handshake(stream, from.ip(), tls, place, &shares))
                                .await;
                        drop(turn);
                        match connection {
                            // If nobody takes it, the relay is going down.
                            Ok(Ok(connection)) => {
                                let to = if connection.peer.is_anonymous() { ready_anonymous } else { ready };
                                drop(to.send(Ok(connection)).await);
                            }
                            Ok(Err(error)) => {
                                // Who only looks whether the port is open (load balancers do) says nothing and goes.
                                if !is_gone(&error) {
                                    watchman.turned_away(from.ip());
                                }
                                tracing::debug!(%error, "a handshake failed");
                            }
                            Err(_) => {
                                watchman.turned_away(from.ip());
                                tracing::debug!("a handshake took too long");
                            }
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    Incoming { known: ReceiverStream::new(known), anonymous: ReceiverStream::new(anonymous) }
}

/// Whether the other side ended the connection.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

async fn handshake(
    stream: TcpStream,
    from: IpAddr,
    tls: TlsAcceptor,
    place: OwnedSemaphorePermit,
    shares: &Arc<Slots<[u8; 32]>>,
) -> io::Result<Connection> {
    // Results are small and must not wait for more.
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    // Where the handshake insists on a certificate, there is one.
    let share = shares.enter(chain.first().map_or([0; 32], |leaf| sha256(leaf)));
    let share = share.ok_or_else(|| io::Error::other("too many connections with this certificate"))?;
    let peer = Peer::new(chain.iter().map(|der| der.to_vec()).collect(), from);
    Ok(Connection { stream, peer, _places: (place, share) })
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
