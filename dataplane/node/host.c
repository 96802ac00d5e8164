#include "dataplane/node/config.h"
#include "dataplane/node/internal.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t host_random(void)
{
    uint64_t value = 0;
    while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value || value == 0) {
    }
    return value;
}

const char *host_idle_policy_name(enum idle_policy policy)
{
    static const char *const name[] = {"yield", "spin", "sleep"};
    return name[policy];
}

static bool refuse(char error[HOST_ERROR_MAX], const char *sentence)
{
    (void)snprintf(error, HOST_ERROR_MAX, "%s", sentence);
    return false;
}

static bool plan(struct host *host, char error[HOST_ERROR_MAX])
{
    enum topology_refusal unread = topology_init(&host->topology, NULL);
    if (unread != TOPOLOGY_READ)
        return refuse(error, topology_refusal_sentence(unread));
    struct placement_request request;
    config_placement(&host->config, &request);
    enum placement_refusal unbuilt = placement_build(&host->topology, &request, &host->placement);
    if (unbuilt != PLACEMENT_BUILT)
        return refuse(error, placement_refusal_sentence(unbuilt));
    if (host->placement.worker_count > HOST_CORES_MAX)
        return refuse(error, "more polling cores than this build knows; ask for fewer cores");
    return true;
}

/* Load generators take the control threads' cores: on a small machine there are no others. */
static bool client_lcores(struct host *host, char *lcores, size_t bytes)
{
    size_t used = strlen(lcores);
    for (uint32_t i = 0; i < host->config.client_cores; i++) {
        host->client[i].lcore = placement_lcore_of(host->placement.worker_count) + i;
        uint32_t pu = host->placement.control[i % host->placement.control_count];
        int more = snprintf(lcores + used, bytes - used, ",%u@%u", host->client[i].lcore, pu);
        if (more < 0 || (size_t)more >= bytes - used)
            return false;
        used += (size_t)more;
    }
    return true;
}

static uint32_t memory_mib(const struct host_config *config)
{
    struct port_config port;
    port_config_defaults(&port);
    port.name = config->port_name;
    port.lane_count = (uint16_t)config->lanes;
    port.core_count = config->cores + config->client_cores + 1;
    port.mtu = (uint16_t)config->mtu;
    uint64_t bytes = (config->replicas + config->client_cores) * port_memory_bytes(&port);
    return (uint32_t)(bytes >> 20) + 32;
}

static bool start_eal(struct host *host, char error[HOST_ERROR_MAX])
{
    const struct host_config *config = &host->config;
    static char lcores[PLACEMENT_LCORES_MAX + 16 * HOST_CORES_MAX];
    if (placement_lcores(&host->placement, lcores, sizeof lcores) == 0 ||
        !client_lcores(host, lcores, sizeof lcores))
        return refuse(error, "this topology is not this machine's: it can be drawn, not started");
    struct port_eal_config eal;
    port_eal_config_defaults(&eal);
    eal.lcores = lcores;
    eal.main_core = 0;
    eal.memory_mib = memory_mib(config);
    eal.pci = config->pci;
    eal.vdevs = config->vdevs;
    eal.vdev_count = config->vdev_count;
    eal.extra = config->eal_arguments;
    bool enough = port_eal_hugepages_free_bytes() >= (uint64_t)eal.memory_mib << 20;
    bool huge = config->huge == HUGE_REQUIRED || (config->huge == HUGE_AUTO && enough);
    eal.memory = huge ? PORT_EAL_IN_MEMORY : PORT_EAL_NO_HUGE;
    return port_eal_start(&eal, error);
}

struct host *host_start(const struct host_config *config, char error[HOST_ERROR_MAX])
{
    struct host *host = aligned_alloc(CACHE_LINE_BYTES, round_up(sizeof *host, CACHE_LINE_BYTES));
    if (host == NULL || config->client_cores > HOST_CORES_MAX) {
        (void)refuse(error, host == NULL ? "out of memory" : "too many client cores");
        free(host);
        return NULL;
    }
    memset(host, 0, sizeof *host);
    host->config = *config;
    (void)pthread_getcpuclockid(pthread_self(), &host->control_clock);
    if (sched_getaffinity(0, sizeof host->cpus, &host->cpus) != 0)
        CPU_ZERO(&host->cpus);
    if (!plan(host, error) || !start_eal(host, error)) {
        topology_fini(&host->topology);
        free(host);
        return NULL;
    }
    host->wire = port_wire_create(error);
    if (host->wire == NULL) {
        host_stop(host);
        return NULL;
    }
    for (uint32_t w = 0; w < host->placement.worker_count; w++) {
        host->core[w].lcore = placement_lcore_of(w);
        host->core[w].idle = config->idle;
        host->core[w].yields = host->placement.workers[w].yields;
    }
    return host;
}

struct node *host_node_add(struct host *host, const struct node_config *config,
                           char error[HOST_ERROR_MAX])
{
    if (host->node_count == host->config.replicas || host->node_count == HOST_NODES_MAX) {
        (void)refuse(error, "more nodes than the plan was made for");
        return NULL;
    }
    if (!node_config_check(config, error))
        return NULL;
    if (config->lane_count != host->config.lanes) {
        (void)refuse(error, "[node] lanes: nodes of one process must have equally many");
        return NULL;
    }
    struct node *node = node_create(host, config, host->node_count, error);
    if (node == NULL)
        return NULL;
    host->node[host->node_count++] = node;
    if (host->running)
        node_seat(node);
    return node;
}

bool host_run(struct host *host, char error[HOST_ERROR_MAX])
{
    for (uint32_t i = 0; i < host->node_count; i++)
        node_seat(host->node[i]);
    for (uint32_t w = 0; w < host->placement.worker_count; w++)
        if (!port_eal_launch(host->core[w].lcore, core_run, &host->core[w]))
            return refuse(error, "a polling core could not be started");
    host->running = true;
    return true;
}

void host_control(struct host *host, uint64_t slice_ns)
{
    struct timespec start, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t passed = 0;
    do {
        for (uint32_t i = 0; i < host->node_count; i++)
            if (host->node[i]->alive)
                node_control(host->node[i]);
        view_synchronize();
        struct timespec pause = {.tv_nsec = HOST_CONTROL_NS};
        (void)nanosleep(&pause, NULL);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (uint64_t)(now.tv_sec - start.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec -
                 (uint64_t)start.tv_nsec;
    } while (passed < slice_ns);
}

void host_node_kill(struct host *host, struct node *node)
{
    (void)host;
    if (node->alive)
        node_destroy(node);
}

void host_stop(struct host *host)
{
    for (uint32_t w = 0; w < host->placement.worker_count; w++)
        atomic_store(&host->core[w].stop, true);
    for (uint32_t w = 0; host->running && w < host->placement.worker_count; w++)
        (void)port_eal_wait(host->core[w].lcore);
    for (uint32_t i = 0; i < host->node_count; i++) {
        if (host->node[i]->alive)
            node_destroy(host->node[i]);
        free(host->node[i]);
    }
    for (uint32_t i = 0; i < host->client_port_count; i++)
        (void)port_close(host->client_port[i]);
    if (host->wire != NULL)
        port_wire_destroy(host->wire);
    memory_release(host->base_region.memory, host->base_region.bytes);
    port_eal_stop();
    topology_fini(&host->topology);
    free(host);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec spent;
    if (clock == 0 || clock_gettime(clock, &spent) != 0)
        return 0;
    return (uint64_t)spent.tv_sec * 1000000000u + (uint64_t)spent.tv_nsec;
}

uint64_t host_server_cpu_ns(const struct host *host)
{
    uint64_t sum = clock_ns(host->control_clock) + host->gone_cpu_ns;
    for (uint32_t w = 0; w < host->placement.worker_count; w++)
        sum += clock_ns(host->core[w].cpu_clock);
    for (uint32_t i = 0; i < host->node_count; i++) {
        if (host->node[i]->alive && host->node[i]->edge != NULL)
            sum += edge_cpu_ns(host->node[i]->edge);
        if (host->node[i]->alive)
            sum += node_storage_cpu_ns(host->node[i]) + node_keeper_cpu_ns(host->node[i]);
    }
    return sum;
}

const struct placement *host_placement(const struct host *host)
{
    return &host->placement;
}

void host_draw_placement(const struct host *host, FILE *out)
{
    placement_draw(&host->placement, &host->topology, out);
}

struct port_queue *host_client_port(struct host *host, char error[HOST_ERROR_MAX])
{
    if (host->client_port_count == HOST_CORES_MAX) {
        (void)refuse(error, "too many load generators");
        return NULL;
    }
    struct port_config config;
    port_config_defaults(&config);
    config.name = "ring";
    config.wire = host->wire;
    config.ip = (10u << 24) | (77u << 16) | (255u << 8) | (host->client_port_count + 1);
    config.prefix_bits = 16;
    config.udp_port = 7600;
    config.mtu = (uint16_t)host->config.mtu;
    struct port *port = port_open(&config, error);
    if (port == NULL)
        return NULL;
    host->client_port[host->client_port_count++] = port;
    return port_queue_of(port, 0);
}

bool host_client_launch(struct host *host, uint32_t index, int (*fn)(void *), void *argument)
{
    struct core *core = &host->client[index];
    core->client = fn;
    core->client_argument = argument;
    return port_eal_launch(core->lcore, core_run_client, core);
}

void host_client_wait(struct host *host, uint32_t index)
{
    (void)port_eal_wait(host->client[index].lcore);
}
