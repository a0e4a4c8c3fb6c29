//! An HTTP proxy between office and relay, as offices have them: it knows only `CONNECT`, may ask for a password,
//! may refuse, and may cut a connection in the middle.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the office to the relay.
    Up,
    /// From the relay to the office.
    Down,
}

/// What the proxy does with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Connects, and carries bytes both ways until a side ends.
    Carry,
    /// Answers with this status (`403 Forbidden`) and closes.
    Refuse(&'static str),
    /// Connects, and cuts both ways once so many bytes went in one direction.
    CutAfter(Direction, u64),
}

/// A proxy on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct HttpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// For the connections that come: the first for the next one; the last one stays.
    behaviours: Mutex<VecDeque<Behaviour>>,
    /// Value of `Proxy-Authorization` that is asked for.
    authorization: Mutex<Option<String>>,
    tunnels: AtomicU64,
    carried_up: AtomicU64,
    carried_down: AtomicU64,
    stopped: AtomicBool,
}

impl HttpProxy {
    /// Starts one that carries everything.
    ///
    /// # Panics
    /// If no port is free.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // A connection that breaks is what this is for.
                thread::spawn(move || shared.serve(&client));
            }
        });
        Self { address, shared }
    }

    /// Its address for `--https-proxy`, perhaps with `user:password`.
    pub fn url(&self, user: Option<&str>) -> String {
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        format!("http://{user}{}", self.address)
    }

    /// What it does with the connections that come: one each, the last one from then on.
    pub fn behave(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        *lock(&self.shared.behaviours) = behaviours.into_iter().collect();
    }

    /// Asks for this value of `Proxy-Authorization` from now on.
    pub fn ask_for(&self, authorization: &str) {
        *lock(&self.shared.authorization) = Some(authorization.to_owned());
    }

    /// Connections to the relay that it made.
    pub fn tunnels(&self) -> u64 {
        self.shared.tunnels.load(Ordering::Relaxed)
    }

    /// Bytes that it carried in a direction so far.
    pub fn carried(&self, direction: Direction) -> u64 {
        self.shared.carried(direction).load(Ordering::Relaxed)
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that listens, so that it sees the end.
        let _woken = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let (target, authorization) = read_request(&mut reader)?;
        let refuse = |status: &str| {
            let answer = format!(
                "HTTP/1.1 {status}\r\nProxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n"
            );
            let mut to = client;
            to.write_all(answer.as_bytes())
        };
        let asked = lock(&self.authorization).clone();
        if asked.is_some() && asked != authorization {
            return refuse("407 Proxy Authentication Required");
        }
        let room = match self.next_behaviour() {
            Behaviour::Refuse(status) => return refuse(status),
            Behaviour::Carry => None,
            Behaviour::CutAfter(direction, bytes) => Some((direction, bytes)),
        };
        let relay = TcpStream::connect(target)?;
        let mut answer = client;
        answer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        self.tunnels.fetch_add(1, Ordering::Relaxed);
        let of = |direction| room.filter(|(cut, _)| *cut == direction).map_or(u64::MAX, |(_, bytes)| bytes);
        thread::scope(|scope| {
            // What came along with the request belongs to the relay.
            scope.spawn(|| self.carry(Direction::Up, &mut reader, &relay, client, of(Direction::Up)));
            self.carry(Direction::Down, &mut &relay, client, &relay, of(Direction::Down));
        });
        Ok(())
    }

    fn next_behaviour(&self) -> Behaviour {
        let mut behaviours = lock(&self.behaviours);
        let next = if behaviours.len() > 1 { behaviours.pop_front() } else { behaviours.front().cloned() };
        next.unwrap_or(Behaviour::Carry)
    }

    /// Carries bytes until an end or until `room` is used up; then cuts both ways, as a pulled plug does.
    fn carry(
        &self,
        direction: Direction,
        from: &mut impl io::Read,
        to: &TcpStream,
        other: &TcpStream,
        mut room: u64,
    ) {
        let mut buffer = [0; 16 * 1024];
        while room > 0 {
            let most = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
            let Ok(read @ 1..) = from.read(&mut buffer[..most]) else { break };
            let mut to = to;
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
            let read = u64::try_from(read).expect("a buffer's length fits");
            self.carried(direction).fetch_add(read, Ordering::Relaxed);
            room -= read;
        }
        for side in [to, other] {
            let _gone = side.shutdown(Shutdown::Both);
        }
    }

    fn carried(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Up => &self.carried_up,
            Direction::Down => &self.carried_down,
        }
    }
}

/// Reads the request's head: whom to connect to, and with which authorization.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<(String, Option<String>)> {
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(10)))?;
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    reader.by_ref().take(1024).read_line(&mut line)?;
    let target = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let target = target.ok_or_else(malformed)?.to_owned();
    let mut authorization = None;
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
            && name.eq_ignore_ascii_case("Proxy-Authorization")
        {
            authorization = Some(value.trim().to_owned());
        }
    }
    reader.get_ref().set_read_timeout(None)?;
    Ok((target, authorization))
}

/// Values are replaced whole: a panic elsewhere leaves nothing half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
