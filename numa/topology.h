/* topology.h: the machine as a plain table: nodes, cores, processing units (PUs), network cards.
 *
 * Shape: hwloc is asked once and its answer copied into arrays in hwloc's order, so that PUs of a
 * core, cores of an L3 cache, and L3 caches of a package are neighbours. Everything refers to
 * everything by index; OS numbers are kept beside. topology.c is the only file that includes hwloc.
 *
 *    machine ─► node (memory) ─► core (package, l3, node) ─► PU (OS index: threads' pins)
 *            └► nic (PCI address, node)
 *
 * Memory: the caller's struct topology, about 50 KiB; hwloc's handle is kept until topology_fini
 * for binding.
 * Threads: one writer at start, then read only. Time: none.
 * Limits: TOPOLOGY_*_MAX below: a two-socket machine of today four times over. This machine is cut
 * down to what the cgroup and the affinity of the process leave.
 * Refusals: topology_refusals.def. An XML file is the operator's own and trusted: hwloc refuses
 * nonsense, but some files that lack attributes crash it (seen with 2.9). Cost: hwloc's discovery,
 * tens of milliseconds; not measured.
 */
#ifndef NUMA_TOPOLOGY_H
#define NUMA_TOPOLOGY_H

#include "numa/base/types.h"

#define TOPOLOGY_NODE_MAX 64u
#define TOPOLOGY_CORE_MAX 1024u
#define TOPOLOGY_PU_MAX   2048u
#define TOPOLOGY_NIC_MAX  64u

#define TOPOLOGY_NONE          UINT32_MAX
#define TOPOLOGY_ADDRESS_BYTES 16u /* "0000:81:00.0" and its end */
#define TOPOLOGY_NAME_BYTES    32u

struct topology_node {
    uint32_t os_index;
    uint64_t memory_bytes; /* 0 where a synthetic description is silent */
};

struct topology_core {
    uint32_t package;
    uint32_t l3;       /* cores without an L3 cache share the number of their package */
    uint32_t node;     /* whose memory is near */
    uint32_t pu_first; /* index into pus */
    uint32_t pu_count; /* more than one: SMT siblings */
};

struct topology_pu {
    uint32_t os_index;
    uint32_t core;
};

struct topology_nic {
    char address[TOPOLOGY_ADDRESS_BYTES]; /* domain:bus:device.function */
    char name[TOPOLOGY_NAME_BYTES];       /* the kernel's, empty when it has none */
    uint32_t node;                        /* TOPOLOGY_NONE: the machine does not say */
};

struct topology {
    uint32_t package_count, node_count, core_count, pu_count, nic_count;
    bool is_this_machine; /* false: to be planned for and drawn, never started */
    void *machine;        /* hwloc's handle, topology.c's own */
    struct topology_node nodes[TOPOLOGY_NODE_MAX];
    struct topology_core cores[TOPOLOGY_CORE_MAX];
    struct topology_pu pus[TOPOLOGY_PU_MAX];
    struct topology_nic nics[TOPOLOGY_NIC_MAX];
};

enum topology_refusal {
    TOPOLOGY_READ = 0, /* not refused */
#define TOPOLOGY_REFUSAL(name, sentence) TOPOLOGY_##name,
#include "numa/topology_refusals.def"
#undef TOPOLOGY_REFUSAL
    TOPOLOGY_REFUSAL_COUNT
};

/* NULL reads this machine; text with a '/' or ending in ".xml" names a file that lstopo wrote;
 * other text is a synthetic description. After a refusal there is nothing to give back. */
CHECK_RESULT enum topology_refusal topology_init(struct topology *topology, const char *text);
void topology_fini(struct topology *topology);

/* The index of the card at `address`, with or without its domain ("81:00.0"), or TOPOLOGY_NONE. */
uint32_t topology_nic_find(const struct topology *topology, const char *address);

/* Asks that pages of [memory, memory + bytes) come from `node`. False: not this machine, or the
 * kernel declined. */
bool topology_bind_memory(const struct topology *topology, void *memory, size_t bytes,
                          uint32_t node);

/* "" for TOPOLOGY_READ. */
const char *topology_refusal_sentence(enum topology_refusal refusal);

#endif
