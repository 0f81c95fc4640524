"""Secrets in arguments: whatever form they come in, nothing of them is left; what only looks like one stays as it is.

The commands are those of tests/data/secrets. Each planted one is written in every form in which the kernel and programs
hand over a command: as it is, in hex, in fragments, under sudo, inside of a shell's -c, as the title of a failed exec, as
sudo's own message, and typed at a terminal.
"""
import json
import os
import pathlib
import shlex
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, DATA, EXECTRAIL, Server, args_of, end_all_processes, exectrail, run

WORDS = pathlib.Path(DATA / "secrets")
STEM = "hUnter"  # all secrets begin with it and nothing else does: one search for all of them


def commands(name):
    with open(WORDS / name, encoding="ascii") as f:
        for line in f:
            if not line.startswith("#"):
                yield [word.replace("\\n", "\n") for word in line.rstrip("\n").split("\t")]


def value(text, in_hex=False):
    plain = all(0x21 <= b <= 0x7e and b != 0x22 for b in text)
    return b'"' + text + b'"' if plain and not in_hex else text.hex().upper().encode()


class Log:
    """Audit text, one event after the other."""

    def __init__(self):
        self.lines, self.serial = [], 0

    def record(self, kind, body):
        self.lines.append(b"type=%s msg=audit(1700000000.000:%d): %s" % (kind.encode(), self.serial, body))

    def call(self, success, comm, exe):
        self.serial += 1
        self.record("SYSCALL", b"arch=c000003e syscall=59 success=%s exit=%d a0=0 a1=0 a2=0 a3=0 items=0 ppid=1 pid=%d "
                    b'auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm="%s" exe="%s" '
                    b"key=(null)" % (b"yes" if success else b"no", 0 if success else -2, 100 + self.serial, comm, exe))

    def title(self, argv):
        self.record("PROCTITLE", b"proctitle=" + value(b"\0".join(argv)[:128]))

    def execute(self, argv, in_hex=False):
        self.call(True, os.path.basename(argv[0])[:15], argv[0])
        fields = b" ".join(b"a%d=%s" % (i, value(a, in_hex)) for i, a in enumerate(argv))
        self.record("EXECVE", b"argc=%d %s" % (len(argv), fields))
        self.title(argv)

    def execute_in_fragments(self, argv):
        self.call(True, b"x", argv[0])
        self.record("EXECVE", b"argc=%d a0=%s" % (len(argv), value(argv[0])))
        for i, a in enumerate(argv[1:], 1):
            hexed = a.hex().upper().encode()
            pieces = [hexed[k:k + 6] for k in range(0, len(hexed), 6)]
            for k, piece in enumerate(pieces):
                head = b"a%d_len=%d " % (i, len(hexed)) if k == 0 else b""
                self.record("EXECVE", head + b"a%d[%d]=%s" % (i, k, piece))
            if not pieces:
                self.record("EXECVE", b'a%d=""' % i)
        self.title(argv)

    def fail(self, argv):
        self.call(False, b"x", b"/bin/x")
        self.title(argv)

    def ran_sudo(self, argv):
        self.serial += 1
        self.record("USER_CMD", b"pid=7 uid=1000 auid=1000 ses=3 msg='cwd=\"/root\" cmd=%s exe=\"/usr/bin/sudo\" "
                    b"terminal=pts/0 res=success'" % value(b" ".join(argv), in_hex=b" " in b" ".join(argv)))

    def typed(self, argv):
        self.serial += 1
        keys = shlex.join(a.decode() for a in argv).encode()
        self.record("TTY", b"tty pid=9 uid=0 auid=1000 ses=3 major=136 minor=0 comm=\"bash\" data=%s" % (keys + b"\r").hex().upper().encode())

    def bytes(self):
        return b"\n".join(self.lines) + b"\n"


def planted():
    """A log, and for every event (number from 1) the secret that it holds."""
    log, secrets = Log(), {}
    for number, words in enumerate(commands("planted.txt")):
        forms = (lambda a: log.execute(a), lambda a: log.execute(a, True), log.execute_in_fragments,
                 lambda a: log.execute([b"/usr/bin/sudo", b"-u", b"root"] + a),
                 lambda a: log.execute([b"sh", b"-c", b"cd /tmp && " + shlex.join(x.decode() for x in a).encode()]),
                 lambda a: log.fail(a[:1] + a[1:]), log.ran_sudo, log.typed)
        for form, write in enumerate(forms):
            secret = f"{STEM}{number:02d}{form}z"
            write([w.replace("{S}", secret).encode() for w in words])
            secrets[log.serial] = secret
    return log.bytes(), secrets


def plain():
    log, want = Log(), {}
    for words in commands("plain.txt"):
        log.execute([w.encode() for w in words])
        want[log.serial] = words
    return log.bytes(), want


def pieces_of(secret):
    yield secret.encode()
    yield secret.encode().hex().encode()
    yield secret.encode().hex().upper().encode()


class Secrets(unittest.TestCase):
    def assert_none_left(self, data, secrets, where):
        if any(piece in data for piece in pieces_of(STEM)):
            left = [s for s in secrets.values() for piece in pieces_of(s) if piece in data]
            self.assertEqual(left, [], f"{where}: secrets are left")

    def test_planted(self):
        text, secrets = planted()
        self.assertGreaterEqual(len(secrets), 520)
        for options in ([], ["--records"], ["--format", "text"]):
            shown = run(EXECTRAIL, "decode", *options, "-", stdin=text).stdout
            self.assertTrue(STEM.encode() in shown, "the secrets were planted")
            shown = run(EXECTRAIL, "decode", "--redact", *options, "-", stdin=text)
            self.assert_none_left(shown.stdout + shown.stderr.encode(), secrets, f"decode --redact {options}")
        events = [json.loads(line) for line in run(EXECTRAIL, "decode", "--redact", "-", stdin=text).stdout.splitlines()]
        unmarked = [e["event"]["sequence"] for e in events if not e["exectrail"].get("redactions")]
        self.assertEqual(unmarked, [], "each says that something was taken out")

    def test_only_the_value_goes(self):
        log = Log()
        log.execute([b"mysql", b"-uroot", b"-phunter2", b"shop"])
        log.execute([b"curl", b"-u", b"alice:hunter2", b"https://e.org/"])
        log.execute([b"sh", b"-c", b"mysql -p'hunter2' shop | wc"])
        log.execute([b"mysql", b"-p[redacted]", b"shop"])
        events = [json.loads(line) for line in run(EXECTRAIL, "decode", "--redact", "-", stdin=log.bytes()).stdout.splitlines()]
        self.assertEqual([args_of(e) for e in events], [
            [b"mysql", b"-uroot", b"-p[redacted]", b"shop"], [b"curl", b"-u", b"alice:[redacted]", b"https://e.org/"],
            [b"sh", b"-c", b"mysql -p'[redacted]' shop | wc"], [b"mysql", b"-p[redacted]", b"shop"]])
        self.assertEqual([e.get("exectrail", {}).get("redactions") for e in events], [
            ["args[2]:2:mysql-password"], ["args[2]:6:curl-user"], ["args[2]:9:mysql-password"], None])

    def test_what_could_be_a_payload_stays(self):
        log = Log()
        kept = [b"mysql", b"-p" + b"x" * 257], [b"tool", b"--password=$(id)"], [b"env", b"A_TOKEN=a;reboot", b"x"]
        for argv in kept:
            log.execute(argv)
        events = [json.loads(line) for line in run(EXECTRAIL, "decode", "--redact", "-", stdin=log.bytes()).stdout.splitlines()]
        for e, argv in zip(events, kept):
            self.assertEqual(args_of(e), argv)
            self.assertEqual(e["exectrail"]["flags"], ["secret-suspected"])
            self.assertNotIn("redactions", e["exectrail"])

    def test_near_misses_are_unchanged(self):
        text, want = plain()
        self.assertGreaterEqual(len(want), 260)
        as_is = run(EXECTRAIL, "decode", "-", stdin=text).stdout.splitlines()
        redacted = run(EXECTRAIL, "decode", "--redact", "-", stdin=text).stdout.splitlines()
        self.assertEqual(len(as_is), len(want))
        changed = [json.loads(b)["process"]["args"] for a, b in zip(as_is, redacted) if a != b]
        self.assertEqual(changed, [])

    def test_captures_without_secrets_are_unchanged(self):
        for path in sorted(DATA.glob("capture/*.log")) + sorted(DATA.glob("event/*.log.zst")):
            with self.subTest(path.name):
                self.assertEqual(run(EXECTRAIL, "decode", "--records", path).stdout,
                                 run(EXECTRAIL, "decode", "--records", "--redact", path).stdout)

    def test_nothing_reaches_the_disk(self):
        text, secrets = planted()
        damaged = b"".join(b"type=EXECVE msg=audit(oops): argc=2 a0=\"mysql\" a1=\"-p%s\"\n" % s.encode() for s in list(secrets.values())[:5])
        with tempfile.TemporaryDirectory() as folder:
            data, log = pathlib.Path(folder, "data"), pathlib.Path(folder, "audit.log")
            log.write_bytes(text + damaged)
            said = exectrail("import", "--data", data, "--host", "web-1", log)
            for format in ("ndjson", "raw"):
                shown = exectrail("export", "--data", data, "--format", format, "*").stdout
                self.assertGreater(len(shown), 10000)
                self.assert_none_left(shown, secrets, f"export as {format}")
            self.assertEqual(int(exectrail("search", "--data", data, "--count", "redactions:*").stdout) >= len(secrets), True)
            files = [p for p in data.rglob("*") if p.is_file()]
            self.assertGreater(len(files), 3)
            for path in files:
                self.assert_none_left(path.read_bytes(), secrets, str(path.relative_to(folder)))
            self.assert_none_left(said.stdout + said.stderr.encode(), secrets, "import")

    def test_off(self):
        text, secrets = planted()
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "audit.log")
            log.write_bytes(text)
            exectrail("import", "--data", folder + "/data", "--host", "web-1", "--secrets", "off", log)
            shown = exectrail("search", "--data", folder + "/data", "--format", "ndjson", "redactions:*").stdout
            self.assertEqual(shown, b"")


class Sealed(unittest.TestCase):
    """What is taken out can be read by the owner of the private key, by nobody else, in no other event; and it is written down."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data, self.key, self.log = self.folder / "data", self.folder / "seal.key", self.folder / "audit.log"
        self.public = exectrail("secret", "keygen", "--out", self.key).stdout.decode().split()[-1]

    def import_sealed(self, text):
        self.log.write_bytes(text)
        exectrail("import", "--data", self.data, "--host", "web-1", "--secrets", "seal", "--seal-to", self.public, self.log)
        shown = exectrail("search", "--data", self.data, "--format", "ndjson", "sealed:*").stdout
        return {e["event"]["sequence"]: e for e in map(json.loads, shown.splitlines())}

    def unseal(self, event, key=None, **options):
        return exectrail("secret", "unseal", "--data", self.data, "--key", key or self.key, "--reason", "a test", event["event"]["id"], **options)

    def test_all_come_back_and_nothing_is_in_the_open(self):
        text, secrets = planted()
        events = self.import_sealed(text)
        self.assertEqual(set(secrets), set(events))
        for path in self.data.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            self.assertEqual([p for p in pieces_of(STEM) if p in data], [], path)
        for serial in sorted(secrets)[::len(secrets) // 12]:
            values = dict(line.split(b"\t", 1) for line in self.unseal(events[serial]).stdout.splitlines())
            self.assertTrue(set(values) <= {r.encode() for r in events[serial]["exectrail"]["redactions"]})
            self.assertTrue(any(secrets[serial].encode() in v for v in values.values()), (serial, values))
        lengths = {len(e["exectrail"]["sealed"]) for e in events.values()}
        self.assertLess(len(lengths), 8, "lengths come in steps")

    def test_another_key_another_event_no_reason(self):
        log = Log()
        log.execute([b"mysql", b"-phunter2"])
        log.execute([b"mysql", b"-phunter2"])
        log.execute([b"true"])
        self.import_sealed(log.bytes())
        event = next(iter(json.loads(line) for line in exectrail("search", "--data", self.data, "--format", "ndjson", "sealed:*").stdout.splitlines()))
        plain = json.loads(exectrail("search", "--data", self.data, "--format", "ndjson", "args:true").stdout)
        exectrail("secret", "keygen", "--out", self.folder / "other.key")
        for options, said in (({"key": self.folder / "other.key"}, "sealed to the key"), ({"event": plain}, "no secrets are sealed"),
                              ({"event": {"event": {"id": "0" * 32}}}, "no event of this id")):
            done = self.unseal(**{"event": event, **options}, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(said, done.stderr)
        os.chmod(self.key, 0o644)
        self.assertIn("others may read", self.unseal(event, check=False).stderr)
        for reason in ([], ["--reason", " "]):
            done = exectrail("secret", "unseal", "--data", self.data, "--key", self.folder / "other.key", *reason, event["event"]["id"], check=False)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertEqual(exectrail("secret", "keygen", "--out", self.key, check=False).returncode, 1, "a key is never written over")

    def test_unsealing_is_an_event(self):
        log = Log()
        log.execute([b"mysql", b"-phunter2"])
        event = self.import_sealed(log.bytes())[1]
        self.assertEqual(self.unseal(event).stdout, b"args[1]:2:mysql-password\thunter2\n")
        told = json.loads(exectrail("search", "--data", self.data, "--format", "ndjson", "action:unsealed-secrets").stdout)
        self.assertEqual(told["exectrail"]["of"], event["event"]["id"])
        self.assertEqual(told["host"], event["host"])
        self.assertTrue(told["message"].endswith(": a test") and told["user"]["name"] in told["message"], told)
        self.assertIn(b"whole: received 2", exectrail("verify", "--data", self.data).stdout)

    def test_through_a_server(self):
        log = Log()
        log.execute([b"mysql", b"-phunter2"])
        self.log.write_bytes(log.bytes())
        server = Server(self.folder, "--secrets", "seal", "--seal-to", self.public)
        self.addCleanup(end_all_processes)
        there = ["--server", f"http://127.0.0.1:{server.http_port}", "--token", server.token]
        exectrail("import", *there, "--host", "web-1", self.log)
        event = json.loads(exectrail("search", *there, "--format", "ndjson", "sealed:*").stdout)
        shown = exectrail("secret", "unseal", *there, "--key", self.key, "--reason", "a test", event["event"]["id"])
        self.assertEqual(shown.stdout, b"args[1]:2:mysql-password\thunter2\n")
        told = json.loads(exectrail("search", *there, "--format", "ndjson", "action:unsealed-secrets").stdout)
        self.assertEqual(told["user"]["name"], "admin.token")
        key = self.key.read_bytes().strip()
        exectrail("import", *there, "--host", "web-2", "--secrets", "drop", self.log)
        self.assertEqual(exectrail("search", *there, "--count", "host:web-2 and not sealed:* and redactions:*").stdout, b"1\n")
        server.process.stop()
        for path in self.data.rglob("*"):
            self.assertFalse(path.is_file() and any(s in path.read_bytes() for s in (key, b"hunter2")), path)

    def test_without_a_usable_key_nothing_starts(self):
        for command in ([AGENT, "--output", "-", "--stdin"], [EXECTRAIL, "server", "--data", self.data]):
            for key in ([], ["--seal-to", self.folder / "none"], ["--seal-to", self.key], ["--seal-to", self.public[:-1]],
                        ["--seal-to", self.key.read_text().strip()]):
                done = run(*map(str, command), "--secrets", "seal", *map(str, key), check=False)
                self.assertEqual((done.returncode != 0, done.stdout), (True, b""), key)
                self.assertIn("key", done.stderr.lower())
                self.assertNotIn(self.key.read_text().strip(), done.stderr)
        log = Log()
        log.execute([b"mysql", b"-phunter2"])
        shown = run(AGENT, "--output", "-", "--stdin", "--secrets", "seal", "--seal-to", self.public, stdin=log.bytes()).stdout
        self.assertTrue(any("sealed" in json.loads(line).get("exectrail", {}) for line in shown.splitlines()), shown)
        self.assertNotIn(b"hunter2", shown)


if __name__ == "__main__":
    unittest.main()
