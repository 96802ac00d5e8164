/* history.h: what clients asked, when, and what they were told: the evidence that linearize.h
 * judges.
 *
 * Shape: operations in the order in which they were added; keys and values are numbers of one text
 *   table. The file form is one JSON object per line (broken here only for the page):
 *
 *   {"process":1,"op":"set","key":"k","argument":"v","result":"OK",
 *    "invoke_ns":5,"return_ns":9,"outcome":"ok"}
 *
 *   op        argument                                      result of an ok operation
 *   set       "v", or {"value":"v","if":"absent"|"present", "OK", null (condition not met),
 *             "get":true,"keep_ttl":true,"ttl_ms":1}        with get: the old value or null
 *   get       null                                          "v" or null
 *   del       null                                          0 or 1; also exists, persist
 *   incrby    number                                        number
 *   append    "v"                                           length
 *   cas       {"old":"a","value":"b"}                       1 (swapped) or 0
 *   expire    milliseconds                                  0 or 1
 *   strlen    null                                          length
 *   ttl       null                                          ms, -1 without expiry, -2 absent
 *
 *   Any result may also be {"error":"wrong_type"}, {"error":"no_space"}, or {"unknown":true}: it
 *   happened, the answer was lost. outcome is ok; fail: never happened and never will; open: may
 *   have happened at any time after invoke_ns, or never (result and return_ns are ignored). Bytes
 *   above 127 are written as the code points U+0080 to U+00FF.
 *
 * Memory: grows by malloc. Threads: one owner. Time: the caller's, ns of one clock over all
 * processes. Limits: 2^32 - 1 operations. Refusals: history_read says the line and why.
 * Cost: O(1) per operation; not measured.
 */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include "tests/sim/text.h"

#include <stdio.h>

enum history_op {
    HISTORY_SET,
    HISTORY_GET,
    HISTORY_DEL,
    HISTORY_INCRBY,
    HISTORY_APPEND,
    HISTORY_CAS,
    HISTORY_EXPIRE,
    HISTORY_PERSIST,
    HISTORY_EXISTS,
    HISTORY_STRLEN,
    HISTORY_TTL,
    HISTORY_OP_COUNT
};

enum history_outcome { HISTORY_OK, HISTORY_FAIL, HISTORY_OPEN };

enum history_answer {
    HISTORY_UNKNOWN,
    HISTORY_NIL,
    HISTORY_INTEGER,
    HISTORY_TEXT,
    HISTORY_STATUS_OK,
    HISTORY_WRONG_TYPE,
    HISTORY_NO_SPACE
};

#define HISTORY_IF_ABSENT  0x01u
#define HISTORY_IF_PRESENT 0x02u
#define HISTORY_RETURN_OLD 0x04u
#define HISTORY_KEEP_TTL   0x08u

struct history_operation {
    uint32_t process;
    uint8_t op;      /* enum history_op      */
    uint8_t flags;   /* SET                  */
    uint8_t outcome; /* enum history_outcome */
    uint8_t answer;  /* enum history_answer  */
    uint32_t key;    /* text                 */
    uint32_t value;  /* text: SET, APPEND, CAS */
    uint32_t old;    /* text: CAS            */
    uint32_t text;   /* of a HISTORY_TEXT    */
    int64_t number;  /* INCRBY: by; SET, EXPIRE: time to live in ms, 0: none */
    int64_t integer; /* of a HISTORY_INTEGER */
    uint64_t invoke_ns;
    uint64_t return_ns;
};

struct history {
    struct text_table *texts;
    struct history_operation *operation;
    uint32_t count;
    uint32_t room;
};

struct history *history_new(void);
void history_free(struct history *);

/* Returns the operation's index, which stays good; the address does not. */
uint32_t history_add(struct history *, const struct history_operation *operation);

#define HISTORY_ERROR_MAX 160u

/* Adds the lines of `file`. False: `error` names the first bad line; those before it were added. */
bool history_read(struct history *, FILE *file, char error[HISTORY_ERROR_MAX]);

/* One line, with its newline. */
void history_write_operation(const struct history *, uint32_t index, FILE *file);
void history_write(const struct history *, FILE *file);

const char *history_op_name(enum history_op op);

#endif
