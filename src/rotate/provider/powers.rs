//! From what a rule declares to what the machine may rely on.

use crate::rotate::machine::{Class, Powers};
use crate::rotate::time::Span;
use crate::rule::{Capabilities, CreateClass};

/// What a rotation by the declared calls may rely on: only what there is a call for. None where no call makes a key,
/// where no calls are declared, or where the facts are not confirmed.
pub fn powers(head: &Capabilities) -> Option<Powers> {
    let calls = head.calls.as_deref().filter(|_| head.off.is_none())?;
    let class = match head.class {
        CreateClass::A => Class::A,
        CreateClass::B => Class::B,
        CreateClass::C => Class::C,
        CreateClass::D => Class::D,
        CreateClass::E => Class::E,
        CreateClass::F => Class::F,
        CreateClass::G => Class::G,
        CreateClass::None => return None,
    };
    Some(Powers {
        class,
        quota: head.keys.filter(|_| class.separate()),
        // A slot or a key that changes in place holds the new value as well.
        disable: class.separate() && calls.disable.is_some(),
        enable: class.separate() && calls.enable.is_some(),
        delete: !class.in_place() && calls.delete.is_some(),
        list: calls.list.is_some() || class == Class::F,
        usage: calls.usage.is_some(),
        propagation: Span::seconds(head.propagation),
        native_overlap: Span::seconds(head.native_overlap.unwrap_or(0)),
        chained: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_a_call_for_counts() {
        let head = |text: &str| powers(&toml::from_str(text).unwrap());
        assert!(head("class = 'C'\ncan = ['delete']").is_none());
        assert!(head("class = 'none'\n[calls]").is_none());
        assert!(head("class = 'C'\noff = 'not confirmed'\n[calls]").is_none());
        let bare = head("class = 'C'\ncan = ['delete', 'usage']\npropagation = 5\n[calls]").unwrap();
        assert!(!bare.delete && !bare.usage && !bare.list && bare.propagation == Span::seconds(5));
        let change = "{ change = { request = { method = 'DELETE', url = 'https://a.example' }, done = [] } }";
        let slots =
            head(&format!("class = 'F'\nkeys = 2\n[calls]\ndelete = {change}\ndisable = {change}")).unwrap();
        assert!(slots.delete && !slots.disable && slots.list && slots.quota.is_none());
        let placed = head(&format!("class = 'G'\nnative_overlap = 60\n[calls]\ndelete = {change}")).unwrap();
        assert!(!placed.delete && placed.native_overlap == Span::seconds(60));
    }
}
