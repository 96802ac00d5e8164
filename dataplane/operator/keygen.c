#include "crypto/ed25519/ed25519.h"
#include "dataplane/operator/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its owner's alone, whole or not there at all; a file that is there is somebody's key. */
static bool write_secret(const char *path, const char *text, size_t bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0)
        return false;
    bool written = write(file, text, bytes) == (ssize_t)bytes && fsync(file) == 0;
    written &= close(file) == 0;
    if (!written)
        (void)unlink(path);
    return written;
}

int operator_keygen(const struct operator_options *options)
{
    uint8_t key[ED25519_KEY_BYTES], secret[ED25519_SECRET_BYTES];
    char text[2 * ED25519_SECRET_BYTES + 2], public_text[2 * ED25519_KEY_BYTES + 1];
    if (options->word_count != 2) {
        operator_complain(NULL, "keygen wants the file that the secret key goes to");
        return EX_USAGE;
    }
    ed25519_generate(key, secret);
    ed25519_to_hex(text, secret, sizeof secret);
    ed25519_to_hex(public_text, key, sizeof key);
    text[2 * ED25519_SECRET_BYTES] = '\n';
    bool written = write_secret(options->word[1], text, 2 * ED25519_SECRET_BYTES + 1);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(text, sizeof text);
    if (!written) {
        operator_complain(NULL, "%s: %s", options->word[1], strerrordesc_np(errno));
        return EX_CANTCREAT;
    }
    (void)printf("%s\n", public_text);
    return EX_OK;
}
