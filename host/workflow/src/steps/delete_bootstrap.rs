//! The end of a bootstrap cluster that was made for this run.

use async_trait::async_trait;

use super::id;
use crate::run::{Run, Side};
use crate::step::{Failure, Step};

pub(crate) struct DeleteBootstrap {
    pub(crate) temporary: bool,
}

#[async_trait(?Send)]
impl Step<Run> for DeleteBootstrap {
    fn id(&self) -> &'static str {
        id::DELETE_BOOTSTRAP
    }

    fn title(&self) -> &'static str {
        if self.temporary { "Deleting bootstrap cluster" } else { "Leaving the existing bootstrap cluster as it is" }
    }

    /// A cluster that this program did not make is not its to delete, and no line says that it is.
    fn line(&self) -> Option<&'static str> {
        self.temporary.then(|| self.title())
    }

    async fn holds(&self, run: &Run) -> Result<bool, Failure> {
        Ok(!self.temporary || !run.driver.remains(&run.identity).await?)
    }

    /// A cluster that is managed from the bootstrap cluster would be left without anybody to look after it.
    async fn ready(&self, run: &Run) -> Result<(), Failure> {
        if let Side::There(api) = run.bootstrap_side().await?
            && run.has_cluster(&api).await?
            && !run.settled().await?
        {
            return Err(Failure::new(
                format!("the bootstrap cluster still manages `{}`", run.name()),
                "run the same command again: the move has to come first",
            ));
        }
        Ok(())
    }

    async fn work(&self, run: &Run) -> Result<(), Failure> {
        if self.temporary {
            run.driver.delete(&run.identity).await?;
            run.forget_bootstrap().await;
        }
        Ok(())
    }
}
