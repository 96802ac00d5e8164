/* level.c: alone, so that a test can link another one in front of it. */
#include "protocols/wire/wire.h"

const uint8_t wire_level = 0;
