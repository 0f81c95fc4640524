"""A server that is killed again and again while it takes, seals and merges, beside a ledger of what it acknowledged.

Two clients import pieces of audit text over HTTP and note in the ledger what was answered with 200; what was not answered
they send again after the restart. An agent reads more from a pipe: what it was acknowledged for it forgets. After each
restart everything in the ledger is there once. Half of the kills wait for a moment in which a segment is being written.

ROUNDS=N: that many kills (10); SEED=N: other moments.
"""
import collections
import http.client
import os
import random
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Scene, Server, exectrail, wait_for

ROUNDS = int(os.environ.get("ROUNDS", "10"))
SEED = int(os.environ.get("SEED", "5"))
CHECK_ALL_EVERY = 20
# Segments come twice a second, of some hundred events, and are merged soon.
OPTIONS = ("--seal-rows", 100, "--seal-after", 1, "--merge-after", 1)


def lines(comm, serial, n):
    """Events serial+1 .. serial+n, each with its number as argument."""
    out = []
    for i in range(serial + 1, serial + n + 1):
        stamp = f"audit({1800000000 + i // 1000}.{i % 1000:03d}:{i})"
        out.append(f'type=SYSCALL msg={stamp}: arch=c000003e syscall=59 success=yes exit=0 items=1 ppid=1 pid={1000 + i % 30000} '
                   f'auid=1001 uid=1001 gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 sgid=1001 fsgid=1001 tty=pts0 ses=7 '
                   f'comm="{comm}" exe="/usr/bin/{comm}" key="exec"\ntype=EXECVE msg={stamp}: argc=2 a0="{comm}" a1="n{i}"\n')
    return "".join(out).encode()


class Importer(threading.Thread):
    """Sends pieces until told to end; .acked: the greatest number that was acknowledged, and all before it."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name_ = server, name
        self.acked = self.sent = self.n_again = 0
        self.ends = False
        self.rng = random.Random(name)
        self.problem = None
        self.start()

    def run(self):
        while not self.ends:
            n = self.sent - self.acked
            if n:
                self.n_again += 1
            else:
                n = self.rng.randint(1, 40)
                self.sent = self.acked + n
            try:
                status, body, _ = self.server.request("POST", f"/api/v1/import?host={self.name_}", body=lines(self.name_, self.acked, n))
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)  # it is dead: again, later
                continue
            if status != 200:
                self.problem = f"{status} {body[:300]!r}"
                return
            self.acked += n
            time.sleep(self.rng.uniform(0.005, 0.04))

    def numbers(self):
        return self.acked, self.sent


class KillLedger(Scene):
    def kill_at_some_moment(self, rng):
        """Half of the times while a segment is written."""
        time.sleep(rng.uniform(0.05, 0.9))
        if rng.random() < 0.5:
            folder = self.server.data / "segments"
            wait_for(lambda: any(name.endswith(".tmp") for name in os.listdir(folder)), 1.5, 0.0005)
            time.sleep(rng.choice((0, 0, 0.001, 0.003, 0.01)))
        self.server.kill()

    def check_counts(self, importer):
        acked, _ = importer.numbers()
        table = self.server.search(f"comm:{importer.name_} | stats count(), count_distinct(cmd)")
        n, distinct = (int(v) for v in table[0].values()) if table else (0, 0)
        _, sent = importer.numbers()
        self.assertEqual(n, distinct, f"{importer.name_}: doubled")
        self.assertGreaterEqual(n, acked, f"{importer.name_}: lost")
        self.assertLessEqual(n, sent, f"{importer.name_}: invented")

    def check_all(self, name, acked, sent):
        seen = collections.Counter(line.decode().split()[-1] for line in exectrail(
            "search", "--data", self.server.data, "--format", "csv", "--fields", "cmd", f"comm:{name}").stdout.splitlines()[1:])
        self.assertEqual([a for a, c in seen.items() if c > 1], [], f"{name}: doubled")
        lost = {f"n{i}" for i in range(1, acked + 1)} - set(seen)
        self.assertEqual(lost, set(), f"{name}: lost of {acked} acknowledged")
        self.assertEqual(set(seen) - {f"n{i}" for i in range(1, sent + 1)}, set(), f"{name}: invented")

    def test_nothing_acknowledged_is_lost(self):
        rng = random.Random(SEED)
        self.server = server = Server(self.folder, *OPTIONS)
        agent = Agent(self.folder, server, "--stdin", start=False)
        agent.start(stdin=subprocess.PIPE, wait=False)
        agent.wait_connected()
        importers = [Importer(server, f"ledger{i}") for i in range(2)]
        n_fed = merged = 0
        for n in range(1, ROUNDS + 1):
            agent.process.child.stdin.write(lines("load", n_fed, 100))
            agent.process.child.stdin.flush()
            n_fed += 100
            self.kill_at_some_moment(rng)
            server.start()
            for importer in importers:
                self.assertIsNone(importer.problem)
                self.check_counts(importer)
                if n % CHECK_ALL_EVERY == 0:
                    self.check_all(importer.name_, importer.acked, importer.acked + 10**6)
            ids = sorted(int(p.stem, 16) for p in (server.data / "segments").glob("*.xts"))
            merged += bool(ids) and ids[0] > 1
            if n % 10 == 0:
                print(f"{n} kills, {sum(i.acked for i in importers)} events acknowledged, {sum(i.n_again for i in importers)} pieces "
                      f"sent again, {len(ids)} segments up to {ids[-1] if ids else 0}", file=sys.stderr, flush=True)
        for importer in importers:
            importer.ends = True
            importer.join()
            self.check_all(importer.name_, *importer.numbers())
            self.assertGreater(importer.acked, 20 * ROUNDS)
        self.assertGreater(sum(i.n_again for i in importers), 0, "no kill hit a request")
        wait_for(lambda: server.count("comm:load") >= n_fed, 60, 0.5)
        self.check_all("load", n_fed, n_fed)
        agent.process.child.stdin.close()
        agent.stop()
        server.stop()
        self.assertTrue(ids and ids[-1] >= ROUNDS / 2, "segments were sealed")
        if ROUNDS >= 50:
            self.assertGreater(merged, 0, "segments were merged")
        exectrail("verify", "--data", server.data)


if __name__ == "__main__":
    unittest.main()
