//! The neutral model of a chat call: what every wire format is translated to and from.
//!
//! Holds requests, answers, stream events, usage, and what a target could not express. It names no vendor: a vendor's
//! word belongs in that vendor's file in `api/`.
//!
//! May use: base64, error, json.
//!
//! To add a notion: one field or variant here, then what each file in `api/` reads it from and writes it as, or a
//! [`Loss`] where it cannot.

mod answer;
mod event;
mod loss;
mod request;
mod usage;

pub use answer::{Answer, Choice, Finish};
pub use event::Event;
pub use loss::{Effect, Loss, Losses};
pub use request::{
    Citation, Effort, Format, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn, Verbosity, file_text,
    is_text,
};
pub use usage::Usage;

pub use crate::json::{Number, Raw};
