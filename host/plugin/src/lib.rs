//! The plugin host: engine, limits, endpoints, secrets, audit, catalog.
