#include "dataplane/node/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_DIGITS (2 * ED25519_KEY_BYTES)
#define LINE_BYTES 512u

/* NULL: a key; otherwise what is wrong with it. */
static const char *parse_key(const char *text, uint8_t key[ED25519_KEY_BYTES])
{
    if (!ed25519_from_hex(key, ED25519_KEY_BYTES, text) ||
        strchr(" \t\r\n", text[KEY_DIGITS]) == NULL)
        return "wants 64 hexadecimal digits";
    enum ed25519_refusal refusal = ed25519_key_judge(key);
    return refusal == ED25519_ADDED ? NULL : ed25519_refusal_sentence(refusal);
}

static const char *add_line(struct clients_list *list, uint32_t *capacity, const char *line)
{
    if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
        return NULL;
    if (list->count == CLIENTS_KEYS_MAX)
        return "too many keys";
    if (list->count == *capacity) {
        *capacity = *capacity == 0 ? 64 : 2 * *capacity;
        void *more = realloc(list->key, (size_t)*capacity * ED25519_KEY_BYTES);
        if (more == NULL)
            return "out of memory";
        list->key = more;
    }
    const char *wrong = parse_key(line, list->key[list->count]);
    list->count += wrong == NULL;
    return wrong;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, ED25519_KEY_BYTES);
}

static bool has_twins(const struct clients_list *list)
{
    for (uint32_t i = 1; i < list->count; i++)
        if (memcmp(list->key[i - 1], list->key[i], ED25519_KEY_BYTES) == 0)
            return true;
    return false;
}

/* NULL: it has been read. */
static const char *read_lines(FILE *file, struct clients_list *list, uint32_t *number)
{
    char line[LINE_BYTES];
    uint32_t capacity = 0;
    for (*number = 1; fgets(line, sizeof line, file) != NULL; (*number)++) {
        const char *wrong = add_line(list, &capacity, line);
        if (wrong != NULL)
            return wrong;
    }
    if (ferror(file) != 0)
        return "can not be read";
    if (list->count == 0)
        return "there is no key; leave out [clients] keys to let everybody ask who signs";
    qsort(list->key, list->count, ED25519_KEY_BYTES, compare_keys);
    return has_twins(list) ? "a key is there twice" : NULL;
}

bool clients_load(const char *path, struct clients_list *list, char error[HOST_ERROR_MAX])
{
    uint32_t number;
    *list = (struct clients_list){0};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(error, HOST_ERROR_MAX, "%.100s: %.100s", path, strerrordesc_np(errno));
        return false;
    }
    const char *wrong = read_lines(file, list, &number);
    (void)fclose(file);
    if (wrong == NULL)
        return true;
    (void)snprintf(error, HOST_ERROR_MAX, "%.100s:%u: %.120s", path, number, wrong);
    free(list->key);
    *list = (struct clients_list){0};
    return false;
}
