#include "crypto/ed25519/ed25519.h"

#include <sodium.h>

void ed25519_to_hex(char *text, const uint8_t *bytes, size_t count)
{
    (void)sodium_bin2hex(text, 2 * count + 1, bytes, count);
}

bool ed25519_from_hex(uint8_t *bytes, size_t count, const char *text)
{
    size_t read = 0;
    return sodium_hex2bin(bytes, count, text, 2 * count, NULL, &read, NULL) == 0 && read == count;
}
