#include "dataplane/port/eal.h"

#include "dataplane/port/internal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_memory.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS_MAX      128
#define ARGUMENT_BYTES_MAX 256
#define MEMORY_MIB_DEFAULT 64u

/* EAL reorders and writes to its arguments, so they get room of their own. */
struct arguments {
    int count;
    bool overflow;
    char *pointer[ARGUMENTS_MAX + 1];
    char text[ARGUMENTS_MAX][ARGUMENT_BYTES_MAX];
};

static void add(struct arguments *arguments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct arguments *arguments, const char *format, ...)
{
    va_list values;
    if (arguments->count == ARGUMENTS_MAX) {
        arguments->overflow = true;
        return;
    }
    char *text = arguments->text[arguments->count];
    va_start(values, format);
    int bytes = vsnprintf(text, ARGUMENT_BYTES_MAX, format, values);
    va_end(values);
    arguments->overflow |= bytes >= ARGUMENT_BYTES_MAX;
    arguments->pointer[arguments->count++] = text;
}

static void add_words(struct arguments *arguments, const char *words)
{
    while (*words != '\0') {
        size_t bytes = strcspn(words, " \t\n");
        if (bytes > 0)
            add(arguments, "%.*s", (int)bytes, words);
        words += bytes + (words[bytes] != '\0');
    }
}

static void arguments_fill(struct arguments *arguments, const struct port_eal_config *config)
{
    add(arguments, "quorate");
    add(arguments, "--lcores=%s", config->lcores);
    if (config->main_core >= 0)
        add(arguments, "--main-lcore=%d", config->main_core);
    add(arguments, "-m");
    add(arguments, "%u", config->memory_mib == 0 ? MEMORY_MIB_DEFAULT : config->memory_mib);
    if (config->memory == PORT_EAL_NO_HUGE) {
        add(arguments, "--no-huge");
        add(arguments, "--no-shconf"); /* nobody attaches: leave no files behind */
    }
    if (config->memory == PORT_EAL_IN_MEMORY)
        add(arguments, "--in-memory");
    if (!config->pci) {
        add(arguments, "--no-pci");
        if (config->memory == PORT_EAL_IN_MEMORY) /* nothing here needs physical addresses */
            add(arguments, "--iova-mode=va");
    }
    for (uint32_t i = 0;
         config->pci && config->pci_addresses != NULL && i < config->pci_address_count; i++)
        add(arguments, "--allow=%s", config->pci_addresses[i]);
    for (uint32_t i = 0; i < config->vdev_count; i++)
        add(arguments, "--vdev=%s", config->vdevs[i]);
    if (config->file_prefix != NULL)
        add(arguments, "--file-prefix=%s", config->file_prefix);
    else
        add(arguments, "--file-prefix=quorate-%d", (int)getpid());
    add(arguments, "--no-telemetry");
    if (!config->verbose)
        add(arguments, "--log-level=warning");
    if (config->extra != NULL)
        add_words(arguments, config->extra);
}

void port_eal_config_defaults(struct port_eal_config *config)
{
    *config =
        (struct port_eal_config){.lcores = "0", .main_core = -1, .memory_mib = MEMORY_MIB_DEFAULT};
}

static uint64_t read_number(const char *path)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return read ? strtoull(text, NULL, 10) : 0;
}

uint64_t port_eal_hugepages_free_bytes(void)
{
    static const char root[] = "/sys/kernel/mm/hugepages";
    uint64_t bytes = 0;
    DIR *directory = opendir(root);
    if (directory == NULL)
        return 0;
    static const char prefix[] = "hugepages-";
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else reads this stream */
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        uint64_t page_kib = strtoull(entry->d_name + sizeof prefix - 1, NULL, 10);
        snprintf(path, sizeof path, "%s/%s/free_hugepages", root, entry->d_name);
        bytes += read_number(path) * (page_kib << 10);
    }
    closedir(directory);
    return bytes;
}

static void explain(const struct port_eal_config *config, int code, char error[PORT_ERROR_MAX])
{
    const char *mend =
        "its own lines above say more; check --lcores against the cores that this process may use";
    if (code == EALREADY)
        mend = "it runs already or ran before: once per process is all that DPDK can do";
    else if (code == EACCES || code == EPERM)
        mend = "another process may use the same file prefix, or its directory is not ours: set "
               "another, or XDG_RUNTIME_DIR";
    else if (config->memory == PORT_EAL_FULL)
        mend = "mount a hugetlbfs (mount -t hugetlbfs none /dev/hugepages) and reserve pages, or "
               "start in memory";
    else if (code == ENOMEM || config->memory == PORT_EAL_IN_MEMORY)
        mend = "it found too little memory: reserve more hugepages (/proc/sys/vm/nr_hugepages), or "
               "start without them";
    snprintf(error, PORT_ERROR_MAX, "DPDK's EAL does not start (%s): %s.", rte_strerror(code),
             mend);
}

static bool pages_suffice(const struct port_eal_config *config, char error[PORT_ERROR_MAX])
{
    uint64_t wanted = (uint64_t)(config->memory_mib == 0 ? MEMORY_MIB_DEFAULT : config->memory_mib)
                      << 20;
    uint64_t found = port_eal_hugepages_free_bytes();
    if (config->memory == PORT_EAL_NO_HUGE || found >= wanted)
        return true;
    snprintf(error, PORT_ERROR_MAX,
             "Free hugepages cover %" PRIu64 " MiB of the %" PRIu64 " MiB wanted: echo %" PRIu64
             " > /proc/sys/vm/nr_hugepages as root, or start without hugepages.",
             found >> 20, wanted >> 20, (wanted >> 21) + 1);
    return false;
}

/* Without hugepages EAL's memory is ordinary, and not yet touched: the kernel may still lay large
 * pages under it. */
static int ask_for_large_pages(const struct rte_memseg_list *list, void *argument)
{
    (void)argument;
    if (list->external == 0)
        (void)madvise(list->base_va, list->len, MADV_HUGEPAGE); /* a refusal costs speed alone */
    return 0;
}

/* EAL's own folder. Unless other processes may attach nobody looks into it again, so it goes at
 * once: a process that is killed can not tidy up. Not empty, it stays. */
static void remove_runtime_folder(void)
{
    (void)rmdir(rte_eal_get_runtime_dir());
}

bool port_eal_start(const struct port_eal_config *config, char error[PORT_ERROR_MAX])
{
    struct arguments *arguments = calloc(1, sizeof *arguments);
    if (arguments == NULL) {
        snprintf(error, PORT_ERROR_MAX, "No memory to start DPDK's EAL: free some.");
        return false;
    }
    arguments_fill(arguments, config);
    bool started = false;
    if (arguments->overflow)
        snprintf(error, PORT_ERROR_MAX,
                 "More than %d arguments for EAL, or one longer than %d bytes: give fewer.",
                 ARGUMENTS_MAX, ARGUMENT_BYTES_MAX - 1);
    else if (pages_suffice(config, error)) {
        started = rte_eal_init(arguments->count, arguments->pointer) >= 0;
        if (!started)
            explain(config, rte_errno, error);
        else if (config->memory == PORT_EAL_NO_HUGE)
            (void)rte_memseg_list_walk(ask_for_large_pages, NULL);
        remove_runtime_folder();
    }
    free(arguments); /* EAL has copied what it keeps */
    return started;
}

bool port_eal_launch(uint32_t core, int (*fn)(void *), void *argument)
{
    return core < RTE_MAX_LCORE && rte_lcore_is_enabled(core) &&
           rte_eal_remote_launch(fn, argument, core) == 0;
}

int port_eal_wait(uint32_t core)
{
    return rte_eal_wait_lcore(core);
}

void port_eal_stop(void)
{
    (void)rte_eal_cleanup();
    remove_runtime_folder();
}
