#include "dataplane/state/session.h"

#include "numa/base/assert.h"

_Static_assert(sizeof(struct session) == CACHE_LINE_BYTES, "a session is a line");

_Static_assert(SESSIONS_MAX <= SESSION_NOBODY, "a slot number fits 16 bits");

void state_sessions_lay_out(struct state_sessions *sessions, uint8_t *base, struct layout *layout)
{
    size_t session = layout_add(layout, SESSIONS_MAX * sizeof(struct session));
    size_t list = layout_add(layout, SESSION_NONCE_LISTS * sizeof(uint16_t));
    size_t reply =
        layout_add(layout, (size_t)SESSIONS_MAX * SESSION_WINDOW * sizeof(struct session_reply));
    if (sessions == NULL)
        return;
    *sessions = (struct state_sessions){
        .session = (struct session *)(void *)(base + session),
        .reply = (struct session_reply *)(void *)(base + reply),
        .list = (uint16_t *)(void *)(base + list),
        .oldest = SESSION_NOBODY,
        .newest = SESSION_NOBODY,
    };
    memset(sessions->session, 0, SESSIONS_MAX * sizeof(struct session));
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        sessions->session[i].newer = (uint16_t)(i + 1 < SESSIONS_MAX ? i + 1 : SESSION_NOBODY);
    memset(sessions->list, 0xff, SESSION_NONCE_LISTS * sizeof(uint16_t));
}

static uint16_t slot_of(const struct state_sessions *sessions, const struct session *session)
{
    return (uint16_t)(session - sessions->session);
}

static uint64_t digest_of(const struct session *session)
{
    return hash_fold(session->id ^ HASH_A, session->next ^ HASH_B);
}

static uint16_t *list_of(const struct state_sessions *sessions, uint64_t nonce)
{
    return &sessions->list[hash_fold(nonce ^ HASH_A, HASH_B) % SESSION_NONCE_LISTS];
}

struct session *state_sessions_find(const struct state_sessions *sessions, uint64_t id)
{
    struct session *session = &sessions->session[id % SESSIONS_MAX];
    return session->id == id && id != 0 ? session : NULL;
}

struct session *state_sessions_find_nonce(const struct state_sessions *sessions, uint64_t nonce)
{
    uint16_t slot = *list_of(sessions, nonce);
    while (slot != SESSION_NOBODY && sessions->session[slot].nonce != nonce)
        slot = sessions->session[slot].same_list;
    return slot == SESSION_NOBODY ? NULL : &sessions->session[slot];
}

struct session *state_sessions_oldest(const struct state_sessions *sessions)
{
    return sessions->oldest == SESSION_NOBODY ? NULL : &sessions->session[sessions->oldest];
}

static void link_newest(struct state_sessions *sessions, struct session *session)
{
    uint16_t slot = slot_of(sessions, session);
    session->older = sessions->newest;
    session->newer = SESSION_NOBODY;
    if (sessions->newest != SESSION_NOBODY)
        sessions->session[sessions->newest].newer = slot;
    else
        sessions->oldest = slot;
    sessions->newest = slot;
}

static void unlink_use(struct state_sessions *sessions, struct session *session)
{
    if (session->older != SESSION_NOBODY)
        sessions->session[session->older].newer = session->newer;
    else
        sessions->oldest = session->newer;
    if (session->newer != SESSION_NOBODY)
        sessions->session[session->newer].older = session->older;
    else
        sessions->newest = session->older;
}

struct session *state_sessions_open(struct state_sessions *sessions, uint64_t nonce)
{
    ENSURE(sessions->free != SESSION_NOBODY);
    struct session *session = &sessions->session[sessions->free];
    uint16_t slot = sessions->free;
    sessions->free = session->newer;
    __atomic_store_n(&session->next, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&session->id, ++sessions->registrations * SESSIONS_MAX + slot,
                     __ATOMIC_RELEASE);
    session->nonce = nonce;
    session->same_list = *list_of(sessions, nonce);
    *list_of(sessions, nonce) = slot;
    link_newest(sessions, session);
    __atomic_store_n(&sessions->count, sessions->count + 1, __ATOMIC_RELAXED);
    sessions->digest += digest_of(session);
    return session;
}

void state_sessions_close(struct state_sessions *sessions, struct session *session)
{
    uint16_t slot = slot_of(sessions, session);
    sessions->digest -= digest_of(session);
    uint16_t *link = list_of(sessions, session->nonce);
    while (*link != slot)
        link = &sessions->session[*link].same_list;
    *link = session->same_list;
    unlink_use(sessions, session);
    __atomic_store_n(&session->id, 0, __ATOMIC_RELEASE);
    session->newer = sessions->free;
    sessions->free = slot;
    __atomic_store_n(&sessions->count, sessions->count - 1, __ATOMIC_RELAXED);
}

void state_sessions_touch(struct state_sessions *sessions, struct session *session,
                          uint64_t time_ms)
{
    session->last_ms = time_ms;
    if (session->newer == SESSION_NOBODY)
        return;
    unlink_use(sessions, session);
    link_newest(sessions, session);
}

static struct session_reply *reply_at(const struct state_sessions *sessions,
                                      const struct session *session, uint64_t sequence)
{
    size_t slot = slot_of(sessions, session);
    return &sessions->reply[slot * SESSION_WINDOW + sequence % SESSION_WINDOW];
}

void state_sessions_answered(struct state_sessions *sessions, struct session *session,
                             const struct wire_result *result)
{
    bool kept = result->value_bytes <= SESSION_REPLY_BYTES;
    struct session_reply reply = {
        .status = kept ? result->status : WIRE_REPLY_GONE,
        .type = kept ? result->type : WIRE_NIL,
        .value_bytes = (uint8_t)(kept ? result->value_bytes : 0),
        .integer = kept ? result->integer : 0,
    };
    if (reply.value_bytes > 0)
        memcpy(reply.value, result->value, reply.value_bytes);
    uint64_t *to = (uint64_t *)(void *)reply_at(sessions, session, session->next);
    for (uint32_t i = 0; i < sizeof reply / sizeof *to; i++)
        __atomic_store_n(&to[i], load_u64((const uint8_t *)&reply + i * sizeof *to),
                         __ATOMIC_RELAXED);
    sessions->digest -= digest_of(session);
    __atomic_store_n(&session->next, session->next + 1, __ATOMIC_RELEASE);
    sessions->digest += digest_of(session);
}

const struct session_reply *state_sessions_reply(const struct state_sessions *sessions,
                                                 const struct session *session, uint64_t sequence)
{
    return session->next - sequence > SESSION_WINDOW ? NULL : reply_at(sessions, session, sequence);
}

void state_sessions_order(struct state_sessions *sessions, const uint16_t *slots, uint32_t open)
{
    sessions->free = SESSION_NOBODY;
    for (uint32_t i = SESSIONS_MAX; i-- > open;) {
        sessions->session[slots[i]].newer = sessions->free;
        sessions->free = slots[i];
    }
    for (uint32_t i = 0; i < open; i++)
        link_newest(sessions, &sessions->session[slots[i]]);
}

void state_sessions_restore(struct state_sessions *sessions, uint32_t slot, uint64_t id,
                            uint64_t next, uint64_t nonce, uint64_t last_ms)
{
    struct session *session = &sessions->session[slot];
    session->id = id;
    session->next = next;
    session->nonce = nonce;
    session->last_ms = last_ms;
    session->same_list = *list_of(sessions, nonce);
    *list_of(sessions, nonce) = (uint16_t)slot;
    sessions->count++;
    sessions->digest += digest_of(session);
}
