/* Who belongs to a group, at one lane: what comes out of the log, what goes into it, what others
 * may say before they belong. */
#include "tests/unit/pipeline/lane_fixture.h"

extern "C" {
#include "dataplane/pipeline/seats.h"
}

namespace
{

/* ---- seats ----------------------------------------------------------------------------------- */

struct view view_of(uint64_t epoch, const std::vector<std::pair<uint16_t, uint64_t>> &members)
{
    struct view view = {};
    view.epoch = epoch;
    for (const auto &member : members) {
        view.member[view.member_count].id = member.first;
        view.member[view.member_count++].incarnation = member.second;
    }
    return view;
}

TEST(Seats, StayWhileOthersComeAndGo)
{
    struct seats seats = {};
    struct view view = view_of(1, {{1, 11}, {2, 22}, {3, 33}});
    EXPECT_EQ(seats_follow(&seats, &view), 7u);
    uint8_t seat_of_3 = seats.seat[2];
    view = view_of(2, {{1, 11}, {3, 33}});
    EXPECT_EQ(seats_follow(&seats, &view), 0u);
    EXPECT_EQ(seats.seat[1], seat_of_3);
    view = view_of(3, {{1, 11}, {3, 33}, {4, 44}});
    EXPECT_EQ(seats_follow(&seats, &view), 1u << 1) << "the one that member 2 has left";
    EXPECT_EQ(seats.seat[1], seat_of_3);
    EXPECT_EQ(seats_follow(&seats, &view), 0u) << "asked once per view";
}

TEST(Seats, AnotherIncarnationIsSomebodyElse)
{
    struct seats seats = {};
    struct view view = view_of(1, {{1, 11}, {2, 22}});
    (void)seats_follow(&seats, &view);
    view = view_of(2, {{1, 11}, {2, 23}});
    EXPECT_NE(seats_follow(&seats, &view), 0u);
}

TEST(Seats, HoldAFullView)
{
    struct seats seats = {};
    std::vector<std::pair<uint16_t, uint64_t>> all;
    for (uint16_t i = 1; i <= VIEW_MEMBERS_MAX; i++)
        all.emplace_back(i, i);
    struct view view = view_of(1, all);
    EXPECT_EQ(seats_follow(&seats, &view), UINT64_MAX);
    all[0] = {100, 100};
    std::sort(all.begin(), all.end());
    view = view_of(2, all);
    EXPECT_EQ(seats_follow(&seats, &view), 1u);
}

/* ---- lanes ----------------------------------------------------------------------------------- */

struct wire_member plain(uint16_t id, uint8_t role)
{
    return {id, role, WIRE_ROLE_NONE, own_incarnation + id - 1u};
}

struct wire_members configuration(const std::vector<struct wire_member> &members)
{
    struct wire_members all = {};
    for (const struct wire_member &member : members)
        all.member[all.count++] = member;
    return all;
}

class Members : public Lane
{
  protected:
    static std::string config_entry(uint64_t index, uint64_t term,
                                    const struct wire_members &members)
    {
        std::string all = entry(WIRE_ENTRY_CONFIG, index, term, 0, 0);
        uint32_t bytes = wire_members_size(members.count);
        all.resize(wire_entry_size(bytes));
        std::memcpy(&all[0], &bytes, sizeof bytes);
        wire_members_encode(&members, reinterpret_cast<uint8_t *>(&all[sizeof(struct wire_entry)]));
        return all;
    }

    bool news()
    {
        return lane_members(lane, 0, &seen, &known);
    }

    enum raft_event change(std::vector<struct raft_change> changes)
    {
        EXPECT_TRUE(
            lane_change(lane, 0, changes.data(), static_cast<uint32_t>(changes.size()), true));
        poll();
        EXPECT_TRUE(lane_change_answer(lane, 0, &answer));
        return answer.event;
    }

    static struct raft_change add(uint16_t id)
    {
        return {RAFT_ADD_LEARNER, id, own_incarnation + id - 1u};
    }

    /* The next view, with these members, of which ids above `named` are guests. */
    void see(uint32_t members, uint32_t named)
    {
        struct wire_members first = view.first;
        bind(members);
        view.first = first;
        for (uint32_t i = named; i < members; i++)
            view.member[i].guest = true;
        view.epoch++;
        view_offline();
        view_publish(cell, &view);
        view_online();
        poll();
    }

    void hello_from(uint16_t from)
    {
        put_from(from, [](struct wire_writer *writer) {
            struct wire_hello hello = {};
            hello.view_epoch = 1;
            hello.ip = 0x0a4d0009;
            hello.lane_count = 1;
            hello.port[0] = 7700;
            ASSERT_TRUE(wire_put_hello(writer, &hello));
        });
    }

    struct lane_members known = {};
    struct lane_change_answer answer = {};
    uint64_t seen = 0;
};

TEST_F(Members, BeginWithTheFirstConfiguration)
{
    start(3);
    EXPECT_FALSE(news()) << "nothing has begun";
    poll();
    ASSERT_TRUE(news());
    EXPECT_EQ(known.index, 0u);
    EXPECT_TRUE(known.committed);
    ASSERT_EQ(known.force.count, 3u);
    EXPECT_EQ(known.force.member[2].nonce, own_incarnation + 2);
    EXPECT_FALSE(news()) << "it is told once";
}

TEST_F(Members, AConfigurationOfALevelThatThisBuildDoesNotSpeakIsNotTaken)
{
    start(3);
    poll();
    struct wire_members raised = configuration(
        {plain(1, WIRE_ROLE_VOTER), plain(2, WIRE_ROLE_VOTER), plain(3, WIRE_ROLE_VOTER)});
    raised.level = wire_level + 1;
    append(0, 0, 2, 2, entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0) + config_entry(2, 1, raised));
    EXPECT_EQ(log_last_index(lane_log(lane, 0)), 1u) << "what comes before it is";
    uint64_t refused[WIRE_REFUSAL_COUNT];
    lane_wire_counters(lane, refused);
    EXPECT_EQ(refused[WIRE_REFUSED_LEVEL], 1u);
}

TEST_F(Members, AConfigurationInTheLogIsInForceAndMayBeTakenBack)
{
    start(3);
    poll();
    (void)news();
    struct wire_members four = configuration(
        {plain(1, WIRE_ROLE_VOTER), plain(3, WIRE_ROLE_VOTER), plain(4, WIRE_ROLE_LEARNER)});
    append(0, 0, 1, 2, entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0) + config_entry(2, 1, four));
    ASSERT_TRUE(news());
    EXPECT_EQ(known.index, 2u);
    EXPECT_FALSE(known.committed);
    EXPECT_EQ(known.force.count, 3u);
    ASSERT_EQ(known.other_count, 1u) << "who belonged before is still understood";
    EXPECT_EQ(known.other[0].id, 2);
    append(1, 1, 1, 1, entry(WIRE_ENTRY_NOOP, 2, 2, 0, 0), 2);
    ASSERT_TRUE(news());
    EXPECT_EQ(known.index, 0u) << "its entry was replaced";
    EXPECT_TRUE(known.committed);
    EXPECT_EQ(known.other_count, 0u);
}

TEST_F(Members, OnceCommittedTheFormerOnesAreForgotten)
{
    start(3);
    poll();
    struct wire_members two = configuration({plain(1, WIRE_ROLE_VOTER), plain(3, WIRE_ROLE_VOTER)});
    append(0, 0, 0, 1, config_entry(1, 1, two));
    ASSERT_TRUE(news());
    EXPECT_EQ(known.other_count, 1u);
    append(1, 1, 1, 0, "");
    ASSERT_TRUE(news());
    EXPECT_TRUE(known.committed);
    EXPECT_EQ(known.other_count, 0u);
    struct lane_group_status status;
    pass(2);
    ASSERT_TRUE(lane_group_status(lane, 0, &status));
    EXPECT_EQ(status.members_index, 1u);
    EXPECT_EQ(status.member_count, 2u);
    EXPECT_EQ(status.applied, 1u) << "to the state it is nothing";
    uint64_t of_state[STATE_EVENT_COUNT];
    lane_state_counters(lane, of_state);
    EXPECT_EQ(of_state[STATE_BAD_COMMAND], 0u);
}

TEST_F(Members, MoreConfigurationsThanOneMessageMayBringAreCut)
{
    start(3);
    poll();
    std::string entries;
    for (uint64_t i = 1; i <= 10; i++)
        entries +=
            config_entry(i, 1,
                         configuration({plain(1, WIRE_ROLE_VOTER), plain(2, WIRE_ROLE_VOTER),
                                        plain(static_cast<uint16_t>(2 + i), WIRE_ROLE_VOTER)}));
    append(0, 0, 0, 10, entries);
    EXPECT_EQ(log_last_index(lane_log(lane, 0)), 8u);
}

TEST_F(Members, AConfigurationThatCanNotBeIsRefusedByName)
{
    start(3);
    poll();
    std::string bad = config_entry(1, 1, configuration({plain(1, WIRE_ROLE_VOTER)}));
    bad[sizeof(struct wire_entry) + 2] = 7; /* joint: 0 or 1 */
    append(0, 0, 0, 1, bad);
    uint64_t refused[WIRE_REFUSAL_COUNT];
    lane_wire_counters(lane, refused);
    EXPECT_EQ(refused[WIRE_REFUSED_MEMBERS], 1u);
    EXPECT_EQ(log_last_index(lane_log(lane, 0)), 0u);
}

TEST_F(Members, ALeaderWritesTheChangeIntoItsLog)
{
    lead();
    (void)news();
    EXPECT_EQ(change({add(2)}), RAFT_CHANGE_STARTED);
    const struct wire_entry *entry = log_entry(lane_log(lane, 0), answer.index);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->kind, WIRE_ENTRY_CONFIG);
    struct wire_members members;
    ASSERT_EQ(wire_members_decode(reinterpret_cast<const uint8_t *>(entry + 1), entry->body_bytes,
                                  &members),
              WIRE_OK);
    EXPECT_EQ(members.count, 2u);
    pass(2);
    ASSERT_TRUE(news());
    EXPECT_TRUE(known.committed) << "the one voter has stored it";
    EXPECT_EQ(known.force.member[1].role, WIRE_ROLE_LEARNER);
    struct wire_raft append;
    EXPECT_FALSE(told(2, WIRE_APPEND, &append)) << "the view does not know where it is";
    see(2, 2);
    pass(50);
    ASSERT_TRUE(told(2, WIRE_APPEND, &append));
    EXPECT_EQ(change({add(2)}), RAFT_CHANGE_REFUSED_ALREADY_MEMBER);
    EXPECT_EQ(change({{RAFT_PROMOTE, 2, own_incarnation + 1}}), RAFT_CHANGE_REFUSED_NOT_CAUGHT_UP);
    EXPECT_EQ(change({{RAFT_REMOVE, 2, 99}}), RAFT_CHANGE_REFUSED_UNKNOWN_MEMBER);
    EXPECT_EQ(change({{RAFT_REMOVE, 2, own_incarnation + 1}}), RAFT_CHANGE_STARTED);
}

TEST_F(Members, OnlyALeaderChangesThem)
{
    start(3);
    poll();
    EXPECT_EQ(change({add(4)}), RAFT_CHANGE_REFUSED_NOT_LEADER);
    struct raft_change one = add(4);
    EXPECT_FALSE(lane_change(lane, 7, &one, 1, true)) << "no such group";
    EXPECT_FALSE(lane_change(lane, 0, &one, LANE_CHANGES_MAX + 1, true));
    EXPECT_TRUE(lane_change(lane, 0, &one, 1, true));
    EXPECT_FALSE(lane_change(lane, 0, &one, 1, true)) << "one at a time";
    EXPECT_FALSE(lane_change_answer(lane, 0, &answer));
    EXPECT_TRUE(lane_change_forget(lane, 0));
    poll();
    EXPECT_FALSE(lane_change_answer(lane, 0, &answer)) << "forgotten is not done";
    EXPECT_TRUE(lane_change(lane, 0, &one, 1, false));
    poll();
    EXPECT_TRUE(lane_change(lane, 0, &one, 1, false)) << "who wants no answer does not block";
}

TEST_F(Members, AStrangerOfThisClusterMaySayHelloAndNothingElse)
{
    start(3);
    poll();
    uint16_t from;
    uint64_t incarnation;
    struct wire_hello hello;
    hello_from(9);
    EXPECT_EQ(counted(LANE_STRANGER), 0u);
    ASSERT_TRUE(lane_next_hello(lane, &from, &incarnation, &hello));
    EXPECT_EQ(from, 9);
    EXPECT_EQ(incarnation, own_incarnation + 8);
    struct wire_raft vote = {};
    vote.kind = WIRE_VOTE;
    vote.term = 5;
    tell(9, vote);
    EXPECT_EQ(counted(LANE_STRANGER), 1u);
    from_member([](struct wire_frame &frame) {
        frame.from = 9;
        frame.config_hash ^= 1;
    });
    EXPECT_EQ(counted(LANE_STRANGER), 2u) << "of another cluster's making";
}

TEST_F(Members, AGuestIsAnswered)
{
    start(3);
    see(4, 3);
    pass(300); /* nobody leads: a candidate may be heard */
    struct wire_raft ask = {}, reply;
    ask.kind = WIRE_PREVOTE;
    ask.term = 50;
    ask.commit = 5; /* its configuration is one that we have not heard of */
    ask.round = 1;
    tell(4, ask);
    EXPECT_EQ(counted(LANE_STRANGER), 0u);
    EXPECT_TRUE(told(4, WIRE_PREVOTE_REPLY, &reply));
}

TEST_F(Members, FrameNumbersAndReplaysSurviveAnotherView)
{
    start(3);
    see(3, 3);
    from_member([](struct wire_frame &frame) { frame.sequence = 500; });
    see(5, 3);
    from_member([](struct wire_frame &frame) { frame.sequence = 500; });
    EXPECT_EQ(counted(LANE_REPLAY), 1u);
}

TEST_F(Members, AWitnessGetsNoBodies)
{
    lead();
    ASSERT_EQ(change({add(2)}), RAFT_CHANGE_STARTED);
    see(2, 2);
    uint64_t session = open_session(71);
    ASSERT_EQ(one(session, 1, make(WIRE_OP_SET, "key", "value")).status, WIRE_DONE);
    auto follow = [this] { /* whatever is asked, it has */
                           struct wire_raft append, reply = {};
                           if (!told(2, WIRE_APPEND, &append))
                               return;
                           reply.kind = WIRE_APPEND_REPLY;
                           reply.term = append.term;
                           reply.index = append.index + append.entry_count;
                           reply.round = append.round;
                           port.sent.clear();
                           tell(2, reply);
    };
    for (int i = 0; i < 200; i++) {
        pass(10);
        follow();
    }
    ASSERT_EQ(change({{RAFT_PROMOTE_WITNESS, 2, own_incarnation + 1}}), RAFT_CHANGE_STARTED);
    for (int i = 0; i < 20; i++) {
        pass(10);
        follow();
    }
    (void)news();
    ASSERT_FALSE(known.force.joint) << "its leader has left the joint configuration by itself";
    ASSERT_EQ(known.force.member[1].role, WIRE_ROLE_WITNESS);
    port.sent.clear();
    ask(session, 2, make(WIRE_OP_SET, "key", std::string(500, 'x')));
    struct wire_raft append;
    ASSERT_TRUE(told(2, WIRE_APPEND, &append));
    EXPECT_EQ(append.entry_count, 1u);
    EXPECT_EQ(append.entry_bytes, WIRE_ENTRY_BYTES);
    port.sent.clear();
    ask(session, 3, make(WIRE_OP_SET, "key", std::string(300, 'x')));
    EXPECT_TRUE(told(2, WIRE_APPEND, &append));
    struct lane_group_status status;
    pass(2);
    ASSERT_TRUE(lane_group_status(lane, 0, &status));
    EXPECT_EQ(status.full_copies, 1u);
}

TEST_F(Members, WhoJoinsHasNoRoleAndAsksForNoVote)
{
    start(3);
    /* Not in the first configuration: 2, 3 and 4 were. */
    view.first = configuration(
        {plain(2, WIRE_ROLE_VOTER), plain(3, WIRE_ROLE_VOTER), plain(4, WIRE_ROLE_VOTER)});
    view.epoch++;
    view_offline();
    view_publish(cell, &view);
    view_online();
    poll();
    ASSERT_TRUE(news());
    EXPECT_EQ(known.force.member[0].id, 2);
    pass(1000);
    struct wire_raft asked;
    EXPECT_FALSE(told(2, WIRE_PREVOTE, &asked));
    struct wire_members in = configuration({plain(1, WIRE_ROLE_LEARNER), plain(2, WIRE_ROLE_VOTER),
                                            plain(3, WIRE_ROLE_VOTER), plain(4, WIRE_ROLE_VOTER)});
    append(0, 0, 1, 1, config_entry(1, 1, in));
    EXPECT_TRUE(told(2, WIRE_APPEND_REPLY, &asked));
    pass(1000);
    EXPECT_FALSE(told(2, WIRE_PREVOTE, &asked)) << "a learner has no vote";
}

/* ---- restarts -------------------------------------------------------------------------------- */

struct Kept {
    std::vector<std::string> entries;
};

bool recover(void *, uint16_t, struct storage_recovered *recovered)
{
    *recovered = {};
    recovered->term = recovered->boots = recovered->first = 1;
    recovered->last = 2;
    recovered->vote = RAFT_NOBODY;
    return true;
}

const struct wire_entry *recover_entry(void *domain, uint16_t, uint64_t index)
{
    auto *kept = static_cast<Kept *>(domain);
    return index > kept->entries.size()
               ? nullptr
               : reinterpret_cast<const struct wire_entry *>(kept->entries[index - 1].data());
}

TEST_F(Members, ARestartedNodeKnowsThemFromItsLog)
{
    Kept kept;
    kept.entries = {
        entry(WIRE_ENTRY_NOOP, 1, 1, 0, 0),
        config_entry(2, 1,
                     configuration({plain(1, WIRE_ROLE_VOTER), plain(2, WIRE_ROLE_VOTER),
                                    plain(7, WIRE_ROLE_LEARNER)}))};
    tweak = [&kept](struct lane_config &config) {
        config.recover = recover;
        config.recover_entry = recover_entry;
        config.recover_domain = &kept;
    };
    start(3);
    ASSERT_EQ(lane_recover(lane), nullptr);
    poll();
    ASSERT_TRUE(news());
    EXPECT_EQ(known.index, 2u);
    ASSERT_EQ(known.force.count, 3u);
    EXPECT_EQ(known.force.member[2].id, 7);
    EXPECT_EQ(known.force.member[2].nonce, own_incarnation + 6);
}

/* ---- leaving --------------------------------------------------------------------------------- */

TEST_F(Members, ALeaderThatIsRemovedStepsDownOnceThatIsCommittedAndAnswersWhatItHas)
{
    lead();
    ASSERT_EQ(change({add(2)}), RAFT_CHANGE_STARTED);
    see(2, 2);
    auto follow = [this] {
        struct wire_raft append, reply = {};
        if (!told(2, WIRE_APPEND, &append))
            return;
        reply.kind = WIRE_APPEND_REPLY;
        reply.term = append.term;
        reply.index = append.index + append.entry_count;
        reply.round = append.round;
        tell(2, reply);
    };
    uint64_t session = open_session(71);
    for (int i = 0; i < 200; i++) {
        pass(10);
        follow();
        port.sent.clear();
    }
    ASSERT_EQ(change({{RAFT_PROMOTE, 2, own_incarnation + 1}, {RAFT_REMOVE, 1, own_incarnation}}),
              RAFT_CHANGE_STARTED);
    send(session, 1, make(WIRE_OP_SET, "key", "value"));
    bool done = false;
    struct lane_group_status status = {};
    status.role = RAFT_LEADER;
    for (int i = 0; i < 50; i++) {
        pass(10);
        follow();
        for (const Answer &answer : answers())
            done |= answer.status == WIRE_DONE && answer.sequence == 1;
        ASSERT_TRUE(lane_group_status(lane, 0, &status));
    }
    EXPECT_NE(status.role, RAFT_LEADER);
    EXPECT_TRUE(done);
    uint64_t of_raft[RAFT_EVENT_COUNT];
    lane_raft_counters(lane, of_raft);
    EXPECT_EQ(of_raft[RAFT_LEADER_LEFT], 1u);
}

/* What member 2, who leads, hears of this node's wish to lead the group. */
class Wishes : public Members
{
  protected:
    uint64_t wish(uint16_t group)
    {
        struct wire_raft reply = {};
        append(0, 0, 0, 0, "", 1, group);
        pass(2);
        EXPECT_TRUE(told(2, WIRE_APPEND_REPLY, &reply));
        port.sent.clear();
        return reply.commit;
    }

    void follow(uint16_t group_count, uint8_t priority)
    {
        groups = group_count;
        tweak = [priority](struct lane_config &lane_config) { lane_config.priority = priority; };
        start(3);
        poll();
    }
};

TEST_F(Wishes, AreThePriorityWhereThereIsOneGroup)
{
    follow(1, 2);
    EXPECT_EQ(wish(0), 2 * QUORUM_MEMBERS_MAX);
}

TEST_F(Wishes, AmongEqualsTheVotersTakeTurnsOverTheGroups)
{
    follow(4, 0);
    EXPECT_EQ(wish(0), 2u) << "first of three";
    EXPECT_EQ(wish(1), 0u);
    EXPECT_EQ(wish(2), 1u);
    EXPECT_EQ(wish(3), 2u);
}

TEST_F(Wishes, FollowTheConfiguration)
{
    follow(3, 0);
    struct wire_members two = configuration(
        {plain(1, WIRE_ROLE_VOTER), plain(2, WIRE_ROLE_VOTER), plain(3, WIRE_ROLE_LEARNER)});
    std::string entries = config_entry(1, 1, two);
    entries[6] = 2; /* its group */
    append(0, 0, 0, 1, entries, 1, 2);
    EXPECT_EQ(wish(2), 1u) << "first of two";
}

} // namespace
