//! A publisher on loopback that does what the test tells it, also badly.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
}

/// What a path answers with.
#[derive(Clone)]
pub enum Reply {
    /// A document with validators; 304 to a request that names them.
    Document { body: String, media_type: &'static str },
    /// A head and a body, byte for byte.
    Raw(Vec<u8>),
    /// As many bytes as the reader takes, up to 1 GB.
    Endless,
    /// Nothing, until the reader hangs up.
    Silence,
}

impl Reply {
    pub fn rss(body: &str) -> Self {
        Self::Document { body: body.to_owned(), media_type: "application/rss+xml" }
    }

    pub fn status(line: &str, headers: &str) -> Self {
        Self::Raw(format!("HTTP/1.1 {line}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n").into_bytes())
    }
}

#[derive(Default)]
struct Script {
    replies: HashMap<String, Reply>,
    asked: Vec<Asked>,
}

/// The publisher. It lives as long as the test's process.
#[derive(Clone)]
pub struct Origin {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Origin {
    /// Listens on a port of its own of this address of loopback.
    pub fn start(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let origin = Self { address: listener.local_addr().unwrap(), script: Arc::default() };
        let script = Arc::clone(&origin.script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&script);
                std::thread::spawn(move || answer(stream, &script));
            }
        });
        origin
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn serve(&self, path: &str, reply: Reply) {
        self.script.lock().unwrap().replies.insert(path.to_owned(), reply);
    }

    /// The requests for a path so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.script.lock().unwrap().asked.iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let Some(asked) = read(&stream) else { return };
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(asked.clone());
        script.replies.get(&asked.path).cloned().unwrap_or_else(|| Reply::status("404 Not Found", ""))
    };
    // A reader that hangs up is part of some tests.
    let _ = send(stream, &asked, reply);
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Asked { path, headers })
}

fn send(mut stream: TcpStream, asked: &Asked, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Raw(bytes) => stream.write_all(&bytes),
        Reply::Document { body, media_type } => {
            let etag = format!("\"{:x}-{}\"", body.len(), body.bytes().map(u64::from).sum::<u64>());
            if asked.headers.get("if-none-match") == Some(&etag) {
                return write!(stream, "HTTP/1.1 304 Not Modified\r\netag: {etag}\r\nconnection: close\r\n\r\n");
            }
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\netag: {etag}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\n\r\n<rss>")?;
            let block = vec![b' '; 1 << 20];
            (0..1_000).try_for_each(|_| stream.write_all(&block))
        }
        Reply::Silence => {
            let mut rest = String::new();
            BufReader::new(stream).read_line(&mut rest).map(drop)
        }
    }
}

/// An RSS document with these items: guid, link, title, text.
pub fn rss(title: &str, site: &str, items: &[(&str, &str, &str, &str)]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|(guid, link, title, text)| {
            format!(
                "<item><guid isPermaLink=\"false\">{guid}</guid><link>{link}</link><title>{title}</title>\
                 <pubDate>Sun, 01 Nov 2026 08:00:00 +0000</pubDate><description>&lt;p&gt;{text}&lt;/p&gt;</description></item>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>{title}</title><link>{site}</link><description/>{}</channel></rss>",
        items.concat()
    )
}
