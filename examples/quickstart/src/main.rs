//! The example of the README: run it in the root of the workspace.

use statsig::{Getters, Statsig, StatsigUser};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let specs = std::fs::read("examples/specs/demo_project.json")?;
    let statsig = Statsig::builder().bootstrap(specs).build()?;
    let user = StatsigUser::builder().user_id("u-2").custom("plan", "team").build();

    if statsig.check_gate(&user, "dark_mode") {
        println!("a dark page");
    }
    let experiment = statsig.get_experiment(&user, "button_color_v3");
    let color = experiment.get_string("Button Color", "blue");
    println!("a button in {color}: rule {}, {}", experiment.rule_id(), experiment.details());

    println!("{}", statsig.explain_experiment(&user, "button_color_v3"));
    Ok(())
}
