#!/usr/bin/env python3
"""`./dev run`: server and agent on this host, the page's address with a one-time login link; Ctrl-C ends both.

State stays in .run/ (data, agent), so that a second run goes on where the first one ended. Where the kernel gives no
audit, a real capture is replayed instead into a data folder of its own, under a DEMO banner.

    --port N     of the page (default 8514; a free one when it is taken)
    --webhook U  post alerts there
    --rules DIR  more Sigma rules (may be given more than once)
    --folder DIR for state and logs, instead of .run
"""
import argparse
import contextlib
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXECTRAIL, AGENT = ROOT / "build/exectrail", ROOT / "build/exectrail-agent"


def say(*words):
    print(*words, flush=True)


def free_port(wanted):
    for port in (wanted, 0):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return s.getsockname()[1]
    sys.exit("dev run: no free port on 127.0.0.1")


def login_name():
    """Who logged in on this terminal, whatever su and sudo did since; None where nobody did."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        uid = int(pathlib.Path("/proc/self/loginuid").read_text())
        if uid != 0xFFFFFFFF:
            return pwd.getpwuid(uid).pw_name
    return None


def as_root(command):
    return command if os.geteuid() == 0 else ["sudo", "--", *command]


def wait_for(what, seconds, process, log):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"dev run: {process.args[0]} did not start; the end of its log, {log}:\n" + "\n".join(log.read_text().splitlines()[-5:]))


def start(command, log, **options):
    with open(log, "wb") as errors:
        return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                start_new_session=True, **options)


def start_server(data, arguments, demo=None):
    log = arguments.folder / "server.log"
    data.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (data / "server.json").unlink()
    command = [EXECTRAIL, "server", "--data", data, "--http", f"127.0.0.1:{free_port(arguments.port)}",
               "--listen", f"127.0.0.1:{free_port(8515)}"]
    for rules in arguments.rules or []:
        command += ["--rules", rules]
    if arguments.webhook:
        command += ["--webhook", arguments.webhook]
    if demo:
        command += ["--demo", demo]
    server = start(command, log)
    wait_for(lambda: (data / "server.json").exists(), 30, server, log)
    return server, json.loads((data / "server.json").read_text())


def start_agent(data, where, folder):
    """The agent, or the one line in which it says why the kernel gives no audit."""
    log, state = folder / "agent.log", folder / "agent"
    token = subprocess.check_output([EXECTRAIL, "token", "new", "--data", data], stderr=subprocess.DEVNULL).decode().split()[-1]
    agent = start(as_root([AGENT, "--server", where["agents"], "--state", state, "--token", token, "--audit", "own"]), log)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        hosts = subprocess.run([EXECTRAIL, "hosts", "--data", data, "--format", "ndjson"], capture_output=True).stdout.splitlines()
        if any(json.loads(line)["connected"] for line in hosts):
            return agent, None
        if agent.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            return None, re.sub(r"^\S+ ERROR \w+: ", "", lines[-1]) if lines else "the agent ended"
        time.sleep(0.1)
    stop(agent)
    return None, f"the agent did not reach the server within 30 s; see agent.log in {folder}"


def stop(process):
    """Ends a process started here (sudo passes the signal on) and waits for it."""
    if process and process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


def link(data, view):
    out = subprocess.check_output([EXECTRAIL, "user", "link", "--data", data, pwd.getpwuid(os.getuid()).pw_name], stderr=subprocess.DEVNULL)
    return out.decode().split()[-1] + "".join(f"&{k}={urllib.parse.quote(v)}" for k, v in view.items())


def main():
    parser = argparse.ArgumentParser(prog="./dev run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8514)
    parser.add_argument("--webhook")
    parser.add_argument("--rules", action="append")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / ".run")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    stopped = []
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: stopped.append(1))

    data = arguments.folder / "data"
    server, where = start_server(data, arguments)
    agent, why = start_agent(data, where, arguments.folder)
    view = {"live": "1"}
    if agent:
        name = login_name()
        view["q"] = f"login:{name}" if name else "tty:pts* or tty:tty*"  # nobody logged in: any terminal
        say("\n  Every command on this host is being recorded from the kernel. Open the page:\n")
    else:
        stop(server)
        data = arguments.folder / "demo"
        server, where = start_server(data, arguments, demo=ROOT / "tests/data/capture/webshell.log")
        say(f"\n  The kernel gives no audit here: {why}\n  DEMO: a real capture of a web shell is replayed instead. Open the page:\n")
    say("    " + link(data, view), "\n")
    if agent:
        say(f"  Then run `whoami` in any terminal. To search:  build/exectrail search --data {os.path.relpath(data)} 'cmd:whoami'")
    say("  The link works once, for ten minutes. Ctrl-C ends all of it.\n")
    while not stopped and server.poll() is None and (agent is None or agent.poll() is None):
        time.sleep(0.1)
    failed = not stopped
    stop(agent)
    stop(server)
    if failed:
        sys.exit(f"dev run: a program ended by itself; see server.log and agent.log in {arguments.folder}")
    say("ended; audit is as it was before")


if __name__ == "__main__":
    main()
