#!/usr/bin/env python3
"""Decode and import of a real capture (fleet.log: 227,116 execs, 311 MB) beside ausearch, one run, medians of three.

ausearch --raw copies lines, ausearch -i interprets them; neither joins the records of an event nor its arguments.
Then the cost of arguments by their length: the same bytes in hex, as arguments of 200 digits and as ones of 7,000.
Without the shared captures the carried ones are repeated to about 60 MB.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from measure import medians

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXECTRAIL = ROOT / os.environ.get("XT_BUILD", "build-release") / "exectrail"


def make_input(folder):
    log = folder / "audit.log"
    capture = pathlib.Path(os.environ.get("XT_SHARED", ROOT.parent / "shared")) / "corpus/fleet.log.zst"
    with open(log, "wb") as out:
        if capture.exists():
            subprocess.run(["zstd", "-dcq", capture], stdout=out, check=True)
            return log, "fleet.log"
        pieces = [path.read_bytes() for path in sorted((ROOT / "tests/data/capture").glob("*.log"))]
        while out.tell() < 60 << 20:
            for piece in pieces:
                out.write(piece)
    return log, "carried captures, repeated"


def make_hex(folder, n_digits, n_bytes=60 << 20):
    """Execs with seven EXECVE records of about 7,000 digits each, in arguments of n_digits."""
    log = folder / f"hex-{n_digits}.log"
    digits = "C3A9" * (n_digits // 4)
    with open(log, "w") as out:
        serial, per_record = 0, 7000 // n_digits
        while out.tell() < n_bytes:
            serial += 1
            stamp = f"msg=audit({1700000000 + serial // 100}.{serial % 100:03}:{serial})"
            out.write(f"type=SYSCALL {stamp}: arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=7 auid=0 "
                      f"uid=0 ses=1 comm=\"x\" exe=\"/x\" key=(null)\n")
            for record in range(7):
                first = record * per_record
                argc = f"argc={7 * per_record} " if record == 0 else ""
                words = " ".join(f"a{first + i}={digits}" for i in range(per_record))
                out.write(f"type=EXECVE {stamp}: {argc}{words}\n")
            out.write(f"type=PROCTITLE {stamp}: proctitle=\"x\"\n")
    return log


def print_hex(folder):
    logs = {n_digits: make_hex(folder, n_digits) for n_digits in (200, 1000, 7000)}
    figures = medians({f"hex of {n} digits": [EXECTRAIL, "decode", log] for n, log in logs.items()})
    for (name, (wall, cpu, peak)), log in zip(figures.items(), logs.values()):
        megabytes = log.stat().st_size / 1e6
        print(f"{name:20}{wall:8.2f}{cpu:8.2f}{megabytes / cpu:10.0f}{'':14}{peak:10.0f}")


def main():
    if not shutil.which("ausearch"):
        sys.exit("bench: ausearch is missing; install Debian's auditd")
    with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as name:
        folder = pathlib.Path(name)
        log, what = make_input(folder)
        data = folder / "data"
        contenders = {
            "ausearch --raw": ["ausearch", "--raw", "-if", log],
            "ausearch -i": ["ausearch", "-i", "-if", log],
            "exectrail decode": [EXECTRAIL, "decode", log],
            "exectrail import": [EXECTRAIL, "import", "--data", data, "--host", "bench", log],
        }
        figures = medians(contenders, before=lambda _: shutil.rmtree(data, ignore_errors=True))
        megabytes = log.stat().st_size / 1e6
        events = int(subprocess.check_output([EXECTRAIL, "search", "--data", data, "--count", ""]))
        stored = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        base = figures["ausearch -i"]
        print(f"{what}: {megabytes:.0f} MB, {events} events, one process each")
        print(f"{'':20}{'wall s':>8}{'CPU s':>8}{'MB/CPU s':>10}{'events/CPU s':>14}{'peak MiB':>10}{'CPU vs ausearch -i':>20}")
        for contender, (wall, cpu, peak) in figures.items():
            print(f"{contender:20}{wall:8.2f}{cpu:8.2f}{megabytes / cpu:10.0f}{events / cpu:14.0f}{peak:10.0f}{base[1] / cpu:19.1f}x")
        print_hex(folder)
        print(f"stored: {stored / events:.1f} bytes an event, everything in the data folder ({megabytes * 1e6 / events:.0f} raw)")


if __name__ == "__main__":
    main()
