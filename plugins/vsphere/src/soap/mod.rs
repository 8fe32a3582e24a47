//! The vCenter over SOAP.
