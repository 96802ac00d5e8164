// A dumb cluster: one state, of which one member at a time is the leader, behind a network that
// loses, doubles and reorders. It keeps the promises of the servers with maps and no cleverness,
// and remembers what it executed.
#ifndef TESTS_UNIT_CLIENT_MODEL_SERVER_H
#define TESTS_UNIT_CLIENT_MODEL_SERVER_H

#include "tests/unit/client/client_fixture.h"

#include <map>
#include <random>

struct Faults {
    uint32_t loss_percent;
    uint32_t duplicate_percent;
    uint32_t busy_percent;
    uint32_t too_big_percent;
    uint64_t delay_max_ns;
    bool leader_changes;
    bool sessions_expire;
    bool members_die;
};

class ModelServer
{
  public:
    ModelServer(uint64_t seed, const client_config &config, const Faults &faults)
        : chance(seed), config_(config), faults_(faults)
    {
        wire_assembly_table_init(&assemblies_, 1000 * kMs);
    }
    // A frame of the client is on its way to a member.
    void send(uint16_t target, const uint8_t *payload, uint32_t bytes, uint64_t now);
    // When something arrives next, at a member or at the client; UINT64_MAX: never.
    uint64_t next_ns() const;
    // Lets members receive what is due, and returns what the client receives.
    std::vector<Bytes> run(uint64_t now);
    // Between operations: another leader, an expired session, a member down or up.
    void disturb();
    void heal();
    bool quiet() const
    {
        return wire_.empty();
    }

    std::vector<std::string> executed; // keys of writes, in order of execution
    std::map<std::string, int> times;
    std::mt19937_64 chance;

  private:
    struct Session {
        uint64_t next = 1;
        std::map<uint64_t, wire_result> answers;
    };
    struct Packet {
        uint16_t target; // 0: the client
        Bytes bytes;
    };
    bool percent(uint32_t share)
    {
        return chance() % 100 < share;
    }
    void put_on_wire(uint16_t target, const Bytes &bytes, uint64_t now);
    void at_member(uint16_t member, const Bytes &bytes, uint64_t now);
    void at_leader(uint16_t member, const wire_view &view, uint64_t now);
    void handle(uint16_t member, const wire_request &request, uint64_t now);
    wire_result execute(const wire_request &request, uint64_t sequence,
                        const wire_command &command);
    wire_result execute_write(Session &session, uint64_t sequence, const wire_command &command);

    client_config config_;
    Faults faults_;
    std::multimap<uint64_t, Packet> wire_;
    std::map<uint64_t, Session> sessions_;
    std::map<uint64_t, uint64_t> session_by_nonce_;
    uint64_t last_session_ = 100;
    uint16_t leader_ = 1; // 0: none
    std::map<uint16_t, bool> dead_;
    std::map<uint16_t, uint16_t> belief_; // whom each member takes for the leader
    wire_assembly_table assemblies_;
    std::map<uint8_t *, Bytes> buffers_;
};

#endif
