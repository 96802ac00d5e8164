#include "bench/oplog.h"

#include "bench/payload.h"
#include "numa/base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[] = {"set", "get", "append"};
static const char *const outcome_names[] = {"open", "ok", "fail"};

bool oplog_create(struct oplog *log, uint32_t clients, uint32_t capacity)
{
    log->client_count = clients;
    log->capacity = capacity;
    log->count = calloc(clients, sizeof *log->count);
    log->record = calloc((size_t)clients * capacity, sizeof *log->record);
    if (log->count != NULL && log->record != NULL)
        return true;
    oplog_destroy(log);
    return false;
}

void oplog_destroy(struct oplog *log)
{
    free(log->count);
    free(log->record);
    memset(log, 0, sizeof *log);
}

uint32_t oplog_begin(struct oplog *log, uint32_t client, uint32_t process, enum oplog_op op,
                     uint32_t key, uint64_t invoke_ns)
{
    ENSURE(client < log->client_count);
    uint32_t number = log->count[client];
    if (number == log->capacity)
        return OPLOG_FULL;
    log->count[client]++;
    *oplog_at(log, client, number) = (struct oplog_record){
        .invoke_ns = invoke_ns,
        .key = key,
        .result_client = OPLOG_NOBODY,
        .process = process,
        .op = (uint8_t)op,
        .outcome = OPLOG_OPEN,
    };
    return number;
}

void oplog_end(struct oplog *log, uint32_t client, uint32_t number, enum oplog_outcome outcome,
               uint64_t return_ns, uint32_t result_client, uint32_t result)
{
    ENSURE(client < log->client_count && number < log->count[client]);
    struct oplog_record *record = oplog_at(log, client, number);
    record->outcome = (uint8_t)outcome;
    record->return_ns = outcome == OPLOG_OPEN ? 0 : return_ns;
    record->result_client = result_client;
    record->result = result;
}

static void write_key(FILE *file, uint32_t process, enum oplog_op op, bool list, uint32_t index)
{
    uint8_t key[PAYLOAD_KEY_BYTES];
    if (list)
        payload_list(key, index);
    else
        payload_key(key, index);
    (void)fprintf(file, "{\"process\":%" PRIu32 ",\"op\":\"%s\",\"key\":\"%.*s\"", process,
                  op_names[op], (int)sizeof key, (const char *)key);
}

static void write_result(FILE *file, const struct oplog_record *record)
{
    if (record->outcome != OPLOG_OK) {
        (void)fputs(",\"result\":null", file);
    } else if (record->op == OPLOG_SET) {
        (void)fputs(",\"result\":\"OK\"", file);
    } else if (record->op == OPLOG_APPEND) {
        (void)fprintf(file, ",\"result\":%" PRIu32, record->result);
    } else if (record->result_client == OPLOG_NOBODY) {
        (void)fputs(",\"result\":null", file);
    } else {
        (void)fprintf(file, ",\"result\":\"%" PRIu32 ":%" PRIu32 "\"", record->result_client,
                      record->result);
    }
}

static void write_record(FILE *file, const struct oplog_record *record, uint32_t client,
                         uint32_t number)
{
    write_key(file, record->process, record->op, record->op == OPLOG_APPEND, record->key);
    if (record->op == OPLOG_GET)
        (void)fputs(",\"argument\":null", file);
    else
        (void)fprintf(file, ",\"argument\":\"%" PRIu32 ":%" PRIu32 "%s\"", client, number,
                      record->op == OPLOG_APPEND ? "," : "");
    write_result(file, record);
    (void)fprintf(file, ",\"invoke_ns\":%" PRIu64, record->invoke_ns);
    if (record->outcome == OPLOG_OPEN)
        (void)fputs(",\"return_ns\":null", file);
    else
        (void)fprintf(file, ",\"return_ns\":%" PRIu64, record->return_ns);
    (void)fprintf(file, ",\"outcome\":\"%s\"}\n", outcome_names[record->outcome]);
}

bool oplog_write(const struct oplog *log, FILE *file)
{
    for (uint32_t client = 0; client < log->client_count; client++) {
        for (uint32_t number = 0; number < log->count[client]; number++)
            write_record(file, oplog_at(log, client, number), client, number);
    }
    return ferror(file) == 0;
}

bool oplog_write_list_read(FILE *file, uint32_t process, uint32_t key, const uint8_t *list,
                           uint32_t list_bytes, uint64_t invoke_ns, uint64_t return_ns)
{
    write_key(file, process, OPLOG_GET, true, key);
    if (list == NULL) {
        (void)fputs(",\"argument\":null,\"result\":null", file);
    } else {
        (void)fputs(",\"argument\":null,\"result\":\"", file);
        for (uint32_t i = 0; i < list_bytes; i++) { /* whatever was stored, the line stays JSON */
            bool plain = list[i] >= ' ' && list[i] <= '~' && list[i] != '"' && list[i] != '\\';
            (void)fprintf(file, plain ? "%c" : "\\u%04x", list[i]);
        }
        (void)fputc('"', file);
    }
    (void)fprintf(file,
                  ",\"invoke_ns\":%" PRIu64 ",\"return_ns\":%" PRIu64 ",\"outcome\":\"ok\"}\n",
                  invoke_ns, return_ns);
    return ferror(file) == 0;
}
