//! How a provider makes keys, and what it can do: data that decides how a lost answer is made good.

use crate::rotate::time::Span;
use serde::{Deserialize, Serialize};

/// How a provider makes a key. It decides what is done when the answer to a creation is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// A: we choose the value. It is sealed first, so that it can be sent again.
    A,
    /// B: we choose a token under which a repetition gives the same key.
    B,
    /// C: we choose a name. A key whose value was lost is found by it, deleted, and made anew.
    C,
    /// D: nothing of ours marks the key and there is room for few. What was not there before is ours only if
    /// it was made after our intent and never used.
    D,
    /// E: the value can be read afterwards. A key whose answer was lost is found by name and adopted.
    E,
    /// F: a fixed pair of slots. Making a key regenerates the idle one.
    F,
    /// G: the key is changed in place and the provider's own clock ends the old value.
    G,
}

/// How the machine looks for a key whose creation has an unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// Ask whether the value that we chose works.
    Value,
    /// Send the same creation again under the same token.
    Repeat,
    /// Look for the name of this attempt.
    Name,
    /// Compare the list with the one taken before.
    Surplus,
    /// Compare the idle slot's value with the one before.
    Slot,
    /// Ask whether the value was changed since.
    Changed,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Class; 7] = [Class::A, Class::B, Class::C, Class::D, Class::E, Class::F, Class::G];

    /// How a lost creation is looked for.
    pub fn look(self) -> Look {
        match self {
            Class::A => Look::Value,
            Class::B => Look::Repeat,
            Class::C | Class::E => Look::Name,
            Class::D => Look::Surplus,
            Class::F => Look::Slot,
            Class::G => Look::Changed,
        }
    }

    /// Whether a creation that did not happen is made again as the same attempt: the same value, token or slot.
    pub fn same_attempt(self) -> bool {
        matches!(self, Class::A | Class::B | Class::F)
    }

    /// Whether each key is a thing of its own that can be left over.
    pub fn separate(self) -> bool {
        !matches!(self, Class::F | Class::G)
    }

    /// Whether a creation needs the list of what is there taken just before it.
    pub fn needs_list(self) -> bool {
        matches!(self, Class::D | Class::F | Class::G)
    }

    /// Whether the making of the new key itself ends the old one.
    pub fn in_place(self) -> bool {
        self == Class::G
    }
}

/// What a provider can do for one lineage, frozen into the rotation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Powers {
    /// How it makes keys.
    pub class: Class,
    /// How many keys there is room for, if that is few.
    pub quota: Option<u32>,
    /// Whether a key can be switched off.
    pub disable: bool,
    /// Whether a key that was switched off can be switched on again.
    pub enable: bool,
    /// Whether a key can be deleted (for slots: regenerated).
    pub delete: bool,
    /// Whether keys can be listed.
    pub list: bool,
    /// Whether it gives the use of one key.
    pub usage: bool,
    /// How long a change takes to show everywhere.
    pub propagation: Span,
    /// With class G: how long the old value goes on working.
    pub native_overlap: Span,
    /// With class G: whether a second change leaves the first old value its time.
    pub chained: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_makes_the_same_attempt_again_is_safe_to_repeat() {
        for class in Class::ALL {
            // A name or a list marks one attempt; a value, token or slot marks all.
            let marked = matches!(class.look(), Look::Value | Look::Repeat | Look::Slot);
            assert_eq!(class.same_attempt(), marked, "{class:?}");
            assert_eq!(class.separate(), !matches!(class, Class::F | Class::G));
        }
    }
}
