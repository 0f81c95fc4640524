"""Bad input: one line on standard error that says what, where and what to do; nothing is lost."""
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
