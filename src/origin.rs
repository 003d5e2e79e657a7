//! Where a trace comes from: the machine, its boot, the container, and a number of its own for each run.

use std::fs;

/// The machine's name (uname(2)), where the kernel tells it.
pub fn host() -> Option<String> {
    line("/proc/sys/kernel/hostname")
}

/// The machine's present boot, by a number of its own (random(4)).
pub fn boot_id() -> Option<String> {
    line("/proc/sys/kernel/random/boot_id")
}

/// A number that no other run has (random(4)).
pub fn run_id() -> String {
    line("/proc/sys/kernel/random/uuid").unwrap_or_else(|| format!("pid-{}", std::process::id()))
}

/// The container's number, where the name of our control group (cgroups(7)) has one: 64 digits in base 16, as container managers give.
pub fn container() -> Option<String> {
    fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|groups| container_in(&groups))
}

fn container_in(groups: &str) -> Option<String> {
    const DIGITS: usize = 64;
    let mut words = groups.split(|letter: char| !letter.is_ascii_hexdigit());
    words
        .find(|word| word.len() == DIGITS)
        .map(|word| word.to_owned())
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_by_the_name_of_its_control_group() {
        let id = "0123456789abcdef".repeat(4);
        for groups in [
            format!("12:cpu:/docker/{id}\n"),
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope\n"),
        ] {
            assert_eq!(container_in(&groups).as_ref(), Some(&id));
        }
        assert_eq!(container_in("0::/user.slice/user-1000.slice\n"), None);
    }

    #[test]
    fn each_run_has_a_number_of_its_own() {
        assert_ne!(run_id(), run_id());
    }
}
