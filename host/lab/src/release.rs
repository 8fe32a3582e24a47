//! The small release that the lab carries.
