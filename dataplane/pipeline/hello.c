/* hello.c: tells every member once a second, and at once after a change, where this node's lanes
 * receive. */
#include "dataplane/pipeline/internal.h"

static void describe(const struct view_member *self, const struct view_member *to,
                     struct wire_hello *hello)
{
    *hello = (struct wire_hello){
        .view_epoch = self->hello_epoch,
        .level = wire_level,
        .ip = self->ip,
        .lane_count = self->lane_count,
    };
    for (uint32_t i = 0; i < self->lane_count; i++) {
        hello->port[i] = self->port[i];
        hello->source_port[i] = to->source_port_to_us[i];
    }
}

uint32_t seal_hello(struct lane *lane)
{
    struct seal_room *seal = &lane->seal;
    const struct view *view = lane->look[ROOM_SEAL]->view;
    const struct view_member *self = view_member_find(view, view->self);
    if (lane->config.index != 0 || !lane->started || self == NULL)
        return 0;
    if (lane->look[ROOM_SEAL]->clock.now_ns < seal->next_hello_ns &&
        self->hello_epoch == seal->hello_epoch)
        return 0;
    seal->next_hello_ns = lane->look[ROOM_SEAL]->clock.now_ns + HELLO_PERIOD_NS;
    seal->hello_epoch = self->hello_epoch;
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->member_count; i++) {
        if (view->member[i].id == view->self || view->member[i].ip == 0)
            continue;
        struct wire_hello hello;
        struct outgoing *out = seal_to_member(lane, view->member[i].id, 0,
                                              (uint32_t)sizeof hello + WIRE_MESSAGE_BYTES);
        if (out == NULL)
            continue;
        describe(self, &view->member[i], &hello);
        bool fits = wire_put_hello(&out->writer, &hello);
        ENSURE(fits); /* room was asked for */
        out->reply = false;
        count++;
    }
    return count;
}
