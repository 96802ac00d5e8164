#!/usr/bin/env python3
"""Ends with an error unless this kernel gives AF_XDP sockets, and bpf(2) a map for them."""
import ctypes
import os
import socket
import struct

AF_XDP, SYS_BPF, MAP_CREATE, MAP_TYPE_XSKMAP = 44, 321, 0, 17  # on x86-64

socket.socket(AF_XDP, socket.SOCK_RAW, 0).close()
libc = ctypes.CDLL(None, use_errno=True)
attribute = struct.pack('=IIII', MAP_TYPE_XSKMAP, 4, 4, 1)  # type, key and value bytes, entries
if libc.syscall(SYS_BPF, MAP_CREATE, attribute, len(attribute)) < 0:
    raise OSError(ctypes.get_errno(), 'bpf: ' + os.strerror(ctypes.get_errno()))
