"""The actors of the end-to-end tests: server, agent, command line, HTTP client, webhook receiver, users, audit lock.

Real programs of the build under test (XT_BUILD, default build-asan), real kernel, real TLS. Every actor cleans up after
itself; the kernel's audit is used under one lock and left as it was.
"""
import contextlib
import fcntl
import http.client
import http.server
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("XT_BUILD", "build-asan")
PLAIN = ROOT / "build"  # helpers such as the witness are built there without sanitizers
SHARED = pathlib.Path(os.environ.get("XT_SHARED", ROOT.parent / "shared"))
DATA = ROOT / "tests/data"
EXECTRAIL = str(BUILD / "exectrail")
AGENT = str(BUILD / "exectrail-agent")
LOCK = "/tmp/exectrail-audit.lock"


def run(*command, check=True, timeout=120, stdin=None, env=None, cwd=None):
    """Runs a program; standard output as bytes in .stdout, standard error as text in .stderr."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, cwd=cwd,
                          env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL if stdin is None else None)
    done.stderr = done.stderr.decode(errors="replace")
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr}")
    return done


def exectrail(*arguments, **options):
    return run(EXECTRAIL, *map(str, arguments), **options)


def wait_for(what, seconds=20.0, step=0.02):
    """The first true value of what() within the time; None otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            return None
        time.sleep(step)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A program in the background, its standard error in a file; stopped by its own pid."""

    started = []

    def __init__(self, command, log, env=None, stdin=subprocess.DEVNULL, stdout=None, **options):
        self.log = pathlib.Path(log)
        Process.started.append(self)
        self.errors = open(self.log, "ab")
        self.child = subprocess.Popen(command, stdin=stdin, stdout=stdout or self.errors, stderr=self.errors,
                                      env=dict(os.environ, **(env or {})), **options)

    def text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.errors.close()

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.child.poll() is None:
            self.child.send_signal(sig)
            try:
                self.child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"{self.child.args[0]} did not end in {timeout} s:\n{self.text()}") from None
        self.errors.close()
        return self.child.returncode


def end_all_processes():
    """Ends what a failed test left running, latest first; audit is given back by the agent's own end."""
    while Process.started:
        process = Process.started.pop()
        if process.child.poll() is None:
            process.stop()


class Server:
    def __init__(self, folder, *options, start=True):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.options = options
        self.http_port, self.agent_port = free_port(), free_port()
        self.process = None
        if start:
            self.start()

    def start(self):
        command = [EXECTRAIL, "server", "--data", str(self.data), "--http", f"127.0.0.1:{self.http_port}",
                   "--listen", f"127.0.0.1:{self.agent_port}", *map(str, self.options)]
        self.process = Process(command, self.folder / "server.log")
        if not wait_for(lambda: self.process.child.poll() is not None or self.answers(), 120) or not self.answers():
            raise AssertionError(f"the server does not answer:\n{self.process.text()}")
        self.token = (self.data / "admin.token").read_text().strip()

    def answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def request(self, method, path, body=None, headers=None, token=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())

    def get(self, path):
        status, body, _ = self.request("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body[:500]!r}")
        return json.loads(body)

    def enrolment_token(self, *options):
        return exectrail("token", "new", "--data", self.data, *options).stdout.decode().split()[-1]

    def search(self, query, *options):
        out = exectrail("search", "--data", self.data, "--format", "ndjson", *options, query).stdout
        return [json.loads(line) for line in out.splitlines()]

    def count(self, query, *options):
        return int(exectrail("search", "--data", self.data, "--count", *options, query).stdout)

    def alerts(self):
        out = exectrail("alerts", "list", "--data", self.data, "--format", "ndjson").stdout
        return [json.loads(line) for line in out.splitlines()]

    def kill(self):
        self.process.kill()

    def stop(self):
        code = self.process.stop()
        text = self.process.text()
        if "Sanitizer" in text or "runtime error" in text:
            raise AssertionError(f"the server's log holds a sanitizer's finding:\n{text[-8000:]}")
        return code


class Agent:
    def __init__(self, folder, server, *options, host="testhost", start=True, state=None):
        self.folder = pathlib.Path(folder)
        self.server, self.host, self.options = server, host, options
        self.state = pathlib.Path(state) if state else self.folder / "agent"
        self.process = None
        self.enrolled = False
        if start:
            self.start()

    def start(self, *more, wait=True, stdin=subprocess.DEVNULL):
        command = [AGENT, "--server", f"127.0.0.1:{self.server.agent_port}", "--state", str(self.state), "--host", self.host,
                   *map(str, self.options), *map(str, more)]
        if not self.enrolled:
            command += ["--token", self.server.enrolment_token()]
        self.process = Process(command, self.folder / "agent.log", stdin=stdin)
        self.enrolled = True
        if wait:
            self.wait_connected()

    def wait_connected(self, seconds=30):
        def connected():
            if self.process.child.poll() is not None:
                raise AssertionError(f"the agent ended:\n{self.process.text()}")
            return any(h["name"] == self.host and h["connected"] for h in self.server.get("/api/v1/hosts")["hosts"])
        if not wait_for(connected, seconds, 0.1):
            raise AssertionError(f"the agent does not connect:\n{self.process.text()}")

    def kill(self):
        """All of its processes at once, as kill -9 of the unit does."""
        pids = descendants(self.process.child.pid)
        for pid in [self.process.child.pid, *pids]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.child.wait()
        self.process.errors.close()

    def stop(self):
        code = self.process.stop()
        text = self.process.text()
        if "Sanitizer" in text or "runtime error" in text:
            raise AssertionError(f"the agent's log holds a sanitizer's finding:\n{text[-8000:]}")
        return code


def descendants(pid):
    found = []
    with contextlib.suppress(FileNotFoundError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


class Webhook:
    """A receiver on loopback; .received is a list of (monotonic time, document)."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((time.monotonic(), json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alert"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def audit_status():
    return dict(line.split(None, 1) for line in run("auditctl", "-s").stdout.decode().splitlines() if " " in line)


def audit_unavailable():
    """Why the kernel's audit cannot be had here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("auditctl"):
        return "auditctl is not installed"
    done = run("auditctl", "-s", check=False)
    if done.returncode:
        return f"the kernel gives no audit: {done.stderr.strip()}"
    status = audit_status()
    if status.get("enabled") == "2":
        return "audit is immutable"
    if status.get("pid") != "0":
        return f"audit belongs to process {status['pid']}"
    return None


@contextlib.contextmanager
def audit_lock():
    """The kernel's audit for one test at a time; asserts that it is left as it was found: no rules, disabled, no owner."""
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reason = audit_unavailable()
        if reason:
            raise unittest.SkipTest(reason)
        before = audit_status()
        rules = run("auditctl", "-l").stdout
        try:
            yield
        finally:
            end_all_processes()
        after = audit_status()
        left = {name: (before[name], after[name]) for name in ("enabled", "pid", "backlog_limit", "backlog_wait_time", "failure")
                if before[name] != after[name]}
        rules_after = run("auditctl", "-l").stdout
        if left or rules_after != rules:
            run("auditctl", "-D")
            run("auditctl", "-e", "0")
            raise AssertionError(f"audit was not left as it was: {left} {rules_after.decode()}")


class Users:
    """Users for a test, removed afterwards. `alice` logs in by ssh with a key; service accounts have no login."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.made = []
        self.sshd = None

    def add(self, name, *options):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return pwd.getpwnam(name)
        run("useradd", *options, name)
        self.made.append(name)
        return pwd.getpwnam(name)

    def start_sshd(self, *names):
        """An sshd of the test's own, with PAM, for these users; its port."""
        key = self.folder / "client"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "hostkey"))
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for name in names:
            user = pwd.getpwnam(name)
            ssh = pathlib.Path(user.pw_dir) / ".ssh"
            ssh.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(f"{key}.pub", ssh / "authorized_keys")
            for path in (ssh, ssh / "authorized_keys"):
                os.chown(path, user.pw_uid, user.pw_gid)
            run("usermod", "-p", "*", name)  # an account without a password that is not locked
        self.port = free_port()
        config = self.folder / "sshd_config"
        config.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/hostkey\nUsePAM yes\n"
                          f"PidFile none\nStrictModes no\nAuthorizedKeysFile .ssh/authorized_keys\nAcceptEnv *\n"
                          "PermitUserEnvironment no\n")
        self.sshd = Process(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)], self.folder / "sshd.log")

        def listening():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
        if not wait_for(listening):
            raise AssertionError(f"sshd does not listen:\n{self.sshd.text()}")
        return self.port

    def ssh_command(self, name, *command, tty=False):
        return ["ssh", "-q", "-F", "none", *(["-tt"] if tty else []), "-i", str(self.folder / "client"), "-p", str(self.port),
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "SendEnv=WITNESS",
                "-o", "ConnectTimeout=10", f"{name}@127.0.0.1", *command]

    def remove(self):
        if self.sshd:
            self.sshd.stop()
        for name in reversed(self.made):
            for pid in run("pgrep", "-u", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            wait_for(lambda: run("userdel", "-rf", name, check=False).returncode in (0, 6), 10, 0.2)


class Scene(unittest.TestCase):
    """A test with a folder of its own, kept when it fails (KEEP=1 keeps it always); what it started is ended with it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="exectrail-"))
        os.chmod(self.folder, 0o755)
        self.addCleanup(self.remove_folder)
        self.addCleanup(end_all_processes)

    def remove_folder(self):
        outcome = getattr(self, "_outcome", None)
        failed = bool(outcome and any(error for _, error in getattr(outcome, "errors", []) if error))
        result = getattr(outcome, "result", None)
        failed = failed or bool(result and any(test is self for test, _ in result.failures + result.errors))
        if failed or os.environ.get("KEEP"):
            print(f"kept {self.folder}")
            for name in ("server.log", "agent.log"):
                path = self.folder / name
                if path.exists():
                    print(f"--- {name}\n" + path.read_text(errors="replace")[-6000:])
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def args_of(event):
    """The exact bytes of an event's arguments, escaping undone."""
    escaped = "escaped" in event.get("exectrail", {}).get("flags", [])
    return [unescape(a) if escaped else a.encode() for a in event["process"].get("args", [])]


def unescape(text):
    return re.sub(rb"\\(x[0-9a-f]{2}|\\)", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1][1:], 16)]), text.encode())
