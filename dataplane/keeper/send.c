/* Sending: a file to each member that was offered it. */
#include "dataplane/keeper/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RESEND_NS  (KEEPER_SECOND_NS / 5)
#define SILENCE_NS (10 * KEEPER_SECOND_NS)

static struct sender *find(struct keeper *keeper, uint16_t group, uint16_t member)
{
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++) {
        struct sender *sender = &keeper->sender[i];
        if (sender->used && sender->group == group && sender->member == member)
            return sender;
    }
    return NULL;
}

static struct sender *free_place(struct keeper *keeper)
{
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++)
        if (!keeper->sender[i].used)
            return &keeper->sender[i];
    return NULL;
}

void send_stop(struct sender *sender)
{
    if (sender->used && sender->fd >= 0)
        (void)close(sender->fd);
    *sender = (struct sender){.fd = -1};
}

static void end(struct sender *sender, enum sender_end how, uint64_t after_ns)
{
    sender->end = how;
    sender->end_after_ns = after_ns;
}

/* What the file is: known of the newest, read of the one before it. */
static bool about_file(struct keeper *keeper, const struct lane_note *note, const char *name,
                       struct snapshot_about *about)
{
    *about = keeper->group[note->group].newest;
    return (about->head.index == note->index && about->head.term == note->term) ||
           (snapshot_file_check(keeper->folder, name, about) == SNAPSHOT_OK &&
            about->head.index == note->index && about->head.term == note->term);
}

static bool begin(struct keeper *keeper, const struct lane_note *note, struct sender *sender,
                  uint64_t now_ns)
{
    char name[KEEPER_NAME_MAX];
    struct snapshot_about about;
    keeper_name(keeper, note->group, note->index, "snap", name);
    if (keeper->folder < 0 || !about_file(keeper, note, name, &about))
        return false;
    sender->fd = openat(keeper->folder, name, O_RDONLY | O_CLOEXEC);
    if (sender->fd < 0)
        return false;
    struct wire_snapshot_id id = {note->index, note->term, about.sum, about.bytes};
    struct transfer_config config = {
        .unit = (uint32_t)keeper_lane_of(keeper, note->group)->unit,
        .window = WIRE_CHUNK_AHEAD_MAX,
        .resend_ns = RESEND_NS,
        .silence_ns = SILENCE_NS,
        .bytes_per_second = keeper->config.bytes_per_second,
    };
    transfer_send_begin(&sender->transfer, &config, &id, now_ns);
    return true;
}

/* Where all places are taken the machine hears of it by this note's failure alone. */
static void decline(struct keeper *keeper, const struct lane_note *note)
{
    keeper_count(keeper, KEEPER_SEND_CROWDED);
    /* A full doorway loses it: the next term offers again. */
    (void)lane_snapshot_failed(keeper_lane_of(keeper, note->group)->lane, note->group,
                               note->member);
}

void send_offered(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns)
{
    struct sender *sender = find(keeper, note->group, note->member);
    if (sender != NULL && sender->index == note->index && sender->end == SENDER_GOES)
        return; /* the machine has begun a new term; the transfer goes on */
    if (sender != NULL)
        send_stop(sender);
    sender = free_place(keeper);
    if (sender == NULL) {
        decline(keeper, note);
        return;
    }
    *sender = (struct sender){
        .used = true, .group = note->group, .member = note->member, .index = note->index, .fd = -1};
    if (note->witness) {
        end(sender, SENDER_SENT, 0);
    } else if (!begin(keeper, note, sender, now_ns)) {
        keeper_count(keeper, KEEPER_SEND_NO_FILE);
        keeper->group[note->group].wanted = true;
        end(sender, SENDER_FAILED, now_ns + KEEPER_RETRY_NS);
    }
}

void send_ack(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns)
{
    struct sender *sender = find(keeper, note->group, note->member);
    struct wire_chunk_ack ack;
    struct wire_view view = lane_note_view(note);
    if (sender != NULL && sender->fd >= 0 && sender->end == SENDER_GOES &&
        wire_get_chunk_ack(&view, &ack) == WIRE_OK)
        transfer_send_ack(&sender->transfer, &ack, now_ns);
}

static bool read_chunk(const struct sender *sender, uint8_t *to)
{
    uint32_t got = 0;
    while (got < sender->held_bytes) {
        ssize_t more = pread(sender->fd, to + got, sender->held_bytes - got,
                             (off_t)(sender->held_offset + got));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return false;
        got += (uint32_t)more;
    }
    return true;
}

/* What transfer wants to be sent. False: it could not be, now or ever. */
static bool send_held(struct keeper *keeper, struct sender *sender, uint64_t now_ns)
{
    struct wire_writer writer = {.data = keeper->message, .capacity = keeper->message_bytes};
    struct wire_chunk chunk = {
        .group = sender->group,
        .id = sender->transfer.id,
        .offset = sender->held_offset,
        .unit = sender->transfer.config.unit,
        .bytes = sender->held_bytes,
    };
    /* The crc is known once the bytes are, and the head is written before them. */
    if (!read_chunk(sender, keeper->data)) {
        keeper_count(keeper, KEEPER_SEND_NO_FILE);
        end(sender, SENDER_FAILED, now_ns + KEEPER_RETRY_NS);
        return false;
    }
    chunk.crc = snapshot_crc(keeper->data, chunk.bytes);
    uint8_t *place = wire_put_chunk(&writer, &chunk);
    ENSURE(place != NULL); /* the unit was cut to fit */
    memcpy(place, keeper->data, chunk.bytes);
    sender->held = !lane_send(keeper_lane_of(keeper, sender->group)->lane, sender->group,
                              sender->member, keeper->message, writer.bytes);
    return !sender->held;
}

static void look(struct keeper *keeper, struct sender *sender, uint64_t now_ns)
{
    enum transfer_state state = sender->transfer.state;
    if (sender->end != SENDER_GOES)
        return;
    if (state == TRANSFER_WHOLE) {
        keeper_count(keeper, KEEPER_SENT);
        end(sender, SENDER_SENT, 0);
    } else if (state == TRANSFER_REFUSED) {
        /* Acks of pieces that are still on their way would end the next attempt, too. */
        keeper_count(keeper, KEEPER_SEND_REFUSED);
        end(sender, SENDER_FAILED, now_ns + KEEPER_RETRY_NS);
    } else if (state == TRANSFER_SILENT) {
        keeper_count(keeper, KEEPER_SEND_SILENT);
        end(sender, SENDER_FAILED, 0);
    }
}

static bool go_on(struct keeper *keeper, struct sender *sender, uint64_t now_ns)
{
    uint32_t sent = 0;
    look(keeper, sender, now_ns);
    while (sender->end == SENDER_GOES && sent < KEEPER_CHUNKS) {
        sender->held =
            sender->held || transfer_send_next(&sender->transfer, now_ns, &sender->held_offset,
                                               &sender->held_bytes);
        if (!sender->held || !send_held(keeper, sender, now_ns))
            break;
        sent++;
    }
    look(keeper, sender, now_ns);
    return sent == KEEPER_CHUNKS;
}

static void tell(struct keeper *keeper, struct sender *sender)
{
    struct lane *lane = keeper_lane_of(keeper, sender->group)->lane;
    bool told = sender->end == SENDER_SENT
                    ? lane_snapshot_sent(lane, sender->group, sender->member, sender->index)
                    : lane_snapshot_failed(lane, sender->group, sender->member);
    if (told)
        send_stop(sender);
}

bool send_step(struct keeper *keeper, uint64_t now_ns)
{
    bool more = false;
    for (uint32_t i = 0; i < KEEPER_SENDERS_MAX; i++) {
        struct sender *sender = &keeper->sender[i];
        if (sender->used && sender->end == SENDER_GOES)
            more |= go_on(keeper, sender, now_ns);
        if (sender->used && sender->end != SENDER_GOES && now_ns >= sender->end_after_ns)
            tell(keeper, sender);
    }
    return more;
}
