//! Whole clusters, driven natively over a store: nothing goes over the network but the start of an API's listener.

mod bed;
mod lifecycle;
mod pivot;
mod refusals;
