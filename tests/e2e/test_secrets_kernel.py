"""Secrets on the way from the kernel to the disk: real execs, real agent, real server, and then every byte of all they wrote.

The commands are those of tests/data/secrets; their programs are copies of true(1) in a folder of the test's own, so that
nothing is done. They run directly, in a shell's text, under sudo, in an environment, and as execs that fail. While the
server is away they stand in the agent's spool; then they go on.
"""
import base64
import collections
import json
import os
import pathlib
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import ROOT, Agent, Scene, Server, Webhook, args_of, audit_lock, exectrail, run, wait_for
from segment_chunks import read
from test_secrets import STEM, commands

OPTIONS = shlex.split(os.environ.get("XT_AGENT_OPTIONS", ""))  # --secrets off shows that this test can fail
ZSTD = b"\x28\xb5\x2f\xfd"
RULE = """title: a client of a database
id: 5d1c1f0e-5a0c-4f0a-9a51-3c3f2e7a1b90
status: test
level: high
logsource: {product: linux, category: process_creation}
detection:
    selection: {CommandLine|contains: [mysql, curl, sudo]}
    condition: selection
"""


def forms_of(text):
    """The bytes, in hex, and in base64 wherever they stand in what was encoded."""
    raw = text.encode()
    yield from (raw, raw.hex().encode(), raw.hex().upper().encode())
    for before in range(3):
        shown = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        yield shown[(0, 2, 3)[before]:len(shown) - ((before + len(raw)) % 3 > 0)]


FORMS = list(forms_of(STEM))


def dictionaries():
    """What `zstd` is told to unpack a frame with: nothing, and each dictionary of the agent's."""
    yield []
    for packed in sorted((ROOT / "src/event/data").glob("dictionary-*.zst")):
        with tempfile.NamedTemporaryFile() as file:
            subprocess.run(["zstd", "-dcq", packed], stdout=file, check=True)
            yield ["-D", file.name]


def frames_in(data):
    """What stands behind every mark of a zstd frame, as far as it can be unpacked."""
    found = b""
    for options in dictionaries() if ZSTD in data else ():
        at = data.find(ZSTD)
        while at >= 0:
            found += subprocess.run(["zstd", "-dcq", *options], input=data[at:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
            at = data.find(ZSTD, at + 4)
    return found


class SecretsKernel(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        rules = self.folder / "rules"
        rules.mkdir()
        (rules / "client.yml").write_text(RULE)
        self.webhook = Webhook()
        self.addCleanup(self.webhook.stop)
        self.server = Server(self.folder, "--rules", rules, "--webhook", self.webhook.url)
        self.addCleanup(lambda: self.server.process.child.poll() is None and self.server.stop())
        self.secrets, self.argvs = [], []

    def dummy(self, name):
        path = self.bin / pathlib.Path(name).name
        if not path.exists():
            shutil.copy("/bin/true", path)
        return str(path)

    def execute(self, argv, env=None):
        """A program of the folder under its own name, its text's programs too; a shell is the real one."""
        is_shell = argv[0] in ("sh", "bash")
        for word in (argv[2].replace("(", " ").replace("|", " ").split() if is_shell else ()):
            if word.isalpha() and word not in ("sh", "echo", "printf", "set", "read", "export", "for", "in", "do", "done"):
                self.dummy(word)
        subprocess.run(argv, executable="/bin/" + argv[0] if is_shell else self.dummy(argv[0]), cwd=self.folder,
                       env={"PATH": str(self.bin), **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)

    def plant(self, number, words):
        secret = f"{STEM}{number:03d}z"
        argv = [w.replace("{S}", secret) for w in words]
        self.secrets.append(secret)
        form = number % 5
        if form == 1 and argv[0] != "sh":
            self.execute(["sh", "-c", shlex.join(argv) + "; true"])
        elif form == 2 and argv[0] != "sh":  # whose programs would be the real ones under sudo
            subprocess.run(["/usr/bin/sudo", "-n", self.dummy(argv[0]), *argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
        elif form == 3 and argv[0] != "sh":
            self.execute(["sh", "-c", "exec /nonexistent/" + shlex.join([os.path.basename(argv[0]), *argv[1:]])])
        else:
            self.execute(argv)
        if form == 4:
            subprocess.run(["/usr/bin/env", f"DB_PASSWORD={secret}", "/bin/true"], check=True)

    def assert_none(self, data, where):
        found = [data[max(data.find(form) - 60, 0):][:100] for form in FORMS if form in data]
        self.assertEqual(found, [], f"secrets are left in {where}")

    def assert_files(self, folder, unpack=False):
        files = [p for p in folder.rglob("*") if p.is_file()]
        self.assertGreater(len(files), 2)
        for path in files:
            data = path.read_bytes()
            self.assert_none(data, path)
            if unpack:
                self.assert_none(frames_in(data), f"{path}, unpacked")

    def pending(self):
        with sqlite3.connect(f"file:{self.server.data}/pending.db?mode=ro", uri=True) as db:
            rows = db.execute("SELECT codec, frame, derived FROM pending").fetchall()
        self.assertTrue(any(r[0] > 1 for r in rows), "a dictionary was used")
        return len(rows), b"".join(r[2] + (r[1] if r[0] == 0 else frames_in(r[1])) for r in rows)

    def test_nothing_of_a_secret_is_written(self):
        self.follow(list(commands("planted.txt"))[::2], list(commands("plain.txt"))[::4], *OPTIONS)
        self.assertGreaterEqual(len(self.secrets), 100)

    def test_sealed_ones_are_for_the_key_alone(self):
        key = self.folder / "key" / "seal.key"
        key.parent.mkdir()
        public = exectrail("secret", "keygen", "--out", key).stdout.decode().split()[-1]
        self.follow(list(commands("planted.txt"))[::6], [], "--secrets", "seal", "--seal-to", public)
        self.server.start()
        events = self.server.search("sealed:* and action:executed and success:yes")
        self.assertGreater(len(events), 20)
        for event in events[::len(events) // 4]:
            opened = exectrail("secret", "unseal", "--data", self.server.data, "--key", key, "--reason", "a test", event["event"]["id"]).stdout
            self.assertTrue(any(s.encode() in opened for s in self.secrets), opened)
        self.assertEqual(self.server.count("action:unsealed-secrets"), len(events[::len(events) // 4]))

    def follow(self, planted, plain, *options):
        agent = Agent(self.folder, self.server, *options)
        self.server.stop()
        for number, words in enumerate(planted):
            self.plant(number, words)
        for words in plain:
            self.execute(words)
        self.execute(["mysql", "the-last-one"])
        self.assertTrue(wait_for(lambda: b"the-last-one" in b"".join(frames_in(p.read_bytes()) for p in agent.state.rglob("*") if p.is_file()), 15, 0.3),
                        "the spool can be read here")
        self.assert_files(agent.state, unpack=True)
        self.server.start()
        self.assertTrue(wait_for(lambda: self.server.count("args:the-last-one") == 1, 20, 0.2))
        n, pending = self.pending()
        self.assertGreater(n, 0)
        self.assertIn(b"the-last-one", pending)
        self.assert_none(pending, "pending.db, unpacked")
        self.assert_files(self.server.data)
        shown = {f: exectrail("export", "--data", self.server.data, "--format", f, "*").stdout for f in ("raw", "ndjson")}
        for form, data in shown.items():
            self.assertIn(b"[redacted]" if form == "ndjson" else b"the-last-one", data)
            self.assert_none(data, "export as " + form)
        self.check_segments()
        self.assertTrue(wait_for(lambda: len(self.webhook.received) > 0, 10))
        self.assert_none(json.dumps(self.webhook.received).encode(), "the webhook's bodies")
        self.assertGreater(len(self.server.alerts()), 0)
        self.assert_none(json.dumps(self.server.alerts()).encode(), "alerts")
        self.check_events([json.loads(line) for line in shown["ndjson"].splitlines()], plain)
        self.assertEqual((agent.stop(), self.server.stop()), (0, 0))
        self.assert_files(agent.state, unpack=True)
        self.assert_files(self.server.data)
        for log in ("server.log", "agent.log"):
            self.assert_none((self.folder / log).read_bytes(), log)

    def check_segments(self):
        self.assertEqual(self.server.request("POST", "/api/v1/seal")[0], 200)
        segments = list((self.server.data / "segments").glob("*.xts"))
        self.assertGreater(len(segments), 0)
        held = [read(path.read_bytes()) for path in segments]
        self.assertTrue(any(b"the-last-one" in data for data, _ in held), "segments can be read here")
        self.assertTrue(any(66 in fields for _, fields in held), "redactions have a column")
        for data, _ in held:
            self.assert_none(data, "a segment, unpacked")

    def check_events(self, events, plain):
        """Each secret was taken out somewhere; what only looks like one is what was executed."""
        marked = sum(bool(e.get("exectrail", {}).get("redactions")) for e in events)
        self.assertGreaterEqual(marked, len(self.secrets))
        stored = collections.Counter(tuple(args_of(e)) for e in events if e["event"].get("outcome") == "success" and e["event"]["action"] == "executed")
        expected = collections.Counter(tuple(w.encode() for w in words) for words in plain)
        self.assertEqual(expected - stored, collections.Counter(), "near misses are unchanged")


if __name__ == "__main__":
    unittest.main()
