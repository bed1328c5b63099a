//! The `store` of the document: where limits of a fleet are counted.

use super::Redis;
use super::check::Reader;
use super::node::Node;
use crate::provider::Auth;
use crate::quota::Down;

/// The name that a sealed password is bound to.
const SEALED_FOR: &str = "store.redis";

/// Bytes of what stands before every key.
const MAX_PREFIX: usize = 64;

impl<'v> Reader<'v> {
    /// With what limits do while it does not answer.
    pub(super) fn store(&mut self, node: &'v Node) -> Option<(Redis, Down)> {
        self.fields(node, &["redis"])?;
        let node = self.need(node, "redis")?;
        self.fields(node, &["cluster", "prefix", "username", "auth", "timeout", "down"])?;
        let cluster = self.need(node, "cluster").and_then(|cluster| self.text(cluster));
        let prefix = self.text_in(node, "prefix").unwrap_or("sluice:");
        if prefix.len() > MAX_PREFIX || prefix.contains(['{', '}']) {
            let message = format_args!("must be at most {MAX_PREFIX} bytes, without braces");
            self.problem_at(node, "prefix", message);
        }
        let user = self.text_in(node, "username").unwrap_or_default();
        let password = match node.get("auth") {
            Some(auth) => match self.auth(SEALED_FOR, auth) {
                Some(Auth::Key(secret)) => Some(secret),
                Some(_) => {
                    self.problem(auth, format_args!("must be a password"));
                    None
                }
                None => None,
            },
            None => None,
        };
        if !user.is_empty() && node.get("auth").is_none() {
            self.problem_at(node, "auth", format_args!("must be given with a username"));
        }
        let timeout = self.duration_in(node, "timeout").unwrap_or(1000);
        if !(10..=10_000).contains(&timeout) {
            self.problem_at(node, "timeout", format_args!("must be from 10ms to 10s"));
        }
        let down = node.get("down").map_or(Some(Down::Deny), |down| self.down(down))?;
        let redis = Redis {
            cluster: cluster?.to_owned(),
            prefix: prefix.to_owned(),
            user: user.to_owned(),
            password,
            timeout,
            envoy: String::new(),
        };
        Some((redis, down))
    }

    /// `deny`, `allow`, `{local: PERCENT}`.
    fn down(&mut self, node: &'v Node) -> Option<Down> {
        if let Node::Text(_) = node {
            return Some(if self.word(node, &["deny", "allow"])? == 1 { Down::Allow } else { Down::Deny });
        }
        self.fields(node, &["local"])?;
        let share = self.need(node, "local")?;
        match share.number() {
            // A tenth of a percent is the least.
            Some(percent) if (0.1..=100.0).contains(&percent) => Some(Down::Local((percent * 10.0) as u16)),
            _ => {
                self.wrong(share, "a number of percent, 0.1 to 100");
                None
            }
        }
    }
}
