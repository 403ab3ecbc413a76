//! Writes the exposures and events of a morning to a file: run it in the root of the workspace.
//!
//! `cargo run --package exposures-to-file -- exposures.jsonl`

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use statsig::{CustomEvent, Getters, JsonlFileSink, Statsig, StatsigUser};

/// Longest time to wait for the file.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "exposures.jsonl".into());
    let specs = std::fs::read("examples/specs/demo_project.json")?;
    let sink = JsonlFileSink::open(&path)?;
    // There is no tokio runtime here, so the client works on a thread of its own.
    let statsig = Statsig::builder().bootstrap(specs).environment("production").event_sink(Arc::new(sink)).build()?;

    for line in BufReader::new(std::fs::File::open("examples/users.jsonl")?).lines() {
        let user: StatsigUser = serde_json::from_str(&line?)?;
        // Twice: the second visit within a minute is no further exposure.
        for _visit in 0..2 {
            visit(&statsig, &user);
        }
    }

    // Everything from before this line is in the file when it returns, or the report says why not.
    let report = statsig.flush_events_blocking(PATIENCE);
    println!("flushed: {} written, {} failed, {} pending", report.delivered, report.failed, report.pending);

    let ben = StatsigUser::with_user_id("u-2");
    statsig.log_custom_event(&ben, &CustomEvent::new("order_paid").value(12.5).metadata("plan", "team"));
    let report = statsig.shutdown_blocking(PATIENCE).events;
    println!("shut down: {} written, {} failed", report.delivered, report.failed);

    let (stats, exposures) = (statsig.event_stats(), statsig.exposure_counts());
    println!(
        "accepted {} = delivered {} + pending {} + dropped {}",
        stats.accepted,
        stats.delivered,
        stats.pending,
        stats.dropped.total()
    );
    println!("left out as repeated: {}", exposures.deduplicated);
    if !report.is_complete() || stats.dropped.total() > 0 {
        return Err("some events are not in the file".into());
    }
    Ok(())
}

/// What a page asks.
fn visit(statsig: &Statsig, user: &StatsigUser) {
    let dark = statsig.check_gate(user, "dark_mode");
    let color = statsig.get_experiment(user, "button_color_v3").get_string("Button Color", "blue");
    // Getting a layer is no exposure, reading a parameter of it is.
    let home = statsig.get_layer(user, "home_screen");
    let hero = home.get_string("hero", "classic");
    let _page = (dark, color, hero);
}
