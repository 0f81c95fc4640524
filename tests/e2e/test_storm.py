"""20,000 identical commands at full rate pass one by one while the spool has room; tail shows commands, and ends when asked. Real kernel."""
import os
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import EXECTRAIL, Agent, Scene, Server, audit_lock, wait_for

# A sanitizer's agent gets a tenth: what is counted is the same.
LOOPS, EACH = 4, 5000 if os.environ.get("XT_BUILD", "build-asan") == "build" else 500
LOOP = f"i=0; while [ $i -lt {EACH} ]; do /bin/true storm-word; i=$((i+1)); done"


class Storm(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        self.agent = Agent(self.folder, self.server, "--protect", "record")

    def host(self):
        return next(h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == "testhost")

    def tail(self, *options):
        child = subprocess.Popen([EXECTRAIL, "tail", "--data", str(self.server.data), "--noise", "show", *options, "exe:*/sleep or comm:sleep"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = []
        threading.Thread(target=lambda: lines.extend(iter(child.stdout.readline, b"")), daemon=True).start()
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdout.close()))
        return lines

    def test_one_by_one(self):
        loops = [subprocess.Popen(["/bin/sh", "-c", LOOP]) for _ in range(LOOPS)]
        self.assertEqual([child.wait() for child in loops], [0] * LOOPS)
        wanted = LOOPS * EACH
        query = "action:executed and outcome:success and args:storm-word"
        self.assertTrue(wait_for(lambda: self.server.count(query) >= wanted, 60, 0.5), self.server.count(query))
        self.assertEqual(self.server.count(query), wanted)
        self.assertEqual(self.server.count("action:(flood or dropped or lost or exec-unaudited)"), 0)
        self.assertEqual(self.server.count("not repeated:* and args:storm-word and action:executed"), wanted, "each with its own time and pid")
        host = self.host()
        self.assertEqual((host["flood_counted"], host["spool_dropped"]), (0, 0))
        self.assertEqual(host["spool_max_bytes"], 256 << 20, host)
        # What people see who watch: commands; ends where they ask for them.
        plain, with_ends = self.tail(), self.tail("--ends", "rows")
        time.sleep(1)
        subprocess.run(["/bin/sleep", "0.2"])
        self.assertTrue(wait_for(lambda: any(b"(exited 0 after 0." in line for line in with_ends), 20, 0.1), with_ends)
        self.assertTrue(any(b"/bin/sleep 0.2" in line for line in with_ends))
        self.assertTrue(any(b"/bin/sleep 0.2" in line for line in plain), plain)
        self.assertFalse(any(b"exited" in line for line in plain), plain)


if __name__ == "__main__":
    unittest.main()
