#include "bench/readback.h"

#include "bench/machine.h"
#include "bench/payload.h"
#include "bench/resp_client.h"
#include "protocols/client/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BATCH_KEYS 32u

struct readback {
    const struct cluster *cluster;
    const struct oplog *log;
    uint32_t keys;
    FILE *history;
    struct appends worst;
    uint32_t process;
    uint64_t give_up_ns;
    bool failed;
    char error[CARRIER_ERROR_MAX];
    _Atomic bool finished;
};

static bool fail(struct readback *readback, uint16_t node, const char *what, const uint8_t *text,
                 uint32_t text_bytes)
{
    (void)snprintf(readback->error, sizeof readback->error,
                   "lists could not be read back through node %u: %s %.*s", node, what,
                   (int)min_u32(text_bytes, 128), text == NULL ? "" : (const char *)text);
    readback->failed = true;
    return false;
}

static void take_list(struct readback *readback, struct appends *check, uint32_t key,
                      const uint8_t *list, uint32_t list_bytes, uint64_t asked_ns)
{
    if (list != NULL)
        appends_list(check, key, list, list_bytes);
    if (readback->history != NULL)
        (void)oplog_write_list_read(readback->history, readback->process, key, list, list_bytes,
                                    asked_ns, machine_now_ns());
}

/* Reads lists [first, first + count). The first that is refused for now, and what follows it, is to
 * be asked for once more. */
static bool read_batch(struct readback *readback, struct resp_client *connection, uint16_t node,
                       struct appends *check, uint32_t first, uint32_t count, uint32_t *taken)
{
    uint64_t asked_ns = machine_now_ns();
    *taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[PAYLOAD_KEY_BYTES];
        payload_list(key, first + i);
        if (!resp_client_send_get(connection, key, sizeof key))
            return fail(readback, node, "the connection broke", NULL, 0);
    }
    bool refused = false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *text;
        uint32_t text_bytes;
        enum resp_answer answer = resp_client_read(connection, &text, &text_bytes);
        if (answer == RESP_BROKEN)
            return fail(readback, node, "no answer", NULL, 0);
        if (answer == RESP_ERROR && machine_now_ns() >= readback->give_up_ns)
            return fail(readback, node, "refused:", text, text_bytes);
        refused = refused || answer == RESP_ERROR;
        if (refused)
            continue;
        take_list(readback, check, first + i, answer == RESP_VALUE ? text : NULL, text_bytes,
                  asked_ns);
        (*taken)++;
    }
    return true;
}

static bool read_node(struct readback *readback, uint32_t index)
{
    const struct node *node = readback->cluster->node[index];
    struct resp_client connection;
    struct appends check;
    if (!resp_client_open(&connection, node_resp_port(node)))
        return fail(readback, node_id(node), "its RESP edge does not listen", NULL, 0);
    if (!appends_begin(&check, readback->log)) {
        resp_client_close(&connection);
        return fail(readback, node_id(node), "no memory", NULL, 0);
    }
    bool good = true;
    for (uint32_t key = 0; good && key < readback->keys;) {
        uint32_t taken;
        good = read_batch(readback, &connection, node_id(node), &check, key,
                          min_u32(BATCH_KEYS, readback->keys - key), &taken);
        key += taken;
        if (good && taken == 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    appends_end(&check);
    resp_client_close(&connection);
    readback->worst.acknowledged = check.acknowledged;
    readback->worst.lost = max_u64(readback->worst.lost, check.lost);
    readback->worst.duplicates = max_u64(readback->worst.duplicates, check.duplicates);
    readback->worst.out_of_order = max_u64(readback->worst.out_of_order, check.out_of_order);
    readback->worst.foreign = max_u64(readback->worst.foreign, check.foreign);
    return good;
}

static void *read_all(void *argument)
{
    struct readback *readback = argument;
    for (uint32_t i = 0; i < readback->cluster->count; i++, readback->process++) {
        if (readback->cluster->alive[i] && !read_node(readback, i))
            break;
    }
    atomic_store_explicit(&readback->finished, true, memory_order_release);
    return NULL;
}

bool readback_run(struct cluster *cluster, const struct oplog *log, uint32_t keys, FILE *history,
                  struct appends *worst, char error[CARRIER_ERROR_MAX])
{
    /* Processes of the load have numbers below; each node's reader is one more. */
    struct readback readback = {
        .cluster = cluster,
        .log = log,
        .keys = keys,
        .history = history,
        .process = log->client_count * CLIENT_WINDOW_MAX,
        .give_up_ns = machine_now_ns() + (uint64_t)READBACK_PATIENCE_S * UINT64_C(1000000000),
    };
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_all, &readback) != 0) {
        (void)snprintf(error, CARRIER_ERROR_MAX, "no thread to read the lists back with");
        return false;
    }
    while (!atomic_load_explicit(&readback.finished, memory_order_acquire))
        cluster_control(cluster);
    (void)pthread_join(thread, NULL);
    *worst = readback.worst;
    if (readback.failed)
        (void)snprintf(error, CARRIER_ERROR_MAX, "%s", readback.error);
    return !readback.failed;
}
