#!/usr/bin/env python3
"""Plants one breach of each rule in a small tree and demands that tidy.py finds it, and nothing in a clean one."""
import os
import subprocess
import sys
import tempfile

TIDY = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tidy.py')

HEADER = '''#ifndef PROTOCOLS_RAFT_RAFT_H
#define PROTOCOLS_RAFT_RAFT_H
#include "numa/base/types.h"
uint32_t raft_step(void); /* not a call: malloc(1), "time(0)" */
#endif
'''
CLEAN = {
    'meson.build': '',
    'numa/base/README.md': '# base\n',
    'numa/base/types.h': '#ifndef NUMA_BASE_TYPES_H\n#define NUMA_BASE_TYPES_H\n#include <stdint.h>\n#endif\n',
    'numa/README.md': '# numa\n', 'numa/meson.build': "library('topology.c')\n",
    'numa/topology.c': '#include <hwloc.h>\n',
    'protocols/raft/README.md': '# raft\n',
    'protocols/raft/meson.build': "static_library('raft', 'raft.c')\n",
    'protocols/raft/raft.h': HEADER,
    'protocols/raft/raft.c': '#include "protocols/raft/raft.h"\n\n#include <string.h>\n\n'
                             'uint32_t raft_step(void)\n{\n    return x.free(0) + sizeof "printf(";\n}\n',
    'numa/a.def': '/* A(comment, */\n#define B(X, y)\nEVENT(KNOWN, "sentence")\n',
    'dataplane/node/config.c': '    {"port", "mtu", set_mtu, "bytes"},\n', 'dataplane/node/README.md': '# node\n',
    'dataplane/node/meson.build': "library('config.c')\n",
    'docs/a.md': '# a\n## What: numa/a.def\n| name | do |\n|---|---|\n| `KNOWN` | look at `OTHER` |\n'
                 '## [port]\n| `mtu` | bytes |\n## Other\n| `nothing` | |\n',
}

PLANTED = [  # path, contents, what tidy must say
    ('numa/a.md', 'a\tb\n', 'numa/a.md:1: text: tab'),
    ('numa/a.md', 'a \n', 'numa/a.md:1: text: space at the end'),
    ('numa/topology.c', '/* TODO: this */\n', 'numa/topology.c:1: text: a mark'),
    ('numa/topology.c', 'int ' + 'x' * 100 + ';\n', 'numa/topology.c:1: width: 105 columns'),
    ('numa/topology.c', '/* ' + 'x' * 100 + ' */\n', 'numa/topology.c:1: width: 106 columns'),
    ('numa/topology.c', '\n' * 601, 'numa/topology.c:601: length: 601 lines'),
    ('numa/topology.c', 'int f(void)\n{\n' + '\n' * 71 + '}\n', 'numa/topology.c:2: length: a function of 71'),
    ('protocols/raft/raft.c', '#include "numa/topology.h"\n', 'raft.c:1: doors: "numa/topology.h" is not a path'),
    ('protocols/raft/raft.c', '#include "numa/topology.c"\n', 'protocols/raft may not include numa/topology.c'),
    ('numa/base/types.h', '#include "protocols/raft/raft.h"\n', 'numa/base may not include protocols/raft/raft.h'),
    ('protocols/wire/wire.c', '#include "protocols/raft/raft.h"\n', 'protocols/wire may not include protocols/raft'),
    ('numa/base/types.h', '#include <rte_mbuf.h>\n', 'raft.h:1: doors: reaches <rte_mbuf.h>: DPDK is known to'),
    ('numa/memory.c', '#include <hwloc.h>\n', 'numa/memory.c:1: doors: reaches <hwloc.h>: hwloc is known to'),
    ('dataplane/node/node.c', '#include <urcu/urcu-qsbr.h>\n', 'liburcu is known to dataplane/view alone'),
    ('dataplane/node/node.c', '#include <sodium.h>\n', 'libsodium is known to crypto alone'),
    ('protocols/raft/raft.c', '#include <stdlib.h>\n', 'raft.c:1: doors: <stdlib.h> in a pure folder'),
    ('elsewhere/a.c', '#include "numa/base/types.h"\n', 'elsewhere/a.c:1: doors: this folder has no row'),
    ('protocols/raft/raft.c', 'void *p = malloc(1);\n', 'raft.c:1: calls: malloc()'),
    ('protocols/raft/raft.c', '\nint t = time (0);\n', 'raft.c:2: calls: time()'),
    ('dataplane/ring/ring.c', 'void f(void) { free(p); }\n', 'ring.c:1: calls: free(): memory is carved'),
    ('numa/topology.c', 'int i = atoi("1");\n', 'calls: atoi(): never safe'),
    ('numa/topology.c', 'assert(1);\n', 'calls: assert(): ENSURE'),
    ('tests/unit/numa/a.cc', 'std::this_thread::sleep_for(1);\n', 'calls: sleep_for(): unit tests do not wait'),
    ('numa/a.h', '#ifndef A_H\n#define A_H\n#endif\n', 'numa/a.h:1: guards: the include guard is to be NUMA_A_H'),
    ('numa/README.md', 'line\n' * 61, 'numa/README.md:61: readmes: 61 lines'),
    ('numa/ring/a.c', '', 'numa/ring:1: readmes: no README.md'),
    ('numa/b.c', '', 'numa/b.c:1: meson: no meson.build mentions'),
    ('numa/a.def', 'EVENT(KNOWN, "s")\nEVENT(NEW, "s")\n', 'numa/a.def:2: docs: NEW is in no table of docs/ below'),
    ('numa/b.def', 'EVENT(KNOWN, "s")\n', 'numa/b.def:1: docs: KNOWN is in no table'),
    ('numa/a.def', '\n', 'docs/a.md:5: docs: numa/a.def has no KNOWN'),
    ('dataplane/node/config.c', '    {"port", "mtu", set_mtu, ""},\n    {"host", "mtu", set_mtu, ""},\n',
     'config.c:2: docs: mtu is in no table of docs/ below a heading on [host]'),
    ('dataplane/node/config.c', '    {"port", "name", set_name, ""},\n', 'docs/a.md:7: docs: [port] has no mtu'),
    ('protocols/wire/result.c', '    [WIRE_DONE] = "DONE",\n', 'result.c:1: docs: DONE is in no table'),
    ('numa/a.h', '#ifndef NUMA_A_H\n#define NUMA_A_H\nuint32_t a;\n#endif\n', 'numa/a.h:1: headers: does not compile'),
]


def plant(root, path, contents):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), 'w', encoding='utf-8') as stream:
        stream.write(contents)


def tidy(files, symbols=None):
    with tempfile.TemporaryDirectory() as root:
        for path, contents in files.items():
            plant(root, path, contents)
        arguments = [sys.executable, TIDY, root]
        if symbols is not None:
            arguments.append(archive(root, symbols))
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


def archive(root, source):
    """A build directory as meson leaves it, with one archive of protocols/raft in it."""
    plant(root, 'build/meson-info/intro-targets.json',
          '[{"name": "raft", "type": "static library", "filename": ["%s/build/libraft.a"], '
          '"defined_in": "%s/protocols/raft/meson.build"}]' % (root, root))
    plant(root, 'build/a.c', source)
    here = os.path.join(root, 'build')
    subprocess.run(['cc', '-c', 'a.c'], cwd=here, check=True)
    subprocess.run(['ar', 'rc', 'libraft.a', 'a.o'], cwd=here, check=True)
    return here


def main():
    failures = []

    def expect(what, answer, status, sentence):
        if answer[0] != status or sentence not in answer[1]:
            failures.append(f'{what}: wanted status {status} and "{sentence}", got {answer[0]}:\n{answer[1]}')

    expect('a clean tree', tidy(CLEAN), 0, '0 breaches')
    for path, contents, sentence in PLANTED:
        expect(f'{contents[:40]!r} in {path}', tidy({**CLEAN, path: contents}), 1, sentence)
    expect('a module\'s symbols', tidy(CLEAN, 'int raft_a; static int b; int raft(void) { return b; }'), 0, '0 br')
    expect('a stray symbol', tidy(CLEAN, 'int draft_a;'), 1, 'symbol draft_a begins with none of: raft')
    print('\n'.join(failures + [f'{len(PLANTED) + 3} trees, {len(failures)} failures']))
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
