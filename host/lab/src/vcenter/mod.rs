//! The simulated vCenter: SOAP and REST over TLS, filled from the spec.
