//! The real binary as a child: its output is kept, its end is ours.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How long a child may take for what a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Variables that would lead a child's requests, or its configuration, elsewhere.
const CLEARED: [&str; 9] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "no_proxy",
    "RUST_LOG",
    "HANDOFFD_CONFIG",
];

/// How long a command may take. One that writes waits for what is due within two minutes, as
/// looks after lost answers and what a vendor's limit put off.
const COMMAND_WITHIN: Duration = Duration::from_secs(240);

/// A `handoffd` that runs. It is killed when dropped.
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// How a `handoffd` ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

type Lines = Arc<Mutex<Vec<String>>>;

impl Process {
    /// Starts the binary with these arguments and these additional variables.
    pub fn start(args: &[&str], variables: &[(String, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handoffd"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in CLEARED {
            command.env_remove(name);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the binary starts");
        let (stdout, out) = collected(child.stdout.take().expect("a pipe"));
        let (stderr, err) = collected(child.stderr.take().expect("a pipe"));
        Self { child, stdout, stderr, readers: vec![out, err] }
    }

    /// Runs the binary to its end.
    pub fn run(args: &[&str], variables: &[(String, String)]) -> Ended {
        Self::start(args, variables).ended(COMMAND_WITHIN)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().expect("no reader panics").clone()
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().expect("no reader panics").clone()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Waits for a line of standard output that fits.
    pub fn wait_for_line(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            if let Some(line) = self.stdout().into_iter().find(|line| fits(line)) {
                return line;
            }
            assert!(self.runs() && began.elapsed() < 2 * PATIENCE, "no such line: {:?}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: std knows SIGKILL alone.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.expect("a shell").success());
    }

    /// Asks it to stop and waits for the end.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended(PATIENCE)
    }

    /// Ends it without a warning.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("it can be killed");
        self.ended(PATIENCE)
    }

    /// Waits for its end.
    pub fn ended(mut self, within: Duration) -> Ended {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child can be asked") {
                Some(status) => break status,
                None => assert!(began.elapsed() < within, "it does not end: {:?}", self.said()),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        let joined = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect();
        Ended { code: status.code(), stdout: joined(self.stdout()), stderr: joined(self.stderr()) }
    }

    fn said(&self) -> (Vec<String>, Vec<String>) {
        (self.stdout(), self.stderr())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts that none of the secrets was written anywhere.
    #[track_caller]
    pub fn without(self, secrets: &[String]) -> Self {
        assert_without(secrets, &self.stdout);
        assert_without(secrets, &self.stderr);
        self
    }
}

/// Asserts that a text holds none of the secrets.
#[track_caller]
pub fn assert_without(secrets: &[String], text: &str) {
    assert!(!secrets.is_empty(), "a check against no secrets proves nothing");
    for secret in secrets {
        assert!(secret.len() >= 8, "{secret:?} is too short to be looked for");
        assert!(!text.contains(secret.as_str()), "the secret {secret:?} is in: {text}");
    }
}

fn collected(pipe: impl Read + Send + 'static) -> (Lines, std::thread::JoinHandle<()>) {
    let lines = Lines::default();
    let kept = lines.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            kept.lock().expect("nobody panics with it").push(line);
        }
    });
    (lines, reader)
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
