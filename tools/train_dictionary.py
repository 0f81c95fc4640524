#!/usr/bin/env python3
"""Makes a compression dictionary of captures: train_dictionary.py --samples build/dictionary-samples --id N --out FILE.zst CAPTURE...

A capture is audit text, .zst too, `FILE@STRIDE` takes every STRIDE-th event of it. A new dictionary gets the next id and a row
in src/event/batch_codec.c; those before it stay, for what was stored with them. tests/unit/event/test_batch_codec.c holds
that none of the planted secrets stands in one.
"""
import argparse
import pathlib
import struct
import subprocess
import tempfile


def samples_of(program, capture):
    path, _, stride = capture.partition('@')
    command = ['zstd', '-dcq', path] if path.endswith('.zst') else ['cat', path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as text:
        data = subprocess.run([program, stride or '1'], stdin=text.stdout, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    while at < len(data):
        size = struct.unpack_from('<I', data, at)[0]
        yield data[at + 4:at + 4 + size]
        at += 4 + size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--samples', required=True)
    parser.add_argument('--id', type=int, required=True)
    parser.add_argument('--bytes', type=int, default=65536)
    parser.add_argument('--out', required=True)
    parser.add_argument('captures', nargs='+')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        n = 0
        for capture in args.captures:
            for sample in samples_of(args.samples, capture):
                (pathlib.Path(folder) / f'{n:07d}').write_bytes(sample)
                n += 1
        raw = pathlib.Path(args.out).with_suffix('.raw')
        subprocess.run(['zstd', '-q', '-f', '-3', '-r', folder, '--train-fastcover=k=600,d=8,f=20,accel=1,split=100',
                        f'--maxdict={args.bytes}', f'--dictID={args.id}', '-o', raw], check=True)
        subprocess.run(['zstd', '-q', '-f', '-19', '--no-check', '--rm', raw, '-o', args.out], check=True)
        print(f'{args.out}: dictionary {args.id} of {n} samples, {pathlib.Path(args.out).stat().st_size} bytes packed')


if __name__ == '__main__':
    main()
