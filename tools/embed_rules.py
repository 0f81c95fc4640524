#!/usr/bin/env python3
"""Makes a C file with a table of named texts: embed_rules.py OUT.c SYMBOL TYPE HEADER FILE... (name: the file's, without its ending)."""
import os
import sys


def main():
    out, symbol, kind, header = sys.argv[1:5]
    rows = []
    for path in sorted(sys.argv[5:]):
        with open(path, encoding='utf-8') as f:
            lines = f.read().splitlines()
        text = '\n'.join('        "%s\\n"' % line.replace('\\', '\\\\').replace('"', '\\"') for line in lines)
        rows.append('    {"%s",\n%s},\n' % (os.path.splitext(os.path.basename(path))[0], text))
    with open(out, 'w', encoding='utf-8') as f:
        f.write('/* Made by tools/embed_rules.py. */\n#include "%s"\n\nconst %s %s[] = {\n%s    {0},\n};\n'
                % (header, kind, symbol, ''.join(rows)))


if __name__ == '__main__':
    main()
