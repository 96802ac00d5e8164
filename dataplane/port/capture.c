#include "dataplane/port/capture.h"

#include <rte_mbuf.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* pcap with nanosecond stamps: magic, version 2.4, two zeroes, snap length, link type Ethernet. */
struct capture_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, length_max, link_type;
};

struct capture_record {
    uint32_t seconds, nanoseconds, bytes, bytes_on_wire;
};

struct capture {
    FILE *file; /* NULL: writing failed once */
};

struct capture *capture_open(const char *path, uint32_t lane)
{
    const struct capture_header header = {
        .magic = 0xa1b23c4d, .major = 2, .minor = 4, .length_max = 65535, .link_type = 1};
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s.%u", path, lane);
    struct capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL)
        return NULL;
    capture->file = fopen(name, "wb");
    if (capture->file == NULL || fwrite(&header, sizeof header, 1, capture->file) != 1) {
        capture_close(capture);
        return NULL;
    }
    return capture;
}

void capture_frames(struct capture *capture, struct rte_mbuf *const *frames, uint32_t count)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (uint32_t i = 0; i < count && capture->file != NULL; i++) {
        const struct rte_mbuf *frame = frames[i];
        struct capture_record record = {(uint32_t)now.tv_sec, (uint32_t)now.tv_nsec,
                                        frame->data_len, frame->pkt_len};
        if (fwrite(&record, sizeof record, 1, capture->file) != 1 ||
            fwrite(rte_pktmbuf_mtod(frame, void *), 1, frame->data_len, capture->file) !=
                frame->data_len) {
            fclose(capture->file);
            capture->file = NULL;
        }
    }
}

void capture_close(struct capture *capture)
{
    if (capture->file != NULL)
        fclose(capture->file);
    free(capture);
}
