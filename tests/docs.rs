//! What is written about the flags agrees with the flags: the manual page, the shell completions, `-h` and the README.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes the generated files anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use sockstrace::cli::{self, Invocation};

const REFRESH: &str = "UPDATE_DOCS=1 cargo test --test docs";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path))
        .unwrap_or_else(|error| panic!("{path}: {error}; {REFRESH} writes it"))
}

/// Compares a generated file with what it should be, or writes it where that was asked for.
fn agrees(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(repository(path), expected).unwrap();
    }
    assert!(
        read(path) == expected,
        "{path} is stale: {REFRESH} writes it anew"
    );
}

fn options_section() -> String {
    let visible = cli::command().mut_arg("command", |argument| argument.hide(true));
    let mut section = Vec::new();
    Man::new(visible)
        .render_options_section(&mut section)
        .unwrap();
    // clap_mangen makes a section of every group of options; they are parts of OPTIONS.
    let mut lines = Vec::new();
    for line in String::from_utf8(section).unwrap().lines() {
        match line.strip_prefix(".SH ") {
            None => lines.push(line.to_owned()),
            Some(group) => {
                let group = group.trim_matches('"');
                lines.push(format!(".SS {}{}", &group[..1], group[1..].to_lowercase()));
            }
        }
    }
    format!(".SH OPTIONS\n{}\n", lines.join("\n"))
}

/// The section that says what becomes of strace's other options.
fn strace_section() -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["OPTIONS OF STRACE"]);
    roff.text([roman(
        "Options of strace(1) that are flags of sockstrace too, short or long, mean the same and are listed above. The others:",
    )]);
    let answers = cli::strace_answers();
    let accepted: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| answer.is_none())
        .map(|(option, _)| option.as_str())
        .collect();
    roff.control("TP", []);
    roff.text([bold(accepted.join(", "))]);
    roff.text([roman("Accepted: this is how sockstrace always works.")]);
    for (option, answer) in &answers {
        if let Some(answer) = answer {
            roff.control("TP", []);
            roff.text([bold(option.as_str())]);
            roff.text([roman(format!("Refused: {answer}."))]);
        }
    }
    roff.to_roff()
}

fn manual_page() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        ".\\\" Made from the flags and from man/intro.roff and man/rest.roff: {REFRESH}\n\
         .TH SOCKSTRACE 1 \"\" \"sockstrace {version}\" \"User Commands\"\n"
    );
    [
        &head,
        &*read("man/intro.roff"),
        &options_section(),
        &read("man/rest.roff").replacen(".SH EXIT", &(strace_section() + ".SH EXIT"), 1),
    ]
    .concat()
}

#[test]
fn the_manual_page_is_fresh() {
    agrees("man/sockstrace.1", &manual_page());
}

/// What bash needs beyond clap's script: from PROGRAM on, the words are completed as for a command of its own.
fn bash_program_part() -> String {
    let command = cli::command();
    let takes_value = command
        .get_opts()
        .filter(|option| option.get_action().takes_values() && !option.is_require_equals_set());
    let flags = takes_value.flat_map(|option| {
        let short = option.get_short().map(|short| format!("-{short}"));
        let long = option.get_long().map(|long| format!("--{long}"));
        short.into_iter().chain(long)
    });
    let valued = flags.collect::<Vec<_>>().join("|");
    format!(
        r#"
_sockstrace_or_program() {{
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "${{COMP_WORDS[i]}}" in
            --) ((i++)); break ;;
            {valued}) ((i++)) ;;
            -*) ;;
            *) break ;;
        esac
    done
    if ((i > COMP_CWORD)) || {{ ((i == COMP_CWORD)) && [[ "$2" == -* ]]; }}; then
        _sockstrace "$@"
    elif ((i == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$2")
    elif declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$i"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$i"
    fi
}}
complete -F _sockstrace_or_program -o bashdefault -o default sockstrace
"#
    )
}

/// The same for fish.
const FISH_PROGRAM_PART: &str = "complete -c sockstrace -x -a '(__fish_complete_subcommand)'\n";

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "sockstrace", &mut script);
    let script = String::from_utf8(script).unwrap();
    match shell {
        Shell::Bash => script + &bash_program_part(),
        Shell::Fish => script + FISH_PROGRAM_PART,
        _ => script,
    }
}

#[test]
fn the_completions_are_fresh() {
    for (shell, file) in [
        (Shell::Bash, "sockstrace.bash"),
        (Shell::Zsh, "_sockstrace"),
        (Shell::Fish, "sockstrace.fish"),
    ] {
        agrees(&format!("completions/{file}"), &completions(shell));
    }
}

/// Asks bash what it would offer for a line, the cursor at its end.
fn offered(line: &[&str]) -> Vec<String> {
    let words = line
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let (current, previous) = (line[line.len() - 1], line[line.len() - 2]);
    let script = format!(
        "{}\nCOMP_WORDS=({words}); COMP_CWORD={}; \
         _sockstrace_or_program sockstrace '{current}' '{previous}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completions(Shell::Bash),
        line.len() - 1
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_our_options_and_then_the_program() {
    let all = offered(&["sockstrace", "--no-"]);
    assert!(
        all.contains(&"--no-follow".into()) && all.contains(&"--no-io-uring".into()),
        "{all:?}"
    );
    assert_eq!(offered(&["sockstrace", "-v", "--color", "al"]), ["always"]);
    assert!(offered(&["sockstrace", "-o", "file", "ba"]).contains(&"bash".into()));
    assert_eq!(
        offered(&["sockstrace", "bash", "--no-"]),
        [""],
        "the program's options are not ours"
    );
}

#[test]
fn the_manual_page_renders_without_warnings() {
    let rendered = Command::new("groff")
        .args([
            "-man",
            "-Tutf8",
            "-wmac",
            "-wchar",
            "-wescape",
            "-wmissing",
            "-wsyntax",
            "-P-cbou",
        ])
        .arg(repository("man/sockstrace.1"))
        .output()
        .expect("groff is needed; tests/run installs groff-base");
    let warnings = String::from_utf8_lossy(&rendered.stderr);
    assert!(
        rendered.status.success() && warnings.is_empty(),
        "{warnings}"
    );
    let text = String::from_utf8_lossy(&rendered.stdout);
    for says in ["EXIT STATUS", "--no-io-uring", "-p/--attach", "ENVIRONMENT"] {
        assert!(text.contains(says), "{says} is missing in:\n{text}");
    }
}

#[test]
fn short_help_fits_a_small_terminal() {
    let text = printed("-h");
    assert!(text.lines().count() <= 24, "{} lines", text.lines().count());
    // What stands below the options in --help is broken into lines by hand.
    let below = cli::command().get_after_help().unwrap().to_string();
    for line in text.lines().chain(below.lines()) {
        assert!(line.chars().count() < 80, "too wide: {line}");
    }
}

fn printed(flag: &str) -> String {
    match cli::parse(["sockstrace", flag]) {
        Ok(Invocation::Print(text)) => text,
        other => panic!("{flag}: {other:?}"),
    }
}

/// All flags that the help lists, as they are written.
fn flags() -> BTreeSet<String> {
    let command = cli::command();
    let visible = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    visible
        .flat_map(|argument| {
            let short = argument.get_short().map(|short| format!("-{short}"));
            let long = argument.get_long().map(|long| format!("--{long}"));
            short.into_iter().chain(long)
        })
        .collect()
}

/// What looks like a flag in `text`: a dash after a space, a quote or a bracket, and what follows it.
fn mentioned(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in
        text.split(|character: char| character.is_whitespace() || "`|,;()[]'\"".contains(character))
    {
        let name: String = word
            .chars()
            .take_while(|character| character.is_ascii_alphanumeric() || *character == '-')
            .collect();
        let bare = name.trim_start_matches('-');
        if word.starts_with('-')
            && bare.starts_with(|character: char| character.is_ascii_alphabetic())
        {
            found.insert(name);
        }
    }
    found
}

/// Whether the command line knows a flag as it is written in a text: alone, repeated (`-ttt`) or joined (`-fv`).
fn is_known(flag: &str, known: &BTreeSet<String>) -> bool {
    known.contains(flag)
        || (!flag.starts_with("--")
            && flag[1..]
                .chars()
                .all(|letter| known.contains(&format!("-{letter}"))))
}

#[test]
fn short_help_names_only_flags_that_exist() {
    let known = flags();
    let named = mentioned(&printed("-h"));
    assert!(named.len() > 15, "{named:?}");
    for flag in named {
        assert!(
            is_known(&flag, &known),
            "-h names {flag}, which is not there"
        );
    }
}

#[test]
fn all_texts_say_the_same_of_r() {
    let manual = read("man/sockstrace.1");
    for text in [printed("-h"), printed("--help"), manual] {
        assert!(text.contains("time since the line before"), "{text}");
    }
}

#[test]
fn the_readme_shows_only_flags_that_exist() {
    let known = flags();
    let readme = read("README.md");
    let mut commands = 0;
    for line in readme
        .lines()
        .map(|line| line.trim_start_matches(['$', ' ']))
        .filter(|line| line.starts_with("sockstrace "))
    {
        let Ok(arguments) = shell_words(line) else {
            panic!("an open quote in the README: {line}")
        };
        let parsed = cli::parse(&arguments);
        assert!(
            parsed.is_ok(),
            "the README says {line:?}, which is answered by: {}",
            parsed.unwrap_err()
        );
        commands += 1;
    }
    assert!(commands >= 10, "only {commands} commands in the README");
    for row in readme.lines().filter(|line| line.starts_with("| `-")) {
        let column = row.split(" | ").next().unwrap();
        for flag in mentioned(column) {
            assert!(
                is_known(&flag, &known),
                "the README's table names {flag}, which is not there"
            );
        }
    }
}

/// Splits a line as a shell does, as far as the README's commands need it: spaces, both kinds of quotes, a comment.
fn shell_words(line: &str) -> Result<Vec<String>, char> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.map_or(Ok(words), Err)
}

#[test]
fn the_list_of_findings_is_fresh() {
    let mut text = String::from(
        "# Findings\n\nWhat sockstrace points out. Errors are told where they happen; at the end stand errors and warnings, five at most, with \
         `--findings=all` all of them and notes too. In `--json` each is a line of type `finding`, with the calls that prove it by their \
         numbers. The names stay.\n\n| name | | why it matters, and what to try |\n|---|---|---|\n",
    );
    for kind in sockstrace::story::finding_kinds() {
        let (name, severity, advice) = (kind.name, kind.severity.word(), kind.advice);
        text.push_str(&format!("| `{name}` | {severity} | {advice} |\n"));
    }
    agrees("docs/findings.md", &text);
}
