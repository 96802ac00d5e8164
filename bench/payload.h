/* payload.h: the bytes that the load generator writes, as text that a person can read with
 * redis-cli.
 *
 * Shape:  key      "key:000000000042"                    16 bytes, for SET and GET
 *         list     "list:00000000042"                    16 bytes, for APPEND
 *         value    "client:number" and dots up to the asked size
 *         element  "client:number," what one APPEND adds
 * Memory: the caller's. Threads, time: none. Limits: keys below 10^11; elements of up to
 * PAYLOAD_ELEMENT_BYTES_MAX.
 * Refusals: parsers return false for what none of the writers wrote. Cost: some ten divisions by
 * constants.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include "numa/base/types.h"

#define PAYLOAD_KEY_BYTES         16u
#define PAYLOAD_ELEMENT_BYTES_MAX 24u

void payload_key(uint8_t key[PAYLOAD_KEY_BYTES], uint32_t index);
void payload_list(uint8_t key[PAYLOAD_KEY_BYTES], uint32_t index);

/* Returns the element's size. */
uint32_t payload_element(uint8_t element[PAYLOAD_ELEMENT_BYTES_MAX], uint32_t client,
                         uint32_t number);

/* One element at *at, which moves behind it; false: something else, or no whole element before
 * end. */
bool payload_element_next(const uint8_t **at, const uint8_t *end, uint32_t *client,
                          uint32_t *number);

/* value_bytes >= 16 hold any client below 10^4 and any number. */
void payload_value(uint8_t *value, uint32_t value_bytes, uint32_t client, uint32_t number);
bool payload_value_parse(const uint8_t *value, uint32_t value_bytes, uint32_t *client,
                         uint32_t *number);

#endif
