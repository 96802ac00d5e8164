#include "bench/build.h"
#include "bench/cmd.h"
#include "numa/base/types.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): options are read before there is a second thread */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"load", cmd_load},
    {"demo", cmd_demo},
    {"ed25519", cmd_ed25519},
    {"log", cmd_log},
};

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    (void)fprintf(stream, "quorate-bench %s (%s%s)\n", build_version(), build_git(),
                  build_dirty() ? ", modified" : "");
}

int cmd_complain(int status, const char *sentence)
{
    (void)fprintf(stderr, "quorate-bench: %s\n", sentence);
    return status;
}

/* The first word is the command; what follows it is the command's own affair. */
static error_t main_option(int key, char *text, struct argp_state *state)
{
    int *which = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        for (size_t i = 0; i < COUNT_OF(commands); i++) {
            if (strcmp(text, commands[i].name) == 0)
                *which = (int)i;
        }
        if (*which < 0)
            argp_error(state, "there is no command '%s'", text);
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which command? load, demo, ed25519 or log");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = main_option,
        .args_doc = "COMMAND [OPTION...]",
        .doc = "Measures consensus clusters and what they rest on.\vCommands:\n"
               "  load     load a cluster, embedded or running, and report\n"
               "  demo     show a cluster surviving the death of its leader\n"
               "  ed25519  measure signatures in batches, or judge those of a file\n"
               "  log      measure the write-ahead log on a disk\n\n"
               "quorate-bench COMMAND --help says more.",
    };
    int which = -1;
    argp_program_version_hook = print_version;
    argp_err_exit_status = EX_USAGE;
    /* A command's own options must not be taken for ours: stop at the first word. */
    int own = 1;
    while (own < argc && argv[own][0] == '-')
        own++;
    argp_parse(&argp, own < argc ? own + 1 : argc, argv, ARGP_IN_ORDER, NULL, &which);
    char name[64];
    (void)snprintf(name, sizeof name, "quorate-bench %s", commands[which].name);
    argv[own] = name;
    return commands[which].run(argc - own, argv + own);
}

/* NOLINTEND(concurrency-mt-unsafe) */
