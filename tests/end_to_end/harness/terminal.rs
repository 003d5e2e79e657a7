//! A real terminal to type into: a tmux server of the test's own, with one shell in it.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{command, installed, poll, run, scratch};

/// A terminal of 200 columns and 50 lines with bash in it; closing it hangs up on whatever runs there.
pub struct Terminal {
    directory: TempDir,
    tmux: PathBuf,
}

impl Terminal {
    /// Opens one and waits for the prompt. `environment` is what the shell gets beside the tests' own.
    pub fn open() -> Self {
        let terminal = Self {
            directory: scratch(),
            tmux: installed("tmux"),
        };
        let mut start = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "200",
            "-y",
            "50",
        ]);
        start.args([
            "env",
            "PS1=ready> ",
            "HISTFILE=/dev/null",
            "bash",
            "--norc",
            "--noprofile",
        ]);
        // tmux is told to forget where it was started from.
        start.env_remove("TMUX").env("SHELL", "/bin/sh");
        run(start).exited(0);
        terminal.until("ready>");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut tmux = command(&self.tmux);
        // -u: the screen is UTF-8 whatever the locale.
        tmux.arg("-u")
            .arg("-S")
            .arg(self.directory.path().join("socket"))
            .args(arguments);
        tmux
    }

    /// Types a line and Enter.
    pub fn line(&self, text: &str) {
        run(self.tmux(&["send-keys", "-l", text])).exited(0);
        self.key("Enter");
    }

    /// Presses one key, as tmux names it: `C-c`, `C-z`, `C-\\`, `Enter`.
    pub fn key(&self, name: &str) {
        run(self.tmux(&["send-keys", name])).exited(0);
    }

    /// What the screen shows, scrolled-off lines included, without the empty end; wrapped lines joined.
    pub fn screen(&self) -> String {
        run(self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]))
            .exited(0)
            .stdout
            .text()
            .trim_end()
            .to_owned()
    }

    /// The same with its colours as escape sequences.
    pub fn colours(&self) -> String {
        run(self.tmux(&["capture-pane", "-p", "-e", "-J", "-S", "-"]))
            .exited(0)
            .stdout
            .text()
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub fn until(&self, text: &str) -> String {
        self.until_it(text, |screen| screen.contains(text))
    }

    /// Waits for the screen to satisfy a condition.
    #[track_caller]
    pub fn until_it(&self, what: &str, check: impl Fn(&str) -> bool) -> String {
        poll(|| Some(self.screen()).filter(|screen| check(screen))).unwrap_or_else(|| {
            panic!(
                "waited in vain for {what:?} on this screen:\n{}",
                self.screen()
            )
        })
    }

    /// Closes the terminal: what runs in it gets SIGHUP.
    pub fn hang_up(&self) {
        run(self.tmux(&["kill-server"]));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.hang_up();
    }
}
