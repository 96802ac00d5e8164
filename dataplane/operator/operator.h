/* operator.h: what the verbs of `quorate` share. For this folder alone.
 *
 * Shape: main.c parses, finds the verb, and leaves with the verb's exit code; each verb opens its
 * connections, asks, and prints to standard output; what went wrong goes to standard error in one
 * sentence.
 * Memory: static options; JSON is jansson's. Threads: one. Time: see connection.h.
 * Limits: OPERATOR_ENDPOINTS_MAX endpoints. Refusals: exit codes of sysexits.h: 64 usage, 65 the
 * answer is no, 69 nobody answers sense, outcome unknown, or not in this version, 71 output that
 * can not be written, 73 a file that can not be made, 75 not executed, 78 a bad configuration file.
 * Cost: not measured.
 */
#ifndef DATAPLANE_OPERATOR_OPERATOR_H
#define DATAPLANE_OPERATOR_OPERATOR_H

#include "dataplane/operator/connection.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#define OPERATOR_ENDPOINTS_MAX    64u
#define OPERATOR_CONFIGS_MAX      16u
#define OPERATOR_IDS_MAX          64u
#define OPERATOR_ALL_GROUPS       UINT32_MAX
#define OPERATOR_DEFAULT_ENDPOINT "127.0.0.1:6379"

enum operator_output { OUTPUT_TABLE = 0, OUTPUT_JSON, OUTPUT_SIMPLE };

struct operator_options {
    enum operator_output output;
    uint32_t endpoint_count;
    char endpoint[OPERATOR_ENDPOINTS_MAX][OPERATOR_ENDPOINT_MAX];
    uint32_t timeout_ms;
    uint64_t cluster;    /* bootstrap: 0 draws one */
    uint32_t to;         /* move-leader: a member, 0: whoever is the furthest */
    bool balance;        /* move-leader: spread them */
    bool witness;        /* member promote: to witness */
    const char *address; /* member add: where the node must be; NULL: wherever it is */
    uint32_t group;      /* snapshot save: this one alone; OPERATOR_ALL_GROUPS */
    const char *data;    /* snapshot restore: what is made; NULL: not given */
    uint32_t id_count;   /* snapshot restore: who shall belong; 0: whom the file names */
    uint32_t id[OPERATOR_IDS_MAX];
    const char *topology;
    const char *nic;
    uint32_t lanes; /* 0: not given */
    uint32_t cores; /* 0: not given */
    uint32_t config_count;
    const char *config[OPERATOR_CONFIGS_MAX];
    uint32_t word_count; /* the verb and its arguments */
    const char *word[OPERATOR_ARGUMENTS_MAX];
};

typedef int operator_verb(const struct operator_options *options);

/* One line on standard error, "quorate: subject: ...", whatever bytes a node has put into it;
 * subject may be NULL. */
__attribute__((format(printf, 2, 3))) void operator_complain(const char *subject,
                                                             const char *format, ...);

/* Comma-separated. False: one is empty or too long, or there are too many. */
bool operator_endpoints(struct operator_options *options, const char *list);

operator_verb operator_status, operator_members, operator_key, operator_ping, operator_bootstrap,
    operator_member, operator_move_leader, operator_balance, operator_plan, operator_keygen,
    operator_snapshot, operator_upgrade;

/* ---- groups.c: a group by its leader --------------------------------------------------------- */

#define OPERATOR_PAUSE_MS     50
#define OPERATOR_SENTENCE_MAX 512u

int64_t operator_now_ms(void);
void operator_pause(void);

/* Says it, and what came back is in `text`, cut to its size. */
enum operator_reply_type operator_tell(const struct operator_options *options, const char *endpoint,
                                       uint32_t count, const char *const *words, char *text,
                                       size_t capacity);
/* JSON, or NULL. */
json_t *operator_ask_quietly(const struct operator_options *options, const char *endpoint,
                             uint32_t count, const char *const *words);

struct operator_leader {
    const char *endpoint;
    unsigned id;
    json_t *group; /* what it says of the group; the caller's */
};

/* False: none of the endpoints says that it leads. */
bool operator_find_leader(const struct operator_options *options, uint32_t group,
                          struct operator_leader *leader);
/* NULL: it does not belong. */
const json_t *operator_group_member(const json_t *group, unsigned id);
bool operator_has_role(const json_t *member, const char *role);
uint64_t operator_incarnation(const json_t *member); /* 0: it does not say */

/* Asks one endpoint for JSON of a type; NULL: said why on standard error. */
json_t *operator_ask_json(const struct operator_options *options, const char *endpoint,
                          const char *what, json_type type);

/* ---- table.c: columns as wide as they must be, cells without control characters -------------- */

#define OPERATOR_COLUMNS_MAX 16u
#define OPERATOR_ROWS_MAX    4096u
#define OPERATOR_CELL_MAX    OPERATOR_ENDPOINT_MAX

struct operator_table {
    uint32_t columns;
    uint32_t rows;
    const char *title[OPERATOR_COLUMNS_MAX];
    char (*cell)[OPERATOR_COLUMNS_MAX][OPERATOR_CELL_MAX]; /* one row after the other */
};

/* NULL-terminated titles; a full or failed table keeps what it has. */
void operator_table_init(struct operator_table *table, const char *const *titles);
/* The row to fill with operator_cell; false: no room for another. */
bool operator_table_row(struct operator_table *table);
__attribute__((format(printf, 3, 4))) void operator_cell(struct operator_table *table,
                                                         uint32_t column, const char *format, ...);
/* OUTPUT_TABLE with titles in columns, OUTPUT_SIMPLE tab-separated without. Frees the rows. */
void operator_table_print(struct operator_table *table, enum operator_output output, FILE *out);

#endif
