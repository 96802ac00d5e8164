#!/usr/bin/env python3
"""Mechanical mutation of protocols/raft: every small change to it ought to fail a test.

Usage: mutate.py ROOT BUILD [--seed S] [--count N] [--seconds S] [--jobs N] [--results FILE] [--only TEXT]
                            [--again] [--quick] [--list] [--report]

BUILD is a meson build of ROOT with gcc. Mutants are tried in the random order of --seed until --count of them
have a result, or --seconds are over; results (one JSON object per line, BUILD/mutate/results by default) are
kept, and the next call goes on behind them. --only: mutants whose name has this in it, whatever results say;
--again: those that survived. --quick: tests of milliseconds alone; --again tries the rest afterwards.
--report: no more than the sum of what is known.

A mutant is one changed place of one file, compiled into a libraft.so that tests linked once are run with, the
fastest first, until one fails or does not end. Exit status 1: less than --goal percent are killed, or one
survives that survivors.txt does not explain.
"""
import argparse
import concurrent.futures
import json
import os
import random
import re
import resource
import shlex
import subprocess
import sys
import time

FOLDER = 'protocols/raft'
SPARED = {'check.c', 'mutants.c'}  # invariants, which are tests themselves, and planted bugs
UNITS = ['commit', 'append', 'replicate', 'election', 'voter', 'read', 'members', 'snapshot', 'hostile', 'machine',
         'killers', 'doubt', 'hung', 'prefer', 'question', 'cluster']
WALKS = ['messages=2,timeouts=2,terms=2,slow=0', 'messages=2,slow=0,crashes=0,states=1000000',
         'terms=2,timeouts=1,proposals=0,messages=2,slow=0,crashes=0,changes=1',
         'terms=2,timeouts=2,proposals=0,messages=2,slow=0,crashes=0,prevote=1,states=300000']
SLOW = {'unit hostile', 'unit cluster'}  # seconds, where others take milliseconds
SEEDS = '12'
FLAGS = ['-std=c17', '-O1', '-fPIC', '-w', '-march=x86-64-v2', '-fno-strict-aliasing']
DECLARATION = re.compile(r'(const|static|struct|enum|bool|size_t|raft|member_set|u?int\d*_t|uint32_t|return|break|'
                         r'continue|case|default|goto|else|do)\b')

SWAPS = [  # name, pattern, replacements
    ('relation', r'(?<=\s)<(?=\s)', ['<=', '>=']), ('relation', r'(?<=\s)<=(?=\s)', ['<', '>']),
    ('relation', r'(?<=\s)>(?=\s)', ['>=', '<=']), ('relation', r'(?<=\s)>=(?=\s)', ['>', '<']),
    ('relation', r'(?<=\s)==(?=\s)', ['!=']), ('relation', r'(?<=\s)!=(?=\s)', ['==']),
    ('logic', r'(?<=\s)&&(?=\s)', ['||']), ('logic', r'(?<=\s)\|\|(?=\s)', ['&&']),
    ('off by one', r'(?<=\S) [+-] 1u?\b', ['']), ('off by one', r'(?<=return )0(?=;)', ['1']),
    ('off by one', r'(?<=[=(] )?(?<=[=] )0(?=[;,)])', ['1']), ('off by one', r'\+\+', ['--']),
    ('quorum', r'\bmin_u(?=32|64)', ['max_u']), ('quorum', r'\bmax_u(?=32|64)', ['min_u']),
    ('quorum', r'(?<=\s)& ~(?=\w)', ['& ', '| ~']), ('quorum', r'(?<=\s)\|=(?=\s)', ['=', '&=']),
    ('quorum', r'(?<=\s)&=(?=\s)', ['|=']), ('quorum', r'(?<=\w )&(?= \w)', ['|']),
    ('quorum', r'(?<=\w )\|(?= \w)', ['&']),
    ('arithmetic', r'(?<=\w )\+(?= \w)(?! 1\b)', ['-']), ('arithmetic', r'(?<=[\w)] )-(?= \w)(?! 1\b)', ['+']),
    ('arithmetic', r'(?<=\s)\+=(?=\s)', ['-=']), ('arithmetic', r'(?<=\s)-=(?=\s)', ['+=']),
    ('constant', r'\btrue\b', ['false']), ('constant', r'\bfalse\b', ['true']),
]


def blanked(text):
    """The same length, without comments, strings, preprocessor lines, broken-promise checks and planted bugs."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match[0])
    text = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|^#.*?$', blank, text, flags=re.S | re.M)
    text = re.sub(r'(?:&& |\|\| )?!?RAFT_MUTATED\(\w+\)', blank, text)
    return re.sub(r'\bENSURE\((?:[^;])*;|\bstatic_assert\((?:[^;])*;', blank, text)


def closing(text, at):
    """Where the parenthesis that opens at `at` is closed."""
    depth = 0
    for i in range(at, len(text)):
        depth += {'(': 1, ')': -1}.get(text[i], 0)
        if depth == 0:
            return i
    raise ValueError('unbalanced')


def places(text):
    """(operator, begin, end, replacement), from the text of one file."""
    code = blanked(text)
    for name, pattern, replacements in SWAPS:
        for match in re.finditer(pattern, code):
            for replacement in replacements:
                yield name, match.start(), match.end(), replacement
    for match in re.finditer(r'\b(?:if|while) \(', code):
        begin, end = match.end(), closing(code, match.end() - 1)
        if code[begin:end].strip():  # nothing but a planted bug
            yield 'negate', begin, end, '!(' + text[begin:end] + ')'
    for match in re.finditer(r'(?<=[;{}):])\s*\n((?: {4})+)(\w[^;{}]*);', code):
        begin, end = match.start(2), match.end(2)
        label = code[:match.start()].rstrip().endswith(':')
        planted = 'RAFT_MUTATED' in text[begin:end]
        ternary = label and ' ? ' in code[match.start() - 80:match.start()]
        declares = DECLARATION.match(code, begin) or re.match(r'\w+ \*?\w+(\[|,|;| =|$)', code[begin:end])
        if not (declares or planted or ternary or code[begin:end].startswith('for ')):
            yield 'drop', begin, end, ''


def mutants(root):
    found = []
    for name in sorted(os.listdir(os.path.join(root, FOLDER))):
        if not name.endswith('.c') or name in SPARED:
            continue
        with open(os.path.join(root, FOLDER, name), encoding='utf-8') as stream:
            text = stream.read()
        for operator, begin, end, replacement in sorted(set(places(text)), key=lambda p: (p[1], p[0], p[3])):
            first, last = text.rfind('\n', 0, begin) + 1, text.find('\n', end)
            old = ' '.join(text[first:last].split())
            new = ' '.join((text[first:begin] + replacement + text[end:last]).split())
            found.append({'file': name, 'line': text.count('\n', 0, begin) + 1, 'operator': operator,
                          'name': f'{name}: {operator}: {old} => {new}',
                          'text': text[:begin] + replacement + text[end:]})
    names = {}
    for mutant in found:  # the same change to the same words elsewhere
        names[mutant['name']] = names.get(mutant['name'], 0) + 1
        if names[mutant['name']] > 1:
            mutant['name'] += f' #{names[mutant["name"]]}'
    return found


class Bench:
    """The tests, linked once, and a base of objects to swap one of."""

    def __init__(self, root, build, quick):
        self.quick = quick
        self.root, self.build, self.home = root, build, os.path.join(build, 'mutate')
        self.sources = [n for n in sorted(os.listdir(os.path.join(root, FOLDER)))
                        if n.endswith('.c') and n != 'mutants.c']
        os.makedirs(os.path.join(self.home, 'base'), exist_ok=True)
        for name in self.sources:
            self.compile(os.path.join(root, FOLDER, name), self.object('base', name))
        self.link('base', {})
        self.killers = []
        targets = [('golden', 'tests/golden/golden_raft', [])]
        targets += [(f'unit {u}', f'tests/unit/raft/test_raft_{u}', ['--gtest_brief=1']) for u in UNITS]
        targets = [t for t in targets if os.path.exists(os.path.join(build, t[1]))]
        targets += [('walk', 'tests/mutate/mutate_walk', []), ('seeds', 'tests/sim/quorate-sim', [])]
        for name, target, arguments in targets:
            program = self.relink(target)
            if name == 'golden':
                chapters = os.path.join(root, 'tests/golden/raft')
                self.killers.append((name, [program, *(os.path.join(chapters, c)
                                                       for c in sorted(os.listdir(chapters)))]))
            elif name == 'walk':
                self.killers += [(f'walk {i}', [program, bounds]) for i, bounds in enumerate(WALKS, 1)]
            elif name == 'seeds':
                self.killers.append((name, [program, '--seed', '1', '--runs', SEEDS, '--minutes', '0.5']))
            else:
                self.killers.append((name, [program, *arguments]))

    def object(self, folder, name):
        return os.path.join(self.home, folder, name + '.o')

    def compile(self, source, target):
        done = subprocess.run(['gcc', *FLAGS, '-I', self.root, '-c', '-o', target, source], check=False,
                              capture_output=True, env={**os.environ, 'CCACHE_DISABLE': '1'})
        return done.returncode == 0

    def link(self, folder, swapped):
        objects = [swapped.get(n, self.object('base', n)) for n in self.sources]
        below = [os.path.join(self.build, p) for p in
                 ('protocols/wire/libwire.a', 'protocols/core/libcore.a', 'numa/libnuma_base.a')]
        library = os.path.join(self.home, folder, 'libraft.so')
        subprocess.run(['gcc', '-shared', '-fno-lto', '-Wl,-soname,libraft.so', '-o', library, *objects,
                        '-Wl,--start-group', *below, '-Wl,--end-group', '-lsodium'], check=True)

    def relink(self, target):
        """As meson links it, but with the shared raft."""
        commands = subprocess.run(['ninja', '-C', self.build, '-t', 'commands', target], check=True,
                                  capture_output=True, text=True).stdout.strip().split('\n')
        command = [w for w in shlex.split(commands[-1])
                   if w != 'protocols/raft/libraft.a' and not w.startswith('-flto')]
        program = os.path.join(self.home, os.path.basename(target))
        command[command.index('-o') + 1] = program
        command[command.index('-o') + 2:command.index('-o') + 2] = ['-fno-lto']
        subprocess.run([*command, '-Wl,--no-as-needed', os.path.join(self.home, 'base', 'libraft.so')],
                       cwd=self.build, check=True)
        return program

    def runs(self, command, folder, limit):
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                                  timeout=limit, env={**os.environ, 'LD_LIBRARY_PATH': os.path.join(self.home, folder)})
        except subprocess.TimeoutExpired:
            return False
        return done.returncode in (0, 75)  # 75: a walk that was given up

    def time(self):
        """All must pass on the unchanged machine; the fastest come first."""
        timed = []
        for name, command in self.killers:
            if self.quick and (name in SLOW or name.split()[0] in ('walk', 'seeds')):
                continue
            began = time.monotonic()
            if not self.runs(command, 'base', 120):
                sys.exit(f'mutate: without a mutant, {name} fails: {" ".join(command)}')
            timed.append((time.monotonic() - began, name, command))
        self.killers = [(name, command, 10 + 10 * took) for took, name, command in sorted(timed)]

    def judge(self, mutant, number):
        folder = f'mutant{number}'
        os.makedirs(os.path.join(self.home, folder), exist_ok=True)
        source = os.path.join(self.home, folder, mutant['file'])
        target = self.object(folder, mutant['file'])
        with open(source, 'w', encoding='utf-8') as stream:
            stream.write(f'#line 1 "{os.path.join(self.root, FOLDER, mutant["file"])}"\n' + mutant['text'])
        if not self.compile(source, target):
            return 'stillborn', ''
        with open(target, 'rb') as ours, open(self.object('base', mutant['file']), 'rb') as theirs:
            if ours.read() == theirs.read():
                return 'same code', ''
        self.link(folder, {mutant['file']: target})
        for name, command, limit in self.killers:
            if not self.runs(command, folder, limit):
                return 'killed', name
        return 'survived', ''


def read_results(path, known):
    results = {}
    if os.path.exists(path):
        with open(path, encoding='utf-8') as stream:
            for line in stream:
                result = json.loads(line)
                if result['name'] in known:  # else the code has changed since
                    results[result['name']] = result
    return results


def explained(root):
    with open(os.path.join(root, 'tests/mutate/survivors.txt'), encoding='utf-8') as stream:
        return {line.strip() for line in stream if ' => ' in line}


def report(results, total, root, goal):
    counts, killers = {}, {}
    for result in results.values():
        counts[result['status']] = counts.get(result['status'], 0) + 1
        if result['status'] == 'killed':
            killers[result['by'].split()[0]] = killers.get(result['by'].split()[0], 0) + 1
    reasons, tried = explained(root), counts.get('killed', 0) + counts.get('survived', 0)
    open_ones = sorted(n for n, r in results.items() if r['status'] == 'survived' and n not in reasons)
    percent = 100 * counts.get('killed', 0) / tried if tried else 0
    print(f'{len(results)} of {total} mutants: ' + ', '.join(f'{n} {s}' for s, n in sorted(counts.items())) +
          f'; {percent:.1f} % killed, by ' + ', '.join(f'{k} {n}' for k, n in sorted(killers.items())))
    for name in open_ones:
        print(f'not explained: line {results[name]["line"]}: {name}')
    return 0 if percent >= goal and not open_ones else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=os.path.realpath)
    parser.add_argument('build', type=os.path.realpath)
    for name, standard in (('seed', 1), ('count', 1 << 30), ('seconds', 1 << 30), ('jobs', 1), ('goal', 95)):
        parser.add_argument(f'--{name}', type=int, default=standard)
    parser.add_argument('--results')
    parser.add_argument('--only')
    parser.add_argument('--again', action='store_true')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--report', action='store_true')
    wanted = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    everybody = mutants(wanted.root)
    if wanted.list:
        print('\n'.join(f'{m["line"]}: {m["name"]}' for m in everybody))
        return 0
    path = wanted.results or os.path.join(wanted.build, 'mutate', 'results')
    results = read_results(path, {m['name'] for m in everybody})
    order = list(everybody)
    random.Random(wanted.seed).shuffle(order)
    if wanted.only:
        order = [m for m in order if wanted.only in m['name']]
    elif wanted.again:
        order = [m for m in order if results.get(m['name'], {}).get('status') == 'survived']
    else:
        order = [m for m in order[:wanted.count] if m['name'] not in results]
    if wanted.report or not order:
        return report(results, len(everybody), wanted.root, wanted.goal)
    ends = time.monotonic() + wanted.seconds
    bench = Bench(wanted.root, wanted.build, wanted.quick)
    bench.time()

    def judge(number):
        if time.monotonic() > ends:
            return None
        began = time.monotonic()
        status, killer = bench.judge(order[number], number % 64 if wanted.jobs == 1 else number)
        return {'name': order[number]['name'], 'line': order[number]['line'], 'status': status, 'by': killer,
                'seconds': round(time.monotonic() - began, 1)}

    with concurrent.futures.ThreadPoolExecutor(max_workers=wanted.jobs) as pool, \
            open(path, 'a', encoding='utf-8') as stream:
        for result in pool.map(judge, range(len(order))):
            if result is not None:
                results[result['name']] = result
                stream.write(json.dumps(result) + '\n')
                stream.flush()
                if wanted.only or wanted.again or result['status'] == 'survived':
                    print(f'{result["status"]} {result["by"]}: line {result["line"]}: {result["name"]}', flush=True)
    return report(results, len(everybody), wanted.root, wanted.goal)


if __name__ == '__main__':
    sys.exit(main())
