//! What the place where the trace goes can show: colours, more than ASCII, and how wide it is.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use crate::cli::When;

/// What the output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether to use colours.
    pub colours: bool,
    /// Whether to write more than ASCII.
    pub unicode: bool,
    /// Columns; nothing where it is no terminal, or one that does not tell.
    pub width: Option<usize>,
}

impl Abilities {
    /// Those of an open output, in this process's environment; a pipe to a command has no descriptor worth asking.
    pub fn of(output: Option<BorrowedFd<'_>>, when: When) -> Self {
        let environment = |name: &str| std::env::var_os(name);
        let is_terminal = output.is_some_and(|output| output.is_terminal());
        Self {
            colours: colours(when, is_terminal, environment),
            unicode: unicode(environment),
            width: output
                .and_then(terminal_size::terminal_size_of)
                .map(|(width, _)| usize::from(width.0))
                .filter(|width| *width > 0),
        }
    }
}

/// Whether to use colours. `--color always` and `never` say it; otherwise NO_COLOR (<https://no-color.org>) and a dumb
/// terminal mean no, CLICOLOR_FORCE (<https://bixense.com/clicolors/>) means yes, and then a terminal does.
pub fn colours(
    when: When,
    is_terminal: bool,
    environment: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let set = |name| environment(name).is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto
            if environment("CLICOLOR_FORCE")
                .is_some_and(|value| !value.is_empty() && value != "0") =>
        {
            true
        }
        When::Auto => is_terminal && environment("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// Whether the locale's character set is UTF-8, by the first of LC_ALL, LC_CTYPE and LANG that is set (locale(7)).
pub fn unicode(environment: impl Fn(&str) -> Option<OsString>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(environment)
        .find(|value| !value.is_empty())
        .is_some_and(|locale| names_utf8(&locale))
}

/// Whether a locale such as `ko_KR.UTF-8@euro` names UTF-8 as its character set.
fn names_utf8(locale: &OsStr) -> bool {
    let set = locale
        .as_bytes()
        .split(|byte| *byte == b'.')
        .nth(1)
        .unwrap_or_default();
    let set = set.split(|byte| *byte == b'@').next().unwrap_or_default();
    set.eq_ignore_ascii_case(b"UTF-8") || set.eq_ignore_ascii_case(b"UTF8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        move |name| {
            set.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        }
    }

    #[test]
    fn colours_by_themselves_are_for_terminals() {
        assert!(colours(When::Auto, true, environment(&[("TERM", "xterm")])));
        assert!(colours(When::Auto, true, environment(&[])));
        assert!(!colours(
            When::Auto,
            false,
            environment(&[("TERM", "xterm")])
        ));
        assert!(!colours(When::Auto, true, environment(&[("TERM", "dumb")])));
    }

    #[test]
    fn the_flag_has_the_last_word() {
        assert!(colours(
            When::Always,
            false,
            environment(&[("NO_COLOR", "1"), ("TERM", "dumb")])
        ));
        assert!(!colours(
            When::Never,
            true,
            environment(&[("CLICOLOR_FORCE", "1")])
        ));
    }

    #[test]
    fn no_color_counts_where_it_is_not_empty_and_before_force() {
        assert!(!colours(
            When::Auto,
            true,
            environment(&[("NO_COLOR", "0")])
        ));
        assert!(colours(When::Auto, true, environment(&[("NO_COLOR", "")])));
        assert!(!colours(
            When::Auto,
            false,
            environment(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])
        ));
        assert!(colours(
            When::Auto,
            false,
            environment(&[("CLICOLOR_FORCE", "1")])
        ));
        assert!(!colours(
            When::Auto,
            false,
            environment(&[("CLICOLOR_FORCE", "0")])
        ));
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        assert!(unicode(environment(&[("LANG", "en_US.UTF-8")])));
        assert!(unicode(environment(&[
            ("LC_ALL", ""),
            ("LC_CTYPE", "ko_KR.utf8"),
            ("LANG", "C")
        ])));
        assert!(unicode(environment(&[("LANG", "C.UTF-8")])));
        assert!(unicode(environment(&[("LANG", "de_DE.UTF-8@euro")])));
        assert!(!unicode(environment(&[
            ("LC_ALL", "C"),
            ("LANG", "en_US.UTF-8")
        ])));
        assert!(!unicode(environment(&[("LANG", "de_DE.ISO-8859-15")])));
        assert!(!unicode(environment(&[])));
    }
}
