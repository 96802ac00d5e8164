/* platter.h: the file under a node's write-ahead log (wal_file.h), on a disk that is slow, hangs,
 * fails, tears and forgets what was in flight when the power went, flips bits, and writes to wrong
 * places.
 *
 * Shape: a write is under way for as long as the disk takes, and then in its place. What a crash
 *   finds under way survives whole, not at all, or in any subset of its sectors, each for itself:
 *   with two in flight, the later one may be there without the earlier.
 * Memory: pieces of the file that hold something, by malloc. Threads: one. Time: virtual.
 * Limits: the file's size. Refusals: as a disk: error numbers.
 * Cost: one copy per write; not measured.
 */
#ifndef TESTS_SIM_PLATTER_H
#define TESTS_SIM_PLATTER_H

#include "dataplane/log/wal_file.h"
#include "tests/sim/world.h"

struct platter;

struct platter *platter_open(struct world *, uint32_t node, uint64_t bytes);
void platter_close(struct platter *);
struct wal_file *platter_file(struct platter *);

uint64_t platter_next_ns(const struct platter *); /* when the next write is done */
uint32_t platter_crash(struct platter *);         /* how many writes were under way */

void platter_slow(struct platter *, uint64_t write_ns); /* 0: as usual */
void platter_hang(struct platter *, bool hangs);        /* nothing is done until it ends */
void platter_fail(struct platter *);                    /* every write fails, until a crash */
bool platter_failed(const struct platter *);
void platter_balk(struct platter *, uint32_t writes); /* blocking ones fail after so many, ditto */

/* Damage, to be seen at the next start. False: nothing is there to be damaged. */
bool platter_rot(struct platter *);
/* The next write goes to a wrong place, and damages what is there. What nothing could show later,
 * the loss of the last writes of all, is mended by platter_crash. */
void platter_stray(struct platter *);

#endif
