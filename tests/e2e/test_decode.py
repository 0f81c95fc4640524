"""exectrail decode of real captures agrees with what the processes themselves received."""
import collections
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, EXECTRAIL, SHARED, args_of, unescape


def open_text(path):
    if path.suffix == ".zst":
        return subprocess.Popen(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE).stdout
    return open(path, "rb")


class Decode(unittest.TestCase):
    def agree(self, log, truth_file):
        with open_text(truth_file) as f:
            truth = collections.Counter()
            for line in f:
                t = json.loads(line)
                truth[t["pid"], tuple(t["args_hex"])] += 1
        decode = subprocess.Popen([EXECTRAIL, "decode", "-"], stdin=open_text(log), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found = collections.Counter()
        for line in decode.stdout:
            e = json.loads(line)
            if e["event"].get("action") == "executed" and "args" in e.get("process", {}):
                found[e["process"]["pid"], tuple(a.hex() for a in args_of(e))] += 1
        self.assertEqual(decode.wait(), 0)
        self.assertGreater(len(truth), 50)
        self.assertEqual(truth - found, collections.Counter(), f"{log.name}: truth lines without an event of these bytes")

    def test_carried_captures(self):
        logs = {path.name.split(".")[0]: path for path in DATA.rglob("*.log*")}
        pairs = [(logs[truth.name.split(".")[0]], truth) for truth in sorted(DATA.rglob("*.truth.jsonl*"))]
        self.assertGreaterEqual(len(pairs), 3)
        for log, truth in pairs:
            with self.subTest(log.name):
                self.agree(log, truth)

    def decoded(self, *words, status=0):
        done = subprocess.run([EXECTRAIL, "decode", *map(str, words)], capture_output=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_packed_files(self):
        """Packed in two pieces, one behind the other; cut off, what came before is there and the file is named."""
        log = next(iter(sorted(DATA.rglob("*.log"))))
        text, plain = log.read_bytes(), self.decoded(log).stdout
        middle = len(text) // 2
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            packed = pathlib.Path(folder) / "audit.log.gz"
            packed.write_bytes(gzip.compress(text[:middle]) + gzip.compress(text[middle:]))
            self.assertEqual(self.decoded(packed).stdout, plain)
            packed.write_bytes(packed.read_bytes()[:-20])
            cut = self.decoded(packed, status=1)
            self.assertGreater(cut.stdout.count(b"\n"), 0)
            self.assertRegex(cut.stderr, rb"audit.log.gz: byte \d+: the gzip data is cut off")
            packed.write_bytes(packed.read_bytes()[:200] + b"\xff" * 3000)
            self.assertIn(b"corrupt", self.decoded(packed, status=1).stderr)

    def test_rotated_files_are_one_stream(self):
        log = next(iter(sorted(DATA.rglob("*.log"))))
        lines, plain = log.read_bytes().splitlines(keepends=True), self.decoded(log)
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            parts = [pathlib.Path(folder) / name for name in ("audit.log.1", "audit.log")]
            for at in range(100, 120):
                parts[0].write_bytes(b"".join(lines[:at]))
                parts[1].write_bytes(b"".join(lines[at:]))
                self.assertEqual(self.decoded(*parts).stdout, plain.stdout)
            self.assertIn(f"{len(lines)}  records".encode(), self.decoded("--stats", *parts).stderr)

    def test_follow(self):
        """A file that grows, ends in the middle of a line, and is rotated in the middle of an event."""
        log = next(iter(sorted(DATA.rglob("session.log"))))
        text = log.read_bytes()
        ids = lambda output: sorted(json.loads(line)["event"]["id"] for line in output.splitlines())
        wanted = ids(self.decoded(log).stdout)
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            path, out = pathlib.Path(folder) / "audit.log", pathlib.Path(folder) / "out"
            path.write_bytes(text[:20000])
            with open(out, "wb") as to:
                follower = subprocess.Popen([EXECTRAIL, "decode", "--follow", path], stdout=to)
            try:
                with open(path, "ab") as log_file:
                    for at in range(20000, 40000, 5000):
                        log_file.write(text[at:at + 5000])
                        log_file.flush()
                        time.sleep(0.1)
                    line_end = text.index(b"\n", 40000) + 1
                    path.rename(path.with_suffix(".1"))
                    log_file.write(text[40000:line_end])
                path.write_bytes(text[line_end:])
                deadline = time.monotonic() + 20
                while time.monotonic() < deadline and out.read_bytes().count(b"\n") < len(wanted):
                    time.sleep(0.1)
                self.assertIsNone(follower.poll())
            finally:
                follower.terminate()
                follower.wait()
            self.assertEqual(ids(out.read_bytes()), wanted)
        self.decoded("--follow", "-", status=2)

    def test_explain(self):
        """Places are true: what stands in the file there is what is shown, and fields are those of the event."""
        log = next(iter(sorted(DATA.rglob("args.log"))))
        text = log.read_bytes()
        lines = text.split(b"\n")
        value = lambda o, key: unescape(o[key]) if o.get(key + "_escaped") else o[key].encode()
        events = [json.loads(line) for line in self.decoded(log).stdout.splitlines()]
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            packed = pathlib.Path(folder) / "audit.log.gz"
            packed.write_bytes(gzip.compress(text))
            for event in events[::25] + [max(events, key=lambda e: len(e["process"].get("args", [])))]:
                found = json.loads(self.decoded("--explain", event["event"]["id"], "--format", "ndjson", packed).stdout)
                args = [value(f, "value") for f in found["fields"] if f["name"].startswith("process.args[")]
                self.assertEqual(args, args_of(event) if "args" in event["process"] else [])
                for record in found["records"]:
                    line = lines[record["line"] - 1]
                    self.assertEqual(value(record, "text"), line)
                    self.assertEqual(text[record["offset"]:record["offset"] + len(line)], line)
                for field in found["fields"]:
                    self.assertTrue(field["proved"] and (field["from"] or field["rule"]), field)
                    for piece in field["from"]:
                        line = lines[piece["line"] - 1]
                        self.assertEqual(line[piece["column"] - 1:piece["end"]], value(piece, "raw"), piece)
        serial = str(events[0]["event"]["sequence"])
        self.assertIn(b"<- [1] ", self.decoded("--explain", serial, log).stdout)
        for words, status in ((["--explain", "4294967295", log], 1), (["--explain", "x", log], 2), (["--explain", serial, "-f", log], 2)):
            self.assertEqual(self.decoded(*words, status=status).stderr.count(b"\n"), 1)

    def test_a_type_that_is_not_known_keeps_its_name(self):
        """Found by name, in the records, and written back as it was."""
        line = b'node=n type=FOO_BAR msg=audit(1700000000.123:77): pid=1 auid=4294967295 ses=4294967295 a=2 b="c"\n'
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            path, data = pathlib.Path(folder) / "log", pathlib.Path(folder) / "data"
            path.write_bytes(line)
            done = self.decoded("--records", path)
            event = json.loads(done.stdout)
            self.assertEqual((done.stderr, event["event"]["code"], event["process"]["pid"]), (b"", "FOO_BAR", 1))
            self.assertIn("FOO_BAR", event["auditd"]["records"][0].values())
            subprocess.run([EXECTRAIL, "import", "--data", data, "--host", "n", path], check=True, capture_output=True)
            for query in ("type:FOO_BAR", "auditd.data.type:foo_bar"):
                found = subprocess.run([EXECTRAIL, "search", "--data", data, "--format", "raw", query], check=True, capture_output=True)
                self.assertEqual(found.stdout.split(), line.split(), query)

    def pasted(self, shell, commands):
        """What argv a shell makes of each line."""
        script = b"".join(b"set -- " + command + b"\nprintf '%s\\0' \"$#\" \"$@\"\n" for command in commands)
        done = subprocess.run([shell], input=script, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        words = iter(done.stdout.split(b"\0")[:-1])
        return [[next(words) for _ in range(int(n))] for n in words]

    def test_a_command_can_be_pasted(self):
        """Of each line with a command, bash gives the same arguments; dash too where it knows the quoting."""
        logs = sorted(DATA.glob("capture/*.log"))
        logs += [p for p in (SHARED / "corpus" / name for name in ("argv.log.zst", "compat32.log.zst", "bypass.log", "sudo.log")) if p.exists()]
        for log in logs:
            events = [json.loads(line) for line in self.decoded(log).stdout.splitlines()]
            lines = self.decoded("--format", "text", log).stdout.split(b"\n")[:-1]
            self.assertEqual(len(events), len(lines))
            pairs = [(args_of(e), re.split(rb" exit=\S+ ", l, maxsplit=1)[1]) for e, l in zip(events, lines) if "args" in e["process"]]
            with self.subTest(log.name):
                self.assertEqual(self.pasted("bash", [line for _, line in pairs]), [args for args, _ in pairs])
                plain = [(args, line) for args, line in pairs if b"$'" not in line]
                self.assertEqual(self.pasted("dash", [line for _, line in plain]), [args for args, _ in plain])

    def test_words_that_a_shell_takes_for_its_own(self):
        first = ["A=1", "if", "time", "while", "x", "-n", "#a", "~root", "*", "a b", "", "!", "{", "a'b", "\\"]
        head = "type=%s msg=audit(1700000000.123:%d): "
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            path, copy = pathlib.Path(folder) / "log", pathlib.Path(folder) / "bin"
            path.write_text("".join(head % ("EXECVE", i) + "argc=2 a0=" + (word.encode().hex().upper() or '""') + ' a1="y"\n'
                                    for i, word in enumerate(first)))
            lines = self.decoded("--format", "text", path).stdout.splitlines()
            copy.mkdir()
            for word in filter(None, first):
                (copy / word).write_text("#!/bin/sh\nprintf '%s,' \"${0##*/}\" \"$@\"\n")
                (copy / word).chmod(0o755)
            for line, word in zip(lines, first):
                command = line.split(b" exit=- ", 1)[1]
                for shell in map(shutil.which, ("bash", "dash")):
                    ran = subprocess.run([shell], input=command, capture_output=True, env={"PATH": str(copy)})
                    if word:
                        self.assertEqual((ran.stdout.decode(), ran.stderr), (word + ",y,", b""), (shell, command))
                    else:
                        self.assertEqual(ran.returncode, 127)

    def test_text_for_people(self):
        """Not only commands are told in one line: who logged in, what sudo ran, which error it was."""
        text = {name: self.decoded("--format", "text", DATA / f"capture/{name}.log").stdout.decode() for name in ("session", "tamper", "tty")}
        self.assertRegex(text["session"], r"\[logged-in\] op=login id=1001 exe=/usr/sbin/sshd .*res=success")
        self.assertRegex(text["session"], r"exit=ENOENT \[executed: failed\] /usr/local/sbin/run-parts\n")
        self.assertRegex(text["tamper"], r"\[deleted-file\] /usr/bin/rm /etc/audit/rules.d/evil.rules")
        self.assertRegex(text["tamper"], r"\[changed-audit-configuration\] /usr/sbin/auditctl .*op=remove_rule")
        self.assertRegex(text["tty"], r"\[typed\] /usr/bin/bash cd /var/log <enter> ")

    def test_whole_corpus(self):
        corpus = SHARED / "corpus"
        if not corpus.exists():
            self.skipTest("the shared corpus is not here")
        for name in ("args", "argv", "compat32", "fleet"):
            log = next(p for p in (corpus / f"{name}.log", corpus / f"{name}.log.zst") if p.exists())
            truth = next(p for p in (corpus / f"{name}.truth.jsonl", corpus / f"{name}.truth.jsonl.zst") if p.exists())
            with self.subTest(name):
                self.agree(log, truth)


if __name__ == "__main__":
    unittest.main()
