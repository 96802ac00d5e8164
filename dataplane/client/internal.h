/* internal.h: what a handle consists of, for the files of this folder.
 *
 * Shape: the machine (protocols/client) says what to send and when to wake; the carrier moves
 * datagrams; finished commands wait in `finished` until a call takes them. Memory: malloc, freed by
 * quorate_close; values of results are copied, since the machine's own are gone with its next call.
 * Threads: one. Time: CLOCK_MONOTONIC, in carrier.c alone. Limits: CLIENT_WINDOW_MAX commands
 * submitted and not taken. Refusals: none. Cost: a scan of what is finished per call.
 */
#ifndef DATAPLANE_CLIENT_INTERNAL_H
#define DATAPLANE_CLIENT_INTERNAL_H

#include "crypto/ed25519/ed25519.h"
#include "dataplane/client/quorate_client.h"
#include "protocols/client/client.h"

#include <netinet/in.h>

#define QUORATE_FRAME_BYTES 1472u /* a datagram that Ethernet carries whole */

struct finished {
    struct quorate_result result;
    uint8_t *copy; /* of the value; NULL: none */
};

struct quorate {
    client *machine;
    void *memory;
    int socket;
    bool signs;
    struct ed25519_signer signer;
    uint64_t cluster; /* that signatures are for; 0: an answer will tell */
    uint32_t endpoint_count;
    struct sockaddr_in endpoint[QUORATE_ENDPOINTS_MAX];
    uint32_t finished_count;
    struct finished finished[CLIENT_WINDOW_MAX]; /* in order of completion                       */
    uint32_t taken_count;
    uint8_t *taken
        [CLIENT_WINDOW_MAX]; /* values that the caller may still look at, freed by the next call */
    struct client_completion completion[CLIENT_WINDOW_MAX];
    uint8_t payload[65536];
};

uint64_t quorate_carrier_now_ns(void);
/* Deadlines, sends, receives; never waits. */
void quorate_carrier_turn(struct quorate *handle);
/* Until something arrives, the machine wants a turn, or `until_ns`. */
void quorate_carrier_wait(struct quorate *handle, uint64_t until_ns);

#endif
