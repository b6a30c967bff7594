//! Rules about where things stand, which no type can keep.
//!
//! Each failure names file, line and what to do. A rule that is in the way is
//! changed here, with its reason, and not worked around.

mod paths;
mod tree;

use std::collections::BTreeSet;

use paths::paths_of;
use tree::{files, folders, sources, text, words};

/// The longest Rust file, in lines.
const LINES_MAX: usize = 700;
/// What the core may depend on: nothing that reads, waits, or draws lots.
const CORE_DEPENDENCIES: [&str; 12] = [
    "arrayvec",
    "hex",
    "jiff",
    "minijinja",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "toml",
    "unicode-segmentation",
    "whatlang",
];
/// Vendors that are named nowhere outside their folders, beside those that have one.
const OTHER_VENDORS: [&str; 2] = ["hubspot", "salesforce"];

fn refuse(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

/// The vendors' folders: those whose `mod.rs` implements `Connector`.
fn vendors() -> Vec<(String, String)> {
    let with_text = folders("connectors").into_iter().filter_map(|name| {
        let text = text(&format!("connectors/{name}/mod.rs"))?;
        text.contains("impl Connector for").then_some((name, text))
    });
    with_text.collect()
}

#[test]
fn the_core_has_no_io() {
    let forbidden = ["tokio", "reqwest", "sled", "rand", "SystemTime", "Instant", "ThreadRng"];
    let forbidden_std = ["fs", "net", "env", "process", "thread", "io", "os"];
    let mut findings = Vec::new();
    for source in sources("src/core") {
        for line in source.lines.iter().filter(|line| !line.in_test) {
            for word in words(&line.code).filter(|word| forbidden.contains(word)) {
                findings.push(format!(
                    "{}:{}: `{word}`: take what it gives as an argument; IO, clocks and randomness belong to src/engine",
                    source.path, line.number
                ));
            }
        }
        for path in paths_of(&source).into_iter().filter(|path| !path.in_test) {
            let reaches = path.parts.first().is_some_and(|first| first == "std")
                && path.parts.get(1).is_some_and(|second| forbidden_std.contains(&second.as_str()));
            if reaches {
                findings.push(format!(
                    "{}:{}: `{}`: the core does no IO; do it in src/engine and hand the value in",
                    source.path,
                    path.line,
                    path.parts.join("::")
                ));
            }
        }
    }
    refuse("The core is values in, values out:", &findings);
}

#[test]
fn the_core_depends_on_what_decides_and_nothing_else() {
    let manifest = text("src/core/Cargo.toml").expect("the core's manifest");
    let mut section = "";
    let mut findings = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section.ends_with("dependencies") && section != "dev-dependencies" {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') && !CORE_DEPENDENCIES.contains(&name) {
                findings.push(format!(
                    "src/core/Cargo.toml:{}: `{name}`: use it in another package; if it only computes, add it to CORE_DEPENDENCIES in tests/layout/main.rs",
                    at + 1
                ));
            }
        }
    }
    refuse("The core's dependencies are an allow-list:", &findings);
}

#[test]
fn the_daemon_names_no_vendor() {
    let mut names: BTreeSet<String> = vendors().into_iter().map(|(name, _)| name).collect();
    names.extend(OTHER_VENDORS.map(str::to_owned));
    let mut findings = Vec::new();
    // The sandbox and the demo are made of vendors; the command line's help shows accounts of some.
    let exempt = ["src/demo/", "src/sandbox.rs", "src/cli/mod.rs"];
    let named = |path: &str| exempt.iter().any(|one| path.starts_with(one));
    for source in sources("src").into_iter().filter(|source| !named(&source.path)) {
        for line in source.lines.iter().filter(|line| !line.in_test) {
            let lower = line.spoken.to_lowercase();
            for name in names.iter().filter(|name| lower.contains(name.as_str())) {
                findings.push(format!(
                    "{}:{}: `{name}`: ask for what differs by `Capabilities` or a method of connectors/contract.rs",
                    source.path, line.number
                ));
            }
        }
    }
    refuse("Only a vendor's own folder, the sandbox and the demo name it:", &findings);
}

#[test]
fn every_vendor_is_registered() {
    let lib = text("connectors/lib.rs").expect("connectors/lib.rs");
    let registry: String = lib.lines().skip_while(|line| !line.contains("static REGISTRY")).collect();
    let mut findings = Vec::new();
    for (name, module) in vendors() {
        if !lib.lines().any(|line| line == format!("pub mod {name};")) {
            findings.push(format!("connectors/lib.rs: add the line `pub mod {name};`"));
        }
        if !words(&registry).any(|word| word == name) {
            let made = module.lines().find_map(|line| line.strip_prefix("pub static ")?.split(':').next());
            let made = made.unwrap_or("CONNECTOR");
            findings.push(format!("connectors/lib.rs: add `&{name}::{made}` to REGISTRY"));
        }
        if !module.contains(&format!("\"{name}\"")) {
            findings
                .push(format!("connectors/{name}/mod.rs: `name()` must be the folder's name, \"{name}\""));
        }
    }
    assert!(vendors().len() >= 3, "the walk finds the vendors' folders");
    refuse("A vendor that is not registered is not there:", &findings);
}

#[test]
fn simulators_know_nothing_of_their_adapters() {
    let mut findings = Vec::new();
    for (vendor, _) in vendors() {
        let prefix = format!("connectors/{vendor}/sim");
        for source in sources(&format!("connectors/{vendor}")) {
            if source.path != format!("{prefix}.rs") && !source.path.starts_with(&format!("{prefix}/")) {
                continue;
            }
            for path in paths_of(&source) {
                if let Some(module) = adapter_module(&source.path, &vendor, &path.parts) {
                    findings.push(format!(
                        "{}:{}: `{}`: write what the vendor documents, in the simulator's own words; a shared `{module}` would share its misreadings",
                        source.path,
                        path.line,
                        path.parts.join("::")
                    ));
                }
            }
        }
    }
    refuse("A simulator that reads the adapter's code proves nothing:", &findings);
}

/// The adapter's module that a path in a simulator reaches, if it does.
fn adapter_module<'a>(file: &str, vendor: &str, parts: &'a [String]) -> Option<&'a str> {
    let below = file.strip_prefix(&format!("connectors/{vendor}/"))?.strip_suffix(".rs")?;
    let depth = below.split('/').filter(|part| *part != "mod").count();
    let supers = parts.iter().take_while(|part| *part == "super").count();
    let from_crate = parts.first().is_some_and(|part| part == "crate") && parts.get(1)? == vendor;
    let at = match from_crate {
        true => 2,
        false if supers >= depth => supers,
        false => return None,
    };
    let module = parts.get(at)?.as_str();
    let file = format!("connectors/{vendor}/{module}");
    let is_there = text(&format!("{file}.rs")).or_else(|| text(&format!("{file}/mod.rs"))).is_some();
    (module != "sim" && (is_there || module == "*")).then_some(module)
}

#[test]
fn only_the_sled_backend_names_sled() {
    // The crate's own names: the module `store::sled` has others.
    let crates =
        ["Db", "Tree", "Config", "Mode", "Batch", "IVec", "Iter", "open", "transaction", "Transactional"];
    let mut findings = Vec::new();
    for source in ["src", "connectors", "xtask"].into_iter().flat_map(sources) {
        if source.path.starts_with("src/store/sled") {
            continue;
        }
        for path in paths_of(&source) {
            let named = |at: usize, name: &str| path.parts.get(at).is_some_and(|part| part == name);
            let absolute = named(0, "") && named(1, "sled");
            let bare =
                named(0, "sled") && path.parts.get(1).is_some_and(|part| crates.contains(&part.as_str()));
            if absolute || bare {
                findings.push(format!(
                    "{}:{}: `{}`: go through the `Store` trait, or put it into src/store/sled",
                    source.path,
                    path.line,
                    path.parts.join("::")
                ));
            }
        }
    }
    for manifest in ["src/core/Cargo.toml", "connectors/Cargo.toml", "xtask/Cargo.toml"] {
        let named = text(manifest).is_some_and(|text| text.lines().any(|line| line.starts_with("sled")));
        if named {
            findings.push(format!("{manifest}: only the package with src/store depends on sled"));
        }
    }
    refuse("sled is driven in one place:", &findings);
}

#[test]
fn no_file_is_too_long() {
    let too_long = sources("").into_iter().filter(|source| source.lines.len() > LINES_MAX).map(|source| {
        format!(
            "{}:{}: more than {LINES_MAX} lines: split it by what it is about",
            source.path,
            source.lines.len()
        )
    });
    refuse("A file is read in one sitting:", &too_long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do_later() {
    // Put together here, so that this file does not find itself.
    let macros = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!")];
    let marks = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];
    let mut findings = Vec::new();
    for source in sources("") {
        for line in &source.lines {
            let place = format!("{}:{}", source.path, line.number);
            for name in macros.iter().filter(|name| line.code.contains(**name)) {
                findings.push(format!("{place}: `{name}`: finish it or take it out"));
            }
            for mark in marks.iter().filter(|mark| words(&line.raw).any(|word| word == **mark)) {
                findings.push(format!("{place}: `{mark}`: do it, or write down as a limit what is missing"));
            }
            if line.code.contains("#[ignore]") {
                findings.push(format!("{place}: write `#[ignore = \"why\"]`, or let the test run"));
            }
        }
    }
    refuse("What is in the tree is finished:", &findings);
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let places = [concat!("/wo", "rk/"), concat!("/tmp", "/wt"), concat!("/home", "/")];
    let hosts = [
        concat!("crates", ".io"),
        concat!("py", "pi.org"),
        concat!("npm", "js."),
        concat!("ruby", "gems.org"),
        concat!("proxy.go", "lang.org"),
    ];
    let mut findings = Vec::new();
    for path in files("").into_iter().filter(|path| path != "Cargo.lock") {
        let Some(text) = text(&path) else { continue };
        for (at, line) in text.lines().enumerate() {
            for name in places.iter().chain(&hosts).filter(|name| line.contains(**name)) {
                findings.push(format!(
                    "{path}:{}: `{name}`: a path of one machine or a registry's host means nothing to a reader; say what it is",
                    at + 1
                ));
            }
        }
    }
    refuse("The tree names no machine and no registry:", &findings);
}

#[test]
fn documents_name_what_is_there() {
    let tops: BTreeSet<String> = folders("").into_iter().collect();
    let mut findings = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = text(document).unwrap_or_else(|| panic!("{document} is there"));
        for (at, line) in text.lines().enumerate() {
            for name in line.split('`').skip(1).step_by(2) {
                let is_path = name.split_once('/').is_some_and(|(top, _)| tops.contains(top));
                let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
                if is_path && plain && !tree::root().join(name).exists() {
                    findings.push(format!("{document}:{}: there is no `{name}`: name what is there", at + 1));
                }
            }
        }
    }
    let map = text("ARCHITECTURE.md").unwrap_or_default();
    for top in ["src", "connectors"] {
        for name in folders(top).into_iter().filter(|name| !map.contains(&format!("`{top}/{name}"))) {
            findings.push(format!("ARCHITECTURE.md: say in the code map what `{top}/{name}` is for"));
        }
    }
    refuse("The documents and the tree agree:", &findings);
}
