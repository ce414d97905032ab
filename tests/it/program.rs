//! The real binary: started, asked, killed. Waiting is for a line of its log or the end of a command, never for time.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// Longest wait for anything. A loaded machine may need a while; a hang still ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// The head of every test's feeds.toml. Links do not follow the port, so that documents can be compared over restarts.
pub const HEAD: &str = "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://news.example/\"\n\
                        [poll]\nmin_interval = \"1h\"\nhost_delay = \"0s\"\nallow_private = [\"127.0.0.0/8\"]\nconnect_timeout = \"2s\"\ntimeout = \"2s\"\n\
                        body_limit = \"1MB\"\n";

/// A running daemon. Dropped, it is killed.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Some(Self { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.current_dir(folder).env_remove("FEEDMILL_LOG").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    binary(folder).args(arguments).output().unwrap()
}

/// What a command printed, and its exit code.
pub fn told(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

impl Program {
    /// Starts the daemon on `feeds.toml` in a folder, and waits until it listens.
    pub fn start(folder: &Path) -> Self {
        Self::try_start(folder, &[]).unwrap_or_else(|log| panic!("the daemon does not start:\n{log}"))
    }

    /// As [`Program::start`], with variables in its environment.
    ///
    /// # Errors
    /// Its log, when it ended before it listened.
    pub fn try_start(folder: &Path, environment: &[(&str, PathBuf)]) -> Result<Self, String> {
        let mut program = Self::spawn(folder, environment);
        let line = program.look_for("listens on http://")?;
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        address.clone_into(&mut program.address);
        Ok(program)
    }

    /// Starts the daemon and waits for nothing.
    pub fn spawn(folder: &Path, environment: &[(&str, PathBuf)]) -> Self {
        let mut command = binary(folder);
        command.envs(environment.iter().cloned());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody reads the log of a program that was dropped.
                let _ = sender.send(line);
            }
        });
        Self { child, lines, address: String::new() }
    }

    /// Reads the log up to a line that holds this text.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.look_for(text).unwrap_or_else(|log| panic!("`{text}` does not appear in the log:\n{log}"))
    }

    fn look_for(&mut self, text: &str) -> Result<String, String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => seen.push(line),
                Err(error) => return Err(format!("{}\n({error})", seen.join("\n"))),
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// As [`Program::get`], of a program that may have ended.
    pub fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_ask("GET", path, &[]).ok().flatten()
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.try_ask(method, path, headers).unwrap().expect("a whole answer")
    }

    /// Sends a form.
    pub fn post(&self, path: &str, form: &str) -> Answer {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("content-length", &form.len().to_string())];
        self.send("POST", path, &headers, form).unwrap().expect("a whole answer")
    }

    fn try_ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Option<Answer>> {
        self.send(method, path, headers, "")
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Option<Answer>> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: elsewhere.example\r\nconnection: close\r\n{}\r\n{body}",
            headers.concat()
        )?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(Answer::read(&bytes))
    }

    /// The items of a JSON feed.
    pub fn items(&self, path: &str) -> Vec<serde_json::Value> {
        let feed: serde_json::Value = serde_json::from_slice(&self.get(path).body).unwrap();
        feed["items"].as_array().unwrap().clone()
    }

    /// Ends it as a power switch would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to stop, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
