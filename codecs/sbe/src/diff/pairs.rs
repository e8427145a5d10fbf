//! The pairs of corresponding parts of two schemas.

use std::collections::HashMap;
use std::hash::Hash;

/// The identity of a part.
pub(super) struct Key<'k> {
    /// Its id; members of types have none.
    pub(super) id: Option<u32>,
    pub(super) name: &'k str,
    /// Whether its `sinceVersion` says that the old schema has no such part.
    pub(super) is_new: bool,
}

/// The pairs of a list of parts.
pub(super) struct Pairs {
    /// The place in the new list of each part of the old one.
    pub(super) places: Vec<Option<usize>>,
    /// Places of new parts that are no old one's.
    pub(super) added: Vec<usize>,
}

/// Pairs parts by id and name, then by name, then by id: names outlast ids where ids number positions,
/// and ids outlast names where parts are renamed. A part that says it is new is no old one under
/// another name or id. No part is in two pairs.
pub(super) fn pair<'t, T>(was: &'t [T], now: &'t [T], key: impl Fn(&'t T) -> Key<'t>) -> Pairs {
    let mut pairing = Pairing {
        places: vec![None; was.len()],
        taken: vec![false; now.len()],
    };
    let (old, new): (Vec<_>, Vec<_>) = (
        was.iter().map(&key).collect(),
        now.iter().map(&key).collect(),
    );
    pairing.step(&old, &new, |k| k.id.map(|id| (id, k.name)), |_| true);
    pairing.step(&old, &new, |k| Some(k.name), |k| !k.is_new);
    pairing.step(&old, &new, |k| k.id, |k| !k.is_new);
    let added = (0..now.len()).filter(|at| !pairing.taken[*at]).collect();
    Pairs {
        places: pairing.places,
        added,
    }
}

struct Pairing {
    places: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairing {
    /// Pairs what is left by one aspect; what repeats is paired in order.
    fn step<'k, A: Hash + Eq>(
        &mut self,
        old: &'k [Key<'k>],
        new: &'k [Key<'k>],
        aspect: impl Fn(&'k Key<'k>) -> Option<A>,
        may: impl Fn(&Key<'_>) -> bool,
    ) {
        let mut left: HashMap<A, Vec<usize>> = HashMap::new();
        for (at, key) in new.iter().enumerate().rev() {
            if !self.taken[at]
                && may(key)
                && let Some(aspect) = aspect(key)
            {
                left.entry(aspect).or_default().push(at);
            }
        }
        for (key, place) in old
            .iter()
            .zip(&mut self.places)
            .filter(|(_, p)| p.is_none())
        {
            let same = aspect(key).and_then(|aspect| left.get_mut(&aspect));
            if let Some(at) = same.and_then(Vec::pop) {
                *place = Some(at);
                self.taken[at] = true;
            }
        }
    }
}
