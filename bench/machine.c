#include "bench/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void read_cpu_model(char *model, size_t bytes)
{
    (void)snprintf(model, bytes, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL)
        return;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || value == NULL)
            continue;
        value[strcspn(value, "\n")] = '\0';
        (void)snprintf(model, bytes, "%s", value + 2);
        break;
    }
    (void)fclose(file);
}

void machine_describe(struct machine *machine)
{
    struct utsname name;
    (void)snprintf(machine->host, sizeof machine->host, "unknown");
    (void)snprintf(machine->kernel, sizeof machine->kernel, "unknown");
    if (uname(&name) == 0) {
        (void)snprintf(machine->host, sizeof machine->host, "%s", name.nodename);
        (void)snprintf(machine->kernel, sizeof machine->kernel, "%s %s", name.sysname,
                       name.release);
    }
    char model[128];
    read_cpu_model(model, sizeof model);
    (void)snprintf(machine->cpu, sizeof machine->cpu, "%s, %ld online", model,
                   sysconf(_SC_NPROCESSORS_ONLN));
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

uint64_t machine_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t machine_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t machine_random(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
        value = machine_now_ns();
    return value;
}
