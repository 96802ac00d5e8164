/* open.h: how a port comes to be, what was agreed with its driver, and the wire inside a process.
 *
 * Shape: one port per node, one queue per lane, whatever lies underneath. Lane i listens on
 * udp_port + i.
 *
 *   "ring"                            a place on a port_wire, the switch inside this process
 *   "net_af_packet0,iface=dp0" ...    any virtual device of DPDK: name, comma, its arguments
 *   "0000:81:00.0"                    a PCI device that is bound to vfio-pci (or to mlx5)
 *
 *   What the driver can not do is done in software, and the report says so: checksums; the way from
 *   a UDP port to a lane (rte_flow, else RSS with chosen source ports, else by hand); queues for
 *   every lane. A frame that arrives on another lane's queue is handed over to that lane's inbox,
 *   so steering is about speed only.
 *
 * Memory: DPDK's heap on the port's NUMA node: per lane one pool of frames, sized by the sum in
 * pool.c.
 * Threads: the calls below are for one control thread at a time, but those marked "any". No lane is
 *   polled before port_open has returned, nor after the call of port_close.
 *   Ring wire: a port can go while others send. port_detach takes it off the wire; every core that
 *   polls a port on that wire must then have come out of the port call that it is in (one grace
 *   period of view.h); port_close after that returns to the pool what still lies in its rings, and
 *   frees them.
 * Time: the caller's now_ns, for ARP alone: neighbours are asked again after NEIGHBOUR_FRESH_NS,
 *   forgotten after NEIGHBOUR_STALE_NS; three announcements of our address, a second apart, from
 *   lane 0.
 * Limits: PORT_LANES_MAX lanes, PORT_WIRE_PORTS_MAX ports on a wire, 32 ports a process (DPDK's),
 *   PORT_NEIGHBOURS_STATIC_MAX neighbours set by hand, 512 learnt per lane, MTU 576 to
 *   PORT_MTU_MAX.
 * Refusals: port_open returns NULL and a sentence that says the mend.
 * Cost: opening 1 to 100 ms, a NIC up to link_wait_ms more; not measured.
 */
#ifndef DATAPLANE_PORT_OPEN_H
#define DATAPLANE_PORT_OPEN_H

#include "dataplane/port/port.h"

#define PORT_LANES_MAX             16u
#define PORT_WIRE_PORTS_MAX        32u
#define PORT_NEIGHBOURS_STATIC_MAX 64u
#define PORT_MTU_MAX               9600u
#define PORT_MAC_BYTES             6u
#define PORT_ERROR_MAX             256u
#define PORT_REPORT_LINE_MAX       512u
#define NEIGHBOUR_FRESH_NS         UINT64_C(60000000000)
#define NEIGHBOUR_STALE_NS         UINT64_C(90000000000)

struct port;
struct port_wire;

struct port_config {
    const char *name;       /* see above */
    struct port_wire *wire; /* "ring" only */
    uint32_t ip;            /* host order */
    uint32_t gateway_ip;    /* 0: none, everybody is on the link */
    uint8_t prefix_bits;    /* of the link's network; 1 to 32 */
    uint8_t
        mac[PORT_MAC_BYTES]; /* zero: the device's own; 02:51 and the IPv4 address if it has none */
    uint16_t udp_port;       /* of lane 0 */
    uint16_t lane_count;     /* 1 to PORT_LANES_MAX */
    uint16_t mtu;            /* 0: 1500 */
    int numa_node;           /* -1: the device's */
    uint32_t held_frames;    /* most that one lane's rooms hold between port calls; 0: 1024 */
    uint32_t core_count;     /* polling cores in this process; 0: all of EAL's */
    uint32_t link_wait_ms;   /* how long port_open waits for the link to come up */
    const char *capture_path; /* NULL: none; else a pcap file per lane, PATH.0, PATH.1, ... */
};

/* One port, all zero but for prefix_bits 24, lane_count 1, mtu 1500, numa_node -1. */
void port_config_defaults(struct port_config *config);

/* What EAL must be given for this port, in bytes of its heap (upper bound). core_count must be
 * set. */
uint64_t port_memory_bytes(const struct port_config *config);

struct port *port_open(const struct port_config *config,
                       char error[PORT_ERROR_MAX]); /* NULL: error */
struct port_queue *port_queue_of(struct port *port, uint32_t lane);

/* Takes the port off its wire; no-op on a device. */
void port_detach(struct port *port);

/* Detaches if need be, stops and unplugs the device, returns the frames in its rings, frees all.
 * Returns how many frames were not given back (by the rooms; some drivers, as net_af_xdp, keep
 * theirs, too): gone with the pool. */
uint32_t port_close(struct port *port);

/* ---- neighbours ------------------------------------------------------------------------------ */

/* A MAC address that no ARP packet overrides; seen by each lane at its next send. False: too
 * many. */
bool port_neighbour_set(struct port *port, uint32_t ip, const uint8_t mac[PORT_MAC_BYTES]);

/* What this lane knows; owner of the queue only. False: not resolved. */
bool port_neighbour_find(const struct port_queue *queue, uint32_t ip, uint8_t mac[PORT_MAC_BYTES]);

/* ---- what was agreed ------------------------------------------------------------------------- */

enum port_steering {
    PORT_STEERING_SINGLE,   /* one lane: nothing to steer */
    PORT_STEERING_WIRE,     /* the ring wire looks at the UDP port */
    PORT_STEERING_FLOW,     /* the NIC looks at the UDP port (rte_flow) */
    PORT_STEERING_RSS,      /* the NIC hashes; peers use the source port of port_source_port */
    PORT_STEERING_SOFTWARE, /* the lane that finds a frame hands it over */
};

struct port_report {
    char name[64];
    char driver[32];
    enum port_steering steering;
    uint8_t mac[PORT_MAC_BYTES];
    uint32_t ip;
    uint16_t udp_port;
    uint16_t lane_count;
    uint16_t device_queues; /* hardware queue pairs; lanes above share the first */
    uint16_t rx_descriptors;
    uint16_t tx_descriptors;
    uint16_t mtu;
    int numa_node;        /* -1: unknown or none */
    uint32_t pool_frames; /* per lane */
    bool promiscuous;
    bool link_up;
    bool rx_ip_checksum_in_hardware; /* "hardware" on a ring: a memory copy, nothing to verify */
    bool rx_udp_checksum_in_hardware;
    bool tx_ip_checksum_in_hardware;
    bool tx_udp_checksum_in_hardware;
    uint64_t device_rx_missed; /* so far: no descriptor was free */
    uint64_t device_rx_errors; /* so far: bad on the wire, or no frame in the pool */
    uint64_t device_tx_errors;
};

void port_report(const struct port *port, struct port_report *report); /* any */
/* One line for people, without a newline. */
void port_report_line(const struct port_report *report, char line[PORT_REPORT_LINE_MAX]);
const char *port_steering_name(enum port_steering steering);

/* The source port that `remote_ip` must send from so that its frames for lane `lane` land on that
 * lane's queue; 0: any will do. Published to peers by the view. O(range searched), for the control
 * thread. */
uint16_t port_source_port(const struct port *port, uint32_t lane, uint32_t remote_ip);

/* ---- the wire inside a process --------------------------------------------------------------- */

/* A switch: looks at the destination's MAC address and UDP port, copies into the receiver's pool,
 * enforces the receiver's MTU, drops and counts (at the sender) what finds no room. NULL: error. */
struct port_wire *port_wire_create(char error[PORT_ERROR_MAX]);
void port_wire_destroy(struct port_wire *wire); /* no port is on it any more */

#endif
