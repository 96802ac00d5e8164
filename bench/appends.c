#include "bench/appends.h"

#include "bench/payload.h"

#include <stdlib.h>

bool appends_begin(struct appends *check, const struct oplog *log)
{
    *check = (struct appends){.log = log};
    check->last = calloc(log->client_count, sizeof *check->last);
    check->stamp = calloc(log->client_count, sizeof *check->stamp);
    if (check->last == NULL || check->stamp == NULL) {
        free(check->last);
        free(check->stamp);
        return false;
    }
    for (uint32_t client = 0; client < log->client_count; client++) {
        for (uint32_t number = 0; number < log->count[client]; number++)
            oplog_at(log, client, number)->seen = 0;
    }
    return true;
}

static struct oplog_record *find(const struct appends *check, uint32_t key, uint32_t client,
                                 uint32_t number)
{
    if (client >= check->log->client_count || number >= check->log->count[client])
        return NULL;
    struct oplog_record *record = oplog_at(check->log, client, number);
    return record->op == OPLOG_APPEND && record->key == key ? record : NULL;
}

void appends_list(struct appends *check, uint32_t key, const uint8_t *list, uint32_t list_bytes)
{
    const uint8_t *at = list;
    const uint8_t *end = list + list_bytes;
    uint64_t latest_invoke_ns = 0; /* of everything that stands before */
    check->lists++;
    while (at < end) {
        uint32_t client;
        uint32_t number;
        struct oplog_record *record = NULL;
        if (payload_element_next(&at, end, &client, &number))
            record = find(check, key, client, number);
        if (record == NULL) {
            check->foreign++;
            return;
        }
        if (record->seen < UINT8_MAX)
            record->seen++;
        if (record->seen > 1 || record->outcome == OPLOG_FAIL) {
            check->duplicates++;
            continue;
        }
        bool first = check->stamp[client] != check->lists;
        bool after_submission = first || number >= check->last[client];
        bool after_real_time = record->return_ns == 0 || record->return_ns >= latest_invoke_ns;
        if (!after_submission || !after_real_time)
            check->out_of_order++;
        check->stamp[client] = check->lists;
        check->last[client] = number + 1;
        latest_invoke_ns = max_u64(latest_invoke_ns, record->invoke_ns);
    }
}

void appends_end(struct appends *check)
{
    for (uint32_t client = 0; client < check->log->client_count; client++) {
        for (uint32_t number = 0; number < check->log->count[client]; number++) {
            const struct oplog_record *record = oplog_at(check->log, client, number);
            if (record->op != OPLOG_APPEND || record->outcome != OPLOG_OK)
                continue;
            check->acknowledged++;
            check->lost += record->seen == 0;
        }
    }
    free(check->last);
    free(check->stamp);
    check->last = NULL;
    check->stamp = NULL;
}

bool appends_clean(const struct appends *check)
{
    return check->lost == 0 && check->duplicates == 0 && check->out_of_order == 0 &&
           check->foreign == 0;
}
