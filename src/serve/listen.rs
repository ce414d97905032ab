//! An address → listening sockets, one for each thread that answers.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Bound sockets that listen. Who connects from now on is answered as soon as serving begins.
pub struct Listeners {
    pub(super) sockets: Vec<TcpListener>,
    pub address: SocketAddr,
}

/// Listens with so many sockets, among which the system distributes connections.
///
/// # Errors
/// When the address cannot be listened on, also because another program does, be it another daemon of the same user.
pub fn listen(address: SocketAddr, threads: usize) -> io::Result<Listeners> {
    if threads <= 1 {
        let socket = bound(address, false)?;
        socket.listen(BACKLOG)?;
        let address = socket_address(&socket)?;
        return Ok(Listeners { sockets: vec![socket.into()], address });
    }
    // A shared port would let a second daemon in without a word; an attempt to have the port alone does not. What is between the
    // two is caught by the lock on the store. A port that the system chooses is free anyway.
    if address.port() != 0 {
        let alone = bound(address, false)?;
        alone.listen(1)?;
    }
    let first = bound(address, true)?;
    let address = socket_address(&first)?;
    let others = (1..threads).map(|_| bound(address, true));
    let sockets: Vec<Socket> = std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()?;
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(Listeners { sockets: sockets.into_iter().map(TcpListener::from).collect(), address })
}

fn bound(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of an earlier daemon that linger are no reason to wait.
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn socket_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the socket has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_a_port_with_each_other_and_with_nobody_else() {
        for (first, second) in [(1, 1), (1, 3), (3, 1), (3, 3)] {
            let held = listen(SocketAddr::from(([127, 0, 0, 1], 0)), first).unwrap();
            assert_eq!(held.sockets.len(), first);
            assert!(held.sockets.iter().all(|socket| socket.local_addr().unwrap() == held.address));
            let refused = listen(held.address, second).err().unwrap();
            assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{first} {second}");
            let address = held.address;
            drop(held);
            assert!(listen(address, second).is_ok(), "{first} {second}");
        }
    }
}
