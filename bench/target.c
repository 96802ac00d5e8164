#include "bench/target.h"

#include "numa/base/assert.h"

#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADERS_BYTES       28u /* IPv4 and UDP */
#define SOCKET_BUFFER_BYTES (4 << 20)
#define EARLY_NS            UINT64_C(100000) /* before what is due: the kernel oversleeps less */
#define SECOND_NS           UINT64_C(1000000000)

/* ---- frames ---------------------------------------------------------------------------------- */

static struct target *target_of(struct carrier *carrier)
{
    return (struct target *)carrier;
}

static void free_frames(struct carrier *carrier, const struct frame *frames, uint32_t count)
{
    struct target *target = target_of(carrier);
    ENSURE(target->free_count + count <= TARGET_FRAMES);
    for (uint32_t i = 0; i < count; i++)
        target->free[target->free_count++] = frames[i].data;
}

static uint32_t take(struct carrier *carrier, struct frame *frames, uint32_t count)
{
    struct target *target = target_of(carrier);
    uint32_t taken = min_u32(count, target->free_count);
    for (uint32_t i = 0; i < taken; i++)
        frames[i] = (struct frame){
            .data = target->free[--target->free_count],
            .capacity = TARGET_FRAME_BYTES,
        };
    return taken;
}

/* The i-th message of a system call is bytes [0, bytes) of this frame. */
static void describe(struct target *target, uint32_t i, const struct frame *frame, uint32_t bytes)
{
    target->part[i] = (struct iovec){.iov_base = frame->data, .iov_len = bytes};
    target->message[i].msg_hdr = (struct msghdr){
        .msg_name = &target->peer[i],
        .msg_namelen = sizeof target->peer[i],
        .msg_iov = &target->part[i],
        .msg_iovlen = 1,
    };
}

/* ---- out ------------------------------------------------------------------------------------- */

static void send_frames(struct carrier *carrier, struct frame *frames, uint32_t count,
                        uint64_t now_ns)
{
    struct target *target = target_of(carrier);
    (void)now_ns;
    ENSURE(count <= PORT_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        describe(target, i, &frames[i], frames[i].bytes);
        target->peer[i] = (struct sockaddr_in){
            .sin_family = AF_INET,
            .sin_port = htons(frames[i].peer.port),
            .sin_addr.s_addr = htonl(frames[i].peer.ip),
        };
    }
    /* It stops at the first that the kernel does not take: one host out of reach must not cost the
     * others theirs. */
    for (uint32_t sent = 0; sent < count;) {
        int more = sendmmsg(target->socket, target->message + sent, count - sent, MSG_DONTWAIT);
        sent += more > 0 ? (uint32_t)more : 1;
    }
    free_frames(carrier, frames, count);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* Members know each other by ids, the loop by the order of their addresses. */
static uint16_t leader_place(const struct carrier *carrier, const struct wire_reply *reply)
{
    for (uint16_t i = 0; reply->leader != WIRE_NODE_CLIENT && i < carrier->server_count; i++) {
        const struct endpoint *at = &carrier->endpoint[i][reply->group];
        if (at->ip == reply->leader_ip && at->port == reply->leader_port)
            return (uint16_t)(i + 1);
    }
    return WIRE_NODE_CLIENT;
}

static void rename_leaders(const struct carrier *carrier, struct frame *frame)
{
    struct wire_frame header;
    struct wire_view view;
    struct wire_reply reply;
    uint32_t offset = WIRE_FRAME_BYTES;
    if (wire_frame_decode(frame->data, frame->bytes, &header) != WIRE_OK)
        return;
    while (wire_message_next(frame->data, frame->bytes, &offset, &view) == WIRE_OK &&
           view.kind != 0) {
        if (view.kind == WIRE_REPLY && wire_get_reply(&view, &reply) == WIRE_OK &&
            reply.group < carrier->group_count)
            wire_rename_leader(frame->data + (view.body - frame->data),
                               leader_place(carrier, &reply));
    }
}

static uint32_t receive(struct carrier *carrier, struct frame *frames, uint32_t count,
                        uint64_t now_ns)
{
    struct target *target = target_of(carrier);
    (void)now_ns;
    uint32_t room = take(carrier, frames, min_u32(count, PORT_BURST_MAX));
    for (uint32_t i = 0; i < room; i++)
        describe(target, i, &frames[i], TARGET_FRAME_BYTES);
    int got = recvmmsg(target->socket, target->message, room, MSG_DONTWAIT, NULL);
    uint32_t received = got > 0 ? (uint32_t)got : 0;
    for (uint32_t i = 0; i < received; i++) {
        const struct sockaddr_in *peer = &target->peer[i];
        bool cut = (target->message[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        frames[i].bytes = cut ? 0 : target->message[i].msg_len;
        frames[i].peer =
            (struct endpoint){.ip = ntohl(peer->sin_addr.s_addr), .port = ntohs(peer->sin_port)};
        rename_leaders(carrier, &frames[i]);
    }
    free_frames(carrier, frames + received, room - received);
    return received;
}

/* ---- between turns --------------------------------------------------------------------------- */

static void end_turn(struct carrier *carrier, uint64_t now_ns)
{
    (void)carrier;
    (void)now_ns;
}

static void rest(struct carrier *carrier, uint64_t now_ns, uint64_t wake_ns)
{
    if (wake_ns <= now_ns + EARLY_NS) {
        (void)sched_yield();
        return;
    }
    uint64_t left_ns = wake_ns - now_ns - EARLY_NS;
    struct timespec left = {.tv_sec = (time_t)(left_ns / SECOND_NS),
                            .tv_nsec = (long)(left_ns % SECOND_NS)};
    struct pollfd descriptor = {.fd = target_of(carrier)->socket, .events = POLLIN};
    (void)ppoll(&descriptor, 1, &left, NULL);
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool parse_one(const char *text, size_t bytes, struct target_address *address)
{
    const char *colon = memrchr(text, ':', bytes);
    if (colon == NULL || colon == text || (size_t)(colon - text) > TARGET_HOST_BYTES_MAX)
        return false;
    memcpy(address->host, text, (size_t)(colon - text));
    address->host[colon - text] = '\0';
    uint32_t port = 0;
    for (const char *at = colon + 1; at < text + bytes; at++) {
        if (*at < '0' || *at > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (uint32_t)(*at - '0');
    }
    address->port = (uint16_t)port;
    return port != 0 && port <= UINT16_MAX && strpbrk(address->host, " /:") == NULL;
}

uint32_t target_parse(const char *text, struct target_address address[CARRIER_SERVERS_MAX])
{
    uint32_t count = 0;
    for (;; text++) {
        size_t bytes = strcspn(text, ",");
        if (count == CARRIER_SERVERS_MAX || !parse_one(text, bytes, &address[count]))
            return 0;
        count++;
        text += bytes;
        if (*text == '\0')
            return count;
    }
}

static bool find_host(const struct target_address *address, uint32_t *ip,
                      char error[CARRIER_ERROR_MAX])
{
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
    int status = getaddrinfo(address->host, NULL, &wanted, &found);
    if (status != 0) {
        (void)snprintf(error, CARRIER_ERROR_MAX, "host %.128s of --target: %s", address->host,
                       gai_strerror(status));
        return false;
    }
    *ip = ntohl(((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(found);
    return true;
}

static void open_carrier(struct carrier *carrier, uint16_t groups, uint32_t mtu)
{
    static const struct carrier_calls calls = {
        .receive = receive,
        .take = take,
        .send = send_frames,
        .free = free_frames,
        .turn = end_turn,
        .rest = rest,
    };
    carrier->calls = &calls;
    carrier->payload_max = mtu - HEADERS_BYTES;
    carrier->group_count = groups;
}

bool target_open(struct target *target, const struct target_address *address, uint32_t count,
                 uint16_t groups, uint16_t lanes, uint32_t mtu, char error[CARRIER_ERROR_MAX])
{
    int bytes = SOCKET_BUFFER_BYTES; /* the kernel may grant less */
    memset(&target->carrier, 0, sizeof target->carrier);
    open_carrier(&target->carrier, groups, mtu);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ip;
        if (!find_host(&address[i], &ip, error))
            return false;
        for (uint16_t group = 0; group < groups; group++)
            target->carrier.endpoint[i][group] =
                (struct endpoint){.ip = ip, .port = (uint16_t)(address[i].port + group % lanes)};
    }
    target->carrier.server_count = (uint16_t)count;
    target->free_count = 0;
    for (uint32_t i = 0; i < TARGET_FRAMES; i++)
        target->free[target->free_count++] = target->memory[i];
    target->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (target->socket < 0) {
        (void)snprintf(error, CARRIER_ERROR_MAX, "no UDP socket could be opened");
        return false;
    }
    (void)setsockopt(target->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(target->socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return true;
}

void target_close(struct target *target)
{
    (void)close(target->socket);
}
