"""What is made for Elasticsearch: documents as Filebeat, Logstash and Auditbeat send them, by clients that others wrote.

curl, rsyslog's omelasticsearch, the Python client (Debian's package, version 7; version 8 where it can be imported from the
folder XT_ELASTICSEARCH_8 names). Each way ends as the same events as `exectrail decode`.
"""
import base64
import contextlib
import gzip
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, Process, Scene, Server, exectrail, free_port, run, wait_for
from test_senders import decoded, documents, snippet

CAPTURES = [DATA / "capture/session.log", DATA / "capture/tamper.log", DATA / "capture/webshell.log"]

CLIENT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from elasticsearch import Elasticsearch, helpers
url, user, token, host, path, way = sys.argv[1:]
import elasticsearch
version = elasticsearch.__version__[0]
auth = {"http_auth" if version == 7 else "basic_auth": (user, token)} if way == "basic" else {"api_key": (user, token)}
client = Elasticsearch([url], **auth)
assert client.info()["version"]["number"].startswith("8."), client.info()
assert client.ping()
lines = open(path, "rb").read().splitlines()
def actions():
    for i, line in enumerate(lines):
        yield {"_op_type": "create", "_index": "filebeat-8", "_id": f"{host}-{i}", "@timestamp": "2026-11-23T15:04:05.000Z",
               "message": line.decode(), "host": {"name": host}, "log": {"file": {"path": "/var/log/audit/audit.log"}, "offset": i}}
done, errors = helpers.bulk(client, actions(), chunk_size=37)
assert done == len(lines) and not errors, (done, errors)
done, errors = helpers.bulk(client, actions(), chunk_size=100)  # sent again
assert done == len(lines) and not errors, (done, errors)
"""


def filebeat(host, line, offset):
    return {"@timestamp": "2026-11-23T15:04:05.123Z", "message": line.decode(), "host": {"name": host, "hostname": host},
            "log": {"file": {"path": "/var/log/audit/audit.log"}, "offset": offset}, "input": {"type": "log"},
            "agent": {"type": "filebeat", "version": "8.11.0", "name": host}, "ecs": {"version": "8.0.0"},
            "event": {"module": "auditd", "dataset": "auditd.log"}}


def logstash(host, line, offset):
    return {"@timestamp": "2026-11-23T15:04:05.123Z", "@version": "1", "message": f"Nov 23 15:04:05 {host} audit: " + line.decode(),
            "event": {"original": line.decode()}, "host": {"ip": "127.0.0.1"}, "type": "syslog"}


AUDITBEAT = {
    "@timestamp": "2026-11-22T13:40:00.123Z", "@metadata": {"beat": "auditbeat"}, "agent": {"name": "web-1", "type": "auditbeat"},
    "ecs": {"version": "8.0.0"}, "host": {"name": "web-1", "os": {"family": "debian"}}, "service": {"type": "auditd"},
    "event": {"module": "auditd", "kind": "event", "category": ["process"], "type": ["start"], "action": "executed",
              "outcome": "success"},
    "auditd": {"sequence": 4711, "session": "7", "result": "success", "message_type": "syscall",
               "summary": {"actor": {"primary": "alice", "secondary": "root"}, "how": "/usr/bin/mysql"},
               "data": {"arch": "x86_64", "syscall": "execve", "exit": "0", "tty": "pts0", "argc": "3", "a0": "55d0"},
               "paths": [{"item": "0", "name": "/usr/bin/mysql", "nametype": "NORMAL", "inode": "42", "dev": "08:01",
                          "mode": "0100755", "ouid": "0", "ogid": "0", "rdev": "00:00"}]},
    "process": {"pid": 900, "parent": {"pid": 800}, "name": "mysql", "executable": "/usr/bin/mysql", "title": "mysql -psecret db",
                "args": ["mysql", "-phunter2", "db"], "working_directory": "/root"},
    "user": {"id": "0", "name": "root", "group": {"id": "0", "name": "root"}, "effective": {"id": "0", "name": "root", "group": {"id": "0"}},
             "saved": {"id": "0", "group": {"id": "0"}}, "filesystem": {"id": "0", "group": {"id": "0"}},
             "audit": {"id": "1000", "name": "alice"}},
    "tags": ["cmd"], "message": "",
}
# the same command as the kernel's records have it
AUDITBEAT_RECORDS = b"""\
type=SYSCALL msg=audit(1795354800.123:4711): arch=c000003e syscall=59 success=yes exit=0 a0=55d0 a1=0 a2=0 a3=0 items=1 ppid=800 pid=900 \
auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=7 comm="mysql" exe="/usr/bin/mysql" key="cmd"\x1d\
ARCH=x86_64 SYSCALL=execve AUID="alice" UID="root" GID="root" EUID="root" SUID="root" FSUID="root" EGID="root" SGID="root" FSGID="root"
type=EXECVE msg=audit(1795354800.123:4711): argc=3 a0="mysql" a1="-phunter2" a2="db"
type=CWD msg=audit(1795354800.123:4711): cwd="/root"
type=PATH msg=audit(1795354800.123:4711): item=0 name="/usr/bin/mysql" inode=42 dev=08:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
"""


class Bulk(Scene):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.server = Server(self.folder, "--bulk", f"127.0.0.1:{self.port}")
        self.token = exectrail("sender", "add", "beats", "--data", self.server.data).stdout.decode().split()[-1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "audit.log"
        self.log.write_bytes(b"".join(path.read_bytes() for path in CAPTURES))

    def tearDown(self):
        self.server.stop()
        super().tearDown()

    def lines(self):
        return self.log.read_bytes().splitlines()

    def stored(self, host):
        return exectrail("search", "--data", self.server.data, "--format", "ndjson", "--limit", "100000", f'host:"{host}"').stdout.splitlines()

    def assert_same(self, host, path=None):
        want = decoded(host, path or self.log)
        n = sum(map(len, want.values()))
        wait_for(lambda: len(self.stored(host)) >= n, 30, 0.2)
        got = documents(self.stored(host))
        self.assertEqual(sorted(got), sorted(want))
        for key, value in want.items():
            self.assertEqual(got[key], value)

    def curl(self, path, *options, body=None, status=200):
        """The answer's head and its document."""
        done = run("curl", "-sS", "-i", "-u", f"any:{self.token}", *options, *(["--data-binary", "@-"] if body is not None else []),
                   self.url + path, stdin=body)
        head, _, text = done.stdout.decode().rpartition("\r\n\r\n") if b"HTTP/1.1 100" not in done.stdout else \
            done.stdout.decode().split("\r\n\r\n", 1)[1].partition("\r\n\r\n")
        self.assertEqual(int(head.split()[1]), status, done.stdout[:1000])
        self.assertIn("X-Elastic-Product: Elasticsearch", head)
        return head, json.loads(text) if text.strip() else None

    def bulk(self, documents, path="/_bulk", packed=False, **options):
        body = "".join(json.dumps({action: meta}) + "\n" + json.dumps(document) + "\n" for action, meta, document in documents).encode()
        headers = ["-H", "Content-Type: application/x-ndjson"] + (["-H", "Content-Encoding: gzip"] if packed else [])
        return self.curl(path, *headers, body=gzip.compress(body) if packed else body, **options)[1]

    def python_client(self, interpreter, host, way, env=None):
        script = self.folder / "client.py"
        script.write_text(CLIENT)
        run(*interpreter, str(script), self.url, "any", self.token, host, str(self.log), way, env=env, timeout=200)
        self.assert_same(host)

    def test_python_client(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import elasticsearch"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("python3-elasticsearch is not installed")
        self.python_client(["/usr/bin/python3"], "python-7", "basic")

    def test_python_client_of_version_8(self):
        folder = os.environ.get("XT_ELASTICSEARCH_8")
        if not folder:
            self.skipTest("XT_ELASTICSEARCH_8 names no folder with the Python client (pip install --target FOLDER 'elasticsearch<9')")
        self.python_client(["/usr/bin/python3"], "python-8", "key", env={"PYTHONPATH": folder})

    def test_rsyslogs_client(self):
        if not pathlib.Path("/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so").exists():
            self.skipTest("rsyslog-elasticsearch is not installed")
        (self.folder / "spool").mkdir()
        text = snippet("rsyslog-bulk").replace("SERVER", "127.0.0.1").replace('serverport="9200"', f'serverport="{self.port}"')
        text = text.replace("TOKEN", self.token).replace("/var/spool/rsyslog", str(self.folder / "spool"))
        text = text.replace("/var/log/audit/audit.log", str(self.log)).replace("global(", 'global(localHostname="r-bulk" ', 1)
        (self.folder / "rsyslog.conf").write_text(text)
        Process(["rsyslogd", "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")], self.folder / "rsyslog.log")
        self.assert_same("r-bulk")

    def test_documents_of_filebeat_and_logstash(self):
        lines = self.lines()
        for host, shape, packed in (("filebeat", filebeat, True), ("logstash", logstash, False)):
            items = [("create", {"_index": "x"}, shape(host, line, i)) for i, line in enumerate(lines)]
            for at in range(0, len(items), 50):  # cut wherever it falls
                answer = self.bulk(items[at:at + 50], packed=packed)
                self.assertFalse(answer["errors"], answer)
                self.assertEqual([item["create"]["status"] for item in answer["items"]], [201] * len(items[at:at + 50]))
            self.assert_same(host)
        # all of it again: answered the same, stored once
        self.bulk(items)
        self.assert_same("logstash")

    def test_a_document_of_auditbeat(self):
        items = [("create", {"_index": "auditbeat-8", "_id": "a1"}, AUDITBEAT), ("index", {"_index": "auditbeat-8"}, AUDITBEAT)]
        answer = self.bulk(items, path="/auditbeat-8/_bulk?filter_path=errors,items.*.error,items.*.status")
        self.assertEqual(answer, {"errors": False, "items": [{"create": {"status": 201}}, {"index": {"status": 201}}]})
        path = self.folder / "one.log"
        path.write_bytes(AUDITBEAT_RECORDS)
        want = json.loads(exectrail("decode", "--redact", "--host", "web-1", path).stdout)
        self.assertEqual(len(self.stored("web-1")), 1)
        got = json.loads(self.stored("web-1")[0])
        for event in (want, got):
            event.pop("rule", None)
            event.get("exectrail", {}).pop("noise", None)
        self.assertEqual(want["exectrail"].pop("flags"), ["timeout"])  # the records end without a PROCTITLE
        self.assertNotIn("hunter2", json.dumps(got))
        self.assertEqual(want["auditd"]["data"].pop("items"), 1)  # Auditbeat does not say
        self.assertEqual(got["auditd"]["data"].pop("a0"), "55d0")  # the kernel's pointers are left out of an exec
        self.assertEqual(got["auditd"]["data"].pop("success"), want["auditd"]["data"].pop("success"))
        self.assertEqual(got, want)

    def test_each_item_is_answered_in_its_place(self):
        good = filebeat("h", b"type=LOGIN msg=audit(1795354800.123:1): pid=1 uid=0 auid=0 ses=1 res=1", 0)
        answer = self.bulk([("create", {"_index": "i", "_id": "1"}, good), ("index", {"_id": "2"}, {"message": "hello"}),
                            ("update", {"_id": "3"}, {"doc": {}}), ("create", {}, {"no": {"audit": "record"}})], path="/i/_bulk")
        self.assertTrue(answer["errors"])
        statuses = [next(iter(item.values()))["status"] for item in answer["items"]]
        self.assertEqual(statuses, [201, 400, 400, 400])
        self.assertEqual([next(iter(item.values()))["_id"] for item in answer["items"]][:3], ["1", "2", "3"])
        self.assertEqual(answer["items"][1]["index"]["error"]["type"], "document_parsing_exception")
        self.assertEqual(self.curl("/_bulk", body=b"{}\n{}\n", status=400)[1]["status"], 400)
        self.assertEqual(self.curl("/_bulk", body=b"", status=400)[1]["status"], 400)
        self.curl("/_bulk", "-H", "Content-Encoding: gzip", body=b"no gzip", status=400)
        bomb = gzip.compress(b"\n" * (100 << 20))
        self.curl("/_bulk", "-H", "Content-Encoding: gzip", body=bomb, status=413)

    def test_who_may_send_and_what_else_is_asked(self):
        for header, status in ((f"ApiKey {base64.b64encode(b'id:' + self.token.encode()).decode()}", 200),
                               (f"ApiKey {self.token}", 200), (f"Bearer {self.token}", 200), ("Bearer x", 401), ("Basic !", 401),
                               (f"Bearer {self.server.token}", 200)):
            got, body, headers = self.server.request("GET", "/es/", headers={"Authorization": header}, token=False)
            self.assertEqual(got, status, header)
        self.assertEqual(json.loads(self.server.request("GET", "/es", token=False)[1])["error"]["type"], "security_exception")
        # it may send, and nothing else
        self.assertEqual(self.server.request("GET", "/api/v1/hosts", headers={"Authorization": f"Bearer {self.token}"}, token=False)[0], 401)
        self.assertEqual(self.curl("/")[1]["tagline"], "You Know, for Search")
        self.assertEqual(self.curl("/_license")[1]["license"]["status"], "active")
        self.assertTrue(self.curl("/_xpack")[1]["features"]["ilm"]["enabled"])
        self.curl("/_cluster/health")
        self.curl("/_ilm/policy/filebeat", status=404)
        self.assertTrue(self.curl("/_ilm/policy/filebeat", "-X", "PUT", body=b"{}")[1]["acknowledged"])
        self.curl("/_index_template/filebeat-8.11.0", "-I", status=404)
        self.curl("/filebeat-8", "-X", "DELETE", status=405)
        self.assertEqual(run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{self.url}/api/v1/status").stdout, b"401")
        exectrail("sender", "remove", "beats", "--data", self.server.data)
        self.curl("/", status=401)

    def test_records_that_wait_outlive_a_kill(self):
        """A request ends within an event; what it was told is durable is there after kill -9, and no secret is on disk."""
        lines = [line for line in AUDITBEAT_RECORDS.splitlines() if line]
        lines.append(b"type=PROCTITLE msg=audit(1795354800.123:4711): proctitle=6D7973716C")
        path = self.folder / "one.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        items = [("create", {}, filebeat("cut", line, i)) for i, line in enumerate(lines)]
        self.assertFalse(self.bulk(items[:3])["errors"])
        self.server.kill()
        for name in ("state.db", "state.db-wal", "pending.db", "pending.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                self.assertNotIn(b"hunter2", (self.server.data / name).read_bytes(), name)
        self.server.start()
        self.assertFalse(self.bulk(items[3:])["errors"])
        self.assertEqual(documents(self.stored("cut")), decoded("cut", path))


if __name__ == "__main__":
    unittest.main()
