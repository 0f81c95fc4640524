#!/usr/bin/env python3
"""What the agent costs on its host, beside auditd (RAW and ENRICHED, writing to disk) and a reader that only counts.

A posix_spawn loop executes /bin/true with six arguments 20,000 times: one at a time as fast as it goes, at 500 a second,
and from four processes at full rate; the peers take turns, medians of the rounds. Root, and audit without an owner. CPU is
that of all the peer's processes (/proc/PID/task/*/schedstat) divided by all the execs that it recorded, those of others
on the machine included; an exec is lost when the loop made it and it did not arrive: in auditd's log, at the server.
Bytes on the wire are those of the agent's TLS connection (TCP_INFO), heartbeats included. Then the quiet host: an exec
about once a second, asked for until the server finds it, and the bytes that one costs. There a rule hides what others
execute on the machine, and the witness, which would tell of each of those, is off.

usage: bench_agent.py [--execs=N] [--rounds=N] [--only=NAME,...] [--modes=NAME,...] [--quiet=N] [--json=FILE]
  names: reader, raw, enriched, exectrail (protect host), record (protect record); modes: single, steady, parallel, quiet (--quiet: so many execs, default 100)
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from agent_peers import BUILD, PEERS, audit, audit_status, others_hidden

MODES = {"single": ("one at a time", 0, 1), "steady": ("500 a second", 500, 2), "parallel": ("four at once", 0, 4)}
SETTLE_S = 2.0
GIVE_UP_S = 6.0  # without anything new


def cpu_us(pid):
    """Of all threads, in microseconds; a thread that ended before is missing."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / 1000


def memory_mb(pids):
    """Resident and proportional size of all together."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name = line.split(":")[0]
            if name in sums:
                sums[name] += int(line.split()[1]) / 1024
    return sums["Rss"], sums["Pss"]


def kauditd():
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text() == "kauditd\n":
                return int(path.parent.name)
        except OSError:
            pass
    return None


def wait_all(peer, n):
    """Until all have arrived, or nothing new does."""
    since, before = time.monotonic(), -1
    while time.monotonic() - since < GIVE_UP_S:
        marked = peer.marked()
        if marked is None or marked >= n:
            break
        if marked != before:
            since, before = time.monotonic(), marked
        time.sleep(0.2)
    time.sleep(SETTLE_S)


def spawn(marker, n, rate, processes, seconds=0):
    done = subprocess.run([BUILD / "bench/bench-spawn", "/bin/true", str(n), str(rate), str(processes), str(seconds)],
                          stdout=subprocess.PIPE, check=True, env={"MARKER": marker})
    return json.loads(done.stdout)


def run_load(name, mode, n, folder):
    _, rate, processes = MODES[mode]
    peer, marker, kernel = PEERS[name][1](), f"mark{random.getrandbits(40):x}", kauditd()
    with audit():
        peer.start(folder, marker)
        try:
            pids, lost, wire, server_s = peer.pids(), audit_status()["lost"], peer.wire_bytes(), peer.server_cpu_s()
            before, kernel_before = sum(map(cpu_us, pids)), cpu_us(kernel)
            load = spawn(marker, n, rate, processes)
            wait_all(peer, load["execs"])
            used, kernel_used = sum(map(cpu_us, pids)) - before, cpu_us(kernel) - kernel_before
            rss, pss = memory_mb(pids)
            lost = audit_status()["lost"] - lost
            marked, recorded = peer.final()
            result = {"cpu": used / max(recorded, 1), "kauditd": kernel_used / max(recorded, 1), "lost": load["execs"] - marked,
                      "kernel_lost": lost, "rss": rss, "pss": pss, "rate": load["execs"] / load["wall_s"], "max_ms": load["max_us"] / 1000,
                      "p99_ms": load["p99_us"] / 1000, "recorded": recorded}
            if wire:
                sent, back = (b - a for a, b in zip(wire, peer.wire_bytes()))
                result.update(wire=sent / max(recorded, 1), wire_back=back / max(recorded, 1), said=peer.said(),
                              server=(peer.server_cpu_s() - server_s) / max(recorded, 1) * 1e6)
            return result
        finally:
            peer.stop()


# ------------------------------------------------------------------------------------------------ the quiet host


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def found_after_ms(peer, word):
    begin = time.monotonic()
    subprocess.run(["/bin/true", peer.marker, word], check=True, env={})
    while time.monotonic() - begin < 10:
        if peer.server.get("search", q=f'args:"{word}"', limit=1)["rows"]:
            return (time.monotonic() - begin) * 1000
        time.sleep(0.003)
    return 10000.0


def run_quiet(name, n, folder):
    """Delay until the server finds it; bytes for each, and without any exec in the same time."""
    peer = PEERS[name][1]("--witness", "off")
    with audit(), others_hidden():
        peer.start(folder, f"mark{random.getrandbits(40):x}")
        try:
            idle_execs, idle, begin = peer.final()[1], peer.wire_bytes()[0], time.monotonic()
            time.sleep(15)
            idle_s, idle_bytes = time.monotonic() - begin, peer.wire_bytes()[0] - idle
            idle_execs = peer.final()[1] - idle_execs
            before, recorded, cpu, begin = peer.wire_bytes()[0], peer.final()[1], sum(map(cpu_us, peer.pids())), time.monotonic()
            delays = []
            for i in range(n):
                delays.append(found_after_ms(peer, f"{peer.marker}-{i}"))
                time.sleep(0.5 + random.random())
            seconds = time.monotonic() - begin
            sent, recorded = peer.wire_bytes()[0] - before, peer.final()[1] - recorded
            return {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99), "max": max(delays), "wire": sent / recorded,
                    "wire_alone": (sent - idle_bytes / idle_s * seconds) / recorded, "idle_bytes_s": idle_bytes / idle_s, "idle_execs": idle_execs,
                    "recorded": recorded, "seconds": seconds, "cpu_ms_s": (sum(map(cpu_us, peer.pids())) - cpu) / seconds / 1000}
        finally:
            peer.stop()


# ------------------------------------------------------------------------------------------------ tables


def cell(rows, key, digits=1):
    values = [row[key] for row in rows if row.get(key) is not None]
    return "–" if not values else f"{statistics.median(values):,.{digits}f}"


def print_mode(mode, results):
    raw = results.get(("raw", mode))
    print(f"\n{MODES[mode][0]}\n")
    print("| | CPU us an exec (rounds) | against auditd RAW | kauditd us | lost of the loop's | lost, by the kernel | resident MB (Pss) "
          "| wire bytes an exec | execs/s | slowest exec ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, (title, _) in PEERS.items():
        rows = results.get((name, mode))
        if not rows:
            continue
        ratio = "–" if not raw else f"{statistics.median(r['cpu'] for r in rows) / statistics.median(r['cpu'] for r in raw):.2f}"
        rounds = ", ".join(f"{r['cpu']:.1f}" for r in rows)
        print(f"| {title} | {cell(rows, 'cpu')} ({rounds}) | {ratio} | {cell(rows, 'kauditd')} | {'/'.join(str(r['lost']) for r in rows)} | "
              f"{'/'.join(str(r['kernel_lost']) for r in rows)} | {cell(rows, 'rss')} ({cell(rows, 'pss')}) | {cell(rows, 'wire')} | "
              f"{cell(rows, 'rate', 0)} | {cell(rows, 'max_ms')} |")
    for name in PEERS:
        for row in results.get((name, mode), []):
            if "said" in row:
                print(f"\n{PEERS[name][0]} says: {row['said']}; server {row['server']:.1f} us an exec; {row['recorded']} recorded")


def print_quiet(name, q):
    print(f"\n{PEERS[name][0]}, quiet host: searchable after p50 {q['p50']:.0f} ms, p99 {q['p99']:.0f} ms, at most {q['max']:.0f} ms; "
          f"{q['wire']:.0f} bytes an exec on the wire, {q['wire_alone']:.0f} without what is sent anyway ({q['idle_bytes_s']:.0f} bytes/s, "
          f"{q['idle_execs']} execs of others in that time); {q['recorded']} execs in {q['seconds']:.0f} s, {q['cpu_ms_s']:.2f} ms CPU a second")


def main():
    parser = argparse.ArgumentParser(prog="bench agent")
    parser.add_argument("--execs", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PEERS))
    parser.add_argument("--modes", default="single,steady,parallel,quiet")
    parser.add_argument("--quiet", type=int, default=100)
    parser.add_argument("--json", help="all figures into this file")
    args = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("auditd"):
        raise SystemExit("bench: the agent's needs root and Debian's auditd")
    if not (BUILD / "bench/bench-spawn").exists():
        raise SystemExit(f"bench: {BUILD} has no spawn loop; configure it with -Dbench=true, as ./dev bench does")
    names, modes, results = args.only.split(","), args.modes.split(","), {}
    for number in range(args.rounds):
        for mode in [m for m in modes if m in MODES]:
            for name in names:
                with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as folder:
                    os.chmod(folder, 0o755)
                    row = run_load(name, mode, args.execs, pathlib.Path(folder))
                results.setdefault((name, mode), []).append(row)
                print(f"round {number + 1}, {mode}, {name}: {row['cpu']:.1f} us, lost {row['lost']}", file=sys.stderr, flush=True)
    for mode in [m for m in modes if m in MODES]:
        print_mode(mode, results)
    for name in [n for n in names if n.startswith("exectrail") and "quiet" in modes]:
        with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as folder:
            os.chmod(folder, 0o755)
            quiet = run_quiet(name, args.quiet, pathlib.Path(folder))
        results[(name, "quiet")] = quiet
        print_quiet(name, quiet)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({" ".join(key): value for key, value in results.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
