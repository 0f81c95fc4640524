#!/usr/bin/env python3
"""Makes a C file with all files of a folder: embed.py OUT.c SYMBOL DIR [--depfile FILE]

The table is an array of xt_embedded (src/server/embedded.h), ended by a row without a path. A folder that is not there
is an empty one. The depfile names every file and folder read, so that the build runs again when one changes or comes.
"""
import argparse
import hashlib
import os


def files_of(folder):
    """Every file below the folder as (path below it, path), and the folders, in the order of the paths."""
    found, folders = [], [folder]
    for base, names, files in os.walk(folder):
        names[:] = sorted(n for n in names if not n.startswith('.'))
        folders += [os.path.join(base, n) for n in names]
        for name in files:
            if not name.startswith('.'):
                path = os.path.join(base, name)
                found.append((os.path.relpath(path, folder).replace(os.sep, '/'), path))
    return sorted(found), [f for f in folders if os.path.isdir(f)]


def array(index, data):
    rows = [', '.join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)] or ['0']
    return 'static const uint8_t file_%d[] = {\n    %s};\n' % (index, ',\n    '.join(rows))


def quoted(text):
    return '"%s"' % text.replace('\\', '\\\\').replace('"', '\\"')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('out')
    parser.add_argument('symbol')
    parser.add_argument('folder')
    parser.add_argument('--depfile')
    args = parser.parse_args()
    files, folders = files_of(args.folder)
    rows = []
    with open(args.out, 'w', encoding='utf-8') as out:
        out.write('/* Made by tools/embed.py. */\n#include "server/embedded.h"\n\n')
        for i, (name, path) in enumerate(files):
            with open(path, 'rb') as f:
                data = f.read()
            out.write(array(i, data))
            rows.append('    {%s, file_%d, %d, "%s"},\n' % (quoted(name), i, len(data), hashlib.sha256(data).hexdigest()))
        out.write('\nextern const xt_embedded %s[];\n' % args.symbol)
        out.write('const xt_embedded %s[] = {\n%s    {0},\n};\n' % (args.symbol, ''.join(rows)))
    if args.depfile:
        with open(args.depfile, 'w', encoding='utf-8') as out:
            out.write('%s: %s\n' % (args.out, ' '.join(p.replace(' ', '\\ ') for p in [p for _, p in files] + folders)))


if __name__ == '__main__':
    main()
