"""The simulated agents of bench/fleet: commands in, what they say out."""
import json
import queue
import subprocess
import threading
import time


class Fleet:
    def __init__(self, program, captures, port, token, agents, rate=5, linger=100):
        words = [program, "--port", port, "--token", token, "--agents", agents, "--rate", rate, "--linger", linger]
        for path in captures:
            words += ["--capture", path]
        self.agents, self.last, self.answers = agents, {}, queue.Queue()
        self.recent = agents * rate * (linger / 1000 + 2)  # events of some two seconds, of which agents gather one
        self.child = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            answer = json.loads(line)
            if "ms" in answer:
                self.last = answer
            else:
                self.answers.put(answer)

    def tell(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()

    def ask(self, *words):
        self.tell(*words)
        return self.answers.get(timeout=60)

    def wait(self, what, seconds, step=0.1):
        """Until what(last line) is true: how long that took; None: it did not become true."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.child.poll() is not None:
                raise SystemExit("the simulators ended")
            if self.last and what(self.last):
                return time.monotonic() - begin
            time.sleep(step)
        return None

    def all_up(self, seconds):
        return self.wait(lambda line: line["up"] == self.agents, seconds)

    def settled(self, seconds):
        """All are connected, and what is not acknowledged is no more than usual."""
        return self.wait(lambda line: line["up"] == self.agents and line["made"] - line["acked"] <= self.recent, seconds)

    def drained(self, seconds):
        return self.wait(lambda line: line["made"] == line["acked"], seconds)

    def counts(self, path):
        """Acknowledged events by host."""
        self.ask("counts", path)
        with open(path) as lines:
            return {name: int(n) for name, n, _ in map(str.split, lines)}

    def end(self):
        self.child.stdin.close()
        self.child.wait(60)
        self.child.stdout.close()
