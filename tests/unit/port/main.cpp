#include "tests/unit/port/harness.h"

#include <cstdio>

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    struct port_eal_config config;
    char error[PORT_ERROR_MAX];
    port_eal_config_defaults(&config);
    config.lcores = "0@0,1@0"; // two of EAL's cores on one of the machine's
    config.memory_mib = 256;
    config.extra = "--log-level=error";
    if (!port_eal_start(&config, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    int result = RUN_ALL_TESTS();
    port_eal_stop();
    return result;
}
