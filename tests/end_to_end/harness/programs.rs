//! The small C programs of tests/programs, compiled once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::{command, installed, place, run};

/// The path of tests/programs/NAME.c, compiled.
pub fn program(name: &str) -> PathBuf {
    compiled(name, &[])
}

/// The same, linked statically.
pub fn static_program(name: &str) -> PathBuf {
    compiled(name, &["-static"])
}

/// The same, with OpenSSL.
pub fn tls_program(name: &str) -> PathBuf {
    compiled(name, &["-lssl", "-lcrypto"])
}

/// A shared library, with what is to be defined for its source.
pub fn library(name: &str, define: &str) -> PathBuf {
    compiled(name, &["-shared", "-fPIC", define])
}

/// A 32-bit program without a C library: what it is built for need not be installed.
pub fn i386_program(name: &str) -> PathBuf {
    compiled(
        name,
        &[
            "-m32",
            "-nostdlib",
            "-static",
            "-ffreestanding",
            "-fno-pie",
            "-fno-stack-protector",
        ],
    )
}

fn compiled(name: &str, flags: &[&str]) -> PathBuf {
    let source = sources().join(format!("{name}.c"));
    let code =
        std::fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let mut hasher = DefaultHasher::new();
    let headers = ["check.h", "counting.h", "tls_client.h"]
        .map(|name| std::fs::read(sources().join(name)).ok());
    (code, flags, headers).hash(&mut hasher);
    let target = built().join(format!("{name}-{:016x}", hasher.finish()));
    build(&target, |partial| {
        let mut cc = command(installed("cc"));
        cc.args(["-std=gnu11", "-O1", "-g", "-Wall", "-pthread", "-o"])
            .arg(partial)
            .arg(&source)
            .args(flags);
        cc
    });
    target
}

/// A program for an interpreter, as it lies in tests/programs.
pub fn script(name: &str) -> PathBuf {
    sources().join(name)
}

/// A directory with the classes of a Java program, built from its source by this compiler.
pub fn java_classes(javac: &Path, name: &str) -> PathBuf {
    let source = sources().join(format!("{name}.java"));
    let target = built().join(format!("{name}-java-{}", hash_of(&source)));
    build(&target, |partial| {
        let mut javac = command(javac);
        javac.arg("-d").arg(partial).arg(&source);
        javac
    });
    target
}

fn hash_of(source: &Path) -> String {
    let code =
        std::fs::read(source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A Go program, built from its source.
pub fn go_program(name: &str) -> PathBuf {
    let source = sources().join(format!("{name}.go"));
    let target = built().join(format!("{name}-go-{}", hash_of(&source)));
    build(&target, |partial| {
        let mut go = command(installed("go"));
        go.args(["build", "-o"]).arg(partial).arg(&source);
        // A build cache of its own: not every user of the tests has a home.
        go.env("GOCACHE", built().join("go-cache"))
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0");
        go
    });
    target
}

/// Builds a file under a name of its own and renames it: tests that run side by side never see half of it.
fn build(target: &Path, compiler: impl Fn(&Path) -> std::process::Command) {
    if target.exists() {
        return;
    }
    let directory = tempfile::tempdir_in(built()).expect("a temporary directory");
    let partial = directory.path().join("program");
    run(compiler(&partial)).exited(0);
    std::fs::rename(&partial, target).expect("a file of ours to move");
}

fn sources() -> PathBuf {
    place().map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs").into(),
        |place| place.join("programs"),
    )
}

fn built() -> PathBuf {
    let directory = place()
        .map_or_else(
            || env!("CARGO_TARGET_TMPDIR").into(),
            |place| place.join("tmp"),
        )
        .join("programs");
    std::fs::create_dir_all(&directory).expect("a directory for compiled programs");
    directory
}
