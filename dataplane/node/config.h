/* config.h: the INI file of a node: every key, its unit, its limits.
 *
 * Shape: config_load reads the file into a struct host_config and a struct node_config; nothing is
 * started. Several files may describe several nodes of one process; their [host] sections must
 * agree where they speak.
 *
 *   [node]     id = 1            lanes = 1            groups = 1
 *   [cluster]  members = 1@10.1.0.1:7700,2@10.1.0.2:7700,3@10.1.0.3:7700
 *              or, for many, each on a line: member.1 = 10.1.0.1:7700
 *              voters = 0
 *   [port]     name = net_af_packet0,iface=dp0        address = 10.1.0.1/24    udp_port = 7700
 *              mtu = 1500        gateway = 10.1.0.254 capture = /tmp/node1.pcap
 *   [raft]     heartbeat = 20ms  election_timeout = 100ms  election_timeout_max = 200ms
 *              lease_reads = yes  priority = 1  handover = 10s
 *   [storage]  durability = volatile    log = 64MiB
 *              or durability = fsync    data = /var/lib/quorate    log_file = 1GiB
 *   [state]    keys = 1048576    bytes = 512MiB       session_ttl = 60s
 *   [clients]  sign = no         keys = FILE          tables = 128     table_memory = 64MiB
 *   [resp]     listen = 127.0.0.1:6379  (or: off)
 *   [host]     split = verify,order  (or: no)
 *              cores = 1   idle = yield|spin|sleep   huge = auto|none|required  pci = no  eal = ...
 *
 * Memory: strings point into the caller's struct node_file. Threads: none. Time: none.
 * Limits: CONFIG_LINE_MAX characters a line; durations need a unit (us ms s), sizes need one (B KiB
 * MiB GiB). Refusals: one sentence with the line.
 * Cost: start-up only.
 */
#ifndef DATAPLANE_NODE_CONFIG_H
#define DATAPLANE_NODE_CONFIG_H

#include "dataplane/node/host.h"

#define CONFIG_LINE_MAX      199u
#define CONFIG_HOST_KEYS_MAX 8u

struct config_said {
    char name[16];
    char value[256];
};

struct node_file {
    struct host_config host;
    struct node_config node;
    char eal[256];
    char capture[256];
    char data[256];
    bool durable;
    char nic[32];
    struct config_said host_said[CONFIG_HOST_KEYS_MAX]; /* [host], for those of other files */
    uint32_t host_said_count;
    bool member_list; /* members = ... was there, or member.ID = ...: not both */
    bool member_keys;
    bool split_given;
    char client_keys[256]; /* path; the list is node.clients.key, for the life of the process */
};

/* False: `error` names the file, the line and what is wrong. */
bool config_load(const char *path, struct node_file *file, char error[HOST_ERROR_MAX]);
/* The nodes of one process: what each file says, and that they fit together. What is the process's
 * is in the first one's host then, wherever it was said. */
bool config_load_all(const char *const *paths, uint32_t count, struct node_file *files,
                     char error[HOST_ERROR_MAX]);

/* What host_start asks of the placement; the strings stay the caller's. */
void config_placement(const struct host_config *config, struct placement_request *request);

/* "20ms" and "64MiB"; false: no number, no unit or one that is not known, or too large. */
bool config_duration_ns(const char *text, uint64_t *ns);
bool config_size_bytes(const char *text, uint64_t *bytes);
/* A whole number from `least` to `most`, and nothing behind it. */
bool config_whole(const char *text, uint64_t least, uint64_t most, uint64_t *value);
/* "10.1.0.1", "10.1.0.1:7700" and "10.1.0.1/24" */
bool config_address(const char *text, uint32_t *ip);
bool config_endpoint(const char *text, uint32_t *ip, uint16_t *port);
bool config_network(const char *text, uint32_t *ip, uint8_t *prefix_bits);
/* "1@10.1.0.1:7700,2@10.1.0.2:7700" with rising ids: all of them; or one more, in any order. */
bool config_members(const char *text, struct node_config *node);
bool config_member(const char *id, const char *text, struct node_config *node);

#endif
