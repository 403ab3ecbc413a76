//! `statsig explain`: how one user comes to one value.

use anstyle::Style;
use clap::{Args, ValueEnum};
use statsig::StatsigUser;
use statsig::explain::{Explanation, Role};

use crate::args::{Conditions, Warnings};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::input::source::Source;
use crate::input::users;
use crate::output::Output;
use crate::questions::{Asked, Questions};
use crate::text::{self, Paint};

const EXAMPLES: &str = "\
Examples:
  statsig explain --specs specs.json --user '{\"userID\": \"u-1\"}' experiment button_color_v3
  statsig explain --specs specs.json --user \"$(sed -n 7p users.jsonl)\" gate new_editor --format json";

/// Explains step by step how a user comes to a value
///
/// Shows every rule in order, and of each rule every condition: the value seen, the operator, the target, the outcome;
/// the user's bucket beside the threshold of each percentage; nested gates, delegated experiments, and the exposure
/// that the evaluation would log. Values of private attributes are never shown.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Explain {
    /// The user, as JSON
    #[arg(long, value_name = "JSON")]
    user: String,
    /// What to explain
    #[arg(value_enum)]
    kind: Kind,
    /// Its name
    name: String,

    /// How the explanation is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// No warnings
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    conditions: Conditions,
}

/// What can be explained.
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
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An indented tree
    Text,
    /// One JSON object
    Json,
}

impl Explain {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<Ending, Failure> {
        let warnings = Warnings { quiet: self.quiet };
        let user = self.user()?;
        let statsig = self.conditions.client(&self.source, &self.source.read(warnings)?, warnings)?;
        Questions::new(&statsig, &self.asked()).warn_of_unknown(&statsig, warnings);
        let explanation = match self.kind {
            Kind::Gate => statsig.explain_gate(&user, &self.name),
            Kind::Config => statsig.explain_config(&user, &self.name),
            Kind::Experiment => statsig.explain_experiment(&user, &self.name),
            Kind::Layer => statsig.explain_layer(&user, &self.name),
        };
        let mut output = Output::stdout();
        let text = match self.format {
            Format::Text => tree(&explanation, Paint { styled: output.styled() }),
            Format::Json => json(&explanation),
        };
        output.write(text.as_bytes())?;
        output.finish()?;
        Ok(Ending::Clean)
    }

    fn user(&self) -> Result<StatsigUser, Failure> {
        users::parse(self.user.as_bytes()).map_err(|rejected| {
            let users::Rejected { column, message } = rejected;
            Failure::input(anyhow::anyhow!("--user: column {column}: {message}"))
        })
    }

    fn asked(&self) -> Asked<'_> {
        let name = std::slice::from_ref(&self.name);
        let asked = Asked::default();
        match self.kind {
            Kind::Gate => Asked { gates: name, ..asked },
            Kind::Config => Asked { configs: name, ..asked },
            Kind::Experiment => Asked { experiments: name, ..asked },
            Kind::Layer => Asked { layers: name, ..asked },
        }
    }
}

fn json(explanation: &Explanation) -> String {
    // An explanation is plain data; it always serializes.
    let mut text = serde_json::to_string_pretty(explanation).unwrap_or_default();
    text.push('\n');
    text
}

fn tree(explanation: &Explanation, paint: Paint) -> String {
    let mut out = String::new();
    for line in explanation.lines() {
        out.push_str(&"  ".repeat(line.depth));
        for span in &line.spans {
            paint.push(&mut out, style(span.role), &span.text);
        }
        out.push('\n');
    }
    out
}

fn style(role: Role) -> Style {
    match role {
        Role::Pass => text::ON,
        Role::Fail => text::OFF,
        Role::Trouble => text::WARNING,
        Role::Name => text::HEADING,
        Role::Value => text::VALUE,
        Role::Note => text::FAINT,
        _ => text::PLAIN,
    }
}
