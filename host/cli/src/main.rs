//! kedge: clusters from EKS Anywhere specs, with every provider a sandboxed component.
fn main() {}
