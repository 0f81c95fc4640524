#!/usr/bin/env python3
"""Makes a C file with the bytes of one file: embed_text.py OUT.c SYMBOL FILE (SYMBOL and SYMBOL_bytes)."""
import sys


def main():
    out, symbol, path = sys.argv[1:]
    with open(path, 'rb') as f:
        data = f.read()
    rows = ['    ' + ', '.join(str(b - 256 if b > 127 else b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
    with open(out, 'w', encoding='ascii') as f:
        f.write('/* Made by tools/embed_text.py. */\n#include <stddef.h>\n\n'
                'extern const char %s[];\nextern const size_t %s_bytes;\nconst char %s[] = {\n%s};\n'
                'const size_t %s_bytes = sizeof %s;\n' % (symbol, symbol, symbol, ',\n'.join(rows), symbol, symbol))


if __name__ == '__main__':
    main()
