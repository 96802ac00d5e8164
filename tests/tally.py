#!/usr/bin/env python3
"""Counts what meson ran, cases of googletest one by one, and names what failed and what was skipped, with the reason.

Usage: tally.py BUILD SUITE... after `meson test -C BUILD --suite SUITE...`. A test of these suites that did not run
counts as failed, a suite without tests as skipped. The last line is "N passed, N failed, N skipped". Exits with 1
unless something passed and nothing failed: a run in which everything was skipped proves nothing.
"""
import json
import os
import re
import sys

CASE = re.compile(r'^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \(\d+ ms\)$', re.M)
REASON = re.compile(r': Skipped\n(.*?)\n+\[ +SKIPPED +\] (\S+) \(', re.S)
PASSED, SKIPPED = ('OK', 'EXPECTEDFAIL'), 'SKIP'


def cases(name, test):
    """(name, outcome, reason) of each case; a test without cases is one itself."""
    output = test.get('stdout', '')
    found = [(case, outcome) for outcome, case in CASE.findall(output)]
    reasons = {case: text.split('\n')[-1] for text, case in REASON.findall(output)}
    for case, outcome in found:
        yield f'{name}: {case}', outcome, reasons.get(case, '')
    last_words = ([''] + [line.strip() for line in output.split('\n') if line.strip()])[-1]
    if test['result'] == SKIPPED:
        yield name, 'SKIPPED', last_words
    elif test['result'] not in PASSED and not any(outcome == 'FAILED' for _, outcome in found):
        yield name, 'FAILED', f'{test["result"].lower()}, exit status {test.get("returncode")}'
    elif not found:
        yield name, 'OK' if test['result'] in PASSED else 'FAILED', ''


def outcomes(registered, log, suites):
    ran = {}  # by name, which two tests may share
    for test in log:
        ran.setdefault(test['name'].split(' / ')[-1], []).append(test)  # "project:suite / name", or the name
    empty = set(suites)
    for test in registered:
        wanted = {suite.split(':')[-1] for suite in test['suite']} & set(suites)
        empty -= wanted
        if wanted and ran.get(test['name']):
            yield from cases(test['name'], ran[test['name']].pop(0))
        elif wanted:
            yield test['name'], 'FAILED', 'it did not run'
    for suite in sorted(empty):
        yield f'suite {suite}', 'SKIPPED', 'no tests are registered'


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, suites = sys.argv[1], sys.argv[2:]
    with open(os.path.join(build, 'meson-info', 'intro-tests.json'), encoding='utf-8') as stream:
        registered = json.load(stream)
    log = []
    if os.path.exists(os.path.join(build, 'meson-logs', 'testlog.json')):
        with open(os.path.join(build, 'meson-logs', 'testlog.json'), encoding='utf-8') as stream:
            log = [json.loads(line) for line in stream]
    counts = {'OK': 0, 'FAILED': 0, 'SKIPPED': 0}
    for name, outcome, reason in outcomes(registered, log, suites):
        counts[outcome] += 1
        if outcome != 'OK':
            print(f'{outcome.lower()}: {name}' + (f': {reason}' if reason else ''))
    print('{OK} passed, {FAILED} failed, {SKIPPED} skipped'.format(**counts))
    sys.exit(0 if counts['OK'] > 0 and counts['FAILED'] == 0 else 1)


if __name__ == '__main__':
    main()
