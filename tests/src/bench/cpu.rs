//! CPU time and memory, as the kernel accounts them.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that the calling thread has used.
pub fn of_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// CPU time that this process has used, all threads together.
pub fn of_this_process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time that another process has used, user and system: fields 14 and 15 of proc(5)'s `stat`.
///
/// # Panics
/// If there is no such process.
pub fn of_process(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the relay runs");
    // The name in parentheses may hold spaces; what follows the last one does not.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let field = |n: usize| after.split_whitespace().nth(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_micros((field(11) + field(12)) * 1_000_000 / per_second)
}

/// Resident memory of a process, in KiB.
///
/// # Panics
/// If there is no such process.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the relay runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}
