"""audit.log, written by the agent as the owner of the audit socket: ausearch reads it, secrets are not in it, a full disk harms nothing."""
import json
import os
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Scene, Server, audit_lock, exectrail, run, wait_for


class WriteLog(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        (self.folder / "log").mkdir()
        self.log = self.folder / "log/audit.log"

    def test_the_same_events(self):
        agent = Agent(self.folder, self.server, "--write-log", self.log)
        for i in range(20):
            run("/bin/true", "logged", str(i), "a b", "line\nbreak", "\xe4")
        run("/bin/true", "logged", "secret", "--password=hunter22x")
        self.assertTrue(wait_for(lambda: self.server.count("args:logged and action:executed") == 21, 30, 0.2))
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.log.stat().st_mode & 0o777, 0o600)
        text = self.log.read_bytes()
        self.assertNotIn(b"hunter22x", text)
        self.assertTrue(b"--password=[redacted]" in text or b"--password=[redacted]".hex().upper().encode() in text)
        said = exectrail("decode", "--host", "testhost", self.log).stdout.splitlines()
        events = {e["event"]["sequence"]: e for e in map(json.loads, said) if e["event"]["action"] == "executed"}
        for stored in self.server.search("args:logged and action:executed"):
            read = events[stored["event"]["sequence"]]
            for name in ("pid", "executable", "args", "name", "working_directory"):
                self.assertEqual(read["process"].get(name), stored["process"].get(name), name)
            self.assertEqual(read["@timestamp"], stored["@timestamp"])
            self.assertEqual(read["auditd"].get("paths"), stored["auditd"].get("paths"))
        found = run("ausearch", "-i", "-if", self.log, "-m", "EXECVE").stdout.decode(errors="replace")
        self.assertEqual(len(re.findall(r"a1=logged", found)), 21, found[-2000:])
        serials = set(map(int, re.findall(r"type=EXECVE msg=audit\([^)]*:(\d+)\)", found)))
        ours = {n for n, e in events.items() if e["process"].get("args")}
        self.assertEqual(serials, ours, "ausearch and decode read the same execs")

    def test_a_full_disk(self):
        run("mount", "-t", "tmpfs", "-o", "size=64k", "none", self.folder / "log")
        self.addCleanup(run, "umount", self.folder / "log")
        agent = Agent(self.folder, self.server, "--write-log", self.log)
        for i in range(150):
            subprocess.run(["/bin/true", "full", str(i), "x" * 500], check=True)
        self.assertTrue(wait_for(lambda: self.server.count("args:full and action:executed") == 150, 30, 0.2), "nothing else is harmed")
        self.assertTrue(wait_for(lambda: self.server.count("action:log-not-written") == 1, 20, 0.2), agent.process.text())
        self.assertEqual(agent.stop(), 0)
        text = self.log.read_bytes()
        self.assertTrue(text.endswith(b"\n"), "whole lines")


if __name__ == "__main__":
    unittest.main()
