#!/usr/bin/env python3
"""Gives tests/tally.py build directories as meson leaves them and demands the right count, reasons and status."""
import json
import os
import subprocess
import sys
import tempfile

TALLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tally.py')

MIXED = '''[ RUN      ] A.One
[       OK ] A.One (0 ms)
[ RUN      ] A.Two
a.cc:5: Skipped
no such kernel

[  SKIPPED ] A.Two (0 ms)
[ RUN      ] P/Each.Three/0
[  FAILED  ] P/Each.Three/0, where GetParam() = 7 (1 ms)
[  FAILED  ] 1 test, listed below:
[  FAILED  ] P/Each.Three/0
'''
TWO = '[       OK ] A.One (0 ms)\n[       OK ] A.Two (12 ms)\n'


def ran(result, output='', name='q'):
    return {'name': f'quorate:unit / {name}', 'result': result, 'stdout': output, 'returncode': 7}


FINE = ran('OK', 'fine\n', 'p')
CASES = [  # registered beside p, log, what must be printed, exit status
    ('', [FINE], '1 passed, 0 failed, 0 skipped\n', 0),
    ('', [{**FINE, 'name': 'p'}], '1 passed, 0 failed, 0 skipped\n', 0),
    ('q', [FINE, ran('OK', TWO)], '3 passed, 0 failed, 0 skipped\n', 0),
    ('q', [FINE, ran('FAIL', MIXED)], 'failed: q: P/Each.Three/0\n2 passed, 1 failed, 1 skipped\n', 1),
    ('q', [FINE, ran('FAIL', MIXED)], 'skipped: q: A.Two: no such kernel\n', 1),
    ('q', [FINE, ran('SKIP', 'x\nneeds root\n\n')], 'skipped: q: needs root\n1 passed, 0 failed, 1 skipped\n', 0),
    ('q', [FINE, ran('TIMEOUT')], 'failed: q: timeout, exit status 7\n1 passed, 1 failed', 1),
    ('q', [FINE, ran('ERROR', TWO)], '3 passed, 1 failed, 0 skipped\n', 1),
    ('q', [FINE, ran('UNEXPECTEDPASS')], '1 passed, 1 failed, 0 skipped\n', 1),
    ('q', [FINE, ran('EXPECTEDFAIL')], '2 passed, 0 failed, 0 skipped\n', 0),
    ('qq', [FINE, ran('OK'), ran('FAIL')], '2 passed, 1 failed, 0 skipped\n', 1),
    ('qq', [FINE, ran('OK')], 'failed: q: it did not run\n2 passed, 1 failed, 0 skipped\n', 1),
    ('q', [FINE], 'failed: q: it did not run\n1 passed, 1 failed, 0 skipped\n', 1),
    ('', [ran('SKIP', 'no', 'p')], 'skipped: p: no\n0 passed, 0 failed, 1 skipped\n', 1),
    ('', None, 'failed: p: it did not run\n0 passed, 1 failed', 1),
]


def tally(names, log, suites):
    with tempfile.TemporaryDirectory() as build:
        os.mkdir(os.path.join(build, 'meson-info'))
        os.mkdir(os.path.join(build, 'meson-logs'))
        with open(os.path.join(build, 'meson-info', 'intro-tests.json'), 'w', encoding='utf-8') as stream:
            json.dump([{'name': name, 'suite': ['quorate:unit']} for name in names], stream)
        if log is not None:
            with open(os.path.join(build, 'meson-logs', 'testlog.json'), 'w', encoding='utf-8') as stream:
                stream.write(''.join(json.dumps(test) + '\n' for test in log))
        return subprocess.run([sys.executable, TALLY, build, *suites],
                              capture_output=True, text=True, check=False)


def main():
    failures = 0
    no_tests = 'skipped: suite golden: no tests are registered\n1 passed, 0 failed, 1 skipped\n'
    runs = [(tally('p' + more, log, ['unit']), sentence, status) for more, log, sentence, status in CASES]
    runs.append((tally('p', [FINE], ['unit', 'golden']), no_tests, 0))
    for result, sentence, status in runs:
        if sentence not in result.stdout or result.returncode != status:
            failures += 1
            print(f'wanted {status} and {sentence!r}, got {result.returncode}:\n{result.stdout}{result.stderr}')
    print(f'{len(runs)} logs, {failures} failures')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
