"""A real auditd with a configuration and a log of its own; what it changes in the kernel is put back."""
import os
import pathlib
import signal

from actors import Process, audit_status, end_all_processes, run, wait_for


class AuditDaemon:
    def __init__(self, folder, form="string", **settings):
        self.folder = pathlib.Path(folder) / "auditd"
        self.plugins = self.folder / "plugins.d"
        self.plugins.mkdir(parents=True)
        self.log, self.socket = self.folder / "audit.log", self.folder / "events"
        self.write_socket(form)
        all_settings = dict(
            log_file=self.log, log_format="ENRICHED", log_group="root", plugin_dir=self.plugins, flush="INCREMENTAL_ASYNC", freq=50,
            max_log_file=50, num_logs=9, priority_boost=4, q_depth=2000, overflow_action="SYSLOG", max_log_file_action="IGNORE",
            space_left=10, space_left_action="IGNORE", admin_space_left=5, admin_space_left_action="IGNORE", disk_full_action="IGNORE",
            disk_error_action="IGNORE", end_of_event_timeout=2, use_libwrap="no", tcp_listen_queue=5)
        all_settings.update(settings)
        (self.folder / "auditd.conf").write_text("".join(f"{name} = {value}\n" for name, value in all_settings.items()))
        self.before = audit_status()
        self.start()

    def write_socket(self, form):
        path = self.plugins / "af_unix.conf"
        path.write_text(f"active = yes\ndirection = out\npath = builtin_af_unix\ntype = builtin\nargs = 0640 {self.socket}\nformat = {form}\n")
        path.chmod(0o640)

    def start(self):
        self.process = Process(["auditd", "-n", "-c", str(self.folder)], self.folder / "out")
        self.pid = self.process.child.pid
        if not wait_for(lambda: audit_status()["pid"] == str(self.pid) and self.socket.exists(), 20):
            raise AssertionError(f"auditd does not start:\n{self.process.text()}")

    def rotate(self):
        size = self.log.stat().st_ino
        os.kill(self.pid, signal.SIGUSR1)
        return wait_for(lambda: self.log.exists() and self.log.stat().st_ino != size, 10)

    def text(self):
        """All that it logged, rotated files first."""
        files = sorted(self.folder.glob("audit.log*"), key=lambda p: -int(p.suffix[1:]) if p.suffix[1:].isdigit() else 0)
        return b"".join(path.read_bytes() for path in files)

    def end(self):
        self.process.stop()

    def stop(self):
        """auditd leaves auditing and its settings on when it ends: that is its own way, undone here."""
        end_all_processes()  # agents, which give back what they found, and then auditd
        run("auditctl", "-e", self.before["enabled"])
        run("auditctl", "-b", self.before["backlog_limit"])
        run("auditctl", "-f", self.before["failure"])
        run("auditctl", "--backlog_wait_time", self.before["backlog_wait_time"])
