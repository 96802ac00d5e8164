/* eal.h: the one place that starts DPDK's environment (EAL) and runs code on its cores.
 *
 * Shape: start once per process, open ports, launch a function per core, wait for it, stop.
 * Memory: EAL's own; three ways to get it, below. Threads: all calls from the thread that called
 * start.
 * Time: none. Limits: once per process: EAL can not be started again after a stop.
 * Refusals: port_eal_start returns false and a sentence that says the mend.
 * Cost: about 0.2 s of CPU to start.
 */
#ifndef DATAPLANE_PORT_EAL_H
#define DATAPLANE_PORT_EAL_H

#include "dataplane/port/open.h"

enum port_eal_memory {
    PORT_EAL_NO_HUGE,   /* ordinary pages: an ordinary user can, and nothing need be set up      */
    PORT_EAL_IN_MEMORY, /* hugepages without a hugetlbfs mount, nothing left in the file system */
    PORT_EAL_FULL, /* hugepages from a hugetlbfs mount: other DPDK processes can attach        */
};

struct port_eal_config {
    const char *lcores; /* EAL's --lcores, for example "0@(0-1),1@0,2@1"              */
    int main_core;      /* -1: the first                                             */
    enum port_eal_memory memory;
    uint32_t memory_mib; /* 0: 64                                                     */
    bool pci;            /* look for PCI devices                                      */
    const char *const
        *pci_addresses; /* these alone; NULL: all that are bound                     */
    uint32_t pci_address_count;
    const char *const *vdevs; /* made at start; port_open can make one, too                */
    uint32_t vdev_count;
    const char *file_prefix; /* NULL: "quorate-<process id>"                              */
    const char *extra;       /* more arguments for EAL, separated by blanks; NULL: none   */
    bool verbose;            /* false: EAL says nothing below a warning                   */
};

/* One core, ordinary pages, 64 MiB, no PCI. */
void port_eal_config_defaults(struct port_eal_config *config);

bool port_eal_start(const struct port_eal_config *config, char error[PORT_ERROR_MAX]);

/* Runs fn(argument) on that core. False: no such core, it is this one, or it is busy. */
bool port_eal_launch(uint32_t core, int (*fn)(void *), void *argument);

/* Waits for it; what it returned. */
int port_eal_wait(uint32_t core);

/* Every port is closed and every core has returned. */
void port_eal_stop(void);

/* Free hugepages of the machine, all sizes and nodes together: what PORT_EAL_IN_MEMORY could get.
 * Before start. */
uint64_t port_eal_hugepages_free_bytes(void);

#endif
