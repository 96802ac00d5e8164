/* options.h: what the command line asks for, checked before anything is started.
 *
 * Shape: one struct per command, filled from argv by argp; option.h reads the values. A mistake
 * ends the program with one sentence: status 64 for what can not be meant, 69 for what this build
 * does not have. --help and --version answer and end with 0.
 * Memory: texts point into argv. Threads: main, before any other. Time: none. Limits: the macros
 * below.
 * Refusals: exit, as said. Cost: none.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "numa/base/types.h"

#define OPTIONS_REPLICAS_MAX 7u
#define OPTIONS_CLIENTS_MAX  1024u
#define OPTIONS_KEYS_MAX     10000000u
#define OPTIONS_APPEND_RATE  50000u
#define OPTIONS_WARM_UP_NS   UINT64_C(500000000)

enum workload {
    WORKLOAD_SET = 0, /* SET of one of the keys; with --reads also GET          */
    WORKLOAD_APPEND,  /* "client:number," to one of the lists, all checked later */
};
const char *options_workload_name(enum workload workload);

struct load_options {
    uint32_t replicas;
    uint32_t value_bytes;
    uint32_t window;
    uint32_t clients;
    uint32_t cores;
    uint32_t lanes;
    uint32_t cuts; /* PLACEMENT_CUT(...) */
    uint32_t groups;
    uint32_t keys;
    uint32_t mtu;
    uint32_t reads_percent;
    uint64_t rate; /* operations per second of all clients; 0: closed loop */
    double seconds;
    uint64_t heartbeat_ns;
    uint64_t election_timeout_ns; /* lower bound; the upper one is twice this */
    enum workload workload;
    bool leader_kill;
    bool clients_sign;
    bool durable; /* write-ahead logs, in `data` */
    bool json;
    const char *target;  /* addresses, checked; NULL: an embedded cluster */
    const char *data;    /* directory of the logs and the disk calibration; NULL: the default */
    const char *history; /* file to write; NULL: none */
};

struct demo_options {
    uint32_t replicas;
    double seconds; /* of load, both phases together */
    bool stay;
};

/* argv[0] is the command's name. */
void options_load(int argc, char **argv, struct load_options *options);
void options_demo(int argc, char **argv, struct demo_options *options);

void load_options_defaults(struct load_options *options);

/* Operations that an open loop of this rate can have begun when the run ends: warm-up included. */
uint64_t options_operations_max(const struct load_options *options);

/* Size that a list may reach, by far: twice the average at the end of the run. */
uint64_t options_list_bytes(const struct load_options *options);

#endif
