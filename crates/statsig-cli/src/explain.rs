//! `statsig explain`: the way of one user to one value.

mod store;
mod tree;

use clap::{Args, ValueEnum};
use serde::Serialize;
use statsig::StatsigUser;

use crate::conditions::Conditions;
use crate::eval::notices;
use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::likeness::Likeness;
use crate::input::source::Source;
use crate::input::survey::Survey;
use crate::input::user::{self, Rejected};
use crate::input::users::no_users;
use crate::output::{self, Output};
use crate::presentation::Presentation;
use crate::questions::{Asked, Questions};
use crate::text::{Paint, quoted};
use crate::warnings::Warnings;
use tree::Tree;

const EXAMPLES: &str = "\
Examples:
  statsig explain --specs specs.json --user '{\"userID\": \"u-1\"}' experiment button_color_v3
  statsig explain --specs specs.json --user \"$(sed -n 7p users.jsonl)\" gate new_editor --format json
  statsig explain --specs specs.json --user '{\"userID\": \"u-1\"}' store sidebar";

/// Explains step by step how a user comes to a value
///
/// Shows every rule in order, and of each rule every condition: the value seen, the operator, the target, the outcome;
/// the user's bucket beside the threshold of each percentage; nested gates, delegated experiments, and the exposure
/// that the evaluation would log; of a parameter store, what each parameter refers to, and how that comes about. Values
/// of private attributes are never shown.
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Explain {
    /// The user, as JSON
    #[arg(long, value_name = "JSON")]
    user: String,
    /// The kind of value
    #[arg(value_enum)]
    kind: Kind,
    /// Its name
    name: String,

    #[command(flatten)]
    presentation: Presentation,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    conditions: Conditions,
}

/// Kinds of values that can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A gate, segment or holdout
    Gate,
    /// A dynamic config or autotune
    Config,
    /// An experiment
    Experiment,
    /// A layer
    Layer,
    /// A parameter store
    Store,
}

impl Explain {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        output::refuse_inputs(None, self.source.files().chain(self.conditions.files()))?;
        let user = self.user(warnings)?;
        let statsig = self.conditions.client(&self.source, &self.source.read(warnings)?, warnings)?;
        let hint = |kind: &str, name: &str| format!("statsig explain … {kind} {}", quoted(name));
        Questions::new(&statsig, &self.asked()).warn_of_unknown(&statsig, hint, warnings);
        let mut output = Output::stdout();
        let mut tree = Tree {
            out: String::new(),
            paint: Paint { styled: output.styled() },
            width: self.presentation.line_width(&output),
        };
        let explanation = match self.kind {
            Kind::Gate => statsig.explain_gate(&user, &self.name),
            Kind::Config => statsig.explain_config(&user, &self.name),
            Kind::Experiment => statsig.explain_experiment(&user, &self.name),
            Kind::Layer => statsig.explain_layer(&user, &self.name),
            Kind::Store => {
                let explanation = store::explain(&statsig, &user, &self.name, self.conditions.now_ms());
                let text = if self.presentation.is_json() {
                    json(&explanation)
                } else {
                    explanation.push(&mut tree);
                    tree.out
                };
                output.write(text.as_bytes())?;
                return output.finish().map(|()| Ending::Clean);
            }
        };
        let text = if self.presentation.is_json() {
            json(&explanation)
        } else {
            tree.push(&explanation, 0);
            tree.out
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        Ok(Ending::Clean)
    }

    fn user(&self, warnings: Warnings) -> Result<StatsigUser, Failure> {
        let text = self.user.as_bytes();
        if let Some(likeness) = Likeness::of_users(text) {
            return Err(no_users("--user", likeness));
        }
        let user = user::parse(text).map_err(|rejected| {
            let Rejected { column, message } = rejected;
            Failure::input(anyhow::anyhow!("--user: column {column}: {message}"))
        })?;
        notices::of_user("--user", Survey::of(text)).iter().for_each(|warning| warnings.warn(warning));
        Ok(user)
    }

    fn asked(&self) -> Asked<'_> {
        let name = std::slice::from_ref(&self.name);
        let asked = Asked::default();
        match self.kind {
            Kind::Gate => Asked { gates: name, ..asked },
            Kind::Config => Asked { configs: name, ..asked },
            Kind::Experiment => Asked { experiments: name, ..asked },
            Kind::Layer => Asked { layers: name, ..asked },
            Kind::Store => Asked { stores: name, ..asked },
        }
    }
}

fn json(explanation: &impl Serialize) -> String {
    // An explanation is plain data; it always serializes.
    let mut text = serde_json::to_string_pretty(explanation).unwrap_or_default();
    text.push('\n');
    text
}
