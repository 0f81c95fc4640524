"""The digest of what was executed (--hash sha256), with the real kernel, held against sha256sum; in the agent's full containment."""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Scene, Server, audit_lock, run, wait_for

MEMFD = """
import os, sys
fd = os.memfd_create("loader")
os.write(fd, open("/bin/sleep", "rb").read())
pid = os.fork()
if pid == 0:
    os.execve(fd, ["digest-memfd", "1"], {})
os.waitpid(pid, 0)
"""


def digest_of(path):
    return run("sha256sum", path).stdout.split()[0].decode()


RULE = """title: A program that is known
logsource: {product: linux, category: process_creation}
detection:
    known:
        Hashes|contains: [MD5=00112233445566778899aabbccddeeff, SHA256=%s]
    condition: known
"""


class Digest(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        rules = self.folder / "rules"
        rules.mkdir()
        (rules / "known_bad.yml").write_text(RULE % digest_of("/bin/true").upper())
        self.server = Server(self.folder, "--rules", rules)
        self.agent = Agent(self.folder, self.server, "--hash", "sha256")

    def events(self, word, n=1):
        """Execs with this argument, once there are n."""
        query = f"action:executed and outcome:success and args:{word}"
        self.assertTrue(wait_for(lambda: self.server.count(query) >= n, 30, 0.1), (word, self.agent.process.text()))
        return [e["process"] for e in self.server.search(query, "--sort", "time:asc")]

    def digests(self, word, n=1):
        return [p.get("hash", {}).get("sha256") for p in self.events(word, n)]

    def warm(self, *paths):
        """The first exec of a large program may go without."""
        def known(path):
            subprocess.run([path, "--version", "digest-warm"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return self.server.count(f"hash:{digest_of(path)}") > 0
        for path in paths:
            self.assertTrue(wait_for(lambda: known(path), 30, 0.2), path)

    def test_digests(self):
        self.warm("/bin/true", "/bin/dash" if os.path.exists("/bin/dash") else "/bin/sh")
        for program in ("/bin/true", "/bin/ls", "/usr/bin/env"):
            subprocess.run([program, "--", "digest-plain"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for process in self.events("digest-plain", 3):
            if "hash" in process:
                self.assertEqual(process["hash"]["sha256"], digest_of(process["executable"]), process)
        self.assertIn(digest_of("/bin/true"), self.digests("digest-plain", 3))
        # A rule that names it as Sigma does, for each exec of this file and no other.
        fitting = {p["executable"] for p in (e["process"] for e in self.server.search("rule:known_bad"))}
        self.assertEqual(fitting, {os.path.realpath("/bin/true")})
        # A script: the digest is of process.executable, the interpreter.
        script = self.folder / "script"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        run(str(script), "digest-script")
        process = self.events("digest-script")[0]
        self.assertEqual(process["hash"]["sha256"], digest_of(process["executable"]), process)
        self.assertNotEqual(process["hash"]["sha256"], digest_of(script))
        # Another program in its place, and in the same file.
        program = self.folder / "program"
        for number, source in enumerate(("/bin/true", "/bin/echo", "/bin/true")):
            if number < 2:
                program.unlink(missing_ok=True)
            with open(program, "wb") as out:
                out.write(pathlib.Path(source).read_bytes())
            program.chmod(0o755)
            time.sleep(0.05)
            run(str(program), "digest-replaced")
            self.assertEqual(self.digests("digest-replaced", number + 1)[number], digest_of(source), number)
        # Gone before it is looked for: no digest, never that of what came in its place; and it is said.
        program.write_bytes(pathlib.Path("/bin/true").read_bytes() + b"only once")
        time.sleep(0.05)
        child = subprocess.Popen([str(program), "digest-swapped"])
        child.wait()
        program.unlink()
        program.write_bytes(pathlib.Path("/bin/echo").read_bytes())
        known = self.digests("digest-swapped")[0]
        self.assertIn(known, (None, hashlib.sha256(pathlib.Path("/bin/true").read_bytes() + b"only once").hexdigest()))
        if known is None:
            self.assertEqual(self.server.count("args:digest-swapped and flags:unhashed"), 1)
        # A file that never had a path, and one whose path is gone.
        memfd = subprocess.Popen([sys.executable, "-c", MEMFD])
        self.addCleanup(lambda: (memfd.kill(), memfd.wait()))
        self.assertEqual(self.digests("digest-memfd")[0], digest_of("/bin/sleep"))
        gone = self.folder / "gone"
        gone.write_bytes(pathlib.Path("/bin/sleep").read_bytes() + b"\n")
        gone.chmod(0o755)
        expected = digest_of(gone)
        time.sleep(0.05)
        child = subprocess.Popen(["digest-gone", "5"], executable=str(gone))
        gone.unlink()
        self.addCleanup(lambda: (child.kill(), child.wait()))
        self.assertEqual(self.digests("digest-gone")[0], expected)
        self.assertEqual(self.server.count(f"process.hash.sha256:{expected}"), 1)
        status = run(AGENT, "status", "--state", self.agent.state).stdout.decode()
        self.assertRegex(status, r"digests +of \d+ execs")
        # The process may read, and nothing else.
        pid = next(int(line.split("=")[1]) for line in (self.agent.state / "status").read_text().splitlines() if line.startswith("digester_pid="))
        facts = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
        self.assertEqual(int(facts["CapEff"], 16), 1 << 2 | 1 << 19, "DAC_READ_SEARCH, SYS_PTRACE")
        self.assertNotIn("0", facts["Uid"].split())
        self.assertEqual(facts["NoNewPrivs"].strip(), "1")
        # Killed, it leaves the rest as it is.
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: self.server.count("action:agent-process-ended") == 1, 20, 0.1))
        run("/bin/true", "digest-after")
        self.assertEqual(self.digests("digest-after"), [None])
        self.assertEqual(self.agent.process.stop(), 0, self.agent.process.text())


if __name__ == "__main__":
    unittest.main()
