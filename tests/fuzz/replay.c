/* Runs a fuzz target over every file of the directories named on the command line. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): this program has one thread */

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(1 << 20);
    ENSURE(file != NULL && data != NULL);
    size_t bytes = fread(data, 1, 1 << 20, file);
    fclose(file);
    uint8_t *exact = malloc(bytes + 1);
    ENSURE(exact != NULL);
    memcpy(exact + 1, data, bytes); /* odd address: nothing may rely on alignment */
    LLVMFuzzerTestOneInput(exact + 1, bytes);
    free(exact);
    free(data);
}

int main(int argc, char **argv)
{
    uint32_t count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (directory == NULL) {
            perror(argv[i]);
            return 1;
        }
        for (const struct dirent *entry = readdir(directory); entry != NULL;
             entry = readdir(directory)) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            replay_file(path);
            count++;
        }
        closedir(directory);
    }
    printf("%u inputs replayed\n", count);
    return count == 0;
}

/* NOLINTEND(concurrency-mt-unsafe) */
