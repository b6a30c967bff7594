//! `cargo xtask test`: the steps, in order, with their times.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{prism, sizes};

/// Recorded conversations beside the checkout, played through the demo where they are.
const RECORDED: &str = "../shared/corpus/airline-agent-chats.jsonl";
/// The daemon as the smoke runs it.
const DAEMON: &str = "handoffd";

/// What came of a step.
enum Came {
    Passed,
    /// Not run, with the reason.
    NotRun(String),
}

struct Step {
    name: &'static str,
    /// Whether `--fast` runs it too.
    fast: bool,
    run: fn(&Path) -> Result<Came>,
}

const STEPS: [Step; 8] = [
    Step { name: "formatting", fast: true, run: formatting },
    Step { name: "lints", fast: true, run: lints },
    Step { name: "dependencies", fast: false, run: dependencies },
    Step { name: "mock server", fast: true, run: mock_server },
    Step { name: "tests", fast: true, run: tests },
    Step { name: "documentation tests", fast: false, run: documentation_tests },
    Step { name: "demo", fast: false, run: demo },
    Step { name: "demo with recorded conversations", fast: false, run: recorded },
];

/// Runs the steps; the first that fails ends it.
pub fn test(root: &Path, fast: bool) -> Result<()> {
    let started = sizes::now();
    let mut summary = Vec::new();
    for step in STEPS.iter().filter(|step| step.fast || !fast) {
        println!("\n==== {} ====", step.name);
        let begun = sizes::now();
        let came = (step.run)(root);
        let secs = begun.elapsed().as_secs_f64();
        match came {
            Ok(Came::Passed) => summary.push(format!("passed    {secs:>6.1} s  {}", step.name)),
            Ok(Came::NotRun(why)) => {
                println!("not run: {} because {why}", step.name);
                summary.push(format!("not run   {secs:>6.1} s  {} because {why}", step.name));
            }
            Err(error) => {
                summary.push(format!("FAILED    {secs:>6.1} s  {}", step.name));
                print_summary(&summary, started.elapsed().as_secs_f64());
                return Err(error.context(format!("{} failed", step.name)));
            }
        }
    }
    if fast {
        summary.push("not run             everything else, because of --fast".to_owned());
    }
    print_summary(&summary, started.elapsed().as_secs_f64());
    println!("everything that was run passed");
    Ok(())
}

fn print_summary(lines: &[String], secs: f64) {
    println!("\n==== summary ====");
    for line in lines {
        println!("{line}");
    }
    println!("in all    {secs:>6.1} s");
}

fn formatting(root: &Path) -> Result<Came> {
    cargo(root, &["fmt", "--all", "--check"])
}

/// Counts as `cargo check` too: nothing else compiles without linking.
fn lints(root: &Path) -> Result<Came> {
    cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn dependencies(root: &Path) -> Result<Came> {
    if !has(root, &["deny", "--version"]) {
        let how = "cargo-deny is not installed; install it with `cargo install --locked cargo-deny`, \
                   then run `cargo deny check bans licenses sources`";
        return Ok(Came::NotRun(how.to_owned()));
    }
    cargo(root, &["deny", "check", "bans", "licenses", "sources"])
}

fn mock_server(root: &Path) -> Result<Came> {
    if !root.join(prism::DESCRIPTIONS).exists() {
        return Ok(Came::NotRun(format!("{} is absent", prism::DESCRIPTIONS)));
    }
    prism::install(root, &target(root))?;
    Ok(Came::Passed)
}

fn tests(root: &Path) -> Result<Came> {
    let mut command = if has(root, &["nextest", "--version"]) {
        cargo_command(root, &["nextest", "run", "--workspace"])
    } else {
        println!("cargo-nextest is not installed; `cargo test` runs the same tests");
        cargo_command(root, &["test", "--workspace", "--lib", "--bins", "--tests"])
    };
    if root.join(prism::DESCRIPTIONS).exists() {
        command.env(prism::PROGRAM, prism::program(&target(root)));
    }
    run(&mut command)
}

fn documentation_tests(root: &Path) -> Result<Came> {
    cargo(root, &["test", "--doc", "--workspace"])
}

fn demo(root: &Path) -> Result<Came> {
    // The binary that the end-to-end tests were built with: another build, with
    // other features or in release, would double the time and show nothing more.
    daemon(root, &["demo", "--once"])
}

fn recorded(root: &Path) -> Result<Came> {
    if !root.join(RECORDED).exists() {
        return Ok(Came::NotRun(format!("{RECORDED} is absent")));
    }
    daemon(root, &["demo", "--once", "--load", RECORDED])
}

fn daemon(root: &Path, args: &[&str]) -> Result<Came> {
    let built = target(root).join("debug").join(DAEMON);
    let built = fs::canonicalize(&built).with_context(|| format!("{} is not there", built.display()))?;
    run(Command::new(built).args(args).current_dir(root))
}

/// Where cargo builds.
pub fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

fn cargo(root: &Path, args: &[&str]) -> Result<Came> {
    run(&mut cargo_command(root, args))
}

fn cargo_command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root);
    command
}

/// Whether cargo knows a subcommand.
fn has(root: &Path, args: &[&str]) -> bool {
    let mut command = cargo_command(root, args);
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<Came> {
    let shown = shown(command);
    println!("$ {shown}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("{shown} cannot be started"))?;
    match status.success() {
        true => Ok(Came::Passed),
        false => bail!("`{shown}` ended with {status}"),
    }
}

fn shown(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    [program].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}
