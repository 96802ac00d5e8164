/* durable: a lane's write-ahead log in the node's folder. */
#include "dataplane/node/internal.h"

#include "dataplane/log/wal.h"

#define LOG_PATH_MAX 512u

bool node_log_path(const struct node_config *config, uint32_t lane, char *path, size_t bytes)
{
    int length = snprintf(path, bytes, "%s/node-%u-lane-%u.wal", config->data, (unsigned)config->id,
                          (unsigned)lane);
    return length > 0 && (size_t)length < bytes;
}

static struct wal_config wal_config_of(const struct node *node, uint32_t lane)
{
    struct wal_config config;
    wal_config_defaults(&config);
    config.nonce = node->incarnation;
    config.group_count = node->config.group_count;
    config.node = node->config.id;
    config.lane = (uint8_t)lane;
    config.lanes = (uint8_t)node->config.lane_count;
    config.file = node->lane[lane].file;
    return config;
}

size_t node_storage_footprint(const struct node *node, uint32_t lane)
{
    if (node->config.data == NULL)
        return round_up(storage_volatile_footprint(), CACHE_LINE_BYTES);
    struct wal_config config = wal_config_of(node, lane);
    return round_up(wal_footprint(&config), CACHE_LINE_BYTES);
}

/* System calls in a thread of their own: none on the polling core. */
static struct wal_file *open_file(const struct node *node, uint32_t lane, char *error)
{
    char path[LOG_PATH_MAX];
    if (!node_log_path(&node->config, lane, path, sizeof path)) {
        (void)snprintf(error, HOST_ERROR_MAX, "the name of the data folder is too long");
        return NULL;
    }
    struct wal_file *file = wal_file_open(path, WAL_FILE_BEST, error);
    if (file == NULL)
        return NULL;
    struct wal_thread_config config;
    wal_thread_config_defaults(&config);
    /* Whoever starts nodes has been bound to the core of control threads by then. */
    config.cpus = CPU_COUNT(&node->host->cpus) != 0 ? &node->host->cpus : NULL;
    file = wal_thread_open(file, &config);
    if (file == NULL)
        (void)snprintf(error, HOST_ERROR_MAX, "no thread could be started for a log");
    return file;
}

struct storage *node_storage_open(struct node *node, uint32_t lane, void *memory, char *error)
{
    static_assert(WAL_FILE_ERROR_MAX <= HOST_ERROR_MAX, "its sentences are passed on");
    if (node->config.data == NULL)
        return storage_volatile_init(memory);
    node->lane[lane].file = open_file(node, lane, error);
    if (node->lane[lane].file == NULL)
        return NULL;
    struct wal_config config = wal_config_of(node, lane);
    enum wal_refusal refusal;
    struct storage *storage = wal_open(memory, &config, &refusal);
    struct storage_recovered recovered;
    if (storage == NULL) {
        (void)snprintf(error, HOST_ERROR_MAX, "node %u, lane %u: %s", (unsigned)node->config.id,
                       (unsigned)lane, wal_refusal_sentence(refusal));
    } else if (lane < node->config.group_count &&
               wal_recover(storage, (uint16_t)lane, &recovered)) {
        (void)snprintf(error, HOST_ERROR_MAX,
                       "%s holds the log of an earlier life of node %u, from which this version "
                       "can not start: move it away",
                       node->config.data, (unsigned)node->config.id);
        wal_close(storage);
        storage = NULL;
    }
    return storage;
}

/* After the lane: what it submitted last is as if the power had gone. */
void node_storage_close(struct node *node, uint32_t lane)
{
    struct node_lane *seat = &node->lane[lane];
    if (seat->file == NULL)
        return;
    if (seat->storage != NULL)
        wal_close(seat->storage);
    seat->file->calls->close(seat->file);
    seat->file = NULL;
}

uint64_t node_storage_cpu_ns(const struct node *node)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        if (node->lane[i].file != NULL)
            sum += wal_file_cpu_ns(node->lane[i].file);
    return sum;
}

bool node_storage_bind(struct node *node, uint64_t cluster)
{
    bool bound = true;
    for (uint32_t i = 0; node->config.data != NULL && i < node->config.lane_count; i++)
        bound = bound && wal_bind(node->lane[i].storage, cluster);
    return bound;
}
