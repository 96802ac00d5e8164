#include "bench/payload.h"

#include "numa/base/assert.h"

#include <string.h>

static void put_digits(uint8_t *to, uint32_t digits, uint32_t number)
{
    for (uint32_t i = digits; i > 0; i--) {
        to[i - 1] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

static uint32_t put_number(uint8_t *to, uint32_t number)
{
    uint32_t digits = 1;
    for (uint32_t rest = number; rest >= 10; rest /= 10)
        digits++;
    put_digits(to, digits, number);
    return digits;
}

static bool get_number(const uint8_t **at, const uint8_t *end, uint32_t *number)
{
    const uint8_t *first = *at;
    uint64_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        value = value * 10 + (uint64_t)(**at - '0');
        if (value > UINT32_MAX)
            return false;
    }
    bool padded = *at - first > 1 && *first == '0';
    *number = (uint32_t)value;
    return *at != first && !padded;
}

static bool get_pair(const uint8_t **at, const uint8_t *end, uint32_t *client, uint32_t *number)
{
    if (!get_number(at, end, client) || *at == end || **at != ':')
        return false;
    (*at)++;
    return get_number(at, end, number);
}

void payload_key(uint8_t key[PAYLOAD_KEY_BYTES], uint32_t index)
{
    static const uint8_t head[] = {'k', 'e', 'y', ':'};
    memcpy(key, head, sizeof head);
    put_digits(key + sizeof head, PAYLOAD_KEY_BYTES - sizeof head, index);
}

void payload_list(uint8_t key[PAYLOAD_KEY_BYTES], uint32_t index)
{
    static const uint8_t head[] = {'l', 'i', 's', 't', ':'};
    memcpy(key, head, sizeof head);
    put_digits(key + sizeof head, PAYLOAD_KEY_BYTES - sizeof head, index);
}

uint32_t payload_element(uint8_t element[PAYLOAD_ELEMENT_BYTES_MAX], uint32_t client,
                         uint32_t number)
{
    uint32_t bytes = put_number(element, client);
    element[bytes++] = ':';
    bytes += put_number(element + bytes, number);
    element[bytes++] = ',';
    return bytes;
}

bool payload_element_next(const uint8_t **at, const uint8_t *end, uint32_t *client,
                          uint32_t *number)
{
    if (!get_pair(at, end, client, number) || *at == end || **at != ',')
        return false;
    (*at)++;
    return true;
}

void payload_value(uint8_t *value, uint32_t value_bytes, uint32_t client, uint32_t number)
{
    uint8_t text[PAYLOAD_ELEMENT_BYTES_MAX];
    uint32_t bytes = payload_element(text, client, number) - 1;
    ENSURE(bytes <= value_bytes);
    memcpy(value, text, bytes);
    memset(value + bytes, '.', value_bytes - bytes);
}

bool payload_value_parse(const uint8_t *value, uint32_t value_bytes, uint32_t *client,
                         uint32_t *number)
{
    const uint8_t *at = value;
    const uint8_t *end = value + value_bytes;
    if (!get_pair(&at, end, client, number))
        return false;
    while (at < end && *at == '.')
        at++;
    return at == end;
}
