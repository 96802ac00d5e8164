/* internal.h: what the two halves of the interposer tell each other, and which sanitizer is in the
 * way.
 *
 * Shape: interpose.c catches system calls and keeps the counters, allocation.c catches calls by
 * name. Memory, time, limits, refusals: none. Threads: interpose_note is called by any. Cost: a
 * thread-local load.
 */
#ifndef TESTS_INTERPOSE_INTERNAL_H
#define TESTS_INTERPOSE_INTERNAL_H

#include "tests/interpose/interpose.h"

#if defined(__SANITIZE_THREAD__)
#define INTERPOSE_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define INTERPOSE_UNDER_TSAN 1
#endif
#endif
#ifndef INTERPOSE_UNDER_TSAN
#define INTERPOSE_UNDER_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define INTERPOSE_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INTERPOSE_UNDER_ASAN 1
#endif
#endif
#ifndef INTERPOSE_UNDER_ASAN
#define INTERPOSE_UNDER_ASAN 0
#endif

/* Counts one event if the calling thread wears the mark. */
void interpose_note(enum interpose_kind kind);

/* Makes sure that allocations are seen; false: they can not be. */
bool interpose_allocations_watch(void);

#endif
