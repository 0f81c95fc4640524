"""`./dev run`: the page's address, real commands found again, a clean end; and the DEMO where the kernel gives no audit."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from actors import EXECTRAIL, PLAIN, ROOT, Process, Scene, audit_lock, audit_status, exectrail, free_port, run, wait_for


class Run(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)

    def start(self):
        out = self.folder / "out"
        with open(out, "wb") as f:
            process = Process([sys.executable, str(ROOT / "tools/run_here.py"), "--port", str(free_port()), "--folder", str(self.folder / "run")],
                              self.folder / "run.log", stdout=f)
        self.assertTrue(wait_for(lambda: "#login=" in out.read_text() or process.child.poll() is not None, 60, 0.1), process.text())
        return process, out.read_text()

    def test_run_and_search(self):
        process, text = self.start()
        self.assertRegex(text, r"http://127\.0\.0\.1:\d+/#login=\w+&live=1")
        subprocess.run("printf 'a b' | cat - /etc/hostname >/dev/null; id >/dev/null; sh -c 'uname -a' >/dev/null", shell=True, executable="/bin/bash",
                       check=True, cwd=self.folder)
        data = self.folder / "run/data"

        def found(query):
            return [json.loads(line) for line in exectrail("search", "--data", data, "--format", "ndjson", query).stdout.splitlines()]
        for query in ('cmd:"cat - /etc/hostname"', "comm:id and args:id", 'args:"uname -a" and comm:sh', 'cmd:"uname -a" and comm:uname'):
            here = f'{query} and cwd:"{self.folder}"'
            events = wait_for(lambda here=here: found(here), 10, 0.1)
            self.assertTrue(events, query)
            e = events[0]
            self.assertEqual((e["user"]["id"], e["process"]["working_directory"]), ("0", str(self.folder)))
            self.assertTrue(e["process"]["parent"]["executable"])
            self.assertIn("tty", e["auditd"]["data"])
        self.assertEqual(found(f'cmd:"uname -a" and comm:uname and cwd:"{self.folder}"')[0]["process"]["parent"]["command_line"], "sh -c uname -a")
        self.assertEqual(process.stop(signal.SIGINT), 0)
        self.assertEqual(run("auditctl", "-l").stdout.strip(), b"No rules")

    def test_demo_where_audit_is_taken(self):
        owner = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "owner.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(owner.stdout.readline().strip(), b"0")
        try:
            process, text = self.start()
            self.assertIn("The kernel gives no audit here", text)
            self.assertIn(str(owner.pid), text)
            self.assertIn("DEMO", text)
            where = json.loads((self.folder / "run/demo/server.json").read_text())
            token = (self.folder / "run/demo/admin.token").read_text().strip()
            search = ("search", "--server", where["http"], "--token", token, "--format", "ndjson", "--limit", "1", "host:demo")
            self.assertTrue(wait_for(lambda: exectrail(*search).stdout, 20, 0.2), "the capture is being replayed")
            request = urllib.request.Request(where["http"] + "/api/v1/status", headers={"Authorization": f"Bearer {token}"})
            self.assertTrue(json.load(urllib.request.urlopen(request))["demo"], "the page shows its DEMO banner")
            self.assertEqual(process.stop(signal.SIGINT), 0)
        finally:
            owner.stdin.close()
            owner.wait(10)


if __name__ == "__main__":
    unittest.main()
