"""Attacks on audit and on the agent, and ways round a look at command lines, done by a root shell: each is found by search, those on audit also in hosts.

One server and one supervised agent for all of them; the attacks come one after the other, and each has its own words in what is found. The
bound that the product promises is ten seconds; here it is generous (WITHIN), and the longest that it took is printed.
"""
import calendar
import contextlib
import ctypes
import errno
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, PLAIN, Scene, Server, audit_lock, audit_status, descendants, exectrail, run, wait_for
from supervisor import SupervisedAgent

WITHIN = float(os.environ.get("WITHIN", "40"))
THIEF = """
import os, select, sys
fd = int(sys.argv[1])
while select.select([fd], [], []):
    try:
        os.read(fd, 65536)
    except BlockingIOError:
        pass
"""
KEPT = 1 << 2 | 1 << 12 | 1 << 19 | 1 << 29 | 1 << 30 | 1 << 37  # DAC_READ_SEARCH NET_ADMIN SYS_PTRACE AUDIT_WRITE AUDIT_CONTROL AUDIT_READ

NOT_THE_SEARCH = "not exe:*/exectrail"  # whose command line is seen too, and holds what is searched for

# name, shell text, what search must find, what hosts must say (None: it is no attack on audit), what undoes it
ON_AUDIT = [
    ("rules deleted", "auditctl -D", 'action:audit-changed and message:*agent*rules*', "audit-changed", ""),
    ("switched off", "auditctl -e 0", 'action:audit-changed and message:**enabled*went*from*1*to*0*', "audit-changed", ""),
    ("off and on", "auditctl -e 0; auditctl -e 1", f'(action:changed-audit-configuration and args:"-e" or cmd:"auditctl -e 1") and {NOT_THE_SEARCH}', "audit-changed", ""),
    ("a rule that hides root", "auditctl -A never,exit -F uid=0", 'action:audit-changed and message:*hide*commands*', "audit-changed",
     "auditctl -d never,exit -F uid=0"),
    ("records excluded", "auditctl -a never,exclude -F msgtype=EXECVE", 'action:canary-lost and reason:incomplete', "canary-lost|audit-changed",
     "auditctl -d never,exclude -F msgtype=EXECVE"),
    ("rate limited", "auditctl -r 50000", 'action:audit-changed and message:*rate*limit*to*50000', "audit-changed", "auditctl -r 0"),
    ("backlog of 64", "auditctl -b 64", 'action:audit-changed and message:*backlog*limit*to*64', "audit-changed", ""),
    ("backlog of 0", "auditctl -b 0", 'action:audit-changed and message:*backlog*limit*to*0', "audit-changed", ""),
]


def stop(agent, which):
    os.kill(agent_pid(agent, which), signal.SIGSTOP)


def kill(agent, which):
    os.kill(agent_pid(agent, which), signal.SIGKILL)


def take_descriptor(pid, fd):
    pidfd = os.pidfd_open(pid)
    taken = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, fd, 0)  # pidfd_getfd
    os.close(pidfd)
    return taken


def sockets_of(pid):
    """Descriptors in order, with their inodes."""
    links = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    return [(fd, link[8:-1]) for fd, link in sorted(links.items()) if link.startswith("socket:")]


def taken_socket(pid, protocol):
    """The netlink socket of that protocol; of several the one with the largest buffer."""
    of_protocol = {line.split()[-1] for line in pathlib.Path("/proc/net/netlink").read_text().splitlines() if line.split()[1] == str(protocol)}
    taken = [socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol, fileno=take_descriptor(pid, fd)) for fd, inode in sockets_of(pid) if inode in of_protocol]
    taken.sort(key=lambda s: s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    for s in taken[:-1]:
        s.close()
    return taken[-1]


def shut_canary(helper):
    """The helper lives, and its end of the canary's socket (the second of its three) does not."""
    with socket.socket(fileno=take_descriptor(helper, sockets_of(helper)[-2][0])) as canary:
        canary.shutdown(socket.SHUT_RDWR)


class Wall:
    """Between agent and server; when it is shut nothing goes through, and nobody is told. Else it is the server that it stands before."""

    def __init__(self, server):
        self.server, self.is_shut, self.is_over = server, False, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.agent_port = self.listener.getsockname()[1]
        self.pairs = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __getattr__(self, name):
        return getattr(self.server, name)

    def run(self):
        while not self.is_over:
            if self.is_shut:
                time.sleep(0.05)
                continue
            for s in select.select([self.listener, *self.pairs], [], [], 0.1)[0]:
                if s is self.listener:
                    near, far = s.accept()[0], socket.create_connection(("127.0.0.1", self.server.agent_port))
                    self.pairs.update({near: far, far: near})
                elif s in self.pairs:
                    self.pass_on(s)

    def pass_on(self, s):
        with contextlib.suppress(OSError):
            if data := s.recv(65536):
                self.pairs[s].sendall(data)
                return
        other = self.pairs.pop(s)
        del self.pairs[other]
        s.close()
        other.close()

    def stop(self):
        self.is_over = True
        self.thread.join()
        for s in (self.listener, *self.pairs):
            s.close()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def agent_pid(agent, which):
    words = dict(line.split("=", 1) for line in (agent.state / "status").read_text().splitlines() if "=" in line)
    return int(words[{"collector": "pid", "shipper": "shipper_pid", "helper": "helper_pid"}[which]])


class Attacks(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.addCleanup(run, "auditctl", "-r", "0")
        self.server = Server(self.folder)
        self.took = {}

    def start(self, *options, program=AGENT):
        self.agent = SupervisedAgent(self.folder, self.server, "--canary", "5", *options, program=program)
        self.agent.start()
        self.assertTrue(wait_for(lambda: self.row().get("completeness", "").startswith("complete"), 30, 0.2), self.row())

    def row(self):
        out = exectrail("hosts", "--data", self.server.data, "--format", "ndjson").stdout
        return next((h for h in map(json.loads, out.splitlines()) if h["name"] == "testhost"), {})

    def shell(self, text):
        return subprocess.run(["sh", "-c", text], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def attack(self, name, query, hosts):
        """What is done in its body is new in search, and in hosts: what was there before it does not count."""
        before, began = self.server.count(query), time.time()
        yield
        self.assertTrue(wait_for(lambda: self.server.count(query) > before, WITHIN, 0.2), f"{name}: nothing of {query}\n{self.log()}")
        if hosts:
            self.assertTrue(wait_for(lambda: self.alarm(hosts, began), WITHIN, 0.2), f"{name}: hosts says nothing of it: {self.row()}")
        self.took[name] = time.time() - began

    def log(self):
        return (self.folder / "agent.log").read_text(errors="replace")

    def alarm(self, kinds, since):
        """Whether hosts names something of these kinds that was done since then (the last thing that was done is the one it names)."""
        found = re.search(r"; (\d{4}-\d\d-\d\dT[\d:]+)(\.\d+)Z ([a-z-]+): ", self.row().get("completeness", ""))
        if not found or not re.fullmatch(kinds, found[3]):
            return False
        done = calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S")) + float(found[2])
        return done >= since - 0.1  # the kernel's records have the time of its last tick

    def report(self):
        worst = max(self.took, key=self.took.get)
        print(f"{len(self.took)} attacks, the slowest seen after {self.took[worst]:.1f} s ({worst}) ", end="", file=sys.stderr)

    # ---- audit itself ----

    def test_on_audit(self):
        self.start()
        for name, text, query, hosts, undo in ON_AUDIT:
            with self.subTest(name):
                with self.attack(name, query, hosts):
                    self.shell(text)
                if undo:
                    began = time.time()
                    self.shell(undo)  # a change too: hosts names the last one, so that the next attack waits for this
                    self.assertTrue(wait_for(lambda: self.alarm("audit-changed", began), WITHIN, 0.1), f"{name}: undone: {self.row()}")
                self.assertTrue(wait_for(self.is_set_back, 30, 0.1), f"{name}: set back")
        self.take_over()
        self.report()
        self.assertEqual(self.agent.stop(), 0)

    def is_set_back(self):
        return audit_status()["enabled"] == "1" and b"exectrail" in run("auditctl", "-l").stdout

    def take_over(self):
        """The socket is held by the service manager too: nobody gets it, the agent killed or not."""
        owner = str(pathlib.Path(__file__).with_name("owner.py"))
        with self.attack("taking the socket", "action:changed-audit-configuration and outcome:failure", "audit-changed"):
            done = subprocess.run([sys.executable, owner], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.assertEqual(done.stdout.split()[0], b"17")
        with self.attack("taking it from a dead agent", 'action:agent-started and message:*was*killed*', "agent-process-ended|audit-changed"):
            kill(self.agent, "collector")
            done = subprocess.run([sys.executable, owner], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.assertEqual(done.stdout.split()[0], b"17", "not while the agent is dead either")

    # ---- the agent's processes and files ----

    def test_on_the_agent(self):
        program = shutil.copy(AGENT, self.folder / "exectrail-agent")
        settings = self.folder / "agent.conf"
        settings.write_text("exits = on\n")
        settings.chmod(0o600)
        state = self.folder / "agent"
        state.mkdir(0o711)
        self.shell(f"mount -t tmpfs none {state}")
        self.addCleanup(self.shell, f"umount -l {state}; umount -l {state}")
        self.start("--config", str(settings), program=str(program))
        for which in ("shipper", "helper", "collector"):
            with self.subTest(f"{which} stopped"):
                with self.attack(f"{which} stopped", f'action:agent-process-stopped and message:the*{which}*process*', "agent-process-stopped"):
                    stop(self.agent, which)
                self.assertEqual(self.agent.n_starts, 1, "it was sent on, not started anew")
        with self.attack("canary's socket shut", "action:canary-lost and reason:no-helper", "canary-lost"):
            shut_canary(agent_pid(self.agent, "helper"))
        used = cpu_seconds(self.agent.pid)
        time.sleep(1)
        self.assertLess(cpu_seconds(self.agent.pid) - used, 0.4, "a socket that nobody speaks on is not waited for")
        for n, which in enumerate(("helper", "shipper", "collector"), 2):
            with self.subTest(f"{which} killed"):
                before = agent_pid(self.agent, "collector")
                message = "*was*killed*" if which == "collector" else f"*its*{which}*process*was*killed*by*signal*9*"
                with self.attack(f"{which} killed", f"action:agent-started and message:{message}", "agent-process-ended"):
                    kill(self.agent, which)
                self.assertTrue(wait_for(lambda: agent_pid(self.agent, "collector") != before and self.row()["connected"], 30, 0.2))
                self.assertEqual(self.agent.n_starts, n)
        with self.attack("all stopped", 'action:agent-started and message:*was*killed*', "agent-process-ended"):  # by the watchdog
            for pid in (*descendants(self.agent.pid), self.agent.pid):
                os.kill(pid, signal.SIGSTOP)
        self.assertTrue(wait_for(lambda: self.agent.n_starts == 5 and self.agent.ready.is_set() and self.row()["connected"], 30, 0.2))
        for name, text, words in (
                ("state mounted over", f"mount -t tmpfs none {state}", "*mounted*on*the*state*folder*"),
                ("state uncovered", f"umount {state}", "*state*folder*taken*from*it*"),
                ("state remounted", f"mount -o remount,bind,noexec {state}", "*state*folder*other*options"),
                ("state read-only", f"mount --bind {state} {state}; mount -o remount,bind,ro {state}; ! touch {state}/made", "*state*folder*other*options"),
                ("state writable", f"umount {state}; mount -o remount,bind,exec {state}; touch {state}/made", "*state*folder*other*options"),
                ("settings changed", f"echo 'exits = off' >> {settings}", "*agent.conf*was*changed*"),
                ("settings removed", f"rm {settings}", "*agent.conf*was*removed*"),
                ("spool removed", f"rm -rf {state}/shipper/spool", "*spool*was*removed*"),
                ("program removed", f"rm {program}", "*program*was*deleted*")):
            with self.subTest(name):
                with self.attack(name, f"action:agent-files-changed and message:{words}", "agent-files-changed"):
                    done = self.shell(text)
                    self.assertEqual(done.returncode, 0, done.stdout)
        self.report()
        self.agent.stop()

    def test_on_its_sockets(self):
        """Whoever may take descriptors of others (root) has the agent's sockets: what they take or switch off is missed."""
        self.start()
        with self.attack("connector switched off", "action:witness-lost", "witness-lost"):
            with taken_socket(self.agent.pid, 11) as connector:
                connector.send(struct.pack("=IHHIIIIIIHHI", 40, 3, 0, 0, 0, 1, 1, 0, 0, 4, 0, 2))  # PROC_CN_MCAST_IGNORE
            for _ in range(30):
                run("/bin/true", "unwitnessed")
        self.assertTrue(wait_for(lambda: self.witnessed(), WITHIN, 0.2), "it is listened to anew")
        with self.attack("records stolen", "action:exec-unaudited and reason:unknown", None):
            with taken_socket(self.agent.pid, 9) as records:
                thief = subprocess.Popen([sys.executable, "-c", THIEF, str(records.fileno())],
                                         pass_fds=[records.fileno()], stderr=subprocess.DEVNULL)
                for _ in range(200):
                    run("/bin/true", "stolen")
                thief.kill()
                thief.wait()
        self.assertTrue(wait_for(lambda: self.row()["completeness"].startswith("incomplete"), WITHIN, 0.2), self.row())
        self.assertTrue(wait_for(lambda: self.server.count("action:lost and message:*never*seen*"), WITHIN, 0.2), "their serials are missing")
        self.report()
        self.assertEqual(self.agent.stop(), 0)

    def witnessed(self):
        marker = f"again-{time.monotonic_ns()}"
        run("/bin/true", marker)
        time.sleep(0.5)
        return self.server.count(f'action:exited') > 0 and self.server.count(f"action:witness-lost") == 1

    def test_taken_over(self):
        """Without a service manager a kill frees the socket: the next agent says who has it and what it is worth itself."""
        before = audit_status()
        agent = self.agent = Agent(self.folder, self.server)
        agent.kill()
        owner = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("owner.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(owner.stdout.readline().strip(), b"0", "the takeover succeeds")
            with self.attack("taken over", f"action:agent-started and message:*multicast*not*watching*killed*process*{owner.pid}*", None):
                agent.start()
            self.assertTrue(wait_for(lambda: "best effort" in self.row()["completeness"], WITHIN, 0.2), self.row())
            self.assertEqual(self.row()["audit_mode"], "multicast")
            self.assertEqual(agent.stop(), 0)
        finally:
            run("auditctl", "-b", before["backlog_limit"])  # the killed agent's: nobody gives them back while another owns audit
            run("auditctl", "--backlog_wait_time", before["backlog_wait_time"])
            owner.stdin.close()
            owner.wait(10)
            owner.stdout.close()

    @unittest.skipUnless(os.environ.get("LONG"), "takes half a minute: LONG=1")
    def test_cut_off(self):
        """Somebody drops all packets of the shipper: the server says for how many seconds no heartbeat came; nothing is missing afterwards."""
        wall = Wall(self.server)
        self.addCleanup(wall.stop)
        self.agent = SupervisedAgent(self.folder, wall, "--canary", "5")
        self.agent.start()
        self.assertTrue(wait_for(lambda: self.row().get("completeness", "").startswith("complete"), 30, 0.2), self.row())
        with self.attack("cut off", "args:cut-off", None):
            wall.is_shut = True
            time.sleep(0.5)  # until it has looked
            run("/bin/true", "cut-off")
            self.assertTrue(wait_for(lambda: self.row()["proved"]["silent_s"] > 0, 60, 0.5), self.row())
            self.assertEqual(self.server.count("args:cut-off"), 0)
            wall.is_shut = False
        self.assertTrue(wait_for(lambda: self.row()["proved"]["silent_s"] == 0 and self.row()["proved"]["complete"], 30, 0.5), self.row())
        self.assertEqual(self.agent.stop(), 0)

    def test_contained(self):
        """What the kernel says of the three processes of a running agent, and that it refused none of them anything."""
        program = str(PLAIN / "exectrail-agent")
        if not os.path.exists(program):
            self.skipTest("build/exectrail-agent is not there")
        self.start(program=program)
        self.shell("/bin/true contained-marker")
        self.assertTrue(wait_for(lambda: self.server.count("args:contained-marker"), 30, 0.2))
        for which, caps, user in (("collector", KEPT, 0), ("shipper", 0, None), ("helper", 0, None)):
            words = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{agent_pid(self.agent, which)}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual((which, int(words["CapEff"], 16), int(words["CapPrm"], 16), int(words["CapBnd"], 16) & ~(caps if caps else -1)),
                             (which, caps, caps, 0))
            self.assertEqual((words["NoNewPrivs"], words["Seccomp"]), ("1", "2"), which)
            uids = {int(u) for u in words["Uid"].split()}
            self.assertEqual(0 in uids, user == 0, which)
            limits = pathlib.Path(f"/proc/{agent_pid(self.agent, which)}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0")
        root = f"/proc/{agent_pid(self.agent, 'collector')}/root"
        with self.assertRaises(OSError):
            open(f"{root}/etc/exectrail-attack-test", "w")
        for link in (f"{os.getpid()}/root", f"{os.getpid()}/cwd", "1/root", "self"):
            with self.assertRaises(OSError) as refused:
                os.listdir(f"{root}/proc/{link}/")
            self.assertEqual(refused.exception.errno, errno.ELOOP, link)  # the way out to where everything is writable
        for path, flags in ((f"proc/{os.getpid()}/mem", os.O_RDWR), ("proc/sys/kernel/printk", os.O_WRONLY), ("dev/null", os.O_RDWR)):
            with self.assertRaises(OSError, msg=path):
                os.close(os.open(f"{root}/{path}", flags))
        status = run(AGENT, "status", "--state", self.agent.state).stdout.decode()
        self.assertRegex(status, r"collector +.*audit_control.*; no new privileges; system calls filtered")
        self.assertRegex(status, r"shipper +no capability; no new privileges; system calls filtered")
        self.assertRegex(status, r"files +read-only but for the state folder")
        self.assertRegex(status, r"watchdog +the service manager hears of this agent")
        self.assertTrue(wait_for(lambda: self.agent.n_watchdog >= 2, 30, 0.2), "the watchdog is fed")
        self.agent.restart()
        self.shell("/bin/true contained-again")
        self.assertTrue(wait_for(lambda: self.server.count("args:contained-again"), 30, 0.2))
        self.assertEqual(self.server.search("type:SECCOMP"), [], "no call of theirs is missing from their lists")
        self.assertEqual(self.agent.stop(), 0)

    # ---- ways round ----

    def test_ways_round(self):
        self.start("--rules", "bpf,identity,io-uring,modules,persistence,ptrace")
        mine = self.folder / "w"
        mine.mkdir()
        self.folder.chmod(0o755)  # for a service account's programs
        self.mine = mine
        began = time.time()
        found = {}
        for name, text, query in self.ways():
            done = self.shell(text)
            if query is not None:
                found[name] = (query, done.stdout)
        for name, (query, out) in found.items():
            with self.subTest(name):
                self.assertTrue(wait_for(lambda q=query: self.server.count(q), WITHIN, 0.2), f"{name}: nothing of {query}; {out!r}")
                self.took[name] = time.time() - began
        print(f"{len(found)} ways round seen ", end="", file=sys.stderr)
        self.assertEqual(self.agent.stop(), 0)

    def ways(self):
        mine, true = self.mine, "/bin/true"
        copy = shutil.copy(true, mine / "renamed")
        libc = "import ctypes,os;c=ctypes.CDLL(None,use_errno=True);"
        ld = next((p for p in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if os.path.exists(p)), None)
        yield "base64 | sh", "echo L2Jpbi90cnVlIHdheS1iYXNlNjQ= | base64 -d | sh", "args:way-base64 and exe:*/true"
        yield "quotes and variables", "t=tr; /bin/$t''ue way-'qu'otes", "args:way-quotes and exe:*/true"
        yield "renamed", f"{copy} way-renamed", f'exe:"{copy}" and args:way-renamed'
        yield "another name", "bash -c 'exec -a \"[kworker/0:1]\" /bin/true way-exec-a'", r'args:way-exec-a and exe:*/true and args:"[kworker/0:1]"'
        if ld:
            yield "ld.so", f"{ld} /bin/true way-ld", "args:way-ld and exe:*/ld-*"
        yield ("memfd", f"{sys.executable} -c \"import os;f=os.memfd_create('evil');os.write(f,open('/bin/true','rb').read());os.execve(f,['x','way-memfd'],{{}})\"",
               'args:way-memfd and exe:"/memfd:evil (deleted)"')
        yield ("execveat", f"{sys.executable} -c \"{libc}f=os.open('/bin/true',0);a=(ctypes.c_char_p*3)(b'x',b'way-execveat',None);"
               f"c.syscall({322 if os.uname().machine == 'x86_64' else 281},f,b'',a,None,0x1000)\"", "args:way-execveat and exe:*/true")
        yield ("no arguments", f"{sys.executable} -c \"{libc}a=(ctypes.c_char_p*1)(None);c.execve(b'{copy}',a,None)\"", f'exe:"{copy}" and not args:way-*')
        yield "long", f"/bin/true way-long $(head -c 100000 /dev/zero | tr '\\0' A)", "args:way-long and args:AAAAAAAAAAAAAAAA*"
        yield "log injection", "/bin/true way-inject \"$(printf 'x\\ntype=EXECVE msg=audit(1.0:1): argc=1 a0=\"nothing\"')\"", "args:way-inject and exe:*/true"
        yield "a deleted program", f"cp /bin/sleep {mine}/gone; {mine}/gone 0; rm {mine}/gone", f'exe:"{mine}/gone"'
        yield ("executed when deleted", f"cp /bin/true {mine}/fd; {sys.executable} -c \"import os;f=os.open('{mine}/fd',0);os.unlink('{mine}/fd');"
               "os.execve(f,['x','way-deleted'],{})\"", 'args:way-deleted and exe:*deleted*')
        for name, path, key in (("sudoers", "/etc/sudoers.d/exectrail-attack", "sudoers"), ("cron", "/etc/cron.d/exectrail-attack", "cron"),
                                ("ld.so.preload", "/etc/ld.so.preload", "ld-preload"), ("unit", "/etc/systemd/system/exectrail-attack.service", "systemd")):
            if os.path.isdir(os.path.dirname(path)) and not os.path.exists(path):
                yield f"builtins of a shell at {name}", f"bash -c ': >> {path}'; rm -f {path}", f"key:{key} and exe:*/bash"
        yield "io_uring at a watched file", f"{sys.executable} {pathlib.Path(__file__).parent / 'uring_open.py'} /etc/shadow", "key:io-uring*"
        yield "a script", f"printf '#!/bin/sh\\n:\\n' > {mine}/script; chmod 755 {mine}/script; {mine}/script way-script", f'script:"{mine}/script" and args:way-script'
        yield "what does not exist", f"{mine}/nothing way-nothing", f'outcome:failure and exe:"{mine}/nothing"'
        yield "namespaces", "unshare -m -p -f -u /bin/true way-namespaces", "args:way-namespaces and exe:*/true"
        yield ("another comm", f"{sys.executable} -c \"{libc}c.prctl(15,b'kworker/u4:2');c.execve(b'/bin/true',(ctypes.c_char_p*3)(b'true',b'way-comm',None),None)\"",
               "args:way-comm and exe:*/true")
        account = "setpriv --reuid 33 --regid 33 --clear-groups"
        yield "a terminal of a service account", f"{account} script -qc '/bin/true way-pty' /dev/null", "args:way-pty and uid:33 and tty:pts*"
        if not os.statvfs(mine).f_flag & os.ST_NOSUID:
            yield "setuid", f"cp /bin/true {mine}/suid; chmod 4755 {mine}/suid; {account} {mine}/suid way-suid", "args:way-suid and uid:33 and euid:0"
        yield ("ptrace", f"sleep 5 & {sys.executable} -c \"{libc}c.ptrace(16,$!,0,0)\"; kill -9 $!", "key:tracing")
        yield "a module", f"{sys.executable} -c \"{libc}c.syscall({313 if os.uname().machine == 'x86_64' else 273},-1,b'',0)\"", "key:kernel-modules"
        yield "a bpf program", f"{sys.executable} -c \"{libc}c.syscall({321 if os.uname().machine == 'x86_64' else 280},5,0,0)\"", "key:bpf-program"
        yield "login uid", "echo 0 > /proc/self/loginuid", "type:LOGIN"
        yield "log cut", f"touch {mine}/audit.log; truncate -s 0 {mine}/audit.log", f"cmd:*truncate*audit.log and {NOT_THE_SEARCH}"
        if (PLAIN / "tests/witness32").exists():
            yield "32 bit", f"WITNESS={mine}/out {PLAIN}/tests/witness32 way-32", "args:way-32"
        if shutil.which("busybox"):
            yield "busybox", "busybox true way-busybox", "args:way-busybox and exe:*busybox"


if __name__ == "__main__":
    unittest.main()
