"""A server of ours on a temporary data folder: its requests, its CPU and its memory."""
import atexit
import http.client
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

TICK = os.sysconf("SC_CLK_TCK")


def folder_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def forget(folder):
    """Asks the kernel to drop the files' pages, so that the next read is one of the disk."""
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Server:
    def __init__(self, exectrail, data, *options):
        self.exectrail, self.data = exectrail, pathlib.Path(data)
        self.options = options or ("--listen", "127.0.0.1:0")
        self.log = open(f"{data}.log", "ab")
        atexit.register(self.stop)
        self.start()

    def start(self):
        (self.data / "server.json").unlink(missing_ok=True)
        begin = time.monotonic()
        self.child = subprocess.Popen([self.exectrail, "server", "--data", self.data, "--http", "127.0.0.1:0", *self.options],
                                      stdout=self.log, stderr=self.log)
        self.where = self._wait_doors(begin)
        self.token = (self.data / "admin.token").read_text().strip()
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.where["http"]).netloc, timeout=3600)
        self.get("me")
        self.start_s, self.start_cpu_s = time.monotonic() - begin, self.cpu_s()

    def _wait_doors(self, begin):
        while time.monotonic() - begin < 600:
            if self.child.poll() is not None:
                raise SystemExit(f"bench: the server ended; see {self.log.name}")
            try:
                where = json.loads((self.data / "server.json").read_text())
                if where.get("pid") == self.child.pid:
                    return where
            except (FileNotFoundError, ValueError):
                pass
            time.sleep(0.002)
        raise SystemExit("bench: the server does not start")

    def request(self, method, route, **parameters):
        address = f"/api/v1/{route}?{urllib.parse.urlencode(parameters)}"
        head = {"Authorization": f"Bearer {self.token}"}
        try:
            self.connection.request(method, address, headers=head)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # idle for too long
            self.connection.close()
            self.connection.request(method, address, headers=head)
            answer = self.connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"bench: {method} {address}: {answer.status} {body[:300]}")
        return json.loads(body or b"null")

    def get(self, route, **parameters):
        return self.request("GET", route, **parameters)

    @property
    def agents_port(self):
        return self.where["agents"].rsplit(":", 1)[1]

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def _status(self, name):
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        return 0.0

    def rss_mb(self):
        return self._status("VmRSS")

    def peak_mb(self):
        return self._status("VmHWM")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")

    def settle(self, quiet_s=3, most_s=900):
        """Seals, then waits until neither CPU nor disk says that something is merged."""
        self.request("POST", "seal")
        begin, since, before = time.monotonic(), time.monotonic(), None
        while time.monotonic() - begin < most_s and time.monotonic() - since < quiet_s:
            now = (round(self.cpu_s(), 1), folder_bytes(self.data))
            if before is None or abs(now[0] - before[0]) > 0.1 or now[1] != before[1]:
                before, since = now, time.monotonic()
            time.sleep(0.5)

    def stop(self):
        atexit.unregister(self.stop)
        self.child.terminate()
        self.child.wait()
        self.log.close()
