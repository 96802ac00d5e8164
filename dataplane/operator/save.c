/* save.c: snapshot save: each group's leader is asked for a snapshot of what is committed now,
 * which then comes over in pieces, is checked, and gets its name.
 *
 *   leader? ─► DBSIZE through it ─► still leader, in the same term: what it has applied is fresh
 *           ─► SNAPSHOT TAKE group index ... ─► SNAPSHOT READ group index offset ... ─► whole file
 *
 * Who leads by its own word may have been deposed; who has answered a linearizable read since then
 * was not, and has applied all that was acknowledged before. */
#include "dataplane/operator/snapshot.h"

#include "crypto/ed25519/ed25519.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKE_WAIT_FACTOR 12 /* of --timeout: a large state is walked */
#define PIECE_BYTES_MAX  65536u

/* A snapshot that a node has. */
struct offer {
    char endpoint[OPERATOR_ENDPOINT_MAX];
    uint64_t index;
    uint64_t bytes;
};

/* ---- the moment ------------------------------------------------------------------------------ */

static json_int_t number_of(const json_t *group, const char *name)
{
    return json_integer_value(json_object_get(group, name));
}

/* What the node says of a group that it leads; the caller's. NULL: it does not lead it. */
static json_t *ask_as_leader(const struct operator_options *options, const char *endpoint,
                             uint32_t group)
{
    static const char *const words[] = {"QUORATE", "STATUS"};
    json_t *status = operator_ask_quietly(options, endpoint, 2, words), *found = NULL, *one;
    size_t i;
    json_array_foreach(json_object_get(status, "groups"), i, one)
    {
        const char *role = json_string_value(json_object_get(one, "role"));
        if (number_of(one, "group") == (json_int_t)group && role != NULL &&
            strcmp(role, "leader") == 0)
            found = one;
    }
    json_incref(found);
    json_decref(status);
    return found;
}

/* The leader, and an index that everything acknowledged before this call is at or below. */
static bool find_moment(const struct operator_options *options, uint32_t group, struct offer *offer,
                        uint64_t *index)
{
    static const char *const read[] = {"DBSIZE"};
    bool sure = false;
    for (uint32_t i = 0; i < options->endpoint_count && !sure; i++) {
        char text[OPERATOR_SENTENCE_MAX];
        const char *endpoint = options->endpoint[i];
        json_t *before = ask_as_leader(options, endpoint, group), *after = NULL;
        if (before != NULL &&
            operator_tell(options, endpoint, 1, read, text, sizeof text) == REPLY_NUMBER)
            after = ask_as_leader(options, endpoint, group);
        *index = (uint64_t)number_of(after, "applied");
        sure = *index != 0 && number_of(after, "term") == number_of(before, "term");
        (void)snprintf(offer->endpoint, sizeof offer->endpoint, "%s", endpoint);
        json_decref(before);
        json_decref(after);
    }
    return sure;
}

/* The answer to TAKE: one that reaches the index, or that it is under way. */
static bool understand(const struct operator_reply *reply, uint64_t index, struct offer *offer)
{
    json_t *json =
        reply->type == REPLY_TEXT ? json_loadb(reply->text, reply->bytes, 0, NULL) : NULL;
    offer->index = (uint64_t)number_of(json, "index");
    offer->bytes = (uint64_t)number_of(json, "bytes");
    bool whole = offer->bytes != 0 && offer->index >= index;
    json_decref(json);
    return whole;
}

/* EX_OK: there is one. EX_TEMPFAIL: not in time. */
static int take(const struct operator_options *options, uint32_t group, struct offer *offer)
{
    char number[12], least[24], last[OPERATOR_SENTENCE_MAX] = "nobody leads it";
    uint64_t index = 0;
    bool known = false;
    int64_t end_ms = operator_now_ms() + (int64_t)options->timeout_ms * TAKE_WAIT_FACTOR;
    (void)snprintf(number, sizeof number, "%u", group);
    for (; operator_now_ms() < end_ms; operator_pause()) {
        if (!known && !(known = find_moment(options, group, offer, &index)))
            continue;
        struct operator_connection connection;
        const char *why;
        (void)snprintf(least, sizeof least, "%" PRIu64, index);
        const char *const words[] = {"QUORATE", "SNAPSHOT", "TAKE", number, least};
        if (!operator_open(&connection, offer->endpoint, options->timeout_ms, &why)) {
            known = false;
            continue;
        }
        struct operator_reply reply = operator_ask(&connection, 5, words);
        bool whole = understand(&reply, index, offer);
        bool refused = reply.type == REPLY_ERROR;
        if (reply.type == REPLY_BROKEN)
            known = false; /* another may lead by now */
        else if (!whole)
            (void)snprintf(last, sizeof last, "%s",
                           refused ? reply.text : "the snapshot is not there yet");
        operator_close(&connection);
        if (whole)
            return EX_OK;
        if (refused) {
            operator_complain(offer->endpoint, "group %u: %s", group, last);
            return EX_DATAERR;
        }
    }
    operator_complain(NULL, "group %u: %s", group, last);
    return EX_TEMPFAIL;
}

/* ---- the bytes ------------------------------------------------------------------------------- */

static bool put(int file, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t put = write(file, bytes, count);
        if (put < 0 && errno != EINTR)
            return false;
        bytes += put > 0 ? put : 0;
        count -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

static void show_progress(uint32_t group, uint64_t bytes, const struct offer *offer)
{
    if (isatty(STDERR_FILENO) == 1)
        (void)fprintf(stderr, "\rgroup %u: %" PRIu64 " of %" PRIu64 " bytes%s", group, bytes,
                      offer->bytes, bytes == offer->bytes ? "\n" : "");
}

/* Hexadecimal, for an edge's texts hold no zeros. */
static int read_pieces(struct operator_connection *connection, uint32_t group,
                       const struct offer *offer, int file)
{
    uint8_t piece[PIECE_BYTES_MAX];
    char number[12], index[24], offset[24];
    uint64_t bytes = 0;
    (void)snprintf(number, sizeof number, "%u", group);
    (void)snprintf(index, sizeof index, "%" PRIu64, offer->index);
    while (bytes < offer->bytes) {
        (void)snprintf(offset, sizeof offset, "%" PRIu64, bytes);
        const char *const words[] = {"QUORATE", "SNAPSHOT", "READ", number, index, offset};
        struct operator_reply reply = operator_ask(connection, 6, words);
        size_t count = reply.bytes / 2;
        if (reply.type != REPLY_TEXT) {
            operator_complain(offer->endpoint, "group %u: %s", group, reply.text);
            return reply.type == REPLY_ERROR ? EX_TEMPFAIL : EX_UNAVAILABLE;
        }
        if (count == 0 || count > sizeof piece || count > offer->bytes - bytes ||
            reply.bytes % 2 != 0 || !ed25519_from_hex(piece, count, reply.text)) {
            operator_complain(offer->endpoint, "group %u: a piece makes no sense", group);
            return EX_UNAVAILABLE;
        }
        if (!put(file, piece, count)) {
            operator_complain(NULL, "group %u: %s", group, strerrordesc_np(errno));
            return EX_CANTCREAT;
        }
        bytes += count;
        show_progress(group, bytes, offer);
    }
    return EX_OK;
}

static int read_file(const struct operator_options *options, uint32_t group,
                     const struct offer *offer, int folder, const char *name)
{
    struct operator_connection connection;
    const char *why;
    if (!operator_open(&connection, offer->endpoint, options->timeout_ms, &why)) {
        operator_complain(offer->endpoint, "%s", why);
        return EX_UNAVAILABLE;
    }
    int code = EX_CANTCREAT;
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        operator_complain(name, "%s", strerrordesc_np(errno));
    else
        code = read_pieces(&connection, group, offer, file);
    if (file >= 0)
        (void)close(file);
    operator_close(&connection);
    return code;
}

/* ---- a group, and all of them ---------------------------------------------------------------- */

static int save_group(const struct operator_options *options, uint32_t group, int folder)
{
    char name[SNAPSHOT_FILE_NAME_MAX], part[SNAPSHOT_FILE_NAME_MAX + 8];
    struct offer offer;
    struct snapshot_about about;
    snapshot_file_name(group, name);
    (void)snprintf(part, sizeof part, "%s.part", name);
    int code = take(options, group, &offer);
    if (code == EX_OK)
        code = read_file(options, group, &offer, folder, part);
    if (code == EX_OK) {
        enum snapshot_refusal refusal = snapshot_file_check(folder, part, &about);
        if (refusal == SNAPSHOT_OK && (about.head.group != group || about.bytes != offer.bytes ||
                                       about.head.index != offer.index))
            refusal = SNAPSHOT_REFUSED_FOREIGN;
        if (refusal == SNAPSHOT_OK)
            refusal = snapshot_file_keep(folder, part, name);
        if (refusal != SNAPSHOT_OK)
            code = snapshot_complain(name, refusal);
    }
    if (code != EX_OK)
        (void)unlinkat(folder, part, 0);
    else if (options->output == OUTPUT_JSON)
        snapshot_show_json(name, &about);
    else
        (void)printf(options->output == OUTPUT_TABLE ? "group %u: %s/%s, up to entry %" PRIu64
                                                       ", %" PRIu64 " bytes\n"
                                                     : "%u\t%s/%s\t%" PRIu64 "\t%" PRIu64 "\n",
                     group, options->word[2], name, offer.index, offer.bytes);
    return code;
}

/* As many as the first node that answers has. */
static uint32_t count_groups(const struct operator_options *options)
{
    static const char *const words[] = {"QUORATE", "STATUS"};
    size_t groups = 0;
    for (uint32_t i = 0; i < options->endpoint_count && groups == 0; i++) {
        json_t *status = operator_ask_quietly(options, options->endpoint[i], 2, words);
        groups = json_array_size(json_object_get(status, "groups"));
        json_decref(status);
    }
    return (uint32_t)groups;
}

/* Half a cluster is no snapshot of it. */
static void unmake(const struct operator_options *options, int folder, uint32_t groups)
{
    for (uint32_t g = 0; g < groups; g++) {
        char name[SNAPSHOT_FILE_NAME_MAX];
        snapshot_file_name(g, name);
        (void)unlinkat(folder, name, 0);
    }
    (void)rmdir(options->word[2]);
}

int snapshot_save(const struct operator_options *options)
{
    if (options->word_count != 3) {
        operator_complain("snapshot", "save wants a folder to make, see --help");
        return EX_USAGE;
    }
    uint32_t groups = count_groups(options), first = 0, end = groups;
    if (groups == 0) {
        operator_complain(NULL, "none of these nodes answers");
        return EX_UNAVAILABLE;
    }
    if (options->group != OPERATOR_ALL_GROUPS) {
        first = options->group;
        end = first + 1;
    }
    if (end > groups) {
        operator_complain(NULL, "there is no group %u", options->group);
        return EX_DATAERR;
    }
    if (mkdir(options->word[2], 0700) != 0) {
        operator_complain(options->word[2], "%s", strerrordesc_np(errno));
        return EX_CANTCREAT;
    }
    int folder = snapshot_open_folder(options->word[2]), code = EX_OK;
    for (uint32_t g = first; folder >= 0 && g < end && code == EX_OK; g++)
        code = save_group(options, g, folder);
    if (folder < 0)
        return EX_CANTCREAT;
    if (code != EX_OK)
        unmake(options, folder, groups);
    (void)close(folder);
    return code;
}
