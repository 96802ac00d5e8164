/* clients.h: the list of those who may ask.
 *
 * Shape: a text file, a public key of 64 hexadecimal digits a line; what follows the key is a
 * remark, as is a line that begins with #. Read once, at start.
 *
 * Memory: allocated, sorted, the caller's to free. Threads, time: none. Limits: CLIENTS_KEYS_MAX
 * keys. Refusals: a sentence with the line. Cost: start-up only.
 */
#ifndef DATAPLANE_NODE_CLIENTS_H
#define DATAPLANE_NODE_CLIENTS_H

#include "dataplane/node/host.h"

#define CLIENTS_KEYS_MAX 1048576u

struct clients_list {
    uint8_t (*key)[ED25519_KEY_BYTES]; /* ascending */
    uint32_t count;
};

/* False: error, and an empty list. A file without a key is an error too. */
bool clients_load(const char *path, struct clients_list *list, char error[HOST_ERROR_MAX]);

#endif
