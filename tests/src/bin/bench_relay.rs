//! `cargo bench-relay [-- --json] [--database URL] [--parcels N] [soak|feed|proxy] [--kills N]`: see `tasuki_tests::bench`.
//!
//! `--parcels` is the number of parcels at saturation (default 8,000), of a soak (default a
//! million), of arrivals while feeds are open (default 3,000), or of each of the 300 offices of a proxy (default 30). `proxy --kills N` kills
//! the proxy so often in between, and proves that every parcel went out once; without, it compares rates.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tasuki_certs::trial_ca::TrialCa;
use tasuki_tests::bench::fixture::{self, Party, RECIPIENTS, SENDERS};
use tasuki_tests::bench::load::{self, Load};
use tasuki_tests::bench::month_end::{self, Proxied, Unsent};
use tasuki_tests::bench::soak::{self, Receivers};
use tasuki_tests::bench::{cpu, feeds, floor};
use tasuki_tests::office::IMPORT_HEADER;
use tasuki_tests::programs::{Programs, dispatch};
use tasuki_tests::raw::now_us;
use tasuki_tests::relay::Relay;
use tonic::transport::Channel;

/// Parcels of the run at saturation, and of the one at half load.
const AT_SATURATION: usize = 8_000;
const AT_HALF_LOAD: usize = 4_000;
/// Parcels of a soak.
const SOAK: usize = 1_000_000;
/// Arrivals at open feeds, and how many of them in a second.
const ARRIVALS: usize = 3_000;
const ARRIVALS_PER_SECOND: f64 = 200.0;
/// Parcels before anything is measured: every signer once, so that the cache is as full as in daily work.
const WARM_UP: usize = SENDERS;
/// What the offices of a proxy let it do.
const PROXY_SCOPES: &str = "send,receive,acknowledge,read-status";
/// Unanswered parcels at saturation.
const WINDOW: usize = 256;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return code;
    }
    let words: Vec<String> = args.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let value = |name: &str| words.iter().position(|w| w == name).and_then(|i| words.get(i + 1)).cloned();
    let mode = match () {
        () if words.iter().any(|w| w == "soak") => Mode::Soak,
        () if words.iter().any(|w| w == "feed") => Mode::Feed,
        () if words.iter().any(|w| w == "proxy") => Mode::Proxy,
        () => Mode::Rate,
    };
    let options = Options {
        json: words.iter().any(|w| w == "--json"),
        database: value("--database"),
        parcels: value("--parcels").and_then(|n| n.parse().ok()).unwrap_or(match mode {
            Mode::Soak => SOAK,
            Mode::Feed => ARRIVALS,
            Mode::Rate => AT_SATURATION,
            Mode::Proxy => month_end::PARCELS_EACH,
        }),
        kills: value("--kills").and_then(|n| n.parse().ok()),
        mode,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let outcome = match options.mode {
        Mode::Proxy => runtime.block_on(bench_proxy(&options)),
        Mode::Rate | Mode::Soak | Mode::Feed => runtime.block_on(bench(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    json: bool,
    database: Option<String>,
    mode: Mode,
    parcels: usize,
    kills: Option<usize>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Parcels per second, and what one costs.
    Rate,
    /// Memory over many parcels' lives.
    Soak,
    /// What being told costs.
    Feed,
    /// The month's end of many offices through one proxy.
    Proxy,
}

async fn bench(options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let programs = Programs::new(std::env::current_exe().map_err(|e| e.to_string())?);
    let mut relay = Relay::init(programs, &folder.path().join("relay"));
    if let Some(url) = &options.database {
        relay.use_database(url);
    }
    let step = Instant::now();
    let read = |name: &str| std::fs::read(relay.dir.join(name)).map_err(|e| format!("{name}: {e}"));
    let ca = TrialCa::load(&read("trial-ca.pem")?, &read("trial-ca.key")?).map_err(|e| e.to_string())?;
    let relay_ca = relay.dir.join("relay-ca.pem");
    let (senders, recipients) = fixture::parties(&ca, now_us());
    import(&relay, senders.iter().chain(&recipients))?;
    if options.mode == Mode::Feed {
        return bench_feeds(options, &mut relay, &recipients, &senders).await;
    }
    let soak = options.mode == Mode::Soak;
    let measured = if soak { 0 } else { options.parcels + AT_HALF_LOAD };
    let count = WARM_UP + measured;
    let parcels = fixture::parcels(&senders, &recipients, count, now_us());
    let bytes: usize = parcels.iter().map(|p| p.container.len()).sum::<usize>() / parcels.len();
    println!(
        "prepared   {count} parcels of {SENDERS} offices for {RECIPIENTS}, {bytes} bytes each, in {:.1?}",
        step.elapsed()
    );
    let lines = floor::measure(&parcels, &recipients).await;

    if soak {
        soak::keep_nothing(&relay);
    }
    relay.start();
    let address = relay.url.trim_start_matches("https://").to_owned();
    for party in &recipients {
        load::introduce(load::connect(&address, &relay_ca, &party.identity).await?).await?;
    }
    let channels = connect_all(&relay, &senders).await?;
    let mut load = Load::open(&channels);
    let pid = relay.pid().ok_or("the relay does not run")?;
    if soak {
        let receivers = Receivers::connect(&address, &relay_ca, &recipients).await?;
        let outcome = soak::run(&mut load, &receivers, &senders, options.parcels, pid).await;
        let log =
            || relay.log_text().lines().filter(|line| !line.contains("INFO")).collect::<Vec<_>>().join("\n");
        return outcome.map_err(|error| format!("{error}\n{}", log()));
    }
    load.run(&parcels[..WARM_UP], WINDOW, None).await?;

    settle().await;
    let before = (cpu::of_process(pid), relay_counters(&relay));
    let full = load.run(&parcels[WARM_UP..WARM_UP + options.parcels], WINDOW, None).await?;
    let cpu_after = cpu::of_process(pid);
    settle().await;
    let after = (cpu_after, relay_counters(&relay));
    let relay_cpu = after.0.saturating_sub(before.0) / u32::try_from(full.accepted).unwrap_or(1);
    let misses = miss_rate(before.1, after.1);
    let half = load.run(&parcels[WARM_UP + options.parcels..], WINDOW, Some(full.per_second() / 2.0)).await?;

    println!("\nfloor, CPU per parcel in bare primitives on the same bytes");
    for line in &lines {
        println!("  {:<26} {:>7.1} µs", line.name, micros(line.per_parcel));
    }
    let floor: Duration = lines.iter().map(|l| l.per_parcel).sum();
    println!("  {:<26} {:>7.1} µs", "sum", micros(floor));
    println!(
        "\nrelay at saturation, {} parcels, {WINDOW} unanswered at most, database {}",
        full.accepted,
        database(options)
    );
    println!("  durable parcels            {:>7.0} /s", full.per_second());
    println!(
        "  latency p50 / p99          {:>7.1} / {:.1} ms",
        full.percentile_ms(50),
        full.percentile_ms(99)
    );
    println!(
        "  relay CPU per parcel       {:>7.1} µs = {:.2} × floor",
        micros(relay_cpu),
        micros(relay_cpu) / micros(floor)
    );
    println!("  signers not in the cache   {:>7.2} %", misses * 100.0);
    println!("relay at half load, {} parcels", half.accepted);
    println!(
        "  latency p50 / p99          {:>7.1} / {:.1} ms",
        half.percentile_ms(50),
        half.percentile_ms(99)
    );
    if options.json {
        let line = json!({
            "parcels_per_s": full.per_second().round(),
            "p50_ms": full.percentile_ms(50),
            "p99_ms": full.percentile_ms(99),
            "p99_ms_half_load": half.percentile_ms(99),
            "relay_cpu_us_per_parcel": micros(relay_cpu),
            "floor_cpu_us_per_parcel": micros(floor),
            "signer_cache_miss_rate": misses,
            "database": database(options),
        });
        println!("{line}");
    }
    drop(load);
    relay.stop();
    Ok(())
}

async fn connect_all(relay: &Relay, parties: &[Party]) -> Result<Vec<Channel>, String> {
    let (address, relay_ca) = (relay.url.trim_start_matches("https://"), relay.dir.join("relay-ca.pem"));
    let mut channels = Vec::with_capacity(parties.len());
    for party in parties {
        channels.push(load::connect(address, &relay_ca, &party.identity).await?);
    }
    Ok(channels)
}

/// `feed`: few offices send to the thousand, whose feeds are open.
async fn bench_feeds(
    options: &Options,
    relay: &mut Relay,
    senders: &[Party],
    receivers: &[Party],
) -> Result<(), String> {
    // Enough for every feed to have something in it, before anything is measured.
    let before = receivers.len() * 2;
    let parcels = fixture::parcels(senders, receivers, before + options.parcels, now_us());
    relay.start();
    let pid = relay.pid().ok_or("the relay does not run")?;
    let (sending, receiving) = (connect_all(relay, senders).await?, connect_all(relay, receivers).await?);
    for channel in &receiving {
        load::introduce(channel.clone()).await?;
    }
    let mut load = Load::open(&sending);
    load.run(&parcels[..before], WINDOW, None).await?;
    let ends = feeds::ends(&receiving).await?;
    settle().await;
    let calls = feeds::calls(&receiving, &ends, pid).await?;
    let cpu_before = cpu::of_process(pid);
    let arrivals =
        feeds::arrivals(&mut load, &parcels[before..], &receiving, &ends, ARRIVALS_PER_SECOND).await?;
    let relay_cpu = cpu::of_process(pid).saturating_sub(cpu_before);
    let percentile = |percent: usize| {
        let place = arrivals.len().saturating_sub(1) * percent / 100;
        arrivals.get(place).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    };
    let beyond = |call: Duration| micros(call.saturating_sub(calls.empty));
    println!("relay CPU per call over mutual TLS, database {}", database(options));
    println!("  empty call (health)                  {:>7.1} µs", micros(calls.empty));
    println!(
        "  poll, nothing new                    {:>7.1} µs, {:.1} beyond",
        micros(calls.unchanged),
        beyond(calls.unchanged)
    );
    println!(
        "  poll, nothing new, the log has grown {:>7.1} µs, {:.1} beyond",
        micros(calls.log_grown),
        beyond(calls.log_grown)
    );
    println!("{} arrivals at {ARRIVALS_PER_SECOND} /s, {} open feeds", arrivals.len(), receiving.len());
    println!(
        "  handed over until told p50 / p99     {:>7.1} / {:.1} ms, most {:.1}",
        percentile(50),
        percentile(99),
        percentile(100)
    );
    println!("  relay CPU                            {:>7.1} s", relay_cpu.as_secs_f64());
    if options.json {
        let line = json!({
            "empty_call_cpu_us": micros(calls.empty),
            "poll_beyond_empty_cpu_us": beyond(calls.unchanged),
            "poll_log_grown_beyond_empty_cpu_us": beyond(calls.log_grown),
            "feeds": receiving.len(),
            "arrivals": arrivals.len(),
            "arrivals_per_s": ARRIVALS_PER_SECOND,
            "arrival_p50_ms": percentile(50),
            "arrival_p99_ms": percentile(99),
            "database": database(options),
        });
        println!("{line}");
    }
    drop(load);
    relay.stop();
    Ok(())
}

/// `proxy`: the same files of the same offices, sent plainly, then through a proxy.
async fn bench_proxy(options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let programs = Programs::new(std::env::current_exe().map_err(|e| e.to_string())?);
    let mut relay = Relay::init(programs, &folder.path().join("relay"));
    let read = |name: &str| std::fs::read(relay.dir.join(name)).map_err(|e| format!("{name}: {e}"));
    let ca = TrialCa::load(&read("trial-ca.pem")?, &read("trial-ca.key")?).map_err(|e| e.to_string())?;
    let (senders, recipients) = fixture::some_parties(&ca, month_end::OFFICES, RECIPIENTS, now_us());
    let unsent = Arc::new(month_end::parcels(&senders, &recipients, options.parcels, "20260125"));
    let files: usize = unsent.iter().map(|parcel| parcel.files.len()).sum();
    if let Some(url) = &options.database {
        relay.use_database(url);
    }
    month_end::import(&relay, &[&senders, &recipients]);
    println!("prepared   {} parcels, {files} files of {} offices", unsent.len(), senders.len());

    let dir = folder.path();
    if let Some(kills) = options.kills {
        relay.start();
        let proxied = Proxied::set_up(&relay, dir, &senders, &recipients, PROXY_SCOPES).await?;
        proxied.put(&unsent, None);
        let began = Instant::now();
        let told = proxied.rounds_killed(unsent.len(), kills);
        let (accepted, done) = (month_end::accepted(&relay), proxied.count("done"));
        let once = told.code == 0 && accepted == unsent.len() && done == files && proxied.count("out") == 0;
        let line = json!({
            "parcels": unsent.len(), "files": files, "kills": kills, "accepted": accepted, "files_done": done,
            "exactly_once": once, "seconds": began.elapsed().as_secs_f64(),
        });
        println!("{line}");
        let last = told.out.lines().last().unwrap_or_default();
        return if once { Ok(()) } else { Err(format!("not every parcel once: {last}\n{}", told.err)) };
    }

    relay.start();
    let pid = relay.pid().ok_or("the relay does not run")?;
    let before = (cpu::of_process(pid), cpu::of_this_process());
    let plain = month_end::plain(&relay, &senders, &recipients, Arc::clone(&unsent)).await?;
    let since = |now: Duration, before: Duration| now.saturating_sub(before);
    let plain_cpu = (since(cpu::of_process(pid), before.0), since(cpu::of_this_process(), before.1));

    let proxied = Proxied::set_up(&relay, dir, &senders, &recipients, PROXY_SCOPES).await?;
    // The first round of all makes the offices' HOMEs as well; the next month finds them there.
    let first = proxied_round(&relay, &proxied, &unsent)?;
    let next_month = month_end::parcels(&senders, &recipients, options.parcels, "20260225");
    let next = proxied_round(&relay, &proxied, &next_month)?;
    let count = u32::try_from(unsent.len()).map_err(|e| e.to_string())?;
    println!(
        "plain, signed live     {:>7.0} /s  CPU per parcel: relay {:.0} µs, senders {:.0} µs",
        plain.per_second(),
        micros(plain_cpu.0 / count),
        micros(plain_cpu.1 / count)
    );
    let ratio = |round: &ProxiedRound| round.per_second / plain.per_second();
    for (what, round) in [("through the proxy", &first), ("next month", &next)] {
        println!(
            "{what:<22} {:>7.0} /s  CPU per parcel: relay {:.0} µs, proxy {:.0} µs  ratio {:.2}",
            round.per_second,
            micros(round.relay_cpu),
            micros(round.proxy_cpu),
            ratio(round)
        );
    }
    let cpu =
        |round: &ProxiedRound| json!({ "relay": micros(round.relay_cpu), "proxy": micros(round.proxy_cpu) });
    let line = json!({
        "parcels": unsent.len(),
        "files": files,
        "offices": senders.len(),
        "plain_parcels_per_s": plain.per_second().round(),
        "proxy_parcels_per_s": first.per_second.round(),
        "ratio": ratio(&first),
        "next_month_parcels_per_s": next.per_second.round(),
        "next_month_ratio": ratio(&next),
        "plain_cpu_us_per_parcel": { "relay": micros(plain_cpu.0 / count), "senders": micros(plain_cpu.1 / count) },
        "proxy_cpu_us_per_parcel": cpu(&first),
        "next_month_cpu_us_per_parcel": cpu(&next),
        "database": database(options),
    });
    println!("{line}");
    Ok(())
}

/// A round of a proxy, measured.
struct ProxiedRound {
    per_second: f64,
    /// For one parcel.
    relay_cpu: Duration,
    /// For one parcel.
    proxy_cpu: Duration,
}

/// Puts parcels into the proxy's folder and has it send them; every one must arrive once.
fn proxied_round(relay: &Relay, proxied: &Proxied, unsent: &[Unsent]) -> Result<ProxiedRound, String> {
    let pid = relay.pid().ok_or("the relay does not run")?;
    proxied.put(unsent, None);
    let files: usize = unsent.iter().map(|parcel| parcel.files.len()).sum();
    let (accepted_before, done_before) = (month_end::accepted(relay), proxied.count("done"));
    let before = cpu::of_process(pid);
    let (told, took, proxy_cpu) = proxied.round();
    let relay_cpu = cpu::of_process(pid).saturating_sub(before);
    let (accepted, done) =
        (month_end::accepted(relay) - accepted_before, proxied.count("done") - done_before);
    if told.code != 0 || accepted != unsent.len() || done != files {
        let last = told.out.lines().last().unwrap_or_default();
        return Err(format!("{accepted} of {} accepted: {last}\n{}", unsent.len(), told.err));
    }
    let count = u32::try_from(unsent.len()).map_err(|e| e.to_string())?;
    Ok(ProxiedRound {
        per_second: f64::from(count) / took.as_secs_f64(),
        relay_cpu: relay_cpu / count,
        proxy_cpu: proxy_cpu / count,
    })
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn database(options: &Options) -> &'static str {
    if options.database.is_some() { "postgres" } else { "sqlite" }
}

fn import<'p>(relay: &Relay, parties: impl Iterator<Item = &'p Party>) -> Result<(), String> {
    let mut csv = format!("{IMPORT_HEADER}\n");
    for party in parties {
        let number = &party.number;
        csv.extend([number.as_str(), ",bench ", number, ",ベンチ,43 11,true\n"]);
    }
    let path = relay.dir.join("offices.csv");
    std::fs::write(&path, csv).map_err(|e| e.to_string())?;
    let ran = relay.run(&["office", "import", &path.display().to_string()]);
    if ran.code == 0 { Ok(()) } else { Err(format!("office import: {}", ran.err)) }
}

/// Waits until the relay's metrics, which it samples every second, tell what has happened.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}

/// Signer cache hits and misses, from the relay's metrics.
fn relay_counters(relay: &Relay) -> (f64, f64) {
    let text = relay.metrics();
    let read = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name));
        line.and_then(|l| l.rsplit(' ').next()).and_then(|n| n.parse().ok()).unwrap_or(0.0)
    };
    (read("tasuki_signer_cache_hits"), read("tasuki_signer_cache_misses"))
}

fn miss_rate(before: (f64, f64), after: (f64, f64)) -> f64 {
    let (hits, misses) = (after.0 - before.0, after.1 - before.1);
    if hits + misses > 0.0 { misses / (hits + misses) } else { f64::NAN }
}
