//! Keys that no call makes: a person makes the new one and deletes the old one, and what they did is proved.
//!
//! To the engine a person is a provider whose keys the caller chooses: the value that was brought is sealed before it
//! counts as made, and the old key counts as deleted once it is proved dead.

use super::engine::{Answer, Call, Figures, Listed, Made, Provider, Used, Wish};
use super::machine::{KeyId, Life, Refusal, State};
use super::time::Moment;
use crate::model::Secret;

/// Says whether a value works.
pub trait Judge {
    /// What is proved of it now.
    fn life(&self, value: &Secret, call: Call) -> Life;
}

/// A person as a provider.
pub struct ByHand<'a> {
    judge: &'a dyn Judge,
    brought: Option<Secret>,
    values: &'a dyn Fn(&KeyId) -> Option<Secret>,
    switch: &'a dyn Fn(&KeyId, Call) -> Answer<()>,
}

impl<'a> ByHand<'a> {
    /// A person who has brought a new key, or not yet; then one of the lineage's pool serves. `values` gives the value
    /// of a key, by which its death is proved; `switch` switches a key of the pool on that was off until it was drawn.
    pub fn new(
        judge: &'a dyn Judge,
        brought: Option<Secret>,
        values: &'a dyn Fn(&KeyId) -> Option<Secret>,
        switch: &'a dyn Fn(&KeyId, Call) -> Answer<()>,
    ) -> ByHand<'a> {
        ByHand { judge, brought, values, switch }
    }

    fn by_hand<T>(what: &str) -> Answer<T> {
        Answer::Refused(Refusal::Denied, format!("a person must {what} at the provider"))
    }
}

impl Provider for ByHand<'_> {
    fn propose(&self) -> Option<Secret> {
        self.brought.clone()
    }

    fn draws(&self) -> bool {
        self.brought.is_none()
    }

    fn create(&self, call: Call, wish: &Wish<'_>) -> Answer<Made> {
        let Some(value) = wish.value else { return ByHand::by_hand("make the key") };
        match (self.switch)(&KeyId(wish.name.to_owned()), call) {
            Answer::Done(()) => {}
            Answer::Refused(why, words) => return Answer::Refused(why, words),
            Answer::Unknown(words) => return Answer::Unknown(words),
        }
        match self.judge.life(value, call) {
            Life::Live => Answer::Done(Made { id: KeyId(wish.name.to_owned()), value: value.clone() }),
            Life::Dead => {
                Answer::Refused(Refusal::Denied, "the key that was brought does not work".to_owned())
            }
            Life::Unknown => Answer::Unknown("nothing proves that the key that was brought works".to_owned()),
        }
    }

    fn list(&self, _: Call) -> Answer<Vec<Listed>> {
        ByHand::by_hand("list the keys")
    }

    fn reveal(&self, _: Call, _: &KeyId) -> Answer<Option<Secret>> {
        Answer::Done(None)
    }

    fn verify(&self, call: Call, value: &Secret) -> Life {
        self.judge.life(value, call)
    }

    fn state(&self, call: Call, key: &KeyId) -> State {
        match (self.values)(key).map(|value| self.judge.life(&value, call)) {
            Some(Life::Live) => State::Enabled,
            Some(Life::Dead) => State::Gone,
            Some(Life::Unknown) | None => State::Unknown,
        }
    }

    fn disable(&self, _: Call, _: &KeyId) -> Answer<()> {
        ByHand::by_hand("switch the key off")
    }

    fn enable(&self, _: Call, _: &KeyId) -> Answer<()> {
        ByHand::by_hand("switch the key on")
    }

    fn delete(&self, call: Call, key: &KeyId) -> Answer<()> {
        match self.state(call, key) {
            State::Gone => Answer::Done(()),
            State::Enabled | State::Disabled => ByHand::by_hand("delete the key"),
            State::Unknown => Answer::Unknown("nothing proves that the key is dead".to_owned()),
        }
    }

    fn usage(&self, _: Call, _: &KeyId) -> Answer<Option<Figures>> {
        Answer::Done(None)
    }

    fn last_used(&self, _: Call, _: &KeyId) -> Answer<(Used, Moment)> {
        Answer::Done((Used::Unsaid, Moment(0)))
    }
}

#[cfg(test)]
mod tests {
    mod pool;

    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    struct Says(Cell<Life>);

    impl Judge for Says {
        fn life(&self, _: &Secret, _: Call) -> Life {
            self.0.get()
        }
    }

    #[test]
    fn what_a_person_did_is_proved() {
        let (judge, value) = (Says(Cell::new(Life::Live)), Secret::new(b"brought"));
        let call = Call { deadline: Instant::now() };
        let (name, like) = ("n", KeyId("old".into()));
        let wish = |value| Wish { name, token: "t", value, like: &like };
        let values = |key: &KeyId| (key.0 == "old").then(|| Secret::new(b"old"));
        let on = |_: &KeyId, _: Call| Answer::Done(());
        let hand = ByHand::new(&judge, Some(value.clone()), &values, &on);
        assert_eq!(hand.propose(), Some(value.clone()));
        assert!(matches!(hand.create(call, &wish(Some(&value))), Answer::Done(made) if made.value == value));
        assert!(matches!(hand.create(call, &wish(None)), Answer::Refused(..)));
        assert!(
            matches!(hand.delete(call, &like), Answer::Refused(Refusal::Denied, why) if why.contains("delete"))
        );
        judge.0.set(Life::Dead);
        assert!(matches!(hand.create(call, &wish(Some(&value))), Answer::Refused(..)));
        assert_eq!(hand.delete(call, &like), Answer::Done(()));
        judge.0.set(Life::Unknown);
        assert!(matches!(hand.create(call, &wish(Some(&value))), Answer::Unknown(_)));
        assert!(matches!(hand.delete(call, &like), Answer::Unknown(_)));
        let refused = |_: &KeyId, _: Call| Answer::Refused(Refusal::Busy, "later".to_owned());
        let pool = ByHand::new(&judge, None, &values, &refused);
        judge.0.set(Life::Live);
        assert!(pool.draws() && !hand.draws());
        assert!(matches!(pool.create(call, &wish(Some(&value))), Answer::Refused(Refusal::Busy, _)));
        judge.0.set(Life::Dead);
        let other = KeyId("other".into());
        assert_eq!(hand.state(call, &other), State::Unknown, "without its value nothing proves it dead");
    }
}
