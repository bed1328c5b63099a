//! What the core asks of its surroundings, as arguments: the time, and memory that all workers share.
//!
//! May use: nothing.

/// Milliseconds since the Unix epoch, or between two moments.
pub type Millis = u64;

/// The process-wide map of shared data.
pub trait Shared {
    /// The value and the token to change it by; `None` if the key was never set.
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)>;

    /// Stores `value` unless another worker wrote since `cas` was read; without a `cas`, always.
    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool;
}

/// What Envoy verified of the client. Asked only where it is needed: each answer costs a call out of the module.
pub trait Verified {
    /// The text of a claim, by the path to it, of a token that `jwt_authn` verified.
    fn claim(&self, path: &[String]) -> Option<String>;

    /// The first URI in the client's certificate.
    fn peer(&self) -> Option<String>;
}

/// Asked only where it is needed: a look at the clock costs a call out of the module.
pub trait Host: Shared + Verified {
    fn now(&self) -> Millis;

    /// Whether a call that is over was ended by its client. Asked when it is logged.
    fn client_left(&self) -> bool;
}
