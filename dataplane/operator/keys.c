/* keys.c: put, get, del, cas, incr: one command through the first node that can be reached. */
#include "dataplane/operator/operator.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct key_verb {
    const char *name;
    const char *command;
    uint32_t words_min;
    uint32_t words_max;
    bool reads; /* may be asked a second time elsewhere */
};

static const struct key_verb verbs[] = {
    {"put", "SET", 3, 3, false}, {"get", "GET", 2, 2, true},      {"del", "DEL", 2, 2, false},
    {"cas", "CAS", 4, 4, false}, {"incr", "INCRBY", 2, 3, false},
};

static const struct key_verb *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* Not executed, and never will be: another node may do better. */
static bool not_executed(const struct operator_reply *reply)
{
    return reply->type == REPLY_ERROR &&
           (strncmp(reply->text, "TRYAGAIN", 8) == 0 ||
            strncmp(reply->text, "CLUSTERDOWN", 11) == 0 ||
            strncmp(reply->text, "ERR max number of clients", 25) == 0);
}

/* Bytes that are no UTF-8 have no place in JSON: each becomes the letter of its number. */
static json_t *json_of_text(const char *text, size_t bytes)
{
    json_t *whole = json_stringn(text, bytes);
    if (whole != NULL)
        return whole;
    char *wide = malloc(2 * bytes + 1);
    size_t at = 0;
    for (size_t i = 0; wide != NULL && i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x80)
            wide[at++] = (char)(0xc0 | byte >> 6);
        wide[at++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
    }
    whole = wide == NULL ? NULL : json_stringn(wide, at);
    free(wide);
    return whole;
}

static void print_json(const struct key_verb *verb, const char *key,
                       const struct operator_reply *reply)
{
    json_t *value = json_null();
    if (reply->type == REPLY_NUMBER)
        value = json_integer(strtoll(reply->text, NULL, 10));
    else if (reply->type != REPLY_NIL)
        value = json_of_text(reply->text, reply->bytes);
    json_t *line = json_pack("{s:s, s:o, s:o}", "verb", verb->name, "key",
                             json_of_text(key, strlen(key)), "result", value);
    if (line != NULL && json_dumpf(line, stdout, JSON_COMPACT) == 0)
        (void)putchar('\n');
    json_decref(line);
}

static int report(const struct operator_options *options, const struct key_verb *verb,
                  const struct operator_reply *reply)
{
    if (reply->type == REPLY_ERROR) {
        operator_complain(NULL, "%s", reply->text);
        return strncmp(reply->text, "UNCERTAIN", 9) == 0 ? EX_UNAVAILABLE : EX_DATAERR;
    }
    if (options->output == OUTPUT_JSON) {
        print_json(verb, options->word[1], reply);
    } else if (reply->type != REPLY_NIL) {
        (void)fwrite(reply->text, 1, reply->bytes, stdout);
        (void)putchar('\n');
    }
    if (reply->type == REPLY_NIL) {
        operator_complain(NULL, "there is no key '%s'", options->word[1]);
        return EX_DATAERR;
    }
    if (strcmp(verb->name, "cas") == 0 && strcmp(reply->text, "0") == 0) {
        operator_complain(NULL, "not swapped: the value is another one");
        return EX_DATAERR;
    }
    return EX_OK;
}

int operator_key(const struct operator_options *options)
{
    const struct key_verb *verb = find(options->word[0]);
    if (options->word_count < verb->words_min || options->word_count > verb->words_max) {
        operator_complain(verb->name, "wants another number of arguments, see --help");
        return EX_USAGE;
    }
    const char *words[OPERATOR_ARGUMENTS_MAX] = {verb->command};
    for (uint32_t i = 1; i < options->word_count; i++)
        words[i] = options->word[i];
    uint32_t count = options->word_count;
    if (strcmp(verb->name, "incr") == 0 && count == 2)
        words[count++] = "1";
    int code = EX_UNAVAILABLE;
    bool again = true;
    for (uint32_t i = 0; i < options->endpoint_count && again; i++) {
        struct operator_connection connection;
        const char *endpoint = options->endpoint[i], *why;
        if (!operator_open(&connection, endpoint, options->timeout_ms, &why)) {
            operator_complain(endpoint, "%s", why);
            continue;
        }
        struct operator_reply reply = operator_ask(&connection, count, words);
        again = not_executed(&reply) || (reply.type == REPLY_BROKEN && verb->reads);
        if (not_executed(&reply)) {
            operator_complain(endpoint, "%s", reply.text);
            code = EX_TEMPFAIL;
        } else if (reply.type == REPLY_BROKEN) {
            operator_complain(endpoint, "%s%s", reply.text,
                              verb->reads ? "" : "; it was sent, its outcome is unknown");
            code = again ? code : EX_UNAVAILABLE;
        } else {
            code = report(options, verb, &reply);
        }
        operator_close(&connection);
    }
    return code;
}
