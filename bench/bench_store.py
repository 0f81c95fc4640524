#!/usr/bin/env python3
"""The store: size, ingest, queries, memory and start-up, beside ClickHouse, SQLite and zstd | grep; Markdown tables.

The events are made by bench/generate: 200 hosts for a week, from real captures. Every contender gets the same ones, and
what it answers is compared with what was planted: a difference ends the benchmark with 1. Sizes are everything in the
data folder after sealing and merging. Ingest of ours is over the agents' socket: TLS, detection, durable before acknowledged.

usage: bench_store.py [--large [--keep DIR] [--alone] | --events N[,N...]] [--only NAME[,NAME...]]
  1,000,000 and 10,000,000 events; --large: 100,000,000, ours alone, put into the store directly (--events N with it: as
  many), --keep: into DIR, which stays and is asked again the next time; --alone: while it is asked, server and client get the
  priority of real time (root), as if the machine had nothing else to do; --only: these contenders are measured (Exectrail,
  ClickHouse, SQLite, grep), the others stand in the table as they were last measured here
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import peers
from measure import once
from server_under_test import Server, folder_bytes, forget

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("XT_BUILD", "build-release")
EXECTRAIL = BUILD / "exectrail"
CORPUS = pathlib.Path(os.environ.get("XT_SHARED", ROOT.parent / "shared")) / "corpus"
RESULTS = ROOT / "build-bench/store.json"
QUERIES = {
    "newest": "newest 100 of `user:alice` in a day",
    "needle": "one rare argument anywhere",
    "nmap": "`cmd:*nmap*` counted",
    "top": "top 10 `exe`, and all by the hour",
    "hosts": "distinct hosts by user",
}
PEERS = ["ClickHouse", "SQLite", "zstd | grep"]
START_MS = 1793577600000
DAY_MS = 86400000
KEEP_FREE_BYTES = 20 << 30
BYTES_AN_EVENT = 2600  # of disk for a while, peers included


def captures():
    names = ["fleet.log.zst", "session.log", "sudo.log", "webshell.log", "tty.log"]
    paths = [CORPUS / name for name in names if (CORPUS / name).exists()]
    return paths or [ROOT / f"tests/data/capture/{name}" for name in ("args.log", "session.log", "tty.log", "webshell.log")]


class Job:
    """One number of events, and what all contenders are asked."""

    def __init__(self, n, folder, keep=None, alone=False):
        self.n, self.folder, self.keep, self.alone, self.generator_cpu_s = n, folder, keep, alone, 0.0
        self.rounds = 7
        self.slow_rounds = 3 if n <= 1000000 else 1
        self.day_ms, self.day = START_MS + 2 * DAY_MS, "2026-11-04"
        self.day_pattern = "(179375(0[4-9]|[1-9])|17937[6-9]|17938[0-2]|179383([0-5]|6[0-7]))"
        self.needle = "needle-5e1f77c0d2"

    def generator(self, form, *more):
        words = [BUILD / "bench/bench-generate", "--events", self.n, "--format", form, "--truth", self.folder / "truth.json"]
        for path in captures():
            words += ["--capture", path]
        return [str(word) for word in (*words, *more)]

    def generate(self, form, *more, stdout=subprocess.DEVNULL):
        subprocess.run(self.generator(form, *more), stdout=stdout, check=True)

    def truth(self):
        return json.loads((self.folder / "truth.json").read_text())


# ------------------------------------------------------------------------------------------------ ours


def ask(server, job, name):
    if name == "newest":
        day = {"from": job.day_ms, "to": job.day_ms + DAY_MS - 1}
        return len(server.get("search", q="user:alice", limit=100, **day)["rows"])
    if name == "needle":
        return len(server.get("search", q=f'cmd:"{job.needle}"', limit=100)["rows"])
    if name == "nmap":
        return server.get("search", q="cmd:*nmap* | stats count()")["rows"][0][0]
    if name == "top":
        top = server.get("search", q="exe:* | stats count() by exe | sort count() desc | limit 10")["rows"]
        hours = server.get("search", q="* | stats count() by bin(time, 1h)")["rows"]
        return [list(row) for row in top], sum(row[1] for row in hours)
    return dict(server.get("search", q="user:* | stats count_distinct(host) by user")["rows"])


def ask_all(server, job):
    results = {}
    for name in QUERIES:
        def work():
            before = server.cpu_s()
            found = ask(server, job, name)
            return found, server.cpu_s() - before
        results[name] = peers.timed(work, job.rounds)
    return results


def query_ours(job, data, results):
    """Start-up, memory and queries of a data folder that is settled."""
    forget(data)
    if job.alone:  # children have it too
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    server = Server(EXECTRAIL, data)
    time.sleep(2)
    results["start_s"], results["start_cpu_s"], results["rss_mb"] = server.start_s, server.start_cpu_s, server.rss_mb()
    server.forget_peak()
    results["queries"] = ask_all(server, job)
    results["peak_mb"] = server.peak_mb()
    gaps = int(server.get("search", q="action:gap | stats count()")["rows"][0][0])  # the server's own: no heartbeats are sent
    results["events"] = server.get("status")["events"] - gaps
    counts, total = results["queries"]["top"]["answer"]
    results["queries"]["top"]["answer"] = counts, total - gaps
    server.stop()
    server = Server(EXECTRAIL, data)
    results["start_warm_s"] = server.start_s
    server.stop()
    if job.alone:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def enroll(server, job):
    keys, names, hosts = job.folder / "keys", job.folder / "names", job.folder / "hosts"
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir()
    with open(names, "wb") as out:
        job.generate("none", "--names", stdout=out)
    token = server.request("POST", "tokens", uses=0, valid="1h")["token"]
    with open(hosts, "wb") as out:
        subprocess.run([BUILD / "bench/bench-load", "enroll", "--port", server.agents_port, "--token", token, "--dir", keys,
                        "--hosts", names], stdout=out, check=True)
    return keys, hosts


def ingest_socket(job, data, results):
    data.mkdir()
    server = Server(EXECTRAIL, data)
    keys, hosts = enroll(server, job)
    batches = job.folder / "batches"
    with open(batches, "wb") as out:
        job.generate("batches", "--hosts", hosts, stdout=out)
    before = server.cpu_s()
    sent = json.loads(subprocess.check_output([BUILD / "bench/bench-load", "send", "--port", server.agents_port, "--dir", keys,
                                               "--hosts", hosts, batches]))
    results["acknowledged_cpu_s"] = server.cpu_s() - before
    results["wall_s"], results["client_cpu_s"] = sent["wall_ms"] / 1000, sent["client_cpu_ms"] / 1000
    results["wire_bytes"] = sent["bytes"]
    batches.unlink()
    server.settle()
    results["cpu_s"] = server.cpu_s() - before
    results["ingest_peak_mb"] = server.peak_mb()
    server.stop()
    results["merge_wall_s"], merge_cpu_s, results["merge_peak_mb"] = merge(job, data)
    results["cpu_s"] += merge_cpu_s


def merge(job, data):
    """An import of nothing leaves the folder sealed and merged now; a server takes its time."""
    nothing = job.folder / "nothing.log"
    nothing.touch()
    return once([EXECTRAIL, "import", "--data", data, "--host", "nothing", nothing])


def bytes_by_file(data):
    sizes = {}
    for path in data.rglob("*"):
        if path.is_file():
            name = "segments" if path.parent.name == "segments" else path.name
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return {name: n for name, n in sorted(sizes.items(), key=lambda item: -item[1]) if n > 10000}


def ours(job, direct):
    data, results = job.keep or job.folder / "data", {}
    if job.keep and data.exists():
        shutil.copy(f"{data}.truth.json", job.folder / "truth.json")
        results = json.loads(pathlib.Path(f"{data}.made.json").read_text())
    elif direct:
        wall, cpu, _ = once(job.generator("none", "--data", data, "--batch", "500"))
        results["direct_wall_s"], results["direct_cpu_s"] = wall, cpu
        print(f"bench: {job.n} events made and stored in {wall:.0f} s", file=sys.stderr)
    else:
        ingest_socket(job, data, results)
    results["bytes"] = folder_bytes(data)
    results["bytes_by_file"] = bytes_by_file(data)
    if job.keep:
        shutil.copy(job.folder / "truth.json", f"{data}.truth.json")
        pathlib.Path(f"{data}.made.json").write_text(json.dumps({name: results[name] for name in results if name.startswith("direct")}))
    query_ours(job, data, results)
    if not job.keep:
        shutil.rmtree(data)
    return results


def import_text(folder, log, results):
    data = folder / "imported"
    wall, cpu, peak = once([EXECTRAIL, "import", "--data", data, "--host", "bench", log])
    count = int(subprocess.check_output([EXECTRAIL, "search", "--data", data, "--count", ""]))
    results.update(wall_s=wall, cpu_s=cpu, peak_mb=peak, events=count, bytes=folder_bytes(data), raw_bytes=log.stat().st_size,
                   bytes_by_file=bytes_by_file(data))
    shutil.rmtree(data)
    return results


def import_generated(job):
    log = job.folder / "audit.log"
    with open(log, "wb") as out:
        job.generate("text", stdout=out)
    results = import_text(job.folder, log, {})
    log.unlink()
    return results


def import_fleet(folder):
    if not (CORPUS / "fleet.log.zst").exists():
        return None
    log = folder / "fleet.log"
    with open(log, "wb") as out:
        subprocess.run(["zstd", "-dcq", CORPUS / "fleet.log.zst"], stdout=out, check=True)
    results = import_text(folder, log, {})
    log.unlink()
    return results


# ------------------------------------------------------------------------------------------------ checking


def wrong(name, contender, got, truth, job):
    """What is wrong with an answer, or None."""
    expected = {
        "newest": min(100, truth["alice_by_day"][2]),
        "needle": truth["needles"],
        "nmap": truth["nmap"],
        "hosts": truth["hosts_by_user"],
    }
    if name == "top":
        counts, total = got
        found, planted = [n for _, n in counts], [n for _, n in truth["top_exe"]]
        in_week = truth["events"] - truth["events_by_day"][7]
        if found != planted:
            return f"{contender}: top: {counts} instead of {truth['top_exe']}"
        return None if total in (truth["events"], in_week) else f"{contender}: by the hour: {total} of {truth['events']}"
    return None if got == expected[name] else f"{contender}: {name}: {got} instead of {expected[name]}"


def check(job, results):
    truth, problems = job.truth(), []
    for contender, figures in results.items():
        if not figures:
            continue
        if figures.get("events") != truth["events"]:
            problems.append(f"{contender}: {figures.get('events')} events instead of {truth['events']}")
        for name, query in figures["queries"].items():
            problems += [text for text in [wrong(name, contender, query["answer"], truth, job)] if text]
    return problems


# ------------------------------------------------------------------------------------------------ tables


def figure(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def row(name, *cells):
    print(f"| {name} | {' | '.join(cells)} |")


def print_table(n, results, truth):
    names = [name for name in ["Exectrail", *PEERS] if results.get(name)]
    get = lambda key: [results[name].get(key) for name in names]
    print(f"\n{n:,} events, {truth['hosts']} hosts, {truth['unique_arguments']:,} arguments never seen before\n")
    row("", *[name.replace(" |", ",") for name in names])
    row("---", *["---"] * len(names))
    row("bytes an event, whole folder", *[figure(v / n) for v in get("bytes")])
    row("ingest, CPU s per 1M events", *[figure(v / n * 1e6 if v else None) for v in get("cpu_s")])
    row("ingest, wall s", *[figure(v) for v in get("wall_s")])
    for key, text in QUERIES.items():
        cells = []
        for name in names:
            q = results[name]["queries"].get(key)
            cells.append("–" if not q else f"{figure(q['ms'])} ms (CPU {figure(q['cpu_ms'])}; first {figure(q['first_ms'])})")
        row(text, *cells)
    row("memory after start, MiB", *[figure(v, 0) for v in get("rss_mb")])
    row("memory at most under the queries, MiB", *[figure(v, 0) for v in get("peak_mb")])
    row("start-up, s: files forgotten / again (CPU)", *[f"{figure(a, 2)} / {figure(b, 2)} ({figure(c, 2)})" if a else "–" for a, b, c in
                                                       zip(get("start_s"), get("start_warm_s"), get("start_cpu_s"))])


def parts(figures, n):
    return ", ".join(f"{name} {size / n:.1f}" for name, size in figures["bytes_by_file"].items())


def print_ingest(n, mine, imported):
    print(f"\nBytes an event of Exectrail: {parts(mine, n)}.")
    if mine.get("wall_s"):
        cpu = mine["acknowledged_cpu_s"] + mine["client_cpu_s"]
        print(f"\nOver the socket: {n / mine['wall_s']:,.0f} events/s by the clock; {n / cpu * 2:,.0f} for two cores that do nothing else "
              f"(server {mine['acknowledged_cpu_s'] / n * 1e6:.1f} and client {mine['client_cpu_s'] / n * 1e6:.1f} CPU s per 1M events until "
              f"acknowledged; {mine['cpu_s'] / n * 1e6:.1f} with all sealed and merged), {mine['wire_bytes'] / n:.0f} bytes an "
              f"event on the wire, {mine['ingest_peak_mb']:.0f} MiB at most.")
    for name, figures in imported.items():
        if figures:
            print(f"Import of {name}: {figures['events'] / figures['wall_s']:,.0f} events/s by the clock, "
                  f"{figures['cpu_s'] / figures['events'] * 1e6:.1f} CPU s per 1M events, {figures['raw_bytes'] / figures['events']:.0f} bytes an event "
                  f"raw, {figures['bytes'] / figures['events']:.1f} stored ({parts(figures, figures['events'])}), {figures['peak_mb']:.0f} MiB at most.")


def print_growth(saved):
    sizes = sorted(int(n) for n in saved if "Exectrail" in saved[n]["results"])
    if len(sizes) < 2:
        return
    print("\nExectrail as events grow (ms, median; `user:alice` is asked of one and the same day)\n")
    row("", *[f"{n:,}" for n in sizes])
    row("---", *["---"] * len(sizes))
    mine = [saved[str(n)]["results"]["Exectrail"] for n in sizes]
    for key, text in QUERIES.items():
        row(text, *[figure(m["queries"][key]["ms"]) for m in mine])
    row("bytes an event", *[figure(m["bytes"] / n) for n, m in zip(sizes, mine)])
    row("memory after start / under queries, MiB", *[f"{m['rss_mb']:.0f} / {m['peak_mb']:.0f}" for m in mine])
    row("start-up, s", *[figure(m["start_s"], 2) for m in mine])


def saved_results():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def save(n, entry):
    saved = saved_results()
    saved[str(n)] = entry
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(saved, indent=1))
    return saved


# ------------------------------------------------------------------------------------------------ all of it


def measure(n, large, only, keep, alone):
    free = shutil.disk_usage(tempfile.gettempdir()).free
    need = KEEP_FREE_BYTES + n * (BYTES_AN_EVENT if set(only) & set(PEERS) else 200)
    if free < need:
        raise SystemExit(f"bench: {n:,} events need {need >> 30} GiB free in {tempfile.gettempdir()}; there are {free >> 30}")
    with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as name:
        job = Job(n, pathlib.Path(name), keep and pathlib.Path(keep), alone)
        if "SQLite" in only:  # it is loaded in the generator's own process
            _, job.generator_cpu_s, _ = once(job.generator("none"))
        entry = saved_results().get(str(n), {"results": {}, "imported": {}})
        results, imported = entry["results"], entry["imported"]
        if "Exectrail" in only:
            results["Exectrail"] = ours(job, large)
        if "Exectrail" in only and not large and n <= 1000000:
            imported = {"the same as text": import_generated(job), "fleet.log": import_fleet(job.folder)}
        for peer in [name for name in PEERS if name in only]:
            results[peer] = peers.run(job, peer)
        problems = check(job, {name: results[name] for name in only})
        print_table(n, results, job.truth())
        if "Exectrail" in only:
            print_ingest(n, results["Exectrail"], imported)
        if large and "direct_wall_s" in results["Exectrail"]:
            mine = results["Exectrail"]
            print(f"\nMade and stored directly in {mine['direct_wall_s']:.0f} s ({mine['direct_cpu_s']:.0f} CPU s).")
        saved = save(n, {"results": results, "imported": imported, "at": time.strftime("%Y-%m-%d %H:%M")})
    for problem in problems:
        print(f"bench: wrong answer: {problem}", file=sys.stderr)
    return saved, problems


def main():
    parser = argparse.ArgumentParser(prog="bench store")
    parser.add_argument("--large", action="store_true", help="100,000,000 events, ours alone")
    parser.add_argument("--events", default=None, help="other numbers of events, comma separated")
    parser.add_argument("--only", default="Exectrail,ClickHouse,SQLite,grep", help="the contenders to measure, comma separated")
    parser.add_argument("--keep", metavar="DIR", help="with --large: Exectrail's data folder; it stays, and is used again when it is there")
    parser.add_argument("--alone", action="store_true", help="with --large: priority of real time while Exectrail is asked (root)")
    args = parser.parse_args()
    if not (BUILD / "bench/bench-generate").exists():
        raise SystemExit(f"bench: {BUILD} has no generator; configure it with -Dbench=true, as ./dev bench does")
    sizes = [int(n) for n in args.events.split(",")] if args.events else [100000000] if args.large else [1000000, 10000000]
    only = ["zstd | grep" if name == "grep" else name for name in args.only.split(",")]
    only = ["Exectrail"] if args.large else only
    wrong_answers = []
    for n in sizes:
        saved, problems = measure(n, args.large, only, args.keep, args.alone and args.large)
        wrong_answers += problems
    print_growth(saved)
    return 1 if wrong_answers else 0


if __name__ == "__main__":
    sys.exit(main())
