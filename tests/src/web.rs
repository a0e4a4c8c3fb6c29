//! A tiny HTTP server of the test's own: revocation lists, answers of a responder, time stamps, and all that can go wrong with them.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Most bytes of a request's body.
const MAX_BODY: usize = 1024 * 1024;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// 200 with this body.
    Body(Vec<u8>),
    /// This status line (`404 Not Found`) with these header lines.
    Status(&'static str, &'static str),
    /// Nothing, for so long; then the connection ends.
    Silence(Duration),
    /// 200 and a body of so many bytes whose length is not announced.
    Endless(usize),
}

type Answer = Box<dyn Fn(&str, &[u8]) -> Page + Send>;

/// The server on a port of its own, until it is dropped.
pub struct Web {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<Arc<Mutex<Answer>>>,
    asked: AtomicU64,
    stopped: AtomicBool,
}

impl Web {
    /// Starts one that answers every request so.
    ///
    /// # Panics
    /// If no port is free.
    pub fn start(page: Page) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let answer = Mutex::new(Arc::new(Mutex::new(fixed(page))));
        let shared = Arc::new(Shared { answer, asked: AtomicU64::new(0), stopped: AtomicBool::new(false) });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // A client that goes away is what some tests are about.
                thread::spawn(move || shared.serve(&client));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers every request so from now on.
    pub fn show(&self, page: Page) {
        self.answer_by(fixed(page));
    }

    /// Answers by this from now on: path and body of the request.
    pub fn answer_by(&self, answer: impl Fn(&str, &[u8]) -> Page + Send + 'static) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Mutex::new(Box::new(answer)));
    }

    /// Requests so far.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that listens, so that it sees the end.
        let _woken = TcpStream::connect(self.address);
    }
}

fn fixed(page: Page) -> Answer {
    Box::new(move |_, _| page.clone())
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut reader = BufReader::new(client.try_clone()?);
        let (path, body) = read_request(&mut reader)?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = Arc::clone(&self.answer.lock().unwrap_or_else(PoisonError::into_inner));
        let page = answer.lock().unwrap_or_else(PoisonError::into_inner)(&path, &body);
        let mut to = client;
        match page {
            Page::Body(body) => {
                write!(to, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
                to.write_all(&body)
            }
            Page::Status(status, headers) => {
                write!(to, "HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
            }
            Page::Silence(time) => {
                thread::sleep(time);
                Ok(())
            }
            Page::Endless(mut bytes) => {
                write!(to, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                while bytes > 0 {
                    let piece = bytes.min(16 * 1024);
                    to.write_all(&vec![0x30; piece])?;
                    bytes -= piece;
                }
                Ok(())
            }
        }
    }
}

/// Path and body.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<(String, Vec<u8>)> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    reader.by_ref().take(4096).read_line(&mut line)?;
    let path = line.split(' ').nth(1).ok_or_else(malformed)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if reader.by_ref().take(4096).read_line(&mut line)? == 0 {
            return Err(malformed());
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| malformed())?;
        }
    }
    let mut body = vec![0; MAX_BODY.min(length)];
    reader.read_exact(&mut body)?;
    Ok((path, body))
}
