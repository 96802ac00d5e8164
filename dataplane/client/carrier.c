#include "dataplane/client/internal.h"
#include "numa/base/assert.h"
#include "protocols/wire/signed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define RECEIVES_MAX 256u /* per turn, so that a flood does not keep a caller past its time */

uint64_t quorate_carrier_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum quorate_status status_of_done(const struct wire_result *result)
{
    switch (result->status) {
    case WIRE_NO_SPACE:
        return QUORATE_NO_SPACE;
    case WIRE_WRONG_TYPE:
        return QUORATE_WRONG_TYPE;
    default:
        return result->type == WIRE_NIL ? QUORATE_NIL : QUORATE_OK;
    }
}

static enum quorate_status status_of_refused(const struct wire_result *result)
{
    switch (result->status) {
    case WIRE_DONE:
        return QUORATE_REFUSED;
    case WIRE_UNAUTHORIZED:
        return QUORATE_UNAUTHORIZED;
    default:
        return QUORATE_BAD_COMMAND;
    }
}

static enum quorate_status status_of(const struct client_completion *completion)
{
    switch (completion->outcome) {
    case CLIENT_DONE:
        return status_of_done(&completion->result);
    case CLIENT_UNCERTAIN:
        return QUORATE_UNCERTAIN;
    case CLIENT_GONE:
        return QUORATE_GONE;
    default:
        return status_of_refused(&completion->result);
    }
}

static void finish(struct quorate *handle, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct client_completion *completion = &handle->completion[i];
        ENSURE(handle->finished_count < COUNT_OF(handle->finished));
        struct finished *finished = &handle->finished[handle->finished_count++];
        *finished = (struct finished){
            .result = {.tag = completion->cookie,
                       .status = status_of(completion),
                       .integer = completion->result.integer},
        };
        uint32_t bytes = completion->result.value_bytes;
        if (bytes == 0)
            continue;
        finished->copy = malloc(bytes);
        if (finished->copy == NULL) { /* executed, and nowhere to put the answer */
            finished->result.status = QUORATE_GONE;
            continue;
        }
        memcpy(finished->copy, completion->result.value, bytes);
        finished->result.value = finished->copy;
        finished->result.value_bytes = bytes;
    }
}

static void sign(struct quorate *handle, uint32_t *bytes)
{
    struct ed25519_sign_job job;
    struct wire_signed made;
    wire_wrap_signed(handle->payload, bytes, QUORATE_FRAME_BYTES, handle->cluster,
                     handle->signer.key, &job.signature, &made);
    job.message = made.covered;
    job.message_bytes = made.covered_bytes;
    ed25519_sign(&handle->signer, &job);
}

static void send_all(struct quorate *handle, uint64_t now_ns)
{
    uint32_t bytes, capacity = QUORATE_FRAME_BYTES;
    uint16_t target;
    if (handle->signs)
        capacity -= WIRE_SIGNED_BYTES;
    while (client_emit(handle->machine, handle->payload, capacity, now_ns, &bytes, &target)) {
        if (handle->signs)
            sign(handle, &bytes);
        const struct sockaddr_in *to = &handle->endpoint[target];
        /* What the kernel does not take is lost like any datagram, and sent again like any. */
        (void)sendto(handle->socket, handle->payload, bytes, MSG_DONTWAIT,
                     (const struct sockaddr *)to, sizeof *to);
    }
}

/* Members know each other by ids, this library by the caller's list: the address tells. */
static uint16_t leader_index(const struct quorate *handle, const struct wire_reply *reply)
{
    for (uint32_t i = 0; reply->leader != WIRE_NODE_CLIENT && i < handle->endpoint_count; i++)
        if (handle->endpoint[i].sin_addr.s_addr == htonl(reply->leader_ip) &&
            handle->endpoint[i].sin_port == htons(reply->leader_port))
            return (uint16_t)i;
    return WIRE_NODE_CLIENT;
}

static void take_message(struct quorate *handle, const struct wire_view *view, uint64_t now_ns)
{
    struct wire_reply reply;
    if (wire_get_reply(view, &reply) == WIRE_OK)
        wire_rename_leader(handle->payload + (view->body - handle->payload),
                           leader_index(handle, &reply));
    finish(handle,
           client_receive(handle->machine, view, now_ns, handle->completion, CLIENT_WINDOW_MAX));
}

static void receive_all(struct quorate *handle, uint64_t now_ns)
{
    for (uint32_t i = 0; i < RECEIVES_MAX; i++) {
        ssize_t got = recv(handle->socket, handle->payload, sizeof handle->payload, MSG_DONTWAIT);
        if (got < 0 && errno != ECONNREFUSED && errno != EINTR)
            return;
        struct wire_frame frame;
        struct wire_view view;
        uint32_t offset = WIRE_FRAME_BYTES;
        if (got < 0 || wire_frame_decode(handle->payload, (uint32_t)got, &frame) != WIRE_OK)
            continue;
        if (handle->cluster == 0)
            handle->cluster = frame.cluster;
        while (wire_message_next(handle->payload, (uint32_t)got, &offset, &view) == WIRE_OK &&
               view.kind != 0)
            take_message(handle, &view, now_ns);
    }
}

void quorate_carrier_turn(struct quorate *handle)
{
    uint64_t now_ns = quorate_carrier_now_ns();
    receive_all(handle, now_ns);
    finish(handle, client_tick(handle->machine, now_ns, handle->completion, CLIENT_WINDOW_MAX));
    send_all(handle, now_ns);
}

void quorate_carrier_wait(struct quorate *handle, uint64_t until_ns)
{
    uint64_t now_ns = quorate_carrier_now_ns();
    uint64_t wake_ns = min_u64(until_ns, client_wake_ns(handle->machine));
    if (wake_ns <= now_ns)
        return;
    uint64_t left_ns = wake_ns - now_ns;
    struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000u),
                            .tv_nsec = (long)(left_ns % 1000000000u)};
    struct pollfd descriptor = {.fd = handle->socket, .events = POLLIN};
    (void)ppoll(&descriptor, 1, &left, NULL);
}
