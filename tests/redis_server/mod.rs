//! A real Redis, for tests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use sluice::quota::resp::quit;

pub struct Redis {
    process: Child,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Redis of its own, with nothing on disk. `None`: there is none on this machine, and it cannot be installed.
pub fn redis() -> Option<Redis> {
    let spawn = |port: u16| {
        let port = port.to_string();
        let args = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        Command::new("redis-server").args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = spawn(port).or_else(|| {
        let _ = Command::new("apt-get").args(["install", "-y", "-q", "redis-server"]).stdout(Stdio::null()).status();
        spawn(port)
    });
    let Some(process) = process else {
        assert!(std::env::var_os("CI").is_none(), "redis-server is needed");
        eprintln!("skipped: redis-server is not installed");
        return None;
    };
    let redis = Redis { process, port };
    let answers = |_| {
        sleep(Duration::from_millis(20));
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    };
    assert!((0..500).any(answers), "Redis does not start");
    Some(redis)
}

impl Redis {
    /// As through Envoy: all commands in one connection, QUIT last, replies until Redis closes it.
    pub fn post(&self, commands: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(commands).unwrap();
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).unwrap();
        replies
    }

    pub fn text(&self, words: &[&str]) -> String {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        words.iter().for_each(|word| out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes()));
        quit(&mut out);
        String::from_utf8(self.post(&out)).unwrap()
    }
}
