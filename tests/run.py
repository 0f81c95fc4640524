#!/usr/bin/env python3
"""Runs all tests and ends with `N passed, N failed, N skipped`.

    tests/run.py [WORD...]      those whose name holds one of the words
    tests/run.py --update       golden files are written anew: read the difference before it is committed

Parts, in this order: checks (floors, generated documents), unit tests of the AddressSanitizer build, unit tests with
threads of the ThreadSanitizer build, unit tests of the plain build that want the real kernel, the fuzz targets for three
CPU minutes together where clang is installed (`./dev fuzz --total 3600` is the long form; their corpus is replayed by
the unit tests in any case), end-to-end tests (tests/e2e/test_*.py). A failed test prints its output and the command
that repeats it.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Suites (and single tests) whose code runs on several threads: they are run under ThreadSanitizer too.
THREADED = {"store", "query", "server", "web", "agent", "audit", "decoder_threads"}
# End-to-end tests whose server and agent run under ThreadSanitizer as well.
THREADED_E2E = {"test_kill", "test_kernel", "test_modes"}
FUZZ_CPU_SECONDS = 180  # a twentieth of a CPU-hour: 90 s on two cores
ENVIRONMENT = dict(
    os.environ,
    ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:abort_on_error=0:allocator_may_return_null=1",
    UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1",
    CMOCKA_MESSAGE_OUTPUT="STDOUT",
    XT_TEST_DATA=str(ROOT / "tests/data"),
    XT_SOURCE=str(ROOT),
    XT_SHARED=os.environ.get("XT_SHARED", str(ROOT.parent / "shared")),
)
RULES = pathlib.Path(ENVIRONMENT["XT_SHARED"]) / "sigma/rules"
if RULES.exists():
    ENVIRONMENT["XT_SIGMA_RULES"] = str(RULES)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, name, passed, failed, skipped, seconds, output="", repeat=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        mark = "FAILED" if failed else "ok" if passed else "skipped"
        counts = f"{passed} passed" + (f", {failed} failed" if failed else "") + (f", {skipped} skipped" if skipped else "")
        print(f"  {mark:8}{name}  {counts}  {seconds:.1f} s", flush=True)
        if failed:
            self.failures.append(name)
            print(output[-20000:], flush=True)
            print(f"  repeat with: {repeat}", flush=True)


def count_cmocka(output, code):
    """Cases of a cmocka program; one that prints none of cmocka's lines counts as one case."""
    run = re.findall(r"\[==========\] (?:\w+: )?(\d+) test\(s\) run", output)
    if not run:
        return (0, 0, 1) if code == 77 else (1, 0, 0) if code == 0 else (0, 1, 0)
    passed = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test\(s\)", output)))
    skipped = sum(map(int, re.findall(r"\[  SKIPPED \] (?:\w+: )?(\d+) test\(s\)", output)))
    failed = sum(map(int, run)) - passed - skipped
    if code != 0 and failed == 0:
        failed = 1  # a sanitizer's finding after the last case, a crash
    return passed, failed, skipped


def run_program(command, timeout, env=None):
    begin = time.monotonic()
    try:
        done = subprocess.run(command, env=env or ENVIRONMENT, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        code, output = 124, (late.stdout or b"").decode(errors="replace") + f"\nstopped after {timeout} s"
    return code, output, time.monotonic() - begin


def wanted(name, words):
    return not words or any(word in name for word in words)


def build(folder):
    code, output, seconds = run_program(["ninja", "-C", str(ROOT / folder), "--quiet"], 3600)
    if code:
        print(output[-20000:])
        sys.exit(f"tests: {folder} does not build; see above, or run: ninja -C {folder}")
    print(f"  built   {folder}  {seconds:.0f} s", flush=True)


def meson_tests(folder, label, words, tally, only=None):
    listed = json.loads(subprocess.check_output(["meson", "introspect", "--tests", folder], cwd=ROOT))
    jobs = []
    for test in listed:
        suites = {suite.split(":")[-1] for suite in test["suite"]}
        name = f"{label}:{'fuzz' if 'fuzz' in suites else '/'.join(sorted(suites - {'unit'}))}/{test['name']}"
        if wanted(name, words) and (only is None or (suites | {test["name"]}) & only):
            jobs.append((name, test["cmd"]))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        running = {pool.submit(run_program, command, 900): (name, command) for name, command in jobs}
        for future in concurrent.futures.as_completed(running):
            name, command = running[future]
            code, output, seconds = future.result()
            tally.add(name, *count_cmocka(output, code), seconds, output, "./dev test " + name)


def checks(words, tally):
    for name, command in (
        ("check:floors", [sys.executable, "tools/floors.py"]),
        ("check:docs", [sys.executable, "tools/docs_check.py"]),
    ):
        if wanted(name, words):
            code, output, seconds = run_program(command, 300)
            tally.add(name, int(code == 0), int(code != 0), 0, seconds, output, " ".join(command[1:]))


def has_fuzzer():
    probe = ["clang", "-fsanitize=fuzzer", "-x", "c", "-o", os.devnull, "-"]
    source = b"int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return p && n > 1000; }"
    try:
        return subprocess.run(probe, input=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def fuzz(words, tally):
    name = "fuzz:short"
    if not wanted(name, words):
        return
    if not has_fuzzer():
        tally.add(name, 0, 0, 1, 0)
        print("          because clang with libFuzzer (packages clang, libclang-rt-14-dev) is not installed", flush=True)
        return
    code, output, seconds = run_program(["./dev", "fuzz", "--total", str(FUZZ_CPU_SECONDS)], 1800)
    passed, failed = len(re.findall(r"^clean ", output, re.M)), len(re.findall(r"^FOUND ", output, re.M))
    tally.add(name, passed, failed or int(code != 0), 0, seconds, output, f"./dev fuzz --total {FUZZ_CPU_SECONDS}")


def end_to_end(folder, label, words, tally, only=None):
    for path in sorted((ROOT / "tests/e2e").glob("test_*.py")):
        name = f"e2e-{label}:{path.stem}"
        if not wanted(name, words) or (only and path.stem not in only):
            continue
        code, output, seconds = run_program([sys.executable, "-W", "ignore::ResourceWarning", str(path), "-v"], 1800,
                                            dict(ENVIRONMENT, XT_BUILD=folder))
        ran = re.search(r"^Ran (\d+) tests?", output, re.M)
        skipped = sum(map(int, re.findall(r"skipped=(\d+)", output)))
        failed = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", output)))
        if failed == 0 and (code != 0 or not ran):
            failed = 1
        passed = max(int(ran[1]) - skipped - failed, 0) if ran else 0
        tally.add(name, passed, failed, skipped, seconds, output, "./dev test " + name)
        for reason in re.findall(r"skipped ['\"](.*)['\"]", output):
            print(f"          because {reason}", flush=True)


def main():
    words = [word for word in sys.argv[1:] if word != "--update"]
    if "--update" in sys.argv:
        ENVIRONMENT["XT_GOLDEN_UPDATE"] = "1"
        words = words or ["golden", "kql"]
    tally = Tally()
    checks(words, tally)
    for folder in ("build", "build-asan", "build-tsan"):
        build(folder)
    meson_tests("build-asan", "asan", words, tally)
    meson_tests("build-tsan", "tsan", words, tally, THREADED)
    fuzz(words, tally)
    end_to_end("build-asan", "asan", words, tally)
    end_to_end("build-tsan", "tsan", words, tally, THREADED_E2E)
    if tally.failures:
        print("failed: " + " ".join(tally.failures))
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
