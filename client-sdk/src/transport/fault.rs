//! Why the last connection ended, kept from where it is known exactly: gRPC and HTTP/2 pass on only words.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::{self, AlertDescription};

use crate::error::{ConfigError, SdkError, Unreachable};

/// The exact error of the last connection that failed, shared by the connector and the callers.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastFault(Arc<Mutex<Option<SdkError>>>);

impl LastFault {
    pub(super) fn set(&self, error: SdkError) {
        *self.lock() = Some(error);
    }

    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    /// The error, if one was noted since the last connection was made.
    pub(super) fn get(&self) -> Option<SdkError> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<SdkError>> {
        // The value is replaced whole: a panic elsewhere leaves nothing half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an I/O error of a TLS stream means.
pub(super) fn tls_error(error: &io::Error) -> SdkError {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            ConfigError::RelayNotTrusted(format!("{why:?}")).into()
        }
        Some(rustls::Error::AlertReceived(alert)) if is_refusal(*alert) => {
            ConfigError::CertificateRefused(format!("{alert:?}")).into()
        }
        _ => Unreachable::Network(error.to_string()).into(),
    }
}

/// Alerts by which a server says that it does not accept the client's certificate.
fn is_refusal(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// A stream that notes why it broke. With TLS 1.3 a refused client certificate shows only when reading.
#[derive(Debug)]
pub(crate) struct Noting<S> {
    inner: S,
    fault: LastFault,
}

impl<S> Noting<S> {
    pub(super) fn new(inner: S, fault: LastFault) -> Self {
        Self { inner, fault }
    }

    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            self.fault.set(tls_error(error));
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.note(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_errors_tell_the_two_sides_apart() {
        let io = |e: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, e);
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert!(matches!(tls_error(&io(unknown)), SdkError::Config(ConfigError::RelayNotTrusted(_))));
        let revoked = rustls::Error::AlertReceived(AlertDescription::CertificateRevoked);
        assert!(matches!(tls_error(&io(revoked)), SdkError::Config(ConfigError::CertificateRefused(_))));
        let other = rustls::Error::AlertReceived(AlertDescription::InternalError);
        assert!(matches!(tls_error(&io(other)), SdkError::Unreachable(_)));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(tls_error(&reset), SdkError::Unreachable(_)));
    }
}
