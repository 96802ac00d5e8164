/* Any bytes as a command: what is accepted lies inside, keeps to the limits and encodes to the same
 * bytes. */
#include "protocols/wire/wire.h"
#include "tests/fuzz/fuzz.h"

static void check_pairs(const struct wire_command *command)
{
    uint32_t at = 0;
    while (at < command->value_bytes) {
        uint32_t key_bytes = load_u32(command->value + at);
        uint32_t value_bytes = load_u32(command->value + at + 4);
        ENSURE(key_bytes > 0 && key_bytes <= WIRE_KEY_BYTES_MAX &&
               value_bytes <= WIRE_VALUE_BYTES_MAX);
        at += 8 + key_bytes + value_bytes;
    }
    ENSURE(at == command->value_bytes && at != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t again[1 << 16];
    struct wire_command command;
    if (bytes > sizeof again || wire_command_decode(data, (uint32_t)bytes, &command) != WIRE_OK)
        return 0;
    ENSURE(command.key_bytes <= WIRE_KEY_BYTES_MAX && wire_command_size(&command) == bytes);
    if (command.op == WIRE_OP_MSET)
        check_pairs(&command);
    wire_command_encode(&command, again);
    ENSURE(memcmp(again, data, bytes) == 0);
    return 0;
}
