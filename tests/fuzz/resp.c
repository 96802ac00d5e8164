/* The RESP parser on any bytes: it stays inside them, its hint is honest, and a stream means the
 * same however it is cut. The first byte says where. */
#include "dataplane/edge/resp.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void check_spans(const struct resp_command *command, const uint8_t *data)
{
    const uint8_t *at = data;
    for (uint32_t i = 0; i < command->argument_count; i++) {
        ENSURE(command->argument[i].data >= at); /* in order, apart */
        at = command->argument[i].data + command->argument[i].bytes;
    }
    ENSURE(at <= data + command->bytes);
}

/* Goes on with the hash of what stands before; where the commands in data[0, size) end, and why, in
 * *used, *last. */
static uint64_t walk(uint64_t hash, const uint8_t *data, size_t size, size_t *used,
                     enum resp_outcome *last)
{
    static struct resp_command command;
    *used = 0;
    while (*used < size) {
        /* A copy of the exact size: reading behind it is seen by the address sanitizer. */
        uint32_t left = (uint32_t)(size - *used);
        uint8_t *exact = malloc(left);
        ENSURE(exact != NULL);
        memcpy(exact, data + *used, left);
        *last = resp_parse(exact, left, &command);
        if (*last == RESP_COMMAND) {
            check_spans(&command, exact);
            ENSURE(command.bytes > 0 && command.bytes <= left);
            for (uint32_t i = 0; i < command.argument_count; i++)
                for (uint32_t j = 0; j < command.argument[i].bytes; j++)
                    hash = hash * 31 + command.argument[i].data[j] + 1;
            hash = hash * 31 + command.argument_count;
            *used += command.bytes;
        }
        free(exact);
        if (*last == RESP_MORE)
            ENSURE(command.needed > left && command.needed <= RESP_COMMAND_BYTES_MAX);
        if (*last != RESP_COMMAND)
            break;
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    size_t cut = 1 + data[0] * (bytes - 1) / 256, used, used_of_part;
    enum resp_outcome last = RESP_MORE, last_of_part = RESP_MORE;
    data++;
    bytes--;
    cut--;
    uint64_t hash = walk(0, data, bytes, &used, &last);
    uint64_t hash_of_part = walk(0, data, cut, &used_of_part, &last_of_part);
    if (last_of_part > RESP_MORE) { /* refused already: then so is the whole, there and for that */
        ENSURE(used == used_of_part && last == last_of_part);
        return 0;
    }
    /* The whole is the commands of the part, then those of the rest, from where the part's end. */
    ENSURE(used_of_part <= used);
    size_t used_of_rest = 0;
    enum resp_outcome last_of_rest = RESP_MORE;
    ENSURE(hash == walk(hash_of_part, data + used_of_part, bytes - used_of_part, &used_of_rest,
                        &last_of_rest));
    ENSURE(used_of_part + used_of_rest == used);
    return 0;
}
