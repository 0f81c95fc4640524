"""Real kernel, real agent over TLS, real server: every exec of a witness is in the store, byte for byte, exactly once."""
import collections
import json
import os
import pathlib
import pwd
import random
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import PLAIN, Agent, Process, Scene, Server, Users, args_of, audit_lock, run, wait_for

SEED = int(os.environ.get("SEED", "20261123"))
SPECIAL = [b"", b" ", b"a b", b'"', b"'", b"\\", b"\n", b"two\nlines", b"\t", b"\x01\x7f", b"\xff\xfe", b"\xc3\xa9", b"\xc3", b"(null)",
           b"DEADBEEF", b"type=EXECVE msg=audit(1.1:1): argc=1 a0=\"x\"", b"a0=\"b\"", b"\x1b[31mred", "\u202ebidi".encode(), b"%s%n",
           b"$(id)", b"`id`", b"--", b"-", b"*", b"\x1d", b"msg='op=x'", b"\\x41", b"<img src=x onerror=alert(1)>"]


def random_arguments(rng):
    n = rng.choice([0, 1, 1, 2, 3, 5, 8, 20])
    return [rng.choice(SPECIAL) if rng.random() < 0.5 else bytes(rng.randrange(1, 256) for _ in range(rng.randrange(0, 60)))
            for _ in range(n)]


def shell_quote(argument):
    return b"'" + argument.replace(b"'", b"'\\''") + b"'"


class Kernel(Scene):
    def setUp(self):
        super().setUp()
        self.users = Users(self.folder)
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.addCleanup(self.users.remove)
        self.truth = self.folder / "truth.jsonl"
        self.truth.touch()
        os.chmod(self.truth, 0o666)
        self.witness = self.folder / "witness"
        shutil.copy(PLAIN / "tests/witness", self.witness)
        self.witness32 = PLAIN / "tests/witness32"
        self.server = Server(self.folder)
        self.addCleanup(lambda: self.server.process.child.poll() is None and self.server.stop())
        self.agent = Agent(self.folder, self.server)
        self.addCleanup(lambda: self.agent.process.child.poll() is None and self.agent.stop())
        self.environment = {"WITNESS": str(self.truth)}

    def execute(self, arguments, program=None, argv0=None, **options):
        argv = [argv0 or bytes(program or self.witness), *arguments] if argv0 else [os.fsencode(program or self.witness), *arguments]
        subprocess.run(argv, executable=os.fsencode(program or self.witness), env=self.environment, check=True, **options)

    def run_direct(self, rng):
        for _ in range(400):
            self.execute(random_arguments(rng))
        for arguments in ([b"x"] * 1000, [b""] * 40, [bytes(rng.randrange(1, 256) for _ in range(131000))],
                          [b"a" * 131071], [b"long%d" % i * 300 for i in range(40)], SPECIAL):
            self.execute(arguments)
        self.execute([b"spoofed"], argv0=b"[kworker/0:1]")
        self.execute([b"login"], argv0=b"-bash")

    def run_shells(self, rng):
        for shell in ("bash", "zsh", "dash"):
            for _ in range(30):
                words = b" ".join(shell_quote(a) for a in random_arguments(rng))
                subprocess.run([shell, "-c", os.fsencode(self.witness) + b" " + words], env=self.environment, check=True)

    def run_others(self):
        if self.witness32.exists():
            for i in range(20):
                self.execute([b"bits", b"32", b"n%d" % i], program=self.witness32)
        script = self.folder / "script.sh"
        script.write_text(f"#!/bin/sh\n{self.witness} from-script \"$@\"\n")
        script.chmod(0o755)
        subprocess.run([script, "one two", "three"], env=self.environment, check=True)
        fd = os.open(self.witness, os.O_RDONLY)
        pid = os.fork()
        if pid == 0:
            os.set_inheritable(fd, True)
            os.execve(fd, [b"by-descriptor", b"a b"], self.environment)  # fexecve: execveat(fd, "", ..., AT_EMPTY_PATH)
        os.waitpid(pid, 0)
        os.close(fd)
        subprocess.run(["bash", "-c", "/nonexistent/prog-e2e arg"], stderr=subprocess.DEVNULL, check=False)

    def run_users(self):
        alice = self.users.add("xtalice", "-m", "-s", "/bin/bash")
        self.users.add("xtsvc", "-r", "-M", "-s", "/usr/sbin/nologin")
        self.users.start_sshd("xtalice")
        for i in range(10):
            run(*self.users.ssh_command("xtalice", f"{self.witness} ssh 'quoted word' {i}"), env=self.environment)
        run(*self.users.ssh_command("xtalice", f"{self.witness} on-a-terminal", tty=True), env=self.environment)
        sudoers = pathlib.Path("/etc/sudoers.d/exectrail-e2e")
        sudoers.write_text("xtalice ALL=(ALL) NOPASSWD: ALL\nDefaults:xtalice env_keep += WITNESS\n")
        sudoers.chmod(0o440)
        self.addCleanup(sudoers.unlink)
        for i in range(5):
            run(*self.users.ssh_command("xtalice", f"sudo {self.witness} sudo {i}"), env=self.environment)
        service = pwd.getpwnam("xtsvc")
        for i in range(10):
            subprocess.run([self.witness, "service", str(i)], env=self.environment, check=True, user=service.pw_uid, group=service.pw_gid,
                           stdin=subprocess.DEVNULL, start_new_session=True)
        return alice, service

    def test_every_exec_is_stored_exactly(self):
        rng = random.Random(SEED)
        self.run_direct(rng)
        self.run_shells(rng)
        self.run_others()
        alice, service = self.run_users()
        truth = [json.loads(line) for line in self.truth.read_text().splitlines()]
        self.assertGreaterEqual(len(truth), 500)
        expected = collections.Counter((t["pid"], tuple(t["args"])) for t in truth)

        query = "exe:*/witness* and success:yes"
        wait_for(lambda: self.server.count(query) >= len(truth), 60, 0.5)
        events = self.server.search(query)
        stored = collections.Counter((e["process"]["pid"], tuple(a.hex() for a in args_of(e))) for e in events)
        self.assertEqual(expected - stored, collections.Counter(), "missing from the store")
        self.assertEqual(stored - expected, collections.Counter(), "in the store twice, or with other bytes")
        self.assertEqual(len({e["event"]["id"] for e in events}), len(events), "event ids are not unique")

        by_pid = {(t["pid"], tuple(t["args"])): t for t in truth}
        for e in events:
            t = by_pid[e["process"]["pid"], tuple(a.hex() for a in args_of(e))]
            self.assertEqual(e["user"]["id"], str(t["uid"]))
            self.assertEqual(e["user"]["effective"]["id"], str(t["euid"]))
            self.assertEqual(e["process"]["parent"]["pid"], t["ppid"])
            unset = 4294967295
            self.assertEqual(e["user"].get("audit", {}).get("id"), None if t["auid"] == unset else str(t["auid"]))
            self.assertEqual(e["auditd"].get("session"), None if t["ses"] == unset else str(t["ses"]))
            self.assertNotIn("missing-execve", e.get("exectrail", {}).get("flags", []))
        self.check_meaning(events, alice, service)
        self.assertEqual(self.agent.stop(), 0)
        self.assertEqual(self.server.stop(), 0)

    def check_meaning(self, events, alice, service):
        def having(*words):
            return [e for e in events if all(w in e["process"].get("args", []) for w in words)]
        over_ssh = having("ssh", "quoted word")
        self.assertEqual(len(over_ssh), 10)
        for e in over_ssh:
            self.assertEqual((e["user"]["name"], e["user"]["audit"]["name"]), ("xtalice", "xtalice"))
        self.assertTrue(having("on-a-terminal")[0]["auditd"]["data"]["tty"].startswith("pts"))
        for e in having("sudo"):
            self.assertEqual((e["user"]["name"], e["user"]["audit"]["name"]), ("root", "xtalice"))
            self.assertIn("sudo", e["process"]["parent"].get("executable", ""))
        for e in having("service"):
            self.assertEqual((e["user"]["name"], e["user"]["id"]), ("xtsvc", str(service.pw_uid)))
            self.assertNotIn("audit", e["user"])
            self.assertEqual(e["auditd"]["data"]["tty"], "(none)")
        if self.witness32.exists():
            self.assertEqual(len(having("bits", "32")), 20)
        by_descriptor = having("by-descriptor") or [e for e in events if e["process"]["args"][0] == "by-descriptor"]
        self.assertEqual(by_descriptor[0]["auditd"]["data"]["syscall"], "execveat")
        scripted = self.server.search("script:*script.sh")
        self.assertEqual(len(scripted), 1, "the script's own exec")
        self.assertEqual(scripted[0]["process"]["args"][1:], [str(self.folder / "script.sh"), "one two", "three"])
        failed = self.server.search("outcome:failure and exe:*prog-e2e*")
        self.assertTrue(failed, "a failed exec is an event")
        self.assertNotIn("args", failed[0]["process"])
        self.assertEqual(failed[0]["auditd"]["data"]["exit"], -2)


if __name__ == "__main__":
    unittest.main()
