"""Real kernel: the process connector and audit agree on every exec; what hides execs from audit is told within seconds."""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Process, Scene, audit_lock, run, wait_for

WITHIN_S = 10  # that audit is blind is told
CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
EXECS, SPAWNERS = 5000, 4
# Executes /bin/true and /bin/false in turn, each with a number; started several times at once.
SPAWNER = """
import os, sys
first, n = int(sys.argv[1]), int(sys.argv[2])
for i in range(first, first + n):
    program = "/bin/false" if i % 5 == 0 else "/bin/true"
    pid = os.posix_spawn(program, [program, "witness-test", str(i)], {})
    os.waitpid(pid, 0)
"""


class Listening(Scene):
    """An agent that writes its events into a file."""

    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.out = self.folder / "events"
        self.state = self.folder / "state"
        self.position = 0
        self.events = []

    def start(self, *options):
        self.agent = Process([AGENT, "--config", "/dev/null", "--output", str(self.out), "--state", str(self.state),
                              "--host", "unit", *options], self.folder / "agent.log")
        self.addCleanup(lambda: self.agent.child.poll() is None and self.agent.stop())
        self.assertTrue(wait_for(lambda: "watching as" in self.agent.text()), self.agent.text())

    def read(self):
        """All events so far."""
        with open(self.out, "rb") as f:
            f.seek(self.position)
            data = f.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.position += len(whole)
        self.events += [json.loads(line) for line in whole.splitlines()]
        return self.events

    def having(self, action, **more):
        return [e for e in self.read() if e["event"]["action"] == action
                and all(e["event"].get(name) == value for name, value in more.items())]

    def wait_action(self, action, since, seconds=WITHIN_S, **more):
        """An event of that action that came after the first `since` events."""
        return wait_for(lambda: [e for e in self.read()[since:] if e["event"]["action"] == action
                                 and all(e["event"].get(n) == v for n, v in more.items())], seconds, 0.1)

    def stop(self):
        self.assertEqual(self.agent.stop(), 0, self.agent.text())
        text = self.agent.text()
        self.assertNotRegex(text, "Sanitizer|runtime error")
        return self.read()

    def status(self):
        return run(AGENT, "status", "--state", str(self.state)).stdout.decode()


class Witness(Listening):
    def test_both_agree_on_every_exec(self):
        self.start()
        each = EXECS // SPAWNERS
        spawners = [subprocess.Popen([sys.executable, "-c", SPAWNER, str(i * each), str(each)], start_new_session=True)
                    for i in range(SPAWNERS)]
        for spawner in spawners:
            self.assertEqual(spawner.wait(), 0)

        def ours(action="executed"):
            return [e for e in self.having(action) if "witness-test" in e["process"].get("args", [])]
        self.assertTrue(wait_for(lambda: len(ours()) >= EXECS, 60, 0.3), f"{len(ours())} of {EXECS}")
        time.sleep(5)  # the bound, within which each must have met the other
        execs = {int(e["process"]["args"][2]): e for e in ours()}
        self.assertEqual(sorted(execs), list(range(EXECS)))
        self.assertEqual(self.having("exec-unaudited", reason="unknown"), [])
        self.assertEqual(self.having("witness-gap") + self.having("witness-lost") + self.having("canary-lost"), [])
        exited = self.having("exited")
        ends = {e["exectrail"]["of"]: e for e in exited}
        self.assertEqual(len(ends), len(exited), "an end is told once")
        spawner_pids = {s.pid for s in spawners}
        for number, e in execs.items():
            end = ends[e["event"]["id"]]
            self.assertEqual(end["process"]["exit_code"], 1 if number % 5 == 0 else 0)
            self.assertEqual(end["process"]["pid"], e["process"]["pid"])
            self.assertGreater(end["event"]["duration"], 0)
            self.assertNotEqual(end["event"]["id"], e["event"]["id"])
            parent = e["process"]["parent"]
            self.assertIn(parent["pid"], spawner_pids)
            self.assertIn("python", parent["executable"])
            self.assertIn(SPAWNER.strip().splitlines()[0], parent["command_line"])
            self.assertEqual(e["process"]["session_leader"]["pid"], parent["pid"])
        self.stop()
        self.assertRegex(self.status(), r"witness +[0-9]+ execs told of by audit and by the process connector, [0-9]+ by the "
                                        r"connector alone \(0 unexplained\), [0-9]+ by audit alone; 0 messages missing")

    def execute_marker(self, word):
        return subprocess.Popen(["/bin/sleep", f"6.{word}"])

    def check_blinded(self, hide, show, reason, number, unaudited=True):
        """What `hide` hides is told by canary and witness in time; after `show` a canary comes back whole."""
        since = len(self.read())
        started = time.monotonic()
        run("auditctl", *hide)
        marker = self.execute_marker(number)
        try:
            self.assertTrue(self.wait_action("canary-lost", since, reason=reason), f"{hide}: no canary\n{self.agent.text()}")
            if unaudited:
                def told():
                    return [e for e in self.having("exec-unaudited") if e["process"]["pid"] == marker.pid]
                self.assertTrue(wait_for(told, WITHIN_S - (time.monotonic() - started), 0.1), f"{hide}: no witness")
                event = told()[0]
                self.assertEqual(event["event"]["reason"], "unknown")
                self.assertEqual(event["process"]["args"][1], f"6.{number}")
                self.assertTrue(event["process"]["executable"].endswith("sleep"))
                self.assertEqual(event["process"]["parent"]["pid"], os.getpid())
            self.assertLess(time.monotonic() - started, WITHIN_S)
        finally:
            since = len(self.read())
            run("auditctl", *show)
            marker.terminate()
            marker.wait()
        self.assertTrue(self.wait_action("canary-returned", since, 20), f"{show}: no canary came back")

    def test_what_blinds_audit_is_told(self):
        self.start("--canary", "6", "--repair", "off")
        wait_for(lambda: "last back" in self.status() and not re.search("last back (never|-)", self.status()), 10, 0.2)
        self.check_blinded(["-e", "0"], ["-e", "1"], "not-recorded", 1)
        never = ["-F", "arch=b64", "-S", "execve,execveat"]
        self.check_blinded(["-A", "never,exit", *never], ["-d", "never,exit", *never], "not-recorded", 2)
        exclude = ["never,exclude", "-F", "msgtype=EXECVE"]
        self.check_blinded(["-a", *exclude], ["-d", *exclude], "incomplete", 3, unaudited=False)
        lost = self.having("canary-lost", reason="incomplete")
        self.assertIn("EXECVE", lost[0]["message"])
        beats = wait_for(lambda: re.search(r"completeness +incomplete: since the agent began ([0-9]+) execs", self.status()), 10, 0.5)
        self.assertTrue(beats, self.status())
        self.stop()

    @unittest.skipUnless(os.access(CORE_PATTERN, os.W_OK), "core_pattern cannot be set")
    def test_kernel_helper_is_told_apart(self):
        helper = self.folder / "helper"
        helper.write_text("#!/bin/sh\ncat >/dev/null\nsleep 1\n")
        helper.chmod(0o755)
        before = CORE_PATTERN.read_text()
        self.start()
        try:
            CORE_PATTERN.write_text(f"|{helper} %p")
            crashing = subprocess.Popen(["/bin/sleep", "60"])
            time.sleep(0.3)
            crashing.send_signal(signal.SIGSEGV)
            crashing.wait()
            found = wait_for(lambda: self.having("exec-unaudited", reason="kernel-helper"), WITHIN_S, 0.1)
        except PermissionError:
            self.skipTest("core_pattern cannot be set")
        finally:
            with contextlib.suppress(OSError):
                CORE_PATTERN.write_text(before)
        self.assertTrue(found, self.agent.text())
        self.assertIn(str(helper), found[0]["process"]["args"])
        ended = wait_for(lambda: [e for e in self.having("exited") if e["process"]["pid"] == crashing.pid], 5, 0.1)
        self.assertEqual(ended[0]["process"]["exit_code"], 128 + signal.SIGSEGV)
        self.assertEqual(ended[0]["process"]["exit_signal"], signal.SIGSEGV)
        self.assertEqual(self.having("exec-unaudited", reason="unknown"), [])
        self.assertIn("core-dumped", ended[0]["exectrail"]["flags"])
        self.stop()


if __name__ == "__main__":
    unittest.main()
