//! A real Redis, for tests.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use sluice::quota::resp::quit;

pub struct Redis {
    process: Child,
    /// A socket of its own: a port could be another's by the time Redis takes it.
    socket: PathBuf,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A Redis of its own, with nothing on disk. `None`: there is none on this machine, and it cannot be installed.
pub fn redis() -> Option<Redis> {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let name = format!("sluice-redis-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
    let socket = std::env::temp_dir().join(name);
    let spawn = || {
        let args = ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"];
        let mut redis = Command::new("redis-server");
        redis.args(args).arg(&socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    };
    let process = spawn().or_else(|| {
        let _ = Command::new("apt-get").args(["install", "-y", "-q", "redis-server"]).stdout(Stdio::null()).status();
        spawn()
    });
    let Some(process) = process else {
        assert!(std::env::var_os("CI").is_none(), "redis-server is needed");
        eprintln!("skipped: redis-server is not installed");
        return None;
    };
    let redis = Redis { process, socket };
    let answers = |_| {
        sleep(Duration::from_millis(20));
        UnixStream::connect(&redis.socket).is_ok()
    };
    assert!((0..500).any(answers), "Redis does not start");
    Some(redis)
}

impl Redis {
    /// As through Envoy: all commands in one connection, QUIT last, replies until Redis closes it.
    pub fn post(&self, commands: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
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
