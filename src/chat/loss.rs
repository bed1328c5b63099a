/// What leaving a thing out does to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer may be another than was asked for: refused unless the policy says otherwise.
    Meaning,
    /// The answer is as good: left out and counted.
    Hint,
}

/// Something of a request that a target's API cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The member's name as a label: `n`, `logit_bias`, `audio`. Never what a client made up.
    pub what: &'static str,
    pub effect: Effect,
    /// For the client: why not.
    pub reason: &'static str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    #[inline(never)]
    pub fn meaning(&mut self, what: &'static str, reason: &'static str) {
        self.push(Loss { what, effect: Effect::Meaning, reason });
    }

    #[inline(never)]
    pub fn hint(&mut self, what: &'static str, reason: &'static str) {
        self.push(Loss { what, effect: Effect::Hint, reason });
    }

    fn push(&mut self, loss: Loss) {
        if !self.0.iter().any(|known| known.what == loss.what && known.effect == loss.effect) {
            self.0.push(loss);
        }
    }

    pub fn extend(&mut self, more: Self) {
        for loss in more.0 {
            self.push(loss);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    /// The first that changes what the answer means.
    pub fn worst(&self) -> Option<&Loss> {
        self.0.iter().find(|loss| loss.effect == Effect::Meaning)
    }
}
