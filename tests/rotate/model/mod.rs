//! The machine's states, checked exhaustively within bounds: two workers, two stores, three faults and one
//! unasked act of a person. The model calls the engine's own transition functions.

mod answers;
mod outside;
mod world;

use keywheel::rotate::machine::{Class, Kind, Path, Phase};
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;
use world::{Act, Defect, World};

struct Rotating {
    class: Class,
    emergency: Path,
    faults: u8,
    persons: u8,
    defect: Option<Defect>,
}

const WORKING: &str = "every store holds a working key (scheduled, honest provider)";
const EXPORTED: &str = "nothing irreversible without exported use or a recorded reason";
const ONE: &str = "one active rotation a lineage";
const NONE_LEFT: &str = "no key is left over at the end";
const UNUSED: &str = "an old key in use is not deleted without force";
const DEAD: &str = "done means that the old key is dead";

fn working(s: &World) -> bool {
    s.lied || s.r.kind == Kind::Emergency || s.shelves.iter().all(|shelf| s.works(shelf.current))
}

fn none_left(s: &World) -> bool {
    if !s.r.powers().class.separate() {
        return true;
    }
    match s.r.phase {
        Phase::Done => s.keys.len() == 1 && s.r.new.as_ref().is_some_and(|new| s.key(&new.id).is_some()),
        Phase::RolledBack | Phase::Aborted => s.keys.len() == 1 && s.keys[0].n == 0,
        _ => true,
    }
}

impl Model for Rotating {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.class, self.emergency, self.faults, self.persons)]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Act>) {
        state.acts(actions, self.defect);
    }

    fn next_state(&self, state: &World, act: Act) -> Option<World> {
        state.after(&act, self.defect)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(WORKING, |_, s| working(s)),
            Property::always(EXPORTED, |_, s: &World| !s.ended_unexported),
            Property::always(ONE, |_, s: &World| s.active <= 1),
            Property::always(NONE_LEFT, |_, s| none_left(s)),
            Property::always(UNUSED, |_, s: &World| !s.ended_in_use),
            Property::always(DEAD, |_, s: &World| s.r.phase != Phase::Done || !s.works((0, 0))),
        ]
    }
}

/// Faults and unasked acts of people: three of the one and none of the other, and two and one; in the whole battery
/// three and one.
fn bounds() -> &'static [(u8, u8)] {
    let full = std::env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    if full { &[(3, 1)] } else { &[(3, 0), (2, 1)] }
}

/// The paths of an emergency that matter: without a person none begins.
fn paths(persons: u8) -> &'static [Path] {
    if persons == 0 { &[Path::CreateFirst] } else { &[Path::CreateFirst, Path::RevokeFirst] }
}

#[test]
fn every_state_within_the_bounds_keeps_what_must_hold() {
    let (start, mut all) = (Instant::now(), 0);
    for &(faults, persons) in bounds() {
        for class in Class::ALL {
            for &emergency in paths(persons) {
                let model = Rotating { class, emergency, faults, persons, defect: None };
                let checker = model.checker().threads(2).spawn_bfs().join();
                let states = checker.unique_state_count();
                all += states;
                println!(
                    "model {class:?} {emergency:?}: {states} states, {faults} faults, {persons} unasked acts"
                );
                if let Some((name, path)) = checker.discoveries().into_iter().next() {
                    let acts: Vec<String> = path.into_actions().iter().map(|a| format!("{a:?}")).collect();
                    panic!("{class:?} {emergency:?}: not so: {name}: {}", acts.join(" ▸ "));
                }
            }
        }
    }
    println!("model: {all} states, two workers, two stores, in {:.0?}", start.elapsed());
}

fn mark(state: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Numbers all states and follows the edges back from the ends: whatever is not reached can never end. Gives the
/// number of states and the way to the first hopeless one.
fn hopeless(model: &Rotating) -> (usize, Option<Vec<Act>>) {
    let first = World::new(model.class, model.emergency, model.faults, model.persons);
    let mut known: HashMap<u64, u32> = [(mark(&first), 0)].into();
    let mut queue = VecDeque::from([first]);
    // For each state those before it; the first of them is how it was found.
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut ends: Vec<u32> = Vec::new();
    let mut here = 0;
    while let Some(state) = queue.pop_front() {
        if state.r.phase.is_terminal() {
            ends.push(here);
        }
        let mut acts = Vec::new();
        model.actions(&state, &mut acts);
        for act in acts {
            let Some(after) = model.next_state(&state, act) else { continue };
            let fresh = u32::try_from(back.len()).unwrap();
            let n = *known.entry(mark(&after)).or_insert(fresh);
            if n == fresh {
                queue.push_back(after);
                back.push(Vec::new());
            }
            back[n as usize].push(here);
        }
        here += 1;
    }
    let mut hope = vec![false; back.len()];
    while let Some(n) = ends.pop() {
        if !std::mem::replace(&mut hope[n as usize], true) {
            ends.extend(&back[n as usize]);
        }
    }
    let lost = hope.iter().position(|h| !h).map(|lost| {
        let mut way = vec![lost];
        while way[way.len() - 1] != 0 {
            way.push(back[way[way.len() - 1]][0] as usize);
        }
        way.reverse();
        replay(model, &known, &way)
    });
    (back.len(), lost)
}

/// The acts along a way of state numbers.
fn replay(model: &Rotating, known: &HashMap<u64, u32>, way: &[usize]) -> Vec<Act> {
    let mut state = World::new(model.class, model.emergency, model.faults, model.persons);
    let mut done = Vec::new();
    for next in &way[1..] {
        let mut acts = Vec::new();
        model.actions(&state, &mut acts);
        for act in acts {
            let Some(after) = model.next_state(&state, act.clone()) else { continue };
            if known[&mark(&after)] as usize == *next {
                done.push(act);
                state = after;
                break;
            }
        }
    }
    println!("there: {} {:?} intent {:?}", state.r.phase, state.r.halt, state.r.intent);
    done
}

#[test]
fn every_state_can_reach_an_end() {
    for &(faults, persons) in bounds() {
        for class in Class::ALL {
            for &emergency in paths(persons) {
                let model = Rotating { class, emergency, faults: faults - 1, persons, defect: None };
                let (states, lost) = hopeless(&model);
                println!("model {class:?} {emergency:?}: from each of {states} states an end can be reached");
                assert_eq!(lost, None, "{class:?} {emergency:?}: no end after this");
            }
        }
    }
}

#[test]
fn each_seeded_defect_is_caught() {
    let emergency = Path::CreateFirst;
    for (defect, class, names) in [
        (Defect::SkipsAStore, Class::C, [WORKING].as_slice()),
        (Defect::InventsTheExport, Class::C, &[EXPORTED]),
        (Defect::PlansTwice, Class::C, &[ONE]),
        (Defect::SweepsNothing, Class::C, &[NONE_LEFT]),
        (Defect::DeniesUse, Class::C, &[UNUSED]),
        (Defect::AssumesDeath, Class::C, &[NONE_LEFT, DEAD]),
        // Two at once can do many kinds of harm; any of them shows it.
        (Defect::IgnoresLeases, Class::E, &[WORKING, EXPORTED, NONE_LEFT, UNUSED, DEAD]),
    ] {
        // One lease that runs out is enough for the last, whose states are many.
        let faults = if defect == Defect::IgnoresLeases { 1 } else { 2 };
        let model = Rotating { class, emergency, faults, persons: 0, defect: Some(defect) };
        let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let caught: Vec<_> = checker.discoveries().into_keys().collect();
        assert!(caught.iter().any(|name| names.contains(name)), "{defect:?} is not caught: {caught:?}");
        println!("defect {defect:?}: caught, not so: {}", caught.join("; "));
    }
    let defect = Some(Defect::ForgetsTheAnswer);
    let model = Rotating { class: Class::C, emergency, faults: 1, persons: 0, defect };
    assert!(hopeless(&model).1.is_some(), "a rotation that forgets is not caught");
    println!("defect ForgetsTheAnswer: caught, an end cannot be reached");
}
