#include "dataplane/client/internal.h"
#include "numa/base/assert.h"

#include <stdlib.h>
#include <string.h>

/* Every call ends the life of the values that the one before gave out. */
static void forget_values(struct quorate *handle)
{
    for (uint32_t i = 0; i < handle->taken_count; i++)
        free(handle->taken[i]);
    handle->taken_count = 0;
}

/* Moves finished command i into the caller's hands. */
static struct quorate_result take(struct quorate *handle, uint32_t i)
{
    struct finished finished = handle->finished[i];
    handle->finished_count--;
    memmove(&handle->finished[i], &handle->finished[i + 1],
            (handle->finished_count - i) * sizeof handle->finished[0]);
    if (finished.copy != NULL)
        handle->taken[handle->taken_count++] = finished.copy;
    return finished.result;
}

uint32_t quorate_outstanding(const struct quorate *handle)
{
    return client_outstanding(handle->machine) + handle->finished_count;
}

static enum quorate_status submit(struct quorate *handle, const struct wire_command *command,
                                  uint64_t tag)
{
    if (quorate_outstanding(handle) >= CLIENT_WINDOW_MAX || client_room(handle->machine) == 0)
        return QUORATE_FULL;
    return client_submit(handle->machine, command, tag, quorate_carrier_now_ns())
               ? QUORATE_OK
               : QUORATE_BAD_COMMAND;
}

enum quorate_status quorate_submit(struct quorate *handle, const struct wire_command *command,
                                   uint64_t tag)
{
    forget_values(handle);
    return tag == QUORATE_TAG_RESERVED ? QUORATE_BAD_COMMAND : submit(handle, command, tag);
}

uint32_t quorate_poll(struct quorate *handle, struct quorate_result *results, uint32_t count,
                      uint64_t timeout_ns)
{
    forget_values(handle);
    uint64_t now_ns = quorate_carrier_now_ns();
    uint64_t until_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
    quorate_carrier_turn(handle);
    while (handle->finished_count == 0 && client_outstanding(handle->machine) != 0 &&
           quorate_carrier_now_ns() < until_ns) {
        quorate_carrier_wait(handle, until_ns);
        quorate_carrier_turn(handle);
    }
    uint32_t given = min_u32(count, handle->finished_count);
    for (uint32_t i = 0; i < given; i++)
        results[i] = take(handle, 0);
    return given;
}

/* The one command that bears the reserved tag, if it is finished. */
static bool take_reserved(struct quorate *handle, struct quorate_result *result)
{
    for (uint32_t i = 0; i < handle->finished_count; i++) {
        if (handle->finished[i].result.tag == QUORATE_TAG_RESERVED) {
            *result = take(handle, i);
            return true;
        }
    }
    return false;
}

enum quorate_status quorate_execute(struct quorate *handle, const struct wire_command *command,
                                    struct quorate_result *result)
{
    forget_values(handle);
    *result = (struct quorate_result){.tag = QUORATE_TAG_RESERVED};
    result->status = submit(handle, command, QUORATE_TAG_RESERVED);
    if (result->status != QUORATE_OK)
        return result->status;
    for (quorate_carrier_turn(handle); !take_reserved(handle, result); quorate_carrier_turn(handle))
        quorate_carrier_wait(handle, UINT64_MAX); /* the command's own deadline ends this */
    return result->status;
}

static struct wire_command command_of(uint8_t op, const void *key, uint32_t key_bytes)
{
    /* A length that does not fit its field becomes one that is refused. */
    return (struct wire_command){
        .op = op,
        .key_bytes = (uint16_t)min_u32(key_bytes, WIRE_KEY_BYTES_MAX + 1),
        .key = key,
    };
}

enum quorate_status quorate_set(struct quorate *handle, const void *key, uint32_t key_bytes,
                                const void *value, uint32_t value_bytes, uint64_t ttl_ms)
{
    struct quorate_result result;
    struct wire_command command = command_of(WIRE_OP_SET, key, key_bytes);
    command.value = value;
    command.value_bytes = value_bytes;
    command.argument = (int64_t)min_u64(ttl_ms, INT64_MAX);
    return quorate_execute(handle, &command, &result);
}

enum quorate_status quorate_get(struct quorate *handle, const void *key, uint32_t key_bytes,
                                struct quorate_result *result)
{
    struct wire_command command = command_of(WIRE_OP_GET, key, key_bytes);
    return quorate_execute(handle, &command, result);
}

/* Commands that answer 1 or 0. */
static enum quorate_status one_or(struct quorate *handle, const struct wire_command *command,
                                  enum quorate_status zero)
{
    struct quorate_result result;
    enum quorate_status status = quorate_execute(handle, command, &result);
    return status == QUORATE_OK && result.integer == 0 ? zero : status;
}

enum quorate_status quorate_del(struct quorate *handle, const void *key, uint32_t key_bytes)
{
    struct wire_command command = command_of(WIRE_OP_DEL, key, key_bytes);
    return one_or(handle, &command, QUORATE_NIL);
}

enum quorate_status quorate_cas(struct quorate *handle, const void *key, uint32_t key_bytes,
                                const void *old, uint32_t old_bytes, const void *value,
                                uint32_t value_bytes)
{
    struct wire_command command = command_of(WIRE_OP_CAS, key, key_bytes);
    command.old = old;
    command.old_bytes = old_bytes;
    command.value = value;
    command.value_bytes = value_bytes;
    return one_or(handle, &command, QUORATE_MISMATCH);
}

enum quorate_status quorate_incr(struct quorate *handle, const void *key, uint32_t key_bytes,
                                 int64_t by, int64_t *sum)
{
    struct quorate_result result;
    struct wire_command command = command_of(WIRE_OP_INCRBY, key, key_bytes);
    command.argument = by;
    enum quorate_status status = quorate_execute(handle, &command, &result);
    if (sum != NULL)
        *sum = result.integer;
    return status;
}
