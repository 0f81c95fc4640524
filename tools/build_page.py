#!/usr/bin/env python3
"""Builds the page: ui/src -> ui/dist (esbuild, minified, names with a content hash, .gz beside each text file).

Does nothing when ui/dist is newer than everything it is made of. Needs node and npm.
"""
import gzip
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

UI = pathlib.Path(__file__).resolve().parent.parent / "ui"
DIST = UI / "dist"


def sources():
    return [*(UI / "src").rglob("*"), UI / "package-lock.json", UI / "tsconfig.json", pathlib.Path(__file__)]


def is_current():
    stamp = DIST / "index.html"
    return stamp.exists() and all(p.stat().st_mtime <= stamp.stat().st_mtime for p in sources() if p.is_file())


def run(*command):
    done = subprocess.run(command, cwd=UI, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the page does not build: {' '.join(command)}\n{done.stdout}{done.stderr}")


def install():
    marker = UI / "node_modules/.package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < (UI / "package-lock.json").stat().st_mtime:
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
        marker.touch()


def bundle(work):
    run("node_modules/.bin/esbuild", "src/main.tsx", "--bundle", "--minify", "--format=esm", "--target=es2020",
        "--jsx=automatic", "--jsx-import-source=preact", "--legal-comments=none", f"--outfile={work}/main.js")
    run("node_modules/.bin/esbuild", "src/main.css", "--bundle", "--minify", f"--outfile={work}/style.css")


def publish(work):
    page = (UI / "src/index.html").read_text()
    for name in ("main.js", "style.css"):
        content = (work / name).read_bytes()
        stem, ending = name.split(".")
        hashed = f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
        (DIST / hashed).write_bytes(content)
        page = page.replace(name, hashed)
    for path in (UI / "src").glob("*.svg"):
        shutil.copy(path, DIST / path.name)
    (DIST / "index.html").write_text(page)
    for path in list(DIST.iterdir()):
        (DIST / (path.name + ".gz")).write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def main():
    if is_current():
        return
    install()
    run("node", "node_modules/typescript/bin/tsc", "--noEmit")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    with tempfile.TemporaryDirectory() as work:
        bundle(work)
        publish(pathlib.Path(work))
    print(f"the page: {sum(p.stat().st_size for p in DIST.glob('*.gz')) / 1000:.1f} KB compressed", file=sys.stderr)


if __name__ == "__main__":
    main()
