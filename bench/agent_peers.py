"""Who takes the kernel's audit records in bench_agent.py: auditd, a bare reader, and Exectrail's agent with its server.

Each has start(folder, marker), pids(), marked() (execs of the loop that arrived so far), all_execs(), wire_bytes() and
stop(); the kernel's audit is taken under the lock that the tests use, and given back as it was.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from server_under_test import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("XT_BUILD", "build-release")
LOCK = "/tmp/exectrail-audit.lock"
RULES = [["-a", "always,exit", "-F", f"arch={arch}", "-S", "execve,execveat", "-k", "bench"] for arch in ("b64", "b32")]


def auditctl(*words):
    return subprocess.run(["auditctl", *map(str, words)], capture_output=True, text=True, check=True).stdout


def audit_status():
    return {words[0]: int(words[1]) for words in map(str.split, auditctl("-s").splitlines()) if len(words) == 2 and words[1].isdigit()}


def restore(before):
    auditctl("-e", before["enabled"])
    auditctl("-b", before["backlog_limit"])
    auditctl("-f", before["failure"])
    auditctl("--backlog_wait_time", before["backlog_wait_time"])


@contextlib.contextmanager
def audit():
    """The kernel's audit, alone; it is left as it was found."""
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        free = lambda: audit_status()["pid"] == 0 and not auditctl("-l").startswith("-")
        if not wait_until(free, 120, 0.5):
            raise SystemExit("bench: audit has an owner or rules already; stop auditd and any agent first")
        before = audit_status()
        try:
            yield
        finally:
            restore(before)


@contextlib.contextmanager
def others_hidden():
    """Only this process's children are recorded."""
    rules = [["never,exit", "-F", f"arch={arch}", "-S", "execve,execveat", "-F", f"ppid!={os.getpid()}"] for arch in ("b64", "b32")]
    for rule in rules:
        auditctl("-A", *rule)
    try:
        yield
    finally:
        for rule in rules:
            auditctl("-d", *rule)


def wait_until(what, seconds, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(step)
    return False


def descendants(pid):
    found = [pid]
    with contextlib.suppress(FileNotFoundError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += descendants(int(child))
    return found


class Peer:
    def pids(self):
        return descendants(self.child.pid)

    def wire_bytes(self):
        return None

    def server_cpu_s(self):
        return None


class Ruled(Peer):
    """One whose rules and switch are set here, as Debian's audit.rules has them."""

    def set_rules(self):
        auditctl("-b", 8192)
        auditctl("--backlog_wait_time", 60000)
        for rule in RULES:
            auditctl(*rule)
        auditctl("-e", 1)

    def drop_rules(self):
        for rule in RULES:
            subprocess.run(["auditctl", "-d", *rule[1:]], capture_output=True, check=False)
        auditctl("-e", 0)


class Reader(Ruled):
    def start(self, folder, marker):
        self.child = subprocess.Popen([BUILD / "bench/bench-audit-reader", marker], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.child.stdout.readline() != b"ready\n":
            raise SystemExit("bench: the reader does not get the audit socket")
        self.set_rules()
        self.counts = None

    def marked(self):  # it tells at its end
        return None

    def finish(self):
        if self.counts is None:
            self.drop_rules()
            time.sleep(0.5)
            out, _ = self.child.communicate(b"")
            self.counts = [int(word) for word in out.split()]
        return self.counts

    def final(self):
        marked, execs, _ = self.finish()
        return marked, execs

    def stop(self):
        self.finish()


class Auditd(Ruled):
    def __init__(self, log_format):
        self.log_format = log_format

    def start(self, folder, marker):
        self.folder, self.marker = folder / "auditd", marker
        (self.folder / "plugins.d").mkdir(parents=True)
        (self.folder / "auditd.conf").write_text(  # as Debian's, but for the places and a log that is not cut
            f"log_file = {self.folder}/audit.log\nlog_format = {self.log_format}\nlog_group = root\nplugin_dir = {self.folder}/plugins.d\n"
            "local_events = yes\nwrite_logs = yes\nflush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 2000\nnum_logs = 5\n"
            "priority_boost = 4\nname_format = NONE\nmax_log_file_action = IGNORE\nspace_left = 75\nspace_left_action = IGNORE\n"
            "admin_space_left = 50\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n"
            "use_libwrap = yes\ntcp_listen_queue = 5\ndistribute_network = no\nq_depth = 2000\noverflow_action = SYSLOG\n")
        log = open(self.folder / "err", "wb")
        self.child = subprocess.Popen(["auditd", "-n", "-c", self.folder], stdout=log, stderr=log)
        if not wait_until(lambda: audit_status()["pid"] == self.child.pid, 20):
            raise SystemExit(f"bench: auditd does not start: {(self.folder / 'err').read_text()}")
        self.set_rules()
        self.position, self.n_marked, self.n_all, self.rest = 0, 0, 0, b""

    def marked(self):
        with open(self.folder / "audit.log", "rb") as f:
            f.seek(self.position)
            while data := f.read(8 << 20):
                self.position += len(data)
                lines = (self.rest + data).split(b"\n")
                self.rest = lines.pop()
                execs = [line for line in lines if line.startswith(b"type=EXECVE")]
                self.n_all += len(execs)
                self.n_marked += sum(self.marker.encode() in line for line in execs)
        return self.n_marked

    def final(self):
        return self.marked(), self.n_all

    def stop(self):
        self.drop_rules()
        self.child.terminate()
        self.child.wait()


class Exectrail(Peer):
    def __init__(self, *options):
        self.options = options

    def start(self, folder, marker):
        self.folder, self.marker = folder, marker
        self.server = Server(BUILD / "exectrail", folder / "data")
        token = self.server.request("POST", "tokens", uses=1, valid="1h")["token"]
        self.log = open(folder / "agent.log", "ab")
        self.child = subprocess.Popen([BUILD / "exectrail-agent", "--config", "/dev/null", "--server", f"127.0.0.1:{self.server.agents_port}",
                                       "--token", token, "--state", folder / "agent", "--host", "bench", *self.options],
                                      stdout=self.log, stderr=self.log)
        if not wait_until(lambda: any(h["connected"] for h in self.server.get("hosts")["hosts"]), 30):
            raise SystemExit(f"bench: the agent does not connect:\n{(folder / 'agent.log').read_text()}")
        time.sleep(1.5)  # what it tells at its start

    def query(self, text):
        return int(self.server.get("search", q=f"{text} | stats count()")["rows"][0][0])

    def marked(self):
        return self.query(f'action:executed and cmd:"{self.marker}"')

    def final(self):
        count = lambda q: int(subprocess.check_output([BUILD / "exectrail", "search", "--data", self.folder / "data", "--count", q]))
        return count(f'action:executed and cmd:"{self.marker}"'), count("action:executed")

    def said(self):
        """What the agent itself says is missing: execs that the second witness saw and audit did not tell of, records lost."""
        beat = next((h for h in self.server.get("hosts")["hosts"]), {})
        return {"unaudited": self.query("action:exec-unaudited"), "gaps": self.query("action:witness-gap"), "lost_events": self.query("action:lost"),
                "lost": beat.get("lost_since_start", beat.get("lost"))}

    def wire_bytes(self):
        """Bytes of the agent's TLS connection in both directions, as TCP_INFO counts them (payload of TCP, TLS included)."""
        out = subprocess.check_output(["ss", "-tinOH", "dport", "=", f":{self.server.agents_port}"], text=True)
        return [sum(int(n) for n in re.findall(rf"\b{name}:(\d+)", out)) for name in ("bytes_acked", "bytes_received")]

    def server_cpu_s(self):
        return self.server.cpu_s()

    def stop(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()
        self.server.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)


PEERS = {
    "reader": ("bare reader", Reader),
    "raw": ("auditd RAW", lambda: Auditd("RAW")),
    "enriched": ("auditd ENRICHED", lambda: Auditd("ENRICHED")),
    "exectrail": ("Exectrail, protect host", lambda *options: Exectrail("--protect", "host", *options)),
    "record": ("Exectrail, protect record", lambda *options: Exectrail("--protect", "record", *options)),
}
