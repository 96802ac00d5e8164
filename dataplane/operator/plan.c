/* plan.c: which room would run on which core, of this machine or of one that is only described. */
#include "dataplane/operator/operator.h"

#include "numa/placement.h"

int operator_plan(const struct operator_options *options)
{
    static struct topology topology;
    static struct placement plan;
    if (options->output == OUTPUT_JSON) {
        (void)fprintf(stderr, "quorate: plan is drawn as text only in this version\n");
        return EX_USAGE;
    }
    enum topology_refusal unread = topology_init(&topology, options->topology);
    if (unread != TOPOLOGY_READ) {
        (void)fprintf(stderr, "quorate: %s\n", topology_refusal_sentence(unread));
        return EX_DATAERR;
    }
    struct placement_request request = {
        .nic = options->nic,
        .replicas = 1,
        .lanes = options->lanes,
        .groups = options->lanes,
        .cores_max = PLACEMENT_CORES_SPARE,
        .control_threads = 2, /* the main lcore and the RESP edge */
    };
    int code = EX_OK;
    enum placement_refusal refusal = placement_build(&topology, &request, &plan);
    if (refusal == PLACEMENT_BUILT) {
        placement_draw(&plan, &topology, stdout);
    } else {
        (void)fprintf(stderr, "quorate: %s\n", placement_refusal_sentence(refusal));
        code = EX_DATAERR;
    }
    topology_fini(&topology);
    return code;
}
