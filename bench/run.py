#!/usr/bin/env python3
"""`./dev bench [NAME...] [--OPTION...]`: runs the benchmarks of this folder (all, or those named) and prints ratios to peers.

Options go to the benchmarks; --large alone means the store's.

Each measures ours and others in the same run, alternating, and prints medians of wall and CPU seconds: the machine may
be shared and noisy, so compare ratios, and CPU rather than wall.
"""
import datetime
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main():
    options = [word for word in sys.argv[1:] if word.startswith("--")]
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    names = names or (["store"] if options else None) or [path.stem for path in sorted(HERE.glob("bench_*.py"))]
    print(f"{datetime.date.today()}  {os.cpu_count()} cores  {platform.system()} {platform.release()} {platform.machine()}")
    failed = 0
    for name in names:
        path = HERE / (name if name.startswith("bench_") else f"bench_{name}")
        path = path.with_suffix(".py")
        if not path.exists():
            sys.exit(f"bench: there is no {path.name}; there are: {' '.join(p.stem[6:] for p in sorted(HERE.glob('bench_*.py')))}")
        print(f"\n== {path.stem[6:]}", flush=True)
        failed |= subprocess.call([sys.executable, str(path), *options])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
