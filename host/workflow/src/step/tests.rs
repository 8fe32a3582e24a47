//! The machine with steps on a pretended outside.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use crate::folder::Folder;
use crate::interrupt::Interrupter;
use crate::journal::Records;

/// The outside: what is there, and what was done to it.
#[derive(Default)]
struct World {
    there: Mutex<BTreeSet<&'static str>>,
    worked: Mutex<Vec<&'static str>>,
    /// The step whose work dies half-way, as if the process had been killed.
    dies_in: Mutex<Option<(&'static str, Death)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Death {
    BeforeWork,
    AfterWork,
}

struct Fake(&'static str);

#[async_trait(?Send)]
impl Step<World> for Fake {
    fn id(&self) -> &'static str {
        self.0
    }

    fn title(&self) -> &'static str {
        self.0
    }

    async fn holds(&self, world: &World) -> Result<bool, Failure> {
        Ok(world.there.lock().unwrap().contains(self.0))
    }

    async fn work(&self, world: &World) -> Result<(), Failure> {
        let dies = world.dies_in.lock().unwrap().filter(|(step, _)| *step == self.0).map(|(_, death)| death);
        if dies != Some(Death::BeforeWork) {
            world.there.lock().unwrap().insert(self.0);
            world.worked.lock().unwrap().push(self.0);
        }
        if dies.is_some() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// Never comes true, or can't be looked up.
struct Broken(bool);

#[async_trait(?Send)]
impl Step<World> for Broken {
    fn id(&self) -> &'static str {
        "broken"
    }

    fn title(&self) -> &'static str {
        "broken"
    }

    async fn holds(&self, _: &World) -> Result<bool, Failure> {
        if self.0 { Err(Failure::new("the API does not answer", "look at it").about("Cluster a/b")) } else { Ok(false) }
    }

    async fn work(&self, _: &World) -> Result<(), Failure> {
        Ok(())
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Reporter for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

const NAMES: [&str; 4] = ["one", "two", "three", "four"];

struct Bench {
    _home: tempfile::TempDir,
    folder: Folder,
    heard: Heard,
    interrupter: Interrupter,
    interrupt: Interrupt,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::create(home.path(), "prod").unwrap();
        let (interrupter, interrupt) = Interrupt::new();
        Self { _home: home, folder, heard: Heard::default(), interrupter, interrupt }
    }

    fn steps() -> Steps<World> {
        NAMES.iter().map(|n| Box::new(Fake(n)) as Box<dyn Step<World>>).collect()
    }

    async fn run(&self, steps: &Steps<World>, world: &World) -> Result<Ran, Stopped> {
        let journal = Journal::open(&self.folder, "1").unwrap();
        let now = || "2026-01-02T03:04:05Z".parse().unwrap();
        let runner = Runner {
            operation: Operation::Create,
            journal: &journal,
            reporter: &self.heard,
            interrupt: &self.interrupt,
            now: &now,
        };
        runner.run(steps, world).await
    }

    fn lines(&self) -> Vec<String> {
        self.heard.0.lock().unwrap().iter().filter_map(Event::document_line).collect()
    }
}

#[tokio::test]
async fn all_steps_in_their_order_once() {
    let (bench, world) = (Bench::new(), World::default());
    assert_eq!(bench.run(&Bench::steps(), &world).await.unwrap(), Ran { already: 0, now: 4 });
    assert_eq!(*world.worked.lock().unwrap(), NAMES);
    assert_eq!(bench.lines(), NAMES);
    assert_eq!(bench.run(&Bench::steps(), &world).await.unwrap(), Ran { already: 4, now: 0 });
    assert_eq!(*world.worked.lock().unwrap(), NAMES, "nothing is done twice");
}

#[tokio::test]
async fn killed_at_each_boundary_it_goes_on_there() {
    for (index, name) in NAMES.into_iter().enumerate() {
        for death in [Death::BeforeWork, Death::AfterWork] {
            let (bench, world) = (Bench::new(), World::default());
            *world.dies_in.lock().unwrap() = Some((name, death));
            // Dropping the run where it stands is what a kill does to it: nothing after that point happens.
            let steps = Bench::steps();
            {
                let run = bench.run(&steps, &world);
                tokio::pin!(run);
                assert!(futures::poll!(run.as_mut()).is_pending(), "it hangs in `{name}`");
            }
            *world.dies_in.lock().unwrap() = None;
            let begun = world.worked.lock().unwrap().len();
            let ran = bench.run(&Bench::steps(), &world).await.unwrap();
            let done = index + usize::from(death == Death::AfterWork);
            assert_eq!((begun, ran), (done, Ran { already: done, now: NAMES.len() - done }));
            assert_eq!(*world.worked.lock().unwrap(), NAMES, "each once, in order");
            let records = Journal::peek(&bench.folder).unwrap();
            let ends_well = matches!(&records.last().unwrap().entry, Entry::Done { step, .. } if step == "four");
            assert_eq!(ends_well, done < NAMES.len(), "what was found done is not written down as done by this run");
        }
    }
}

#[tokio::test]
async fn the_outside_decides_and_not_the_journal() {
    let (bench, world) = (Bench::new(), World::default());
    bench.run(&Bench::steps(), &world).await.unwrap();
    world.there.lock().unwrap().remove("two");
    assert_eq!(bench.run(&Bench::steps(), &world).await.unwrap(), Ran { already: 1, now: 3 });
    assert_eq!(world.worked.lock().unwrap()[4..], ["two", "three", "four"]);
}

#[tokio::test]
async fn interrupted_before_a_step_or_in_it() {
    let (bench, world) = (Bench::new(), World::default());
    *world.dies_in.lock().unwrap() = Some(("three", Death::BeforeWork));
    let run = async {
        let steps = Bench::steps();
        let run = bench.run(&steps, &world);
        tokio::pin!(run);
        assert!(futures::poll!(run.as_mut()).is_pending());
        bench.interrupter.interrupt();
        run.await
    };
    let stopped = run.await.unwrap_err();
    assert!(matches!(stopped, Stopped::Interrupted { title: "three" }), "{stopped:?}");
    let records = Journal::peek(&bench.folder).unwrap();
    assert_eq!(records.open_step(), Some("three"));
    assert_eq!(records.last().unwrap().entry, Entry::Interrupted { step: "three".into() });
    assert!(matches!(bench.run(&Bench::steps(), &world).await, Err(Stopped::Interrupted { title: "one" })));
}

#[tokio::test]
async fn a_step_whose_work_brings_nothing_about_fails() {
    let (bench, world) = (Bench::new(), World::default());
    let steps: Steps<World> = vec![Box::new(Fake("one")), Box::new(Broken(false)), Box::new(Fake("two"))];
    let Err(Stopped::Failed { step: "broken", failure, .. }) = bench.run(&steps, &world).await else {
        panic!("it went on")
    };
    assert!(failure.message.contains("not there"), "{failure}");
    assert_eq!(*world.worked.lock().unwrap(), ["one"], "nothing after it is begun");
    assert!(
        matches!(&Journal::peek(&bench.folder).unwrap().last().unwrap().entry, Entry::Failed { step, .. } if step == "broken")
    );
}

#[tokio::test]
async fn what_can_not_be_found_out_stops_the_run() {
    let (bench, world) = (Bench::new(), World::default());
    let steps: Steps<World> = vec![Box::new(Broken(true)), Box::new(Fake("one"))];
    let Err(Stopped::Failed { failure, .. }) = bench.run(&steps, &world).await else { panic!("it went on") };
    assert_eq!(failure.object.as_deref(), Some("Cluster a/b"));
    assert!(world.worked.lock().unwrap().is_empty(), "not knowing is no reason to do it again");
}
