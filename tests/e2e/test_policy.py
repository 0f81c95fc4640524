"""Optional groups of rules, policies from the server, pauses: real agent, real kernel."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Scene, Server, audit_lock, exectrail, run, wait_for


class PolicyScene(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        self.watched = self.folder / "watched"
        self.watched.mkdir()

    def loaded(self):
        return run("auditctl", "-l").stdout.decode()

    def touch(self, name):
        (self.watched / name).write_text("x")

    def found(self, query, seconds=20):
        return wait_for(lambda: self.server.search(query), seconds, 0.2)


class Groups(PolicyScene):
    def agent(self, *options, **more):
        group = self.folder / "web.rules"
        group.write_text(f"# name: web\n# reason: a test\n# cost: nothing\n-w {self.watched} -p wa -k uploads\n-w {self.folder}/absent/file -p wa -k uploads\n")
        return Agent(self.folder, self.server, "--rules", f"modules,io-uring,kexec,{group}", *options, **more)

    def test_groups_are_loaded_found_and_taken_away(self):
        run("auditctl", "-a", "always,exit", "-F", "arch=b64", "-S", "settimeofday", "-k", "of-others")
        self.addCleanup(run, "auditctl", "-D")
        before = self.loaded()
        agent = self.agent()
        self.assertIn("-k uploads", self.loaded())
        self.assertIn("init_module", self.loaded())
        self.touch("one")
        event = self.found("key:uploads")[0]
        self.assertEqual(event["event"]["outcome"], "success")
        self.assertIn(str(self.watched / "one"), str(event))
        said = run(AGENT, "rules", "--state", agent.state, "--rules", f"modules,kexec,{self.folder}/web.rules", check=False)
        lines = said.stdout.decode().splitlines()
        self.assertEqual(said.returncode, 1, "one is missing")
        self.assertTrue(any(line.startswith("loaded   exec ") for line in lines), lines)
        self.assertTrue(any(line.startswith("loaded   web ") for line in lines), lines)
        self.assertTrue(any(line.startswith("missing  web ") and "absent" in line for line in lines), lines)
        self.assertTrue(any(line.startswith("extra ") and "io-uring" in line for line in lines), lines)
        self.assertTrue(any(line.startswith("other ") and "of-others" in line for line in lines), lines)
        # killed, and started with fewer groups: what it added is known again, and what is wanted no more goes
        agent.kill()
        self.assertIn("-k uploads", self.loaded())
        agent.options = ("--rules", "kexec")
        agent.start()
        self.assertTrue(wait_for(lambda: "-k uploads" not in self.loaded() and "kexec" in self.loaded(), 20, 0.2), self.loaded())
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.loaded(), before, "rules of others stay, ours are gone")

    def test_bad_groups_are_refused_with_their_place(self):
        group = self.folder / "bad.rules"
        group.write_text("# reason: a test\n-w /etc -p wa\n  -a always,exit -S nosuchcall\n")
        for rules, said in ((str(group), f"{group}:3:21: there is no such system call"), ("nosuch", "no such group of rules"), ("/nosuch.rules", "cannot be read")):
            done = run(AGENT, "--output", "-", "--state", self.folder / "s", "--rules", rules, check=False, timeout=30)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
