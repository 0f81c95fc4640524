"""Forwards to receivers that others wrote (rsyslog over TCP, UDP and TLS, Python's HTTP server) and to files: at least once, whatever is killed or full."""
import collections
import contextlib
import gzip
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Process, Scene, Server, Webhook, exectrail, free_port, run, wait_for
from test_kill import line

MODULES = pathlib.Path("/usr/lib/x86_64-linux-gnu/rsyslog")


class Receiver:
    """Python's HTTP server; `answer(number, body)` gives status and body."""

    def __init__(self, answer=lambda number, body: (200, b""), delay=0.0):
        self.bodies, self.headers = [], []
        self.answer, self.delay = answer, delay
        self.port = free_port()
        self.server = None

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                time.sleep(receiver.delay)
                status, text = receiver.answer(len(receiver.headers), body)
                receiver.headers.append(dict(self.headers))
                if status == 200:
                    receiver.bodies.append(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                with contextlib.suppress(OSError):  # it may have been killed meanwhile
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def documents(self):
        return [json.loads(text) for body in list(self.bodies) for text in body.splitlines()]


class Rsyslog:
    """An rsyslogd of the test's own that writes each message as it came to a file."""

    def __init__(self, folder, input_lines, name="rsyslog"):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        self.out = self.folder / "out.log"
        self.config = self.folder / "rsyslog.conf"
        self.config.write_text(
            f'global(workDirectory="{self.folder}" maxMessageSize="512k" parser.escapeControlCharactersOnReceive="off")\n'
            'template(name="all" type="string" string="%rawmsg-after-pri%\\n")\n'
            f"{input_lines}\n"
            f'ruleset(name="keep") {{ action(type="omfile" file="{self.out}" template="all") }}\n')
        self.process = None

    def start(self):
        self.process = Process(["rsyslogd", "-n", "-f", str(self.config), "-i", str(self.folder / "pid")],
                               self.folder / "log")
        return self

    def text(self):
        return self.out.read_text(errors="replace") if self.out.exists() else ""

    def documents(self):
        found = []
        for text in self.text().splitlines():
            with contextlib.suppress(ValueError):  # the last line may be half written
                found.append(json.loads(text[text.index("] {") + 2:]))
        return found


def names_of(documents):
    """How often each event of test_kill's line() is there."""
    return collections.Counter(d["process"]["args"][1] for d in documents if d["event"]["action"] == "executed")


class Forward(Scene):
    def forward(self, verb, *arguments, **options):
        return exectrail("forward", verb, *arguments, "--data", self.server.data, **options)

    def status(self, name):
        out = self.forward("status", name, "--format", "ndjson").stdout
        return json.loads(out)

    def feed(self, first, last, host="testhost"):
        text = b"".join(line(n, 1800000000 + n // 1000, f"n{n}") for n in range(first, last + 1))
        exectrail("import", "--data", self.server.data, "--host", host, "--quiet", "-", stdin=text)

    def wait_all(self, get, last, what, seconds=60):
        wanted = {f"n{n}" for n in range(1, last + 1)}
        if not wait_for(lambda: wanted <= set(names_of(get())), seconds, 0.2):
            missing = sorted(wanted - set(names_of(get())))
            self.fail(f"{what}: {len(missing)} of {last} are missing, such as {missing[:5]}: {self.status(what)}")
        return names_of(get())

    def lines(self, path):
        found = []
        for each in sorted(self.folder.glob(path.name + "*")):
            found += [json.loads(text) for text in each.read_text().splitlines()]
        return found

    def test_file(self):
        """Rotated; from the start; what is late comes too; a kill in the midst; half a line is taken away; another host's query."""
        self.server = server = Server(self.folder)
        out, only = self.folder / "all.ndjson", self.folder / "only.ndjson"
        self.feed(1, 1500)
        server.stop()
        exectrail("store", "status", "--data", server.data)  # without a server nothing is sent
        self.forward("add", "all", "--to", f"file:{out}", "--from", "start", "--rotate", "300K", "--keep", "50")
        self.assertEqual(self.status("all")["state"], "off")
        self.assertFalse(out.exists())
        server.start()
        self.forward("add", "only", "--to", f"file:{only}", "--events", "args:n1777 or host:other")
        self.wait_all(lambda: self.lines(out), 1500, "all")
        self.feed(1501, 2000)
        self.feed(1, 3, host="other")  # two thousand seconds earlier than what was sent
        self.assertTrue(wait_for(lambda: len(self.lines(only)) == 4, 30, 0.1))
        self.wait_all(lambda: self.lines(out), 2000, "all")
        self.assertGreater(len(list(self.folder.glob("all.ndjson.*"))), 0)
        self.assertEqual({d["event"]["id"] for d in server.search("*")} - {d["event"]["id"] for d in self.lines(out)}, set())

        done = self.forward("add", "all", "--to", "file:/tmp/x", check=False)
        self.assertIn("there is a forward of that name", done.stderr)
        done = self.forward("add", "twice", "--to", f"file:{out}", check=False)
        self.assertIn("another forward writes that file", done.stderr)
        self.forward("remove", "only")
        self.assertNotIn(b"only", self.forward("list").stdout)

        for round_ in range(3):  # killed while it writes
            self.feed(2001 + round_ * 500, 2500 + round_ * 500)
            time.sleep(0.15 * round_)
            server.kill()
            if round_ == 0:
                with open(out, "a") as f:
                    f.write('{"half a li')
            server.start()
        self.wait_all(lambda: self.lines(out), 3500, "all")
        actions = {d["event"]["action"] for d in server.search("action:(added-forward or removed-forward)")}
        self.assertEqual(actions, {"added-forward", "removed-forward"})
        server.stop()

    def test_raw_and_pause(self):
        self.server = server = Server(self.folder)
        out = self.folder / "audit.log"
        self.forward("add", "raw", "--to", f"file:{out}", "--form", "raw", "--events", "action:executed")
        self.feed(1, 50)
        self.assertTrue(wait_for(lambda: out.exists() and out.read_text().count("type=EXECVE") == 50, 30, 0.1))
        self.forward("pause", "raw")
        self.feed(51, 90)
        time.sleep(1)
        self.assertEqual(out.read_text().count("type=EXECVE"), 50)
        status = self.status("raw")
        self.assertEqual((status["state"], status["behind"] >= 40), ("paused", True), status)
        server.stop()
        server.start()
        self.assertEqual(self.status("raw")["state"], "paused")
        self.forward("resume", "raw")
        self.assertTrue(wait_for(lambda: out.read_text().count("type=EXECVE") == 90, 30, 0.1))
        decoded = [json.loads(text) for text in exectrail("decode", out).stdout.splitlines()]
        self.assertEqual({d["event"]["id"] for d in decoded}, {d["event"]["id"] for d in server.search("action:executed")})
        server.stop()

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small file system takes root")
    def test_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        if run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk, check=False).returncode:
            self.skipTest("no tmpfs can be mounted")
        try:
            self.server = server = Server(self.folder)
            self.forward("add", "disk", "--to", f"file:{disk}/out.ndjson")
            self.feed(1, 1000)
            self.assertTrue(wait_for(lambda: self.status("disk")["state"] == "failing", 30, 0.2))
            self.assertIn("No space left on device", self.status("disk")["error"])
            self.assertTrue(wait_for(lambda: server.count("action:forward-failed") == 1, 30, 0.5))
            run("mount", "-o", "remount,size=8m", disk)
            self.wait_all(lambda: [json.loads(text) for text in (disk / "out.ndjson").read_text().splitlines()], 1000, "disk", 90)
            self.assertTrue(wait_for(lambda: server.count("action:forward-resumed") == 1, 30, 0.5))
            self.assertEqual(self.status("disk")["state"], "running")
            server.stop()
        finally:
            run("umount", disk)

    def test_http(self):
        """Away, back, 500, 429, 413, slow, gzip, a token from a file: nothing is missing."""
        answers = {0: 500, 1: 429, 4: 503}
        receiver = Receiver(lambda number, body: (413 if len(body) > 100000 else answers.get(number, 200), b""), delay=0.02)
        self.server = server = Server(self.folder)
        secret = self.folder / "token"
        secret.write_text("s3cret-t0ken\n")
        headers = self.folder / "headers"
        headers.write_text("X-Tenant: blue\n# no header\n")
        self.forward("add", "web", "--to", f"http://127.0.0.1:{receiver.port}/in", "--gzip", "--bearer-file", secret,
                     "--headers-file", headers)
        self.feed(1, 400)
        self.assertTrue(wait_for(lambda: self.status("web")["state"] == "failing", 30, 0.1))
        receiver.start()
        self.feed(401, 1200)
        self.wait_all(receiver.documents, 1200, "web", 90)
        self.assertEqual(receiver.headers[-1]["Authorization"], "Bearer s3cret-t0ken")
        self.assertEqual(receiver.headers[-1]["X-Tenant"], "blue")
        self.assertEqual(receiver.headers[-1]["Content-Encoding"], "gzip")
        self.assertNotIn(b"s3cret", self.forward("list").stdout + self.forward("list", "--format", "ndjson").stdout)
        self.assertEqual(self.status("web")["refused"], 0)
        for round_ in range(2):  # the server is killed while it posts
            self.feed(1201 + round_ * 300, 1500 + round_ * 300)
            time.sleep(0.1 * round_)
            server.kill()
            server.start()
        self.wait_all(receiver.documents, 1800, "web", 90)
        server.stop()
        receiver.stop()

    def test_bulk(self):
        """As Elasticsearch answers: some documents are too many now, one is there already, one it never takes."""
        stored, seen = {}, []

        def answer(number, body):
            lines = body.splitlines()
            items = []
            for action, document in zip(lines[::2], lines[1::2]):
                key, value = json.loads(action)["create"]["_id"], json.loads(document)
                seen.append(key)
                status = 201
                if key in stored:
                    status = 409
                elif value["process"]["args"][1] == "n7":
                    status = 400
                elif number == 0 and len(items) % 3 == 1:
                    status = 429
                else:
                    stored[key] = value
                error = {"error": {"type": "mapper_parsing_exception"}} if status == 400 else {}
                items.append({"create": {"_id": key, "status": status, **error}})
            errors = any(i["create"]["status"] > 299 for i in items)
            return 200, json.dumps({"took": 1, "errors": errors, "items": items}).encode()

        receiver = Receiver(answer).start()
        self.server = server = Server(self.folder)
        self.forward("add", "es", "--to", f"http://127.0.0.1:{receiver.port}/exec/_bulk", "--bulk", "--events", "comm:load")
        self.feed(1, 60)
        self.assertTrue(wait_for(lambda: len(stored) == 59, 60, 0.1), len(stored))
        self.assertTrue(wait_for(lambda: self.status("es")["refused"] == 1, 30, 0.1))
        self.assertEqual(self.status("es")["refusal"], "400 mapper_parsing_exception")
        self.assertEqual(set(stored), {d["event"]["id"] for d in server.search("comm:load")} - {k for k in seen if k not in stored})
        self.assertTrue(wait_for(lambda: server.count("action:forward-refused") == 1, 30, 0.5))
        self.assertEqual(receiver.headers[0]["Content-Type"], "application/x-ndjson")
        server.stop()
        receiver.stop()

    def test_bulk_that_claims_too_much(self):
        """`errors` is false, and the items are none, too few, of other documents: nothing is believed, nothing is missing."""
        stored, claims = {}, []

        def answer(number, body):
            lines = body.splitlines()
            items = [{"create": {"_id": json.loads(a)["create"]["_id"], "status": 201}} for a in lines[::2]]
            claims.append(len(items))
            keep = len(items)
            if number == 0:
                items, keep = [], 0
            elif number == 1:
                items, keep = items[:-1], keep - 1
            elif number == 2:
                items[0]["create"]["_id"], keep = "another", 0
            for item, document in zip(items[:keep], lines[1::2]):
                stored[item["create"]["_id"]] = json.loads(document)
            return 200, json.dumps({"took": 1, "errors": False, "items": items}).encode()

        receiver = Receiver(answer).start()
        self.server = server = Server(self.folder)
        self.feed(1, 40)
        self.forward("add", "es", "--to", f"http://127.0.0.1:{receiver.port}/exec/_bulk", "--bulk", "--events", "comm:load", "--from", "start")
        self.assertTrue(wait_for(lambda: len(stored) == 40, 90, 0.1), (len(stored), claims))
        self.assertEqual(set(stored), {d["event"]["id"] for d in server.search("comm:load")})
        self.assertTrue(wait_for(lambda: self.status("es")["state"] == "running", 30, 0.1))
        self.assertEqual(self.status("es")["refused"], 0)
        self.assertGreaterEqual(len(claims), 4)
        server.stop()
        receiver.stop()

    @unittest.skipUnless(shutil.which("rsyslogd") and (MODULES / "imtcp.so").exists(), "there is no rsyslogd")
    def test_rsyslog_tcp(self):
        """Octet counting as rsyslog reads it; the receiver killed in the midst and the server too."""
        port = free_port()
        rsyslog = Rsyslog(self.folder, f'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")')
        self.server = server = Server(self.folder)
        self.forward("add", "tcp", "--to", f"syslog+tcp://127.0.0.1:{port}")
        self.feed(1, 200)
        self.assertTrue(wait_for(lambda: self.status("tcp")["state"] == "failing", 30, 0.1))
        rsyslog.start()
        self.wait_all(rsyslog.documents, 200, "tcp", 90)
        last = 200
        for round_ in range(3):
            self.feed(last + 1, last + 400)
            last += 400
            (rsyslog.process if round_ != 1 else server).kill()
            (rsyslog if round_ != 1 else server).start()
        self.wait_all(rsyslog.documents, last, "tcp", 120)
        head = rsyslog.text().splitlines()[0]
        self.assertRegex(head, r'^1 2027-01-15T08:00:0\d\.\d{3}Z testhost exectrail - executed '
                               r'\[exectrail@32473 id="[0-9a-f]{32}"\] \{"@timestamp"')
        server.stop()
        rsyslog.process.stop()

    @unittest.skipUnless(shutil.which("rsyslogd") and (MODULES / "imudp.so").exists(), "there is no rsyslogd")
    def test_rsyslog_udp_cef_and_raw(self):
        port = free_port()
        rsyslog = Rsyslog(self.folder, f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")').start()
        self.server = server = Server(self.folder)
        self.assertTrue(wait_for(lambda: f":{port:04X} " in pathlib.Path("/proc/net/udp").read_text(), 30, 0.1))
        self.forward("add", "cef", "--to", f"syslog+udp://127.0.0.1:{port}", "--form", "cef", "--events", "comm:load")
        self.forward("add", "raw", "--to", f"syslog+udp://127.0.0.1:{port}", "--form", "raw", "--events", "comm:load")
        self.feed(1, 300)

        def complete():
            text = rsyslog.text()
            cef = set(re.findall(r"CEF:0\|Exectrail\|Exectrail\|[^|]+\|executed\|executed\|0\|rt=\d+ .* cs1=load (n\d+) ", text))
            raw = set(re.findall(r'type=EXECVE .* a1="(n\d+)"', text))
            return cef == raw == {f"n{n}" for n in range(1, 301)}
        self.assertTrue(wait_for(complete, 60, 0.2), rsyslog.text()[-3000:])
        server.stop()
        rsyslog.process.stop()

    @unittest.skipUnless(shutil.which("rsyslogd") and shutil.which("openssl") and
                         ((MODULES / "lmnsd_ossl.so").exists() or (MODULES / "lmnsd_gtls.so").exists()), "rsyslogd has no TLS")
    def test_rsyslog_tls(self):
        """The target is known by its CA and its name; another CA is refused and says so."""
        def make(name, subject, *more):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem", "-subj", subject, *more)
        make("ca", "/CN=test CA")
        make("other", "/CN=another CA")
        make("peer", "/CN=siem", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-CA", self.folder / "ca.pem",
             "-CAkey", self.folder / "ca.key", "-addext", "basicConstraints=CA:FALSE")
        port = free_port()
        driver = "ossl" if (MODULES / "lmnsd_ossl.so").exists() else "gtls"
        files = "".join(f' defaultNetstreamDriver{key}="{self.folder / name}"' for key, name in
                        (("CAFile", "ca.pem"), ("CertFile", "peer.pem"), ("KeyFile", "peer.key")))
        rsyslog = Rsyslog(self.folder, f'global(defaultNetstreamDriver="{driver}"{files})\n'
                          'module(load="imtcp" streamDriver.name="' + driver + '" streamDriver.mode="1" streamDriver.authMode="anon")\n'
                          f'input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")').start()
        self.server = server = Server(self.folder)
        self.forward("add", "wrong", "--to", f"syslog+tls://localhost:{port}", "--peer-ca", self.folder / "other.pem")
        self.forward("add", "tls", "--to", f"syslog+tls://127.0.0.1:{port}", "--peer-ca", self.folder / "ca.pem")
        self.feed(1, 300)
        self.wait_all(rsyslog.documents, 300, "tls", 90)
        self.assertTrue(wait_for(lambda: "certificate" in self.status("wrong").get("error", ""), 30, 0.2), self.status("wrong"))
        self.feed(301, 600)
        rsyslog.process.kill()
        rsyslog.start()
        self.wait_all(rsyslog.documents, 600, "tls", 120)
        server.stop()
        rsyslog.process.stop()

    def test_alerts_and_who_may(self):
        rules = self.folder / "rules"
        rules.mkdir()
        (rules / "evil.yml").write_text("title: Evil] \"here\"\nid: 11111111-1111-1111-1111-111111111111\nstatus: test\ndescription: t\n"
                                        "author: t\nlogsource: {product: linux, category: process_creation}\ndetection:\n"
                                        "  selection:\n    CommandLine|contains: n42\n  condition: selection\nlevel: high\n")
        (rules / "odd.yml").write_text((rules / "evil.yml").read_text().replace("1111", "2222").replace("n42", "n1").replace("high", "low"))
        self.server = server = Server(self.folder, "--rules", rules)
        receiver = Receiver().start()
        out = self.folder / "alerts.cef"
        self.forward("add", "alerts", "--alerts", "--to", f"http://127.0.0.1:{receiver.port}/")
        loud = self.folder / "loud.ndjson"
        self.forward("add", "loud", "--alerts", "--level", "medium", "--to", f"file:{loud}")
        self.assertEqual(self.status("loud")["level"], "medium")
        self.forward("add", "cef", "--alerts", "--form", "cef", "--to", f"file:{out}")
        self.feed(1, 50)
        self.assertTrue(wait_for(lambda: any(a["rule"]["id"].startswith("1111") for a in receiver.documents()), 30, 0.1))
        [alert] = [a for a in receiver.documents() if a["rule"]["id"].startswith("1111")]
        self.assertEqual((alert["level"], alert["event"]["host"]["name"]), ("high", "testhost"))
        self.assertTrue(wait_for(lambda: out.exists() and '|11111111-1111-1111-1111-111111111111|Evil] "here"|8|rt=' in out.read_text(), 30, 0.1))

        self.assertTrue(wait_for(lambda: any(a["rule"]["id"].startswith("2222") for a in receiver.documents()), 30, 0.1))
        self.assertTrue(wait_for(lambda: self.status("loud")["behind"] == 0, 30, 0.1))
        levels = {a["level"] for a in map(json.loads, loud.read_text().splitlines())}
        self.assertTrue("high" in levels and levels <= {"medium", "high", "critical"}, levels)
        for bad in (["--alerts", "--level", "loud"], ["--level", "high"]):
            self.assertEqual(self.forward("add", "bad", "--to", "http://h/", *bad, check=False).returncode, 1)

        # Over the network an administrator names no file of the server's machine; nobody else sees forwards at all.
        status, body, _ = server.request("POST", "/api/v1/forwards?name=x&to=file:/etc/cron.d/x")
        self.assertEqual(status, 400, body)
        status, body, _ = server.request("POST", "/api/v1/forwards?name=x&to=http://127.0.0.1:1/&bearer_file=/etc/shadow")
        self.assertEqual(status, 400, body)
        self.assertEqual(server.request("GET", "/api/v1/forwards", token=False)[0], 401)
        for bad in ("gopher://x", "http://me:pw@host/", "syslog+tcp://host", "syslog+udp://h:99999", "file:relative"):
            done = self.forward("add", "bad", "--to", bad, check=False)
            self.assertEqual((done.returncode, "pw" in done.stderr), (1, False), done.stderr)
        done = self.forward("add", "bad", "--to", "http://h/", "--events", "cmd:(", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.forward("remove", "nobody", check=False).returncode, 1)
        server.stop()
        receiver.stop()


if __name__ == "__main__":
    unittest.main()
