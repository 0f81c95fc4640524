"""Hosts without our agent: syslog by programs that others wrote. Each way ends as the same events as `exectrail decode`.

The configurations are those of docs/senders.md, with other addresses and paths.
"""
import contextlib
import json
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, EXECTRAIL, ROOT, Process, Scene, Server, exectrail, free_port, run, wait_for

CAPTURES = [DATA / "capture/session.log", DATA / "capture/tamper.log", DATA / "capture/webshell.log"]
SERVER_ONLY = ("noise",)


def snippet(name):
    return re.search(rf"```{name}\n(.*?)```", (ROOT / "docs/senders.md").read_text(), re.S)[1]


def documents(lines):
    """By id; what only a server adds is left out: noise, rules, and the source of a session, which it carries to its events."""
    found = {}
    for line in lines:
        event = json.loads(line)
        for name in SERVER_ONLY:
            event.get("exectrail", {}).pop(name, None)
        if not event.get("exectrail", True):
            del event["exectrail"]
        event.pop("rule", None)
        event.pop("source", None)
        found.setdefault(event["event"]["id"], []).append(json.dumps(event, sort_keys=True))
    return {key: sorted(values) for key, values in found.items()}


def decoded(host, path):
    return documents(exectrail("decode", "--redact", "--host", host, path).stdout.splitlines())


class Syslog(Scene):
    def setUp(self):
        super().setUp()
        self.port, self.tls_port = free_port(), free_port()
        self.server = Server(self.folder, "--syslog", f"127.0.0.1:{self.port}", "--syslog-tls", f"127.0.0.1:{self.tls_port}")
        self.log = self.folder / "audit.log"
        # the captures follow each other in time; the last event of each is given out after its two seconds
        self.log.write_bytes(b"".join(path.read_bytes() for path in CAPTURES))

    def tearDown(self):
        self.server.stop()
        super().tearDown()

    def stored(self, host):
        return exectrail("search", "--data", self.server.data, "--format", "ndjson", "--limit", "100000",
                         f'host:"{host}"').stdout.splitlines()

    def assert_same(self, host, path=None):
        want = decoded(host, path or self.log)
        n = sum(map(len, want.values()))
        self.assertGreater(n, 100)
        wait_for(lambda: len(self.stored(host)) >= n, 30, 0.2)
        got = documents(self.stored(host))
        self.assertEqual(sorted(got), sorted(want))
        for key, value in want.items():
            self.assertEqual(got[key], value)

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(data)

    def lines(self):
        return self.log.read_bytes().splitlines()

    def test_holes_in_serials(self):
        """The documented query: nothing is missing of a host that sends all, and how much of one that does not."""
        def stamp(line):
            return int(re.search(rb"audit\([0-9.]+:([0-9]+)\)", line)[1])
        lines = CAPTURES[0].read_bytes().splitlines()
        serials = sorted({stamp(line) for line in lines if b"type=DAEMON_" not in line})
        dropped = set(serials[10:13]) | {serials[40]}
        kept = {b"whole": lines, b"holed": [line for line in lines if stamp(line) not in dropped]}
        for host, its in kept.items():
            self.send(b"".join(b"<13>1 2026-11-23T15:04:05.123Z %s audit - - - %s\n" % (host, line) for line in its))
        for host, missing in (("whole", 0), ("holed", len(dropped))):
            wanted = len({stamp(line) for line in kept[host.encode()]})
            self.assertTrue(wait_for(lambda: len(self.stored(host)) >= wanted, 30, 0.2), host)
            query = snippet("holes").strip().replace("web-1", host)
            row = json.loads(exectrail("search", "--data", self.server.data, "--format", "ndjson", query).stdout)
            self.assertEqual(row["last"] - row["first"] + 1 - row["n"], missing, row)

    def rsyslog(self, name, host, port, framing=None):
        """What runs it; None where it is not installed."""
        if not shutil.which("rsyslogd"):
            return None
        folder = self.folder / host
        (folder / "spool").mkdir(parents=True)
        text = snippet(name).replace("octet-counted", framing or "octet-counted").replace("SERVER", "127.0.0.1").replace('port="6514"', f'port="{port}"')
        text = text.replace('port="514"', f'port="{port}"').replace("/var/spool/rsyslog", str(folder / "spool"))
        text = text.replace("/etc/rsyslog.d/exectrail-ca.pem", str(self.server.data / "ca.pem"))
        text = text.replace("/var/log/audit/audit.log", str(self.log)).replace("global(", f'global(localHostname="{host}" ', 1)
        (folder / "rsyslog.conf").write_text(text)
        return ["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]

    def stream(self, host):
        """Both framings and both formats in any mixture."""
        stream = b""
        for i, line in enumerate(self.lines()):
            if i % 2:
                message = b"<13>1 2026-11-23T15:04:05.123Z %s audit - - [x@1 k=\"]\"] %s" % (host, line)
            else:
                message = b"<13>Nov 23 15:04:05 %s audit: %s" % (host, line)
            stream += message + b"\n" if i % 3 else b"%d %s" % (len(message), message)
        return stream

    def by_logger(self):
        """The hosts that its messages are of."""
        if os.geteuid() != 0:
            return []  # the host's name cannot be another
        ways = {"l-udp": "-d --rfc5424", "l-udp-old": "-d --rfc3164", "l-tcp": "-T --rfc5424 --octet-count", "l-tcp-old": "-T --rfc3164"}
        for host, how in ways.items():
            run("unshare", "--uts", "sh", "-c", f"hostname {host} && logger -n 127.0.0.1 -P {self.port} -S 65536 -t audit "
                f"-f {self.log} {how}")
        return list(ways)

    def by_audisp(self):
        """auditd's own plugin, which writes to a /dev/log of its own, through rsyslog."""
        plugin = shutil.which("audisp-syslog", path="/sbin:/usr/sbin")
        command = self.rsyslog("rsyslog-audisp", "r-audisp", self.port)
        if not plugin or not command or os.geteuid() != 0:
            return []
        script = (f"mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && {{ {' '.join(command)} & }} "
                  f"&& until [ -S /dev/log ]; do sleep 0.1; done; {plugin} LOG_INFO < {self.log}; exec sleep 300")
        namespace = Process(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script], self.folder / "audisp.log")
        self.addCleanup(namespace.kill)  # it ignores what would end it
        return ["r-audisp"]

    def by_rsyslog(self, name, host, port, framing=None):
        command = self.rsyslog(name, host, port, framing)
        if command:
            Process(command, self.folder / f"{host}.log")
        return [host] if command else []

    def over_tls(self, host):
        context = ssl.create_default_context(cafile=self.server.data / "ca.pem")
        with socket.create_connection(("127.0.0.1", self.tls_port)) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(self.stream(host.encode()))
        return [host]

    def test_every_way_ends_as_the_same_events(self):
        mute = socket.create_connection(("127.0.0.1", self.tls_port))
        self.addCleanup(mute.close)
        exectrail("import", "--data", self.server.data, "--host", "both", self.log)
        hosts = self.by_rsyslog("rsyslog-tcp", "r-tcp", self.port) + self.by_rsyslog("rsyslog-tls", "r-tls", self.tls_port)
        hosts += self.by_rsyslog("rsyslog-tls", "r-tls-lines", self.tls_port, "traditional")
        hosts += self.by_audisp() + self.by_logger() + self.over_tls("s-tls")
        for host in ("mixed", "both"):
            self.send(self.stream(host.encode()))
        for host in [*hosts, "mixed", "both"]:
            with self.subTest(host):
                self.assert_same(host)
        counts = self.counts()
        self.assertEqual((counts["hosts"], counts["repeated"]), (len(hosts) + 2, 0))
        self.assertEqual(counts["known"], sum(map(len, decoded("both", self.log).values())), "the import's are not there twice")
        sources = [sorted((event["event"]["sequence"], event.get("source", {}).get("ip", "")) for event in map(json.loads, self.stored(host)))
                   for host in ("both", "mixed")]
        self.assertEqual(*sources, "an import and a sender carry the same source of a session")
        self.assertIn("127.0.0.1", [ip for _, ip in sources[0]])
        # all of it again, by another connection, and a line of another program
        self.send(self.stream(b"mixed") + b"<13>Nov 23 15:04:05 mixed cron[1]: no record\n")
        self.assertTrue(wait_for(lambda: self.counts()["other"] > counts["other"], 20))
        self.assertEqual(self.counts()["repeated"], len(self.lines()))
        self.assert_same("mixed")
        if "r-tcp" in hosts:  # what is written later follows
            with open(self.log, "ab") as log:
                log.write(DATA.joinpath("capture/tty.log").read_bytes())
            self.assert_same("r-tcp")
        mute.settimeout(60)
        self.assertEqual(mute.recv(1), b"", "a handshake that does not begin has its end")

    def counts(self):
        return self.server.get("/api/v1/senders")

    def test_hostile_streams_harm_nobody(self):
        connections = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(200)]
        for i, connection in enumerate(connections):
            with contextlib.suppress(OSError):  # those above the bound of one address are closed
                connection.sendall((b"999999999 <", b"<13>" + b"a" * 300000, b"\0" * 5000, os.urandom(5000), b"7")[i % 5])
        self.assertTrue(wait_for(lambda: self.counts()["refused"] >= 200 - 128, 20))
        for connection in connections:
            connection.close()
        self.assertTrue(wait_for(lambda: self.counts()["connections"] == 0, 20))
        self.send(self.stream(b"good"))
        self.assert_same("good")


class Refusals(Scene):
    def refused(self, *options):
        done = subprocess.run([EXECTRAIL, "server", "--data", str(self.folder / "data"), "--http", "127.0.0.1:0", "--listen",
                               "127.0.0.1:0", *options], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.decode()

    def test_other_addresses_want_to_know_who_may_send(self):
        self.assertIn("--syslog-from", self.refused("--syslog", "0.0.0.0:0"))
        self.assertIn("--syslog-ca", self.refused("--syslog-tls", "0.0.0.0:0"))
        self.assertIn("no address or network", self.refused("--syslog", "127.0.0.1:0", "--syslog-from", "everybody"))
        self.assertIn("HOST:PORT", self.refused("--syslog", "514"))
        self.assertIn("no certificates", self.refused("--syslog-tls", "127.0.0.1:0", "--syslog-ca", "/dev/null"))

    def test_strangers_are_not_heard_and_certificates_are_wanted(self):
        port, tls_port = free_port(), free_port()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=senders",
            "-keyout", str(self.folder / "key"), "-out", str(self.folder / "ca.pem"))
        server = Server(self.folder, "--syslog", f"127.0.0.1:{port}", "--syslog-tls", f"127.0.0.1:{tls_port}",
                        "--syslog-from", "127.0.0.2,10.0.0.0/8", "--syslog-ca", self.folder / "ca.pem")
        line = b"<13>Nov 23 15:04:05 %s audit: type=LOGIN msg=audit(1700000000.123:%d): pid=1 uid=0 auid=0 ses=1 res=1\n"

        def send(source, host, serial):
            with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as s:
                s.sendall(line % (host, serial))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((source, 0))
                s.sendto(line % (host, serial + 1), ("127.0.0.1", port))

        def over_tls(host, **certificate):
            context = ssl.create_default_context(cafile=server.data / "ca.pem")
            if certificate:
                context.load_cert_chain(**certificate)
            with socket.create_connection(("127.0.0.1", tls_port), source_address=("127.0.0.2", 0)) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as s:
                    s.sendall(line % (host, 1))
                    s.settimeout(5)
                    return s.recv(1) if not certificate else b""

        send("127.0.0.1", b"stranger", 1)
        send("127.0.0.2", b"friend", 1)
        with self.assertRaises(OSError):
            over_tls(b"no-certificate")
        over_tls(b"certified", certfile=self.folder / "ca.pem", keyfile=self.folder / "key")
        self.assertTrue(wait_for(lambda: server.count("host:friend") == 2 and server.count("host:certified") == 1, 20))
        self.assertEqual(server.count("*"), 3)
        self.assertEqual(server.get("/api/v1/senders")["strangers"], 2)
        server.stop()

    def test_mute_strangers_hold_no_door(self):
        """More connections than there may be, of which none says a thing: who has something to say gets in, from whatever address."""
        port, tls_port = free_port(), free_port()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=senders",
            "-keyout", str(self.folder / "key"), "-out", str(self.folder / "ca.pem"))
        server = Server(self.folder, "--syslog", f"127.0.0.1:{port}", "--syslog-tls", f"127.0.0.1:{tls_port}",
                        "--syslog-ca", self.folder / "ca.pem")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        line = b"<13>Nov 23 15:04:05 %s audit: type=LOGIN msg=audit(1700000000.123:%d): pid=1 uid=0 auid=0 ses=1 res=1\n"
        context = ssl.create_default_context(cafile=server.data / "ca.pem")
        context.load_cert_chain(certfile=self.folder / "ca.pem", keyfile=self.folder / "key")
        with contextlib.ExitStack() as stack:
            def connect(at, source):
                return stack.enter_context(socket.create_connection(("127.0.0.1", at), source_address=(source, 0)))

            early = connect(port, "127.0.0.1")  # it has spoken: it stays
            early.sendall(line % (b"early", 1))
            self.assertTrue(wait_for(lambda: server.count("host:early") == 1, 20))
            for i in range(1100):
                connect(tls_port if i > 200 else port, f"127.0.1.{1 + i // 120}")
            for i, source in enumerate(("127.0.0.2", "127.0.1.5")):  # the second has nearly as many as one address may have
                good = stack.enter_context(context.wrap_socket(connect(tls_port, source), server_hostname="localhost"))
                good.sendall(line % (b"good", 2 * i + 1))
                connect(port, source).sendall(line % (b"good", 2 * i + 2))
            self.assertTrue(wait_for(lambda: server.count("host:good") == 4, 30))
            early.sendall(line % (b"early", 2))
            self.assertTrue(wait_for(lambda: server.count("host:early") == 2, 20))
            senders = server.get("/api/v1/senders")
            self.assertGreater(senders["refused"], 50)
            self.assertLessEqual(senders["connections"], 1024)
        server.stop()


if __name__ == "__main__":
    unittest.main()
