//! What a provider knows of its keys.

use serde_json::Value;

/// A key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) value: String,
    /// Its public part, where it has one.
    pub(crate) public: String,
    pub(crate) off: bool,
    /// Milliseconds since 1970.
    pub(crate) created: i64,
    pub(crate) used: Option<i64>,
    /// Former values and when each ends.
    pub(crate) former: Vec<(String, i64)>,
    /// When it ends by itself.
    pub(crate) ends: Option<i64>,
    /// What else was asked for when it was made.
    pub(crate) asked: Value,
}

/// The record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) keys: Vec<Key>,
    pub(crate) made: u32,
    /// The administrator's credential that is accepted.
    pub(crate) admin: String,
    /// How many keys there is room for.
    pub(crate) room: Option<usize>,
    /// Breaks its word: milliseconds after a new key, the others are dead.
    pub(crate) lies: Option<i64>,
}

impl Book {
    /// A value as this service makes them.
    pub(crate) fn fresh(&mut self) -> String {
        self.made += 1;
        format!("value-{}-{}", self.made, "0a1b2c3d".repeat(3))
    }

    pub(crate) fn full(&self) -> bool {
        self.room.is_some_and(|room| self.keys.len() >= room)
    }

    /// Makes a key.
    pub(crate) fn add(&mut self, name: &str, value: String, asked: Value, now: i64) -> Key {
        self.keep_no_word(now);
        self.made += 1;
        let id = format!("key_{}", self.made + 100);
        let key = Key { id, name: name.to_owned(), value, created: now, asked, ..Key::default() };
        self.keys.push(key.clone());
        key
    }

    /// What a liar does once a new key is made.
    pub(crate) fn keep_no_word(&mut self, now: i64) {
        if let Some(after) = self.lies {
            for key in &mut self.keys {
                key.ends = Some(now + after);
                for (_, ends) in &mut key.former {
                    *ends = now + after;
                }
            }
        }
    }

    pub(crate) fn key(&mut self, id: &str) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        self.keys.len() < before
    }

    /// The key that has a value which works, or would if it were not off.
    pub(crate) fn of_value(&self, value: &str, now: i64) -> Option<&Key> {
        self.keys.iter().find(|key| {
            let current = key.value == value && key.ends.is_none_or(|ends| now < ends);
            current || key.former.iter().any(|(former, ends)| former == value && now < *ends)
        })
    }

    pub(crate) fn works(&self, value: &str, now: i64) -> bool {
        self.of_value(value, now).is_some_and(|key| !key.off)
    }

    /// A client's call: whether it worked.
    pub(crate) fn used(&mut self, value: &str, now: i64) -> bool {
        let id = self.of_value(value, now).filter(|key| !key.off).map(|key| key.id.clone());
        let key = id.and_then(|id| self.key(&id));
        key.map(|key| key.used = Some(now)).is_some()
    }
}
