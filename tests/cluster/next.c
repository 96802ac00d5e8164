/* next.c: the level of a build to come, in place of protocols/wire/level.c: quorated_next is what
 * the cluster is upgraded to. */
#include "protocols/wire/wire.h"

const uint8_t wire_level = 1;
