#!/usr/bin/env python3
"""Checks the house rules that a machine can check. Usage: tidy.py ROOT [BUILD]

Prints "path:line: rule: sentence" for each breach and exits with 1 if there are any. The rules are the
functions named rule_*; what they allow is in the tables above them. With BUILD, a meson build directory,
the symbols of the built archives are checked as well.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

WIDTH, SENTENCE_WIDTH, FILE_LINES, FUNCTION_LINES, README_LINES = 100, 120, 600, 70, 60
C_FILES, CODE_FILES = ('.c', '.h', '.cc', '.cpp'), ('.c', '.h', '.cc', '.cpp', '.def')
TEXT_FILES = CODE_FILES + ('.py', '.sh', '.md', '.build', '.ini', '.yml', '.xml')

# Doors: a folder, and the folders that it may include. The longest name that fits is the folder of a file.
BASE, CORE, WIRE = 'numa/base', 'protocols/core', 'protocols/wire'
BELOW_DATAPLANE = ['protocols', 'crypto', 'numa']
GROUND_FLOOR = ['dataplane/' + name for name in ('port', 'ring', 'log', 'view')]
DOORS = {
    BASE: [], 'numa': [BASE],
    'crypto/digest': [BASE], 'crypto': [BASE],
    CORE: [BASE], WIRE: [CORE, 'crypto/digest', BASE],
    'dataplane/client': BELOW_DATAPLANE,
    # The node's config.h, agreed.h and identity.h, and the files of snapshots: no DPDK.
    'dataplane/operator': BELOW_DATAPLANE + ['dataplane/client', 'dataplane/node', 'dataplane/snapshot'],
    'bench': ['.'], 'tests': ['.'],
}
for machine in ('raft', 'pbft', 'gossip', 'crdt', 'quorum', 'guard', 'client'):
    DOORS['protocols/' + machine] = [WIRE, CORE, BASE]
for folder in GROUND_FLOOR:
    DOORS[folder] = BELOW_DATAPLANE + GROUND_FLOOR
floors = BELOW_DATAPLANE + GROUND_FLOOR
for storey in ('state', 'snapshot', 'pipeline', 'keeper', 'edge', 'node'):
    DOORS['dataplane/' + storey] = floors
    floors = floors + ['dataplane/' + storey]

# Libraries that only some may know. bench and tests may know all.
LIBRARIES = [
    (r'rte_', ['dataplane/port', 'dataplane/ring'], 'DPDK'),
    (r'urcu', ['dataplane/view'], 'liburcu'),
    (r'hwloc', ['numa/topology.c'], 'hwloc'),
    (r'sodium', ['crypto'], 'libsodium'),
    (r'openssl/', ['crypto'], 'OpenSSL'),
    (r'liburing', ['dataplane/log'], 'liburing'),
    (r'zstd', ['dataplane/snapshot'], 'zstd'),
]
PURE = [BASE, 'protocols', 'crypto/digest']
PURE_EXCEPT = ['numa/base/assert.c']
PURE_HEADERS = {'string.h', 'limits.h', 'stddef.h', 'stdint.h', 'stdbool.h', 'stdalign.h', 'assert.h',
                'sodium.h'}

ALLOCATORS = 'malloc calloc realloc reallocarray free strdup strndup aligned_alloc posix_memalign alloca'
CHANCE = 'rand srand rand_r random srandom drand48 getrandom'
CLOCKS = 'time clock gettimeofday clock_gettime nanosleep usleep sleep'
PRINTERS = 'printf fprintf puts fputs putchar perror snprintf sprintf vsnprintf abort exit'
UNSAFE = 'gets strcpy strcat sprintf vsprintf strtok atoi atol atof'
BANNED = [  # folders, calls, why
    (PURE, ' '.join((ALLOCATORS, CHANCE, CLOCKS, PRINTERS)), 'pure folders have no libc but string.h'),
    (['dataplane/ring', 'dataplane/pipeline'], ALLOCATORS + ' ' + CHANCE, 'memory is carved before the seal'),
    (['tests/unit'], 'sleep usleep nanosleep sleep_for sleep_until', 'unit tests do not wait'),
    (['.'], UNSAFE, 'never safe'),
    (['.'], 'assert', 'ENSURE stays on in every build; static_assert is welcome'),
]

# Symbols begin with the name of the folder or of a header in it, outside of protocols also of a source, or with these.
MODULES = {'dataplane/pipeline': ['room', 'stage'], 'dataplane/client': ['quorate'], 'bench': ['build']}

# Names that docs/ owes its readers: files, and what a line with a name looks like. The first column of the tables of
# a section lists them; its heading ends with the file's path, or the [section] that the line puts before the name.
DOCUMENTED = [
    (r'(?!tests/).*\.def', r'(?!#)()\w+\((\w+),'),
    (r'dataplane/node/config\.c', r'\s*\{"(\w+)", "(\w+)", set_'),
    (r'protocols/wire/result\.c', r'()\s*\[WIRE_(\w+)\] = "'),
]
UNDOCUMENTED = ['protocols/raft/mutants.def', 'numa/placement_rooms.def']  # planted bugs, words of the drawing


def within(path, folders):
    return any(folder == '.' or path == folder or path.startswith(folder + '/') for folder in folders)


class File:
    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding='utf-8', errors='replace') as stream:
            self.lines = stream.read().split('\n')
        if self.lines[-1] == '':
            self.lines.pop()
        self._code = None

    def code(self):
        """The lines with comments and literals taken out, so that words in sentences are no code."""
        if self._code is None:
            def blank(match):
                text = match.group(0)
                return re.sub(r'[^\n]', '', text) if text[0] == '/' else text[0] * 2
            pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
            self._code = re.sub(pattern, blank, '\n'.join(self.lines), flags=re.S).split('\n')
        return self._code


class Tree:
    def __init__(self, root, build=None):
        self.root, self.build, self.files = root, build, []
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith(('.', 'build')) and f != '__pycache__')
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                if name.endswith(TEXT_FILES):
                    self.files.append(File(root, path))
        self.by_path = {f.path: f for f in self.files}
        self.reached = {}

    def reaches(self, path):
        """The library headers that a file includes, itself or through headers of ours."""
        if path not in self.reached:
            self.reached[path] = set()  # a circle ends here
            for line in self.by_path[path].lines if path in self.by_path else []:
                include = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
                if include:
                    found = {include[2]} if include[1] == '<' else self.reaches(include[2])
                    self.reached[path] = self.reached[path] | found
        return self.reached[path]

    def ending(self, endings):
        return (f for f in self.files if f.path.endswith(endings))


def rule_text(tree):
    for f in tree.files:
        for number, line in enumerate(f.lines, 1):
            if '\t' in line:
                yield f.path, number, 'tab'
            if line != line.rstrip():
                yield f.path, number, 'space at the end of the line'
            if f.path.endswith(CODE_FILES + ('.sh',)) and re.search(r'\b(TODO|FIXME|XXX|HACK)\b', line):
                yield f.path, number, 'a mark left over: do it, or write it into the README'


def rule_width(tree):
    for f in tree.ending(CODE_FILES + ('.py', '.sh', '.build')):
        for number, line in enumerate(f.lines, 1):
            width = WIDTH if f.path.endswith(C_FILES) else SENTENCE_WIDTH
            if len(line) > width:
                yield f.path, number, f'{len(line)} columns, at most {width}'


def rule_length(tree):
    for f in tree.ending(CODE_FILES):
        if len(f.lines) > FILE_LINES:
            yield f.path, len(f.lines), f'{len(f.lines)} lines, at most {FILE_LINES}'
        start = None
        for number, line in enumerate(f.lines, 1):
            if line == '{':
                start = number
            elif line.startswith('}') and start is not None:
                if line == '}' and number - start - 1 > FUNCTION_LINES:
                    yield f.path, start, f'a function of {number - start - 1} lines, at most {FUNCTION_LINES}'
                start = None


def rule_doors(tree):
    for f in tree.ending(CODE_FILES):
        homes = [name for name in DOORS if within(f.path, [name])]
        home = max(homes, key=len, default=None)
        for number, line in enumerate(f.lines, 1):
            ours = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            theirs = re.match(r'\s*#\s*include\s*<([^>]+)>', line)
            if ours and not os.path.exists(os.path.join(tree.root, ours[1])):
                yield f.path, number, f'"{ours[1]}" is not a path from the root'
            elif ours and home is None:
                yield f.path, number, 'this folder has no row in the table of doors'
            elif ours and not opens(home, ours[1]):
                yield f.path, number, f'{home} may not include {ours[1]}'
            elif theirs and within(f.path, PURE) and f.path not in PURE_EXCEPT:
                if theirs[1] not in PURE_HEADERS:
                    yield f.path, number, f'<{theirs[1]}> in a pure folder'
        for pattern, folders, library in LIBRARIES if home not in ('bench', 'tests') else []:
            reached = sorted(h for h in tree.reaches(f.path) if re.match(pattern, h))
            if reached and not within(f.path, folders):
                yield f.path, 1, f'reaches <{reached[0]}>: {library} is known to {", ".join(folders)} alone'


def opens(home, target):
    """Whether `home` may include `target`: a row for the folder closer to the target wins."""
    rows = [name for name in DOORS if within(target, [name])]
    nearest = max(rows, key=len, default=os.path.dirname(target))
    return nearest == home or within(nearest, DOORS[home])


def rule_calls(tree):
    for f in tree.ending(C_FILES):
        for folders, calls, why in BANNED:
            if not within(f.path, folders) or f.path in PURE_EXCEPT:
                continue
            pattern = re.compile(r'(?<![\w.>])(?:std::)?(' + '|'.join(calls.split()) + r')\s*\(')
            for number, line in enumerate(f.code(), 1):
                for match in pattern.finditer(line):
                    yield f.path, number, f'{match[1]}(): {why}'


def rule_guards(tree):
    for f in tree.ending('.h'):
        guard = re.sub(r'\W', '_', f.path).upper()
        code = [line.strip() for line in f.code() if line.strip()]
        if code[:2] != [f'#ifndef {guard}', f'#define {guard}'] or code[-1] != '#endif':
            yield f.path, 1, f'the include guard is to be {guard}, around everything'


def rule_readmes(tree):
    for f in tree.ending('README.md'):
        if len(f.lines) > README_LINES and f.path != 'README.md':
            yield f.path, len(f.lines), f'{len(f.lines)} lines, at most {README_LINES}: one screen'
    folders = {os.path.dirname(f.path) for f in tree.ending(C_FILES + ('.py', '.sh'))}
    for folder in sorted(folders - {''}):
        home = 'tests/unit' if within(folder, ['tests/unit']) else folder  # one page for all of unit
        if not os.path.exists(os.path.join(tree.root, home, 'README.md')):
            yield home, 1, 'no README.md'


def documented(tree):
    """The names of each section of docs/, by the path or the [section] in its heading, with where they stand."""
    sections, heading = {}, None
    for f in tree.ending('.md'):
        for number, line in enumerate(f.lines if within(f.path, ['docs']) else [], 1):
            if line.startswith('#'):
                found = re.search(r'\S+/\S+\.\w+$|\[\w+\]$', line)
                heading = found and found[0]
                if heading:
                    sections.setdefault(heading, {})
            elif heading and line.startswith('| `'):
                for name in re.findall(r'`(\w+)`', line.split('|')[1]):
                    sections[heading][name] = (f.path, number)
    return sections


def rule_docs(tree):
    """Every name that a program counts, refuses or is configured by is in docs/, and no other."""
    sections, owed = documented(tree), {}
    for f in tree.files:
        for paths, pattern in DOCUMENTED if f.path not in UNDOCUMENTED else []:
            for number, line in enumerate(f.lines if re.fullmatch(paths, f.path) else [], 1):
                match = re.match(pattern, line)
                if match:
                    heading = f'[{match[1]}]' if match[1] else f.path
                    owed.setdefault(heading, set()).add(match[2])
                    if match[2] not in sections.get(heading, {}):
                        yield f.path, number, f'{match[2]} is in no table of docs/ below a heading on {heading}'
    for heading, names in sections.items():
        for name, (path, number) in names.items():
            if name not in owed.get(heading, ()):
                yield path, number, f'{heading} has no {name}'


def rule_meson(tree):
    for f in tree.ending(('.c', '.cc', '.cpp')):
        folder, (stem, ending), found = os.path.dirname(f.path), os.path.splitext(os.path.basename(f.path)), False
        mention = f'({stem}|{stem}{ending}|{stem.removesuffix("_test")})'
        while not found:
            build = os.path.join(tree.root, folder, 'meson.build')
            if os.path.exists(build):
                with open(build, encoding='utf-8') as stream:
                    found = re.search(rf"['/]{mention}'", stream.read()) is not None
            if folder == '':
                break
            folder = os.path.dirname(folder)
        if not found:
            yield f.path, 1, 'no meson.build mentions this file'


def rule_headers(tree):
    """Every C header compiles on its own, as pedantic C17."""
    flags = ['-std=c17', '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-I', tree.root]

    def is_cpp(f):  # tests' fixtures: the standard library of C++ has headers without ".h"
        return any('.' not in h or h.startswith('gtest/') for h in tree.reaches(f.path))

    def needs_dpdk(f):
        return any(h.startswith('rte_') for h in tree.reaches(f.path))

    headers, dpdk = [f for f in tree.ending('.h') if not is_cpp(f)], []
    if any(needs_dpdk(f) for f in headers):
        answer = subprocess.run(['pkg-config', '--cflags', 'libdpdk'], capture_output=True, text=True, check=True)
        dpdk = answer.stdout.split()

    def compile_alone(f):
        own = dpdk if needs_dpdk(f) else ['-Wpedantic']
        own = own + ([] if within(f.path, PURE) else ['-D_GNU_SOURCE'])
        command = [os.environ.get('CC', 'cc'), *flags, *own, '-x', 'c', os.path.join(tree.root, f.path)]
        return f, subprocess.run(command, capture_output=True, text=True, check=False)

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for f, result in pool.map(compile_alone, headers):
            if result.returncode != 0:
                errors = [line for line in result.stderr.split('\n') if 'error' in line]
                yield f.path, 1, 'does not compile alone: ' + (errors + ['unknown error'])[0]


def rule_symbols(tree):
    """Every external symbol begins with the name of its module, so that no two archives can collide."""
    if tree.build is None:
        return
    with open(os.path.join(tree.build, 'meson-info', 'intro-targets.json'), encoding='utf-8') as stream:
        targets = json.load(stream)
    for target in targets:
        archive, folder = target['filename'][0], os.path.relpath(os.path.dirname(target['defined_in']), tree.root)
        if target['type'] != 'static library' or not os.path.exists(archive):
            continue
        modules = {os.path.basename(folder), target['name'], *MODULES.get(folder, [])}
        for f in tree.ending('.h' if within(folder, ['protocols']) else ('.h', '.c')):
            if within(f.path, [folder]):
                modules.add(os.path.splitext(os.path.basename(f.path))[0])
        modules -= {'internal'}
        if folder == 'tests/interpose':
            continue  # its whole point is to carry libc's names
        listing = subprocess.run(['nm', '--defined-only', '--extern-only', '--format=posix', archive],
                                 capture_output=True, text=True, check=True)
        for line in listing.stdout.split('\n'):
            words = line.split()
            if len(words) >= 3 and not words[0].startswith('__') and not any(
                    words[0] == m or words[0].startswith(m + '_') for m in modules):
                yield folder, 1, f'symbol {words[0]} begins with none of: {", ".join(sorted(modules))}'


def breaches(tree):
    for name, rule in sorted(globals().items()):
        if name.startswith('rule_'):
            for path, line, sentence in rule(tree):
                yield f'{path}:{line}: {name[5:]}: {sentence}'


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = list(breaches(Tree(os.path.realpath(sys.argv[1]), *sys.argv[2:])))
    print('\n'.join(found + [f'{len(found)} breaches']))
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
