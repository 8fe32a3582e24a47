//! What the Cluster API controllers do, played over a simulated Kubernetes API.
