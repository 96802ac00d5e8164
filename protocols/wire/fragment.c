#include "protocols/wire/fragment.h"

#include "numa/base/assert.h"
#include "protocols/wire/message.h"

#define PIECE_OVERHEAD_BYTES (WIRE_FRAME_BYTES + WIRE_MESSAGE_BYTES + WIRE_FRAGMENT_BYTES)

void wire_cut_begin(struct wire_cut *cut, uint64_t id, const uint8_t *head, uint32_t head_bytes,
                    const uint8_t *body, uint32_t body_bytes, uint32_t frame_bytes)
{
    uint64_t total = wire_padded((uint64_t)head_bytes + body_bytes);
    ENSURE(head_bytes >= WIRE_MESSAGE_BYTES && total <= WIRE_FRAGMENT_TOTAL_MAX);
    ENSURE(frame_bytes >= WIRE_FRAGMENT_FRAME_BYTES_MIN);
    uint32_t unit = (frame_bytes - PIECE_OVERHEAD_BYTES) / WIRE_ALIGN * WIRE_ALIGN;
    *cut = (struct wire_cut){
        .id = id,
        .head = head,
        .body = body,
        .head_bytes = head_bytes,
        .body_bytes = body_bytes,
        .unit = unit,
        .total = (uint32_t)total,
        .count = ((uint32_t)total + unit - 1) / unit,
    };
}

/* Bytes [from, from + bytes) of head, body and zeros seen as one. */
static void gather(const struct wire_cut *cut, uint32_t from, uint8_t *to, uint32_t bytes)
{
    if (from < cut->head_bytes) {
        uint32_t part = min_u32(bytes, cut->head_bytes - from);
        memcpy(to, cut->head + from, part);
        from += part;
        to += part;
        bytes -= part;
    }
    uint32_t at = from - cut->head_bytes;
    if (bytes != 0 && at < cut->body_bytes) {
        uint32_t part = min_u32(bytes, cut->body_bytes - at);
        memcpy(to, cut->body + at, part);
        to += part;
        bytes -= part;
    }
    memset(to, 0, bytes);
}

bool wire_put_fragment(struct wire_writer *writer, const struct wire_cut *cut, uint32_t k)
{
    ENSURE(k < cut->count);
    uint32_t offset = k * cut->unit;
    uint32_t bytes = min_u32(cut->unit, cut->total - offset);
    uint8_t *body = wire_message_begin(writer, WIRE_FRAGMENT, cut->head[4], load_u16(cut->head + 6),
                                       (uint64_t)WIRE_FRAGMENT_BYTES + bytes);
    if (body == NULL)
        return false;
    store_u64(body, cut->id);
    store_u32(body + 8, offset);
    store_u32(body + 12, cut->total);
    gather(cut, offset, body + WIRE_FRAGMENT_BYTES, bytes);
    return true;
}

static bool is_last(const struct wire_fragment *fragment)
{
    return fragment->offset + fragment->bytes == fragment->total;
}

enum wire_refusal wire_get_fragment(const struct wire_view *view, struct wire_fragment *fragment)
{
    *fragment = (struct wire_fragment){0};
    if (UNLIKELY(view->kind != WIRE_FRAGMENT))
        return WIRE_REFUSED_MESSAGE_KIND;
    if (UNLIKELY(view->bytes < WIRE_FRAGMENT_BYTES))
        return WIRE_REFUSED_MESSAGE_SHORT;
    *fragment = (struct wire_fragment){
        .id = load_u64(view->body),
        .data = view->body + WIRE_FRAGMENT_BYTES,
        .offset = load_u32(view->body + 8),
        .total = load_u32(view->body + 12),
        .bytes = view->bytes - WIRE_FRAGMENT_BYTES,
        .group = view->group,
        .kind = view->flags,
    };
    uint32_t bytes = fragment->bytes;
    uint32_t total = fragment->total;
    if (fragment->kind == 0 || fragment->kind >= WIRE_KIND_COUNT ||
        fragment->kind == WIRE_FRAGMENT || fragment->kind == WIRE_SIGNED)
        return WIRE_REFUSED_FRAGMENT;
    if (total < WIRE_MESSAGE_BYTES || total > WIRE_FRAGMENT_TOTAL_MAX || total % WIRE_ALIGN != 0)
        return WIRE_REFUSED_FRAGMENT;
    if (bytes == 0 || bytes % WIRE_ALIGN != 0 || bytes > total ||
        fragment->offset > total - bytes || fragment->offset % WIRE_ALIGN != 0)
        return WIRE_REFUSED_FRAGMENT;
    if (!is_last(fragment) && (bytes < WIRE_FRAGMENT_UNIT_MIN || fragment->offset % bytes != 0))
        return WIRE_REFUSED_FRAGMENT;
    return WIRE_OK;
}

void wire_assembly_begin(struct wire_assembly *assembly, const struct wire_fragment *fragment,
                         uint8_t *buffer)
{
    *assembly = (struct wire_assembly){
        .id = fragment->id,
        .buffer = buffer,
        .total = fragment->total,
        .missing_bytes = fragment->total,
        .group = fragment->group,
        .kind = fragment->kind,
    };
}

static bool last_fits_unit(const struct wire_assembly *assembly, uint32_t last_bytes, uint32_t unit)
{
    return last_bytes <= unit && (assembly->total - last_bytes) % unit == 0;
}

/* Is the piece of the size that all pieces seen so far imply? */
static bool sizes_agree(const struct wire_assembly *assembly, const struct wire_fragment *fragment)
{
    if (is_last(fragment)) {
        if (assembly->last_bytes != 0)
            return assembly->last_bytes == fragment->bytes;
        return assembly->unit == 0 || last_fits_unit(assembly, fragment->bytes, assembly->unit);
    }
    if (assembly->unit != 0)
        return assembly->unit == fragment->bytes;
    return assembly->last_bytes == 0 ||
           last_fits_unit(assembly, assembly->last_bytes, fragment->bytes);
}

static void mark(struct wire_assembly *assembly, const struct wire_fragment *fragment)
{
    if (is_last(fragment)) {
        assembly->last_bytes = fragment->bytes;
        return;
    }
    assembly->unit = fragment->bytes;
    uint32_t k = fragment->offset / assembly->unit;
    assembly->held[k / 64] |= UINT64_C(1) << (k % 64);
}

static bool is_held(const struct wire_assembly *assembly, const struct wire_fragment *fragment)
{
    if (is_last(fragment))
        return assembly->last_bytes != 0;
    uint32_t k = fragment->offset / fragment->bytes;
    return (assembly->held[k / 64] & UINT64_C(1) << (k % 64)) != 0;
}

static bool agrees(const struct wire_assembly *assembly, const struct wire_fragment *fragment)
{
    return fragment->id == assembly->id && fragment->total == assembly->total &&
           fragment->kind == assembly->kind && fragment->group == assembly->group &&
           sizes_agree(assembly, fragment);
}

bool wire_assembly_lacks(const struct wire_assembly *assembly, const struct wire_fragment *fragment)
{
    return agrees(assembly, fragment) && !is_held(assembly, fragment);
}

enum wire_refusal wire_assembly_add(struct wire_assembly *assembly,
                                    const struct wire_fragment *fragment)
{
    if (UNLIKELY(!agrees(assembly, fragment)))
        return WIRE_REFUSED_FRAGMENT;
    uint8_t *to = assembly->buffer + fragment->offset;
    if (UNLIKELY(is_held(assembly, fragment)))
        return memcmp(to, fragment->data, fragment->bytes) == 0 ? WIRE_OK : WIRE_REFUSED_FRAGMENT;
    mark(assembly, fragment);
    memcpy(to, fragment->data, fragment->bytes);
    assembly->missing_bytes -= fragment->bytes;
    return WIRE_OK;
}

enum wire_refusal wire_assembly_view(const struct wire_assembly *assembly, struct wire_view *view)
{
    ENSURE(assembly->missing_bytes == 0);
    uint32_t offset = 0;
    enum wire_refusal refusal = wire_message_next(assembly->buffer, assembly->total, &offset, view);
    if (refusal != WIRE_OK)
        return refusal;
    if (offset != assembly->total || view->kind != assembly->kind || view->group != assembly->group)
        return WIRE_REFUSED_FRAGMENT;
    return WIRE_OK;
}
