/* membership.c: who belongs to the cluster, for the operator: lists, a node that joins, and changes
 * of one group by its leader. Runs on the edge's thread. */
#include "dataplane/node/config.h"
#include "dataplane/node/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_NS       UINT64_C(500000000) /* a polling core answers within a turn */
#define ANSWER_PAUSE_NS 200000

/* ---- lists ----------------------------------------------------------------------------------- */

static const char *role_text(uint8_t role)
{
    static const char *const name[] = {"none", "learner", "voter", "witness"};
    return name[role < COUNT_OF(name) ? role : 0];
}

json_t *node_member_json(const struct raft_member_status *member)
{
    static const char *const progress[] = {"", "probe", "replicate", "needs_snapshot"};
    return json_pack("{s:i, s:s, s:s, s:s, s:I}", "id", member->id, "role", role_text(member->role),
                     "old_role", role_text(member->old_role), "progress",
                     progress[member->progress < COUNT_OF(progress) ? member->progress : 0],
                     "match", (json_int_t)member->match);
}

static void address_text(const struct view_member *member, char text[32])
{
    (void)snprintf(text, 32, "%u.%u.%u.%u:%u", member->ip >> 24, member->ip >> 16 & 255,
                   member->ip >> 8 & 255, member->ip & 255, (unsigned)member->port[0]);
}

/* What the member is in this group. */
static void state_in(const struct lane_group_status *group, uint16_t id, char state[24])
{
    (void)snprintf(state, 24, "none");
    for (uint32_t i = 0; i < group->member_count; i++) {
        const struct raft_member_status *member = &group->member[i];
        if (member->id != id)
            continue;
        bool stays = !group->joint || member->role == member->old_role;
        (void)snprintf(state, 24, "%s%s", stays ? "" : "becoming ", role_text(member->role));
        if (member->role == WIRE_ROLE_NONE)
            (void)snprintf(state, 24, "leaving");
    }
}

/* The same in all groups, or "differs". */
static void state_of(const struct node *node, const struct view_member *member, char state[24])
{
    struct lane_group_status group;
    char here[24];
    (void)snprintf(state, 24, "voter"); /* until the lanes have started */
    for (uint16_t g = 0; g < node->config.group_count; g++) {
        if (!node_group_status(node, g, &group) || group.role == 0)
            return;
        state_in(&group, member->id, here);
        if (g > 0 && strcmp(state, here) != 0)
            (void)snprintf(here, sizeof here, "differs");
        memcpy(state, here, sizeof here);
        if (strcmp(here, "differs") == 0)
            return;
    }
    if (strcmp(state, "none") == 0)
        (void)snprintf(state, 24, "guest");
}

json_t *node_members_json(struct node *node)
{
    json_t *list = json_array();
    (void)pthread_mutex_lock(&node->view_lock);
    for (uint32_t i = 0; i < node->shown_view.member_count; i++) {
        const struct view_member *member = &node->shown_view.member[i];
        char address[32], state[24];
        address_text(member, address);
        state_of(node, member, state);
        bool self = member->id == node->config.id;
        json_t *speaks = self            ? json_integer(wire_level)
                         : member->known ? json_integer(member->level)
                                         : json_null();
        (void)json_array_append_new(list, json_pack("{s:i, s:o, s:s, s:s, s:o}", "id", member->id,
                                                    "incarnation", node_hex(member->incarnation),
                                                    "address", address, "state", state, "speaks",
                                                    speaks));
    }
    (void)pthread_mutex_unlock(&node->view_lock);
    return list;
}

json_t *node_first_json(struct node *node)
{
    json_t *list = json_array();
    (void)pthread_mutex_lock(&node->view_lock);
    const struct wire_members *first = &node->shown_view.first;
    for (uint32_t i = 0; i < first->count; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:i, s:o}", "id", first->member[i].id,
                                              "incarnation", node_hex(first->member[i].nonce)));
    (void)pthread_mutex_unlock(&node->view_lock);
    return list;
}

static uint64_t incarnation_of(struct node *node, uint16_t id)
{
    uint64_t incarnation = 0;
    (void)pthread_mutex_lock(&node->view_lock);
    const struct view_member *member = view_member_find(&node->shown_view, id);
    if (member != NULL)
        incarnation = member->incarnation;
    (void)pthread_mutex_unlock(&node->view_lock);
    return incarnation;
}

json_t *node_group_json(struct node *node, const char *argument)
{
    struct lane_group_status group;
    uint64_t number;
    if (!config_whole(argument, 0, UINT16_MAX, &number) ||
        !node_group_status(node, (uint16_t)number, &group))
        return NULL;
    json_t *list = json_array();
    for (uint32_t i = 0; i < group.member_count; i++) {
        json_t *member = node_member_json(&group.member[i]);
        (void)json_object_set_new(member, "incarnation",
                                  node_hex(incarnation_of(node, group.member[i].id)));
        (void)json_array_append_new(list, member);
    }
    json_t *leader = group.leader == RAFT_NOBODY ? json_null() : json_integer(group.leader);
    return json_pack("{s:i, s:s, s:o, s:I, s:I, s:I, s:b, s:i, s:i, s:o}", "group", group.group,
                     "role", node_role_name(group.role), "leader", leader, "last_index",
                     (json_int_t)group.last_index, "commit", (json_int_t)group.commit,
                     "members_index", (json_int_t)group.members_index, "joint", (int)group.joint,
                     "full_copies", (int)group.full_copies, "level", (int)group.level, "members",
                     list);
}

/* ---- a node that joins ----------------------------------------------------------------------- */

/* "id=hex", and for who is in it now "@address:port" behind. False: not well formed. */
static bool parse_identity(char *text, bool with_address, struct view_member *member)
{
    char *at = strchr(text, '@'), *end;
    if ((at != NULL) != with_address)
        return false;
    if (at != NULL)
        *at = '\0';
    unsigned long id = strtoul(text, &end, 10);
    if (*end != '=' || id == 0 || id >= RAFT_NOBODY)
        return false;
    *member = (struct view_member){.id = (uint16_t)id, .guest = true};
    member->incarnation = strtoull(end + 1, &end, 16);
    return *end == '\0' && member->incarnation != 0 &&
           (at == NULL || config_endpoint(at + 1, &member->ip, &member->port[0]));
}

/* Returns how many; 0: not well formed, or ids do not rise. */
static uint32_t parse_identities(char *text, bool with_address, struct view_member *members)
{
    uint32_t count = 0;
    for (char *one; (one = strsep(&text, ",")) != NULL; count++)
        if (count == VIEW_MEMBERS_MAX || !parse_identity(one, with_address, &members[count]) ||
            (count > 0 && members[count].id <= members[count - 1].id))
            return 0;
    return count;
}

/* The view of a node that was not in the first configuration: those who are in it now are guests at
 * first, for the logs are still to come. */
static void joining_view(const struct node *node, const struct view_member *now, uint32_t count,
                         struct view *view)
{
    struct view_member self = {.id = node->config.id, .incarnation = node->incarnation};
    node_address_of(node, &self);
    view->member_count = 0;
    for (uint32_t i = 0; i <= count; i++) {
        const struct view_member *next = i < count ? &now[i] : NULL;
        if (self.id != 0 && (next == NULL || self.id < next->id)) {
            view->member[view->member_count++] = self;
            self.id = 0;
        }
        if (next == NULL || next->id == node->config.id)
            continue;
        struct view_member *member = &view->member[view->member_count++];
        *member = *next;
        member->heard_ns = node_now_ns();
        member->lane_count = node->config.lane_count;
        for (uint32_t lane = 0; lane < node->config.lane_count; lane++) {
            member->port[lane] = (uint16_t)(next->port[0] + lane);
            member->source_port_to_us[lane] = port_source_port(node->port, lane, member->ip);
        }
    }
}

void node_joined_view(const struct node *node, struct view *view)
{
    const struct identity *identity = &node->identity;
    struct view_member now[VIEW_MEMBERS_MAX];
    for (uint32_t i = 0; i < identity->place_count; i++) {
        const struct identity_place *place = &identity->place[i];
        now[i] = (struct view_member){.id = place->id,
                                      .guest = true,
                                      .incarnation = place->incarnation,
                                      .ip = place->ip,
                                      .port = {place->port}};
    }
    joining_view(node, now, identity->place_count, view);
}

static bool used_before(const struct wire_members *first, uint16_t id, uint64_t nonce)
{
    for (uint32_t i = 0; i < first->count; i++)
        if (first->member[i].id == id)
            return first->member[i].nonce != nonce;
    return false;
}

bool node_join(struct node *node, const char *argument, char *text, uint32_t capacity)
{
    static const char wants[] =
        "wants: cluster-hex, the first members as id=incarnation-hex,... and "
        "those of now as id=incarnation-hex@address:port,...";
    struct view_member first[VIEW_MEMBERS_MAX], now[VIEW_MEMBERS_MAX];
    uint16_t ids[VIEW_MEMBERS_MAX];
    uint64_t incarnations[VIEW_MEMBERS_MAX];
    char copy[8192], *rest = copy, *end;
    (void)snprintf(copy, sizeof copy, "%s", argument);
    char *hex = strsep(&rest, " "), *first_text = strsep(&rest, " ");
    uint64_t cluster = strtoull(hex, &end, 16);
    uint32_t first_count = first_text == NULL ? 0 : parse_identities(first_text, false, first);
    uint32_t count = rest == NULL ? 0 : parse_identities(rest, true, now);
    const char *why = NULL;
    if (cluster == 0 || *end != '\0' || first_count == 0 || count == 0 || count == VIEW_MEMBERS_MAX)
        why = wants;
    for (uint32_t i = 0; why == NULL && i < first_count; i++) {
        ids[i] = first[i].id;
        incarnations[i] = first[i].incarnation;
        if (ids[i] == node->config.id)
            why = "the cluster's first configuration has this node's id: take one that was never "
                  "used";
    }
    (void)pthread_mutex_lock(&node->view_lock);
    if (why == NULL && node->cluster_shown != 0)
        why = "this node is in a cluster already";
    struct view view;
    if (why == NULL) {
        (void)node_bind(node, cluster, ids, incarnations, first_count, &view);
        joining_view(node, now, count, &view);
        if (!node_remember(node, &view))
            why = "the folder in [storage] data can not be written";
    }
    if (why == NULL) {
        node->shown_view = view;
        node->view_asked = true;
        node->cluster_shown = cluster;
    }
    (void)pthread_mutex_unlock(&node->view_lock);
    (void)snprintf(text, capacity, "%s", why == NULL ? "joining" : why);
    return why == NULL;
}

/* ---- changes --------------------------------------------------------------------------------- */

/* "add:4=hex", or "raise:1" */
static bool parse_change(char *text, struct raft_change *change)
{
    static const struct {
        const char *word;
        enum raft_change_kind kind;
    } kinds[] = {{"add", RAFT_ADD_LEARNER},
                 {"promote", RAFT_PROMOTE},
                 {"witness", RAFT_PROMOTE_WITNESS},
                 {"demote", RAFT_DEMOTE},
                 {"remove", RAFT_REMOVE}};
    struct view_member member;
    uint64_t level;
    char *colon = strchr(text, ':');
    if (strncmp(text, "raise:", 6) == 0) {
        *change = (struct raft_change){.kind = RAFT_RAISE};
        bool good = config_whole(text + 6, 0, UINT8_MAX, &level);
        change->id = good ? (uint16_t)level : 0;
        return good;
    }
    if (colon == NULL || !parse_identity(colon + 1, false, &member))
        return false;
    *colon = '\0';
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(text, kinds[i].word) == 0) {
            *change = (struct raft_change){
                .kind = (uint8_t)kinds[i].kind, .id = member.id, .nonce = member.incarnation};
            return true;
        }
    return false;
}

/* "0 add:4=hex,remove:2=hex". Returns how many; 0: not well formed. */
static uint32_t parse_changes(char *text, uint16_t *group, struct raft_change *changes)
{
    uint64_t number;
    uint32_t count = 0;
    char *first = strsep(&text, " ");
    if (text == NULL || !config_whole(first, 0, UINT16_MAX, &number))
        return 0;
    *group = (uint16_t)number;
    for (char *one; (one = strsep(&text, ",")) != NULL; count++)
        if (count == LANE_CHANGES_MAX || !parse_change(one, &changes[count]))
            return 0;
    return count;
}

/* False: the lane did not get to it in time; it will not. */
static bool await_answer(struct lane *lane, uint16_t group, struct lane_change_answer *answer)
{
    const struct timespec pause = {.tv_nsec = ANSWER_PAUSE_NS};
    uint64_t until_ns = node_now_ns() + ANSWER_NS;
    while (!lane_change_answer(lane, group, answer)) {
        if (node_now_ns() >= until_ns && lane_change_forget(lane, group))
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static bool told(char *text, uint32_t capacity, const char *name, const char *sentence)
{
    (void)snprintf(text, capacity, "%s %s", name, sentence);
    return false;
}

/* Would somebody not understand what the others say then? A guest that comes in must speak what is
 * spoken, all members what shall be. */
static bool is_too_old(const struct node *node, uint8_t level, const struct raft_change *change)
{
    const struct view *view = &node->shown_view;
    uint32_t wanted = change->kind == RAFT_RAISE ? change->id : level;
    if (change->kind == RAFT_RAISE && change->id > wire_level)
        return true;
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct view_member *member = &view->member[i];
        bool concerned = change->kind == RAFT_RAISE
                             ? !member->guest
                             : change->kind == RAFT_ADD_LEARNER && member->id == change->id;
        if (concerned && member->id != node->config.id && member->level < wanted)
            return true;
    }
    return false;
}

/* NULL: nothing speaks against it that the machine would not know. */
static const char *judge(struct node *node, uint16_t group, const struct raft_change *changes,
                         uint32_t count, const char **sentence)
{
    struct lane_group_status status;
    const char *name = NULL;
    if (!node_group_status(node, group, &status))
        status.level = 0;
    (void)pthread_mutex_lock(&node->view_lock);
    for (uint32_t i = 0; i < count && name == NULL; i++) {
        if (changes[i].kind == RAFT_ADD_LEARNER &&
            used_before(&node->shown_view.first, changes[i].id, changes[i].nonce)) {
            name = "CHANGE_ID_USED";
            *sentence =
                "a member of the first configuration had this id: take one that was never used";
        } else if (is_too_old(node, status.level, &changes[i])) {
            name = "CHANGE_TOO_OLD";
            *sentence = "a build does not speak that level, or has not been heard: member list "
                        "says what each speaks";
        }
    }
    (void)pthread_mutex_unlock(&node->view_lock);
    return name;
}

bool node_change(struct node *node, const char *argument, char *text, uint32_t capacity)
{
    struct raft_change changes[LANE_CHANGES_MAX];
    struct lane_change_answer answer;
    char copy[1024];
    uint16_t group = 0;
    (void)snprintf(copy, sizeof copy, "%s", argument);
    uint32_t count = parse_changes(copy, &group, changes);
    if (count == 0 || group >= node->config.group_count)
        return told(
            text, capacity, "CHANGE_MALFORMED",
            "wants: a group and add|promote|witness|demote|remove:id=incarnation-hex,... or "
            "raise:level");
    const char *sentence, *refused = judge(node, group, changes, count, &sentence);
    if (refused != NULL)
        return told(text, capacity, refused, sentence);
    struct lane *lane = node->lane[group % node->config.lane_count].lane;
    if (!lane_change(lane, group, changes, count, true))
        return told(text, capacity, "CHANGE_CROWDED", "another change is being asked for");
    if (!await_answer(lane, group, &answer))
        return told(text, capacity, "CHANGE_NOT_TAKEN", "the polling core did not take it in time");
    if (answer.event != RAFT_CHANGE_STARTED)
        return told(text, capacity, raft_event_name(answer.event),
                    raft_event_sentence(answer.event));
    (void)snprintf(text, capacity, "started %" PRIu64, answer.index);
    return true;
}
