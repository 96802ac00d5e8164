/* build.h: by which build a figure was made.
 *
 * Shape: constants, filled in by meson (build.c.in); the revision is looked up at each build.
 * Memory: static.
 * Threads: any, but for the first build_git. Time, limits, refusals: none. Cost: none.
 */
#ifndef BENCH_BUILD_H
#define BENCH_BUILD_H

#include "numa/base/types.h"

const char *build_version(void);
const char *build_cc(void);    /* compiler and version */
const char *build_flags(void); /* that the code was compiled with */
const char *build_git(void);   /* revision, "unknown" outside of a repository */
bool build_dirty(void);        /* tracked files differed from that revision */

#endif
