/* judge.c: is this a configuration that can be started? The same answer for a file that is only
 * checked and for a node that is about to start. */
#include "dataplane/node/internal.h"

#include "protocols/wire/fragment.h"

#include <stdarg.h>

__attribute__((format(printf, 2, 3))) static bool refuse(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, HOST_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

bool node_mtu_check(const char *port, uint32_t granted, char *error)
{
    if (granted >= WIRE_MTU_MIN)
        return true;
    return refuse(error, "port %s grants an MTU of %u: %u is the least that carries large values",
                  port, granted, WIRE_MTU_MIN);
}

bool node_config_check(const struct node_config *config, char error[HOST_ERROR_MAX])
{
    if (config->mtu < WIRE_MTU_MIN || config->mtu > PORT_MTU_MAX)
        return refuse(error, "[port] mtu = %u: from %u to %u bytes, without a unit",
                      (unsigned)config->mtu, WIRE_MTU_MIN, PORT_MTU_MAX);
    return true;
}
