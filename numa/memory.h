/* memory.h: pages for an arena, on the node whose cores will use them.
 *
 * Shape: reserve maps addresses, asks for huge pages and binds them to a node; populate makes the
 * pages real before a core polls on them, because a page fault in the loop is a system call in all
 * but name; release gives them back.
 *
 * Memory: anonymous, private, zero, aligned to a page, from MEMORY_HUGE_PAGE_BYTES on to a huge
 * page. The caller releases with the same size. Threads: any. Time: none; populating is what takes
 * time. Limits: the address space; pages come when touched (MAP_NORESERVE), so a machine with too
 * little memory is noticed by populate.
 * Refusals: NULL or false, with errno of the kernel. Binding is advice: on a foreign or one-node
 * topology, or where the kernel declines, the pages lie where the first touch puts them, and
 * memory_reserve says so in `bound`.
 * Cost: three system calls at start; not measured.
 */
#ifndef NUMA_MEMORY_H
#define NUMA_MEMORY_H

#include "numa/topology.h"

#define MEMORY_HUGE_PAGE_BYTES ((size_t)2 << 20)

/* `bytes` > 0. `node` is an index into topology->nodes. `bound` may be NULL. */
CHECK_RESULT void *memory_reserve(size_t bytes, uint32_t node, const struct topology *topology,
                                  bool *bound);

/* Puts a page under every address. False: the kernel has no memory left. */
CHECK_RESULT bool memory_populate(void *memory, size_t bytes);

/* NULL is accepted and does nothing. */
void memory_release(void *memory, size_t bytes);

#endif
