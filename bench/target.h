/* target.h: a running cluster, loaded from outside over a kernel UDP socket.
 *
 * Shape: a carrier (carrier.h) that moves datagrams in bursts, one system call each way. Servers
 * are numbered by their place in the list of addresses; the leader that a reply names is translated
 * by its address, as in dataplane/client. The addresses are those of lane 0 of each node's
 * consensus port; group g is at port + g % lanes.
 *
 * Memory: the caller's struct of 1.2 MB, and a socket. Threads: one. Time: rest sleeps in ppoll,
 * but not for the last 100 us before something is due, since the kernel may wake it 50 us late.
 * Limits: CARRIER_SERVERS_MAX addresses; datagrams of TARGET_FRAME_BYTES, longer ones are dropped.
 * Refusals: target_parse false; target_open an error sentence; a datagram that the kernel does not
 * take is lost.
 * Cost: a system call per burst.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "bench/carrier.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define TARGET_HOST_BYTES_MAX 253u
#define TARGET_FRAME_BYTES    9216u
#define TARGET_FRAMES         (2u * PORT_BURST_MAX) /* a burst each way */

struct target_address {
    char host[TARGET_HOST_BYTES_MAX + 1];
    uint16_t port;
};

struct target {
    struct carrier carrier; /* first: the carrier's calls find the target by it */
    int socket;
    uint32_t free_count;
    uint8_t *free[TARGET_FRAMES];
    struct mmsghdr message[PORT_BURST_MAX];
    struct iovec part[PORT_BURST_MAX];
    struct sockaddr_in peer[PORT_BURST_MAX];
    uint8_t memory[TARGET_FRAMES][TARGET_FRAME_BYTES];
};

/* "host:port[,host:port...]" with hosts by IPv4 address or name. Returns how many; 0: not of this
 * form, or too many. */
uint32_t target_parse(const char *text, struct target_address address[CARRIER_SERVERS_MAX]);

/* False: no such host, or no socket. `mtu` bounds the datagrams that are sent. */
bool target_open(struct target *target, const struct target_address *address, uint32_t count,
                 uint16_t groups, uint16_t lanes, uint32_t mtu, char error[CARRIER_ERROR_MAX]);
void target_close(struct target *target);

#endif
