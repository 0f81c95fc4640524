"""A service manager for one agent, as far as the agent speaks with one: the notify protocol, the store of file descriptors, the watchdog.

What the unit says (etc/exectrail-agent.service) is done as systemd documents it: sd_notify(3), sd_listen_fds(3), systemd.kill(5):
RestartKillSignal for a restart, SIGTERM for a stop, SIGCONT behind each; the main process's end ends the others; Restart=always.
"""
import array
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import threading
import time

from actors import AGENT, ROOT, Agent, Process, wait_for

PR_SET_CHILD_SUBREAPER = 36
UNIT = ROOT / "etc/exectrail-agent.service"


def unit_setting(name):
    return next(line.split("=", 1)[1] for line in UNIT.read_text().splitlines() if line.startswith(name + "="))


class SupervisedAgent(Agent):
    """An agent that a service manager starts, and starts again. Attributes: pid, stored, n_starts, n_watchdog, status, ready."""

    def __init__(self, folder, server, *options, host="testhost", program=AGENT, watchdog=True, abstract=False):
        super().__init__(folder, server, *options, host=host, start=False)
        self.program = program
        self.stored = []  # (name, fd)
        self.store_max = int(unit_setting("FileDescriptorStoreMax"))
        self.n_starts = self.n_watchdog = 0
        self.words, self.ready = [], threading.Event()
        self.watchdog_s = float(unit_setting("WatchdogSec")) if watchdog else 0
        self.address = f"\0xt-{os.getpid()}-{id(self)}" if abstract else str(self.folder / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.address)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.over, self.wanted, self.pid = False, False, 0
        self.lock = threading.RLock()
        self.log = self.folder / "agent.log"
        self.thread = None
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # the others' ends are heard of when the main process has gone
        Process.started.append(self)  # a test that fails ends it too
        self.child = self

    # what end_all_processes asks
    def poll(self):
        return 0 if self.over or self.n_starts == 0 else None

    def text(self):
        return self.log.read_text(errors="replace")

    def listen(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def start(self, *more, wait=True, listens=True, **unused):
        self.more = more
        self.wanted = True
        self.spawn()
        if listens:
            self.listen()
        if wait:
            if not self.ready.wait(60):
                raise AssertionError(f"the agent is not ready:\n{self.text()}")
            self.wait_up()

    def wait_up(self, seconds=60):
        def connected():
            return any(h["name"] == self.host and h["connected"] for h in self.server.get("/api/v1/hosts")["hosts"])
        if not wait_for(connected, seconds, 0.1):
            raise AssertionError(f"the agent does not connect:\n{self.text()}")

    def spawn(self):
        arguments = [self.program, "--server", f"127.0.0.1:{self.server.agent_port}", "--state", str(self.state), "--host", self.host,
                     *map(str, self.options), *map(str, self.more)]
        if not self.enrolled:
            arguments += ["--token", self.server.enrolment_token()]
        self.enrolled = True
        environment = dict(os.environ, NOTIFY_SOCKET=self.address.replace("\0", "@", 1))
        if self.watchdog_s:
            environment["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1e6))
        self.ready.clear()
        out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        with self.lock:
            names, fds = [n for n, _ in self.stored], [os.dup(f) for _, f in self.stored]
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os.setsid()
                high = [fcntl.fcntl(f, fcntl.F_DUPFD, 512) for f in (nothing, out, out, *fds)]  # out of the way of 3 and on
                for at, fd in enumerate(high):
                    os.dup2(fd, at)
                os.closerange(3 + len(fds), 4096)
                if fds:
                    environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
                if self.watchdog_s:
                    environment["WATCHDOG_PID"] = str(os.getpid())
                os.execve(self.program, arguments, environment)
            os._exit(127)
        for fd in (out, nothing, *fds):
            os.close(fd)
        self.pid, self.n_starts, self.fed = pid, self.n_starts + 1, time.monotonic()

    def kill_group(self, *signals):
        for sig in signals:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)

    def receive(self):
        data, ancillary, _, _ = self.notify.recvmsg(65536, 4096)
        fds = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
        words = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
        self.words.append(words)
        with self.lock:
            if "FDSTORE" in words and len(self.stored) < self.store_max:
                self.stored += [(words.get("FDNAME", "stored"), fd) for fd in fds]
                fds = []
            if "FDSTOREREMOVE" in words:
                gone = [s for s in self.stored if s[0] == words["FDNAME"]]
                self.stored = [s for s in self.stored if s[0] != words["FDNAME"]]
                for _, fd in gone:
                    os.close(fd)
        for fd in fds:  # of a BARRIER too
            os.close(fd)
        if words.get("WATCHDOG") == "1":
            self.fed, self.n_watchdog = time.monotonic(), self.n_watchdog + 1
        if words.get("READY") == "1":
            self.ready.set()

    def main_ended(self):
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.last_exit = os.waitstatus_to_exitcode(status)
                return True
        return False

    def run(self):
        while not self.over:
            if select.select([self.notify], [], [], 0.05)[0]:
                self.receive()
            if self.watchdog_s and self.wanted and time.monotonic() - self.fed > self.watchdog_s:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, getattr(signal, unit_setting("WatchdogSignal")))
                self.fed = time.monotonic()
            if self.main_ended():
                self.end_others()
                if not self.wanted:
                    self.over = True
                    return
                time.sleep(float(unit_setting("RestartSec").removesuffix("ms")) / 1000)
                self.spawn()

    def end_others(self):
        """KillMode=control-group: what is left hears SIGTERM, then SIGKILL."""
        self.kill_group(signal.SIGTERM, signal.SIGCONT)
        end = time.monotonic() + float(unit_setting("TimeoutStopSec"))

        def gone():
            if select.select([self.notify], [], [], 0)[0]:
                self.receive()
            try:
                return os.waitpid(-self.pid, os.WNOHANG) is None
            except ChildProcessError:
                return True
        while not gone():
            if time.monotonic() > end:
                self.kill_group(signal.SIGKILL)
            time.sleep(0.01)

    def restart(self, wait=True):
        before = self.n_starts
        self.ready.clear()
        self.kill_group(getattr(signal, unit_setting("RestartKillSignal")), signal.SIGCONT)
        if not wait_for(lambda: self.n_starts > before, 60, 0.01):
            raise AssertionError(f"the agent does not end for a restart:\n{self.text()}")
        if wait and not self.ready.wait(60):
            raise AssertionError(f"the agent is not ready again:\n{self.text()}")

    def stop(self, *unused):
        if self.n_starts and not self.over:
            if not self.thread:
                self.listen()
            self.wanted = False
            self.kill_group(signal.SIGTERM, signal.SIGCONT)
            self.thread.join(60)
        for _, fd in self.stored:
            os.close(fd)
        self.stored = []
        self.notify.close()
        if "Sanitizer" in self.text() or "runtime error" in self.text():
            raise AssertionError(f"the agent's log holds a sanitizer's finding:\n{self.text()[-8000:]}")
        return getattr(self, "last_exit", None)
