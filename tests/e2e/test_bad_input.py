"""Bad input: one line on standard error that says what, where and what to do; nothing is lost."""
import bz2
import gzip
import lzma
import os
import re
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, DATA, EXECTRAIL, Scene, Server, exectrail, run

GOOD = b'type=USER_LOGIN msg=audit(1700000000.123:77): pid=1 uid=0 auid=0 ses=1 msg=\'op=login acct="root" exe="/bin/login" hostname=? addr=? terminal=tty1 res=success\'\n'


class BadInput(Scene):
    def one_line(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def test_unknown_flag(self):
        self.one_line(run(EXECTRAIL, "search", "--data", "/tmp", "--fromm", "now", "x", check=False), 2, "--fromm", "did you mean --from?")
        self.one_line(run(AGENT, "--servr", "x:1", check=False), 2, "--servr", "did you mean --server?")
        self.one_line(run(EXECTRAIL, "serch", check=False), 2, "serch", "did you mean exectrail search?")
        self.one_line(run(EXECTRAIL, "search", "--zzz", check=False), 2, "--zzz", "--help")

    def test_missing_file(self):
        self.one_line(exectrail("decode", "/nonexistent/audit.log", check=False), 1, "/nonexistent/audit.log", "No such file")
        self.one_line(exectrail("import", "--data", self.folder / "d", "/nonexistent/audit.log", check=False), 1, "/nonexistent/audit.log")
        self.one_line(exectrail("search", "--data", "/nonexistent/dir", "x", check=False), 1, "/nonexistent/dir")

    def test_every_message_of_decode(self):
        """What, where (file, line, column or byte), what was expected or what to do."""
        text = (DATA / "capture/session.log").read_bytes()
        zstd = lambda data: subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        packed, z = gzip.compress(text), zstd(text)
        head = b"type=SYSCALL msg=audit("
        kept = "the line is kept as it is"
        cases = (  # bytes of the file, exit status, the place, words
            (packed[:1000], 1, ": byte 1000: ", ("gzip", "cut off", "before is decoded")),
            (z[:1000], 1, ": byte 1000: ", ("zstd", "cut off", "before is decoded")),
            (packed[:500] + bytes(3000), 1, ": byte ", ("gzip", "corrupt")),
            (packed + b"garbage", 1, f": byte {len(packed) + 2}: ", ("gzip", "corrupt")),
            (packed[:3], 1, ": byte 3: ", ("cut off",)),
            (lzma.compress(text), 1, ": ", ("xz", "xz -dc")),
            (bz2.compress(text), 1, ": ", ("bzip2", "bzip2 -dc")),
            (b"LPKSHHRH" + bytes(300), 1, ": ", ("journal", "journalctl")),
            (b"\x7fELF\x02\x01\x01" + bytes(300), 1, ": ", ("program", "audit daemon")),
            (b"needle\n", 0, ":1:1: ", ("type= is missing", "needle", "type= or node=", kept)),
            (GOOD + b"x\x00\xff\n", 0, ":2:1: ", ("type= is missing", "x\\x00\\xff")),
            (b"\x00\x00\n", 0, ":1:1: ", ("NUL bytes", "crash")),
            (b"----\n", 0, ":1:1: ", ("ausearch --raw",)),
            (b'{"a":1}\n', 0, ":1:1: ", ("decoded before",)),
            (b"type=syscall msg=audit(1700000000.123:77): a=1\n", 0, ":1:6: ", ("record type", "capitals", kept)),
            (head + b"1700000000.1:77): a=1\n", 0, f":1:{len(head) + 13}: ", ("stamp", "audit(1700000000.123:77):", kept)),
            (head + b"1700000000.123:4294967296): a=1\n", 0, ":1:", ("stamp",)),
            (head + b"11/23/2026 01:02:03.123:77) : a=1\n", 0, f":1:{len(head) + 3}: ", ("stamp", "ausearch --raw")),
            (b"a" * 1100000 + b"\n", 0, ":1:1048577: ", ("longer than 1048576", "kept")),
            (head + b"1700000000.123:77): arch=c000003e sys" + GOOD, 0, ":1:", ("another record begins", "both are read")),
        )
        for data, status, place, words in cases:
            path = self.folder / "log"
            path.write_bytes(data)
            with self.subTest(data[:60]):
                done = exectrail("decode", path, check=False)
                line = done.stderr.splitlines()[0]
                self.assertEqual(done.returncode, status, line)
                self.assertTrue(line.startswith(f"exectrail: {path}{place}"), line)
                for word in words:
                    self.assertIn(word, line)
        self.one_line(exectrail("decode", self.folder, check=False), 1, f"{self.folder}: ", "Is a directory", "name the files")
        self.one_line(exectrail("decode", "/nonexistent/x", check=False), 1, "/nonexistent/x: ", "No such file", "check the name")
        self.one_line(exectrail("decode", "-f", "-", check=False), 2, "--follow", "one FILE", "pipe")
        self.one_line(exectrail("decode", "--format", "x", check=False), 2, "--format x", "ndjson or text")
        path.write_bytes(GOOD)
        for arguments in ((), ("--format", "text")):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([EXECTRAIL, "decode", *arguments, path], stdout=full, stderr=subprocess.PIPE, text=True)
            self.one_line(done, 1, "standard output: ", "No space left")
        path.write_bytes(b"")
        self.assertEqual(exectrail("decode", path).stderr, "")
        os.chmod(path, 0)
        os.chmod(self.folder, 0o755)
        if os.geteuid() == 0:
            denied = subprocess.run([EXECTRAIL, "decode", path], stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.setuid(65534))
            self.one_line(denied, 1, f"{path}: ", "Permission denied", "sudo")

    def test_a_pipe_gives_packed_bytes_one_by_one(self):
        text = (DATA / "capture/session.log").read_bytes()
        decode = subprocess.Popen([EXECTRAIL, "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        data = gzip.compress(text)
        for at in range(5):
            decode.stdin.write(data[at:at + 1])
            decode.stdin.flush()
            time.sleep(0.02)
        out, _ = decode.communicate(data[5:])
        self.assertEqual(out, subprocess.run([EXECTRAIL, "decode"], input=text, stdout=subprocess.PIPE, check=True).stdout)

    def test_port_in_use(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            done = exectrail("server", "--data", self.folder / "d", "--http", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0", check=False)
            self.assertEqual(done.returncode, 1)
            last = done.stderr.strip().splitlines()[-1]
            self.assertIn(str(port), last)
            self.assertIn("in use", last)

    def test_tokens(self):
        server = Server(self.folder)
        good = server.enrolment_token()
        wrong = good[:-8] + ("AAAAAAAA" if not good.endswith("AAAAAAAA") else "BBBBBBBB")
        state = iter(range(100))

        def enrol(token):
            return run(AGENT, "--server", f"127.0.0.1:{server.agent_port}", "--token", token, "--state", self.folder / f"s{next(state)}",
                       "--host", "bad", "--stdin", check=False, timeout=30)
        self.assertEqual(enrol("nonsense").returncode, 1)
        self.assertIn("token", enrol(wrong).stderr)
        expired = server.enrolment_token("--valid", "1ms")
        time.sleep(0.05)
        done = enrol(expired)
        self.assertEqual(done.returncode, 1)
        self.assertIn("expired", done.stderr)
        self.assertIn("token new", done.stderr)
        server.stop()

    def test_corrupt_lines_are_kept_counted_and_searchable(self):
        lines = [GOOD, b"type=SYSCALL msg=audit(broken\n", b"\x00\xff binary \n", b"no record at all, needle-7431\n", GOOD.replace(b":77)", b":78)")]
        path = self.folder / "audit.log"
        path.write_bytes(b"".join(lines))
        done = exectrail("decode", path)
        documents = done.stdout.splitlines()
        self.assertEqual(len(documents), 5)
        self.assertIn(f"{path}:2", done.stderr)
        data = self.folder / "data"
        exectrail("import", "--data", data, "--host", "h1", path)
        self.assertEqual(exectrail("search", "--data", data, "--count", "action:unparsed").stdout.strip(), b"3")
        self.assertEqual(exectrail("search", "--data", data, "--count", "raw:*needle-7431*").stdout.strip(), b"1")
        self.assertEqual(exectrail("search", "--data", data, "--count", "").stdout.strip(), b"5")

    def test_query_error_points_at_the_column(self):
        data = self.folder / "data"
        exectrail("import", "--data", data, "--host", "h1", DATA / "capture/args.log")
        done = exectrail("search", "--data", data, "usr:alice", check=False)
        self.one_line(done, 1, "query:1:1", "usr", "user")
        done = exectrail("search", "--data", data, "user:alice and (cmd:x", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"query:1:\d+")
        self.one_line(exectrail("search", "--data", data, "--from", "yesterdayish", "x", check=False), 2, "--from", "yesterdayish")
        for option in ("limit", "sort", "by", "fields", "format", "noise"):
            self.one_line(exectrail("search", "--data", data, f"--{option}", "nosuch", "x", check=False), 2, f"--{option}", "nosuch")

    def test_a_session_is_a_number_and_tail_has_two_formats(self):
        self.one_line(exectrail("session", "--data", self.folder, "h1", "abc", check=False), 2, "session", "abc")
        self.one_line(exectrail("tail", "--data", self.folder, "--format", "csv", check=False), 2, "csv", "ndjson")

    def test_rule_errors_name_file_and_line(self):
        rule = self.folder / "bad.yml"
        rule.write_text("title: t\nid: 1\nlogsource:\n  product: linux\n  category: process_creation\ndetection:\n  s:\n    Image|nonsense: x\n  condition: s\n")
        done = exectrail("rules", "check", rule, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{rule}:8", done.stderr)
        self.assertIn("nonsense", done.stderr)


if __name__ == "__main__":
    unittest.main()
