/* interpose.h: counts what a thread does while it wears the polling mark (numa/base/guard.h).
 *
 * Shape: two nets. Allocation and locks are caught by name: the test's executable defines malloc,
 * free, pthread_mutex_lock and so on itself, in front of libc's and for every shared library.
 * System calls are caught by the kernel, whoever makes them and however (libc's insides, liburing,
 * a bare instruction): syscall user dispatch reads the mark and hands a marked thread's call to a
 * SIGSYS handler, which counts it and then makes it, so that the program goes on as if nobody
 * looked.
 *
 *    guard_polling_begin ─ loop turn ─ write() ─► kernel sees the mark ─► handler: count, call
 *
 * Memory: static counters. Threads: any number polls; start, stop and count from one. Time: none.
 * Limits: x86-64, Linux 5.11. A marked thread can not start a thread (it is told EAGAIN), and a
 * change of its signal mask does not last. Calls answered by the vDSO are no system calls and are
 * not seen.
 * Refusals: interpose_start says false where the kernel has no such dispatch or under the thread
 * sanitizer, which makes calls of its own: skip the test aloud. Cost: a few microseconds per call
 * caught.
 *
 * Use: link interpose_dep; interpose_start(); run threads that call guard_polling_begin;
 * interpose_stop(); EXPECT_EQ(interpose_count(INTERPOSE_SYSCALL), 0u) << interpose_story();
 */
#ifndef TESTS_INTERPOSE_INTERPOSE_H
#define TESTS_INTERPOSE_INTERPOSE_H

#include "numa/base/types.h"

enum interpose_kind {
    INTERPOSE_ALLOCATION, /* malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign */
    INTERPOSE_FREE,       /* of anything but NULL */
    INTERPOSE_SYSCALL,    /* any but sched_yield */
    INTERPOSE_YIELD,      /* sched_yield: allowed where a plan says that cores are shared */
    INTERPOSE_LOCK,       /* pthread_mutex_lock, contended or not */
    INTERPOSE_KIND_COUNT
};

/* Sets all counters to zero and watches threads from their next guard_polling_begin on. */
CHECK_RESULT bool interpose_start(void);

/* Threads that begin from now on are not watched. */
void interpose_stop(void);

uint64_t interpose_count(enum interpose_kind kind);

/* How often a marked thread made the system call of that number (SYS_write, ...). */
uint64_t interpose_syscall_count(uint32_t number);

/* One line for a failing test: every counter, and the numbers of the system calls. Overwritten by
 * the next call. */
const char *interpose_story(void);

#endif
