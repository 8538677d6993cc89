//! The engine's limits that a program may want to know.

/// The largest payload if the builder does not say otherwise, in bytes of JSON.
pub const DEFAULT_PAYLOAD_LIMIT: usize = 65_536;
/// The most that `max_payload_size` of the builder takes, in bytes of JSON.
pub const MAX_PAYLOAD_LIMIT: usize = 409_600;
