#include "numa/topology.h"

#include "numa/base/assert.h"

#include <hwloc.h>
#include <stdio.h>
#include <string.h>

#define PCI_CLASS_NETWORK 0x02u /* PCI Code and ID Assignment: base class of network controllers */

const char *topology_refusal_sentence(enum topology_refusal refusal)
{
    static const char *const sentences[] = {
        "",
#define TOPOLOGY_REFUSAL(name, sentence) sentence,
#include "numa/topology_refusals.def"
#undef TOPOLOGY_REFUSAL
    };
    ENSURE((size_t)refusal < COUNT_OF(sentences));
    return sentences[refusal];
}

static bool names_a_file(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '/') != NULL || (length > 4 && strcmp(text + length - 4, ".xml") == 0);
}

static uint32_t node_of(const struct topology *topology, hwloc_const_nodeset_t nodeset)
{
    /* A core with several memories near it (DRAM and HBM) has its ordinary one first. */
    int os_index = nodeset == NULL ? -1 : hwloc_bitmap_first(nodeset);
    for (uint32_t i = 0; os_index >= 0 && i < topology->node_count; i++)
        if (topology->nodes[i].os_index == (uint32_t)os_index)
            return i;
    return TOPOLOGY_NONE;
}

static enum topology_refusal nodes_copy(struct topology *topology, hwloc_topology_t machine)
{
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        if (topology->node_count == TOPOLOGY_NODE_MAX)
            return TOPOLOGY_TOO_MANY_NODES;
        topology->nodes[topology->node_count++] = (struct topology_node){
            .os_index = node->os_index,
            .memory_bytes = node->attr->numanode.local_memory,
        };
    }
    return TOPOLOGY_READ;
}

static uint32_t index_of_ancestor(hwloc_topology_t machine, hwloc_obj_type_t type, hwloc_obj_t of)
{
    hwloc_obj_t found = hwloc_get_ancestor_obj_by_type(machine, type, of);
    return found == NULL ? TOPOLOGY_NONE : found->logical_index;
}

static enum topology_refusal pus_copy(struct topology *topology, hwloc_topology_t machine)
{
    hwloc_obj_t last_core = NULL;
    hwloc_obj_t pu = NULL;
    while ((pu = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_PU, pu)) != NULL) {
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(machine, HWLOC_OBJ_CORE, pu);
        if (core == NULL) /* a virtual machine may show PUs alone: each is a core */
            core = pu;
        if (topology->pu_count == TOPOLOGY_PU_MAX)
            return TOPOLOGY_TOO_MANY_PUS;
        if (core != last_core) {
            if (topology->core_count == TOPOLOGY_CORE_MAX)
                return TOPOLOGY_TOO_MANY_CORES;
            uint32_t package = index_of_ancestor(machine, HWLOC_OBJ_PACKAGE, core);
            uint32_t l3 = index_of_ancestor(machine, HWLOC_OBJ_L3CACHE, core);
            uint32_t node = node_of(topology, core->nodeset);
            package = package == TOPOLOGY_NONE ? 0 : package;
            topology->cores[topology->core_count++] = (struct topology_core){
                .package = package,
                .l3 = l3 == TOPOLOGY_NONE ? package : l3,
                .node = node == TOPOLOGY_NONE ? 0 : node,
                .pu_first = topology->pu_count,
            };
            last_core = core;
        }
        uint32_t core_index = topology->core_count - 1;
        topology->cores[core_index].pu_count++;
        topology->pus[topology->pu_count++] =
            (struct topology_pu){.os_index = pu->os_index, .core = core_index};
    }
    int packages = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PACKAGE);
    topology->package_count = packages > 0 ? (uint32_t)packages : 1;
    return topology->core_count == 0 ? TOPOLOGY_NO_CORES : TOPOLOGY_READ;
}

static uint32_t nic_node(const struct topology *topology, hwloc_topology_t machine, hwloc_obj_t nic)
{
    hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(machine, nic);
    bool vague = near == NULL || near->nodeset == NULL ||
                 (near->depth == 0 && topology->node_count > 1); /* hangs on the machine itself */
    return vague ? TOPOLOGY_NONE : node_of(topology, near->nodeset);
}

static enum topology_refusal nics_copy(struct topology *topology, hwloc_topology_t machine)
{
    hwloc_obj_t device = NULL;
    while ((device = hwloc_get_next_pcidev(machine, device)) != NULL) {
        const struct hwloc_pcidev_attr_s *pci = &device->attr->pcidev;
        if (pci->class_id >> 8 != PCI_CLASS_NETWORK)
            continue;
        if (topology->nic_count == TOPOLOGY_NIC_MAX)
            return TOPOLOGY_TOO_MANY_NICS;
        struct topology_nic *nic = &topology->nics[topology->nic_count++];
        nic->node = nic_node(topology, machine, device);
        (void)snprintf(nic->address, sizeof nic->address, "%04x:%02x:%02x.%01x", pci->domain,
                       pci->bus, pci->dev, pci->func);
        for (hwloc_obj_t child = device->io_first_child; child != NULL; child = child->next_sibling)
            if (child->type == HWLOC_OBJ_OS_DEVICE && child->name != NULL &&
                child->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK)
                (void)snprintf(nic->name, sizeof nic->name, "%.*s", (int)sizeof nic->name - 1,
                               child->name);
    }
    return TOPOLOGY_READ;
}

/* What taskset or a service manager took away is not ours to poll on. */
static void restrict_to_affinity(hwloc_topology_t machine)
{
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
    if (allowed != NULL && hwloc_get_cpubind(machine, allowed, HWLOC_CPUBIND_PROCESS) == 0)
        (void)hwloc_topology_restrict(machine, allowed, 0);
    hwloc_bitmap_free(allowed);
}

static enum topology_refusal machine_load(hwloc_topology_t machine, const char *text)
{
    (void)hwloc_topology_set_io_types_filter(machine, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (text == NULL)
        return hwloc_topology_load(machine) == 0 ? TOPOLOGY_READ : TOPOLOGY_MACHINE_UNREADABLE;
    if (names_a_file(text))
        return hwloc_topology_set_xml(machine, text) == 0 && hwloc_topology_load(machine) == 0
                   ? TOPOLOGY_READ
                   : TOPOLOGY_BAD_XML;
    return hwloc_topology_set_synthetic(machine, text) == 0 && hwloc_topology_load(machine) == 0
               ? TOPOLOGY_READ
               : TOPOLOGY_BAD_SYNTHETIC;
}

enum topology_refusal topology_init(struct topology *topology, const char *text)
{
    memset(topology, 0, sizeof *topology);
    hwloc_topology_t machine;
    if (hwloc_topology_init(&machine) != 0)
        return TOPOLOGY_MACHINE_UNREADABLE;
    topology->machine = machine;
    enum topology_refusal refusal = machine_load(machine, text);
    if (refusal == TOPOLOGY_READ) {
        /* HWLOC_XMLFILE and HWLOC_SYNTHETIC may stand in for the machine; hwloc tells. */
        topology->is_this_machine = text == NULL && hwloc_topology_is_thissystem(machine) != 0;
        if (topology->is_this_machine)
            restrict_to_affinity(machine);
        refusal = nodes_copy(topology, machine);
    }
    if (refusal == TOPOLOGY_READ)
        refusal = pus_copy(topology, machine);
    if (refusal == TOPOLOGY_READ)
        refusal = nics_copy(topology, machine);
    if (refusal != TOPOLOGY_READ)
        topology_fini(topology);
    return refusal;
}

void topology_fini(struct topology *topology)
{
    if (topology->machine != NULL)
        hwloc_topology_destroy(topology->machine);
    topology->machine = NULL;
}

uint32_t topology_nic_find(const struct topology *topology, const char *address)
{
    for (uint32_t i = 0; i < topology->nic_count; i++) {
        const char *whole = topology->nics[i].address;
        const char *without_domain = strchr(whole, ':') + 1;
        if (strcasecmp(address, whole) == 0 ||
            (strncmp(whole, "0000:", 5) == 0 && strcasecmp(address, without_domain) == 0))
            return i;
    }
    return TOPOLOGY_NONE;
}

bool topology_bind_memory(const struct topology *topology, void *memory, size_t bytes,
                          uint32_t node)
{
    ENSURE(node < topology->node_count);
    if (!topology->is_this_machine)
        return false;
    hwloc_bitmap_t nodeset = hwloc_bitmap_alloc();
    if (nodeset == NULL)
        return false;
    bool bound = hwloc_bitmap_set(nodeset, topology->nodes[node].os_index) == 0 &&
                 hwloc_set_area_membind(topology->machine, memory, bytes, nodeset,
                                        HWLOC_MEMBIND_BIND, HWLOC_MEMBIND_BYNODESET) == 0;
    hwloc_bitmap_free(nodeset);
    return bound;
}
