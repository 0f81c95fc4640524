"""Optional groups of rules, policies from the server, pauses: real agent, real kernel."""
import contextlib
import ctypes
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Scene, Server, audit_lock, audit_status, exectrail, run, wait_for


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
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded(), 20, 0.1), self.loaded())
        self.assertIn("init_module", self.loaded())
        self.touch("one")
        event = self.found("key:uploads")[0]
        self.assertEqual(event["event"]["outcome"], "success")
        self.assertIn(str(self.watched / "one"), str(event))
        # a file that io_uring opens passes every system call's rule, and list 7 of the kernel has it
        opened = run(sys.executable, os.path.join(os.path.dirname(__file__), "uring_open.py"), self.watched / "one").stdout
        if int(opened) >= 0:
            self.assertTrue(self.found("key:io-uring"), "the operation")
            self.assertTrue(self.found("key:io-uring-setup and exe:*python*"), "and who made the ring")
        said = run(AGENT, "rules", "--state", agent.state, "--rules", f"modules,kexec,{self.folder}/web.rules", check=False)
        lines = said.stdout.decode().splitlines()
        self.assertEqual(said.returncode, 1, "one is missing")
        self.assertTrue(any(line.startswith("loaded   exec ") for line in lines), lines)
        self.assertTrue(any(line.startswith("loaded   web ") for line in lines), lines)
        self.assertTrue(any(line.startswith("missing  web ") and "absent" in line for line in lines), lines)
        self.assertTrue(any(line.startswith("extra ") and "io-uring" in line for line in lines), lines)
        self.assertTrue(any(line.startswith("other ") and "of-others" in line for line in lines), lines)
        self.assertNotIn("set back", agent.process.text(), "what is not there is no drift")
        # killed, and started with the same groups: what is loaded stays so
        agent.kill()
        agent.start()
        self.assertTrue(wait_for(lambda: "rules_hash=" in (agent.state / "status").read_text(), 20, 0.2))
        run("/bin/true", "after-the-kill")
        self.assertTrue(self.found("args:after-the-kill"))
        self.assertEqual([e for e in self.server.search("action:changed-audit-configuration") if "remove_rule" in str(e)], [])
        # killed, and started with fewer groups: what it added is known again, and what is wanted no more goes
        agent.kill()
        self.assertIn("-k uploads", self.loaded())
        agent.options = ("--rules", "kexec")
        agent.start()
        self.assertTrue(wait_for(lambda: "-k uploads" not in self.loaded() and "kexec" in self.loaded(), 20, 0.2), self.loaded())
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.loaded(), before, "rules of others stay, ours are gone")

    def test_a_file_system_that_hangs_does_not_delay_the_exec_rules(self):
        """FUSE without anybody who answers: whoever asks for a path there waits until the descriptor is closed."""
        if not os.path.exists("/dev/fuse"):
            self.skipTest("no /dev/fuse")
        slow = self.folder / "slow"
        slow.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual(libc.unshare(0x20000), 0)  # CLONE_NEWNS: nobody else on this machine sees it
        self.assertEqual(libc.mount(b"none", b"/", None, 0x44000, None), 0, "private")
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        if libc.mount(b"none", str(slow).encode(), b"fuse", 0, f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()) != 0:
            os.close(fuse)
            self.skipTest(f"FUSE cannot be mounted: {os.strerror(ctypes.get_errno())}")
        answer = contextlib.ExitStack()
        answer.callback(os.close, fuse)
        self.addCleanup(libc.umount2, str(slow).encode(), 2)
        self.addCleanup(answer.close)
        group = self.folder / "slow.rules"
        group.write_text(f"# name: slow\n# reason: a test\n# cost: nothing\n-w {slow}/folder -p wa -k slow\n-w {self.watched} -p wa -k uploads\n")
        agent = Agent(self.folder, self.server, "--rules", group, start=False)
        agent.start(wait=False)
        try:
            self.assertTrue(wait_for(lambda: "key=exectrail" in self.loaded(), 20, 0.1), "the exec rules are loaded")
            self.assertTrue(wait_for(lambda: "watching as" in agent.process.text(), 20, 0.1), agent.process.text())
            run("/bin/true", "while-it-hangs")
            self.assertNotIn("uploads", self.loaded())
        finally:
            answer.close()
        self.assertTrue(self.found("args:while-it-hangs"), agent.process.text())
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded(), 20, 0.1), self.loaded())
        self.assertEqual(agent.stop(), 0)

    def test_bad_groups_are_refused_with_their_place(self):
        group = self.folder / "bad.rules"
        group.write_text("# reason: a test\n-w /etc -p wa\n  -a always,exit -S nosuchcall\n")
        for rules, said in ((str(group), f"{group}:3:21: there is no such system call"), ("nosuch", "no such group of rules"), ("/nosuch.rules", "cannot be read")):
            done = run(AGENT, "--output", "-", "--state", self.folder / "s", "--rules", rules, check=False, timeout=30)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


class Policies(PolicyScene):
    def policy(self, *arguments, check=True, stdin=None):
        return exectrail("policy", *arguments, "--data", self.server.data, check=check, stdin=stdin)

    def put(self, text, group="all"):
        self.policy("set", group, "-", stdin=text.encode())
        self.policy("roll-out", group, "--waves", "100", "--soak", "0")

    def info(self, group="all"):
        return next(p for p in self.server.get("/api/v1/policies")["policies"] if p["group"] == group)

    def host(self):
        return next(h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == "testhost")

    def text(self, rules, more=""):
        return f"rules = modules,web\nexits = off\n{more}[rules web]\n{rules}\n"

    def test_set_rolled_out_refused_and_taken_back(self):
        agent = Agent(self.folder, self.server)
        good = f"-w {self.watched} -p wa -k uploads\n-w {self.folder}/absent/file -p wa -k uploads"  # what is not there is no refusal
        self.put(self.text(good))
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded() and "init_module" in self.loaded(), 15, 0.1), agent.process.text())
        self.touch("one")
        self.assertTrue(self.found("key:uploads and action:(opened-file or created-file)"))
        self.assertTrue(self.found("action:policy-applied"))
        self.assertTrue(self.found('action:set-policy and user:*'))
        self.assertTrue(wait_for(lambda: self.info()["applied"] == 1, 10, 0.2), self.info())
        self.assertEqual(self.host()["policy"], "all 1")
        # what the kernel refuses changes nothing: the rules before it in the same policy are gone again
        self.put(self.text(f"-w {self.folder} -p wa -k not-this\n-a always,exit -F arch=b64 -S openat -F dir=/etc -F path=/etc/hosts -k bad"))
        self.assertTrue(wait_for(lambda: self.info()["refused"] == 1, 15, 0.2), agent.process.text())
        self.assertIn("-k uploads", self.loaded())
        self.assertNotIn("not-this", self.loaded())
        refused = self.found("action:policy-refused")[0]
        self.assertIn("path=/etc/hosts", refused["message"])
        self.assertIn("Invalid argument", refused["message"])
        self.assertIn("path=/etc/hosts", self.host()["policy_said"])
        self.policy("rollback", "all")
        self.assertTrue(wait_for(lambda: self.host()["policy"] == "all 1" and self.host()["policy_state"] == "in force", 15, 0.2), self.host())
        # the order in force stands for a start without a server
        self.server.kill()
        self.assertEqual(agent.stop(), 0)
        self.assertNotIn("uploads", self.loaded())
        agent.start(wait=False)
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded(), 20, 0.2), agent.process.text())
        said = run(AGENT, "rules", "--state", agent.state, check=False).stdout.decode()
        self.assertIn("loaded   web ", said)
        ca = json.loads(exectrail("ca", "list", "--data", self.server.data, "--format", "ndjson").stdout)["id"]
        self.assertRegex(said, rf"(?m)^policy   all +version 1, number \d{{13}}, ordered 20\S+Z, signed by the CA {ca}$")
        self.assertIn("policy         policy all 1: in force", run(AGENT, "status", "--state", agent.state).stdout.decode())
        # an order that was tampered with is of no use, and the agent goes on without it
        agent.stop()
        order = agent.state / "policy"
        order.write_bytes(order.read_bytes().replace(b"uploads", b"upl0ads"))
        agent.start(wait=False)
        self.assertTrue(wait_for(lambda: "key=exectrail" in self.loaded(), 20, 0.2), agent.process.text())
        self.assertNotIn("upl0ads", self.loaded())
        self.assertIn("is of no use", agent.process.text())
        self.server.start()
        agent.wait_connected()
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded(), 20, 0.2), "the server sends it again")
        self.assertEqual(agent.stop(), 0)
        self.assertNotIn("exectrail", self.loaded())

    def test_protect_and_cpu_limit_take_effect_and_go_back(self):
        agent = Agent(self.folder, self.server)
        status = lambda: dict(line.split("=", 1) for line in (agent.state / "status").read_text().splitlines() if "=" in line)
        waits = audit_status()["backlog_wait_time"]
        self.put("protect = record\ncpu-limit = 37\n")
        self.assertTrue(wait_for(lambda: (status()["protect"], status()["cpu_limit"]) == ("record", "37"), 20, 0.2), status())
        record = audit_status()["backlog_wait_time"]
        self.assertNotEqual(record, waits, "the kernel's own setting")
        # a policy whose rule audit refuses changes neither
        self.put("protect = host\ncpu-limit = 50\nrules = web\n[rules web]\n-a always,exit -F arch=b64 -S openat -F dir=/etc -F path=/etc/hosts -k bad\n")
        self.assertTrue(wait_for(lambda: self.info()["refused"] == 1, 15, 0.2), agent.process.text())
        self.assertEqual((status()["protect"], audit_status()["backlog_wait_time"]), ("record", record))
        self.assertEqual(agent.stop(), 0)

    def test_a_new_ca_while_no_order_comes(self):
        agent = Agent(self.folder, self.server)
        self.put("exits = off\n")
        self.assertTrue(wait_for(lambda: self.info()["applied"] == 1, 15, 0.2), agent.process.text())
        for command in ("rotate", "retire"):
            exectrail("ca", command, "--data", self.server.data)
            ours = (self.server.data / "ca.pem").read_bytes()
            self.assertTrue(wait_for(lambda: (agent.state / "policy-ca.pem").read_bytes() == ours, 20, 0.1), agent.process.text())
            # the certificate of the host follows; only then may the old one go
            self.assertTrue(wait_for(lambda: self.host()["ca"] == [json.loads(l) for l in exectrail("ca", "list", "--data", self.server.data, "--format", "ndjson").stdout.splitlines()][-1]["id"], 20, 0.2))
        self.assertTrue(self.found("action:policy-ca-changed"))
        # what is in force is signed by the new one now, also at a start without a server
        self.server.kill()
        self.assertEqual(agent.stop(), 0)
        agent.start(wait=False)
        self.assertTrue(wait_for(lambda: b"policy all 1: in force" in run(AGENT, "status", "--state", agent.state, check=False).stdout, 20, 0.2), agent.process.text())
        self.server.start()
        agent.wait_connected()
        self.put(self.text(f"-w {self.watched} -p wa -k uploads"))
        self.assertTrue(wait_for(lambda: "-k uploads" in self.loaded(), 15, 0.1), agent.process.text())
        self.assertNotIn("not signed by a CA", agent.process.text())
        self.assertEqual(agent.stop(), 0)

    def test_bad_policies_are_refused_by_the_server(self):
        for text, said in ((f"rules = web\n[rules web]\n-a never,exit -F arch=b64 -S execve\n", "policy all:3: a rule of a policy records"),
                           ("rules = nosuch\n", "policy all:1: there is no such group of rules"),
                           ("exits = off\nstate = /tmp\n", "policy all:2: there is no such setting of a policy"),
                           ("rules = w\n[rules w]\n-a always,exit\n", "policy all:3: a rule of a policy names its calls"),
                           ("canary = 0\n", "none that the setting can have")):
            done = self.policy("set", "all", "-", check=False, stdin=text.encode())
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(said, done.stderr)

    def test_pinned(self):
        agent = Agent(self.folder, self.server, "--policy", "exits,pause")
        self.put(self.text(f"-w {self.watched} -p wa -k uploads"))
        self.assertTrue(wait_for(lambda: self.info()["applied"] == 1, 15, 0.2), agent.process.text())
        self.assertEqual(self.host()["policy_state"], "pinned")
        self.assertNotIn("uploads", self.loaded())
        self.assertEqual(agent.stop(), 0)
        agent.options = ("--policy", "off")
        agent.start()
        self.put(self.text(f"-w {self.watched} -p w -k uploads"))
        self.assertTrue(wait_for(lambda: self.info()["refused"] == 1, 15, 0.2), agent.process.text())
        self.assertEqual(agent.stop(), 0)

    def test_pause_ends_by_itself_and_is_a_gap(self):
        agent = Agent(self.folder, self.server)
        run("/bin/true", "before the pause")
        self.assertTrue(self.found('args:"before the pause"'))
        exectrail("hosts", "pause", "testhost", "--for", "7s", "--why", "load test", "--data", self.server.data)
        self.assertTrue(wait_for(lambda: "exectrail" not in self.loaded(), 10, 0.05), agent.process.text())
        run("/bin/true", "within the pause")
        self.assertTrue(wait_for(lambda: b"PAUSED" in run(AGENT, "status", "--state", agent.state).stdout, 5, 0.1))
        self.assertTrue(self.host()["paused_until"])
        self.assertTrue(wait_for(lambda: "exectrail" in self.loaded(), 20, 0.1), agent.process.text())
        run("/bin/true", "after the pause")
        self.assertTrue(self.found('args:"after the pause"'))
        self.assertEqual(self.server.search('args:"within the pause"'), [])
        paused = self.found("action:paused")[0]
        self.assertIn("load test", paused["message"])
        self.assertIn("paused by ", paused["message"])
        self.assertTrue(self.found("action:resumed"))
        self.assertTrue(self.found("action:paused-host"))
        gap = wait_for(lambda: [e for e in self.server.search("action:gap") if "paused" in e["message"]], 20, 0.3)
        self.assertTrue(gap)
        self.assertEqual(self.server.search("action:exec-unaudited and reason:unknown"), [], "what was not to be recorded accuses nobody")
        done = exectrail("verify", "--completeness", "testhost", "--data", self.server.data, "--from", "now-5m", check=False)
        self.assertIn(b"paused", done.stdout)
        self.assertEqual(agent.stop(), 0)


if __name__ == "__main__":
    unittest.main()
