#!/usr/bin/env python3
"""Answer times in the phases of a history: phases.py HISTORY NAME=MONOTONIC_NS...

A phase lasts until the next one begins; the last NAME is the end. A line for each: how many questions were answered,
how many were refused for now, and the median, 99th percentile and maximum of the answer times.
"""
import json
import sys


def main():
    marks = [(name, int(ns)) for name, ns in (mark.split('=') for mark in sys.argv[2:])]
    with open(sys.argv[1], encoding='ascii') as file:
        lines = [json.loads(line) for line in file]
    for (name, start), (_, end) in zip(marks, marks[1:]):
        inside = [line for line in lines if start <= line['invoke_ns'] < end]
        times = sorted(line['return_ns'] - line['invoke_ns'] for line in inside if line['outcome'] == 'ok')
        refused = sum(line['outcome'] == 'fail' for line in inside)
        if times:
            at = [times[int((len(times) - 1) * part)] / 1e6 for part in (0.5, 0.99, 1)]
            print(f'cluster: {name}: {len(times)} answered, {refused} told to come again, '
                  f'p50 {at[0]:.2f} ms, p99 {at[1]:.2f} ms, max {at[2]:.2f} ms')


main()
