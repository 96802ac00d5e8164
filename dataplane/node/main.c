/* quorated: one node, or several, of a Quorate cluster. */
#include "dataplane/node/config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

static int usage(FILE *out, int status)
{
    (void)fprintf(
        out,
        "Usage: quorated [--check-config] --config FILE [--config FILE ...] [-- EAL ARGUMENTS]\n"
        "\n"
        "Runs the nodes that the files describe in one process, until SIGTERM or SIGINT: then\n"
        "leaders hand over first.\n"
        "A new node belongs to no cluster and grants no vote: see `quorate bootstrap`. With\n"
        "durability = fsync it comes back as the same member; with volatile it has lost its log.\n"
        "\n"
        "  --config FILE     configuration of one node: docs/configuration.md has every key\n"
        "  --check-config    read the files, say what is wrong with them, start nothing\n"
        "  --help, --version\n");
    return status;
}

struct options {
    const char *path[HOST_NODES_MAX];
    uint32_t count;
    bool check;
    char eal[512];
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return usage(stdout, EX_OK);
        if (strcmp(argv[i], "--version") == 0) {
            (void)printf("quorated %s\n", QUORATE_VERSION);
            return EX_OK;
        }
        if (strcmp(argv[i], "--check-config") == 0) {
            options->check = true;
        } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc &&
                   options->count < HOST_NODES_MAX) {
            options->path[options->count++] = argv[++i];
        } else if (strcmp(argv[i], "--") == 0) {
            for (i++; i < argc; i++) {
                size_t used = strlen(options->eal);
                (void)snprintf(options->eal + used, sizeof options->eal - used, "%s ", argv[i]);
            }
        } else {
            (void)fprintf(stderr, "quorated: %s: unknown argument, or its value is missing\n",
                          argv[i]);
            return usage(stderr, EX_USAGE);
        }
    }
    return options->count == 0 ? usage(stderr, EX_USAGE) : -1;
}

static void introduce(const struct node *node)
{
    char line[512];
    const struct node_config *config = node_configuration(node);
    node_port_line(node, line);
    (void)fprintf(stderr, "quorated: node %u, incarnation %016llx, RESP port %u\n",
                  (unsigned)node_id(node), (unsigned long long)node_incarnation(node),
                  (unsigned)node_resp_port(node));
    (void)fprintf(stderr, "quorated: durability %s: %s%s\n", node_durability(node),
                  config->data == NULL ? "nothing survives a restart" : "logs in ",
                  config->data == NULL ? "" : config->data);
    if (node_returned_to(node) != 0)
        (void)fprintf(stderr, "quorated: back in cluster %016llx\n",
                      (unsigned long long)node_returned_to(node));
    (void)fprintf(stderr, "quorated: port %s\n", line);
}

static void leave(struct host *host)
{
    uint32_t asked, left = host_hand_over(host, &asked);
    (void)fprintf(stderr, "quorated: %u of %u groups led from here were handed over\n",
                  asked - left, asked);
    if (!host_settle(host))
        (void)fprintf(stderr,
                      "quorated: a disk took too long over writes that nobody was told of\n");
}

static int run(struct node_file *files, uint32_t count, const char *eal)
{
    char error[HOST_ERROR_MAX];
    struct host_config config = files[0].host;
    config.replicas = count;
    if (eal[0] != '\0')
        config.eal_arguments = eal;
    struct host *host = host_start(&config, error);
    if (host == NULL) {
        (void)fprintf(stderr, "quorated: %s\n", error);
        return EX_OSERR;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct node *node = host_node_add(host, &files[i].node, error);
        if (node == NULL) {
            (void)fprintf(stderr, "quorated: node %u: %s\n", (unsigned)files[i].node.id, error);
            host_stop(host);
            return EX_OSERR;
        }
        introduce(node);
    }
    host_draw_placement(host, stderr);
    if (!host_run(host, error)) {
        (void)fprintf(stderr, "quorated: %s\n", error);
        return EX_OSERR;
    }
    while (stop_asked == 0)
        host_control(host, 100000000);
    leave(host);
    host_stop(host);
    return EX_OK;
}

int main(int argc, char **argv)
{
    static struct node_file files[HOST_NODES_MAX];
    struct options options = {.count = 0};
    char error[HOST_ERROR_MAX];
    int status = parse(argc, argv, &options);
    if (status >= 0)
        return status;
    if (!config_load_all(options.path, options.count, files, error)) {
        (void)fprintf(stderr, "quorated: %s\n", error);
        return EX_CONFIG;
    }
    if (options.check)
        return EX_OK;
    struct sigaction action = {.sa_handler = ask_stop};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return run(files, options.count, options.eal);
}
