#!/usr/bin/env python3
"""Runs the fuzz targets of build-fuzz from their corpus in tests/fuzz/corpus and prints a table of what came of it.

    ./dev fuzz [SECONDS]              every target for that long (default 60)
    ./dev fuzz --total SECONDS        that much CPU time for all targets together: 3600 is one CPU-hour
    ./dev fuzz ... --jobs N           so many at a time (default: one a core)
    ./dev fuzz ... --only NAME[,...]  these targets alone
    ./dev fuzz --minimise             inputs found that reach new code go, minimised, to tests/fuzz/corpus

A share of the budget is CPU time that the target's process used, as the kernel counts it: a busy machine takes longer and
fuzzes as much. Targets of a few states take a quarter of a share; whatever the share is, each target has at least 1,000 runs, and one
that could not have any is a finding. What is found stays in build-fuzz/findings/TARGET-*
with the log beside it; new inputs that reach new code stay in build-fuzz/corpus and are where the next run goes on.
Ends with 1 when anything was found.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-fuzz"
CORPUS = ROOT / "tests/fuzz/corpus"
FINDINGS = BUILD / "findings"
SMALL = {"timestamp", "token", "frame", "message", "netlink_record"}
MAX_LENGTH = {"tty": 2048, "decoder": 16384, "joiner_orders": 1536}
MAX_SEED_BYTES = 4096  # of a new input that is kept with the sources
LEAST_RUNS = 1000
MOST_STARTS = 20  # to come to them


class Result:
    def __init__(self, name):
        self.name = name
        self.seconds = 0.0
        self.execs = self.coverage = self.new = 0
        self.findings = []


def run_once(program, result, seconds):
    """One run of libFuzzer; its CPU seconds, those of its start included."""
    grown = BUILD / "corpus" / result.name
    for folder in (grown, FINDINGS, CORPUS / result.name):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(FINDINGS.glob(result.name + "-*"))
    command = [program, f"-max_total_time={max(1, round(seconds))}", "-rss_limit_mb=2048", "-timeout=20",
               "-print_final_stats=1", f"-max_len={MAX_LENGTH.get(result.name, 65536)}", f"-artifact_prefix={FINDINGS}/{result.name}-", grown,
               CORPUS / result.name]
    log = FINDINGS / f"{result.name}.log"
    with open(log, "wb") as out:
        child = subprocess.Popen(list(map(str, command)), stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    result.execs += sum(map(int, re.findall(r"number_of_executed_units:\s*(\d+)", text)))
    result.new += sum(map(int, re.findall(r"new_units_added:\s*(\d+)", text)))
    result.coverage = max([result.coverage, *map(int, re.findall(r"cov: (\d+)", text))])
    found = sorted(str(path) for path in set(FINDINGS.glob(result.name + "-*")) - before)
    if child.returncode and not found:
        found = [f"{log} (exit status {child.returncode})"]
    result.findings += found
    if found:
        print(text[-6000:], flush=True)
    else:
        log.unlink()
    return usage.ru_utime + usage.ru_stime


def fuzz(program, budget):
    """Runs until the CPU time is used up and there were runs enough; a finding ends it."""
    result = Result(program.name.removeprefix("fuzz_"))
    starts = 0
    while not result.findings and (budget - result.seconds >= max(1, budget / 50) or result.execs < LEAST_RUNS and starts < MOST_STARTS):
        result.seconds += run_once(program, result, budget - result.seconds)
        starts += 1
    if not result.findings and result.execs < LEAST_RUNS:
        result.findings.append(f"{result.name}: only {result.execs} runs in {starts} starts")
    return result


def print_table(results):
    rows = [("target", "CPU s", "execs", "coverage", "new inputs", "findings")]
    rows += [(r.name, f"{r.seconds:.0f}", str(r.execs), str(r.coverage), str(r.new), str(len(r.findings))) for r in results]
    rows.append(("all", f"{sum(r.seconds for r in results):.0f}", str(sum(r.execs for r in results)), "",
                 str(sum(r.new for r in results)), str(sum(len(r.findings) for r in results))))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))))


def minimise(programs):
    """What libFuzzer's merge takes of the inputs found: those that reach what the corpus does not."""
    n_files = n_bytes = 0
    for program in programs:
        name = program.name.removeprefix("fuzz_")
        grown, merged = BUILD / "corpus" / name, BUILD / "merged" / name
        if not grown.is_dir():
            continue
        shutil.rmtree(merged, ignore_errors=True)
        shutil.copytree(CORPUS / name, merged)
        known = {path.name for path in merged.iterdir()}
        subprocess.run([program, "-merge=1", f"-max_len={MAX_SEED_BYTES}", merged, grown], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for path in sorted(set(merged.iterdir())):
            if path.name not in known:
                shutil.copy(path, CORPUS / name / ("found-" + path.name[:12]))
                n_files, n_bytes = n_files + 1, n_bytes + path.stat().st_size
    print(f"{n_files} inputs of {n_bytes} bytes were added to tests/fuzz/corpus")


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("--total", type=float)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only", default="")
    parser.add_argument("--minimise", action="store_true")
    return parser.parse_args()


def main():
    args = arguments()
    programs = sorted(p for p in (BUILD / "tests/fuzz").glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    if args.only:
        programs = [p for p in programs if p.name.removeprefix("fuzz_") in args.only.split(",")]
    if not programs:
        sys.exit("fuzz: no such target in build-fuzz/tests/fuzz; ./dev fuzz builds them")
    if args.minimise:
        minimise(programs)
        return 0
    weights = {p: 0.25 if p.name.removeprefix("fuzz_") in SMALL else 1.0 for p in programs}
    share = args.total / sum(weights.values()) if args.total else None
    results = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        for result in pool.map(lambda p: fuzz(p, share * weights[p] if share else args.seconds), programs):
            print(f"{'FOUND' if result.findings else 'clean'}  {result.name}: {result.execs} execs in {result.seconds:.0f} CPU s", flush=True)
            results.append(result)
    print_table(results)
    for result in results:
        for finding in result.findings:
            print(f"finding: {finding}\n  repeat with: {BUILD.name}/tests/fuzz/fuzz_{result.name} {finding}")
    return 1 if any(result.findings for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
