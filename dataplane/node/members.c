/* members.c: who is in the cluster, as a list on one line or as a key for each. */
#include "dataplane/node/config.h"

#include <string.h>

/* Ids rise; a member that is there already gets the new address. */
static bool insert(struct node_config *node, uint16_t id, uint32_t ip, uint16_t port)
{
    uint32_t at = 0;
    while (at < node->member_count && node->member[at] < id)
        at++;
    bool known = at < node->member_count && node->member[at] == id;
    if (!known && node->member_count == VIEW_MEMBERS_MAX)
        return false;
    for (uint32_t i = node->member_count; !known && i > at; i--) {
        node->member[i] = node->member[i - 1];
        node->member_ip[i] = node->member_ip[i - 1];
        node->member_port[i] = node->member_port[i - 1];
    }
    node->member_count = (uint16_t)(node->member_count + (known ? 0 : 1));
    node->member[at] = id;
    node->member_ip[at] = ip;
    node->member_port[at] = port;
    return true;
}

bool config_member(const char *id, const char *text, struct node_config *node)
{
    uint64_t number;
    uint32_t ip;
    uint16_t port;
    return config_whole(id, 1, RAFT_NOBODY - 1, &number) && config_endpoint(text, &ip, &port) &&
           insert(node, (uint16_t)number, ip, port);
}

/* 1@10.1.0.1:7700,2@10.1.0.2:7700 */
bool config_members(const char *text, struct node_config *node)
{
    char copy[2048], *rest = copy, *one;
    if (strlen(text) >= sizeof copy)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    node->member_count = 0;
    while ((one = strsep(&rest, ",")) != NULL) {
        uint32_t before = node->member_count;
        uint16_t last = before == 0 ? 0 : node->member[before - 1];
        char *at = strchr(one, '@');
        if (at == NULL)
            return false;
        *at = '\0';
        while (*one == ' ')
            one++;
        if (!config_member(one, at + 1, node) || node->member_count == before ||
            node->member[before] <= last)
            return false; /* no member, one too many, or ids that do not rise */
    }
    return node->member_count > 0;
}
