#!/usr/bin/env python3
"""Clients of a cluster whose every question and answer is written down, for `quorate-sim --check-history`.

Usage: clients.py --history FILE [--clients N] ADDRESS:PORT...

Each client has a connection to one node and sends one to four commands at a time, over few keys that all share; keys
are fresh every few hundred commands, so that a history can be decided. A line of FILE is one operation; tests/sim/
history.h has the form. What was answered -TRYAGAIN or -CLUSTERDOWN failed: it never happened. What was answered
-UNCERTAIN or not at all is open. A client whose node is gone goes on with the next one.

Ends on SIGTERM: each client finishes, then every key is read through each node. Exits with 1 if an answer had no
meaning.
"""
import argparse
import itertools
import json
import random
import signal
import socket
import sys
import threading
import time

ANSWER_SECONDS = 12  # more than a node's own time limit
PAUSE_SECONDS = 0.02  # at most, between questions: the machine is for the nodes
COMMANDS_PER_EPOCH = 300
KEYS = ('register', 'counter', 'list')
NEVER, OPEN = ('-TRYAGAIN', '-CLUSTERDOWN'), '-UNCERTAIN'


class Recorder:
    """The history file, and what all clients share."""

    def __init__(self, path):
        self.file = open(path, 'w', encoding='ascii', buffering=1)  # lines: the test counts them as they come
        self.lock = threading.Lock()
        self.processes, self.commands, self.values = itertools.count(1), itertools.count(), itertools.count()
        self.nonsense = []

    def write(self, process, operation, outcome, result, invoke_ns, return_ns):
        op, key, argument, _ = operation
        line = json.dumps({'process': process, 'op': op, 'key': key, 'argument': argument, 'result': result,
                           'invoke_ns': invoke_ns, 'return_ns': return_ns, 'outcome': outcome})
        with self.lock:
            self.file.write(line + '\n')

    def key(self, kind):
        return f'{kind}:{next(self.commands) // COMMANDS_PER_EPOCH}'

    def all_keys(self):
        return [f'{kind}:{e}' for kind in KEYS for e in range(next(self.commands) // COMMANDS_PER_EPOCH + 1)]


class Word(str):
    """A status or an error, with its first character."""


def read_reply(stream):
    """A Word, a number, a string or None."""
    line = stream.readline()
    if not line.endswith(b'\r\n'):
        raise OSError('closed')
    head, text = line[:1], line[1:-2].decode('ascii')
    if head == b':':
        return int(text)
    if head == b'$':
        size = int(text)
        body = stream.read(size + 2) if size >= 0 else b'\r\n'
        if len(body) != max(size, 0) + 2:
            raise OSError('closed')
        return body[:-2].decode('ascii') if size >= 0 else None
    return Word(head.decode('ascii') + text)


class Client(threading.Thread):
    def __init__(self, recorder, addresses, node, stop):
        super().__init__()
        self.recorder, self.addresses, self.node, self.stop = recorder, addresses, node, stop
        self.random = random.Random()
        self.socket = self.stream = None
        self.seen = ''  # a register's value, for cas
        self.processes = [next(recorder.processes) for _ in range(4)]  # one per command of a batch

    def choose(self):
        """(op, key, argument, command) as in tests/sim/history.h."""
        kind = self.random.choice(KEYS)
        key, value = self.recorder.key(kind), f'{next(self.recorder.values)};'
        number = self.random.randint(1, 9)
        return self.random.choice({
            'register': [('get', key, None, ['GET', key])] * 3 + [
                ('set', key, value, ['SET', key, value]),
                ('set', key, {'value': value, 'if': 'absent'}, ['SET', key, value, 'NX']),
                ('set', key, {'value': value, 'get': True}, ['SET', key, value, 'GET']),
                ('cas', key, {'old': self.seen, 'value': value}, ['CAS', key, self.seen, value]),
                ('del', key, None, ['DEL', key])],
            'counter': [
                ('incrby', key, number, ['INCRBY', key, str(number)]), ('incrby', key, 1, ['INCR', key]),
                ('incrby', key, -1, ['DECR', key]), ('get', key, None, ['GET', key])],
            'list': [('append', key, value, ['APPEND', key, value])] * 2 + [
                ('get', key, None, ['GET', key]), ('strlen', key, None, ['STRLEN', key]),
                ('exists', key, None, ['EXISTS', key])],
        }[kind])

    def connect(self, address):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), ANSWER_SECONDS)
        self.stream = self.socket.makefile('rb')

    def disconnect(self):
        if self.socket is not None:
            self.stream.close()
            self.socket.close()
        self.socket = self.stream = None

    def note(self, place, operation, reply, invoke_ns):
        process, now_ns = self.processes[place], time.monotonic_ns()
        word = reply.split(' ')[0] if isinstance(reply, Word) else None
        if word in NEVER:
            self.recorder.write(process, operation, 'fail', None, invoke_ns, now_ns)
        elif word == OPEN:
            self.lost(place, operation, invoke_ns)
        elif operation[0] == 'set' and word == '+OK':
            self.recorder.write(process, operation, 'ok', 'OK', invoke_ns, now_ns)
        elif word is not None:
            self.recorder.nonsense.append(f'{operation[3]} was answered {reply!r}')
        else:
            self.recorder.write(process, operation, 'ok', reply, invoke_ns, now_ns)
            if operation[0] == 'get' and operation[1].startswith('register') and reply is not None:
                self.seen = reply

    def lost(self, place, operation, invoke_ns):
        self.recorder.write(self.processes[place], operation, 'open', None, invoke_ns, None)
        self.processes[place] = next(self.recorder.processes)  # the old one may still be at it

    def ask(self, operations):
        """False: the connection is no more."""
        commands = [word for _, _, _, words in operations
                    for word in (f'*{len(words)}', *(part for w in words for part in (f'${len(w)}', w)))]
        answered, invoke_ns = 0, time.monotonic_ns()
        try:
            self.socket.sendall(('\r\n'.join(commands) + '\r\n').encode('ascii'))
            for place, operation in enumerate(operations):
                reply = read_reply(self.stream)
                answered += 1
                self.note(place, operation, reply, invoke_ns)
            return True
        except OSError:
            for place in range(answered, len(operations)):
                self.lost(place, operations[place], invoke_ns)
            return False

    def run(self):
        while not self.stop.is_set():
            try:
                if self.socket is None:
                    self.connect(self.addresses[self.node])
            except OSError:
                self.node = (self.node + 1) % len(self.addresses)
                self.stop.wait(0.1)
                continue
            if not self.ask([self.choose() for _ in range(self.random.randint(1, 4))]):
                self.disconnect()
            self.stop.wait(self.random.uniform(0, PAUSE_SECONDS))
        self.disconnect()

    def read_all(self, address):
        try:
            self.connect(address)
        except OSError:
            return  # the killed one
        for key in self.recorder.all_keys():
            if not self.ask([('get', key, None, ['GET', key])]):
                break
        self.disconnect()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--history', required=True)
    parser.add_argument('--clients', type=int, default=6)
    parser.add_argument('addresses', nargs='+')
    options = parser.parse_args()
    recorder, stop = Recorder(options.history), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clients = [Client(recorder, options.addresses, number % len(options.addresses), stop)
               for number in range(options.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    for address in options.addresses:
        Client(recorder, options.addresses, 0, stop).read_all(address)
    recorder.file.close()
    print('\n'.join(f'clients: {sentence}' for sentence in recorder.nonsense[:10]), end='')
    sys.exit(1 if recorder.nonsense else 0)


if __name__ == '__main__':
    main()
