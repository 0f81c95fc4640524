#!/usr/bin/env python3
"""The fleet: many agents on one server over TLS; the server's CPU and memory apart from the simulators', Markdown tables.

Simulated agents (bench/fleet) each have a certificate and a connection of their own, send batches of real events and heartbeats
and come again after a break as agents do. Times are from an event's happening on its host: until its batch is acknowledged (of
every batch, its first event; what is acknowledged is durable and searchable), and until a search of the API finds it (of
marked events, some in each phase). Agents make batches as real ones do: what came within --linger ms, and gathered for as long as
the server asks; so an event waits for that on its host.

Phases: steady; 1 in 10 agents at ten times its rate; a restart (SIGTERM) and a kill (SIGKILL) of the server under load, until
all agents are back and nothing waits. At the end what was acknowledged is compared with what the store counts, host by host:
a difference ends the benchmark with 1.

usage: bench_fleet.py [--large | --agents N] [--rate N] [--linger MS] [--seconds S] [--only PHASE,…] [--alone] [--keep DIR]
  500 agents with 5 events/s for 20 s a phase; --large: 10,000 agents, 60 s a phase; --alone: server and simulators get the
  priority of real time (root), as if the machine had nothing else to do
"""
import argparse
import datetime
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from bench_store import BUILD, EXECTRAIL, captures
from fleet_under_load import Fleet
from server_under_test import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARK_EVERY_S = 2.0
SERIES = itertools.count()


class Marks(threading.Thread):
    """Marks an event now and then, and asks the API until it is there."""

    def __init__(self, fleet, server):
        super().__init__(daemon=True)
        self.fleet, self.server, self.took, self.stopping, self.n = fleet, server, [], False, next(SERIES) * 10000

    def run(self):
        while not self.stopping:
            name = f"mark-{os.getpid()}-{self.n}"
            self.fleet.tell("mark", self.n * 7919 % self.fleet.agents, name)
            self.n += 1
            begin = time.monotonic()
            while time.monotonic() - begin < 30:
                rows = self.server.get("search", q=f'args:"{name}"', limit=1, **{"from": "now-5m"})["rows"]
                if rows:
                    self.took.append(self.fleet_delay(rows[0], begin))
                    break
                time.sleep(0.05)
            time.sleep(max(0.0, MARK_EVERY_S - (time.monotonic() - begin)))

    @staticmethod
    def fleet_delay(row, begin):
        """From the marked event's own time on; it lies up to a linger behind the moment of marking, on one clock."""
        return time.time() - event_seconds(row)

    def stop(self):
        self.stopping = True
        self.join()
        return sorted(self.took)


def event_seconds(row):
    stamp = row["@timestamp"] if isinstance(row, dict) else next(v for v in row if isinstance(v, str) and v[4:5] == "-" and v.endswith("Z"))
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


class Phase:
    """What the server and the simulators used in a time."""

    def __init__(self, fleet, server, name):
        self.fleet, self.server, self.name = fleet, server, name

    def __enter__(self):
        self.fleet.ask("phase")
        self.marks = Marks(self.fleet, self.server)
        self.marks.start()
        self.begin, self.cpu, self.line = time.monotonic(), self.server.cpu_s(), dict(self.fleet.last)
        return self

    def __exit__(self, *exception):
        seconds, last = time.monotonic() - self.begin, self.fleet.last
        cpu, sims = self.server.cpu_s() - self.cpu, (last["cpu_ms"] - self.line["cpu_ms"]) / 1000
        took = self.fleet.ask("phase")["phase"]
        events = last["acked"] - self.line["acked"]
        marks = self.marks.stop()
        self.row = {"phase": self.name, "events_s": events / seconds, "server_cores": cpu / seconds,
                    "server_us": cpu / events * 1e6 if events else 0, "sim_cores": sims / seconds,
                    "batches_s": (last["batches"] - self.line["batches"]) / seconds, "rss_mb": self.server.rss_mb(), "peak_mb": self.server.peak_mb(), "late_ms": last["late_ms"],
                    "others": took["others"], "busy": took["busy"], "waiting": last["made"] - last["acked"], "marks": marks}
        print(json.dumps(self.row), file=sys.stderr, flush=True)


def percent(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def table(rows):
    print("| phase | events/s | batches/s | server: cores | us an event | resident MB | peak MB | simulators: cores | p50 ms | p99 ms | of busy hosts: p99 ms |"
          " found by a search: median, worst ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        marks = row["marks"]
        found = f"{percent(marks, 0.5) * 1000:.0f}, {marks[-1] * 1000:.0f} (of {len(marks)})" if marks else "-"
        busy = row["busy"]["p99"] if row["busy"]["n"] else "-"
        print(f"| {row['phase']} | {row['events_s']:.0f} | {row['batches_s']:.0f} | {row['server_cores']:.2f} | {row['server_us']:.1f} | {row['rss_mb']:.0f} | {row['peak_mb']:.0f} |"
              f" {row['sim_cores']:.2f} | {row['others']['p50']} | {row['others']['p99']} | {busy} | {found} |")


def restart(fleet, server, sig, options):
    """How long from the signal until all agents are back and nothing waits."""
    before, begin = fleet.last["connections"], time.monotonic()
    server.child.send_signal(sig)
    server.child.wait()
    gone = time.monotonic() - begin
    server.start()
    up = time.monotonic() - begin
    cpu = server.cpu_s()
    back = fleet.wait(lambda line: line["up"] == fleet.agents and line["connections"] >= before + fleet.agents, 300)
    back = time.monotonic() - begin if back is not None else None
    settled = fleet.settled(300)
    settled = time.monotonic() - begin if settled is not None else None
    return {"signal": signal.Signals(sig).name, "gone_s": gone, "answers_s": up, "all_back_s": back, "settled_s": settled,
            "server_cpu_s": server.cpu_s() - cpu, "peak_mb": server.peak_mb(), "refused": dict(fleet.last["refused"]), "breaks": fleet.last["breaks"]}


def compare(fleet, server, folder):
    """Each host's acknowledged events are in the store, once."""
    acked = fleet.counts(folder / "counts")
    answer = server.get("search", q="boot:simulated", by="host", limit=1000000)
    stored = {group["values"][0]: group["count"] for group in answer["groups"]}
    wrong = {name: (n, stored.get(name, 0)) for name, n in acked.items() if stored.get(name, 0) != n}
    return sum(acked.values()), sum(stored.values()), wrong


def fixed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--rate", type=int, default=5)
    parser.add_argument("--linger", type=int, default=100)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--only", default="steady,busy,restart,kill")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    options.agents = options.agents or (10000 if options.large else 500)
    options.seconds = options.seconds or (60 if options.large else 20)
    if options.alone:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as folder:
        sys.exit(measure(options, options.keep or pathlib.Path(folder)))


def measure(options, folder):
    phases, restarts, only = [], [], options.only.split(",")
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    server = Server(EXECTRAIL, data, "--listen", f"127.0.0.1:{fixed_port()}")
    token = subprocess.check_output([EXECTRAIL, "token", "new", "--data", data, "--uses", "0"], text=True, stderr=subprocess.DEVNULL).split()[-1]
    fleet = Fleet(BUILD / "bench/bench-fleet", captures(), server.agents_port, token, options.agents, options.rate, options.linger)
    fleet.wait(lambda line: True, 120)
    cpu, begin = server.cpu_s(), time.monotonic()
    fleet.tell("enroll")
    fleet.wait(lambda line: line["enrolled"] == options.agents, 900)
    print(f"{options.agents} agents enrolled in {time.monotonic() - begin:.1f} s ({(server.cpu_s() - cpu) / options.agents * 1e6:.0f} us of the server each)")
    rss = server.rss_mb()
    cpu, begin = server.cpu_s(), time.monotonic()
    fleet.tell("connect", options.agents // 1000)
    fleet.all_up(300)
    print(f"and connected in {time.monotonic() - begin:.1f} s ({(server.cpu_s() - cpu) / options.agents * 1e6:.0f} us each); "
          f"resident {rss:.0f} -> {server.rss_mb():.0f} MB, {(server.rss_mb() - rss) * 1024 / options.agents:.1f} KiB a connection", flush=True)
    fleet.tell("start")
    time.sleep(5)
    settled = fleet.settled(120)  # a server that never saw them learns what to ask of them
    print(f"all begin at once: {'never' if settled is None else f'{settled + 5:.1f} s'} until nothing waits any more and agents gather {fleet.last['gather_ms']} ms"
          f" beyond their own {options.linger}", flush=True)
    time.sleep(5)
    if "steady" in only:
        with Phase(fleet, server, "steady") as phase:
            time.sleep(options.seconds)
        phases.append(phase.row)
    if "busy" in only:
        fleet.tell("busy", options.agents // 10, 10)
        with Phase(fleet, server, "one in ten at ten times its rate") as phase:
            time.sleep(options.seconds)
        phases.append(phase.row)
        fleet.tell("busy", 0, 1)
        fleet.settled(300)
    for name, sig in (("restart", signal.SIGTERM), ("kill", signal.SIGKILL)):
        if name in only:
            restarts.append(restart(fleet, server, sig, options))
            print(json.dumps(restarts[-1]), file=sys.stderr, flush=True)
            time.sleep(5)
    if "steady" in only and restarts:
        with Phase(fleet, server, "steady again") as phase:
            time.sleep(options.seconds / 2)
        phases.append(phase.row)
    fleet.tell("stop")
    drained = fleet.drained(300)
    acked, stored, wrong = compare(fleet, server, folder)
    table(phases)
    print()
    for r in restarts:
        text = {name: "never" if value is None else f"{value:.1f} s" for name, value in r.items() if name.endswith("_s")}
        print(f"{r['signal']}: gone after {text['gone_s']}, answers after {text['answers_s']}, all agents back after {text['all_back_s']},"
              f" settled after {text['settled_s']}; server's CPU {text['server_cpu_s']}, peak {r['peak_mb']:.0f} MB")
    print(f"acknowledged {acked}, stored {stored}; hosts whose counts differ: {len(wrong)}; batches that the server forgot: {fleet.last['forgot']}; "
          f"refusals: {fleet.last['refused']}")
    bad = bool(wrong) or drained is None or fleet.last["forgot"] or any(r["settled_s"] is None for r in restarts)
    for name, (have, there) in list(wrong.items())[:5]:
        print(f"  {name}: acknowledged {have}, stored {there}")
    fleet.end()
    server.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    main()
