"""The others of bench_store: ClickHouse (chdb), SQLite and zstd with grep, each given the same events, and its answers."""
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from measure import once
from server_under_test import folder_bytes, forget

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE.parent / "build-bench/venv"


def columns():
    """[name, is a number] of the generator's rows, from its source."""
    rows = []
    for line in (HERE / "generate/columns.c").read_text().splitlines():
        parts = line.strip().strip("{},").split(", ")
        if len(parts) == 3 and parts[0].startswith('"') and parts[1].startswith("XT_F_"):
            rows.append([parts[0].strip('"'), parts[2] == "true"])
    return rows


def chdb_python():
    """A Python that has chdb, made once; None where it cannot be had."""
    python = VENV / "bin/python"
    if python.exists() and subprocess.call([python, "-c", "import chdb"], stderr=subprocess.DEVNULL) == 0:
        return python
    made = subprocess.call([sys.executable, "-m", "venv", VENV]) == 0
    return python if made and subprocess.call([python, "-m", "pip", "install", "-q", "chdb"]) == 0 else None


def timed(work, rounds):
    """First and median milliseconds, mean CPU milliseconds and the answer of a callable that returns (answer, CPU s)."""
    times, cpus = [], []
    for _ in range(rounds + 1):
        begin = time.monotonic()
        answer, cpu = work()
        times.append((time.monotonic() - begin) * 1000)
        cpus.append(cpu * 1000)
    rest = times[1:] or times
    return {"first_ms": times[0], "ms": statistics.median(rest), "cpu_ms": sum(cpus[1:] or cpus) / len(rest), "answer": answer}


def clickhouse(job, folder):
    python = chdb_python()
    if not python:
        print("bench: chdb cannot be installed here; ClickHouse is left out", file=sys.stderr)
        return None
    pipe = folder / "rows.tsv"
    os.mkfifo(pipe)
    settings = {"columns": columns(), "day": job.day, "needle": job.needle, "rounds": job.rounds}
    with open(folder / "chdb.log", "wb") as log:
        peer = subprocess.Popen([python, HERE / "peer_clickhouse.py", pipe, folder / "chdb"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=log)
        peer.stdin.write(json.dumps(settings).encode())
        peer.stdin.close()
        with open(pipe, "wb") as out:
            job.generate("columns", stdout=out)
        output = peer.stdout.read()
        if peer.wait() != 0:
            raise SystemExit(f"bench: chdb failed: {(folder / 'chdb.log').read_text()[-2000:]}")
    return json.loads(output)


def sqlite(job, folder):
    path = folder / "events.db"
    wall, cpu, _ = once(job.generator("none", "--sqlite", path))
    cpu -= job.generator_cpu_s
    forget(folder)
    db = sqlite3.connect(path)
    db.text_factory = lambda text: text.decode(errors="replace")
    day = job.day_ms
    statements = {
        "newest": [("SELECT * FROM events WHERE user='alice' AND time>=? AND time<? ORDER BY time DESC LIMIT 100", (day, day + 86400000))],
        "needle": [("SELECT * FROM events WHERE id IN (SELECT rowid FROM text WHERE cmd LIKE ?)", (f"%{job.needle}%",))],
        "nmap": [("SELECT count(*) FROM text WHERE cmd LIKE '%nmap%'", ())],
        "top": [("SELECT exe, count(*) FROM events WHERE exe IS NOT NULL GROUP BY exe ORDER BY 2 DESC LIMIT 10", ()),
                ("SELECT time/3600000, count(*) FROM events GROUP BY 1", ())],
        "hosts": [("SELECT user, count(DISTINCT host) FROM events WHERE user IS NOT NULL GROUP BY user", ())],
    }
    results = {"cpu_s": cpu, "wall_s": wall, "queries": {}, "bytes": folder_bytes(folder), "rss_mb": None}

    def work(name):
        cpu = time.process_time()
        rows = [db.execute(*statement).fetchall() for statement in statements[name]]
        return rows, time.process_time() - cpu

    for name in statements:
        result = timed(lambda: work(name), job.slow_rounds if name in ("top", "hosts") else job.rounds)
        rows = result["answer"]
        result["answer"] = (rows[0][0][0] if name == "nmap" else
                            ([list(row) for row in rows[0]], sum(n for _, n in rows[1])) if name == "top" else
                            dict(rows[0]) if name == "hosts" else len(rows[0]))
        results["queries"][name] = result
    results["events"] = db.execute("SELECT count(*) FROM events").fetchone()[0]
    db.close()
    return results


def zstd_grep(job, folder):
    path = folder / "audit.log.zst"
    with open(path, "wb") as out:
        begin, before = time.monotonic(), os.times()
        generator = subprocess.Popen(job.generator("text"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        packer = subprocess.Popen(["zstd", "-3", "-q", "-c"], stdin=generator.stdout, stdout=out)
        generator.stdout.close()
        _, _, usage = os.wait4(packer.pid, 0)
        packer.returncode = 0
        if generator.wait() != 0:
            raise SystemExit("bench: the generator failed")
    results = {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": time.monotonic() - begin, "queries": {},
               "bytes": path.stat().st_size, "rss_mb": None, "events": job.n}
    forget(folder)
    # One line an event: what stands behind 0x1d says who it was, in the first record or in that of the program.
    alice = (f"zstd -dcq {path} | grep -aE $'[ \\x1d]UID=\"alice\"' | grep -aE 'audit\\({job.day_pattern}' | "
             "sed -E 's/^(node=[^ ]+) .*(audit\\([^)]*\\)).*/\\1 \\2/' | uniq | tail -n 100 | wc -l")
    shell = {
        "newest": alice,
        "needle": f"zstd -dcq {path} | grep -ac 'type=EXECVE.*{job.needle}'",
        "nmap": f"zstd -dcq {path} | grep -ac 'type=EXECVE.*nmap'",
    }

    def work(name):
        before = os.times()
        out = subprocess.run(["bash", "-c", shell[name]], stdout=subprocess.PIPE).stdout
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return int(out), cpu

    for name in shell:
        results["queries"][name] = timed(lambda: work(name), job.slow_rounds)
    return results


def run(job, name):
    """The results of a peer in a temporary folder of its own."""
    with tempfile.TemporaryDirectory(prefix="exectrail-bench-peer-", dir=job.folder) as folder:
        begin = time.monotonic()
        results = {"ClickHouse": clickhouse, "SQLite": sqlite, "zstd | grep": zstd_grep}[name](job, pathlib.Path(folder))
        print(f"bench: {name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        return results
