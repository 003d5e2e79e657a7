//! Compiles the programs of benches/workloads.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles benches/workloads/NAME.c anew, and gives the program's path.
pub fn compiled(cc: &Path, name: &str) -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workloads");
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let program = directory.join(name);
    let output = Command::new(cc)
        .args(["-std=gnu11", "-O2", "-Wall", "-pthread", "-o"])
        .arg(&program)
        // What the programs of the end-to-end tests share is of use here too.
        .arg("-I")
        .arg(sources.join("tests/programs"))
        .arg(sources.join(format!("benches/workloads/{name}.c")))
        .output()
        .map_err(|error| format!("{}: {error}", cc.display()))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(format!(
            "{name}.c does not compile: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
