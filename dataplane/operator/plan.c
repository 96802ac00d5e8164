/* plan.c: which room would run on which core, of this machine or of one that is only described: as
 * quorated would place it, with a node's file or without. */
#include "dataplane/node/config.h"
#include "dataplane/operator/operator.h"

/* One line per lane and room, for programs: tab-separated, or JSON. */
static void list_rooms(enum operator_output output, const struct placement *plan,
                       const struct topology *topology)
{
    for (uint32_t i = 0; i < plan->lane_count; i++) {
        const struct placement_lane *lane = &plan->lanes[i];
        for (int room = 0; room < PLACEMENT_ROOM_COUNT; room++) {
            const struct placement_worker *worker = &plan->workers[lane->worker[room]];
            (void)printf(output == OUTPUT_JSON
                             ? "{\"lane\":%u,\"queue\":%u,\"room\":\"%s\",\"core\":%u,\"pu\":%u,"
                               "\"node\":%u,\"memory_node\":%u,\"frame_node\":%u}\n"
                             : "%u\t%u\t%s\t%u\t%u\t%u\t%u\t%u\n",
                         i, lane->queue, placement_room_name((enum placement_room)room),
                         worker->core, worker->pu, topology->nodes[worker->node].os_index,
                         topology->nodes[lane->memory_node].os_index,
                         topology->nodes[lane->pool_node].os_index);
        }
    }
    for (int w = 0; w < PLACEMENT_WARNING_COUNT; w++)
        if (plan->warnings >> w & 1)
            operator_complain("warning", "%s",
                              placement_warning_sentence((enum placement_warning)w));
}

/* What quorated would ask for: with the files, or with its defaults. */
static int request_of(const struct operator_options *options, struct placement_request *request)
{
    static struct node_file files[HOST_NODES_MAX];
    struct host_config config;
    char error[HOST_ERROR_MAX];
    host_config_defaults(&config);
    if (options->config_count != 0) {
        if (options->nic != NULL || options->lanes != 0 || options->cores != 0) {
            operator_complain(NULL, "card, lanes and cores are in the file that --config names");
            return EX_USAGE;
        }
        if (!config_load_all(options->config, options->config_count, files, error)) {
            operator_complain(NULL, "%s", error);
            return EX_CONFIG;
        }
        config = files[0].host;
        config.replicas = options->config_count;
    } else {
        config.nic = options->nic;
        config.cores = options->cores != 0 ? options->cores : config.cores;
        config.lanes = config.groups = options->lanes != 0 ? options->lanes : config.lanes;
    }
    config_placement(&config, request);
    return EX_OK;
}

int operator_plan(const struct operator_options *options)
{
    static struct topology topology;
    static struct placement plan;
    struct placement_request request;
    int code = request_of(options, &request);
    if (code != EX_OK)
        return code;
    enum topology_refusal unread = topology_init(&topology, options->topology);
    if (unread != TOPOLOGY_READ) {
        operator_complain(NULL, "%s", topology_refusal_sentence(unread));
        return EX_DATAERR;
    }
    enum placement_refusal refusal = placement_build(&topology, &request, &plan);
    if (refusal != PLACEMENT_BUILT)
        operator_complain(NULL, "%s", placement_refusal_sentence(refusal));
    else if (options->output == OUTPUT_TABLE)
        placement_draw(&plan, &topology, stdout);
    else
        list_rooms(options->output, &plan, &topology);
    topology_fini(&topology);
    return refusal == PLACEMENT_BUILT ? EX_OK : EX_DATAERR;
}
