"""Erasing by the command line, with a server and without: nothing is left in any byte, all else is as it was."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import segment_chunks
from actors import EXECTRAIL, Scene, Server, exectrail, run

MARK = "erase-me"
RULE = """title: Marked
id: 22222222-2222-2222-2222-222222222222
status: test
description: for tests
author: tests
logsource: {product: linux, category: process_creation}
detection:
  selection:
    CommandLine|contains: [marked, other]
  condition: selection
level: high
"""


def log(first, n):
    """n executions; every seventh has the mark in arguments, folder and paths, every fiftieth another word that alerts."""
    lines = []
    for i in range(first, first + n):
        word = f"{MARK}-{i}" if i % 7 == 0 else f"stays-{i}"
        extra = "marked" if i % 7 == 0 and i % 3 == 0 else "other" if i % 50 == 1 else "plain"
        stamp = f"msg=audit({1790000000 + i // 10}.{i % 10:03d}:{i}):"
        lines += [f'type=SYSCALL {stamp} arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 ppid={i % 90} pid={9000 + i} '
                  f'auid=1000 uid={i % 3} gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="x" exe="/usr/bin/x{i % 5}" key=(null)',
                  f'type=EXECVE {stamp} argc=3 a0="x" a1="{word}" a2="{extra}"',
                  f'type=CWD {stamp} cwd="/home/{word}"',
                  f'type=PATH {stamp} item=0 name="/usr/bin/{word}" inode={i} dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL',
                  f"type=PROCTITLE {stamp} proctitle={word.encode().hex().upper()}"]
    return "\n".join(lines).encode() + b"\n"


class Erase(Scene):
    def setUp(self):
        super().setUp()
        (self.folder / "rules").mkdir()
        (self.folder / "rules/marked.yml").write_text(RULE)
        self.data = self.folder / "data"

    def feed(self, first, n):
        exectrail("import", "--data", self.data, "--host", "web-1", "-", stdin=log(first, n))

    def export(self, form, query="*"):
        return exectrail("export", "--data", self.data, "--format", form, query).stdout

    def assert_none_left(self, mark=MARK):
        for path in self.data.rglob("*"):
            if not path.is_file():
                continue
            data = path.read_bytes()
            if path.suffix == ".xts":
                data += segment_chunks.read(data)[0]
            for piece in (mark, mark.encode().hex(), mark.encode().hex().upper()):
                self.assertFalse(piece.encode() in data, f"{path} holds it")
        for alert in exectrail("alerts", "list", "--data", self.data, "--format", "ndjson").stdout.splitlines():
            self.assertFalse(mark.encode() in alert, alert)

    def erase(self, *arguments, **options):
        return exectrail("store", "erase", "--data", self.data, *arguments, **options)

    def story(self):
        """What is asked, with a server and without: alike."""
        self.feed(1, 700)
        self.feed(701, 77)
        n = 777 // 7
        hold = exectrail("store", "hold", "add", "--data", self.data, "serial:70", "--reason", "case").stdout.split()[-1].decode()
        before = self.export("raw"), self.export("ndjson")
        stays = [self.export(form, f"not cmd:*{MARK}* or serial:70") for form in ("raw", "ndjson")]
        would = self.erase("--dry-run", f"cmd:*{MARK}*").stdout.decode()
        self.assertIn(f"{n - 1} events", would)
        self.assertTrue((self.export("raw"), self.export("ndjson")) == before, "a dry run changes nothing")

        with self.assertRaises(AssertionError):
            self.left_by_the_tombstone()

        # without a reason, and without somebody to ask
        self.assertEqual(self.erase(f"cmd:*{MARK}*", check=False).returncode, 2)
        refused = self.erase(f"cmd:*{MARK}*", "--reason", "ticket 12", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--yes", refused.stderr)
        self.assertTrue(self.export("raw") == before[0])

        said = self.erase(f"cmd:*{MARK}*", "--reason", "ticket 12", "--yes").stdout.decode()
        self.assertIn(f"{n - 1} events", said)
        self.assertIn(f"1 events stay: hold {hold}", said)
        self.assertTrue(self.export("raw") == stays[0], "all else is as it was, byte for byte")
        self.assertTrue(self.export("ndjson") == stays[1], "the same as documents")
        exectrail("store", "hold", "remove", "--data", self.data, hold)
        query = f"cmd:*{MARK}*"
        said = self.erase("-", "--reason", "ticket 13", "--private", "--yes", stdin=query.encode() + b"\n").stdout.decode()
        self.assertIn("1 events", said)
        salt, digest = said.split()[-1], next(line for line in said.splitlines() if "SHA-256" in line).split()[-1]
        self.assertEqual(run("sha256sum", stdin=(salt + query).encode()).stdout.decode().split()[0], digest)

        verified = exectrail("verify", "--data", self.data).stdout.decode()
        self.assertTrue(verified.startswith("whole"), verified)
        self.assertIn(f"erased {n}", verified)
        self.assertIn("(ticket 12)", verified)
        self.assertIn(digest, verified)
        listed = [json.loads(line) for line in self.erase("--list", "--format", "ndjson").stdout.splitlines()]
        self.assertEqual([e["events"] for e in listed], [n - 1, 1])
        self.assertEqual([e["reason"] for e in listed], ["ticket 12", "ticket 13"])
        self.assertEqual(listed[0]["query"], query)
        self.assertEqual(listed[1]["query_sha256"], digest)
        self.assertTrue(listed[0]["who"])

    def left_by_the_tombstone(self):
        """The first erasure's query stands in the ledger; it is what it was to say. All else is to be free of it."""
        self.assert_none_left(f"{MARK}-")

    def test_without_a_server(self):
        self.story()
        self.left_by_the_tombstone()

    def test_with_a_server(self):
        server = Server(self.folder, "--rules", self.folder / "rules", "--webhook", "http://127.0.0.1:1/")
        self.data = server.data
        self.story()
        self.assertIn("other", json.dumps(server.alerts()), "alerts of others stay")
        status, _, _ = server.request("POST", "/api/v1/erasures?q=*&reason=x", token=False)
        self.assertEqual(status, 401)
        self.left_by_the_tombstone()
        server.kill()
        self.left_by_the_tombstone()
        self.assertIn(b"whole", exectrail("verify", "--data", self.data).stdout)

    def test_killed_in_the_middle(self):
        """Wherever it is killed: the same again completes it."""
        self.feed(1, 3000)
        for turn in range(6):
            self.feed(10000 + turn * 500, 500)
            child = subprocess.Popen([EXECTRAIL, "store", "erase", "--data", str(self.data), f"cmd:*{MARK}*", "--reason", "x", "--yes"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                child.wait(0.02 * turn)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self.erase(f"cmd:*{MARK}*", "--reason", "again", "--yes")
            self.left_by_the_tombstone()
            self.assertIn(b"whole", exectrail("verify", "--data", self.data).stdout)
        self.assertEqual(exectrail("search", "--data", self.data, "--count", f"not cmd:*{MARK}*").stdout,
                         exectrail("search", "--data", self.data, "--count", "*").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
