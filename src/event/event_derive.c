/*
 * Fields that follow from others. Each is measured first, so that the arena gives exactly one piece per field.
 */
#include "event/event_derive.h"

#include <errno.h>

#include "event/pack.h"

static int derive_cmd(xt_event *event, xt_arena *arena)
{
    xt_slice args = xt_event_bytes(event, XT_F_ARGS);
    char *start = xt_arena_alloc(arena, args.n + 1); /* a length byte at least stands for each space */
    if (!start)
        return xt_error_origin(-ENOMEM);
    char *p = start;
    xt_list_iter iter = xt_list_iterate(args);
    bool first = true;
    for (xt_slice item; xt_list_next(&iter, &item); first = false) {
        if (!first)
            *p++ = ' ';
        p = xt_pack_bytes(p, item);
    }
    xt_event_set_bytes(event, XT_F_CMD, xt_slice_of(start, (size_t)(p - start)));
    return 0;
}

static int derive_path(xt_event *event, xt_arena *arena)
{
    xt_slice paths = xt_event_bytes(event, XT_F_PATHS);
    size_t n_bytes = 0;
    uint64_t n = 0;
    xt_path path;
    for (xt_path_iter iter = xt_paths_iterate(paths); xt_paths_next(&iter, &path);) {
        n += path.has_name;
        n_bytes += path.has_name ? xt_pack_block_size(path.name) : 0;
    }
    if (n == 0)
        return 0;
    char *start = xt_arena_alloc(arena, XT_PACK_MAX_VARINT + n_bytes);
    if (!start)
        return xt_error_origin(-ENOMEM);
    char *p = xt_pack_varint(start, n);
    for (xt_path_iter iter = xt_paths_iterate(paths); xt_paths_next(&iter, &path);)
        if (path.has_name)
            p = xt_pack_block(p, path.name);
    xt_event_set_bytes(event, XT_F_PATH, xt_slice_of(start, (size_t)(p - start)));
    return 0;
}

xt_hash128 xt_event_own_id(const xt_event *event)
{
    return xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID), (int64_t)xt_event_num(event, XT_F_TIME, 0),
                          (uint32_t)xt_event_num(event, XT_F_SERIAL, 0));
}

void xt_event_own_entity(const xt_event *event, char ret[static XT_EVENT_ENTITY_LEN])
{
    xt_event_entity_of(xt_event_bytes(event, XT_F_HOST_ID), xt_event_bytes(event, XT_F_BOOT_ID),
                       (uint32_t)xt_event_num(event, XT_F_PID, 0), (int64_t)xt_event_num(event, XT_F_TIME, 0), ret);
}

static int derive_id(xt_event *event, xt_arena *arena)
{
    if (!xt_event_has(event, XT_F_SERIAL))
        return 0;
    char *text = xt_arena_alloc(arena, 33);
    if (!text)
        return xt_error_origin(-ENOMEM);
    xt_hash128_format(xt_event_own_id(event), text);
    xt_event_set_bytes(event, XT_F_EVENT_ID, xt_slice_of(text, 32));
    return 0;
}

/* What was executed is a process from then on; a failed exec left the process as it was. */
bool xt_event_is_own_entity(const xt_event *event)
{
    return xt_event_has(event, XT_F_PID) && xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
           xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("success"));
}

static int derive_entity(xt_event *event, xt_arena *arena)
{
    if (!xt_event_is_own_entity(event))
        return 0;
    char *text = xt_arena_alloc(arena, XT_EVENT_ENTITY_LEN);
    if (!text)
        return xt_error_origin(-ENOMEM);
    xt_event_own_entity(event, text);
    xt_event_set_bytes(event, XT_F_ENTITY, xt_slice_of(text, XT_EVENT_ENTITY_LEN));
    return 0;
}

static bool has_path_name(xt_slice paths)
{
    xt_path path = {0};
    for (xt_path_iter iter = xt_paths_iterate(paths); !path.has_name && xt_paths_next(&iter, &path);)
        ;
    return path.has_name;
}

xt_field_set xt_event_derivable(const xt_event *event)
{
    xt_field_set set = {{0, 0}};
    if (xt_event_has(event, XT_F_TIME) && xt_event_has(event, XT_F_SERIAL))
        xt_field_set_add(&set, XT_F_EVENT_ID);
    if (xt_event_is_own_entity(event))
        xt_field_set_add(&set, XT_F_ENTITY);
    if (xt_event_has(event, XT_F_ARGS)) {
        xt_field_set_add(&set, XT_F_ARGC);
        xt_field_set_add(&set, XT_F_CMD);
    }
    if (has_path_name(xt_event_bytes(event, XT_F_PATHS)))
        xt_field_set_add(&set, XT_F_PATH);
    return set;
}

int xt_event_derive(xt_event *event, xt_field_set wanted, xt_arena *arena)
{
    static const struct {
        xt_field field, source;
        int (*derive)(xt_event *event, xt_arena *arena);
    } ways[] = {
        {XT_F_EVENT_ID, XT_F_TIME, derive_id},
        {XT_F_ENTITY, XT_F_PID, derive_entity},
        {XT_F_CMD, XT_F_ARGS, derive_cmd},
        {XT_F_PATH, XT_F_PATHS, derive_path},
    };
    if (xt_field_set_has(&wanted, XT_F_ARGC) && xt_event_has(event, XT_F_ARGS))
        xt_event_set_num(event, XT_F_ARGC, xt_list_count(xt_event_bytes(event, XT_F_ARGS)));
    for (size_t i = 0; i < XT_COUNT_OF(ways); i++) {
        if (!xt_field_set_has(&wanted, ways[i].field) || xt_event_has(event, ways[i].field) ||
            !xt_event_has(event, ways[i].source))
            continue;
        int r = ways[i].derive(event, arena);
        if (r < 0)
            return xt_error_trace(r);
    }
    return 0;
}
