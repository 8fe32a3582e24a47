//! The control API: hands out bootstrap clusters and says what runs.

pub mod client {
    //! The few calls that the lab makes to its own control API.

    use crate::{Connection, LabError};

    pub(crate) async fn status(connection: &Connection) -> Result<(), LabError> {
        let _ = connection;
        std::future::pending().await
    }
}
