/* What is asked of a driver, what it grants, and what is done without it. */
#include "dataplane/port/internal.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>

#include <stdlib.h>
#include <time.h>

#define RX_WANTED (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define TX_WANTED (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)

static bool refuse(char error[PORT_ERROR_MAX], const struct port *port, const char *what, int code)
{
    snprintf(error, PORT_ERROR_MAX, "Port %s: %s: %s.", port->name, what, rte_strerror(abs(code)));
    return false;
}

static bool is_pci_address(const char *name)
{
    unsigned domain, bus, device, function;
    /* NOLINTNEXTLINE(cert-err34-c): only the form is asked */
    return sscanf(name, "%x:%x:%x.%x", &domain, &bus, &device, &function) == 4;
}

static bool attach_rings(struct port *port, const struct port_config *config,
                         char error[PORT_ERROR_MAX])
{
    char name[RTE_RING_NAMESIZE];
    int socket = config->numa_node < 0 ? SOCKET_ID_ANY : config->numa_node;
    for (uint32_t lane = 0; lane < port->lane_count; lane++) {
        snprintf(name, sizeof name, "r%zx_%u", (size_t)port, lane);
        port->rx_ring[lane] =
            rte_ring_create(name, PORT_RING_FRAMES, socket, RING_F_SC_DEQ | RING_F_EXACT_SZ);
        if (port->rx_ring[lane] == NULL)
            return refuse(error, port, "no memory for its rings, " PORT_MORE_MEMORY, rte_errno);
    }
    snprintf(name, sizeof name, "q%zx", (size_t)port);
    /* The driver insists on a transmit queue. It is never set up: sending is the wire's. */
    int device = rte_eth_from_rings(name, port->rx_ring, port->lane_count, port->rx_ring, 1,
                                    (unsigned)socket);
    if (device < 0)
        return refuse(error, port,
                      "no Ethernet device over its rings (DPDK has 32 at most, close one)",
                      rte_errno);
    port->device = (uint16_t)device;
    snprintf(port->name, sizeof port->name, "net_ring_%s", name);
    snprintf(port->bus, sizeof port->bus, "vdev");
    return true;
}

/* Found where EAL has already probed it, else plugged in now. */
static bool attach_device(struct port *port, const struct port_config *config,
                          char error[PORT_ERROR_MAX])
{
    bool pci = is_pci_address(config->name);
    const char *comma = strchr(config->name, ',');
    snprintf(port->name, sizeof port->name, "%.*s",
             comma == NULL ? 63 : (int)(comma - config->name), config->name);
    snprintf(port->bus, sizeof port->bus, "%s", pci ? "pci" : "vdev");
    if (rte_eth_dev_get_port_by_name(port->name, &port->device) == 0)
        return true;
    int code = rte_eal_hotplug_add(port->bus, port->name, comma == NULL ? "" : comma + 1);
    if (code == 0 && rte_eth_dev_get_port_by_name(port->name, &port->device) == 0)
        return true;
    if (pci)
        snprintf(error, PORT_ERROR_MAX,
                 "No PCI device %s for DPDK: bind it with `dpdk-devbind.py -b vfio-pci %s` and "
                 "start with hugepages and "
                 "PCI switched on.",
                 port->name, port->name);
    else
        snprintf(error, PORT_ERROR_MAX,
                 "DPDK has made no device from \"%s\" (%s): check driver name and arguments; "
                 "packet sockets need "
                 "CAP_NET_RAW and an interface that exists.",
                 config->name, rte_strerror(abs(code)));
    return false;
}

bool port_device_attach(struct port *port, const struct port_config *config,
                        char error[PORT_ERROR_MAX])
{
    port->device_exists =
        port->wire != NULL ? attach_rings(port, config, error) : attach_device(port, config, error);
    return port->device_exists;
}

/* Kernel interfaces show frames to packet sockets before any NIC has completed them. */
static bool driver_shows_unfinished(const char *driver)
{
    return strcmp(driver, "net_af_packet") == 0 || strcmp(driver, "net_af_xdp") == 0 ||
           strcmp(driver, "net_pcap") == 0;
}

static uint16_t mtu_granted(const struct port *port, const struct rte_eth_dev_info *info,
                            uint16_t wanted)
{
    const uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    uint32_t granted = wanted;
    if (port->wire != NULL) /* a ring has no limit of its own; its wire enforces ours */
        return wanted;
    if (info->max_mtu != 0)
        granted = RTE_MIN(granted, info->max_mtu);
    if (info->max_mtu == UINT16_MAX &&
        info->max_rx_pktlen > overhead) /* it only tells its largest frame */
        granted = RTE_MIN(granted, info->max_rx_pktlen - overhead);
    return (uint16_t)granted;
}

bool port_device_negotiate(struct port *port, const struct port_config *config,
                           char error[PORT_ERROR_MAX])
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf = {0};
    int code = rte_eth_dev_info_get(port->device, &info);
    if (code != 0)
        return refuse(error, port, "its driver does not describe it", code);
    snprintf(port->driver, sizeof port->driver, "%s", info.driver_name);
    port->unfinished_ok = driver_shows_unfinished(port->driver);
    bool wire = port->wire != NULL;
    port->device_queues = (uint16_t)RTE_MIN(port->lane_count, info.max_rx_queues);
    if (!wire)
        port->device_queues = RTE_MIN(port->device_queues, info.max_tx_queues);
    if (port->device_queues == 0)
        return refuse(error, port, "its driver offers no queue pair", EINVAL);
    port->rx_offloads = info.rx_offload_capa & RX_WANTED;
    port->tx_offloads = wire ? 0 : info.tx_offload_capa & TX_WANTED;
    conf.rxmode.offloads = port->rx_offloads;
    conf.txmode.offloads = port->tx_offloads;
    /* What a queue sends comes from one pool, unless it also sends for lanes that have no queue. */
    if (port->device_queues == port->lane_count && !wire)
        conf.txmode.offloads |= info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    port->tx_offloads = conf.txmode.offloads;
    port_rss_prepare(port, &info, &conf);
    port->mtu = mtu_granted(port, &info, config->mtu);
    uint16_t tx_queues = wire ? 0 : port->device_queues;
    conf.rxmode.mtu = wire ? 0 : port->mtu;
    code = rte_eth_dev_configure(port->device, port->device_queues, tx_queues, &conf);
    if (code != 0 && !wire) { /* some drivers state a largest frame that contradicts their MTU */
        conf.rxmode.mtu = 0;
        code = rte_eth_dev_configure(port->device, port->device_queues, tx_queues, &conf);
    }
    if (code != 0)
        return refuse(error, port, "its driver refuses what it has offered", code);
    uint16_t device_mtu;
    if (!wire && rte_eth_dev_get_mtu(port->device, &device_mtu) == 0 && device_mtu != port->mtu &&
        rte_eth_dev_set_mtu(port->device, port->mtu) != 0)
        port->mtu = RTE_MIN(port->mtu, device_mtu);
    port->rx_descriptors = wire ? PORT_RING_FRAMES : PORT_DESCRIPTORS;
    port->tx_descriptors = wire ? 0 : PORT_DESCRIPTORS;
    if (!wire) {
        code = rte_eth_dev_adjust_nb_rx_tx_desc(port->device, &port->rx_descriptors,
                                                &port->tx_descriptors);
        if (code != 0)
            return refuse(error, port, "its driver does not say how long its queues are", code);
    }
    if (config->numa_node < 0)
        port->numa_node = rte_eth_dev_socket_id(port->device); /* -1: unknown, any will do */
    return true;
}

static bool start_queues(struct port *port, char error[PORT_ERROR_MAX])
{
    struct rte_eth_dev_info info;
    int code = rte_eth_dev_info_get(port->device, &info);
    unsigned socket = (unsigned)port->numa_node;
    struct rte_eth_rxconf rx = info.default_rxconf;
    struct rte_eth_txconf tx = info.default_txconf;
    rx.offloads = port->rx_offloads & info.rx_queue_offload_capa;
    tx.offloads = port->tx_offloads & info.tx_queue_offload_capa;
    for (uint16_t i = 0; code == 0 && i < port->device_queues; i++) {
        code = rte_eth_rx_queue_setup(port->device, i, port->rx_descriptors, socket, &rx,
                                      port->queue[i]->pool);
        if (code == 0 && port->wire == NULL)
            code = rte_eth_tx_queue_setup(port->device, i, port->tx_descriptors, socket, &tx);
    }
    if (code != 0)
        return refuse(error, port,
                      "its driver can not set up a queue (are its frames larger than our MTU?)",
                      code);
    code = rte_eth_dev_start(port->device);
    if (code != 0)
        return refuse(error, port, "it does not start", code);
    port->device_started = true;
    return true;
}

/* Ours if told so, else the device's, else made from the IPv4 address: virtual drivers may have
 * none. */
static void settle_mac(struct port *port, const struct port_config *config)
{
    struct rte_ether_addr own = {0}, wanted;
    memcpy(&wanted, config->mac, sizeof wanted);
    if (port->wire == NULL)
        (void)rte_eth_macaddr_get(port->device, &own);
    port->mac = own;
    if (!rte_is_zero_ether_addr(&wanted))
        port->mac = wanted;
    else if (rte_is_zero_ether_addr(&own))
        port_mac_from_ip(port->ip, port->mac.addr_bytes);
    if (port->wire != NULL || rte_is_same_ether_addr(&port->mac, &own))
        return;
    if (rte_eth_dev_default_mac_addr_set(port->device, &port->mac) != 0) {
        (void)rte_eth_promiscuous_enable(
            port->device); /* frames for a foreign address must come in all the same */
        port->promiscuous = rte_eth_promiscuous_get(port->device) == 1;
    }
}

static void wait_for_link(const struct port *port, uint32_t wait_ms)
{
    struct rte_eth_link link = {0};
    const struct timespec step = {.tv_nsec = 10000000};
    for (uint32_t waited_ms = 0; waited_ms < wait_ms; waited_ms += 10) {
        if (rte_eth_link_get_nowait(port->device, &link) != 0 ||
            link.link_status == RTE_ETH_LINK_UP)
            return;
        nanosleep(&step, NULL);
    }
}

bool port_device_start(struct port *port, const struct port_config *config,
                       char error[PORT_ERROR_MAX])
{
    if (!start_queues(port, error))
        return false;
    settle_mac(port, config);
    port_steering_settle(port);
    wait_for_link(port, config->link_wait_ms);
    return true;
}

void port_device_release(struct port *port)
{
    if (port->device_started)
        (void)rte_eth_dev_stop(port->device);
    if (port->device_exists)
        (void)rte_eth_dev_close(port->device);
    if (port->device_exists) /* whoever plugged it in: only an unplugged one can be opened again */
        (void)rte_eal_hotplug_remove(port->bus, port->name);
}
