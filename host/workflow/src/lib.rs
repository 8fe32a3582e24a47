//! Steps, journal, progress: create, upgrade and delete are lists of steps.
