#!/usr/bin/env python3
"""A second evaluator of Sigma's process_creation rules, written for being plain: every rule is walked for every event.

usage: sigma_reference.py RULES EVENTS     EVENTS: one JSON object a line, field -> list of values (latin-1 for bytes).
Prints "LINE ID" per match, lines from 0, in order. What it does not know ends it with an error.
"""
import glob
import json
import os
import re
import sys

import yaml

FIELDS = {'uid': 'LogonId', 'auid': 'auid', 'tty': 'tty', 'LogonId': 'LogonId', 'User': 'User', 'Image': 'Image',
          'CommandLine': 'CommandLine', 'ParentImage': 'ParentImage', 'ParentCommandLine': 'ParentCommandLine',
          'CurrentDirectory': 'CurrentDirectory'}
RE_FLAGS = {'i': re.I, 'm': re.M, 's': re.S}


class Text(yaml.SafeLoader):
    """Scalars stay as they are written, null excepted."""


Text.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag == 'tag:yaml.org,2002:null']
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def lower(b):
    return bytes(c + 32 if 65 <= c <= 90 else c for c in b)


def as_regex(value, before, after):
    """The text with its wildcards as a regular expression over lower-case bytes."""
    out, i = '', 0
    while i < len(value):
        c = value[i]
        if c == '\\' and value[i + 1:i + 2] in ('*', '?', '\\') and i + 1 < len(value):
            out += re.escape(value[i + 1])
            i += 1
        else:
            out += '.*' if c == '*' else '.' if c == '?' else re.escape(c)
        i += 1
    return re.compile(lower((before + out + after).encode('utf-8')) if not re.search(r'\\[A-Z]', out)
                      else sys.exit('cannot write ' + value), re.S)


def value_test(modifiers, value):
    """A function of one field value."""
    if 're' in modifiers:
        flags = 0
        for m in modifiers[modifiers.index('re') + 1:]:
            flags |= RE_FLAGS.get(m, 0)
        regex = re.compile(value.encode('utf-8'), flags)
        return lambda have: regex.search(have) is not None
    for name, compare in (('gte', int.__ge__), ('gt', int.__gt__), ('lte', int.__le__), ('lt', int.__lt__)):
        if name in modifiers:
            return lambda have: re.fullmatch(rb'-?[0-9]+', have) is not None and compare(int(have), int(value))
    before = '.*' if 'contains' in modifiers or 'endswith' in modifiers else ''
    after = '.*' if 'contains' in modifiers or 'startswith' in modifiers else ''
    regex = as_regex(value, before, after)
    return lambda have: regex.fullmatch(lower(have)) is not None


def item_test(key, values):
    """A function of an event for one field of a selection."""
    name, *modifiers = key.split('|')
    for m in modifiers:
        if m not in ('contains', 'startswith', 'endswith', 're', 'all', 'i', 'm', 's', 'gt', 'gte', 'lt', 'lte'):
            sys.exit('modifier ' + m)
    if not name:
        name, modifiers = 'CommandLine', modifiers + ['contains']
    field = FIELDS[name]
    if values is None:
        return lambda event: not event.get(field)
    tests = [value_test(modifiers, v) for v in (values if isinstance(values, list) else [values])]
    join = all if 'all' in modifiers else any
    return lambda event: join(any(test(have) for have in event.get(field, [])) for test in tests)


def selection_test(selection):
    if isinstance(selection, dict):
        items = [item_test(k, v) for k, v in selection.items()]
        return lambda event: all(item(event) for item in items)
    if isinstance(selection, list):
        parts = [selection_test(s) for s in selection]
        return lambda event: any(part(event) for part in parts)
    return item_test('|contains', selection)


def condition_test(condition, names):
    """The condition as a Python expression over a map of answers."""
    def of(match):
        pattern = match.group(2)
        fitting = [n for n in names if (not n.startswith('_') if pattern == 'them' else
                                        re.fullmatch(pattern.replace('*', '.*'), n))]
        return '%s([%s])' % ('all' if match.group(1) == 'all' else 'any', ', '.join('s(%r)' % n for n in fitting))

    words = re.sub(r'\b(1|any|all) of (\S*?[\w*])(?=\s|\)|$)', lambda m: '@' + of(m) + '@', condition)
    pieces = words.split('@')
    for i in range(0, len(pieces), 2):
        pieces[i] = re.sub(r'[\w]+', lambda m: m.group() if m.group() in ('and', 'or', 'not') else 's(%r)' % m.group(),
                           pieces[i])
    code = compile(''.join(pieces).strip(), condition, 'eval')
    return lambda answers: eval(code, {'s': answers, 'any': any, 'all': all})


def load(folder):
    rules = []
    for path in sorted(glob.glob(os.path.join(folder, '**', '*.y*ml'), recursive=True)):
        with open(path, encoding='utf-8') as f:
            for doc in yaml.load_all(f, Text):
                if not doc or doc['logsource'].get('category') != 'process_creation':
                    continue
                detection = dict(doc['detection'])
                condition = detection.pop('condition')
                selections = {name: selection_test(s) for name, s in detection.items()}
                for text in condition if isinstance(condition, list) else [condition]:
                    rules.append((doc['id'], selections, condition_test(text, list(selections))))
    return rules


def main():
    rules = load(sys.argv[1])
    seen = {}
    with open(sys.argv[2], encoding='ascii') as f:
        for number, line in enumerate(f):
            if line not in seen:
                event = {k: [v.encode('latin-1') for v in values] for k, values in json.loads(line).items()}
                seen[line] = [rule_id for rule_id, selections, condition in rules
                              if condition(lambda name: selections[name](event))]
            for rule_id in sorted(set(seen[line])):
                print(number, rule_id)


main()
