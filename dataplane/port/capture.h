/* capture.h: what a lane sent and received, as a pcap file that the usual tools read.
 *
 * Shape: one file per lane, so lanes share nothing. DPDK's own tools can not attach to a process
 * without hugepages; this one needs nobody. Memory: stdio's buffer. Threads: the lane's. Time: the
 * machine's wall clock.
 * Limits: the disk. Refusals: a file that can not be written is closed, capturing ends, the port
 * goes on.
 * Cost: a system call now and then: for looking, not for measuring. Off: one branch per burst.
 */
#ifndef DATAPLANE_PORT_CAPTURE_H
#define DATAPLANE_PORT_CAPTURE_H

#include "numa/base/types.h"

struct capture;
struct rte_mbuf;

struct capture *capture_open(const char *path, uint32_t lane); /* NULL: see errno */
void capture_frames(struct capture *capture, struct rte_mbuf *const *frames, uint32_t count);
void capture_close(struct capture *capture);

#endif
